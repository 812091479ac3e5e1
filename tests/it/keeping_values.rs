//! Keeping values: `run` gets the same values at a replay as at its first run, bit for bit, or the value was refused.

mod values;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use durable::prelude::*;
use serde::{Deserialize, Serialize};

use self::values::{Odd, Odds};
use crate::support::{self, Database, PATIENCE, eventually};

/// How many values are generated, and how many unrecordable values are tried.
const GENERATED: usize = 2_000;
const REFUSED: usize = 40;

/// How many values are recorded together.
const CHUNK: usize = 250;

/// What each call of `run` was given, in order, by execution.
#[derive(Debug, Clone, Default)]
struct Seen(Arc<Mutex<BTreeMap<ExecutionId, Vec<Vec<String>>>>>);

impl Seen {
    /// A call of `run` begins.
    fn begin(&self, cx: &Context) {
        self.0.lock().unwrap().entry(cx.execution_id()).or_default().push(Vec::new());
    }

    fn note(&self, cx: &Context, what: String) {
        self.0.lock().unwrap().get_mut(&cx.execution_id()).unwrap().last_mut().unwrap().push(what);
    }

    /// What the last call of `run` was given; the calls before were given the same, as far as they came.
    fn the_same_in_every_run(&self, id: ExecutionId) -> Vec<String> {
        let mut runs = self.0.lock().unwrap().remove(&id).unwrap();
        assert!(runs.len() > 1, "it was replayed");
        let last = runs.pop().unwrap();
        for run in runs {
            assert!(run.len() <= last.len(), "a replay comes as far as the run before it");
            for (first, replayed) in run.iter().zip(&last) {
                assert!(first == replayed, "{first}\n  at a replay: {replayed}");
            }
        }
        last
    }
}

/// The values of one test, and their fates.
#[derive(Debug, Clone)]
struct Vault {
    kept: Arc<Vec<Vec<Odd>>>,
    refused: Arc<Vec<Odd>>,
    seen: Seen,
    /// Values that JSON can keep but that came back changed.
    changed: Arc<Mutex<Vec<String>>>,
}

