//! A value that a node borrows cannot be shared between threads.
use durable::prelude::*;
use serde::{Deserialize, Serialize};
use std::cell::Cell;

#[derive(Serialize, Deserialize)]
struct Counter(Cell<u32>);

struct Loan;

#[workflow]
impl Loan {
    #[input]
    fn counter(&self) -> Counter;

    #[step]
    async fn next(&self, counter: &Counter) -> Result<u32> {
        Ok(counter.0.get() + 1)
    }
}

fn main() {}
