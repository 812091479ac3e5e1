//! Racing: the first branch to end wins, also after a crash; the losers are cut off, and leave no message behind.

use durable::prelude::*;
use durable::{Wait, WaitOutcome};

use crate::support::bodies::{Gate, Tally};
use crate::support::{self, Database, PATIENCE, clock, eventually};

async fn until_waiting(database: &Database, executions: i64) {
    let waiting = "select count(*) from durable.executions where state = 'waiting'";
    eventually("all wait", async || database.count(waiting).await == executions).await;
}

async fn wait(durable: &Durable, id: ExecutionId, key: &str) -> Wait {
    let details = durable.get_execution(id).await.unwrap();
    details.waits.into_iter().find(|wait| wait.key == key).unwrap_or_else(|| panic!("no wait `{key}`"))
}

/// Two steps race, of which one never ends; then it sleeps.
#[derive(Clone)]
struct Steps {
    tally: Tally,
    gate: Gate,
}

#[workflow]
impl Steps {
    async fn run(&self, cx: &Context, _: ()) -> Result<String> {
        let winner = durable::race!(self.stuck(), self.quick()).await;
        cx.sleep(minutes(1)).await?;
        winner
    }

    #[step(retry(max_attempts = 3))]
    async fn stuck(&self) -> Result<String> {
        self.tally.add("stuck");
        let (step, tally) = (durable::step(), self.tally.clone());
        tokio::spawn(async move {
            step.cancelled().await;
            tally.add("told");
        });
        self.gate.pass().await;
        Ok("stuck".to_owned())
    }

    #[step]
    async fn quick(&self) -> Result<String> {
        self.tally.add("quick");
        self.gate.until_inside(1).await;
        Ok("quick".to_owned())
    }
}

#[tokio::test]
async fn the_winner_is_on_record_and_the_losing_step_is_cut_off() {
    for cached in [0, 100] {
        let database = support::database().await;
        clock::freeze(&database).await;
        let workflow = Steps { tally: Tally::default(), gate: Gate::closed() };
        let worker = database.builder().cached_executions(cached).register(workflow.clone()).start().await.unwrap();
        let handle = worker.start::<Steps>(()).await.unwrap();
        until_waiting(&database, 1).await;
        assert_eq!(workflow.gate.inside(), 0, "the loser's body was dropped");
        eventually("what the loser has spawned was told", async || workflow.tally.count("told") == 1).await;
        clock::advance(&database, minutes(1)).await;
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "quick");
        assert_eq!(workflow.tally.all(), [("quick", 1), ("stuck", 1), ("told", 1)].map(|(k, n)| (k.to_owned(), n)).into());
        let decision: String = database.value("select output::text from durable.checkpoints where key = 'race'").await;
        assert_eq!(decision, r#"{"branch":1}"#);
        let details = worker.get_execution(handle.id()).await.unwrap();
        let loser = details.steps.iter().find(|step| step.key == "race/0/step stuck").unwrap();
        let failure = loser.error.as_ref().unwrap();
        assert_eq!(
            (failure.kind, failure.message.as_str()),
            (ErrorKind::Cancelled, "cut off: its workflow no longer waits for it")
        );
        worker.shutdown().await.unwrap();
    }
}

/// Waits for an event at most an hour, with the timeout written as a branch, and first.
struct Deadline;

#[workflow]
impl Deadline {
    async fn run(&self, cx: &Context, rests: bool) -> Result<String> {
        let winner = durable::race!(
            async {
                cx.sleep(hours(1)).await?;
                Ok::<_, Error>("too late".to_owned())
            },
            cx.wait_for_event::<String>("answer"),
        )
        .await?;
        if rests {
            cx.sleep(hours(2)).await?;
        }
        Ok(winner)
    }
}

#[tokio::test]
async fn the_same_branch_wins_again_when_all_could_by_then() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().cached_executions(0).register(Deadline).start().await.unwrap();
    let answered = worker.start::<Deadline>(true).await.unwrap();
    let silent = worker.start::<Deadline>(true).await.unwrap();
    until_waiting(&database, 2).await;
    worker.send_event(answered.id(), "answer", "yes").await.unwrap();
    // The replays see both an answer and an hour that is over.
    clock::advance(&database, hours(1)).await;
    worker.send_event(silent.id(), "answer", "no").await.unwrap();
    clock::advance(&database, hours(2)).await;
    assert_eq!(answered.result_within(PATIENCE).await.unwrap(), "yes");
    assert_eq!(silent.result_within(PATIENCE).await.unwrap(), "too late");
    assert_eq!(wait(&worker, answered.id(), "race/0/sleep").await.outcome, Some(WaitOutcome::Cancelled));
    assert_eq!(wait(&worker, silent.id(), "race/1/event answer").await.outcome, Some(WaitOutcome::Cancelled));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_wait_that_lost_ends_with_its_execution() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Deadline).start().await.unwrap();
    let handle = worker.start::<Deadline>(false).await.unwrap();
    until_waiting(&database, 1).await;
    worker.send_event(handle.id(), "answer", "yes").await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "yes");
    assert_eq!(wait(&worker, handle.id(), "race/0/sleep").await.outcome, Some(WaitOutcome::Cancelled));
    worker.shutdown().await.unwrap();
}

