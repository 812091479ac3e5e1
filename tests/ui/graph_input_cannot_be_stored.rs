//! The type of an input cannot be written as JSON.
use durable::prelude::*;

struct Raw;

struct Loan;

#[workflow]
impl Loan {
    #[input]
    fn applicant(&self) -> Raw;

    #[step]
    async fn score(&self, applicant: &Raw) -> Result<u32> {
        let _ = applicant;
        Ok(1)
    }
}

fn main() {}
