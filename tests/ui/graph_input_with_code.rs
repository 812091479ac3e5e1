//! Inputs that look like steps.
use durable::prelude::*;

struct Loan;

#[workflow]
impl Loan {
    #[input]
    fn applicant(&self) -> String {
        "Ada".into()
    }

    #[input]
    async fn age(&self) -> u32;

    #[input]
    fn income(&self, year: u32) -> u64;

    #[input]
    fn rate<T>(&self) -> f64;

    #[input]
    fn bank() -> String;

    #[step]
    async fn score(&self, applicant: &str, age: u32, income: u64, rate: f64, bank: &str) -> Result<u32> {
        Ok(applicant.len() as u32 + age + income as u32 + rate as u32 + bank.len() as u32)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Loan>(LoanInputs { age: Some(36), ..LoanInputs::default() });
}
