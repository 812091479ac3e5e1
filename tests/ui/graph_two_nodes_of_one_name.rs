//! Nodes share a name: two inputs, an input and a step by option, an old name in use.
use durable::prelude::*;

struct Loan;

#[workflow]
impl Loan {
    #[input]
    fn applicant(&self) -> String;

    #[input]
    fn applicant(&self) -> u32;

    #[step(name = "applicant")]
    async fn score(&self) -> Result<u32> {
        Ok(1)
    }

    #[input(was = "score")]
    fn age(&self) -> u32;

    #[step(was = "age")]
    async fn offer(&self, age: u32) -> Result<u32> {
        Ok(age)
    }

    #[step(name = "score")]
    async fn age(&self) -> Result<u32> {
        Ok(1)
    }
}

fn main() {}
