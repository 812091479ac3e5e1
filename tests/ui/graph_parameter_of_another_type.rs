//! Parameters of other types than their nodes, by each policy and in a condition.
use durable::prelude::*;

struct Loan;

#[workflow]
impl Loan {
    #[input]
    fn applicant(&self) -> String;

    #[input(optional)]
    fn guarantor(&self) -> String;

    #[step]
    async fn score(&self, applicant: &u64) -> Result<u32> {
        Ok(*applicant as u32)
    }

    #[step(when = |score: &String| score.is_empty())]
    async fn offer(&self, score: u64, guarantor: Option<u32>) -> Result<u64> {
        Ok(score + u64::from(guarantor.unwrap_or_default()))
    }

    #[step]
    async fn letter(&self, offer: Settled<&u32>, score: Latest<&str>, guarantor: Option<&u8>) -> Result<()> {
        let _ = (offer, score, guarantor);
        Ok(())
    }

    #[step]
    async fn send(&self, letter: Given<&[u8]>) -> Result<()> {
        let _ = letter;
        Ok(())
    }
}

fn main() {}
