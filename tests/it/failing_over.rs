//! Failing over: a standby is promoted, with or without what was committed last, and what it knows of is done consistently.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use durable::prelude::*;
use durable::{Severity, Subject};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::support::bodies::Gate;
use crate::support::pair::{Pair, Replication};
use crate::support::process::{Folder, Process};
use crate::support::{Database, PATIENCE, eventually, soon};

/// How often the primary is killed in one run of a test; set `ROUNDS` for more.
const DEFAULT_ROUNDS: usize = 2;

/// Names the number of rounds.
const ROUNDS: &str = "DURABLE_FAILOVER_ROUNDS";

/// A standby that is promoted is worked on within this time.
const RECOVERED_WITHIN: Duration = Duration::from_secs(10);

/// Short, so that a process that lost its lease continues soon.
const LEASE: Duration = Duration::from_secs(3);

const LEGS: u32 = 6;

/// Executions that are under way when a primary is killed.
const RUNNERS: u32 = 40;

/// One leg of a relay: the baton that was taken over, and the one that is handed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Leg {
    from: Option<Uuid>,
    to: Uuid,
}

/// Hands a baton on from step to step; each step makes a baton that nobody else has.
#[derive(Debug, Clone)]
struct Relay {
    /// Where the leg of that number stands until it is let pass.
    gates: BTreeMap<u32, Gate>,
}

#[workflow]
impl Relay {
    async fn run(&self, cx: &Context, legs: u32) -> Result<Vec<Leg>> {
        let mut run: Vec<Leg> = Vec::new();
        for number in 0..legs {
            let from = run.last().map(|leg| leg.to);
            run.push(self.leg(number, from).await?);
            if number % 3 == 1 {
                cx.sleep(Duration::from_millis(20)).await?;
            }
        }
        Ok(run)
    }

    #[step]
    async fn leg(&self, number: u32, from: Option<Uuid>) -> Result<Leg> {
        if let Some(gate) = self.gates.get(&number) {
            gate.pass().await;
        }
        Ok(Leg { from, to: Uuid::new_v4() })
    }
}

/// A worker process that outlives every primary.
pub(crate) async fn work(url: &str) {
    let builder = Durable::builder().database_url(url).max_connections(6).poll_interval(Duration::from_millis(200)).lease(LEASE);
    let durable = builder.register(Relay { gates: BTreeMap::new() }).start().await.unwrap();
    std::future::pending::<()>().await;
    drop(durable);
}

fn rounds() -> usize {
    std::env::var(ROUNDS).map_or(DEFAULT_ROUNDS, |rounds| rounds.parse().unwrap())
}

/// Every execution is completed, and its journal is that of one run: each baton that was handed on is the one that is on record.
async fn check_journals(what: &str, database: &Database) {
    let left =
        "select concat_ws(' ', execution_id, state, worker_id, epoch, wake_at, workers.lost_at, workers.lease_until, error)
        from durable.executions left join durable.workers using (worker_id) where state <> 'completed'";
    let completed = async { while !database.values::<String>(left).await.is_empty() {} };
    if tokio::time::timeout(PATIENCE, completed).await.is_err() {
        panic!("{what}: not completed: {:#?}", database.values::<String>(left).await);
    }
    let ids: Vec<Uuid> = database.values("select execution_id from durable.executions").await;
    for id in ids {
        let output: String =
            database.value(&format!("select output::text from durable.executions where execution_id = '{id}'")).await;
        let run: Vec<Leg> = serde_json::from_str(&output).unwrap();
        for pair in run.windows(2) {
            assert_eq!(pair[1].from, Some(pair[0].to), "{what}: {id} goes on from a step that nobody took: {run:?}");
        }
        let recorded: Vec<String> = database
            .values(&format!("select output::text from durable.checkpoints where execution_id = '{id}' and key like 'step %'"))
            .await;
        let mut recorded: Vec<Uuid> = recorded.iter().map(|leg| serde_json::from_str::<Leg>(leg).unwrap().to).collect();
        let mut handed_on: Vec<Uuid> = run.iter().map(|leg| leg.to).collect();
        recorded.sort_unstable();
        handed_on.sort_unstable();
        assert_eq!(recorded, handed_on, "{what}: the journal of {id} is not that of its run");
    }
}

/// Starts relays from several callers until the database is gone; returns those whose start was acknowledged.
async fn start_until_killed(client: &Durable) -> Vec<ExecutionId> {
    let callers = (0..8).map(|_| async {
        let mut acknowledged = Vec::new();
        for _ in 0..RUNNERS {
            match client.start::<Relay>(LEGS).await {
                Ok(handle) => acknowledged.push(handle.id()),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                    break;
                }
            }
        }
        acknowledged
    });
    join_all(callers).await.concat()
}

