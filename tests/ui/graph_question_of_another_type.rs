//! A question takes a value by another type, and its answer has no schema.
use durable::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Verdict {
    granted: bool,
}

struct Loan;

#[workflow]
impl Loan {
    #[input]
    fn score(&self) -> u32;

    #[question]
    fn exception(&self, score: &String) -> bool;

    #[question]
    fn verdict(&self, score: u32) -> Verdict;

    #[step]
    async fn letter(&self, exception: &u64) -> Result<String> {
        Ok(exception.to_string())
    }
}

fn main() {}
