//! Conditions without types, without nodes, and of another kind.
use durable::prelude::*;

struct Loan;

#[workflow]
impl Loan {
    #[input]
    fn applicant(&self) -> String;

    #[step(when = |applicant, score: &u32| *score > 1)]
    async fn offer(&self, applicant: &str) -> Result<u32> {
        Ok(applicant.len() as u32)
    }

    #[step(when = || true)]
    async fn score(&self, applicant: &str) -> Result<u32> {
        Ok(applicant.len() as u32)
    }

    #[step(when = "score > 700")]
    async fn letter(&self, score: u32) -> Result<u32> {
        Ok(score)
    }

    #[step(when)]
    async fn send(&self, letter: u32) -> Result<u32> {
        Ok(letter)
    }

    #[step(when = |letter: &u32|)]
    async fn file(&self, letter: u32) -> Result<u32> {
        Ok(letter)
    }
}

fn main() {}
