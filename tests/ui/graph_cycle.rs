//! Nodes wait for each other in circles: one through parameters, one through a condition, one for itself.
use durable::prelude::*;

struct Loan;

#[workflow]
impl Loan {
    #[input]
    fn applicant(&self) -> String;

    #[step]
    async fn score(&self, applicant: &String, letter: &String) -> Result<u32> {
        Ok((applicant.len() + letter.len()) as u32)
    }

    #[step]
    async fn offer(&self, score: u32) -> Result<u32> {
        Ok(score)
    }

    #[step]
    async fn letter(&self, offer: u32) -> Result<String> {
        Ok(offer.to_string())
    }

    #[step(when = |send: Option<&u32>| send.is_none())]
    async fn print(&self, applicant: &String) -> Result<u32> {
        Ok(applicant.len() as u32)
    }

    #[step]
    async fn send(&self, print: u32) -> Result<u32> {
        Ok(print)
    }

    #[step]
    async fn retries(&self, retries: Latest<u32>) -> Result<u32> {
        Ok(retries.unwrap_or_default() + 1)
    }
}

fn main() {}
