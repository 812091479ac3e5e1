//! Observers: they are told everything once and in order, may refuse a step, and can disturb nothing.

mod committed;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use durable::chrono::{DateTime, Utc};
use durable::observer::{
    Consent, ExecutionCompleted, ExecutionFailed, ExecutionStarted, Observer, RollbackBegan, StepBegins, StepEnded, WaitBegan,
};
use durable::prelude::*;
use durable::{Builder, compensation};
use serde::Serialize;
use serde_json::{Value, json};

use crate::support::bodies::Gate;
use crate::support::{self, PATIENCE, clock, soon};

/// Executions that wait for a time.
const ASLEEP: &str = "select count(*) from durable.waits where kind = 'sleep' and outcome is null";

/// Charges at the second attempt, waits for the parcel, and says so.
struct Ship;

#[workflow(name = "ship", version = 3)]
impl Ship {
    async fn run(&self, cx: &Context, _: ()) -> Result<Option<u32>> {
        self.charge().await?;
        let parcel = cx.wait_for_any(["picked_up", "lost"]).timeout(hours(1)).await?.map(|(_, parcel): (String, u32)| parcel);
        cx.sleep(minutes(5)).await?;
        self.notify(parcel).await?;
        Ok(parcel)
    }

    #[step(retry(max_attempts = 2, base = "1ms"))]
    async fn charge(&self) -> Result<()> {
        if durable::step().attempt() == 1 { Err(Error::new("declined")) } else { Ok(()) }
    }

    #[step]
    async fn notify(&self, _parcel: Option<u32>) -> Result<()> {
        Ok(())
    }
}

/// Books a flight and a hotel, and cannot pay; the hotel confirms that it is cancelled.
struct BookTrip {
    done: Arc<Mutex<Vec<&'static str>>>,
}

#[workflow(name = "book_trip")]
impl BookTrip {
    async fn run(&self, _cx: &Context, _: ()) -> Result<()> {
        self.book_flight().await?;
        self.book_hotel().await?;
        self.pay().await
    }

    #[step(compensate = cancel_flight)]
    async fn book_flight(&self) -> Result<()> {
        self.done.lock().unwrap().push("book_flight");
        Ok(())
    }

    #[compensation]
    async fn cancel_flight(&self) -> Result<()> {
        self.done.lock().unwrap().push("cancel_flight");
        Ok(())
    }

    #[step(compensate = cancel_hotel)]
    async fn book_hotel(&self) -> Result<()> {
        self.done.lock().unwrap().push("book_hotel");
        Ok(())
    }

    #[compensation]
    async fn cancel_hotel(&self, cx: &Context) -> Result<()> {
        let () = cx.wait_for_event("hotel_confirms").await?;
        self.done.lock().unwrap().push("cancel_hotel");
        Ok(())
    }

    #[step]
    async fn pay(&self) -> Result<()> {
        self.done.lock().unwrap().push("pay");
        Err(Error::permanent("no money"))
    }
}

/// Goes on with the faster of two steps, which ends once the slower one has begun.
struct Hurry(Gate);

#[workflow(name = "hurry")]
impl Hurry {
    async fn run(&self, _cx: &Context, _: ()) -> Result<u32> {
        durable::race!(self.fast(), self.slow()).await
    }

    #[step]
    async fn fast(&self) -> Result<u32> {
        self.0.pass().await;
        Ok(1)
    }

    #[step]
    async fn slow(&self) -> Result<u32> {
        self.0.let_pass(1);
        std::future::pending().await
    }
}

/// Sleeps longer than it may.
struct Late;

#[workflow(name = "late", timeout = "1h")]
impl Late {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        cx.sleep(days(1)).await
    }
}

/// Books, and waits for the money.
struct PatientTrip;

#[workflow(name = "patient_trip")]
impl PatientTrip {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        self.book().await?;
        cx.wait_for_event("pay").await
    }

    #[step(compensate = cancel)]
    async fn book(&self) -> Result<()> {
        Ok(())
    }

    #[compensation]
    async fn cancel(&self) -> Result<()> {
        Ok(())
    }
}

/// Has two children, and waits for one of them.
struct Family;

#[workflow(name = "family")]
impl Family {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        cx.start_child::<Hurry>(()).detach().await?;
        cx.child::<Hurry>(()).await?;
        Ok(())
    }
}

