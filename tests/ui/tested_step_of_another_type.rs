//! The new body of a step takes other arguments, returns another type, and is no closure; and a generic step gets a new body.
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

async fn one(_: &u32) -> Result<u32> {
    Ok(1)
}

#[durable_test::test]
async fn a_test(_: Test) {
    let _ = body!(Flow::twice, |n: &String| async move { Ok(1) });
    let _ = body!(Flow::twice, |n| async move { Ok(n.to_string()) });
    let _ = body!(Flow::twice, || async move { Ok(1) });
    let _ = body!(Flow::twice, one);
    let _ = body!(Flow::add, |n, _: u8| async move { Ok(n) });
    let _ = step!(Flow::add);
}

fn main() {
    let _ = body!(Flow::twice, |n| async move { Ok(*n) });
    let _ = body!(Flow::twice, async |n| Ok(*n));
}