/// Two events race; then it takes what there is of the one that lost.
struct Leftovers;

#[workflow]
impl Leftovers {
    async fn run(&self, cx: &Context, _: ()) -> Result<(String, Vec<u32>)> {
        let winner = durable::race!(cx.wait_for_event::<String>("stop"), async {
            let number = cx.wait_for_any::<u32>(["one", "two"]).await?;
            Ok(format!("{number:?}"))
        },)
        .await?;
        let mut left = Vec::new();
        for name in ["one", "one", "two"] {
            left.push(cx.wait_for_event(name).await?);
        }
        Ok((winner, left))
    }
}

#[tokio::test]
async fn a_message_that_only_a_loser_was_given_goes_back_to_its_place() {
    for cached in [0, 100] {
        let database = support::database().await;
        let client = database.client().await;
        let handle = client.start::<Leftovers>(()).await.unwrap();
        // All before anything runs, so that both branches are answered at once.
        for (name, number) in [("one", 1), ("one", 2), ("two", 3)] {
            client.send_event(handle.id(), name, &number).await.unwrap();
        }
        client.send_event(handle.id(), "stop", "stopped").await.unwrap();
        let worker = database.builder().cached_executions(cached).register(Leftovers).start().await.unwrap();
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), ("stopped".to_owned(), vec![1, 2, 3]));
        assert_eq!(wait(&worker, handle.id(), "race/1/event any of").await.outcome, Some(WaitOutcome::Cancelled));
        assert_eq!(database.count("select count(*) from durable.mailbox").await, 0);
        worker.shutdown().await.unwrap();
    }
}

/// Collects items for an hour, then sees what is left.
struct Collector {
    tally: Tally,
}

impl Collector {
    async fn collect(&self, cx: &Context) -> Result<()> {
        loop {
            let item: u32 = cx.wait_for_event("item").await?;
            self.keep(item).await?;
        }
    }
}

#[workflow]
impl Collector {
    async fn run(&self, cx: &Context, _: ()) -> Result<Vec<u32>> {
        durable::race!(
            async {
                cx.sleep(hours(1)).await?;
                Ok::<_, Error>(())
            },
            self.collect(cx),
        )
        .await?;
        let mut left = Vec::new();
        while let Some(item) = cx.wait_for_event("item").timeout(minutes(1)).await? {
            left.push(item);
        }
        Ok(left)
    }

    #[step]
    async fn keep(&self, item: u32) -> Result<()> {
        self.tally.add(format!("kept {item}"));
        Ok(())
    }
}

#[tokio::test]
async fn what_a_loser_has_used_stays_used_and_what_came_too_late_for_it_goes_back() {
    for decided_by_a_replay in [true, false] {
        let database = support::database().await;
        clock::freeze(&database).await;
        let tally = Tally::default();
        let builder = || database.builder().cached_executions(100).register(Collector { tally: tally.clone() });
        let mut worker = builder().start().await.unwrap();
        let handle = worker.start::<Collector>(()).await.unwrap();
        for item in 1..=2 {
            until_waiting(&database, 1).await;
            worker.send_event(handle.id(), "item", &item).await.unwrap();
            eventually("the item is kept", async || tally.count(&format!("kept {item}")) == 1).await;
        }
        until_waiting(&database, 1).await;
        if decided_by_a_replay {
            // Only a worker that does not know the workflow is there when the time is over and a third item comes.
            worker.shutdown().await.unwrap();
            let stranger = database.builder().register(Leftovers).start().await.unwrap();
            clock::turn(&database, hours(1)).await;
            database.eventually_value::<i32>("select 1 from durable.waits where outcome = 'elapsed'").await;
            stranger.send_event(handle.id(), "item", &3).await.unwrap();
            stranger.shutdown().await.unwrap();
            worker = builder().start().await.unwrap();
        } else {
            clock::advance(&database, hours(1)).await;
            worker.send_event(handle.id(), "item", &3).await.unwrap();
        }
        let last = "select 1 from durable.waits where key = 'event item#2' and outcome is null";
        database.eventually_value::<i32>(last).await;
        clock::advance(&database, minutes(1)).await;
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), [3]);
        assert_eq!(tally.all(), [("kept 1", 1), ("kept 2", 1)].map(|(k, n)| (k.to_owned(), n)).into());
        worker.shutdown().await.unwrap();
    }
}