/// Keeps everything it is told as JSON, with the name of the method; refuses the steps of one key.
#[derive(Clone, Default)]
struct Diary {
    entries: Arc<Mutex<Vec<Value>>>,
    refuses: &'static str,
}

impl Diary {
    fn enter(&self, method: &str, told: &impl Serialize) {
        let mut entry = serde_json::to_value(told).unwrap();
        entry["method"] = method.into();
        self.entries.lock().unwrap().push(entry);
    }

    /// The entries, without what is different at every run.
    fn entries(&self) -> Vec<Value> {
        let mut entries = self.entries.lock().unwrap().clone();
        for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
            entry.remove("took");
            assert!(entry.remove("execution_id").is_some_and(|id| id.is_string()), "{entry:?}");
        }
        entries
    }

    /// The entries in a word or two each: the method, and which step or wait it is about.
    fn outline(&self) -> Vec<String> {
        let about = |entry: &Value| match entry["key"].as_str() {
            Some(key) => format!("{} {key}", entry["method"].as_str().unwrap()),
            None => entry["method"].as_str().unwrap().to_owned(),
        };
        self.entries().iter().map(about).collect()
    }
}

impl Observer for Diary {
    fn on_start(&self, execution: &ExecutionStarted) {
        self.enter("on_start", execution);
    }

    fn before_step(&self, step: &StepBegins) -> Consent {
        self.enter("before_step", step);
        if step.key == self.refuses { Consent::refuse("not today") } else { Consent::Proceed }
    }

    fn after_step(&self, step: &StepEnded) {
        self.enter("after_step", step);
    }

    fn on_wait(&self, wait: &WaitBegan) {
        self.enter("on_wait", wait);
    }

    fn on_rollback(&self, rollback: &RollbackBegan) {
        self.enter("on_rollback", rollback);
    }

    fn on_complete(&self, execution: &ExecutionCompleted) {
        self.enter("on_complete", execution);
    }

    fn on_failure(&self, execution: &ExecutionFailed) {
        self.enter("on_failure", execution);
    }
}

/// Does the same at every call: panics, or waits for a gate.
struct Nuisance(Box<dyn Fn() + Send + Sync>);

impl Nuisance {
    fn panics() -> Self {
        Self(Box::new(|| panic!("as told")))
    }

    /// Blocks until what it returns is dropped.
    fn blocks() -> (Self, Sender<()>) {
        let (open, gate) = channel();
        let gate: Mutex<Receiver<()>> = Mutex::new(gate);
        (Self(Box::new(move || assert!(gate.lock().unwrap().recv_timeout(PATIENCE).is_err()))), open)
    }
}

impl Observer for Nuisance {
    fn on_start(&self, _: &ExecutionStarted) {
        (self.0)();
    }

    fn before_step(&self, _: &StepBegins) -> Consent {
        (self.0)();
        Consent::refuse("a nuisance")
    }

    fn after_step(&self, _: &StepEnded) {
        (self.0)();
    }

    fn on_wait(&self, _: &WaitBegan) {
        (self.0)();
    }

    fn on_complete(&self, _: &ExecutionCompleted) {
        (self.0)();
    }
}

/// Ships one thing under these observers, by a stopped clock; gives back the parcel, and when the clock was stopped.
async fn ship(observed: impl FnOnce(Builder) -> Builder) -> (Option<u32>, DateTime<Utc>) {
    let database = support::database().await;
    let start = clock::freeze(&database).await;
    let durable = observed(database.builder()).register(Ship).start().await.unwrap();
    let handle = durable.start::<Ship>(()).await.unwrap();
    clock::advance(&database, minutes(1)).await;
    durable.send_event(handle.id(), "picked_up", &7).await.unwrap();
    clock::advance(&database, minutes(10)).await;
    let parcel = soon("the parcel", handle.result()).await.unwrap();
    durable.shutdown().await.unwrap();
    (parcel, start)
}

/// Takes a time out of an entry.
fn take_time(entry: &mut Value, name: &str) -> DateTime<Utc> {
    serde_json::from_value(entry[name].take()).unwrap()
}

