//! Options that an input does not have.
use durable::prelude::*;

struct Loan;

#[workflow]
impl Loan {
    #[input(when = |score: &u32| *score > 1)]
    fn applicant(&self) -> String;

    #[input(optionl)]
    fn age(&self) -> u32;

    #[input = "guarantor"]
    fn guarantor(&self) -> String;

    #[input(name = "a b")]
    fn bank(&self) -> String;

    #[step]
    async fn score(&self, applicant: &str) -> Result<u32> {
        Ok(applicant.len() as u32)
    }
}

fn main() {}
