//! A test is not async, takes nothing, has a parameter of its own, or is no function.
use durable_test::Test;

#[durable_test::test]
fn not_async(_: Test) {}

#[durable_test::test]
async fn without_a_test() {}

#[durable_test::test]
async fn generic<T>(_: Test) {}

#[durable_test::test(fast)]
async fn with_an_option(_: Test) {}

#[durable_test::test]
struct Nothing;

fn main() {}
