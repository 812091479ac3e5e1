//! Taking: a node of a graph is called with what its parameters name, as their types say.

#![expect(clippy::too_many_arguments, reason = "one node takes the values of all others")]

use std::sync::atomic::{AtomicU32, Ordering};

use durable::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::support::{self, soon};

/// A person, which is no `Clone`: a retried node gets it by reference.
#[derive(Debug, Serialize, Deserialize)]
struct Person {
    name: String,
}

/// A graph with every policy.
#[derive(Default)]
struct Loan {
    attempts: AtomicU32,
}

#[workflow(queue = "loans")]
impl Loan {
    #[input]
    fn applicant(&self) -> Person;

    #[input(optional)]
    fn guarantor(&self) -> Person;

    #[input(optional, name = "papers")]
    fn documents(&self) -> Vec<String>;

    #[step(retry(max_attempts = 3, base = "1ms"))]
    async fn score(&self, applicant: &Person, documents: Option<Vec<String>>) -> Result<u32> {
        match self.attempts.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => Err(Error::new("the bureau is busy")),
            _ => Ok(u32::try_from(applicant.name.len() + documents.map_or(0, |documents| documents.len()))?),
        }
    }

    #[step(when = |score: u32, guarantor: Option<&Person>| score > 4 || guarantor.is_some())]
    async fn offer(&self, score: u32) -> Result<u32> {
        Ok(score * 100)
    }

    #[step(when = |score: &u32| -> bool { *score > 1_000 })]
    async fn present(&self, applicant: &Person) -> Result<String> {
        Ok(format!("a present for {}", applicant.name))
    }

    #[step]
    async fn ribbon(&self, present: &str) -> Result<String> {
        Ok(format!("a ribbon for {present}"))
    }

    #[step(on_failure = skip)]
    async fn picture(&self, applicant: &Person) -> Result<String> {
        Err(Error::permanent(format!("no picture of {}", applicant.name)))
    }

    #[step(transaction)]
    async fn row(&self, tx: &mut Transaction, offer: Option<&u32>) -> Result<i64> {
        let offer = offer.map(|offer| i64::from(*offer));
        Ok(durable::sqlx::query_scalar("select coalesce($1::int8, 0) + 1").bind(offer).fetch_one(&mut **tx).await?)
    }

    #[step(queue = "printers")]
    async fn print(&self, applicant: Given<Person>, ribbon: Option<String>, picture: Settled<String>) -> Result<String> {
        let picture = picture.failure().map_or_else(String::new, |failure| failure.message.clone());
        Ok(format!("{} in revision {}, {ribbon:?}, {picture}", applicant.value.name, applicant.revision))
    }

    #[output]
    #[step]
    async fn letter(
        &self,
        offer: Option<&u32>,
        ribbon: Settled<&str>,
        picture: Settled<&String>,
        row: i64,
        print: &str,
        documents: Latest<&[String]>,
        guarantor: Latest<Person>,
    ) -> Result<String> {
        let picture = picture.failure().map(|failure| failure.message.clone());
        let guarantor = guarantor.into_option().map(|person| person.name);
        let ribbon = if ribbon.is_skipped() { "no ribbon" } else { "a ribbon" };
        Ok(format!("{offer:?}, {ribbon}, {picture:?}, {row}, {print}, {:?}, {guarantor:?}", documents.into_option()))
    }
}

/// A graph without inputs and without an output.
struct Numbers;

#[workflow]
impl Numbers {
    #[step]
    async fn one(&self) -> Result<u32> {
        Ok(1)
    }

    #[step]
    async fn two(&self, one: &u32) -> Result<u32> {
        Ok(one + 1)
    }

    #[step(name = "drei")]
    async fn three(&self, one: u32) -> Result<Option<u32>> {
        Ok(Some(one + 2))
    }

    #[step]
    async fn text(&self, three: &Option<u32>) -> Result<String> {
        Ok(format!("{three:?}"))
    }
}

#[tokio::test]
async fn a_node_takes_each_value_as_its_parameter_says() {
    let database = support::database().await;
    let durable = database.builder().register(Loan::default()).start().await.unwrap();
    let inputs = LoanInputs {
        applicant: Some(Person { name: "Ada".to_owned() }),
        documents: Some(vec!["passport".to_owned(), "payslip".to_owned()]),
        ..LoanInputs::default()
    };
    let loan = durable.start::<Loan>(inputs).await.unwrap();
    let expected = "Some(500), no ribbon, Some(\"no picture of Ada\"), 501, Ada in revision 1, None, no picture of Ada, \
                    Some([\"passport\", \"payslip\"]), None";
    assert_eq!(soon("the letter", loan.result()).await.unwrap(), expected);
}

#[tokio::test]
async fn a_graph_is_started_with_its_inputs_as_one_object() {
    let database = support::database().await;
    let durable = database.builder().register(Loan::default()).start().await.unwrap();
    let inputs = json!({"applicant": {"name": "Al"}, "guarantor": {"name": "Bo"}});
    let loan = durable.start_by_name("loan", &inputs).queue("loans").await.unwrap();
    let letter: String = soon("the letter", durable.handle::<Loan>(loan).result()).await.unwrap();
    let expected =
        "Some(200), no ribbon, Some(\"no picture of Al\"), 201, Al in revision 1, None, no picture of Al, None, Some(\"Bo\")";
    assert_eq!(letter, expected);
}

#[tokio::test]
async fn a_graph_without_an_output_gives_the_values_that_no_node_takes() {
    let database = support::database().await;
    let durable = database.builder().register(Numbers).start().await.unwrap();
    let numbers = durable.start::<Numbers>(NumbersInputs {}).await.unwrap();
    assert_eq!(soon("the leaves", numbers.result()).await.unwrap(), json!({"text": "Some(3)", "two": 2}));
}
