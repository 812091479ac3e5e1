//! Tags of texts, and of what is made from the input.
use durable::prelude::*;

struct ByInput;

#[workflow(tags(number = |n| n % 10, type = "sale", half = |n: &u32| { let (a, b) = (*n, 2); a / b }), queue = "orders")]
impl ByInput {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        Ok(n)
    }
}

struct ForAll;

#[workflow(tags(team = "sales"))]
impl ForAll {
    async fn run(&self, _cx: &Context) -> Result<()> {
        Ok(())
    }
}

fn main() {
    fn tags<W: durable::Workflow>(input: W::Input) -> Vec<(&'static str, String)> {
        W::tags(&input)
    }
    let text = |text: &str| text.to_owned();
    assert_eq!(tags::<ByInput>(42), [("number", text("2")), ("type", text("sale")), ("half", text("21"))]);
    assert_eq!(tags::<ForAll>(()), [("team", text("sales"))]);
}
