//! Nodes that are flows, with `cx` in the wrong place, options that do not fit, and a clock that a replay reads anew.
use durable::prelude::*;

struct Loan;

#[workflow]
impl Loan {
    #[input]
    fn applicant(&self) -> String;

    #[step]
    async fn research(&self, applicant: &str, cx: &Context) -> Result<u32> {
        cx.sleep(days(1)).await?;
        Ok(applicant.len() as u32)
    }

    #[step(timeout = "30s")]
    async fn visit(&self, cx: &Context, applicant: &str) -> Result<u32> {
        cx.sleep(days(1)).await?;
        Ok(applicant.len() as u32)
    }

    #[step(queue = "far")]
    async fn travel(&self, cx: &Context, applicant: &str) -> Result<u32> {
        let now = std::time::SystemTime::now();
        cx.sleep(days(1)).await?;
        drop(now);
        Ok(applicant.len() as u32)
    }

    #[timer]
    async fn later(&self, cx: &Context) -> Result<Due> {
        cx.sleep(days(1)).await?;
        Ok(Due::never())
    }
}

fn main() {}
