//! Concurrency keys of texts, numbers and parts of the input.
use std::collections::BTreeMap;

use durable::prelude::*;

struct ByNumber;

#[workflow(concurrency_key = |n| n % 10, limit = 2)]
impl ByNumber {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        Ok(n)
    }
}

struct ByPart;

#[workflow(limit = 1, concurrency_key = |order: &BTreeMap<String, u32>| order.keys().next().cloned().unwrap_or_default(), queue = "orders")]
impl ByPart {
    async fn run(&self, _cx: &Context, order: BTreeMap<String, u32>) -> Result<usize> {
        Ok(order.len())
    }
}

struct ForAll;

#[workflow(concurrency_key = |_| "all", limit = 1)]
impl ForAll {
    async fn run(&self, _cx: &Context) -> Result<()> {
        Ok(())
    }
}

fn key<W: durable::Workflow>(input: &W::Input) -> (Option<String>, Option<u32>) {
    (W::concurrency_key(input), W::LIMIT)
}

fn main() {
    assert_eq!(key::<ByNumber>(&42), (Some("2".to_owned()), Some(2)));
    assert_eq!(key::<ByPart>(&BTreeMap::from([("ada".to_owned(), 1)])), (Some("ada".to_owned()), Some(1)));
    assert_eq!(key::<ForAll>(&()), (Some("all".to_owned()), Some(1)));
}
