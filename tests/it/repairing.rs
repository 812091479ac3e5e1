//! Repairing: many executions at once by filter, forks from a named step, and edited inputs and outputs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use durable::prelude::*;
use durable::{SortBy, SortOrder, sqlx};
use serde_json::json;

use crate::support::bodies::Tally;
use crate::support::{self, Database, soon};

/// Scores, charges and ships; charging fails while the bank is closed.
#[derive(Default)]
struct Order {
    tally: Tally,
    closed: Arc<AtomicBool>,
}

#[workflow]
impl Order {
    async fn run(&self, _cx: &Context, customer: String) -> Result<String> {
        let first = self.score(1).await?;
        let second = self.score(2).await?;
        let receipt = match customer.as_str() {
            "nobody" => self.find_account().await?,
            _ => self.charge(first + second).await?,
        };
        self.ship(&customer, &receipt).await
    }

    #[step]
    async fn score(&self, nth: u32) -> Result<u32> {
        self.tally.add("score");
        Ok(nth)
    }

    #[step]
    async fn find_account(&self) -> Result<String> {
        Err(Error::permanent("no account"))
    }

    #[step(compensate = refund)]
    async fn charge(&self, score: u32) -> Result<String> {
        self.tally.add("charge");
        if self.closed.load(Ordering::SeqCst) {
            return Err(Error::permanent("the bank is closed"));
        }
        Ok(format!("receipt {score}"))
    }

    #[compensation]
    async fn refund(&self) -> Result<()> {
        self.tally.add("refund");
        Ok(())
    }

    #[step]
    async fn ship(&self, customer: &str, receipt: &str) -> Result<String> {
        self.tally.add("ship");
        Ok(format!("to {customer} for {receipt}"))
    }
}

async fn worker(database: &Database) -> (Durable, Tally, Arc<AtomicBool>) {
    let order = Order { closed: Arc::new(AtomicBool::new(true)), ..Order::default() };
    let (tally, closed) = (order.tally.clone(), order.closed.clone());
    (database.builder().register(order).start().await.unwrap(), tally, closed)
}

async fn failed(worker: &Durable, customers: &[&str]) -> Vec<ExecutionId> {
    let mut failed = Vec::new();
    for customer in customers {
        let order = worker.start::<Order>((*customer).to_owned()).tag("batch", "monday").await.unwrap();
        soon("the failure", order.result()).await.unwrap_err();
        failed.push(order.id());
    }
    failed
}

async fn result(worker: &Durable, id: ExecutionId) -> Result<String> {
    soon("the end", worker.handle::<Order>(id).result()).await
}

