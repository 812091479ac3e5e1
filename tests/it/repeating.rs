//! Repeating: an attempt that left nothing behind is repeated without being counted; a retried execution gives its children the
//! keys of the failed ones.

use std::time::{Duration, Instant};

use durable::prelude::*;
use durable::{Transaction, sqlx};

use crate::support::bodies::Tally;
use crate::support::{self, PATIENCE};

/// Enters a sum into a table; its input says what goes wrong at the first call.
struct Enter(Tally);

#[workflow]
impl Enter {
    async fn run(&self, _cx: &Context, trouble: String) -> Result<i64> {
        self.enter(trouble).await
    }

    #[step(transaction)]
    async fn enter(&self, tx: &mut Transaction, trouble: String) -> Result<i64> {
        sqlx::query("insert into ledger values (7)").execute(&mut **tx).await?;
        if self.0.add("enter") == 1 || trouble.starts_with("always") {
            let trouble = trouble.trim_start_matches("always ");
            sqlx::query(sqlx::AssertSqlSafe(trouble.to_owned())).execute(&mut **tx).await?;
        }
        Ok(sqlx::query_scalar("select count(*) from ledger").fetch_one(&mut **tx).await?)
    }
}

const OUTAGE: &str = "select pg_terminate_backend(pg_backend_pid())";
const CONFLICT: &str = "do $$ begin raise exception using errcode = '40001', message = 'could not serialize access'; end $$";
const DEADLOCK: &str = "do $$ begin raise exception using errcode = '40P01', message = 'deadlock detected'; end $$";

/// How a step with this trouble ended: its result, the calls of its body, and the recorded attempt.
async fn entered(trouble: &str) -> (Result<i64>, usize, i16) {
    let database = support::database().await;
    database.run("create table ledger (cents bigint)").await;
    let tally = Tally::default();
    let worker = database.builder().register(Enter(tally.clone())).start().await.unwrap();
    let result = worker.start::<Enter>(trouble.to_owned()).await.unwrap().result_within(PATIENCE).await;
    worker.shutdown().await.unwrap();
    let attempt = database.value("select attempt from durable.checkpoints where key = 'step enter'").await;
    (result, tally.count("enter"), attempt)
}

#[tokio::test]
async fn an_outage_during_a_transactional_step_costs_no_attempt() {
    let (result, calls, attempt) = entered(OUTAGE).await;
    assert_eq!((result.unwrap(), calls, attempt), (1, 2, 1));
}

#[tokio::test]
async fn a_transactional_step_is_repeated_when_other_transactions_were_in_its_way() {
    for trouble in [CONFLICT, DEADLOCK] {
        let (result, calls, attempt) = entered(trouble).await;
        assert_eq!((result.unwrap(), calls, attempt), (1, 2, 1), "{trouble}");
    }
}

#[tokio::test]
async fn a_transactional_step_that_is_always_in_conflict_fails_in_the_end() {
    let (result, calls, attempt) = entered(&format!("always {CONFLICT}")).await;
    assert!(result.unwrap_err().to_string().contains("could not serialize access"));
    assert_eq!((calls, attempt), (11, 1));
}

#[tokio::test]
async fn another_error_of_a_transactional_step_is_not_repeated() {
    let (result, calls, _) = entered("select 1 / 0").await;
    assert!(result.unwrap_err().to_string().contains("division by zero"));
    assert_eq!(calls, 1);
}

/// Blocks its thread for longer than its timeout.
struct Blocking(Tally);

#[workflow]
impl Blocking {
    async fn run(&self, _cx: &Context, (): ()) -> Result<()> {
        self.block().await
    }

    #[step(timeout = "1ms")]
    async fn block(&self) -> Result<()> {
        self.0.add("block");
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(50) {}
        Ok(())
    }
}

#[tokio::test]
async fn a_step_that_blocks_its_thread_beyond_its_timeout_has_timed_out() {
    let database = support::database().await;
    let tally = Tally::default();
    let worker = database.builder().register(Blocking(tally.clone())).start().await.unwrap();
    let error = worker.start::<Blocking>(()).await.unwrap().result_within(PATIENCE).await.unwrap_err();
    assert_eq!((error.kind(), tally.count("block")), (ErrorKind::TimedOut, 1));
    worker.shutdown().await.unwrap();
}

/// Has a child with a key, which fails the first time.
struct Parent;

#[workflow]
impl Parent {
    async fn run(&self, cx: &Context, (): ()) -> Result<String> {
        cx.child::<Child>(()).key("the-child").await
    }
}

struct Child(Tally);

#[workflow]
impl Child {
    async fn run(&self, _cx: &Context, (): ()) -> Result<String> {
        match self.0.add("child") {
            1 | 2 => Err(Error::permanent("not yet")),
            _ => Ok("grown up".to_owned()),
        }
    }
}

#[tokio::test]
async fn a_retried_parent_starts_its_failed_child_again_under_the_same_key() {
    let database = support::database().await;
    let tally = Tally::default();
    let worker = database.builder().register(Parent).register(Child(tally.clone())).start().await.unwrap();
    let first = worker.start::<Parent>(()).await.unwrap();
    assert!(first.result_within(PATIENCE).await.unwrap_err().to_string().contains("not yet"));
    let second = worker.retry(first.id()).await.unwrap();
    assert!(worker.handle::<Parent>(second).result_within(PATIENCE).await.unwrap_err().to_string().contains("not yet"));
    let third = worker.retry(second).await.unwrap();
    assert_eq!(worker.handle::<Parent>(third).result_within(PATIENCE).await.unwrap(), "grown up");
    assert_eq!(database.count("select count(*) from durable.executions where key = 'the-child'").await, 1);
    worker.shutdown().await.unwrap();
}
