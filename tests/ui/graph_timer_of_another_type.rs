//! A timer returns a duration, and a step takes a timer as such.
use durable::prelude::*;

struct Trial;

#[workflow]
impl Trial {
    #[input]
    fn email(&self) -> String;

    #[timer]
    async fn reminder(&self, email: &str) -> Result<u64> {
        Ok(email.len() as u64)
    }

    #[timer]
    async fn second(&self, email: &str) -> Result<Due> {
        Ok(Due::after(days(email.len() as u64)))
    }

    #[step]
    async fn remind(&self, email: &str, second: &Due) -> Result<String> {
        Ok(format!("{email} {second:?}"))
    }
}

fn main() {}
