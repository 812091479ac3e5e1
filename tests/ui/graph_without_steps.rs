//! A graph of inputs alone.
use durable::prelude::*;

struct Loan;

#[workflow]
impl Loan {
    #[input]
    fn applicant(&self) -> String;
}

fn main() {
    let _ = LoanInputs::default();
}
