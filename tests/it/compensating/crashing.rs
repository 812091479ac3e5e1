//! A chain that is cut at any write goes on in another engine: what was undone is not undone again.

use durable::prelude::*;
use futures_util::StreamExt;
use tokio::task::JoinHandle;

use super::Log;
use crate::support::crash::{every_write, leases_run_out};
use crate::support::proxy::{Fate, Moment, Proxy, Trap};
use crate::support::{self, Database, eventually, soon};

/// The writes by which an execution gets on and is turned round.
const WRITES: [&str; 8] = [
    "executions/start",
    "executions/claim",
    "attempts/record",
    "executions/save",
    "executions/finish",
    "executions/begin_rollback",
    "executions/park",
    "executions/notify_parents",
];

/// Crashes at once; each has a database and two engines, and the machine may be small.
const CRASHES_AT_ONCE: usize = 3;

/// Opens four accounts, the last by a child, of which one cannot be closed.
#[derive(Clone, Default)]
struct Open {
    log: Log,
}

#[workflow]
impl Open {
    async fn run(&self, cx: &Context, depth: u32) -> Result<()> {
        self.open(&format!("{depth} first")).await?;
        self.open(&format!("{depth} locked")).await?;
        if depth == 0 {
            return Ok(());
        }
        let (children, guarded) = durable::join!(cx.child::<Open>(depth - 1), self.open_guarded(depth)).settled().await;
        children.and(guarded)?;
        self.fail().await
    }

    #[step(compensate = close)]
    async fn open(&self, account: &str) -> Result<String> {
        Ok(account.to_owned())
    }

    #[compensation(retry(max_attempts = 2, backoff = constant, base = "1ms"))]
    async fn close(&self, account: String) -> Result<()> {
        if account == "1 locked" {
            return Err(Error::new("it is locked"));
        }
        self.log.add(account);
        Ok(())
    }

    #[step(compensate = close_guarded, undo_on_failure)]
    async fn open_guarded(&self, depth: u32) -> Result<u32> {
        Ok(depth)
    }

    #[compensation]
    async fn close_guarded(&self, cx: &Context, depth: Option<u32>) -> Result<u32> {
        self.ask("guard").await?;
        let word: String = cx.wait_for_event("password").await?;
        self.log.add(format!("guarded {depth:?} with {word}"));
        self.ask("thanks").await
    }

    #[step]
    async fn ask(&self, whom: &str) -> Result<u32> {
        self.log.add(whom);
        Ok(0)
    }

    #[step]
    async fn fail(&self) -> Result<()> {
        Err(Error::permanent("no more accounts"))
    }
}

/// What is undone and done while undoing; the child's accounts are closed in an execution of their own.
const UNDONE: [&str; 6] = ["guard", "guarded Some(1) with sesame", "thanks", "0 locked", "0 first", "1 first"];

/// What stands in the journal once something was undone, beside the line that it adds to the log.
const KEYS: [(&str, &str); 6] = [
    ("guard", "undo/join/1/step open_guarded/step ask"),
    ("guarded Some(1) with sesame", "undo/join/1/step open_guarded/step ask#2"),
    ("thanks", "undo/join/1/step open_guarded/step ask#2"),
    ("0 locked", "undo/step open#2"),
    ("0 first", "undo/step open"),
    ("1 first", "undo/step open"),
];

async fn is_finished(database: &Database) -> bool {
    database.value("select exists (select from durable.executions where parent_id is null and finished_at is not null)").await
}

/// Says the password once it is asked for.
async fn outside_world(database: &Database) -> JoinHandle<()> {
    let (database, client) = (Database::at(database.url.clone()), database.client().await);
    tokio::spawn(async move {
        let asked = "select execution_id from durable.waits where name = 'password' and outcome is null";
        let id: uuid::Uuid = database.eventually_value(asked).await;
        client.send_event(id.into(), "password", "sesame").await.unwrap();
        // The engine hardly ever looks for itself: it must be told.
        client.shutdown().await.unwrap();
    })
}

/// The lines that are on record: the steps that wrote them have their checkpoints.
async fn on_record(database: &Database, lines: &[String]) -> Vec<String> {
    let mut recorded = Vec::new();
    for line in lines {
        let (_, key) = KEYS.iter().find(|(known, _)| known == line).unwrap();
        // Of the three executions, each line belongs to one.
        let whose = match line.chars().next() {
            Some('0') => "undoes is not null",
            _ => "parent_id is null",
        };
        let sql = format!(
            "select count(*) from durable.checkpoints join durable.executions using (execution_id) where checkpoints.key = '{key}' and {whose}"
        );
        if database.count(&sql).await > 0 {
            recorded.push(line.clone());
        }
    }
    recorded
}

