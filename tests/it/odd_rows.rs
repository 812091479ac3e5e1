//! Odd rows: a row that this program cannot read spoils its own execution and nothing else.

use durable::prelude::*;
use sqlx::types::Uuid;

use crate::support::{self, Database, PATIENCE, clock, eventually};

/// Sleeps that many seconds.
struct Nap;

#[workflow]
impl Nap {
    async fn run(&self, cx: &Context, length: u64) -> Result<u64> {
        cx.sleep(seconds(length)).await?;
        self.wake(length).await
    }

    #[step]
    async fn wake(&self, length: u64) -> Result<u64> {
        Ok(length)
    }
}

/// Returns what it is given.
struct Echo;

#[workflow]
impl Echo {
    async fn run(&self, _cx: &Context, text: String) -> Result<String> {
        Ok(text)
    }
}

/// Times at the ends of what Postgres holds, most of them beyond what Rust holds.
const ODD_TIMES: [&str; 5] = ["infinity", "-infinity", "294276-12-31", "290000-01-01", "4713-01-01 BC"];

/// Payloads that the type `json` takes and serde_json refuses.
const ODD_PAYLOADS: [&str; 3] = [r#""\ud800""#, r#"{"a": 1e400}"#, r#"["\u0000 and \udc00"]"#];

/// Waits until an execution rests in its sleep.
async fn asleep(database: &Database, id: ExecutionId) {
    let sleeps = format!("select state = 'waiting' from durable.executions where execution_id = '{id}'");
    eventually("it sleeps", async || database.value(&sleeps).await).await;
}

#[tokio::test]
async fn a_timer_beyond_all_years_stops_no_other_timer() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Nap).start().await.unwrap();
    for time in ODD_TIMES {
        let odd = worker.start::<Nap>(60).await.unwrap();
        asleep(&database, odd.id()).await;
        database
            .run(&format!(
                "update durable.waits set due_at = '{time}' where execution_id = '{0}';
                 update durable.executions set wake_at = '{time}', deadline_at = '{time}' where execution_id = '{0}'",
                odd.id()
            ))
            .await;
        let healthy = worker.start::<Nap>(60).await.unwrap();
        asleep(&database, healthy.id()).await;
        clock::turn(&database, minutes(2)).await;
        assert_eq!(healthy.result_within(PATIENCE).await.unwrap(), 60, "{time}");
        let listed = worker.list_executions().await.unwrap().executions;
        assert!(listed.iter().any(|execution| execution.id == odd.id()), "{time}");
        worker.get_execution(odd.id()).await.unwrap();
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_payload_that_cannot_be_read_is_shown_as_such_beside_the_others() {
    let database = support::database().await;
    let worker = database.builder().register(Echo).start().await.unwrap();
    for payload in ODD_PAYLOADS {
        let odd: Uuid = database.value("select durable.start('echo', '\"a\"', delay => '1 hour')").await;
        database.run(&format!("update durable.executions set input = '{payload}' where execution_id = '{odd}'")).await;
        let healthy = worker.start::<Echo>("b".to_owned()).await.unwrap();
        assert_eq!(healthy.result_within(PATIENCE).await.unwrap(), "b");
        let listed = worker.list_executions().await.unwrap().executions;
        assert!(listed.iter().any(|execution| execution.id == odd.into()), "{payload}");
        worker.get_execution(odd.into()).await.unwrap();
        database.run(&format!("update durable.executions set wake_at = durable.now() where execution_id = '{odd}'")).await;
        let error = worker.handle::<Echo>(odd.into()).result_within(PATIENCE).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Payload, "{payload}: {error}");
    }
    worker.shutdown().await.unwrap();
}
