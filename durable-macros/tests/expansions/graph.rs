#[workflow(name = "loan", open)]
impl Loan {
    /// Who wants the money.
    #[input]
    fn applicant(&self) -> Applicant;

    #[input(optional, name = "bank", was = "lender")]
    fn lender(&self) -> String;

    #[step(on_failure = skip)]
    async fn score(&self, applicant: &Applicant, lender: Option<&str>) -> Result<u32> {
        Ok(700)
    }

    #[step(when = |score: &u32, lender: Latest<&String>| *score >= 700 || lender.is_some(), ends)]
    async fn offer(&self, score: u32, applicant: Given<&Applicant>) -> Result<Offer> {
        Ok(Offer)
    }

    #[output]
    #[step(when = |offer: &Offer| -> bool { offer.stands() })]
    async fn letter(&self, offer: Settled<&Offer>, score: Latest<u32>) -> Result<Letter> {
        Ok(Letter)
    }

    fn helper(&self) -> u32 {
        7
    }
}
