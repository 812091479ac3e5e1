//! Questions that look like steps, or cannot be answered.
use durable::prelude::*;

struct Loan;

#[workflow]
impl Loan {
    #[question(prompt = "Grant it?")]
    fn exception(&self) -> bool {
        true
    }

    #[question]
    async fn reason(&self) -> String;

    #[question]
    fn signature(&self);

    #[question]
    fn name(&self) -> &str;

    #[question]
    fn rate<T>(&self) -> f64;

    #[question]
    fn bank() -> String;

    #[question(assignee = "", promt = "When?")]
    fn date(&self, tomorrow: u32) -> String;
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Loan>(LoanInputs::default());
}
