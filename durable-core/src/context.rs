//! What workflow code may ask of the engine, and the futures that answer.

pub(crate) mod arguments;
mod call;
mod child;
mod continuing;
mod door;
pub(crate) mod entry;
pub(crate) mod graph;
pub(crate) mod join;
mod logs;
mod macros;
mod map;
pub(crate) mod nodes;
pub(crate) mod result;
pub(crate) mod rollback;
pub(crate) mod route;
pub(crate) mod routed;
pub(crate) mod schedule;
pub(crate) mod stand_in;
pub(crate) mod step;
mod tags;
pub(crate) mod transaction;
pub(crate) mod undo;
mod values;
mod version;
mod wait;
mod workflow;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::error::Result;
use crate::ids::ExecutionId;

pub use crate::running::ambient::step;
pub use crate::running::step_handle::StepHandle;
pub use child::{ChildWait, StartChild};
pub use door::Context;
pub use join::{BranchResult, Join, Race, SettledJoin};
pub use logs::StepLogLayer;
pub use map::{Each, Map, SettledEach};
pub use nodes::{Due, Given, Latest, Settled};
pub use tags::SetTag;
pub use transaction::Transaction;
pub use values::SetValue;
pub use wait::{
    AllWait, Answer, Approval, CloseEvents, EventWait, InputWait, Received, Sleep, TimedAllWait, TimedWait, WaitOr, WaitOrFail,
};
pub use workflow::{Workflow, concurrency_key, tag};

pub(crate) use workflow::tags_of;

use crate::running::scope::Scope;

impl Context {
    /// The scope of the branch that asks: calls of different branches do not mix.
    fn scope(&self) -> Arc<Scope> {
        crate::running::ambient::scope().unwrap_or_else(|| self.root.clone())
    }

    /// The id of this execution.
    pub fn execution_id(&self) -> ExecutionId {
        self.root.run.id
    }

    /// The due time for which a schedule started this execution; `None` without a schedule. A nightly report takes the day to
    /// report on from here rather than from [`now`](Self::now), because it may run late, or make up for a night that was missed.
    pub fn scheduled_for(&self) -> Option<DateTime<Utc>> {
        self.root.run.scheduled_for
    }

