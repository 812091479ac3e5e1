//! `#[workflow]` stands on an impl block whose type has no name.
use durable::prelude::*;

#[workflow]
impl dyn Send {
    async fn run(&self, _cx: &Context) -> Result<()> {
        Ok(())
    }
}

fn main() {}
