//! Transactional steps: what they write is there exactly once, with their outcome, or not at all.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use durable::Observer;
use durable::observer::StepEnded;
use durable::prelude::*;
use durable::sqlx::{self, Connection};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::committing::polled;
use crate::support::crash::leases_run_out;
use crate::support::process::{Folder, Process};
use crate::support::proxy::{Fate, Moment, Passage, Proxy, Trap};
use crate::support::{self, Database, clock, eventually, soon};

/// The table of an application that lives in the same database.
const TABLE: &str = "create table entries (account text not null, note text)";

const ENTRIES: &str = "select count(*) from entries";
const STEPS: &str = "select count(*) from durable.checkpoints where key like '%step debit' and key not like 'undo/%'";

/// The statements of a transactional step, in order.
const STATEMENTS: [&str; 3] = ["begin", "checkpoints/commit", "commit"];
const MOMENTS: [Moment; 2] = [Moment::Before, Moment::After];

const ACCOUNT: &str = "ada";

async fn database() -> Database {
    let database = support::database().await;
    database.run(TABLE).await;
    database
}

async fn enter(tx: &mut Transaction, account: &str) -> Result<i64> {
    sqlx::query("insert into entries values ($1, null)").bind(account).execute(&mut **tx).await?;
    Ok(sqlx::query_scalar("select count(*) from entries where account = $1").bind(account).fetch_one(&mut **tx).await?)
}

/// The application's rows and the journal agree: one row for each step on record.
async fn assert_entered(database: &Database, times: i64, what: &str) {
    assert_eq!(database.count(ENTRIES).await, times, "entries {what}");
    assert_eq!(database.count(STEPS).await, times, "checkpoints {what}");
    let together = "select count(*) from entries join durable.checkpoints on entries.xmin = checkpoints.xmin";
    assert_eq!(database.count(together).await, times, "committed together {what}");
}

async fn assert_nothing_left_open(database: &Database) {
    let open = "select count(*) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null";
    eventually("no transaction left open", async || database.count(open).await == 0).await;
}

/// One debit, and whatever the account says before and after it.
struct Transfer;

#[workflow]
impl Transfer {
    async fn run(&self, _cx: &Context, account: String) -> Result<i64> {
        self.prepare().await?;
        let entries = self.debit(&account).await?;
        self.finish().await?;
        Ok(entries)
    }

    #[step]
    async fn prepare(&self) -> Result<()> {
        Ok(())
    }

    #[step(transaction, retry(max_attempts = 5, backoff = constant, base = "1ms", jitter = 0.0))]
    async fn debit(&self, tx: &mut Transaction, account: &str) -> Result<i64> {
        enter(tx, account).await
    }

    #[step]
    async fn finish(&self) -> Result<()> {
        Ok(())
    }
}

/// How a step goes wrong after it has written its row.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Mishap {
    Error,
    Panic,
    Timeout,
    UnstorableOutput,
    SwallowedError,
    EndedTransaction,
    EndedAndBegunAnew,
    DeferredConstraint,
}

/// Goes wrong at the first attempt.
struct Unlucky;

#[workflow]
impl Unlucky {
    async fn run(&self, _cx: &Context, mishap: Mishap) -> Result<f64> {
        self.debit(mishap).await
    }

    #[step(transaction, timeout = "30s", retry(max_attempts = 2, backoff = constant, base = "1ms", jitter = 0.0))]
    async fn debit(&self, tx: &mut Transaction, mishap: Mishap) -> Result<f64> {
        enter(tx, ACCOUNT).await?;
        if durable::step().attempt() > 1 {
            return Ok(1.0);
        }
        let run = async |tx: &mut Transaction, sql: &'static str| sqlx::raw_sql(sql).execute(&mut **tx).await;
        match mishap {
            Mishap::Error => Err(Error::new("the account is closed")),
            Mishap::Panic => panic!("the account is a surprise"),
            Mishap::Timeout => std::future::pending().await,
            Mishap::UnstorableOutput => Ok(f64::NAN),
            Mishap::SwallowedError => Ok(run(tx, "select 1 / 0").await.map_or(2.0, |_| 3.0)),
            Mishap::EndedTransaction => Ok(run(tx, "rollback").await.map(|_| 2.0)?),
            Mishap::EndedAndBegunAnew => Ok(run(tx, "rollback; begin; insert into entries values ('eve')").await.map(|_| 2.0)?),
            Mishap::DeferredConstraint => {
                Ok(run(tx, "insert into twins values (1); insert into twins values (1)").await.map(|_| 2.0)?)
            }
        }
    }
}

