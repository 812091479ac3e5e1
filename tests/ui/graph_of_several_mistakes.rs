//! Each mistake is reported at its own token, and no second one follows.
use durable::prelude::*;

struct Loan;

#[workflow(opne)]
impl Loan {
    #[input]
    fn applicant(&self) -> String {
        String::new()
    }

    #[step]
    async fn score(&self, aplicant: &String) -> Result<u32> {
        Ok(aplicant.len() as u32)
    }

    #[output]
    #[step(on_failure = skp)]
    fn letter(&self, score: u32) -> Result<String> {
        Ok(score.to_string())
    }
}

fn start<W: durable::Workflow>(_: W::Input) -> Option<W::Output> {
    None
}

fn main() {
    let _: Option<String> = start::<Loan>(LoanInputs { applicant: Some("Ada".into()) });
    let _ = Loan.score(&"Ada".to_owned());
}
