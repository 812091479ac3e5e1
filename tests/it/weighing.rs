//! Weighing: what executions write goes to the database in statements of bounded size, however much is ready at once.

use durable::prelude::*;
use durable::sqlx::{self, AssertSqlSafe, Connection, Executor, PgConnection};

use crate::support::{self, Database, eventually, soon};

/// Just below the limit of a payload.
const HEAVY: usize = 3_900_000;

/// No statement has more bytes than this, unless a single item has.
const LARGEST: i64 = 8 * 1024 * 1024;

fn text(of: usize) -> String {
    "x".repeat(of)
}

/// Returns a text of so many bytes.
struct Heavy;

#[workflow]
impl Heavy {
    async fn run(&self, _cx: &Context, bytes: usize) -> Result<String> {
        Ok(text(bytes))
    }
}

/// Runs so many heavy steps at once.
struct HeavySteps;

#[workflow]
impl HeavySteps {
    async fn run(&self, cx: &Context, steps: usize) -> Result<usize> {
        Ok(cx.map(0..steps).concurrency(steps).each(|_| self.weigh()).await?.iter().map(String::len).sum())
    }

    #[step]
    async fn weigh(&self) -> Result<String> {
        Ok(text(HEAVY))
    }
}

/// Starts so many children with heavy inputs at once.
struct HeavyChildren;

#[workflow]
impl HeavyChildren {
    async fn run(&self, cx: &Context, children: usize) -> Result<usize> {
        let lengths = cx.map(0..children).concurrency(children).each(|_| cx.child::<Length>(text(HEAVY))).await?;
        Ok(lengths.iter().sum())
    }
}

struct Length;

#[workflow(queue = "heavy")]
impl Length {
    async fn run(&self, _cx: &Context, text: String) -> Result<usize> {
        Ok(text.len())
    }
}

/// The bytes that the fullest transaction has written into a column.
async fn fullest(database: &Database, table: &str, column: &str) -> i64 {
    let sum = format!("select sum(octet_length({column}::text)) as bytes from durable.{table} group by xmin::text");
    database.count(&format!("select coalesce(max(bytes), 0)::int8 from ({sum}) as written")).await
}

async fn lock(database: &Database, table: &str) -> PgConnection {
    let mut stranger = PgConnection::connect(&database.url).await.unwrap();
    let held = format!("begin; lock table durable.{table} in share mode");
    stranger.execute(sqlx::raw_sql(AssertSqlSafe(held))).await.unwrap();
    stranger
}

#[tokio::test(flavor = "multi_thread")]
async fn heavy_outputs_that_queued_up_are_written_some_at_a_time() {
    let database = support::database().await;
    let worker = database.builder().register(Heavy).start().await.unwrap();
    let light = worker.start::<Heavy>(1).await.unwrap();
    assert_eq!(soon("a light one", light.result()).await.unwrap().len(), 1);
    let mut stranger = lock(&database, "checkpoints").await;
    let mut all = Vec::new();
    for nth in 0..6 {
        all.push(worker.start::<Heavy>(if nth % 2 == 0 { HEAVY } else { nth }).await.unwrap());
    }
    stranger.execute("commit").await.unwrap();
    for (nth, handle) in all.iter().enumerate() {
        let length = soon("an end", handle.result()).await.unwrap().len();
        assert_eq!(length, if nth % 2 == 0 { HEAVY } else { nth });
    }
    assert!(fullest(&database, "executions", "output").await <= LARGEST);
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_steps_of_one_execution_are_written_some_at_a_time() {
    let database = support::database().await;
    let worker = database.builder().register(HeavySteps).start().await.unwrap();
    let handle = worker.start::<HeavySteps>(3).await.unwrap();
    assert_eq!(soon("an end", handle.result()).await.unwrap(), 3 * HEAVY);
    assert_eq!(database.count("select count(*) from durable.checkpoints").await, 3);
    assert!(fullest(&database, "checkpoints", "output").await <= LARGEST);
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_children_of_one_execution_are_started_some_at_a_time() {
    let database = support::database().await;
    let client = database.client().await;
    let handle = client.start::<HeavyChildren>(3).await.unwrap();
    let worker = database.builder().register(HeavyChildren).start().await.unwrap();
    // No worker of theirs yet: the rows are as they were started.
    eventually("all are started", async || database.count("select count(*) from durable.executions").await == 4).await;
    assert!(fullest(&database, "executions", "input").await <= LARGEST);
    let other = database.builder().register(Length).start().await.unwrap();
    assert_eq!(soon("an end", handle.result()).await.unwrap(), 3 * HEAVY);
    worker.shutdown().await.unwrap();
    other.shutdown().await.unwrap();
}
