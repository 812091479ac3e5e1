//! Parameters name nodes that do not exist: with a typo, without a likely one, and a method without a marker.
use durable::prelude::*;

struct Loan;

#[workflow]
impl Loan {
    #[input]
    fn applicant(&self) -> String;

    #[step]
    async fn score(&self, aplicant: &String) -> Result<u32> {
        Ok(aplicant.len() as u32)
    }

    #[step(when = |scor: &u32| *scor > 700)]
    async fn offer(&self, score: u32, weather: &String, rating: u32) -> Result<u32> {
        Ok(score + rating + weather.len() as u32)
    }

    async fn rating(&self) -> u32 {
        7
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Loan>(LoanInputs { applicant: Some("Ada".into()) });
}