    /// Sleeps for this long by the database's clock. A sleeping execution holds no slot and no connection, and wakes on time even
    /// if the process that put it to sleep is gone.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(cx: &Context) -> Result<()> {
    /// cx.sleep(days(30)).await?;
    /// # Ok(()) }
    /// ```
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(&self.scope(), crate::model::Due::After(duration))
    }

    /// Sleeps until this time by the database's clock; returns at once if the time has passed.
    pub fn sleep_until(&self, time: DateTime<Utc>) -> Sleep {
        Sleep::new(&self.scope(), crate::model::Due::At(time))
    }

    /// Waits for an event of this name and takes it. Events of a name are taken in the order in which they were sent, each once,
    /// including those sent before the wait began. Waiting twice takes two events.
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
        EventWait::event(&self.scope(), name)
    }

    /// Waits for the first of several events and takes it; returns its name and its payload. The other events stay for later
    /// waits.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(cx: &Context) -> Result<()> {
    /// let (name, note): (String, String) = cx.wait_for_any(["accepted", "declined"]).await?;
    /// # Ok(()) }
    /// ```
    pub fn wait_for_any<T: DeserializeOwned>(
        &self,
        names: impl IntoIterator<Item = impl Into<String>>,
    ) -> EventWait<(String, T)> {
        EventWait::any(&self.scope(), names.into_iter().map(Into::into).collect())
    }

    /// Closes the events of this name, and returns the unread ones in the order in which they were sent. Call it before the workflow
    /// ends, so that no acknowledged event is lost.
    ///
    /// From the moment at which the close is recorded, the sender of such an event gets an error of the kind
    /// [`Closed`](crate::error::ErrorKind::Closed). No event is both acknowledged and not returned, however senders race the
    /// call. Waits of other branches for such an event, and later ones, fail with the same kind. An event that does not decode as
    /// `T` is refused and shown, as when a wait receives it. A second call returns what dropped branches gave back since the
    /// first.
    ///
    /// [`continue_as_new`](Self::continue_as_new) opens the name again and keeps unread events. A retry or a fork that begins before
    /// the close opens the name, too, but does not get the events that the close and later waits took. A retry that
    /// [asks again](crate::client::Fork::ask_again) gets them.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn ship(_: Vec<String>) -> Result<()> { Ok(()) }
    /// # async fn example(cx: &Context) -> Result<()> {
    /// let mut parcel = Vec::new();
    /// while let Some(item) = cx.wait_for_event::<String>("item").timeout(hours(1)).await? {
    ///     parcel.push(item);
    /// }
    /// parcel.extend(cx.close_events("item").await?); // what came since the last look
    /// ship(parcel).await?;
    /// # Ok(()) }
    /// ```
    pub fn close_events<T: DeserializeOwned + Send + 'static>(&self, name: &str) -> CloseEvents<T> {
        CloseEvents::new(&self.scope(), name)
    }

    /// Waits for all of several events; returns the payloads by name. With `.timeout(…)` it returns a status for each name
    /// instead.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// use durable::Received;
    /// # async fn example(cx: &Context) -> Result<()> {
    /// let votes = cx.wait_for_all::<bool>(["ada", "grace"]).timeout(days(2)).await?;
    /// let missing = votes.iter().filter(|(_, vote)| **vote == Received::TimedOut).count();
    /// # Ok(()) }
    /// ```
    pub fn wait_for_all<T: DeserializeOwned + Send + 'static>(
        &self,
        names: impl IntoIterator<Item = impl Into<String>>,
    ) -> AllWait<T> {
        AllWait::new(&self.scope(), names.into_iter().map(Into::into).collect())
    }

    /// Waits for the next publication to a topic; with `.correlation(key)`, for the next with this key. A publication before the
    /// wait is not received. See [`Durable::publish`](crate::client::Durable::publish).
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(cx: &Context) -> Result<()> {
    /// let cents: u64 = cx.wait_for_topic("payment.settled").correlation("order-42").await?;
    /// # Ok(()) }
    /// ```
    pub fn wait_for_topic<T: DeserializeOwned>(&self, topic: &str) -> EventWait<T> {
        EventWait::topic(&self.scope(), topic)
    }

    /// Asks a person for a value of type `T` and waits for the answer. The JSON Schema of `T` is stored with the question. An
    /// answer that does not fit it is refused, and the question stays open.
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
    pub fn wait_for_input<'a, T: DeserializeOwned + JsonSchema>(&self, name: &str) -> InputWait<'a, T> {
        InputWait::form(&self.scope(), name)
    }

    /// Asks a person to approve or to decline.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(cx: &Context) -> Result<()> {
    /// let manager = cx.wait_for_approval("manager").prompt("Approve 1200 €?").signed().await?;
    /// if !manager.value.approved {
    ///     println!("{} declined", manager.by.unwrap_or_default());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn wait_for_approval<'a>(&self, name: &str) -> InputWait<'a, Approval> {
        InputWait::approval(&self.scope(), name)
    }

    /// Asks a person for one of several choices.
    pub fn wait_for_choice<'a>(&self, name: &str, choices: impl IntoIterator<Item = impl Into<String>>) -> InputWait<'a, String> {
        let choices: Vec<String> = choices.into_iter().map(Into::into).collect();
        InputWait::choice(&self.scope(), name, &choices)
    }

    /// Asks a person for any number of several choices, each at most once.
    pub fn wait_for_choices<'a>(
        &self,
        name: &str,
        choices: impl IntoIterator<Item = impl Into<String>>,
    ) -> InputWait<'a, Vec<String>> {
        let choices: Vec<String> = choices.into_iter().map(Into::into).collect();
        InputWait::choices(&self.scope(), name, &choices)
    }

    /// Asks a person for a text that is not empty.
    pub fn wait_for_text<'a>(&self, name: &str) -> InputWait<'a, String> {
        InputWait::text(&self.scope(), name)
    }

    /// Asks a person for a number.
    pub fn wait_for_number<'a>(&self, name: &str) -> InputWait<'a, f64> {
        InputWait::number(&self.scope(), name)
    }

    /// Starts an execution of another workflow and waits for its output. The child and the wait for it are created in one
    /// statement, once, however often this execution is replayed. If this execution is cancelled, so is the child.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # struct Fetch;
    /// # #[workflow] impl Fetch { async fn run(&self, _cx: &Context, url: String) -> Result<usize> { Ok(url.len()) } }
    /// # async fn example(cx: &Context) -> Result<()> {
    /// let size = cx.child::<Fetch>("https://example.com".to_owned()).await?;
    /// let size = cx.child::<Fetch>("https://example.org".to_owned()).timeout(minutes(5)).or(0).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The child's error if it did not complete, `Conflict` if its key belongs to another execution, `Invalid` for an option that
    /// makes no sense, and if this process works on the child's queue but does not know its workflow.
    #[expect(clippy::needless_pass_by_value, reason = "an input is given away, as to `Durable::start`")]
    pub fn child<W: Workflow>(&self, input: W::Input) -> ChildWait<W> {
        ChildWait::new(&self.scope(), &input)
    }

    /// Starts an execution of another workflow without waiting for its end; returns its id. If this execution is cancelled, so is
    /// the child, unless it is detached.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # struct Newsletter;
    /// # #[workflow] impl Newsletter { async fn run(&self, _cx: &Context, to: String) -> Result<()> { Ok(drop(to)) } }
    /// # async fn example(cx: &Context) -> Result<()> {
    /// let id = cx.start_child::<Newsletter>("ada@example.com".to_owned()).detach().await?;
    /// # drop(id); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Conflict` and `Invalid` as for [`child`](Self::child).
    #[expect(clippy::needless_pass_by_value, reason = "an input is given away, as to `Durable::start`")]
    pub fn start_child<W: Workflow>(&self, input: W::Input) -> StartChild<W> {
        StartChild::new(&self.scope(), &input)
    }

    /// Runs a closure for each of many items, several at the same time; the results come in the order of the items.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # struct Enrich;
    /// # #[workflow] impl Enrich {
    /// async fn run(&self, cx: &Context, names: Vec<String>) -> Result<Vec<usize>> {
    ///     cx.map(names).concurrency(8).each(|name| self.look_up(name)).await
    /// }
    ///
    /// #[step(retry(max_attempts = 3))]
    /// async fn look_up(&self, name: String) -> Result<usize> {
    ///     Ok(name.len())
    /// }
    /// # }
    /// ```
    pub fn map<I: IntoIterator>(&self, items: I) -> Map<I::IntoIter> {
        Map::new(items)
    }

    /// Sets a value under a name, such as the progress of this execution, for [`Durable::value`](crate::client::Durable::value)
    /// and all who look at the execution. It replaces the value that the name had. It is written together with the checkpoint of
    /// this call: before the next step begins, when the execution waits, or when it ends. A replay does not write it again.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(cx: &Context, parcels: Vec<u64>) -> Result<()> {
    /// for (sent, parcel) in parcels.iter().enumerate() {
    ///     cx.set("progress", &(100 * sent / parcels.len())).metadata("percent").await?;
    ///     # let _ = parcel;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Invalid` for a name that is empty, has over 200 bytes or contains a control character, and in a node of a graph, whose
    /// value is what it returns; `Payload` for a value that cannot be stored.
    pub fn set<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> SetValue {
        let set = SetValue::new(self.scope(), name, value);
        if self.is_of_node { set.refused_in_a_node() } else { set }
    }

    /// The value that this execution has set under a name; `None` if there is none. What it returns is recorded: a replay gets
    /// the same value, whatever was set since. In a retry or a fork, a value is `None` until the call that set it last is
    /// repeated, unless that call is kept.
    ///
    /// # Errors
    /// `Invalid` for an impossible name; `Payload` if the value is not a `T`.
    pub async fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        values::get(self.scope(), name).await
    }

    /// The version of a change to this workflow that the execution has, so that old and new executions can be told apart: 0 if it
    /// went on from here before the code asked, and otherwise `newest`, which is recorded. Where the same change is asked for
    /// again, in this branch, in a loop or in a branch inside it, the answer is the same, also at a replay with later code.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # struct Ship;
    /// # #[workflow] impl Ship {
    /// async fn run(&self, cx: &Context, parcel: u64) -> Result<()> {
    ///     if cx.version("weigh parcels", 1).await? >= 1 {
    ///         self.weigh(parcel).await?;
    ///     }
    ///     self.hand_over(parcel).await
    /// }
    /// # #[step] async fn weigh(&self, _parcel: u64) -> Result<()> { Ok(()) }
    /// # #[step] async fn hand_over(&self, _parcel: u64) -> Result<()> { Ok(()) }
    /// # }
    /// ```
    ///
    /// Change the same place again with a higher number. Once no execution from before the change is left, remove the call: what
    /// was recorded for it does no harm. The guide has a page on
    /// [versions](https://docs.rs/durable/latest/durable/guide/versions/index.html).
    ///
    /// # Errors
    /// `Invalid` for a name that is empty, has over 200 bytes or a control character, and for version 0. If the execution has a
    /// version above `newest`, it is stopped: it needs later code.
    pub async fn version(&self, change: &str, newest: u32) -> Result<u32> {
        version::version(self.scope(), change, newest).await
    }

    /// Continues this execution as new: `run` begins again with this input and an empty journal, under the same id. So a loop may
    /// go on for ever, and what a replay has to read stays small. The call is the last of its run: return it. It returns only
    /// errors.
    ///
    /// The execution keeps its id, keys, queue, priority, parent, deadline and tags, the values that it has set, and the messages
    /// that no wait has used. Its journal and its edits are deleted at once, and the logs of its steps by the next but one
    /// continuation at the latest. What it did so far is final: a later failure does not undo steps from earlier iterations.
    /// Children from earlier iterations go on; a child that this execution waited for and gave up is cancelled.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # struct Meter;
    /// # #[workflow] impl Meter {
    /// async fn run(&self, cx: &Context, total: u64) -> Result<u64> {
    ///     let read = self.read().await?;
    ///     cx.set("total", &(total + read)).await?;
    ///     cx.sleep(hours(1)).await?;
    ///     cx.continue_as_new(&(total + read)).await
    /// }
    /// # #[step] async fn read(&self) -> Result<u64> { Ok(1) }
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Invalid` in a branch, in a step and in a compensation, and if `I` is not the input of this workflow; `Payload` for an
    /// input that cannot be stored, or not be read back.
    #[must_use = "what follows the call is not reached: return its result"]
    pub async fn continue_as_new<I, T>(&self, input: &I) -> Result<T>
    where
        I: Serialize + DeserializeOwned + Sync + 'static,
    {
        continuing::continue_as_new(self, input).await
    }

    /// Gives this execution a tag. [`ExecutionList::tag`](crate::client::ExecutionList::tag) finds executions by their tags. A tag of
    /// the same name is replaced. The tag is written together with the checkpoint of this call, once, as [`set`](Self::set)
    /// writes a value.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(cx: &Context, carrier: String) -> Result<()> {
    /// cx.tag("carrier", carrier).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Invalid` for a name that does not have 1 to 100 bytes or a value that does not have 1 to 500, for control characters in
    /// them, and if the execution would have more than 32 tags.
    pub fn tag(&self, name: &str, value: impl Into<String>) -> SetTag {
        SetTag::new(self.scope(), name, value.into())
    }

    /// The database's time, recorded once: a replay returns the same time.
    pub async fn now(&self) -> Result<DateTime<Utc>> {
        let scope = self.scope();
        let key = scope.next_key("now", "");
        step::record(scope, key, |run| run.now()).await
    }

    /// A UUID that is new for every call and the same at a replay: version 5, derived from the id of this execution.
    pub fn uuid(&self) -> Uuid {
        self.root.run.owner.namespace.derive(&self.scope().next_key("uuid", ""))
    }

    /// A random number, evenly distributed over `u64`, that is new for every call and the same at a replay.
    pub fn random(&self) -> u64 {
        let id = self.root.run.owner.namespace;
        id.derive(&self.scope().next_key("random", "")).as_u64_pair().0 ^ id.derive("random").as_u64_pair().1
    }
}
