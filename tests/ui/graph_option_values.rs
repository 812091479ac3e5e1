//! Options of nodes with values that they do not take.
use durable::prelude::*;

struct Loan;

#[workflow(open = "always")]
impl Loan {
    #[input(optional = 1)]
    fn age(&self) -> u32;

    #[step(on_failure = retry)]
    async fn offer(&self, age: u32) -> Result<u32> {
        Ok(age)
    }

    #[step(on_failure, ends = "now")]
    async fn letter(&self, offer: u32) -> Result<u32> {
        Ok(offer)
    }
}

fn main() {}
