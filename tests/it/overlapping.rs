//! Flushes of checkpoints overlap on two connections, and the writes of one execution keep their order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use durable::prelude::*;
use tokio::sync::Semaphore;

use crate::support::proxy::{Fate, Moment, Proxy, Trap};
use crate::support::{self, eventually, soon};

/// Executions of which half have enough to write for a flush beside one that is held.
const OTHERS: u64 = 600;

/// What happens to a flush of checkpoints.
fn trap(nth: usize, moment: Moment, fate: Fate) -> Trap {
    Trap { statements: vec!["executions/save".to_owned()], nth, moment, fate }
}

/// Counts up in steps, each of which is called once.
#[derive(Clone, Default)]
struct Count {
    calls: Arc<AtomicUsize>,
}

#[workflow]
impl Count {
    async fn run(&self, _cx: &Context, mut number: u64) -> Result<u64> {
        for _ in 0..4 {
            number = self.add(number).await?;
        }
        Ok(number)
    }

    #[step]
    async fn add(&self, number: u64) -> Result<u64> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        Ok(number + 1)
    }
}

/// Two branches, each of which writes a checkpoint between its two steps: the second branch when the gate opens.
#[derive(Clone)]
struct Branches {
    /// Opens when the late step has begun: a step begins only when the checkpoints before it are committed.
    late_begun: Arc<Semaphore>,
    gate: Arc<Semaphore>,
    passed: Arc<AtomicUsize>,
}

#[workflow]
impl Branches {
    async fn run(&self, _cx: &Context, (): ()) -> Result<()> {
        durable::try_join!(
            async {
                self.early().await?;
                self.last().await
            },
            async {
                self.late().await?;
                self.last().await
            }
        )
        .await?;
        Ok(())
    }

    #[step]
    async fn early(&self) -> Result<()> {
        self.late_begun.acquire().await.unwrap().forget();
        Ok(())
    }

    #[step]
    async fn late(&self) -> Result<()> {
        self.late_begun.add_permits(1);
        self.gate.acquire().await.unwrap().forget();
        self.passed.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    #[step]
    async fn last(&self) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_flush_passes_one_that_is_held_and_leaves_the_writes_of_its_executions_behind_it() {
    let database = support::database().await;
    let proxy = Proxy::before(&database).await;
    let closed = || Arc::new(Semaphore::new(0));
    let branches = Branches { late_begun: closed(), gate: closed(), passed: Arc::default() };
    let builder = Durable::builder().database_url(proxy.url()).queue("default", 1000);
    let durable = builder.register(branches.clone()).register(Count::default()).start().await.unwrap();
    proxy.set(trap(1, Moment::Before, Fate::Held));

    let held = durable.start::<Branches>(()).await.unwrap();
    proxy.caught().await;
    branches.gate.add_permits(1);
    // The same poll that passes the gate queues the checkpoint, and this test runs on the thread of the engine.
    eventually("the second branch has a checkpoint to write", async || branches.passed.load(Ordering::SeqCst) == 1).await;
    let others = durable.start_many::<Count>(0..OTHERS).await.unwrap();
    eventually("another flush is answered", async || proxy.answered("executions/save") > 0).await;

    let written = format!("select count(*) from durable.checkpoints where execution_id = '{}'", held.id());
    assert_eq!(database.count(&written).await, 0, "the first checkpoint is held, and the second comes after it");
    assert!(database.count("select count(*) from durable.checkpoints").await > 0);
    proxy.release();
    soon("the held execution ends", held.result()).await.unwrap();
    for (number, other) in (0..).zip(others) {
        assert_eq!(soon("the others end", other.result()).await.unwrap(), number + 4);
    }
    let keys: Vec<String> = database
        .values(&format!("select key from durable.checkpoints where execution_id = '{}' order by ordinal limit 2", held.id()))
        .await;
    assert!(keys[0].ends_with("early") && keys[1].ends_with("late"), "{keys:?}");
    durable.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_in_a_flush_that_is_cut_is_written_once_whatever_overlaps_it() {
    const EXECUTIONS: u64 = 600;
    for moment in [Moment::Before, Moment::After] {
        for nth in 1..=4 {
            let database = support::database().await;
            let proxy = Proxy::before(&database).await;
            let count = Count::default();
            let builder = Durable::builder().database_url(proxy.url()).queue("default", 1000);
            let durable = builder.register(count.clone()).start().await.unwrap();
            proxy.set(trap(nth, moment, Fate::Cut));

            let handles = durable.start_many::<Count>(0..EXECUTIONS).await.unwrap();
            for (number, handle) in (0..).zip(handles) {
                assert_eq!(soon("it ends", handle.result()).await.unwrap(), number + 4);
            }
            assert!(proxy.has_caught(), "flush {nth}");
            assert_eq!(count.calls.load(Ordering::Relaxed), 4 * usize::try_from(EXECUTIONS).unwrap(), "{moment:?} {nth}");
            assert_eq!(database.count("select count(*) from durable.checkpoints").await, 4 * i64::try_from(EXECUTIONS).unwrap());
            durable.shutdown().await.unwrap();
        }
    }
}