/// Runs an engine until it is caught in the trap, or everything has ended; gives what it wrote, and what it was caught at.
async fn abandoned_in(database: &Database, log: &Log, trap: Option<Trap>) -> (Option<String>, Vec<String>) {
    let proxy = Proxy::before(database).await;
    // Hardly ever an idle look for work, or which write is the nth were a matter of chance.
    let builder = database.builder().database_url(proxy.url()).poll_interval(minutes(1));
    let engine = builder.register(Open { log: log.clone() }).start().await.unwrap();
    // From here on: what an engine writes before it has something to do is no part of this.
    proxy.set(trap.unwrap_or(Trap { statements: vec![], nth: 1, moment: Moment::Before, fate: Fate::Held }));
    let started = engine.clone();
    let start = tokio::spawn(async move { started.start::<Open>(1).key("open").await.map(|handle| handle.id()) });
    eventually("caught in the trap, or finished", async || proxy.has_caught() || is_finished(database).await).await;
    start.abort();
    drop(start.await);
    let caught = if proxy.has_caught() { Some(proxy.caught().await) } else { None };
    let mut writes = proxy.seen();
    writes.retain(|statement| WRITES.contains(&statement.as_str()));
    // Cut off first, then dropped: whatever it still wants to say is not heard.
    drop(proxy);
    drop(engine);
    (caught, writes)
}

async fn crash_at(statement: &str, nth: usize, moment: Moment) -> Option<String> {
    let database = support::database().await;
    let (before, after) = (Log::default(), Log::default());
    let trap = Trap { statements: vec![statement.to_owned()], nth, moment, fate: Fate::Held };
    let world = outside_world(&database).await;
    let (caught, _) = abandoned_in(&database, &before, Some(trap)).await;
    let what = format!("{moment:?} {statement} {nth}");
    let recorded = on_record(&database, &before.all()).await;
    leases_run_out(&database).await;

    let second = database.builder().register(Open { log: after.clone() }).start().await.unwrap();
    let handle = second.start::<Open>(1).key("open").await.unwrap();
    let error = soon(&format!("rolled back after a crash {what}"), handle.result()).await.unwrap_err();

    assert_eq!(error.to_string(), "no more accounts", "{what}");
    let details = second.get_execution(handle.id()).await.unwrap();
    assert_eq!(details.execution.state, ExecutionState::CompensationFailed, "{what}");
    let undone: Vec<_> = details.compensations.iter().map(|undone| (undone.step.as_str(), undone.error.is_some())).collect();
    let steps = [("join/1/step open_guarded", false), ("step open#2", true), ("step open", false)];
    assert_eq!(undone, steps, "{what}");
    let all = [before.all(), after.all()].concat();
    for line in UNDONE {
        assert!(all.iter().any(|undone| undone == line), "{what}: `{line}` is missing in {all:?}");
        let again = recorded.iter().any(|recorded| recorded == line) && after.all().iter().any(|undone| undone == line);
        assert!(!again, "{what}: `{line}` was done again after it was on record");
    }
    // The child, and what undoes it, are there once.
    assert_eq!(database.count("select count(*) from durable.executions").await, 3, "{what}");
    assert_eq!(database.count("select count(*) from durable.executions where finished_at is null").await, 0, "{what}");
    world.await.unwrap();
    second.shutdown().await.unwrap();
    caught
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_goes_on_after_a_crash_at_every_write_and_undoes_nothing_twice() {
    let database = support::database().await;
    let log = Log::default();
    let world = outside_world(&database).await;
    let (caught, writes) = abandoned_in(&database, &log, None).await;
    world.await.unwrap();
    assert_eq!((caught, log.all().len()), (None, UNDONE.len()), "{writes:?}");
    assert!(writes.len() >= 15, "so few writes were seen that the list must be out of date: {writes:?}");

    let crashes = futures_util::stream::iter(every_write(&writes)).map(|(write, nth, moment)| crash_at(write, nth, moment));
    let caught: Vec<_> = crashes.buffer_unordered(CRASHES_AT_ONCE).collect().await;
    let caught: Vec<String> = caught.into_iter().flatten().collect();
    // How an end is written, and with what, is a matter of chance.
    for write in ["executions/start", "executions/begin_rollback", "executions/park", "executions/notify_parents"] {
        assert!(caught.iter().any(|caught| caught == write), "{write} was never reached: {caught:?}");
    }
}
