//! Branching: several branches of one execution at once, each with a journal of its own; they settle, fail fast, or race.

use std::collections::BTreeMap;
use std::time::Duration;

use durable::prelude::*;
use durable::{ExecutionDetails, Received, Wait, WaitOutcome};
use tokio::sync::oneshot;

use crate::support::bodies::{Gate, Tally};
use crate::support::{self, Database, PATIENCE, clock, eventually};

const WAITING: &str = "select count(*) from durable.executions where state = 'waiting'";

/// The keys of all steps on record.
const RECORDED: &str = "select key from durable.checkpoints where key like '%step%' order by key";

async fn until_waiting(database: &Database, executions: i64) {
    eventually("all wait", async || database.count(WAITING).await == executions).await;
}

/// Returns when so many waits stand open in the database.
async fn until_open(database: &Database, waits: i64) {
    let open = "select count(*) from durable.waits where outcome is null";
    eventually(&format!("{waits} open waits"), async || database.count(open).await == waits).await;
}

fn wait<'a>(details: &'a ExecutionDetails, key: &str) -> &'a Wait {
    details.waits.iter().find(|wait| wait.key == key).unwrap_or_else(|| panic!("no wait `{key}`: {:?}", details.waits))
}

/// Runs three branches; the later in the order written fail sooner.
struct Settling {
    tally: Tally,
    gate: Gate,
}

#[workflow]
impl Settling {
    async fn run(&self, cx: &Context, kept: bool) -> Result<Vec<String>> {
        if kept {
            let (slow, quick, fine) = durable::join!(self.slow("slow"), self.fail("quick"), self.note("fine")).settled().await;
            cx.sleep(minutes(1)).await?;
            let text = |result: Result<String>| result.unwrap_or_else(|error| format!("error: {error}"));
            return Ok([slow, quick, fine].map(text).to_vec());
        }
        let joined = durable::join!(self.slow("slow"), self.fail("quick"), self.note("fine")).await;
        cx.sleep(minutes(1)).await?;
        let (slow, quick, fine) = joined?;
        Ok(vec![slow, quick, fine])
    }

    #[step]
    async fn slow(&self, what: &str) -> Result<String> {
        self.gate.pass().await;
        self.fail(what).await
    }

    #[step]
    async fn fail(&self, what: &str) -> Result<String> {
        self.tally.add(what);
        Err(Error::new(format!("{what} went wrong")))
    }

    #[step]
    async fn note(&self, what: &str) -> Result<String> {
        self.tally.add(what);
        Ok(what.to_owned())
    }
}

#[tokio::test]
async fn a_join_lets_every_branch_settle_and_fails_with_the_first_error_in_the_order_written() {
    for cached in [0, 100] {
        let database = support::database().await;
        clock::freeze(&database).await;
        let (tally, gate) = (Tally::default(), Gate::closed());
        let workflow = Settling { tally: tally.clone(), gate: gate.clone() };
        let worker = database.builder().cached_executions(cached).register(workflow).start().await.unwrap();
        let failing = worker.start::<Settling>(false).await.unwrap();
        let settling = worker.start::<Settling>(true).await.unwrap();
        gate.until_inside(2).await;
        eventually("the others settled", async || tally.count("quick") == 2 && tally.count("fine") == 2).await;
        gate.let_pass(2);
        clock::advance(&database, minutes(1)).await;

        let error = failing.result_within(PATIENCE).await.unwrap_err();
        assert_eq!(error.to_string(), "slow went wrong");
        let settled = settling.result_within(PATIENCE).await.unwrap();
        assert_eq!(settled, ["error: slow went wrong", "error: quick went wrong", "fine"]);
        let twice = |label: &str| (label.to_owned(), 2);
        assert_eq!(tally.all(), BTreeMap::from([twice("slow"), twice("quick"), twice("fine")]), "nothing ran again");
        let keys = ["join/0/step slow", "join/1/step fail", "join/2/step note"];
        let recorded: Vec<String> = database.values(RECORDED).await;
        assert_eq!(recorded, keys.map(|key| [key; 2]).concat());
        worker.shutdown().await.unwrap();
    }
}

/// Fails in one branch while a task that another branch spawned is under way.
#[derive(Clone)]
struct FailFast {
    tally: Tally,
    gate: Gate,
}

#[workflow]
impl FailFast {
    async fn run(&self, cx: &Context, _: ()) -> Result<String> {
        let failed = durable::try_join!(
            async {
                self.reserve().await?;
                self.ship().await
            },
            self.decline(),
            async {
                cx.sleep(hours(1)).await?;
                self.remind().await
            },
        )
        .await;
        cx.sleep(minutes(1)).await?;
        Ok(failed.map(|_| "all went well".to_owned()).unwrap_or_else(|error| format!("{:?}: {error}", error.kind())))
    }

    #[step]
    async fn reserve(&self) -> Result<()> {
        self.tally.add("reserve");
        Ok(())
    }

    #[step]
    async fn ship(&self) -> Result<()> {
        self.tally.add("ship");
        let (step, tally) = (durable::step(), self.tally.clone());
        tokio::spawn(async move {
            step.cancelled().await;
            tally.add("told");
        });
        self.gate.pass().await;
        Ok(())
    }

    #[step]
    async fn decline(&self) -> Result<()> {
        self.tally.add("decline");
        self.gate.until_inside(1).await;
        Err(Error::permanent("declined"))
    }

    #[step]
    async fn remind(&self) -> Result<()> {
        self.tally.add("remind");
        Ok(())
    }
}

#[tokio::test]
async fn the_first_failure_of_a_try_join_tells_and_drops_the_others_and_a_replay_fails_the_same() {
    for cached in [0, 100] {
        let database = support::database().await;
        clock::freeze(&database).await;
        let workflow = FailFast { tally: Tally::default(), gate: Gate::closed() };
        let worker = database.builder().cached_executions(cached).register(workflow.clone()).start().await.unwrap();
        let handle = worker.start::<FailFast>(()).await.unwrap();
        until_waiting(&database, 1).await;
        assert_eq!(workflow.gate.inside(), 0, "the sibling's body was dropped");
        eventually("the task of the sibling was told", async || workflow.tally.count("told") == 1).await;
        clock::advance(&database, minutes(1)).await;
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "Failed: declined");

        let once = ["decline", "reserve", "ship", "told"].map(|label| (label.to_owned(), 1));
        assert_eq!(workflow.tally.all(), BTreeMap::from(once));
        let details = worker.get_execution(handle.id()).await.unwrap();
        let cut_off = details.steps.iter().find(|step| step.key == "try_join/0/step ship").unwrap();
        assert_eq!(cut_off.error.as_ref().unwrap().kind, ErrorKind::Cancelled);
        assert_eq!(wait(&details, "try_join/2/sleep").outcome, Some(WaitOutcome::Cancelled));
        worker.shutdown().await.unwrap();
    }
}