#[tokio::test]
async fn all_that_failed_are_retried_once_however_often_it_is_asked() {
    let database = support::database().await;
    let (worker, tally, closed) = worker(&database).await;
    let orders = failed(&worker, &["ada", "nobody", "grace"]).await;
    let other = worker.start::<Order>("other".to_owned()).await.unwrap();
    soon("the failure", other.result()).await.unwrap_err();
    let monday = || worker.list_executions().workflow("order").tag("batch", "monday");
    assert_eq!(monday().retry_all().count().await.unwrap(), 3);
    assert_eq!(database.count("select count(*) from durable.executions").await, 4, "counting changes nothing");

    closed.store(false, Ordering::SeqCst);
    let mut retries = BTreeMap::new();
    let report = monday()
        .retry_all()
        .on_each(|outcome| {
            retries.insert(outcome.id, *outcome.result.as_ref().unwrap());
        })
        .await;
    let report = report.unwrap();
    assert_eq!((report.done, report.skipped, report.reasons.len()), (3, 0, 0));
    assert_eq!(result(&worker, retries[&orders[0]]).await.unwrap(), "to ada for receipt 3");
    result(&worker, retries[&orders[1]]).await.unwrap_err();
    result(&worker, retries[&orders[2]]).await.unwrap();
    assert_eq!((tally.count("score"), tally.count("charge")), (8, 5), "completed steps are kept");

    // The retry of the second failed, too: it is retried now, and not the execution that it continues.
    let report = monday().retry_all().await.unwrap();
    assert_eq!((report.done, report.skipped), (1, 3));
    for (id, why) in &report.reasons {
        assert_eq!(why.kind(), ErrorKind::Conflict);
        assert!(why.to_string().contains(&format!("continued by {}", retries[id])), "{why}");
    }
    let again = format!("select execution_id from durable.executions where forked_from = '{}'", retries[&orders[1]]);
    let again: uuid::Uuid = database.value(&again).await;
    result(&worker, again.into()).await.unwrap_err();
    assert_eq!(database.count("select count(*) from durable.executions").await, 8);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn two_bulk_retries_at_once_retry_each_execution_once() {
    let database = support::database().await;
    let (worker, _, closed) = worker(&database).await;
    failed(&worker, &["a", "b", "c", "d", "e", "f"]).await;
    closed.store(false, Ordering::SeqCst);
    let retry = || worker.list_executions().workflow("order").retry_all();
    let (one, two) = tokio::join!(retry(), retry());
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.done + two.done, 6, "{one:?} {two:?}");
    assert_eq!(database.count("select count(*) from durable.executions where forked_from is not null").await, 6);
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_retry_skips_an_execution_whose_retry_was_made_meanwhile_and_has_failed_already() {
    let database = support::database().await;
    let (worker, ..) = worker(&database).await;
    let orders = failed(&worker, &["ada", "grace"]).await;
    let report = worker
        .list_executions()
        .workflow("order")
        .retry_all()
        .on_each(|outcome| {
            // By now, the second has been read, too.
            if outcome.id == orders[0] {
                let retried_by_another = async {
                    let retry = worker.retry(orders[1]).await.unwrap();
                    result(&worker, retry).await.unwrap_err();
                };
                tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(retried_by_another));
            }
        })
        .await
        .unwrap();
    assert_eq!((report.done, report.skipped), (1, 1));
    let (skipped, why) = &report.reasons[0];
    assert_eq!((*skipped, why.kind()), (orders[1], ErrorKind::Conflict));
    assert!(why.to_string().contains("is continued by"), "{why}");
    let retries = format!("select count(*) from durable.executions where forked_from = '{}'", orders[1]);
    assert_eq!(database.count(&retries).await, 1);

    // A retry of one execution may be repeated after it has failed, unless the caller says otherwise.
    let unless = format!("select durable.retry('{}', unless_continued => true)", orders[1]);
    let refused = sqlx::query(sqlx::AssertSqlSafe(unless)).execute(database.pool()).await.unwrap_err();
    assert!(refused.to_string().contains("is continued by"), "{refused}");
    result(&worker, worker.retry(orders[1]).await.unwrap()).await.unwrap_err();
    assert_eq!(database.count(&retries).await, 2);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn all_that_are_stopped_are_resumed_and_all_that_have_not_ended_are_cancelled() {
    let database = support::database().await;
    let client = database.client().await;
    let many = client.start_many::<Order>(["a", "b", "c", "d"].map(str::to_owned)).await.unwrap();
    client.pause(many[0].id()).await.unwrap();
    database
        .run(&format!(
            r#"update durable.executions set state = 'waiting', error = '{{"kind": "diverged", "message": "no"}}'
               where execution_id = '{}'"#,
            many[1].id()
        ))
        .await;
    let all = || client.list_executions().workflow("order");
    assert_eq!(all().resume_all().count().await.unwrap(), 1);
    assert_eq!(all().resume_all().await.unwrap().done, 1);
    assert_eq!(client.get_execution(many[0].id()).await.unwrap().execution.state, ExecutionState::Paused);
    assert_eq!(client.get_execution(many[1].id()).await.unwrap().execution.state, ExecutionState::Pending);

    client.cancel(many[2].id(), "alone").await.unwrap();
    let report = all().cancel_all("the shop is closed").await.unwrap();
    assert_eq!((report.done, report.skipped), (3, 0));
    assert_eq!(all().state(ExecutionState::Cancelled).count().await.unwrap(), 4);
    let report = all().state(ExecutionState::Cancelled).resume_all().await.unwrap();
    assert_eq!((report.done, report.skipped, report.reasons.len()), (0, 4, 4));
    assert_eq!(report.reasons[0].1.kind(), ErrorKind::Finished);
}

#[tokio::test]
async fn a_bulk_without_a_filter_is_refused() {
    let database = support::database().await;
    let client = database.client().await;
    client.start::<Order>("ada".to_owned()).await.unwrap();
    for bulk in [
        client.list_executions().retry_all(),
        client.list_executions().resume_all(),
        client.list_executions().limit(1).cancel_all("all"),
    ] {
        let error = bulk.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("has no filter; name a workflow"), "{error}");
    }
    assert_eq!(client.list_executions().state(ExecutionState::Pending).count().await.unwrap(), 1);
}