#[tokio::test]
async fn the_rows_of_a_step_are_committed_together_with_its_outcome() {
    let database = database().await;
    let durable = database.builder().register(Transfer).start().await.unwrap();
    let handle = durable.start::<Transfer>(ACCOUNT.to_owned()).await.unwrap();
    assert_eq!(soon("finished", handle.result()).await.unwrap(), 1);
    assert_entered(&database, 1, "after one transfer").await;
    let keys: Vec<String> = database.values("select key from durable.checkpoints order by finished_at, key").await;
    assert_eq!(keys, ["step prepare", "step debit", "step finish"]);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_step_commits_in_a_schema_of_any_name() {
    let database = database().await;
    let schema = "elsewhere".parse().unwrap();
    durable::migrate::migrate(&database.url, &schema).await.unwrap();
    let durable = database.builder().schema("elsewhere").register(Transfer).start().await.unwrap();
    let handle = durable.start::<Transfer>(ACCOUNT.to_owned()).await.unwrap();
    assert_eq!(soon("finished", handle.result()).await.unwrap(), 1);
    assert_eq!(database.count(ENTRIES).await, 1);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_attempt_that_goes_wrong_leaves_no_row() {
    let expected = [
        (Mishap::Error, "the account is closed"),
        (Mishap::Panic, "panicked: the account is a surprise"),
        (Mishap::Timeout, "took longer than its timeout"),
        (Mishap::UnstorableOutput, "cannot be stored"),
        (Mishap::SwallowedError, "current transaction is aborted"),
        (Mishap::DeferredConstraint, "duplicate key value"),
    ];
    for (mishap, message) in expected {
        let database = database().await;
        database.run("create table twins (n int unique deferrable initially deferred)").await;
        clock::freeze(&database).await;
        let durable = database.builder().register(Unlucky).transaction_connections(1).start().await.unwrap();
        let handle = durable.start::<Unlucky>(mishap).await.unwrap();
        if let Mishap::Timeout = mishap {
            eventually("the body has begun", async || database.count(IN_TRANSACTION).await == 1).await;
            clock::turn(&database, Duration::from_secs(31)).await;
        }
        let failed: String = if let Mishap::UnstorableOutput = mishap {
            soon("failed", handle.result()).await.unwrap_err().to_string()
        } else {
            let failed: String = database.eventually_value("select error ->> 'message' from durable.attempts").await;
            clock::advance(&database, Duration::from_secs(1)).await;
            assert!((soon("finished", handle.result()).await.unwrap() - 1.0).abs() < 0.1);
            assert_entered(&database, 1, &format!("after {mishap:?}")).await;
            failed
        };
        assert!(failed.contains(message), "{mishap:?}: {failed}");
        assert_nothing_left_open(&database).await;
        durable.shutdown().await.unwrap();
        if let Mishap::UnstorableOutput = mishap {
            assert_eq!(database.count(ENTRIES).await, 0);
        }
    }
}

const IN_TRANSACTION: &str = "select count(*) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and state = 'idle in transaction'";

#[tokio::test]
async fn a_step_that_ends_its_transaction_by_itself_fails() {
    for mishap in [Mishap::EndedTransaction, Mishap::EndedAndBegunAnew] {
        let database = database().await;
        let durable = database.builder().register(Unlucky).start().await.unwrap();
        let handle = durable.start::<Unlucky>(mishap).await.unwrap();
        let error = soon("failed", handle.result()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("ended its transaction by itself"), "{error}");
        assert_eq!(database.count(ENTRIES).await, 0, "{mishap:?}");
        assert_nothing_left_open(&database).await;
        durable.shutdown().await.unwrap();
    }
}

/// Asks what its transaction is like.
struct Curious;

#[workflow]
impl Curious {
    async fn run(&self, _cx: &Context, (): ()) -> Result<Vec<String>> {
        self.ask().await
    }

    #[step(transaction)]
    async fn ask(&self, tx: &mut Transaction) -> Result<Vec<String>> {
        let mut answers = Vec::new();
        for setting in ["enable_seqscan", "enable_nestloop", "enable_sort", "plan_cache_mode", "jit"] {
            let query = "select boot_val = setting from pg_settings where name = $1";
            let own: bool = sqlx::query_scalar(query).bind(setting).fetch_one(&mut **tx).await?;
            answers.push(format!("{setting} {}", if own { "as ever" } else { "changed" }));
        }
        // Savepoints are the step's own business.
        let mut inner = tx.begin().await?;
        sqlx::query("insert into entries values ('lost')").execute(&mut *inner).await?;
        inner.rollback().await?;
        let mut inner = tx.begin().await?;
        sqlx::query("insert into entries values ('kept')").execute(&mut *inner).await?;
        inner.commit().await?;
        Ok(answers)
    }
}

#[tokio::test]
async fn its_connection_has_the_settings_of_the_database_and_may_set_savepoints() {
    let database = database().await;
    let durable = database.builder().register(Curious).start().await.unwrap();
    let answers = soon("answered", durable.start::<Curious>(()).await.unwrap().result()).await.unwrap();
    assert!(answers.iter().all(|answer| answer.ends_with("as ever")), "{answers:?}");
    assert_eq!(database.values::<String>("select account from entries").await, ["kept"]);
    durable.shutdown().await.unwrap();
}

/// Calls a transactional step where it cannot run.
struct Nested;

#[workflow]
impl Nested {
    async fn run(&self, _cx: &Context, (): ()) -> Result<i64> {
        self.outer().await
    }

    #[step]
    async fn outer(&self) -> Result<i64> {
        self.inner().await
    }

    #[step(transaction)]
    async fn inner(&self, tx: &mut Transaction) -> Result<i64> {
        enter(tx, ACCOUNT).await
    }
}

#[tokio::test]
async fn outside_an_execution_and_inside_another_step_it_says_where_it_runs() {
    let error = Nested.inner().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("runs only inside an execution"), "{error}");

    let database = database().await;
    let durable = database.builder().register(Nested).start().await.unwrap();
    let error = soon("failed", durable.start::<Nested>(()).await.unwrap().result()).await.unwrap_err();
    assert!(error.to_string().contains("runs only inside an execution"), "{error}");
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_engine_without_connections_for_it_does_not_start() {
    let builder = Durable::builder().database_url("postgres://nowhere/").register(Transfer).transaction_connections(0);
    let error = builder.start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}

fn trap(statement: &str, moment: Moment, fate: Fate) -> Trap {
    Trap { statements: vec![statement.to_owned()], nth: 1, moment, fate }
}

#[tokio::test]
async fn a_transfer_is_made_once_whichever_answer_is_lost() {
    for (statement, moment) in STATEMENTS.into_iter().flat_map(|statement| MOMENTS.map(|moment| (statement, moment))) {
        let what = format!("{moment:?} {statement}").to_lowercase();
        let database = database().await;
        let proxy = Proxy::before(&database).await;
        let builder = Durable::builder().database_url(proxy.url()).max_connections(4);
        let durable = builder.register(Transfer).start().await.unwrap();
        proxy.set(trap(statement, moment, Fate::Cut));
        let handle = durable.start::<Transfer>(ACCOUNT.to_owned()).await.unwrap();
        assert_eq!(soon(&format!("finished although cut {what}"), handle.result()).await.unwrap(), 1, "{what}");
        assert!(proxy.has_caught(), "{what} never came");
        assert_entered(&database, 1, &what).await;
        assert_nothing_left_open(&database).await;
        durable.shutdown().await.unwrap();
    }
}

/// Has one attempt only.
struct Once;

#[workflow]
impl Once {
    async fn run(&self, _cx: &Context, (): ()) -> Result<i64> {
        self.debit().await
    }

    #[step(transaction)]
    async fn debit(&self, tx: &mut Transaction) -> Result<i64> {
        enter(tx, ACCOUNT).await
    }
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_repeated_only_if_it_failed() {
    for moment in MOMENTS {
        let database = database().await;
        let proxy = Proxy::before(&database).await;
        let builder = Durable::builder().database_url(proxy.url()).max_connections(4);
        let durable = builder.register(Once).start().await.unwrap();
        proxy.set(trap("commit", moment, Fate::Cut));
        let result = soon("ended", durable.start::<Once>(()).await.unwrap().result()).await;
        assert!(proxy.has_caught());
        assert_eq!(result.unwrap(), 1, "{moment:?}");
        assert_entered(&database, 1, "after a commit whose answer was lost").await;
        durable.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_worker_that_freezes_before_its_commit_holds_nobody_up() {
    let database = database().await;
    let proxy = Proxy::before(&database).await;
    let builder = Durable::builder().database_url(proxy.url()).max_connections(4);
    let frozen = builder.register(Transfer).start().await.unwrap();
    proxy.set(trap("commit", Moment::Before, Fate::Held));
    let handle = frozen.start::<Transfer>(ACCOUNT.to_owned()).await.unwrap();
    proxy.caught().await;
    // The commit is on its way, and never arrives: the transaction ends before it, and gives the worker's row free.
    let ended = "select count(*) = 0 from pg_stat_activity
                 where datname = current_database() and state = 'idle in transaction'";
    eventually("the transaction ended", async || database.value(ended).await).await;
    leases_run_out(&database).await;
    let second = database.builder().register(Transfer).start().await.unwrap();
    let handle = second.handle::<Transfer>(handle.id());
    assert_eq!(soon("finished by the second", handle.result()).await.unwrap(), 1);
    assert_entered(&database, 1, "after a takeover").await;
    proxy.release();
    second.shutdown().await.unwrap();
    drop(frozen);
    assert_entered(&database, 1, "after the late commit").await;
}

/// Writes, then waits until it is told to end.
struct Held {
    attempts: Arc<AtomicU32>,
    go: Arc<Notify>,
}

#[workflow]
impl Held {
    async fn run(&self, _cx: &Context, (): ()) -> Result<i64> {
        self.debit().await
    }

    #[step(transaction)]
    async fn debit(&self, tx: &mut Transaction) -> Result<i64> {
        let entries = enter(tx, ACCOUNT).await?;
        if self.attempts.fetch_add(1, Ordering::SeqCst) == 0 {
            self.go.notified().await;
        }
        Ok(entries)
    }
}

#[tokio::test]
async fn a_worker_that_was_declared_lost_commits_nothing() {
    // Above read committed, the commit reads with the snapshot of the step's first statement, which still shows the worker alive.
    for isolation in ["read committed", "repeatable read", "serializable"] {
        let database = database().await;
        clock::freeze(&database).await;
        let name: String = database.value("select current_database()::text").await;
        database.run(&format!("alter database {name} set default_transaction_isolation = '{isolation}'")).await;
        let held = Held { attempts: Arc::default(), go: Arc::default() };
        let (attempts, go) = (held.attempts.clone(), held.go.clone());
        // With a lease this long no heartbeat tells the worker in time: only the commit itself can.
        let durable = database.builder().lease(Duration::from_secs(600)).register(held).start().await.unwrap();
        let handle = durable.start::<Held>(()).await.unwrap();
        eventually("the row was written", async || attempts.load(Ordering::SeqCst) == 1).await;
        database.run("update durable.workers set lost_at = durable.now()").await;
        go.notify_one();
        assert_nothing_left_open(&database).await;
        assert_eq!(database.count(ENTRIES).await, 0, "{isolation}");
        assert_eq!(database.count(STEPS).await, 0, "{isolation}");

        let held = Held { attempts, go };
        let second = database.builder().register(held).start().await.unwrap();
        let handle = second.handle::<Held>(handle.id());
        assert_eq!(soon("finished by the second", handle.result()).await.unwrap(), 1, "{isolation}");
        assert_entered(&database, 1, "by the second").await;
        second.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn an_outcome_that_is_on_record_already_is_the_outcome() {
    let database = database().await;
    let held = Held { attempts: Arc::default(), go: Arc::default() };
    let (attempts, go) = (held.attempts.clone(), held.go.clone());
    let durable = database.builder().register(held).start().await.unwrap();
    let handle = durable.start::<Held>(()).await.unwrap();
    eventually("the row was written", async || attempts.load(Ordering::SeqCst) == 1).await;
    // As if an earlier attempt, whose commit was under way when it was given up, had come through after all.
    database
        .run(
            "insert into durable.checkpoints (execution_id, started_at, finished_at, attempt, key, output)
             select execution_id, now(), now(), 1, 'step debit', '17' from durable.executions",
        )
        .await;
    go.notify_one();
    assert_eq!(soon("finished", handle.result()).await.unwrap(), 17);
    assert_eq!(database.count(ENTRIES).await, 0);
    assert_nothing_left_open(&database).await;
    durable.shutdown().await.unwrap();
}

/// Polls its step so many times at most, then drops it; says whether it had finished by then.
struct Impatient;

#[workflow]
impl Impatient {
    async fn run(&self, _cx: &Context, polls: usize) -> Result<bool> {
        Ok(polled(self.debit(), polls).await)
    }

    #[step(transaction)]
    async fn debit(&self, tx: &mut Transaction) -> Result<i64> {
        enter(tx, ACCOUNT).await
    }
}

#[tokio::test]
async fn a_step_dropped_at_any_poll_leaves_no_transaction_open_and_the_next_one_clean() {
    let database = database().await;
    let builder = database.builder().transaction_connections(1);
    let durable = builder.register(Impatient).register(Transfer).start().await.unwrap();
    for polls in 1.. {
        assert!(polls < 100, "a step takes a hundred polls");
        let handle = durable.start::<Impatient>(polls).await.unwrap();
        let finished = soon("ended", handle.result()).await.unwrap();
        assert_nothing_left_open(&database).await;
        let steps: i64 = database.count(STEPS).await;
        assert_entered(&database, steps, &format!("after {polls} polls")).await;
        // The next borrower of the only connection.
        let handle = durable.start::<Transfer>(format!("after {polls} polls")).await.unwrap();
        assert_eq!(soon("the next one finished", handle.result()).await.unwrap(), 1);
        if finished {
            break;
        }
    }
    durable.shutdown().await.unwrap();
}

/// Loses its step in a race with an event.
struct Raced {
    lost: Arc<AtomicU32>,
}

/// Counts up when it is dropped.
struct Guard(Arc<AtomicU32>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[workflow]
impl Raced {
    async fn run(&self, cx: &Context, (): ()) -> Result<i64> {
        let debit = async {
            let _lost = Guard(self.lost.clone());
            self.debit().await
        };
        durable::race!(debit, async { cx.wait_for_event("stop").await }).await
    }

    #[step(transaction)]
    async fn debit(&self, tx: &mut Transaction) -> Result<i64> {
        enter(tx, ACCOUNT).await
    }
}

#[tokio::test]
async fn an_execution_does_not_end_before_the_commits_it_has_dropped() {
    let database = database().await;
    let proxy = Proxy::before(&database).await;
    let builder = Durable::builder().database_url(proxy.url()).max_connections(4);
    let lost = Arc::new(AtomicU32::new(0));
    let ends = Ends::default();
    let durable = builder.register(Raced { lost: lost.clone() }).observe(ends.clone()).start().await.unwrap();
    proxy.set(trap("commit", Moment::After, Fate::Held));
    let handle = durable.start::<Raced>(()).await.unwrap();
    proxy.caught().await;
    durable.send_event(handle.id(), "stop", &7).await.unwrap();
    eventually("the step lost the race", async || lost.load(Ordering::SeqCst) == 1).await;
    assert_eq!(database.count("select count(*) from durable.executions where finished_at is not null").await, 0);
    proxy.release();
    assert_eq!(soon("ended", handle.result()).await.unwrap(), 7);
    assert_eq!(database.count(ENTRIES).await, 1);
    let kept = "select output::text from durable.checkpoints where key like '%step debit'";
    assert_eq!(database.values::<String>(kept).await, ["1"], "the journal tells what was committed");
    durable.shutdown().await.unwrap();
    ends.assert_told("race/0/step debit well").await;
}

/// Notes how attempts ended.
#[derive(Clone, Default)]
struct Ends(Arc<Mutex<Vec<String>>>);

impl Observer for Ends {
    fn after_step(&self, step: &StepEnded) {
        let how = step.error.as_ref().map_or("well".to_owned(), |error| format!("{:?}", error.kind).to_lowercase());
        self.0.lock().unwrap().push(format!("{} {how}", step.key));
    }
}

impl Ends {
    /// Each attempt that has begun ends once, in whatever way it does.
    async fn assert_told(&self, expected: &str) {
        eventually("told how the step ended", async || !self.0.lock().unwrap().is_empty()).await;
        assert_eq!(*self.0.lock().unwrap(), [expected]);
    }
}

/// Changes its mind, or is made to, while its step is being committed.
struct Undone {
    lost: Arc<AtomicU32>,
    credited: Arc<AtomicU32>,
}

#[workflow]
impl Undone {
    async fn run(&self, cx: &Context, (): ()) -> Result<()> {
        let debit = async {
            let _lost = Guard(self.lost.clone());
            self.debit().await
        };
        let _: i64 = durable::race!(debit, async { cx.wait_for_event("stop").await }).await?;
        Err(Error::new("changed its mind"))
    }

    #[step(transaction, compensate = credit)]
    async fn debit(&self, tx: &mut Transaction) -> Result<i64> {
        enter(tx, ACCOUNT).await
    }

    #[compensation]
    async fn credit(&self, entries: i64) -> Result<()> {
        assert_eq!(entries, 1);
        self.credited.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test]
async fn a_step_whose_commit_was_under_way_when_its_execution_failed_is_undone() {
    for moment in MOMENTS {
        let database = database().await;
        let proxy = Proxy::before(&database).await;
        let undone = Undone { lost: Arc::default(), credited: Arc::default() };
        let (lost, credited) = (undone.lost.clone(), undone.credited.clone());
        let builder = Durable::builder().database_url(proxy.url()).max_connections(4);
        let durable = builder.register(undone).start().await.unwrap();
        proxy.set(trap("commit", moment, Fate::Held));
        let handle = durable.start::<Undone>(()).await.unwrap();
        proxy.caught().await;
        durable.send_event(handle.id(), "stop", &7).await.unwrap();
        eventually("the step lost the race", async || lost.load(Ordering::SeqCst) == 1).await;
        proxy.release();
        let error = soon("ended", handle.result()).await.unwrap_err();
        assert!(error.to_string().contains("changed its mind"), "{error}");
        let committed = database.count(ENTRIES).await;
        assert_eq!(i64::from(credited.load(Ordering::SeqCst)), committed, "{moment:?}");
        assert_eq!(committed, 1, "the commit was held too long");
        assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Compensated);
        durable.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_step_whose_commit_failed_after_its_execution_is_not_undone() {
    let database = database().await;
    let proxy = Proxy::before(&database).await;
    let undone = Undone { lost: Arc::default(), credited: Arc::default() };
    let (lost, credited) = (undone.lost.clone(), undone.credited.clone());
    let builder = Durable::builder().database_url(proxy.url()).max_connections(4);
    let ends = Ends::default();
    let durable = builder.register(undone).observe(ends.clone()).start().await.unwrap();
    proxy.set(trap("commit", Moment::Before, Fate::Held));
    let handle = durable.start::<Undone>(()).await.unwrap();
    proxy.caught().await;
    durable.send_event(handle.id(), "stop", &7).await.unwrap();
    eventually("the step lost the race", async || lost.load(Ordering::SeqCst) == 1).await;
    proxy.pass(Passage::Refused);
    eventually("the transaction ended", async || database.count(IN_TRANSACTION).await == 0).await;
    proxy.pass(Passage::Open);
    let error = soon("ended", handle.result()).await.unwrap_err();
    assert!(error.to_string().contains("changed its mind"), "{error}");
    assert_eq!(database.count(ENTRIES).await, 0);
    assert_eq!(credited.load(Ordering::SeqCst), 0);
    assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Failed);
    durable.shutdown().await.unwrap();
    ends.assert_told("race/0/step debit unavailable").await;
}

#[tokio::test]
async fn a_rollback_from_outside_waits_for_the_commit_and_undoes_the_step() {
    let database = database().await;
    let proxy = Proxy::before(&database).await;
    let undone = Undone { lost: Arc::default(), credited: Arc::default() };
    let credited = undone.credited.clone();
    let builder = Durable::builder().database_url(proxy.url()).max_connections(4);
    let durable = builder.register(undone).start().await.unwrap();
    let client = database.client().await;
    proxy.set(trap("checkpoints/commit", Moment::After, Fate::Held));
    let handle = durable.start::<Undone>(()).await.unwrap();
    proxy.caught().await;
    let (id, asking) = (handle.id(), client.clone());
    let rollback = tokio::spawn(async move { asking.rollback(id, "not wanted any more").await });
    // It soon gives up on the lock, and tries again.
    let asked =
        "select count(*) from pg_stat_activity where datname = current_database() and query like '-- executions/rollback%'";
    eventually("the rollback has asked", async || database.count(asked).await > 0).await;
    proxy.release();
    soon("rolled back", rollback).await.unwrap().unwrap();
    let error = soon("ended", handle.result()).await.unwrap_err();
    assert!(error.to_string().contains("not wanted any more"), "{error}");
    assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Compensated);
    assert_entered(&database, 1, "before the rollback").await;
    assert_eq!(credited.load(Ordering::SeqCst), 1);
    durable.shutdown().await.unwrap();
}

/// The worker process that is killed: it starts the transfer itself, and works on it.
pub(crate) async fn work(url: &str) {
    let builder = Durable::builder().database_url(url).max_connections(4).poll_interval(Duration::from_secs(1));
    let durable = builder.register(Transfer).start().await.unwrap();
    durable.start::<Transfer>(ACCOUNT.to_owned()).key("transfer").await.unwrap();
    std::future::pending().await
}

#[tokio::test]
async fn a_transfer_survives_a_crash_before_and_after_each_of_its_statements() {
    let points = STATEMENTS.into_iter().flat_map(|statement| MOMENTS.map(|moment| (statement, moment)));
    futures_util::stream::iter(points).for_each_concurrent(2, |(statement, moment)| crash_at(statement, moment)).await;
}

async fn crash_at(statement: &str, moment: Moment) {
    let what = format!("{moment:?} {statement}").to_lowercase();
    let (database, folder) = (database().await, Folder::new());
    let proxy = Proxy::before(&database).await;
    proxy.set(trap(statement, moment, Fate::Held));
    let mut process = Process::start("transfer", proxy.url(), &folder);
    proxy.caught().await;
    process.kill();
    drop(proxy);
    leases_run_out(&database).await;
    let durable = database.builder().register(Transfer).start().await.unwrap();
    let handle = durable.start::<Transfer>(ACCOUNT.to_owned()).key("transfer").await.unwrap();
    assert_eq!(soon(&format!("finished after a crash {what}"), handle.result()).await.unwrap(), 1, "{what}");
    assert_entered(&database, 1, &what).await;
    durable.shutdown().await.unwrap();
}
