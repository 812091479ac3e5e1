//! Nodes that are flows: they sleep, wait, ask, branch and call steps, and are dropped with all of it when what they take changes.

use std::time::Duration;

use durable::prelude::*;
use futures_util::StreamExt as _;

use crate::support::bodies::Tally;
use crate::support::crash::{self, CRASHES_AT_ONCE, every_write, killed_in};
use crate::support::process::{Effects, Folder};
use crate::support::proxy::{Fate, Moment, Trap};
use crate::support::{self, Database, clock, eventually, soon};

/// Doubles a number.
struct Doubling;

#[workflow]
impl Doubling {
    async fn run(&self, _cx: &Context, number: u64) -> Result<u64> {
        Ok(2 * number)
    }
}

/// Researches an applicant, which takes days, people and other workflows.
struct Research(Tally);

#[workflow(open)]
impl Research {
    #[input]
    fn applicant(&self) -> String;

    #[step(retry(max_attempts = 2, base = "1h", jitter = 0))]
    async fn report(&self, cx: &Context, applicant: &str) -> Result<String> {
        self.0.add(format!("polled for {applicant}"));
        cx.sleep(days(1)).await?;
        let (income, debts) = durable::try_join!(self.lookup("income", applicant), self.lookup("debts", applicant)).await?;
        let news: String = cx.wait_for_event("news").await?;
        let granted: bool = cx.wait_for_input("signature").await?;
        let doubled = cx.child::<Doubling>(income).await?;
        if news == "bad" {
            return Err(Error::new("bad news"));
        }
        Ok(format!("{applicant} {doubled} {debts} {news} {granted}"))
    }

    /// A step of the flow, and no node: its parameters are arguments.
    #[step]
    async fn lookup(&self, what: &str, applicant: &str) -> Result<u64> {
        self.0.add(format!("{what} of {applicant}"));
        Ok(what.len() as u64)
    }

    #[step(ends)]
    async fn letter(&self, report: &str) -> Result<String> {
        Ok(format!("Dear {report}"))
    }
}

impl Research {
    async fn start(database: &Database) -> (Durable, ExecutionHandle<Self>, Tally) {
        clock::freeze(database).await;
        let tally = Tally::default();
        let worker = database.builder().register(Self(tally.clone())).register(Doubling).start().await.unwrap();
        let inputs = ResearchInputs { applicant: Some("Ada".into()) };
        let handle = worker.start::<Self>(inputs).await.unwrap();
        clock::quiet(database).await;
        (worker, handle, tally)
    }
}

async fn open_waits(database: &Database) -> Vec<String> {
    database
        .values("select key from durable.waits where outcome is null and name is distinct from 'set_inputs' order by key")
        .await
}

async fn comes_to_wait_for(database: &Database, key: &str) {
    eventually(&format!("it waits for {key}"), async || open_waits(database).await == [key]).await;
}

