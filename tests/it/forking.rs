//! Retrying and forking: a new execution goes on with the journal of one that has ended.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use durable::Json;
use durable::prelude::*;
use serde_json::json;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::support::bodies::Tally;
use crate::support::{self, Database, PATIENCE, eventually, soon};

/// Whether the carrier works today, and what the steps did.
#[derive(Clone, Default)]
struct World {
    carrier_works: Arc<AtomicBool>,
    calls: Tally,
    written: Arc<Notify>,
}

impl World {
    fn carry(&self, label: &str) -> Result<String> {
        self.calls.add(label);
        if self.carrier_works.load(Ordering::SeqCst) {
            Ok(format!("{label} carried"))
        } else {
            Err(durable::Error::permanent(format!("no carrier for {label}")))
        }
    }

    fn repair(&self) {
        self.carrier_works.store(true, Ordering::SeqCst);
    }
}

/// Charges, waits to be told where to, tries a cheap carrier and goes on without it, then ships.
struct Delivery(World);

#[workflow]
impl Delivery {
    async fn run(&self, cx: &Context, order: u32) -> Result<String> {
        let payment = self.charge(order).await?;
        let place: String = cx.wait_for_event("place").await?;
        let cheap = self.ask_cheap(&place).await.is_ok();
        self.note(cheap).await?;
        let shipped = self.ship(&place).await?;
        Ok(format!("{payment}, {shipped}, cheap: {cheap}"))
    }

    #[step]
    async fn charge(&self, order: u32) -> Result<String> {
        self.0.calls.add("charge");
        Ok(format!("order {order} paid"))
    }

    #[step]
    async fn ask_cheap(&self, _place: &str) -> Result<()> {
        self.0.carry("cheap").map(drop)
    }

    #[step]
    async fn note(&self, _cheap: bool) -> Result<()> {
        self.0.calls.add("note");
        Ok(())
    }

    #[step]
    async fn ship(&self, place: &str) -> Result<String> {
        self.0.carry(place)
    }
}

/// Packs three things at a time; the second needs the carrier.
struct Packing(World);

#[workflow]
impl Packing {
    async fn run(&self, _cx: &Context, _: ()) -> Result<String> {
        let (a, b, c) = durable::try_join!(self.pack("a"), self.send("b"), self.pack("c")).await?;
        Ok([a, b, c].join(" "))
    }

    #[step]
    async fn pack(&self, label: &str) -> Result<String> {
        self.0.calls.add(label);
        Ok(label.to_owned())
    }

    #[step]
    async fn send(&self, label: &str) -> Result<String> {
        // The others come first.
        while self.0.calls.count("a") + self.0.calls.count("c") < 2 {
            tokio::task::yield_now().await;
        }
        self.0.carry(label)
    }
}

/// Sends one thing, and packs another when that has failed.
struct Moving(World);

#[workflow]
impl Moving {
    async fn run(&self, _cx: &Context, _: ()) -> Result<String> {
        let (sent, packed) = durable::join!(self.send(), self.pack()).await?;
        Ok(format!("{sent} {packed}"))
    }

    #[step]
    async fn send(&self) -> Result<String> {
        self.0.carry("sent")
    }

    #[step]
    async fn pack(&self) -> Result<String> {
        soon("the failure is written", self.0.written.notified()).await;
        self.0.calls.add("packed");
        Ok("packed".to_owned())
    }
}

/// Reserves, asks a delivery to happen, and confirms; what it reserved can be given back.
struct Sale(World);

#[workflow]
impl Sale {
    async fn run(&self, cx: &Context, order: u32) -> Result<String> {
        self.reserve().await?;
        let delivered = cx.child::<Errand>(order).await?;
        self.confirm().await?;
        Ok(delivered)
    }

    #[step(compensate = free)]
    async fn reserve(&self) -> Result<()> {
        self.0.calls.add("reserve");
        Ok(())
    }

    #[compensation]
    async fn free(&self, _reserved: ()) -> Result<()> {
        self.0.calls.add("free");
        Ok(())
    }

