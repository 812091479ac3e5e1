//! `#[workflow]` stands on the impl block of a trait.
use durable::prelude::*;

struct Flow;

trait Runs {
    fn run(&self) -> u32;
}

#[workflow]
impl Runs for Flow {
    fn run(&self) -> u32 {
        1
    }
}

fn main() {
    Flow.run();
}