#[tokio::test]
async fn a_flow_sleeps_branches_waits_asks_and_starts_children_below_the_key_of_its_node() {
    let database = support::database().await;
    let (worker, handle, tally) = Research::start(&database).await;
    let id = handle.id();
    assert_eq!(open_waits(&database).await, ["step report/sleep"]);
    let parked = "select count(*) from durable.executions where state = 'waiting'";
    assert_eq!(database.count(parked).await, 1, "it waits without a slot");
    clock::advance(&database, days(1)).await;
    comes_to_wait_for(&database, "step report/event news").await;
    worker.send_event(id, "news", "good").await.unwrap();
    comes_to_wait_for(&database, "step report/input signature").await;
    assert_eq!(worker.pending_inputs().await.unwrap().iter().next().unwrap().name, "signature");
    worker.provide_input(id, "signature", &true).await.unwrap();
    assert_eq!(soon("it ends", handle.result()).await.unwrap().as_str(), r#"{"letter":"Dear Ada 12 5 good true"}"#);
    assert_eq!((tally.count("income of Ada"), tally.count("debts of Ada")), (1, 1));
    let steps: Vec<String> = database.values("select key from durable.checkpoints where key like '%lookup%' order by key").await;
    assert_eq!(steps, ["step report/try_join/0/step lookup", "step report/try_join/1/step lookup"]);
    let drawn = worker.graph(id).await.unwrap().to_mermaid();
    assert!(drawn.contains("[[\"flow report"), "{drawn}");
}

#[tokio::test]
async fn a_flow_is_dropped_with_all_that_is_open_in_it_when_what_it_takes_changes() {
    let database = support::database().await;
    let (worker, handle, tally) = Research::start(&database).await;
    let id = handle.id();
    clock::advance(&database, days(1)).await;
    worker.send_event(id, "news", "good").await.unwrap();
    comes_to_wait_for(&database, "step report/input signature").await;
    worker.set_inputs(id).set("applicant", "Bob").await.unwrap();
    comes_to_wait_for(&database, "step report#2/sleep").await;
    assert_eq!(worker.pending_inputs().await.unwrap().iter().count(), 0, "the question is withdrawn");
    clock::quiet(&database).await;
    clock::advance(&database, days(1)).await;
    comes_to_wait_for(&database, "step report#2/event news").await;
    worker.send_event(id, "news", "fine").await.unwrap();
    comes_to_wait_for(&database, "step report#2/input signature").await;
    worker.provide_input(id, "signature", &false).await.unwrap();
    assert_eq!(soon("it ends", handle.result()).await.unwrap().as_str(), r#"{"letter":"Dear Bob 12 5 fine false"}"#);
    assert_eq!((tally.count("income of Ada"), tally.count("income of Bob")), (1, 1));
}

#[tokio::test]
async fn a_flow_that_fails_is_tried_again_from_its_start_under_keys_of_its_own() {
    let database = support::database().await;
    let (worker, handle, tally) = Research::start(&database).await;
    let id = handle.id();
    clock::advance(&database, days(1)).await;
    worker.send_event(id, "news", "bad").await.unwrap();
    worker.provide_input(id, "signature", &true).await.unwrap();
    database.eventually_value::<i32>("select 1 from durable.attempts where key = 'step report' and retry_at is not null").await;
    clock::advance(&database, hours(1)).await;
    comes_to_wait_for(&database, "step report/attempt 2/sleep").await;
    worker.send_event(id, "news", "good").await.unwrap();
    clock::quiet(&database).await;
    clock::advance(&database, days(1)).await;
    comes_to_wait_for(&database, "step report/attempt 2/input signature").await;
    worker.provide_input(id, "signature", &true).await.unwrap();
    assert_eq!(soon("it ends", handle.result()).await.unwrap().as_str(), r#"{"letter":"Dear Ada 12 5 good true"}"#);
    assert_eq!(tally.count("income of Ada"), 2);
}

/// Waits twice, and calls a step in between.
struct Waiting(Effects);

#[workflow]
impl Waiting {
    #[input]
    fn x(&self) -> u32;

    #[step]
    async fn flow(&self, cx: &Context, x: u32) -> Result<String> {
        let first = self.work(x).await?;
        let said: String = cx.wait_for_event("go").await?;
        let second = self.work(x).await?;
        Ok(format!("{first} {said} {second}"))
    }

    #[step]
    async fn work(&self, number: u32) -> Result<u32> {
        self.0.add(&format!("work {number}"));
        Ok(number)
    }

    #[output]
    #[step]
    async fn last(&self, flow: &str) -> Result<String> {
        Ok(flow.to_owned())
    }
}

const KEY: &str = "waiting-1";

fn builder(url: &str, effects: Effects) -> durable::Builder {
    let builder = Durable::builder().database_url(url).max_connections(4).register(Waiting(effects));
    builder.poll_interval(Duration::from_millis(200))
}

/// Starts the graph, changes its input while the flow waits, and lets the second flow go on. What an earlier worker has done is not
/// done again.
async fn change_while_it_waits(database: &Database, durable: &Durable) {
    let id = durable.start::<Waiting>(WaitingInputs { x: Some(1) }).key(KEY).await.unwrap().id();
    let is_over = async || durable.get_execution(id).await.unwrap().execution.state.is_finished();
    let open = async || database.values::<String>("select key from durable.waits where outcome is null and name = 'go'").await;
    eventually("the flow waits", async || is_over().await || !open().await.is_empty()).await;
    if let Err(error) = durable.set_inputs(id).set("x", &2).await {
        assert_eq!(error.kind(), ErrorKind::Finished, "{error}");
    }
    let second = ["step flow#2/event go".to_owned()];
    let sent = async || {
        database.count("select count(*) from durable.waits where key = 'step flow#2/event go' and outcome = 'received'").await > 0
    };
    eventually("the second flow waits", async || is_over().await || sent().await || open().await == second).await;
    if !sent().await
        && let Err(error) = durable.send_event(id, "go", "gone").await
    {
        assert_eq!(error.kind(), ErrorKind::Finished, "{error}");
    }
}

/// The worker process that is killed.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let durable = builder(url, folder.effects()).start().await.unwrap();
    change_while_it_waits(&Database::at(url.to_owned()), &durable).await;
    std::future::pending().await
}

async fn finish_and_check(what: &str, database: &Database, folder: &Folder) {
    crash::leases_run_out(database).await;
    let worker = builder(&database.url, folder.effects()).start().await.unwrap();
    change_while_it_waits(database, &worker).await;
    let waiting = worker.start::<Waiting>(WaitingInputs { x: Some(1) }).key(KEY).await.unwrap();
    assert_eq!(soon(&format!("finished after a crash {what}"), waiting.result()).await.unwrap(), "2 gone 2", "{what}");
    let flows: Vec<String> =
        database.values("select concat_ws(' ', key, outcome) from durable.waits where name = 'go' order by ordinal").await;
    assert_eq!(flows.last().unwrap(), "step flow#2/event go received", "{what}: {flows:?}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_flow_goes_on_with_what_it_has_and_no_two_share_keys_whenever_its_worker_is_killed() {
    let (database, folder) = (support::database().await, Folder::new());
    let (killed, writes) = killed_in("flow_in_a_graph", &database, &folder, None).await;
    assert!(killed.is_none());
    finish_and_check("that never came", &database, &folder).await;
    assert_eq!(folder.effects().count("work 2"), 2);

    let points = every_write(&writes);
    let crashes = futures_util::stream::iter(points.clone()).map(async |(statement, nth, moment): (&str, usize, Moment)| {
        let what = format!("{moment:?} {statement} {nth}").to_lowercase();
        let (database, folder) = (support::database().await, Folder::new());
        let trap = Trap { statements: vec![statement.to_owned()], nth, moment, fate: Fate::Held };
        let (killed, _) = killed_in("flow_in_a_graph", &database, &folder, Some(trap)).await;
        finish_and_check(&what, &database, &folder).await;
        killed.is_some()
    });
    let caught: Vec<bool> = crashes.buffer_unordered(CRASHES_AT_ONCE).collect().await;
    let caught = caught.into_iter().filter(|caught| *caught).count();
    assert!(caught >= points.len() / 2, "only {caught} of {} points were reached", points.len());
}