#[tokio::test]
async fn a_bulk_of_one_page_of_a_list_is_refused() {
    let database = support::database().await;
    let client = database.client().await;
    let order = client.start::<Order>("ada".to_owned()).await.unwrap();
    let list = || client.list_executions().workflow("order");
    for (page, part) in [
        (list().limit(1), "leave out `.limit(…)`"),
        (list().order_by(SortBy::Created, SortOrder::Ascending), "leave out `.order_by(…)`"),
        (list().after(order.id()), "leave out `.after(…)`"),
    ] {
        for refused in [page.clone().cancel_all("all").count().await.map(drop), page.cancel_all("all").await.map(drop)] {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(part), "{error}");
        }
    }
    assert_eq!(list().state(ExecutionState::Pending).count().await.unwrap(), 1);
}

/// Waits for a courier.
struct Parcel;

#[workflow]
impl Parcel {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        cx.child::<Courier>(()).await
    }
}

/// Waits for an event.
struct Courier;

#[workflow]
impl Courier {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        cx.wait_for_event("back").await
    }
}

#[tokio::test]
async fn a_bulk_cancel_cancels_a_parent_before_the_child_that_it_waits_for() {
    let database = support::database().await;
    let worker = database.builder().register(Parcel).register(Courier).start().await.unwrap();
    let parent = worker.start::<Parcel>(()).await.unwrap().id();
    let both_wait = "select execution_id from durable.executions
                     where parent_id is not null and (select count(*) from durable.executions where state = 'waiting') = 2";
    let child: uuid::Uuid = database.eventually_value(both_wait).await;
    worker.shutdown().await.unwrap();

    let client = database.client().await;
    let mut cancelled = Vec::new();
    let bulk = client.list_executions().queue("default").cancel_all("the shop is closed");
    let report = bulk.on_each(|outcome| cancelled.push(outcome.id)).await.unwrap();
    assert_eq!((report.done, report.skipped), (2, 0));
    assert_eq!(cancelled, [parent, child.into()]);
    assert_eq!(client.list_executions().state(ExecutionState::Cancelled).count().await.unwrap(), 2);
}