/// A user's own error type, with any payload.
#[derive(Debug, Serialize, Deserialize)]
enum Loss {
    Lost(Vec<Odd>),
    Declined { cents: u128, rate: f64, holders: HashMap<(u8, u8), u8> },
    Other(String),
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lost(values) => write!(f, "lost {} values", values.len()),
            Self::Declined { cents, .. } => write!(f, "declined {cents} cents"),
            Self::Other(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Loss {}

impl From<Error> for Loss {
    fn from(error: Error) -> Self {
        Self::Other(format!("{error:?}"))
    }
}

impl Vault {
    fn new() -> Self {
        let (kept, mut refused): (Vec<Odd>, Vec<Odd>) = values::generated(GENERATED).into_iter().partition(Odd::can_be_recorded);
        refused.retain(Odd::is_refused);
        assert!(refused.len() > REFUSED, "{} values that cannot be recorded", refused.len());
        refused.truncate(REFUSED);
        let kept = kept.chunks(CHUNK).map(<[Odd]>::to_vec).collect();
        Self { kept: Arc::new(kept), refused: Arc::new(refused), seen: Seen::default(), changed: Arc::default() }
    }

    /// Notes what `run` was given for a chunk.
    fn see(&self, cx: &Context, chunk: usize, what: &str, given: &[Odd]) {
        let originals = &self.kept[chunk];
        assert_eq!(given.len(), originals.len(), "{what}");
        for (given, original) in given.iter().zip(originals) {
            if original.is_exact() && format!("{given:?}") != format!("{original:?}") {
                self.changed.lock().unwrap().push(format!("{what}: {original:?} came back as {given:?}"));
            }
            self.seen.note(cx, format!("{what}: {given:?}"));
        }
    }

    async fn worker(&self, database: &Database) -> Durable {
        let builder = database.builder().cached_executions(0).queue("default", 30).queue("elsewhere", 30);
        builder.register(self.clone()).register(Echo).start().await.unwrap()
    }
}

/// Returns its input.
struct Echo;

#[workflow]
impl Echo {
    async fn run(&self, _cx: &Context, values: Vec<Odd>) -> Result<Vec<Odd>> {
        Ok(values)
    }
}

#[workflow]
impl Vault {
    async fn run(&self, cx: &Context, (way, input): (String, Vec<Odd>)) -> Result<Vec<Odd>> {
        self.seen.begin(cx);
        let chunks = 0..self.kept.len();
        match way.as_str() {
            "start" => self.see(cx, 0, "start", &input),
            "step" => {
                for chunk in chunks {
                    let kept = self.keep(chunk).await?;
                    self.see(cx, chunk, "step", &kept);
                    self.take(chunk, &kept).await?;
                }
            }
            "transaction" => {
                for chunk in chunks {
                    let kept = self.keep_in_transaction(chunk).await?;
                    self.see(cx, chunk, "transaction", &kept);
                    self.take(chunk, &kept).await?;
                }
            }
            "elsewhere" => {
                let kept = cx.map(chunks).concurrency(30).each(|chunk| self.keep_elsewhere(chunk)).await?;
                for (chunk, kept) in kept.iter().enumerate() {
                    self.see(cx, chunk, "elsewhere", kept);
                }
                let taken = cx.map(kept.iter().enumerate()).each(|(chunk, kept)| self.take_elsewhere(chunk, kept));
                taken.await?;
            }
            "map" => {
                let kept = cx.map(chunks).each(|chunk| self.keep(chunk)).await?;
                for (chunk, kept) in kept.iter().enumerate() {
                    self.see(cx, chunk, "map", kept);
                }
            }
            "branches" => {
                for chunk in chunks {
                    let (kept, failed) = durable::join!(self.keep(chunk), self.lose(chunk)).settled().await;
                    self.see(cx, chunk, "join", &kept?);
                    self.see_lost(cx, chunk, "join", failed);
                    let kept = durable::race!(self.keep(chunk), self.keep_in_transaction(chunk)).await?;
                    self.see(cx, chunk, "race", &kept);
                }
            }
            "error" => {
                for chunk in chunks {
                    self.see_lost(cx, chunk, "error", self.lose(chunk).await);
                    self.see_lost(cx, chunk, "error in a transaction", self.lose_in_transaction(chunk).await);
                }
                let lost = cx.map(0..self.kept.len()).concurrency(30).each(|chunk| self.lose_elsewhere(chunk)).settled().await?;
                for (chunk, lost) in lost.into_iter().enumerate() {
                    self.see_lost(cx, chunk, "error elsewhere", lost);
                }
            }
            "child" => {
                let children = cx.map(chunks).concurrency(30).each(|chunk| cx.child::<Echo>(self.kept[chunk].clone())).await?;
                for (chunk, kept) in children.iter().enumerate() {
                    self.see(cx, chunk, "child", kept);
                }
            }
            "event" => {
                for chunk in chunks {
                    let kept: Vec<Odd> = cx.wait_for_event(&format!("chunk {chunk}")).await?;
                    self.see(cx, chunk, "event", &kept);
                }
                let (_, kept) = cx.wait_for_any::<Vec<Odd>>(["one", "another"]).await?;
                self.see(cx, 0, "any event", &kept);
                for (_, kept) in cx.wait_for_all::<Vec<Odd>>(["both", "of them"]).await? {
                    self.see(cx, 0, "all events", &kept);
                }
                let otherwise = cx.wait_for_event("never").timeout(Duration::ZERO).or(self.kept[0].clone()).await?;
                self.see(cx, 0, "a default", &otherwise);
            }
            "answer" => {
                for chunk in chunks {
                    let Odds(kept) = cx.wait_for_input(&format!("chunk {chunk}")).await?;
                    self.see(cx, chunk, "answer", &kept);
                }
            }
            "topic" => {
                let kept: Vec<Odd> = cx.wait_for_topic("values").await?;
                self.see(cx, 0, "topic", &kept);
            }
            _ => {
                for value in 0..self.refused.len() {
                    self.see_refused(cx, value, "step", self.keep_one(value).await);
                    self.see_refused(cx, value, "transaction", self.keep_one_in_transaction(value).await);
                    self.see_refused(cx, value, "error", self.lose_one(value).await);
                    let child = cx.child::<Echo>(vec![self.refused[value].clone()]).await;
                    self.see_refused(cx, value, "child", child);
                    let sent = self.take_one_elsewhere(&self.refused[value]).await;
                    self.see_refused(cx, value, "argument elsewhere", sent);
                }
                let elsewhere = cx.map(0..self.refused.len()).concurrency(30).each(|value| self.keep_one_elsewhere(value));
                for (value, refused) in elsewhere.settled().await?.into_iter().enumerate() {
                    self.see_refused(cx, value, "elsewhere", refused);
                }
            }
        }
        let () = cx.wait_for_event("end").await?;
        Ok(input)
    }

    fn see_lost(&self, cx: &Context, chunk: usize, what: &str, lost: Result<(), Loss>) {
        match lost {
            Err(Loss::Lost(lost)) => self.see(cx, chunk, what, &lost),
            other => panic!("{what}: {other:?}"),
        }
    }

    fn see_refused<T: std::fmt::Debug, E: std::fmt::Debug>(&self, cx: &Context, value: usize, what: &str, refused: Result<T, E>) {
        assert!(refused.is_err(), "{what}: {:?} was recorded as {refused:?}", self.refused[value]);
        self.seen.note(cx, format!("{what}: {refused:?}"));
    }

    #[step]
    async fn keep(&self, chunk: usize) -> Result<Vec<Odd>> {
        Ok(self.kept[chunk].clone())
    }

    #[step(transaction)]
    async fn keep_in_transaction(&self, _tx: &mut Transaction, chunk: usize) -> Result<Vec<Odd>> {
        Ok(self.kept[chunk].clone())
    }

    #[step(queue = "elsewhere")]
    async fn keep_elsewhere(&self, chunk: usize) -> Result<Vec<Odd>> {
        Ok(self.kept[chunk].clone())
    }

    #[step]
    async fn take(&self, _chunk: usize, _values: &[Odd]) -> Result<()> {
        Ok(())
    }

    #[step(queue = "elsewhere")]
    async fn take_elsewhere(&self, _chunk: usize, values: &[Odd]) -> Result<usize> {
        Ok(values.len())
    }

    #[step]
    async fn lose(&self, chunk: usize) -> Result<(), Loss> {
        Err(Loss::Lost(self.kept[chunk].clone()))
    }

    #[step(transaction)]
    async fn lose_in_transaction(&self, _tx: &mut Transaction, chunk: usize) -> Result<(), Loss> {
        Err(Loss::Lost(self.kept[chunk].clone()))
    }

    #[step(queue = "elsewhere")]
    async fn lose_elsewhere(&self, chunk: usize) -> Result<(), Loss> {
        Err(Loss::Lost(self.kept[chunk].clone()))
    }

    #[step]
    async fn keep_one(&self, value: usize) -> Result<Odd> {
        Ok(self.refused[value].clone())
    }

    #[step(transaction)]
    async fn keep_one_in_transaction(&self, _tx: &mut Transaction, value: usize) -> Result<Odd> {
        Ok(self.refused[value].clone())
    }

    #[step(queue = "elsewhere")]
    async fn keep_one_elsewhere(&self, value: usize) -> Result<Odd> {
        Ok(self.refused[value].clone())
    }

    #[step(queue = "elsewhere")]
    async fn take_one_elsewhere(&self, _value: &Odd) -> Result<()> {
        Ok(())
    }

    #[step]
    async fn lose_one(&self, value: usize) -> Result<(), Loss> {
        Err(Loss::Lost(vec![self.refused[value].clone()]))
    }
}

const WAITS_FOR_ITS_END: &str = "select count(*) from durable.executions join durable.waits using (execution_id)
     where state = 'waiting' and waits.name = 'end' and outcome is null";

/// Sends the event that ends it, once it waits and is no longer in memory.
async fn end(worker: &Durable, database: &Database, id: ExecutionId) {
    let waits = format!("{WAITS_FOR_ITS_END} and execution_id = '{id}'");
    eventually(&format!("{id} waits for its end"), async || database.count(&waits).await == 1).await;
    worker.send_event(id, "end", &()).await.unwrap();
}

#[tokio::test]
async fn thousands_of_generated_values_are_the_same_at_the_first_run_and_at_a_replay() {
    let database = support::database().await;
    let vault = Vault::new();
    let worker = vault.worker(&database).await;
    let mut handles = Vec::new();
    for way in
        ["start", "step", "transaction", "elsewhere", "map", "branches", "error", "child", "event", "answer", "topic", "refused"]
    {
        let handle = worker.start::<Vault>((way.to_owned(), vault.kept[0].clone())).await.unwrap();
        match way {
            "event" => {
                for (chunk, values) in vault.kept.iter().enumerate() {
                    worker.send_event(handle.id(), &format!("chunk {chunk}"), values).await.unwrap();
                }
                for name in ["another", "both", "of them"] {
                    worker.send_event(handle.id(), name, &vault.kept[0]).await.unwrap();
                }
            }
            "answer" => {
                for (chunk, values) in vault.kept.iter().enumerate() {
                    worker.provide_input(handle.id(), &format!("chunk {chunk}"), values).await.unwrap();
                }
            }
            "topic" => {
                let waits = "select count(*) from durable.waits where kind = 'topic' and outcome is null";
                eventually("it waits for the topic", async || database.count(waits).await == 1).await;
                worker.publish("values", &vault.kept[0]).await.unwrap();
            }
            _ => {}
        }
        handles.push((way, handle));
    }
    for (way, handle) in handles {
        end(&worker, &database, handle.id()).await;
        let result = handle.result_within(PATIENCE).await.unwrap_or_else(|error| panic!("{way}: {error}"));
        assert!(!vault.seen.the_same_in_every_run(handle.id()).is_empty(), "{way}");
        let elsewhere = database.client().await;
        let read = elsewhere.handle::<Vault>(handle.id()).result_within(PATIENCE).await.unwrap();
        assert_eq!(format!("{result:?}"), format!("{read:?}"), "{way}");
        for (result, original) in result.iter().zip(&vault.kept[0]).filter(|(_, original)| original.is_exact()) {
            assert_eq!(format!("{result:?}"), format!("{original:?}"), "{way}");
        }
        elsewhere.shutdown().await.unwrap();
    }
    assert_eq!(*vault.changed.lock().unwrap(), [""; 0]);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_input_that_cannot_be_read_back_is_refused_at_the_start() {
    let database = support::database().await;
    let vault = Vault::new();
    let client = database.client().await;
    for value in vault.refused.iter() {
        let started = client.start::<Echo>(vec![value.clone()]).await;
        assert_eq!(started.expect_err(&format!("{value:?}")).kind(), ErrorKind::Payload);
        let scheduled = client.schedule::<Echo>("daily", "@daily", vec![value.clone()]).await;
        assert_eq!(scheduled.expect_err(&format!("{value:?}")).kind(), ErrorKind::Payload);
    }
    client.shutdown().await.unwrap();
}

/// Values that JSON rounds or loses, and the decisions of `run` that depend on them.
#[derive(Debug, Clone, Default)]
struct Decider {
    seen: Seen,
    undone: Arc<Mutex<Vec<Session>>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Session {
    name: String,
    #[serde(skip)]
    token: Option<String>,
}

impl Session {
    fn fresh() -> Self {
        Self { name: "ada".to_owned(), token: Some("secret".to_owned()) }
    }
}

#[workflow]
impl Decider {
    async fn run(&self, cx: &Context, how: String) -> Result<()> {
        self.seen.begin(cx);
        match how.as_str() {
            "price" => {
                let price = self.price().await?;
                if price <= PRICE {
                    self.buy(price).await?;
                } else {
                    self.seen.note(cx, format!("{price} is too much"));
                }
            }
            "nothing" => {
                self.seen.note(cx, format!("{:?}", self.some_unit().await?));
                self.seen.note(cx, format!("{:?}", self.some_none().await?));
                self.seen.note(cx, format!("{:?}", self.some_null().await?));
                self.seen.note(cx, format!("{:?}", self.session().await?));
            }
            "errors" => {
                for how in 0..3 {
                    self.seen.note(cx, format!("{:?}", self.decline(how).await));
                    self.seen.note(cx, format!("{:?}", self.decline_elsewhere(how).await));
                }
            }
            "plain" => {
                for error in [self.fail().await, self.fail_for_good().await, self.fail_elsewhere().await] {
                    let error = error.unwrap_err();
                    let io = error.downcast_ref::<std::io::Error>().is_some();
                    let advice = error.retry_advice();
                    self.seen.note(cx, format!("{io} {} {advice:?} {:?}", error.source().is_some(), error.failure()));
                }
            }
            "number" => {
                let number: serde_json::Value = cx.wait_for_event("number").await?;
                self.seen.note(cx, number.to_string());
                let taken = self.give_back(number).await?;
                self.seen.note(cx, taken.to_string());
            }
            _ => {
                let session = self.open().await?;
                self.seen.note(cx, format!("{session:?}"));
                let () = cx.wait_for_event("end").await?;
                return Err(Error::new("to be undone"));
            }
        }
        cx.wait_for_event("end").await
    }

    #[step]
    async fn price(&self) -> Result<f64> {
        Ok(PRICE)
    }

    #[step]
    async fn buy(&self, _price: f64) -> Result<()> {
        Ok(())
    }

    #[step]
    async fn some_unit(&self) -> Result<Option<()>> {
        Ok(Some(()))
    }

    #[step]
    async fn some_none(&self) -> Result<Option<Option<u8>>> {
        Ok(Some(None))
    }

    #[step]
    async fn some_null(&self) -> Result<Option<serde_json::Value>> {
        Ok(Some(serde_json::Value::Null))
    }

    #[step]
    async fn session(&self) -> Result<Session> {
        Ok(Session::fresh())
    }

    #[step]
    async fn decline(&self, how: u8) -> Result<(), Loss> {
        Err(declined(how))
    }

    #[step(queue = "elsewhere")]
    async fn decline_elsewhere(&self, how: u8) -> Result<(), Loss> {
        Err(declined(how))
    }

    #[step]
    async fn fail(&self) -> Result<()> {
        Err(std::io::Error::other("disk on fire"))?
    }

    #[step(retry(max_attempts = 3))]
    async fn fail_for_good(&self) -> Result<()> {
        Err(Error::permanent("gone"))
    }

    #[step(queue = "elsewhere")]
    async fn fail_elsewhere(&self) -> Result<()> {
        Err(std::io::Error::other("disk on fire elsewhere"))?
    }

    #[step]
    async fn give_back(&self, value: serde_json::Value) -> Result<serde_json::Value> {
        Ok(value)
    }

    #[step(compensate = close)]
    async fn open(&self) -> Result<Session> {
        Ok(Session::fresh())
    }

    #[compensation]
    async fn close(&self, session: Session) -> Result<u128> {
        self.undone.lock().unwrap().push(session);
        Ok(u128::MAX)
    }
}

/// A number that `serde_json` reads back as another one without `float_roundtrip`.
const PRICE: f64 = 245.444_444_444_444_46;

fn declined(how: u8) -> Loss {
    let (rate, holders) = match how {
        0 => (PRICE, HashMap::new()),
        1 => (f64::INFINITY, HashMap::new()),
        _ => (0.0, HashMap::from([((1, 2), 3)])),
    };
    Loss::Declined { cents: u128::MAX, rate, holders }
}

impl Decider {
    /// Runs it to its end, with a replay; returns what every call of `run` was given.
    async fn decide(&self, how: &str) -> (Database, ExecutionId, Vec<String>) {
        let database = support::database().await;
        let builder = database.builder().cached_executions(0).queue("default", 2).queue("elsewhere", 2);
        let worker = builder.register(self.clone()).start().await.unwrap();
        let handle = worker.start::<Self>(how.to_owned()).await.unwrap();
        if how == "number" {
            let send = format!("select durable.send_event('{}', 'number', '{}')", handle.id(), u128::MAX);
            database.run(&send).await;
        }
        end(&worker, &database, handle.id()).await;
        let result = handle.result_within(PATIENCE).await;
        worker.shutdown().await.unwrap();
        let seen = self.seen.the_same_in_every_run(handle.id());
        assert!(how == "undone" || result.is_ok(), "{result:?}");
        (database, handle.id(), seen)
    }
}

#[tokio::test]
async fn a_step_that_was_given_a_double_is_given_the_same_at_a_replay() {
    let (database, id, seen) = Decider::default().decide("price").await;
    assert_eq!(seen, [""; 0], "it was not too much");
    let bought = format!("select count(*) from durable.checkpoints where execution_id = '{id}' and key = 'step buy'");
    assert_eq!(database.count(&bought).await, 1);
}

#[tokio::test]
async fn what_json_has_no_word_for_is_gone_at_the_first_run_already() {
    let (_, _, seen) = Decider::default().decide("nothing").await;
    let without_token = format!("{:?}", Session { token: None, ..Session::fresh() });
    assert_eq!(seen, ["None", "None", "None", without_token.as_str()]);
}

#[tokio::test]
async fn an_error_of_the_user_s_own_is_recorded_whole_or_says_what_could_not_be() {
    let (_, _, seen) = Decider::default().decide("errors").await;
    let whole = format!("Err({:?})", declined(0));
    assert_eq!([&seen[0], &seen[1]], [&whole; 2]);
    for (infinite, keyed) in [(&seen[2], &seen[4]), (&seen[3], &seen[5])] {
        assert!(infinite.contains("Other") && infinite.contains("rate is inf, which JSON cannot hold"), "{infinite}");
        assert!(keyed.contains("Other") && keyed.contains("holders: key must be a string"), "{keyed}");
        assert!(infinite.contains("declined 340282366920938463463374607431768211455 cents"), "{infinite}");
    }
}

#[tokio::test]
async fn an_error_that_run_is_given_carries_what_the_record_holds_at_the_first_run_too() {
    let (_, _, seen) = Decider::default().decide("plain").await;
    assert!(seen[0].starts_with("false false AsConfigured") && seen[0].contains("disk on fire"), "{seen:?}");
    assert!(seen[0].contains("std::io::error::Error"), "its type stays known by name: {seen:?}");
    assert!(seen[1].starts_with("false false Never") && seen[1].contains("gone"), "{seen:?}");
    assert!(seen[2].starts_with("false false AsConfigured") && seen[2].contains("disk on fire elsewhere"), "{seen:?}");
}

#[tokio::test]
async fn a_number_that_no_type_holds_is_rounded_at_the_first_run_as_at_a_replay() {
    let (_, _, seen) = Decider::default().decide("number").await;
    assert_eq!(seen, ["3.402823669209385e+38"; 2]);
}

#[tokio::test]
async fn a_compensation_is_given_what_run_was_given() {
    let decider = Decider::default();
    let (database, id, seen) = decider.decide("undone").await;
    let given = Session { token: None, ..Session::fresh() };
    assert_eq!(seen, [format!("{given:?}")]);
    assert_eq!(*decider.undone.lock().unwrap(), [given]);
    let recorded = format!("select output::text from durable.checkpoints where execution_id = '{id}' and key like 'undo/%'");
    assert_eq!(database.value::<String>(&recorded).await, u128::MAX.to_string());
}

/// Says how its child ended, again after each replay.
struct Guardian;

#[workflow]
impl Guardian {
    async fn run(&self, cx: &Context, _: ()) -> Result<String> {
        let child = cx.child::<Echo>(Vec::new()).await;
        let () = cx.wait_for_event("end").await?;
        Ok(format!("{child:?}"))
    }
}

#[tokio::test]
async fn the_end_of_a_child_is_the_same_where_the_child_is_not_registered() {
    let database = support::database().await;
    let worker = database.builder().register(Guardian).register(Echo).start().await.unwrap();
    let id = worker.start::<Guardian>(()).await.unwrap().id();
    eventually("it waits", async || database.count(WAITS_FOR_ITS_END).await == 1).await;
    worker.shutdown().await.unwrap();

    let worker = database.builder().register(Guardian).start().await.unwrap();
    worker.send_event(id, "end", &()).await.unwrap();
    assert_eq!(worker.handle::<Guardian>(id).result_within(PATIENCE).await.unwrap(), "Ok([])");
    worker.shutdown().await.unwrap();
}

/// Two releases of one workflow, whose step returns an error of another type in the second.
macro_rules! release {
    ($release:ident, $error:ident) => {
        #[derive(Debug, Serialize, Deserialize)]
        enum $error {
            $release(u32),
            Other(String),
        }

        impl std::fmt::Display for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self:?}")
            }
        }

        impl std::error::Error for $error {}

        impl From<Error> for $error {
            fn from(error: Error) -> Self {
                Self::Other(error.to_string())
            }
        }

        struct $release;

        #[workflow(name = "released")]
        impl $release {
            async fn run(&self, cx: &Context, _: ()) -> Result<String> {
                let failed = self.fail().await;
                let () = cx.wait_for_event("end").await?;
                Ok(format!("{failed:?}"))
            }

            #[step]
            async fn fail(&self) -> Result<(), $error> {
                Err($error::$release(7))
            }
        }
    };
}

release!(First, FirstError);
release!(Second, SecondError);

#[tokio::test]
async fn a_recorded_error_of_another_type_stops_the_execution_and_is_never_taken_for_another_error() {
    let database = support::database().await;
    let worker = database.builder().register(First).start().await.unwrap();
    let id = worker.start::<First>(()).await.unwrap().id();
    eventually("it waits", async || database.count(WAITS_FOR_ITS_END).await == 1).await;
    worker.shutdown().await.unwrap();

    let worker = database.builder().register(Second).start().await.unwrap();
    worker.send_event(id, "end", &()).await.unwrap();
    let stopped =
        support::eventually_some("it is stopped", async || worker.get_execution(id).await.unwrap().execution.error).await;
    assert_eq!(stopped.kind, ErrorKind::Diverged);
    for part in [r#"recorded: step fail, error {"First":7}"#, "unknown variant `First`"] {
        assert!(stopped.message.contains(part), "{stopped}");
    }
    worker.shutdown().await.unwrap();

    let worker = database.builder().register(First).start().await.unwrap();
    worker.resume(id).await.unwrap();
    assert_eq!(worker.handle::<First>(id).result_within(PATIENCE).await.unwrap(), "Err(First(7))");
    worker.shutdown().await.unwrap();
}
