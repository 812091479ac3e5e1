//! A timer takes what takes the timer, and has an option of a step.
use durable::chrono::{DateTime, Utc};
use durable::prelude::*;

struct Trial;

#[workflow]
impl Trial {
    #[input]
    fn email(&self) -> String;

    #[timer(compensate = undo)]
    async fn reminder(&self, remind: &String) -> Result<Due> {
        Ok(Due::after(days(remind.len() as u64)))
    }

    #[step]
    async fn remind(&self, email: &str, reminder: &DateTime<Utc>) -> Result<String> {
        Ok(format!("{email} {reminder}"))
    }
}

fn main() {}
