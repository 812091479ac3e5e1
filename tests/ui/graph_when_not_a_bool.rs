//! A condition that is no `bool`.
use durable::prelude::*;

struct Loan;

#[workflow]
impl Loan {
    #[input]
    fn age(&self) -> u32;

    #[step(when = |age: &u32| age + 1)]
    async fn offer(&self, age: u32) -> Result<u32> {
        Ok(age)
    }

    #[step(when = |age: u32| -> u32 { age })]
    async fn letter(&self, age: u32) -> Result<u32> {
        Ok(age)
    }
}

fn main() {}