#[tokio::test]
async fn everything_is_told_once_in_order_and_with_its_content() {
    let diary = Diary::default();
    let (parcel, start) = ship(|builder| builder.observe(diary.clone())).await;
    assert_eq!(parcel, Some(7));

    let mut entries = diary.entries();
    let retry_at = take_time(&mut entries[2], "retry_at");
    assert!(retry_at > start && retry_at < start + seconds(1));
    assert_eq!(take_time(&mut entries[5], "due_at"), retry_at + hours(1), "the wait began when the retry was due");
    let awake_at = take_time(&mut entries[6], "due_at");
    assert!(awake_at > start + minutes(5) && awake_at <= start + minutes(6), "{awake_at}");

    let step = |method: &str, key: &str, attempt: u32, more: Value| {
        let mut entry = json!({"method": method, "key": key, "attempt": attempt, "direction": "forward"});
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        entry
    };
    let before = |key, attempt| step("before_step", key, attempt, json!({}));
    let after = |key, attempt, error| step("after_step", key, attempt, json!({"error": error, "retry_at": null}));
    let wait = |key, kind, names| json!({"method": "on_wait", "key": key, "kind": kind, "names": names, "due_at": null});
    let expected = [
        json!({"method": "on_start"}),
        before("step charge", 1),
        after("step charge", 1, json!({"kind": "failed", "message": "declined"})),
        before("step charge", 2),
        after("step charge", 2, json!(null)),
        wait("event any of", "event", json!(["picked_up", "lost"])),
        wait("sleep", "sleep", json!([])),
        before("step notify", 1),
        after("step notify", 1, json!(null)),
        json!({"method": "on_complete"}),
    ];
    let of_ship = expected.map(|mut entry| {
        entry["workflow"] = "ship".into();
        entry["version"] = 3.into();
        entry
    });
    assert_eq!(entries, of_ship);
}

#[tokio::test]
async fn what_a_replay_finds_in_the_journal_is_not_told_again() {
    let (in_memory, replayed) = (Diary::default(), Diary::default());
    ship(|builder| builder.observe(in_memory.clone())).await;
    ship(|builder| builder.cached_executions(0).observe(replayed.clone())).await;
    assert_eq!(replayed.outline(), in_memory.outline());
}

/// Books a trip that cannot be paid, and has the hotel confirm; the error that it ends with, its state, and what was done.
async fn book_trip(observed: impl FnOnce(Builder) -> Builder) -> (Error, ExecutionState, Vec<&'static str>) {
    let database = support::database().await;
    let done = Arc::default();
    let durable = observed(database.builder()).register(BookTrip { done: Arc::clone(&done) }).start().await.unwrap();
    let handle = durable.start::<BookTrip>(()).await.unwrap();
    // It comes too late for a trip that fails before there is anything to undo.
    let sent = durable.send_event(handle.id(), "hotel_confirms", &()).await;
    assert!(sent.is_ok() || sent.is_err_and(|error| error.kind() == ErrorKind::Finished));
    let error = soon("rolled back", handle.result()).await.unwrap_err();
    let state = handle.execution().await.unwrap().state;
    durable.shutdown().await.unwrap();
    let done = done.lock().unwrap().clone();
    (error, state, done)
}

#[tokio::test]
async fn a_rollback_is_told_with_its_reason_and_what_undoes_the_steps() {
    let diary = Diary::default();
    let (_, state, _) = book_trip(|builder| builder.observe(diary.clone())).await;
    assert_eq!(state, ExecutionState::Compensated);
    let expected = [
        "on_start",
        "before_step step book_flight",
        "after_step step book_flight",
        "before_step step book_hotel",
        "after_step step book_hotel",
        "before_step step pay",
        "after_step step pay",
        "on_rollback",
        "before_step undo/step book_hotel",
        "on_wait undo/step book_hotel/event hotel_confirms",
        "after_step undo/step book_hotel",
        "before_step undo/step book_flight",
        "after_step undo/step book_flight",
        "on_failure",
    ];
    assert_eq!(diary.outline(), expected);
    let entries = diary.entries();
    assert_eq!(entries[7]["reason"]["message"], "no money");
    assert!(entries.iter().all(|entry| entry["direction"] != "rollback" || entry["key"].as_str().unwrap().starts_with("undo/")));
    assert_eq!(entries[8]["direction"], "rollback");
    assert_eq!((&entries[13]["state"], &entries[13]["error"]["message"]), (&json!("compensated"), &json!("no money")));
}

