//! Steps that would run again because of what they set.
use durable::prelude::*;

struct Loan;

#[workflow(open)]
impl Loan {
    #[input]
    fn ssn(&self) -> String;

    #[input]
    fn rating(&self) -> u32;

    #[step(sets(ssn))]
    async fn hide(&self, ssn: &str) -> Result<String> {
        Ok("*".repeat(ssn.len()))
    }

    #[step]
    async fn offer(&self, rating: u32) -> Result<u32> {
        Ok(rating * 100)
    }

    #[step(sets(rating))]
    async fn review(&self, offer: u32) -> Result<u32> {
        Ok(offer / 200)
    }
}

fn main() {}
