//! Inputs whose types cannot be read from the database.
use durable::prelude::*;

struct Loan<B>(B);

#[workflow]
impl<B: Send + Sync + 'static> Loan<B> {
    #[input]
    fn applicant(&self) -> &str;

    #[input]
    fn ages(&self) -> impl Iterator<Item = u32>;

    #[input]
    fn bank(&self) -> Option<B>;

    #[input]
    fn nothing(&self);

    #[step]
    async fn score(&self, applicant: &str) -> Result<u32> {
        Ok(applicant.len() as u32)
    }
}

fn main() {
    let _ = LoanInputs {};
}
