//! Expiring: what has not begun by the end of its time to live never does, and everybody who waits for it is told.

mod handing_on;

use std::sync::{Arc, Mutex};

use durable::QueueLimits;
use durable::observer::{ExecutionFailed, Observer};
use durable::prelude::*;
use serde_json::json;

use crate::support::bodies::{Gate, Tally};
use crate::support::{self, Database, PATIENCE, clock, eventually};

pub(crate) use handing_on::work;

/// Counts its labels, and stands at a gate where it has one.
#[derive(Default)]
struct Alert {
    tally: Tally,
    gate: Option<Gate>,
}

#[workflow(queue = "alerts", time_to_live = "1h")]
impl Alert {
    async fn run(&self, cx: &Context, label: String) -> Result<String> {
        self.ring(&label).await?;
        if label == "sleepy" {
            cx.sleep(hours(5)).await?;
        }
        Ok(label)
    }

    #[step]
    async fn ring(&self, label: &str) -> Result<()> {
        self.tally.add(label);
        if let Some(gate) = &self.gate {
            gate.pass().await;
        }
        Ok(())
    }
}

/// The same, but by customer.
struct KeyedAlert(Tally);

#[workflow(queue = "alerts", time_to_live = "1h", concurrency_key = |label: &String| label.clone(), limit = 1)]
impl KeyedAlert {
    async fn run(&self, _cx: &Context, label: String) -> Result<()> {
        self.ring(label).await
    }

    #[step]
    async fn ring(&self, label: String) -> Result<()> {
        self.0.add(label);
        Ok(())
    }
}

const OPEN: &str = "select count(*) from durable.executions where finished_at is null";

async fn worker(database: &Database) -> (Durable, Tally) {
    let tally = Tally::default();
    let alert = Alert { tally: tally.clone(), gate: None };
    (database.builder().register(alert).register(KeyedAlert(tally.clone())).start().await.unwrap(), tally)
}

/// Nobody ends what has expired before this is undone.
async fn hold_up_the_duty(database: &Database) {
    database
        .run(
            "insert into durable.duties (duty, due_at, taken_at, worker_id)
             values ('expire', 'infinity', durable.now(), gen_random_uuid())
             on conflict (duty) do update set due_at = 'infinity'",
        )
        .await;
}

async fn let_the_duty_go_on(database: &Database) {
    database
        .run("update durable.duties set due_at = durable.now() where duty = 'expire'; select pg_notify('durable', 'clock')")
        .await;
}

