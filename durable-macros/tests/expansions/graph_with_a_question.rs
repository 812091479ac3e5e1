#[workflow]
impl Loan {
    #[input]
    fn score(&self) -> u32;

    #[question(prompt = "Grant it below 700?", timeout = "3d", assignee = "credit", when = |score: &u32| *score < 700, on_failure = skip)]
    fn exception(&self, score: &u32) -> Approval;

    #[output]
    #[question]
    fn signature(&self, exception: Option<&Approval>) -> String;
}