#[tokio::test]
async fn a_fork_begins_at_the_nth_call_of_a_named_step() {
    let database = support::database().await;
    let (worker, tally, closed) = worker(&database).await;
    closed.store(false, Ordering::SeqCst);
    let order = worker.start::<Order>("ada".to_owned()).await.unwrap();
    soon("the end", order.result()).await.unwrap();
    for (from, scores) in [("ship", 2), ("charge", 2), ("score#2", 3), ("score", 5)] {
        let fork = worker.fork(order.id(), from).await.unwrap();
        assert_eq!(result(&worker, fork).await.unwrap(), "to ada for receipt 3");
        assert_eq!(tally.count("score"), scores, "from {from}");
    }
    let error = worker.fork(order.id(), "score#3").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("it has step score, step score#2, step charge, step ship"), "{error}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_result_that_a_person_gives_stands_for_the_step_and_the_reason_is_kept() {
    let database = support::database().await;
    let (worker, tally, _) = worker(&database).await;
    let order = failed(&worker, &["ada"]).await[0];
    let retry = worker.retry(order).output("charge", "receipt 7").reason("charged by hand").by("grace").await.unwrap();
    assert_eq!(result(&worker, retry).await.unwrap(), "to ada for receipt 7");
    assert_eq!((tally.count("charge"), tally.count("score"), tally.count("refund")), (1, 2, 0));

    let details = worker.get_execution(retry).await.unwrap();
    let edit = &details.edits[0];
    assert_eq!((edit.key.as_deref(), edit.reason.as_str()), (Some("step charge"), "charged by hand"));
    assert_eq!(edit.edited_by.as_deref(), Some("grace"));
    let charged = details.steps.iter().find(|step| step.key == "step charge").unwrap();
    assert_eq!(charged.output.as_ref().unwrap().as_str(), r#""receipt 7""#);
    assert!(worker.get_execution(order).await.unwrap().edits.is_empty(), "what has ended stays as it was");

    // A fork behind the step keeps what was given, with its reason; one before it does not.
    let behind = worker.fork(retry, "ship").input("bea").reason("moved").await.unwrap();
    assert_eq!(result(&worker, behind).await.unwrap(), "to bea for receipt 7");
    let keys = async |id| {
        let edits = worker.get_execution(id).await.unwrap().edits;
        edits.into_iter().map(|edit| edit.key.unwrap_or_default()).collect::<Vec<_>>()
    };
    assert_eq!(keys(behind).await, ["", "step charge"]);
    let before = worker.fork(behind, "score#2").await.unwrap();
    result(&worker, before).await.unwrap_err();
    assert_eq!(keys(before).await, [""]);
    worker.prune(std::time::Duration::ZERO).await.unwrap();
    assert_eq!(database.count("select count(*) from durable.journal_edits").await, 0);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_step_that_hangs_is_given_a_result_once_its_execution_is_cancelled() {
    let database = support::database().await;
    let (hangs, tally) = (Arc::new(AtomicBool::new(true)), Tally::default());
    let worker = database.builder().register(Hanging { hangs, tally: tally.clone() }).start().await.unwrap();
    let hanging = worker.start::<Hanging>(()).await.unwrap();
    database.eventually_value::<i32>("select 1 from durable.attempts").await;
    let error = worker.retry(hanging.id()).output("call", &5).reason("by phone").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "a running execution is left alone: {error}");
    worker.cancel(hanging.id(), "it hangs").await.unwrap();
    let retry = worker.retry(hanging.id()).output("call", &5).reason("by phone").await.unwrap();
    assert_eq!(soon("the end", worker.handle::<Hanging>(retry).result()).await.unwrap(), 5);
    assert_eq!(tally.count("call"), 1);
    worker.shutdown().await.unwrap();
}

/// Tries to call somebody for ever.
struct Hanging {
    hangs: Arc<AtomicBool>,
    tally: Tally,
}

#[workflow]
impl Hanging {
    async fn run(&self, _cx: &Context, _: ()) -> Result<u32> {
        self.call().await
    }

    #[step(retry(max_attempts = 1000, base = "1h"))]
    async fn call(&self) -> Result<u32> {
        self.tally.add("call");
        if self.hangs.load(Ordering::SeqCst) { Err(Error::new("busy")) } else { Ok(1) }
    }
}

#[tokio::test]
async fn an_edited_output_of_a_kept_step_is_what_the_workflow_gets() {
    let database = support::database().await;
    let (worker, tally, closed) = worker(&database).await;
    closed.store(false, Ordering::SeqCst);
    let order = worker.start::<Order>("ada".to_owned()).await.unwrap();
    soon("the end", order.result()).await.unwrap();
    let fork = worker.fork(order.id(), "charge").output("score#2", &40).reason("a mistake of the model").await.unwrap();
    assert_eq!(result(&worker, fork).await.unwrap(), "to ada for receipt 41");
    assert_eq!((tally.count("score"), tally.count("charge")), (2, 2));
    let keys = "select string_agg(key, ',' order by ordinal) from durable.checkpoints where execution_id = ";
    let kept: String = database.value(&format!("{keys}'{fork}'")).await;
    assert_eq!(kept, "step score,step score#2,step charge,step ship", "in its place");

    // Another type than the step returns stops the execution before anything runs; it can be given again.
    let wrong = worker.fork(order.id(), "charge").output("score#2", "forty").reason("a slip").await.unwrap();
    database.eventually_value::<i32>("select 1 from durable.shown_executions where state = 'stopped'").await;
    worker.cancel(wrong, "wrong type").await.unwrap();
    let right = worker.retry(wrong).output("score#2", &4).reason("as a number").await.unwrap();
    assert_eq!(result(&worker, right).await.unwrap(), "to ada for receipt 5");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn edits_that_make_no_sense_are_refused_and_nothing_is_created() {
    let database = support::database().await;
    let (worker, ..) = worker(&database).await;
    let order = failed(&worker, &["ada"]).await[0];
    let long = "x".repeat(1001);
    for (fork, part) in [
        (worker.retry(order).output("charge", "r"), "has no reason"),
        (worker.retry(order).output("charge", "r").reason(""), "the reason of an edit has 1 to 1000 bytes"),
        (worker.retry(order).output("charge", "r").reason(&long), "the reason of an edit has 1 to 1000 bytes"),
        (worker.retry(order).output("charge", "r").reason("x").by(&long), "the person of an edit has 1 to 1000 bytes"),
        (worker.retry(order).reason("nothing"), "without an edit"),
        (worker.retry(order).output("ship", "r").reason("x"), "has not begun a step `step ship`"),
        (worker.retry(order).output("chagre", "r").reason("x"), "it has begun step score, step score#2, step charge"),
        (worker.retry(order).output("event paid", "r").reason("x"), "only steps have one"),
        (worker.retry(order).output("charge", "a").output("step charge", "b").reason("x"), "given twice"),
        (worker.retry(order).output("charge", &f64::NAN).reason("x"), "the output of `charge` cannot be stored"),
        (worker.retry(order).input(&f64::NAN).reason("x"), "the edited input cannot be stored"),
    ] {
        let error = fork.await.unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
    for (edits, part) in [
        (json!([]), "not an object"),
        (json!({ "output": {}, "reason": "x" }), "unknown part `output`"),
        (json!({ "reason": "x" }), "change nothing"),
        (json!({ "outputs": { "step charge": 1 } }), "without a reason"),
        (json!({ "outputs": { "version new_bank": 1 }, "reason": "x" }), "the output of `version new_bank` cannot be given"),
        (json!({ "outputs": { "race": 1 }, "reason": "x" }), "only steps have one"),
        (json!({ "outputs": { "child order#2": 1 }, "reason": "x" }), "only steps have one"),
        (json!({ "outputs": { "join/0/event paid": 1 }, "reason": "x" }), "only steps have one"),
        (json!({ "outputs": { "undo/step charge": 1 }, "reason": "x" }), "only steps have one"),
        (json!({ "outputs": { "step ": 1 }, "reason": "x" }), "only steps have one"),
        (json!({ "outputs": { "join/0/step charge#2": 1 }, "reason": "x" }), "has not begun a step `join/0/step charge#2`"),
        (json!({ "outputs": { "step fly": 1 }, "reason": "x" }), "has not begun a step `step fly`"),
    ] {
        let sql = "select durable.retry($1, edits => $2::json)";
        let refused = sqlx::query(sql).bind(order.as_uuid()).bind(edits.to_string()).execute(database.pool()).await.unwrap_err();
        assert!(refused.to_string().contains(part), "{refused}");
    }
    let twice = r#"{"outputs": {"step charge": 1, "step charge": 2}, "reason": "x"}"#;
    let sql = "select durable.retry($1, edits => $2::json)";
    let refused = sqlx::query(sql).bind(order.as_uuid()).bind(twice).execute(database.pool()).await.unwrap_err();
    assert!(refused.to_string().contains("the output of `step charge` is given twice"), "{refused}");
    assert_eq!(database.count("select count(*) from durable.executions").await, 1);

    let sql = r#"select id from durable.retry($1, edits => '{"outputs": {"step charge": "by sql"}, "reason": "x"}')"#;
    let retry: uuid::Uuid = sqlx::query_scalar(sql).bind(order.as_uuid()).fetch_one(database.pool()).await.unwrap();
    assert_eq!(result(&worker, retry.into()).await.unwrap(), "to ada for by sql");
    worker.shutdown().await.unwrap();
}
