//! What workflow code may ask of the engine, and the futures that answer.

mod ambient;
pub(crate) mod arguments;
pub(crate) mod panics;
pub(crate) mod result;
pub(crate) mod run;
pub(crate) mod step;
pub(crate) mod step_handle;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::error::Result;
use crate::ids::ExecutionId;
use crate::model::{Due, WaitKind};

pub use step_handle::{StepHandle, step};
pub use wait::{EventWait, InputWait, Sleep, TimedWait, WaitOr};

pub(crate) use run::Run;

/// A workflow's door to the engine, given to `run`.
///
/// Every call takes its journal key when it is made, so calls must come in the same order at every replay: await one before
/// the next. It can be neither cloned nor kept beyond `run`.
#[derive(Debug)]
pub struct Context {
    run: Arc<Run>,
}

impl Context {
    pub(crate) fn new(run: Arc<Run>) -> Self {
        Self { run }
    }

    /// The id of this execution.
    pub fn execution_id(&self) -> ExecutionId {
        self.run.id
    }

    /// Sleeps for that long by the database's clock. A sleeping execution holds no slot and no connection, and wakes on time
    /// whatever happens to the process that put it to sleep.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(cx: &Context) -> Result<()> {
    /// cx.sleep(days(30)).await?;
    /// # Ok(()) }
    /// ```
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(&self.run, Due::After(duration))
    }

    /// Sleeps until that time by the database's clock; returns at once when it has passed.
    pub fn sleep_until(&self, time: DateTime<Utc>) -> Sleep {
        Sleep::new(&self.run, Due::At(time))
    }

    /// Waits for the event of that name, and takes it. Events of one name are taken in the order they were sent, each once,
    /// also those sent before the wait began; waiting twice takes two events.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(cx: &Context) -> Result<()> {
    /// let receipt: String = cx.wait_for_event("paid").await?;
    /// let note: Option<String> = cx.wait_for_event("note").timeout(hours(2)).await?;
    /// let colour: String = cx.wait_for_event("colour").timeout(days(1)).or("blue".to_owned()).await?;
    /// # Ok(()) }
    /// ```
    pub fn wait_for_event<T: DeserializeOwned + Send + 'static>(&self, name: &str) -> EventWait<T> {
        EventWait::new(&self.run, WaitKind::Event, name)
    }

    /// Asks a person for a value of type `T` and waits for the answer. The JSON Schema of `T` is kept with the question, and
    /// an answer that does not fit it is refused while the wait stands.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// #[derive(serde::Deserialize, schemars::JsonSchema, Default)]
    /// struct Approval { approved: bool }
    /// # async fn example(cx: &Context) -> Result<()> {
    /// let approval: Approval =
    ///     cx.wait_for_input("approval").prompt("Ship the order?").timeout(days(3)).or(Approval::default()).await?;
    /// # Ok(()) }
    /// ```
    pub fn wait_for_input<T: DeserializeOwned + JsonSchema + Send + 'static>(&self, name: &str) -> InputWait<T> {
        InputWait::new(&self.run, name)
    }

    /// The database's time, recorded once: a replay gets the same.
    pub async fn now(&self) -> Result<DateTime<Utc>> {
        let key = self.run.next_key("now", "");
        let run = self.run.clone();
        step::record(run, key, |run| run.clock().now()).await
    }

    /// A UUID that is new for every call, and the same at a replay: version 5, in the namespace of this execution.
    pub fn uuid(&self) -> Uuid {
        self.run.id.derive(&self.run.next_key("uuid", ""))
    }

    /// A number that is evenly spread over `u64`, different for every call, and the same at a replay.
    pub fn random(&self) -> u64 {
        self.run.id.derive(&self.run.next_key("random", "")).as_u64_pair().0 ^ self.run.id.derive("random").as_u64_pair().1
    }
}