    #[step]
    async fn confirm(&self) -> Result<()> {
        self.0.carry("confirm").map(drop)
    }
}

/// What a sale has done for it.
struct Errand(World);

#[workflow]
impl Errand {
    async fn run(&self, _cx: &Context, order: u32) -> Result<String> {
        self.go(order).await
    }

    #[step]
    async fn go(&self, order: u32) -> Result<String> {
        self.0.carry(&format!("errand {order}"))
    }
}

async fn worker(database: &Database, world: &World) -> Durable {
    let of = || world.clone();
    let builder = database.builder().register(Delivery(of())).register(Packing(of())).register(Sale(of())).register(Moving(of()));
    builder.register(Errand(of())).start().await.unwrap()
}

async fn output(durable: &Durable, id: ExecutionId) -> Json {
    eventually("it ends", async || durable.get_execution(id).await.unwrap().execution.state.is_finished()).await;
    let execution = durable.get_execution(id).await.unwrap().execution;
    execution.output.unwrap_or_else(|| panic!("{id} is {}: {:?}", execution.state, execution.error))
}

#[tokio::test]
async fn a_retry_repeats_what_failed_and_keeps_what_completed_and_what_was_caught() {
    let database = support::database().await;
    let world = World::default();
    let worker = worker(&database, &world).await;
    let failed = worker.start::<Delivery>(7).key("order-7").await.unwrap();
    worker.send_event(failed.id(), "place", "Oslo").await.unwrap();
    failed.result_within(PATIENCE).await.unwrap_err();
    world.repair();

    let id = worker.retry(failed.id()).await.unwrap();
    assert_eq!(output(&worker, id).await, json!("order 7 paid, Oslo carried, cheap: false"));
    for (label, times) in [("charge", 1), ("cheap", 1), ("note", 1), ("Oslo", 2)] {
        assert_eq!(world.calls.count(label), times, "{label}");
    }
    let execution = worker.get_execution(id).await.unwrap().execution;
    assert_eq!((execution.forked_from, execution.key), (Some(failed.id()), None));
    assert_eq!(failed.execution().await.unwrap().state, ExecutionState::Failed, "a terminal state is final");

    let error = worker.retry(failed.id()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains(&format!("goes on as {id} already")), "{error}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_retry_that_failed_too_is_retried_from_either() {
    let database = support::database().await;
    let world = World::default();
    let worker = worker(&database, &world).await;
    let failed = worker.start::<Delivery>(7).await.unwrap();
    worker.send_event(failed.id(), "place", "Oslo").await.unwrap();
    failed.result_within(PATIENCE).await.unwrap_err();
    let again = worker.retry(failed.id()).await.unwrap();
    worker.handle::<Delivery>(again).result_within(PATIENCE).await.unwrap_err();
    world.repair();
    let third = worker.retry(again).await.unwrap();
    assert_eq!(output(&worker, third).await, json!("order 7 paid, Oslo carried, cheap: false"));
    let fourth = worker.retry(failed.id()).await.unwrap();
    assert_eq!(output(&worker, fourth).await, json!("order 7 paid, Oslo carried, cheap: false"));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn of_branches_only_the_failed_one_is_retried() {
    let database = support::database().await;
    let world = World::default();
    let worker = worker(&database, &world).await;
    let failed = worker.start::<Packing>(()).await.unwrap();
    failed.result_within(PATIENCE).await.unwrap_err();
    world.repair();
    let id = worker.retry(failed.id()).await.unwrap();
    assert_eq!(output(&worker, id).await, json!("a b carried c"));
    for (label, times) in [("a", 1), ("b", 2), ("c", 1)] {
        assert_eq!(world.calls.count(label), times, "{label}");
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_branch_that_went_on_beside_the_failure_is_kept_and_does_not_make_it_one_that_was_caught() {
    let database = support::database().await;
    let world = World::default();
    let worker = worker(&database, &world).await;
    let failed = worker.start::<Moving>(()).await.unwrap();
    eventually("the failure stands in the journal", async || {
        world.calls.count("sent") == 1
            && worker.get_execution(failed.id()).await.unwrap().steps.iter().any(|step| step.error.is_some())
    })
    .await;
    world.written.notify_one();
    failed.result_within(PATIENCE).await.unwrap_err();
    world.repair();
    let id = worker.retry(failed.id()).await.unwrap();
    assert_eq!(output(&worker, id).await, json!("sent carried packed"));
    assert_eq!((world.calls.count("sent"), world.calls.count("packed")), (2, 1));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_cancelled_one_goes_on_waiting_with_the_messages_it_had() {
    let database = support::database().await;
    let world = World::default();
    let worker = worker(&database, &world).await;
    world.repair();
    let cancelled = worker.start::<Delivery>(7).await.unwrap();
    eventually("it waits", async || cancelled.execution().await.unwrap().state == ExecutionState::Waiting).await;
    worker.cancel(cancelled.id(), "by mistake").await.unwrap();
    let id = worker.retry(cancelled.id()).await.unwrap();
    worker.send_event(id, "place", "Rome").await.unwrap();
    assert_eq!(output(&worker, id).await, json!("order 7 paid, Rome carried, cheap: true"));
    assert_eq!(world.calls.count("charge"), 1);

    // A message that nobody had taken.
    let client = database.client().await;
    let early = client.start::<Delivery>(8).queue("elsewhere").await.unwrap();
    client.send_event(early.id(), "place", "Bonn").await.unwrap();
    client.cancel(early.id(), "by mistake").await.unwrap();
    let id = client.retry(early.id()).await.unwrap();
    assert_eq!(database.count(&format!("select count(*) from durable.mailbox where execution_id = '{id}'")).await, 1);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_failed_child_is_started_anew_by_the_retry_of_its_parent() {
    let database = support::database().await;
    let world = World::default();
    let worker = worker(&database, &world).await;
    let failed = worker.start::<Errand>(1).await.unwrap();
    failed.result_within(PATIENCE).await.unwrap_err();
    let sale = worker.start::<Sale>(2).await.unwrap();
    sale.result_within(PATIENCE).await.unwrap_err();
    let error = worker.retry(sale.id()).await.unwrap_err();
    assert!(error.to_string().contains("is compensated: what it did was undone"), "{error}");
    world.repair();
    let id = worker.retry(failed.id()).await.unwrap();
    assert_eq!(output(&worker, id).await, json!("errand 1 carried"));

    // Cancelled while its child failed: nothing was undone, and the child runs anew.
    let waiting = worker.start::<Sale>(3).queue("default").await.unwrap();
    waiting.result_within(PATIENCE).await.unwrap();
    let forked = worker.fork(waiting.id(), "child errand").await.unwrap();
    assert_eq!(output(&worker, forked).await, json!("errand 3 carried"));
    assert_eq!(world.calls.count("errand 3"), 2);
    assert_eq!(world.calls.count("reserve"), 2, "one for each sale, none for the fork");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_fork_runs_again_from_the_step_or_the_wait_it_names() {
    let database = support::database().await;
    let world = World::default();
    world.repair();
    let worker = worker(&database, &world).await;
    let done = worker.start::<Delivery>(7).await.unwrap();
    worker.send_event(done.id(), "place", "Oslo").await.unwrap();
    done.result_within(PATIENCE).await.unwrap();

    let from_step = worker.fork(done.id(), "step note").await.unwrap();
    assert_eq!(output(&worker, from_step).await, json!("order 7 paid, Oslo carried, cheap: true"));
    for (label, times) in [("charge", 1), ("cheap", 1), ("note", 2), ("Oslo", 2)] {
        assert_eq!(world.calls.count(label), times, "{label}");
    }
    let from_wait = worker.fork(done.id(), "event place").await.unwrap();
    worker.send_event(from_wait, "place", "Rome").await.unwrap();
    assert_eq!(output(&worker, from_wait).await, json!("order 7 paid, Rome carried, cheap: true"));
    assert_eq!((world.calls.count("charge"), world.calls.count("cheap")), (1, 2));

    let error = worker.fork(done.id(), "step pack").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("has no step or wait `step pack`; it has step charge, event place,"), "{error}");
    let error = worker.fork(done.id(), "step ship").version(0).await.unwrap_err();
    assert!(error.to_string().contains("a fork in version 0; versions start at 1"), "{error}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_fork_that_fails_leaves_alone_what_the_completed_one_did() {
    let database = support::database().await;
    let world = World::default();
    world.repair();
    let worker = worker(&database, &world).await;
    let done = worker.start::<Sale>(5).await.unwrap();
    done.result_within(PATIENCE).await.unwrap();
    world.carrier_works.store(false, Ordering::SeqCst);
    let fork = worker.fork(done.id(), "step confirm").await.unwrap();
    let error = worker.handle::<Sale>(fork).result_within(PATIENCE).await.unwrap_err();
    assert_eq!(error.to_string(), "no carrier for confirm");
    assert_eq!(worker.get_execution(fork).await.unwrap().execution.state, ExecutionState::Failed);
    assert_eq!((world.calls.count("reserve"), world.calls.count("free")), (1, 0));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_completed_runs_or_is_unknown_is_not_retried() {
    let database = support::database().await;
    let world = World::default();
    world.repair();
    let worker = worker(&database, &world).await;
    let done = worker.start::<Errand>(1).await.unwrap();
    done.result_within(PATIENCE).await.unwrap();
    let waiting = worker.start::<Delivery>(2).await.unwrap();
    eventually("it waits", async || waiting.execution().await.unwrap().state == ExecutionState::Waiting).await;
    let nobody = ExecutionId::from(Uuid::now_v7());
    for (id, kind, message) in [
        (done.id(), ErrorKind::Finished, "has completed: there is nothing to retry; to run a part of it again, fork it"),
        (waiting.id(), ErrorKind::Conflict, "is waiting: only what has ended can be taken over; wait for its end, or cancel it"),
        (nobody, ErrorKind::NotFound, "there is no execution"),
    ] {
        let error = worker.retry(id).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(message), "{error}");
    }
    assert_eq!(worker.fork(nobody, "step go").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(worker.fork(waiting.id(), "step charge").await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(database.count("select count(*) from durable.executions").await, 2, "nothing was begun");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn of_many_who_retry_at_once_one_does_and_the_others_are_told_which() {
    let database = support::database().await;
    let client = database.client().await;
    let id = client.start::<Errand>(1).await.unwrap().id();
    client.cancel(id, "over").await.unwrap();
    let tries = (0..8).map(|_| client.retry(id).into_future());
    let outcomes = soon("all have tried", futures_util::future::join_all(tries)).await;
    let begun: Vec<ExecutionId> = outcomes.iter().flatten().copied().collect();
    let [winner] = begun[..] else { panic!("{outcomes:?}") };
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert!(error.to_string().contains(&winner.to_string()), "{error}");
    }
}

#[tokio::test]
async fn a_retry_is_whole_or_not_at_all_and_repeating_it_under_its_id_begins_nothing_more() {
    let database = support::database().await;
    let world = World::default();
    let worker = worker(&database, &world).await;
    let failed = worker.start::<Delivery>(7).await.unwrap();
    worker.send_event(failed.id(), "place", "Oslo").await.unwrap();
    failed.result_within(PATIENCE).await.unwrap_err();
    worker.shutdown().await.unwrap();

    let before = database.count("select count(*) from durable.checkpoints").await;
    let new = Uuid::now_v7();
    let retry = format!("select id from durable.retry('{}', new_id => '{new}', repeated => array['step ship'])", failed.id());
    // Cut off after it has written everything, before it is committed.
    let mut cut = database.pool().acquire().await.unwrap();
    for sql in ["begin", &retry] {
        sqlx::Executor::execute(&mut *cut, sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))).await.unwrap();
    }
    let backend: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *cut).await.unwrap();
    database.run(&format!("select pg_terminate_backend({backend})")).await;
    drop(cut.detach());
    assert_eq!(database.count("select count(*) from durable.executions").await, 1);
    assert_eq!(database.count("select count(*) from durable.checkpoints").await, before);

    let first: Uuid = database.value(&retry).await;
    let again: Uuid = database.value(&retry).await;
    assert_eq!((first, again), (new, new));
    assert_eq!(database.count("select count(*) from durable.executions").await, 2);
}

#[tokio::test]
async fn sql_retries_alone_where_it_is_plain_what_to_repeat_and_otherwise_asks_for_it() {
    let database = support::database().await;
    let world = World::default();
    let worker = worker(&database, &world).await;
    let errand = worker.start::<Errand>(1).await.unwrap();
    let delivery = worker.start::<Delivery>(7).await.unwrap();
    worker.send_event(delivery.id(), "place", "Oslo").await.unwrap();
    errand.result_within(PATIENCE).await.unwrap_err();
    delivery.result_within(PATIENCE).await.unwrap_err();
    world.repair();

    let retry: Uuid = database.value(&format!("select id from durable.retry('{}')", errand.id())).await;
    output(&worker, retry.into()).await;
    let error = sqlx::query_scalar::<_, Uuid>("select id from durable.retry($1)")
        .bind(delivery.id().as_uuid())
        .fetch_one(database.pool())
        .await
        .unwrap_err();
    let error = error.as_database_error().unwrap().downcast_ref::<sqlx::postgres::PgDatabaseError>();
    assert!(error.message().contains("which calls are to run again?"), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("`repeated => array['step ship']`") && hint.ends_with("step ask_cheap, step ship"), "{hint}");
    // A key that is misspelt or missing would repeat nothing, or everything.
    for (keys, problem) in [("array['step shop']", "has recorded no call `step shop`"), ("array[null]", "a null among the calls")]
    {
        let wrong = format!("select id from durable.retry('{}', repeated => {keys})", delivery.id());
        let error = sqlx::query(sqlx::AssertSqlSafe(wrong)).execute(database.pool()).await.unwrap_err();
        assert!(error.to_string().contains(problem), "{error}");
    }
    let named = format!("select id from durable.retry('{}', repeated => array['step ship'])", delivery.id());
    let retry: Uuid = database.value(&named).await;
    assert_eq!(output(&worker, retry.into()).await, json!("order 7 paid, Oslo carried, cheap: false"));
    worker.shutdown().await.unwrap();
}

/// Pays under a UUID of its own, and fails at first.
#[derive(Clone, Default)]
struct Pay {
    said: Arc<Mutex<Vec<(Uuid, Uuid)>>>,
}

#[workflow]
impl Pay {
    async fn run(&self, cx: &Context, _: ()) -> Result<u64> {
        let (id, chosen) = (cx.uuid(), cx.random());
        self.note(id).await?;
        self.charge(id).await?;
        Ok(chosen)
    }

    #[step]
    async fn note(&self, id: Uuid) -> Result<Uuid> {
        Ok(id)
    }

    #[step]
    async fn charge(&self, id: Uuid) -> Result<()> {
        let mut said = self.said.lock().unwrap();
        said.push((id, durable::step().idempotency_key()));
        if said.len() < 3 { Err(Error::permanent("no answer")) } else { Ok(()) }
    }
}

#[tokio::test]
async fn a_retry_has_the_uuids_and_idempotency_keys_of_the_first() {
    let database = support::database().await;
    let pay = Pay::default();
    let worker = database.builder().register(pay.clone()).start().await.unwrap();
    let mut id = worker.start::<Pay>(()).await.unwrap().id();
    for _ in 0..2 {
        worker.handle::<Pay>(id).result_within(PATIENCE).await.unwrap_err();
        id = worker.retry(id).await.unwrap();
    }
    worker.handle::<Pay>(id).result_within(PATIENCE).await.unwrap();
    let said = pay.said.lock().unwrap().clone();
    assert_eq!(said, [said[0]; 3]);
    worker.shutdown().await.unwrap();
}
