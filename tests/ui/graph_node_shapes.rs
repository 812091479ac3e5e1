//! Nodes that the engine could not call: generic, with a pattern, under a condition of the build.
use durable::prelude::*;

struct Loan;

#[workflow]
impl Loan {
    #[input]
    fn pair(&self) -> (u32, u32);

    #[cfg(test)]
    #[input]
    fn age(&self) -> u32;

    #[step]
    async fn sum(&self, (one, other): (u32, u32)) -> Result<u32> {
        Ok(one + other)
    }

    #[step]
    async fn score<T: Into<u64> + Send>(&self, sum: T) -> Result<u64> {
        Ok(sum.into())
    }

    #[step]
    async fn text(&self, sum: impl ToString + Send) -> Result<String> {
        Ok(sum.to_string())
    }

    #[cfg(not(test))]
    #[step]
    async fn letter(&self, score: u64) -> Result<u64> {
        Ok(score)
    }
}

fn main() {}
