//! Misfitting: an answer or an event that the workflow cannot read is refused, and the wait goes on.

mod replaying;

use durable::chrono::NaiveDate;
use durable::prelude::*;
use durable::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use crate::support::{self, Database, PATIENCE, eventually};

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Seats {
    n: u32,
}

/// A date as text: its schema says no more than that.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
struct Day(NaiveDate);

impl TryFrom<String> for Day {
    type Error = durable::chrono::ParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[schemars(transparent)]
struct Ticket(#[schemars(with = "String")] uuid::Uuid);

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "u32")]
struct Even(u32);

impl TryFrom<u32> for Even {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        if number.is_multiple_of(2) { Ok(Self(number)) } else { Err(format!("{number} is odd")) }
    }
}

/// Asks for a value of the type that its input names.
struct Asks;

#[workflow]
impl Asks {
    async fn run(&self, cx: &Context, what: String) -> Result<String> {
        Ok(match what.as_str() {
            "number" => cx.wait_for_input::<u32>("value").await?.to_string(),
            "float" => cx.wait_for_input::<f64>("value").await?.to_string(),
            "seats" => format!("{:?}", cx.wait_for_input::<Seats>("value").await?),
            "day" => format!("{:?}", cx.wait_for_input::<Day>("value").await?),
            "ticket" => format!("{:?}", cx.wait_for_input::<Ticket>("value").await?),
            "range" => cx.wait_for_number("value").between(1.0..=9.0).await?.to_string(),
            _ => format!("{:?}", cx.wait_for_input::<Even>("value").await?),
        })
    }
}

/// Waits for events in the way that its input names.
struct Hears;

#[workflow]
impl Hears {
    async fn run(&self, cx: &Context, how: String) -> Result<String> {
        Ok(match how.as_str() {
            "event" => format!("{:?}", cx.wait_for_event::<u32>("value").await?),
            "any" => format!("{:?}", cx.wait_for_any::<u32>(["value", "other"]).await?),
            "all" => format!("{:?}", cx.wait_for_all::<u32>(["value"]).await?),
            "anything" => cx.wait_for_event::<serde_json::Value>("value").await?.to_string(),
            _ => format!("{:?}", cx.wait_for_topic::<u32>("value").await?),
        })
    }
}