#[tokio::test]
async fn a_compensation_that_waits_is_told_once_however_it_goes_on() {
    let diary = Diary::default();
    let database = support::database().await;
    let workflow = BookTrip { done: Arc::default() };
    let durable = database.builder().cached_executions(0).observe(diary.clone()).register(workflow).start().await.unwrap();
    let handle = durable.start::<BookTrip>(()).await.unwrap();
    let waiting = "select true from durable.waits where outcome is null";
    assert!(database.eventually_value::<bool>(waiting).await);
    durable.send_event(handle.id(), "hotel_confirms", &()).await.unwrap();
    soon("rolled back", handle.result()).await.unwrap_err();
    durable.shutdown().await.unwrap();
    let told = |what: &str| diary.outline().iter().filter(|entry| entry.starts_with(what)).count();
    assert_eq!(told("before_step undo/step book_hotel"), 1);
    assert_eq!(told("after_step undo/step book_hotel"), 1);
    assert_eq!((told("on_rollback"), told("on_failure"), told("on_start")), (1, 1, 1));
}

#[tokio::test]
async fn a_refused_step_does_not_run_and_what_came_before_it_is_undone() {
    let (diary, after) = (Diary { refuses: "step book_hotel", ..Diary::default() }, Diary::default());
    let (error, state, done) = book_trip(|builder| builder.observe(diary.clone()).observe(after.clone())).await;
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("Diary` refused `step book_hotel`: not today"), "{error}");
    assert_eq!((state, done), (ExecutionState::Compensated, vec!["book_flight", "cancel_flight"]));
    let expected = [
        "on_start",
        "before_step step book_flight",
        "after_step step book_flight",
        "before_step step book_hotel",
        "on_rollback",
        "before_step undo/step book_flight",
        "after_step undo/step book_flight",
        "on_failure",
    ];
    assert_eq!(diary.outline(), expected);
    // The second was not asked about what the first has refused.
    assert!(!after.outline().contains(&"before_step step book_hotel".to_owned()));
}

#[tokio::test]
async fn the_first_step_refused_leaves_nothing_to_undo() {
    let diary = Diary { refuses: "step book_flight", ..Diary::default() };
    let (error, state, done) = book_trip(|builder| builder.observe(diary.clone())).await;
    assert_eq!((error.kind(), state), (ErrorKind::Refused, ExecutionState::Failed));
    assert!(done.is_empty(), "{done:?}");
    assert_eq!(diary.outline(), ["on_start", "before_step step book_flight", "on_failure"]);
}

#[tokio::test]
async fn what_undoes_a_step_cannot_be_refused() {
    let diary = Diary { refuses: "undo/step book_flight", ..Diary::default() };
    let (_, state, done) = book_trip(|builder| builder.observe(diary)).await;
    assert_eq!(state, ExecutionState::Compensated);
    assert_eq!(done, ["book_flight", "book_hotel", "pay", "cancel_hotel", "cancel_flight"]);
}

#[tokio::test]
async fn a_step_that_loses_a_race_is_told_to_have_ended() {
    let diary = Diary::default();
    let database = support::database().await;
    let durable = database.builder().observe(diary.clone()).register(Hurry(Gate::closed())).start().await.unwrap();
    let handle = durable.start::<Hurry>(()).await.unwrap();
    assert_eq!(soon("the winner", handle.result()).await.unwrap(), 1);
    durable.shutdown().await.unwrap();
    let entries = diary.entries();
    let ended = |name: &str| {
        let ended = |entry: &&Value| entry["method"] == "after_step" && entry["key"].as_str().unwrap().ends_with(name);
        let mut ended = entries.iter().filter(ended);
        let only = ended.next().unwrap();
        assert!(ended.next().is_none(), "{entries:?}");
        only["error"]["kind"].clone()
    };
    assert_eq!((ended("step fast"), ended("step slow")), (json!(null), json!("cancelled")));
}

#[tokio::test]
async fn an_execution_that_takes_too_long_is_told_to_have_failed() {
    let diary = Diary::default();
    let database = support::database().await;
    clock::freeze(&database).await;
    let durable = database.builder().observe(diary.clone()).register(Late).start().await.unwrap();
    let handle = durable.start::<Late>(()).await.unwrap();
    clock::advance(&database, hours(2)).await;
    soon("its end", handle.result()).await.unwrap_err();
    durable.shutdown().await.unwrap();
    assert_eq!(diary.outline(), ["on_start", "on_wait sleep", "on_failure"]);
    assert_eq!(diary.entries()[2]["error"]["kind"], "timed_out");
}

