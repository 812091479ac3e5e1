//! Steps whose result has another type than the inputs that they set.
use durable::prelude::*;

struct Loan;

#[workflow(open)]
impl Loan {
    #[input]
    fn applicant(&self) -> String;

    #[input]
    fn rating(&self) -> u32;

    #[input]
    fn class(&self) -> String;

    #[step(sets(rating))]
    async fn rate(&self, applicant: &str) -> Result<String> {
        Ok(applicant.to_owned())
    }

    #[step(sets(rating, class))]
    async fn rate_and_class(&self, applicant: &str) -> Result<(String, u32)> {
        Ok((applicant.to_owned(), 1))
    }
}

fn main() {}
