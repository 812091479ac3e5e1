//! A node asks for the context.
use durable::prelude::*;

struct Loan;

#[workflow]
impl Loan {
    #[input]
    fn applicant(&self) -> String;

    #[step]
    async fn research(&self, cx: &Context, applicant: &str) -> Result<u32> {
        cx.sleep(days(1)).await?;
        Ok(applicant.len() as u32)
    }
}

fn main() {}