#[tokio::test]
async fn a_queue_that_was_paused_for_a_day_runs_nothing_that_has_expired() {
    let database = support::database().await;
    let began = clock::freeze(&database).await;
    let (worker, tally) = worker(&database).await;
    worker.queue("alerts").pause().await.unwrap();
    let expiring = worker.start_many::<Alert>((0..50).map(|nth| format!("old {nth}"))).await.unwrap();
    let patient = worker.start::<Alert>("patient".to_owned()).time_to_live(days(2)).await.unwrap();
    let execution = worker.get_execution(expiring[0].id()).await.unwrap().execution;
    assert_eq!(execution.expires_at, Some(began + hours(1)));
    clock::turn(&database, days(1)).await;
    eventually("those that expired have ended", async || database.count(OPEN).await == 1).await;
    worker.queue("alerts").resume().await.unwrap();
    assert_eq!(patient.result_within(PATIENCE).await.unwrap(), "patient");
    assert_eq!(tally.labels(), ["patient"]);

    let execution = worker.get_execution(expiring[49].id()).await.unwrap().execution;
    assert_eq!((execution.state, execution.started_at, execution.expires_at), (ExecutionState::Expired, None, None));
    let error = expiring[49].result_within(PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Expired);
    let by = (began + hours(1)).format("%Y-%m-%dT%H:%M:%SZ");
    let told = format!("no worker of queue `alerts` had begun it by {by}, when its time to live was over");
    assert!(error.to_string().contains(&told), "{error}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn no_claim_takes_what_has_expired_before_the_duty_ends_it() {
    for limits in [None, Some(QueueLimits::default().concurrency(1)), Some(QueueLimits::default().rate(100, hours(1)))] {
        let database = support::database().await;
        clock::freeze(&database).await;
        hold_up_the_duty(&database).await;
        let client = database.client().await;
        if let Some(limits) = limits {
            client.queue("alerts").set_limits(limits).await.unwrap();
        }
        for _ in 0..3 {
            client.start::<Alert>("expired".to_owned()).priority(9).await.unwrap();
            client.start::<KeyedAlert>("expired".to_owned()).priority(9).await.unwrap();
        }
        clock::turn(&database, hours(1)).await;
        let plain = client.start::<Alert>("plain".to_owned()).await.unwrap();
        let keyed = client.start::<KeyedAlert>("keyed".to_owned()).await.unwrap();
        let also_keyed = client.start::<KeyedAlert>("expired".to_owned()).await.unwrap();
        let (worker, tally) = worker(&database).await;
        plain.result_within(PATIENCE).await.unwrap();
        keyed.result_within(PATIENCE).await.unwrap();
        also_keyed.result_within(PATIENCE).await.unwrap();
        assert_eq!(database.count(OPEN).await, 6, "with {limits:?}");
        assert_eq!(tally.count("expired"), 1, "the one that had not");
        let_the_duty_go_on(&database).await;
        eventually("they have ended", async || database.count(OPEN).await == 0).await;
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn what_has_begun_in_time_goes_on_for_as_long_as_it_takes() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let (worker, tally) = worker(&database).await;
    let at_once = worker.start::<Alert>("sleepy".to_owned()).await.unwrap();
    let by_claim = database.client().await.start::<Alert>("sleepy".to_owned()).await.unwrap();
    clock::advance(&database, hours(6)).await;
    assert_eq!(at_once.result_within(PATIENCE).await.unwrap(), "sleepy");
    assert_eq!(by_claim.result_within(PATIENCE).await.unwrap(), "sleepy");
    assert_eq!(tally.count("sleepy"), 2);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn it_is_counted_from_the_time_at_which_it_may_begin() {
    let database = support::database().await;
    let now = clock::freeze(&database).await;
    let client = database.client().await;
    let expires_at = async |id: ExecutionId| client.get_execution(id).await.unwrap().execution.expires_at;
    let delayed = client.start::<Alert>("a".to_owned()).delay(hours(3)).await.unwrap();
    assert_eq!(expires_at(delayed.id()).await, Some(now + hours(4)));
    let past = client.start::<Alert>("a".to_owned()).at(now - hours(3)).await.unwrap();
    assert_eq!(expires_at(past.id()).await, Some(now + hours(1)));
    let debounced = || client.start::<Alert>("a".to_owned()).debounce("a", minutes(10));
    let first = debounced().await.unwrap();
    assert_eq!(expires_at(first.id()).await, Some(now + minutes(70)));
    clock::turn(&database, minutes(5)).await;
    debounced().await.unwrap();
    assert_eq!(expires_at(first.id()).await, Some(now + minutes(75)));
    let by_name = client.start_by_name("alert", "a").time_to_live(minutes(2)).await.unwrap();
    assert_eq!(expires_at(by_name).await, Some(now + minutes(7)));
    let by_sql = "select durable.start('alert', '\"a\"', time_to_live => '3 min')";
    let by_sql = ExecutionId::from(database.value::<uuid::Uuid>(by_sql).await);
    assert_eq!(expires_at(by_sql).await, Some(now + minutes(8)));
    assert_eq!(expires_at(client.start_by_name("alert", "a").await.unwrap()).await, None, "nobody knows its code");
}

#[tokio::test]
async fn what_was_called_off_or_had_expired_can_be_undone_and_gone_on_from() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let client = database.client().await;
    let turned_round = client.start::<Alert>("a".to_owned()).await.unwrap();
    client.cancel(turned_round.id(), "over").compensate().await.unwrap();
    let called_off = client.start::<Alert>("b".to_owned()).await.unwrap();
    client.cancel(called_off.id(), "over").await.unwrap();
    let expired = client.start::<Alert>("c".to_owned()).await.unwrap();
    clock::turn(&database, hours(2)).await;
    let (worker, tally) = worker(&database).await;
    assert!(turned_round.result_within(PATIENCE).await.is_err());
    eventually("all have ended", async || database.count(OPEN).await == 0).await;
    let error = client.get_execution(called_off.id()).await.unwrap().execution.error.unwrap();
    assert_eq!(error.kind, ErrorKind::Cancelled, "it was over before");

    let retried = worker.retry(expired.id()).await.unwrap();
    clock::turn(&database, hours(2)).await;
    worker.handle::<Alert>(retried).result_within(PATIENCE).await.unwrap();
    assert_eq!(tally.labels(), ["c"]);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_schedule_hands_the_time_to_live_on_to_what_it_starts() {
    let database = support::database().await;
    let now = clock::freeze(&database).await;
    let client = database.client().await;
    let made = client.schedule::<Alert>("hourly", "every 1h", "a".to_owned()).starts_at(now + hours(1)).await.unwrap();
    assert_eq!(made.time_to_live, Some(hours(1)));
    let id = client.trigger_schedule("hourly").await.unwrap();
    assert_eq!(client.get_execution(id).await.unwrap().execution.expires_at, Some(now + hours(1)));
    let changed = client.update_schedule("hourly").time_to_live(minutes(5)).await.unwrap();
    assert_eq!((changed.time_to_live, changed.revision), (Some(minutes(5)), 2));
    assert_eq!(client.update_schedule("hourly").time_to_live(minutes(5)).await.unwrap().revision, 2);
    let id = client.trigger_schedule("hourly").await.unwrap();
    assert_eq!(client.get_execution(id).await.unwrap().execution.expires_at, Some(now + minutes(5)));
    assert_eq!(client.update_schedule("hourly").time_to_live(None).await.unwrap().time_to_live, None);
    let by_name = client.schedule_workflow("other", "alert", "every 1h", &json!("a")).await.unwrap();
    assert_eq!(by_name.time_to_live, None);
    let refused = client.update_schedule("hourly").time_to_live(seconds(0)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_time_to_live_that_makes_no_sense_is_refused() {
    let database = support::database().await;
    let client = database.client().await;
    for time in [seconds(0), days(36_526)] {
        let error = client.start::<Alert>("a".to_owned()).time_to_live(time).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("a time to live is above zero and at most a hundred years"), "{error}");
    }
    let start = "select durable.start('alert', time_to_live => '0')";
    let error = sqlx::query(start).execute(database.pool()).await.unwrap_err();
    assert!(error.to_string().contains("a start with a time to live of 00:00:00"), "{error}");
    assert_eq!(database.count(OPEN).await, 0);
}

/// What observers were told.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<(ExecutionState, ErrorKind)>>>);

impl Observer for Diary {
    fn on_failure(&self, execution: &ExecutionFailed) {
        self.0.lock().unwrap().push((execution.state, execution.error.kind));
    }
}

/// Waits for an alert that nobody works on.
struct Watch;

#[workflow]
impl Watch {
    async fn run(&self, cx: &Context, _: ()) -> Result<String> {
        match cx.child::<Alert>("child".to_owned()).await {
            Ok(label) => Ok(label),
            Err(error) => Ok(error.to_string()),
        }
    }
}

#[tokio::test]
async fn parents_and_observers_are_told() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let diary = Diary::default();
    let worker = database
        .builder()
        .register(Watch)
        .register(Alert::default())
        .queue("default", 5)
        .observe(diary.clone())
        .start()
        .await
        .unwrap();
    let parent = worker.start::<Watch>(()).await.unwrap();
    eventually("it waits for its child", async || {
        database.count("select count(*) from durable.executions where state = 'waiting'").await == 1
    })
    .await;
    clock::turn(&database, hours(1)).await;
    let told = parent.result_within(PATIENCE).await.unwrap();
    assert!(told.contains("no worker of queue `alerts` had begun it"), "{told}");
    eventually("an observer hears of it", async || diary.0.lock().unwrap().len() == 1).await;
    assert_eq!(*diary.0.lock().unwrap(), [(ExecutionState::Expired, ErrorKind::Expired)]);
    worker.shutdown().await.unwrap();
}

struct HastyWatch;

#[workflow]
impl HastyWatch {
    async fn run(&self, cx: &Context, _: ()) -> Result<String> {
        let alert = cx.child::<Alert>("child".to_owned()).time_to_live(minutes(1)).await;
        Ok(alert.unwrap_or_else(|error| error.to_string()))
    }
}

#[tokio::test]
async fn a_start_and_a_child_may_have_another_time_to_live_than_their_workflow() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(HastyWatch).register(Alert::default()).queue("default", 5).start().await.unwrap();
    let endless = worker.start::<Alert>("endless".to_owned()).time_to_live(None).await.unwrap();
    assert_eq!(endless.execution().await.unwrap().expires_at, None);
    let parent = worker.start::<HastyWatch>(()).await.unwrap();
    eventually("it waits for its child", async || {
        database.count("select count(*) from durable.executions where state = 'waiting'").await == 1
    })
    .await;
    clock::turn(&database, minutes(2)).await;
    let told = parent.result_within(PATIENCE).await.unwrap();
    assert!(told.contains("no worker of queue `alerts` had begun it"), "{told}");
    worker.shutdown().await.unwrap();
}

/// Nobody has ended it yet, and nobody may begin it: it must not stand for the one that is asked for now.
#[tokio::test]
async fn a_start_does_not_find_one_that_has_expired() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let client = database.client().await;
    let start = async || client.start::<Alert>("fire".to_owned()).deduplication_key("house 7").await.unwrap().id();
    let expired = start().await;
    assert_eq!(start().await, expired);
    clock::turn(&database, hours(2)).await;
    let next = start().await;
    assert_ne!(next, expired);
    assert_eq!(start().await, next);

    let (worker, tally) = worker(&database).await;
    support::soon("rung", worker.handle::<Alert>(next).result()).await.unwrap();
    let error = support::soon("ended", worker.handle::<Alert>(expired).result()).await.unwrap_err();
    assert_eq!(error.kind(), durable::ErrorKind::Expired);
    assert_eq!(tally.count("fire"), 1);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_duty_that_was_taken_while_the_clock_ran_ahead_is_done() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let client = database.client().await;
    client.start::<Alert>("fire".to_owned()).await.unwrap();
    database
        .run(
            "insert into durable.duties (duty, due_at, taken_at, worker_id)
             values ('expire', durable.now() + interval '2 years', durable.now() + interval '1 year', gen_random_uuid())",
        )
        .await;
    clock::turn(&database, hours(2)).await;
    let (worker, _) = worker(&database).await;
    eventually("ended", async || database.count(OPEN).await == 0).await;
    worker.shutdown().await.unwrap();
}