/// The type asked for, an answer that cannot be read, an answer that can, and the result.
const MISFITS: [(&str, &str, &str, &str); 9] = [
    ("number", "1.0", "1", "1"),
    ("number", "4294967296", "4294967295", "4294967295"),
    ("number", "-1", "0", "0"),
    ("float", "1e400", "1.5", "1.5"),
    ("seats", r#"{"n": 1, "n": 2}"#, r#"{"n": 2}"#, "Seats { n: 2 }"),
    ("day", r#""2026-02-30""#, r#""2026-02-28""#, "Day(2026-02-28)"),
    ("ticket", r#""not-a-uuid""#, r#""67e55044-10b1-426f-9247-bb680e5fe0c8""#, "Ticket(67e55044-10b1-426f-9247-bb680e5fe0c8)"),
    ("even", "3", "4", "Even(4)"),
    ("range", "10", "9", "9"),
];

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

async fn waits(database: &Database, executions: i64) {
    eventually("they wait", async || {
        database.count("select count(*) from durable.waits where outcome is null").await == executions
            && database.count("select count(*) from durable.executions where state <> 'waiting'").await == 0
    })
    .await;
}

/// Waits until the question is open again, with so many refusals on record; a refusal by the client is not recorded.
async fn refused(worker: &Durable, at_the_door: bool, refusals: usize) {
    eventually("the question stands", async || {
        let Some(question) = worker.pending_inputs().await.unwrap().pop() else { return false };
        at_the_door || worker.get_execution(question.execution_id).await.unwrap().refusals.len() == refusals
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_puts_the_question_back() {
    let database = support::database().await;
    let worker = database.builder().register(Asks).start().await.unwrap();
    for (what, misfit, fit, result) in MISFITS {
        let handle = worker.start::<Asks>(what.to_owned()).await.unwrap();
        eventually("it asks", async || worker.pending_inputs().await.unwrap().len() == 1).await;
        // It is refused at once, or by the worker.
        let at_the_door = worker.provide_input(handle.id(), "value", &*raw(misfit)).await.is_err();
        refused(&worker, at_the_door, 1).await;
        // What SQL accepts, the worker refuses.
        let given = sqlx::query("select durable.provide_input($1, 'value', $2::json)").bind(handle.id().as_uuid()).bind(misfit);
        let in_psql = given.execute(database.pool()).await.is_err();
        refused(&worker, in_psql, 2 - usize::from(at_the_door)).await;
        waits(&database, 1).await;
        worker.provide_input(handle.id(), "value", &*raw(fit)).await.unwrap();
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), result, "{misfit}");
        database.run("delete from durable.executions; delete from durable.waits; delete from durable.refusals").await;
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_refused_and_the_wait_goes_on() {
    let database = support::database().await;
    let worker = database.builder().register(Hears).start().await.unwrap();
    for (how, result) in
        [("event", "7"), ("any", r#"("value", 7)"#), ("all", r#"{"value": 7}"#), ("topic", "7"), ("anything", r#""seven""#)]
    {
        let handle = worker.start::<Hears>(how.to_owned()).await.unwrap();
        waits(&database, 1).await;
        match how {
            "topic" => drop(worker.publish("value", &"seven").await.unwrap()),
            _ => drop(worker.send_event(handle.id(), "value", &"seven").await.unwrap()),
        }
        if how != "anything" {
            waits(&database, 1).await;
        }
        match how {
            "topic" => drop(worker.publish("value", &7).await.unwrap()),
            // An ended execution takes no message.
            _ => drop(worker.send_event(handle.id(), "value", &7).await),
        }
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), result, "{how}");
        database.run("delete from durable.executions; delete from durable.waits; delete from durable.refusals").await;
    }
    worker.shutdown().await.unwrap();
}

/// Asks with a schema that its author wrote.
macro_rules! asks_with {
    ($workflow:ident, $form:ident, $schema:expr) => {
        #[derive(Debug, Deserialize, Serialize)]
        struct $form(serde_json::Value);

        impl JsonSchema for $form {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($form).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::Schema::try_from($schema).unwrap()
            }
        }

        struct $workflow;

        #[workflow]
        impl $workflow {
            async fn run(&self, cx: &Context, _: ()) -> Result<String> {
                Ok(cx.wait_for_input::<$form>("value").await?.0.to_string())
            }
        }
    };
}

asks_with!(AsksByPattern, Word, json!({"type": "string", "pattern": r"^\p{L}+$"}));
asks_with!(
    AsksByKey,
    Numbered,
    json!({"type": "object", "patternProperties": {"^[0-9]+$": {"type": "string"}}, "additionalProperties": false})
);
asks_with!(
    AsksTwice,
    Both,
    json!({"anyOf": [{"type": "integer"}, {"type": "string"}], "oneOf": [{"minimum": 5}, {"minimum": 50}]})
);
asks_with!(AsksNothing, Nothing, json!({"enum": []}));
asks_with!(AsksWrongly, Wrong, json!({"type": "string", "pattern": "(["}));

#[tokio::test]
async fn every_keyword_of_a_schema_counts() {
    let database = support::database().await;
    let worker = database.builder().register(AsksByPattern).register(AsksByKey).register(AsksTwice).start().await.unwrap();
    let by_pattern = worker.start::<AsksByPattern>(()).await.unwrap();
    let by_key = worker.start::<AsksByKey>(()).await.unwrap();
    let twice = worker.start::<AsksTwice>(()).await.unwrap();
    waits(&database, 3).await;
    for (id, misfit, place) in [
        (by_pattern.id(), json!("a1"), "value"),
        (by_key.id(), json!({"1": 1}), "value.1"),
        (by_key.id(), json!({"one": "a"}), "one"),
        (twice.id(), json!(true), "value"),
        (twice.id(), json!(70), "value"),
    ] {
        let error = worker.provide_input(id, "value", &misfit).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Payload, "{misfit}: {error}");
        assert!(error.to_string().contains(place), "{misfit}: {error}");
    }
    worker.provide_input(by_pattern.id(), "value", "größer").await.unwrap();
    worker.provide_input(by_key.id(), "value", &json!({"1": "one"})).await.unwrap();
    worker.provide_input(twice.id(), "value", &7).await.unwrap();
    assert_eq!(by_pattern.result_within(PATIENCE).await.unwrap(), r#""größer""#);
    assert_eq!(by_key.result_within(PATIENCE).await.unwrap(), r#"{"1":"one"}"#);
    assert_eq!(twice.result_within(PATIENCE).await.unwrap(), "7");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_question_that_nothing_could_answer_is_refused_when_it_is_asked() {
    let database = support::database().await;
    let worker = database.builder().register(AsksNothing).register(AsksWrongly).start().await.unwrap();
    let nothing = worker.start::<AsksNothing>(()).await.unwrap().result_within(PATIENCE).await.unwrap_err();
    assert!(nothing.to_string().contains("no value fits the schema of input `value`"), "{nothing}");
    let wrongly = worker.start::<AsksWrongly>(()).await.unwrap().result_within(PATIENCE).await.unwrap_err();
    assert!(wrongly.to_string().contains("the schema of input `value` is not valid"), "{wrongly}");
    assert_eq!(database.count("select count(*) from durable.waits").await, 0);
    worker.shutdown().await.unwrap();
}
