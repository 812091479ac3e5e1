//! A test names a step that does not exist, a method that is not a step, and a step without its workflow.
use durable::prelude::*;
use durable_test::{Test, body, step};

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.add(self.twice(&n).await?, 1).await
    }

    #[step]
    async fn twice(&self, n: &u32) -> Result<u32> {
        Ok(2 * n)
    }

    #[step]
    async fn add<T: Into<u32> + Send + Sync + serde::Serialize>(&self, n: u32, other: T) -> Result<u32> {
        Ok(n + other.into())
    }

    fn helper(&self) {}
}

#[durable_test::test]
async fn a_test(test: Test) {
    test.fail(step!(Flow::twise), 1, "no");
    test.fail(step!(Flow::helper), 1, "no");
    test.fail(step!(twice), 1, "no");
    let _ = body!(Flow::twise, |n| async move { Ok(*n) });
}

fn main() {}
