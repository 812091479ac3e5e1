//! `#[workflow]` stands on a function instead of an impl block.
use durable::prelude::*;

#[workflow(queue = "orders")]
async fn run(_cx: &Context, n: u32) -> Result<u32> {
    Ok(n)
}

fn main() {
    let _ = run;
}
