//! Two outputs, an output twice, one that is no step, and one with options.
use durable::prelude::*;

struct Loan;

#[workflow]
impl Loan {
    #[output]
    #[input]
    fn age(&self) -> u32;

    #[output]
    #[step]
    async fn offer(&self, age: u32) -> Result<u32> {
        Ok(age)
    }

    #[step]
    #[output(last)]
    #[output]
    async fn letter(&self, age: u32) -> Result<u32> {
        Ok(age)
    }

    #[output]
    fn helper(&self) -> u32 {
        7
    }
}

fn main() {}
