//! A node waits for a required input, and allows for its absence.
use durable::prelude::*;

struct Loan;

#[workflow]
impl Loan {
    #[input]
    fn applicant(&self) -> String;

    #[step(when = |applicant: Settled<&String>| applicant.is_ready())]
    async fn score(&self, applicant: Option<&String>) -> Result<u32> {
        Ok(applicant.map_or(0, |applicant| applicant.len() as u32))
    }
}

fn main() {}