/// An execution of a trip whose flight and hotel are booked, and that waits where it would pay.
async fn booked(diary: &Diary) -> (Durable, ExecutionHandle<PatientTrip>) {
    let database = support::database().await;
    let durable = database.builder().observe(diary.clone()).register(PatientTrip).start().await.unwrap();
    let handle = durable.start::<PatientTrip>(()).await.unwrap();
    assert!(database.eventually_value::<bool>("select true from durable.executions where state = 'waiting'").await);
    (durable, handle)
}

#[tokio::test]
async fn a_cancel_is_told_once_by_the_client_that_asked_for_it() {
    let diary = Diary::default();
    let (durable, handle) = booked(&diary).await;
    durable.cancel(handle.id(), "not needed").await.unwrap();
    durable.cancel(handle.id(), "not needed").await.unwrap();
    soon("its end", handle.result()).await.unwrap_err();
    durable.shutdown().await.unwrap();
    assert_eq!(diary.outline()[3..], ["on_wait event pay", "on_failure"]);
    let end = &diary.entries()[4];
    assert_eq!((&end["workflow"], &end["state"]), (&json!("patient_trip"), &json!("cancelled")));
    assert_eq!(end["error"], json!({"kind": "cancelled", "message": "not needed"}));
}

#[tokio::test]
async fn a_rollback_that_was_asked_for_is_told_by_the_worker_that_runs_it() {
    let diary = Diary::default();
    let (durable, handle) = booked(&diary).await;
    durable.rollback(handle.id(), "the customer called").await.unwrap();
    soon("its end", handle.result()).await.unwrap_err();
    durable.shutdown().await.unwrap();
    let expected = ["on_wait event pay", "on_rollback", "before_step undo/step book", "after_step undo/step book", "on_failure"];
    assert_eq!(diary.outline()[3..], expected);
    assert_eq!(diary.entries()[4]["reason"], json!({"kind": "rolled_back", "message": "the customer called"}));
    assert_eq!(diary.entries()[7]["state"], "compensated");
}

#[tokio::test]
async fn a_child_is_told_of_as_an_execution_and_as_a_wait_of_its_parent() {
    let diary = Diary::default();
    let database = support::database().await;
    let durable =
        database.builder().observe(diary.clone()).register(Family).register(Hurry(Gate::closed())).start().await.unwrap();
    let handle = durable.start::<Family>(()).await.unwrap();
    soon("the family", handle.result()).await.unwrap();
    support::eventually("both children at their end", async || {
        database.count("select count(*) from durable.executions where state = 'completed'").await == 3
    })
    .await;
    durable.shutdown().await.unwrap();
    let told = |method: &str, workflow: &str| {
        diary.entries().iter().filter(|entry| entry["method"] == method && entry["workflow"] == workflow).count()
    };
    assert_eq!((told("on_start", "family"), told("on_complete", "family")), (1, 1));
    assert_eq!((told("on_start", "hurry"), told("on_complete", "hurry")), (2, 2));
    // It waits for one of them only.
    assert_eq!(told("on_wait", "family"), 1);
    let entries = diary.entries();
    let wait = entries.iter().find(|entry| entry["method"] == "on_wait").unwrap();
    assert_eq!((&wait["kind"], &wait["key"]), (&json!("child"), &json!("child hurry#2")));
}

#[tokio::test]
async fn an_observer_that_panics_disturbs_neither_executions_nor_other_observers() {
    let diary = Diary::default();
    let (parcel, _) = ship(|builder| builder.observe(Nuisance::panics()).observe(diary.clone())).await;
    assert_eq!(parcel, Some(7));
    assert_eq!((diary.outline().len(), diary.outline()[9].as_str()), (10, "on_complete"));
}

#[tokio::test]
async fn an_observer_that_hangs_disturbs_neither_executions_nor_other_observers() {
    let diary = Diary::default();
    let (nuisance, open) = Nuisance::blocks();
    let database = support::database().await;
    let durable = database.builder().observe(nuisance).observe(diary.clone()).register(Ship).start().await.unwrap();
    let handles = durable.start_many::<Ship>(vec![(); 50]).await.unwrap();
    for handle in &handles {
        durable.send_event(handle.id(), "picked_up", &7).await.unwrap();
    }
    // All of them wait for it together, once.
    support::eventually("all of them asleep", async || database.count(ASLEEP).await == 50).await;
    drop(open);
    durable.shutdown().await.unwrap();
    assert_eq!(diary.outline().iter().filter(|entry| *entry == "on_wait sleep").count(), 50);
}
