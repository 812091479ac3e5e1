//! Workers that end in order: they finish what they can, and give the rest back at once.

use std::time::Duration;

use durable::prelude::*;

use crate::support::process::{Effects, Flag, Folder, Process};
use crate::support::{self, clock, eventually, soon};

/// Two steps, the first of which waits for a flag.
struct TwoSteps {
    effects: Effects,
    until: Flag,
}

#[workflow]
impl TwoSteps {
    async fn run(&self, _cx: &Context, (): ()) -> Result<u32> {
        let one = self.first().await?;
        self.second(one).await
    }

    #[step]
    async fn first(&self) -> Result<u32> {
        self.effects.add("first began");
        self.until.wait().await;
        self.effects.add("first ended");
        Ok(1)
    }

    #[step]
    async fn second(&self, one: u32) -> Result<u32> {
        self.effects.add("second");
        Ok(one + 1)
    }
}

fn two_steps(folder: &Folder) -> TwoSteps {
    TwoSteps { effects: folder.effects(), until: folder.flag("go") }
}

/// A worker process that works until SIGTERM.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let builder = Durable::builder().database_url(url).max_connections(4);
    let durable = builder.register(two_steps(folder)).start().await.unwrap();
    durable.run_until_signal().await.unwrap();
}

#[tokio::test]
async fn a_step_under_way_is_finished_and_the_next_one_is_run_elsewhere() {
    let database = support::database().await;
    // A stopped clock: nothing here may depend on a lease that runs out.
    clock::freeze(&database).await;
    let folder = Folder::new();
    let client = database.client().await;
    let first = database.builder().register(two_steps(&folder)).start().await.unwrap();
    let handle = client.start::<TwoSteps>(()).await.unwrap();
    eventually("begun", async || folder.effects().count("first began") == 1).await;

    let down = tokio::spawn(async move { first.shutdown().await });
    let second = database.builder().register(two_steps(&folder)).start().await.unwrap();
    folder.flag("go").raise();
    soon("shut down", down).await.unwrap().unwrap();

    assert_eq!(soon("finished elsewhere", handle.result()).await.unwrap(), 2);
    assert_eq!(folder.effects().all(), ["first began", "first ended", "second"]);
    assert_eq!(database.count("select count(*) from durable.executions where epoch = 2").await, 1);
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_step_that_takes_too_long_is_interrupted_and_run_again_elsewhere() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let folder = Folder::new();
    let client = database.client().await;
    let first = database.builder().register(two_steps(&folder)).start().await.unwrap();
    let handle = client.start::<TwoSteps>(()).await.unwrap();
    eventually("begun", async || folder.effects().count("first began") == 1).await;

    soon("shut down", first.shutdown_within(Duration::ZERO)).await.unwrap();
    folder.flag("go").raise();
    let second = database.builder().register(two_steps(&folder)).start().await.unwrap();

    assert_eq!(soon("finished elsewhere", handle.result()).await.unwrap(), 2);
    assert_eq!(folder.effects().all(), ["first began", "first began", "first ended", "second"]);
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_process_that_is_told_to_end_gives_everything_back_at_once() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let folder = Folder::new();
    let client = database.client().await;
    let mut process = Process::start("until signal", &database.url, &folder);
    let handle = client.start::<TwoSteps>(()).await.unwrap();
    eventually("begun", async || folder.effects().count("first began") == 1).await;

    process.signal("TERM");
    folder.flag("go").raise();
    support::eventually_some("ended", async || process.success()).await;
    let left = "select count(*) from durable.workers where lost_at is null";
    assert_eq!(database.count(left).await, 0, "the worker did not say goodbye");
    assert_eq!(database.count("select count(*) from durable.executions where state = 'running'").await, 0);
    let second = database.builder().register(two_steps(&folder)).start().await.unwrap();

    assert_eq!(soon("finished elsewhere", handle.result()).await.unwrap(), 2);
    assert_eq!(folder.effects().count("first ended"), 1);
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn nothing_is_claimed_after_the_shutdown_began() {
    let database = support::database().await;
    let folder = Folder::new();
    let client = database.client().await;
    let durable = database.builder().register(two_steps(&folder)).start().await.unwrap();
    let under_way = client.start::<TwoSteps>(()).await.unwrap();
    eventually("begun", async || folder.effects().count("first began") == 1).await;

    let down = tokio::spawn({
        let durable = durable.clone();
        async move { durable.shutdown().await }
    });
    // The shutdown is under way when the running step was told of it; until then a start may still be taken.
    support::eventually("shutting down", async || !durable_takes_work(&durable, &database).await).await;
    let late = client.start::<TwoSteps>(()).await.unwrap();
    folder.flag("go").raise();
    soon("shut down", down).await.unwrap().unwrap();

    let state = late.execution().await.unwrap();
    assert_eq!((state.state, state.started_at), (ExecutionState::Pending, None));
    assert_eq!(under_way.execution().await.unwrap().state, ExecutionState::Pending);
}

/// Whether a start on this engine is still handed to its own worker.
async fn durable_takes_work(durable: &Durable, database: &support::Database) -> bool {
    let probe = durable.start::<TwoSteps>(()).queue("default").await.unwrap();
    let taken = format!("select state <> 'pending' from durable.executions where execution_id = '{}'", probe.id());
    database.value(&taken).await
}
