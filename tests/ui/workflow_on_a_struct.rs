//! `#[workflow]` stands on the struct instead of its impl block.
use durable::prelude::*;

#[workflow]
struct Flow {
    field: u32,
}

fn main() {
    let _ = Flow { field: 1 };
}
