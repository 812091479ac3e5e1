//! Names in `sets`, and options of nodes, that make no sense.
use durable::prelude::*;

struct Loan;

#[workflow(open)]
impl Loan {
    #[input]
    fn applicant(&self) -> String;

    #[input]
    fn rating(&self) -> u32;

    #[step(sets(ratting))]
    async fn misspelled(&self, applicant: &str) -> Result<u32> {
        Ok(applicant.len() as u32)
    }

    #[step(sets(rating, silently(rating)))]
    async fn twice(&self, applicant: &str) -> Result<(u32, u32)> {
        Ok((applicant.len() as u32, 0))
    }

    #[step(sets(twice))]
    async fn computed(&self, applicant: &str) -> Result<u32> {
        Ok(applicant.len() as u32)
    }

    #[step(sets)]
    async fn nothing(&self, applicant: &str) -> Result<u32> {
        Ok(applicant.len() as u32)
    }

    #[step(history = 0)]
    async fn forgetful(&self, applicant: &str) -> Result<u32> {
        Ok(applicant.len() as u32)
    }

    #[step(archive = "yes")]
    async fn filed(&self, applicant: &str) -> Result<u32> {
        Ok(applicant.len() as u32)
    }
}

fn main() {}
