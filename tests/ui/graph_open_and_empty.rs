//! An open workflow with nothing in it.
use durable::prelude::*;

struct Loan;

#[workflow(open)]
impl Loan {}

fn main() {}
