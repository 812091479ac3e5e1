//! The same step for each of many items: in a flow, and in a graph.

use durable::prelude::*;

use super::Progress;

/// `cx.map` over its input.
#[derive(Debug, Default)]
pub(crate) struct MapNumbers {
    pub(crate) progress: Progress,
}

#[workflow]
impl MapNumbers {
    async fn run(&self, cx: &Context, numbers: Vec<u64>) -> Result<Vec<u64>> {
        cx.map(numbers).concurrency(100).each(|number| self.pass(number)).await
    }

    #[step]
    async fn pass(&self, number: u64) -> Result<u64> {
        self.progress.advance();
        Ok(number)
    }
}

/// An `each` over its input.
#[derive(Debug, Default)]
pub(crate) struct EachNumber {
    pub(crate) progress: Progress,
}

#[workflow]
impl EachNumber {
    #[input]
    fn numbers(&self) -> Vec<u64>;

    #[output]
    #[step(each(number in numbers), concurrency = 100)]
    async fn pass(&self, number: u64) -> Result<u64> {
        self.progress.advance();
        Ok(number)
    }
}