/// What happens in each round to primaries of one kind.
async fn fail_over_again_and_again(replication: Replication) {
    let Some(mut pair) = Pair::new(replication).await else { return };
    let folder = Folder::new();
    let workers: Vec<Process> = (0..2).map(|_| Process::start("relay", pair.front.url(), &folder)).collect();
    let mut slowest = Duration::ZERO;
    for round in 1..=rounds() {
        let (primary, standby) = (pair.primary(), pair.standby());
        let client = pair.database().builder().operation_timeout(Duration::from_millis(500)).start().await.unwrap();
        let starting = tokio::spawn(async move { start_until_killed(&client).await });
        let steps = "select count(*) from durable.checkpoints";
        let before = primary.count(steps).await;
        eventually("under way", async || primary.count(steps).await >= before + i64::from(RUNNERS)).await;
        if replication == Replication::Asynchronous {
            pair.part();
            let parted = primary.count(steps).await;
            eventually("something to lose", async || primary.count(steps).await >= parted + 20).await;
        }
        pair.kill_primary().await;
        let acknowledged = starting.await.unwrap();
        pair.promote().await;

        let promoted = Instant::now();
        let kept = standby.count(steps).await;
        eventually("worked on", async || standby.count(steps).await > kept).await;
        slowest = slowest.max(promoted.elapsed());
        let what = format!("{replication:?} round {round}");
        check_journals(&what, &standby).await;
        let known: Vec<Uuid> = standby.values("select execution_id from durable.executions").await;
        let lost = acknowledged.iter().filter(|id| !known.contains(&Uuid::from(**id))).count();
        println!("{what}: {lost} of {} starts lost, worked on after {:?}", acknowledged.len(), promoted.elapsed());
        if replication == Replication::Synchronous {
            assert_eq!(lost, 0, "{what}: a start that was acknowledged is lost");
        }
        standby.run("truncate durable.executions, durable.checkpoints, durable.attempts, durable.waits").await;
        pair = pair.renew().await;
    }
    assert!(slowest < RECOVERED_WITHIN, "a standby that was promoted stood idle for {slowest:?}");
    drop(workers);
}

#[tokio::test]
async fn nothing_is_corrupt_when_the_standby_that_is_promoted_misses_the_last_commits() {
    fail_over_again_and_again(Replication::Asynchronous).await;
}

#[tokio::test]
async fn nothing_that_was_acknowledged_is_lost_when_commits_wait_for_the_standby() {
    fail_over_again_and_again(Replication::Synchronous).await;
}

/// The worker remembers a step that the promoted standby has never heard of, and is about to record the next.
#[tokio::test]
async fn a_worker_whose_memory_is_ahead_of_the_standby_that_was_promoted_records_nothing_after_the_gap() {
    let Some(pair) = Pair::new(Replication::Asynchronous).await else { return };
    let gates: BTreeMap<u32, Gate> = [1, 2].into_iter().map(|leg| (leg, Gate::closed())).collect();
    let workflow = Relay { gates: gates.clone() };
    let builder = pair.database().builder().lease(Duration::from_secs(60)).max_connections(8);
    let worker = builder.register(workflow).start().await.unwrap();
    let handle = worker.start::<Relay>(3).await.unwrap();
    gates[&1].until_inside(1).await;
    let steps = "select count(*) from durable.checkpoints where key like 'step %'";
    eventually("the first leg on the standby", async || pair.standby().count(steps).await == 1).await;

    pair.part();
    gates[&1].let_pass(1);
    gates[&2].until_inside(1).await;
    assert_eq!((pair.primary().count(steps).await, pair.standby().count(steps).await), (2, 1));
    pair.kill_primary().await;
    pair.promote().await;
    // The one that remembers the second leg ends the third, and whoever takes over runs both.
    gates.values().for_each(|gate| gate.let_pass(100));
    let run = soon("at its end", handle.result()).await.unwrap();
    assert_eq!(run.len(), 3);
    check_journals("after the failover", &pair.standby()).await;
    worker.shutdown().await.unwrap();
}

/// The standby does not know that the execution has ended, and takes it for one that its worker runs.
#[tokio::test]
async fn an_execution_whose_end_was_lost_is_not_taken_for_one_that_runs() {
    let Some(pair) = Pair::new(Replication::Asynchronous).await else { return };
    let gate = Gate::closed();
    let workflow = Relay { gates: BTreeMap::from([(0, gate.clone())]) };
    let builder = pair.database().builder().lease(Duration::from_secs(60));
    let worker = builder.register(workflow).start().await.unwrap();
    let handle = worker.start::<Relay>(1).await.unwrap();
    gate.until_inside(1).await;
    let running = "select count(*) from durable.executions where state = 'running'";
    eventually("known to the standby", async || pair.standby().count(running).await == 1).await;
    pair.part();
    gate.let_pass(1);
    let first = soon("at its end", handle.result()).await.unwrap();
    pair.kill_primary().await;
    pair.promote().await;
    gate.let_pass(100);
    check_journals("after the failover", &pair.standby()).await;
    assert_ne!(handle.result().await.unwrap(), first, "its end was lost with the primary");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_standby_is_refused_by_all_until_it_is_promoted() {
    let Some(pair) = Pair::new(Replication::Asynchronous).await else { return };
    let standby = pair.standby();
    let waiting =
        standby.builder().register(Relay { gates: BTreeMap::new() }).operation_timeout(Duration::from_secs(600)).start();
    let waiting = tokio::spawn(waiting);
    let start = standby.builder().operation_timeout(Duration::from_millis(100)).start();
    let error = start.await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    for part in ["standby", "only reads", "the address of the primary"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    let findings = standby.builder().examine().await.unwrap();
    let [finding] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!((finding.about, finding.severity), (Subject::Server, Severity::Error));
    assert!(finding.repair.contains("pg_promote()"), "{finding}");

    assert!(!waiting.is_finished());
    pair.kill_primary().await;
    pair.promote().await;
    let worker = soon("started", waiting).await.unwrap().unwrap();
    let run = worker.start::<Relay>(2).await.unwrap();
    assert_eq!(soon("at its end", run.result()).await.unwrap().len(), 2);
    worker.shutdown().await.unwrap();
}
