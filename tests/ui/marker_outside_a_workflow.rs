//! The markers stand in an impl block that is no workflow, or on a function.
use durable::{input, prelude::*};

struct Flow;

impl Flow {
    #[step]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }

    #[input]
    fn name(&self) -> String {
        String::new()
    }
}

#[compensation]
fn undo() {}

fn main() {
    let _ = Flow.twice(1);
    Flow.name();
    undo();
}
