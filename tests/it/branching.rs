//! Branching: several branches of one execution at once, each with a journal of its own; they settle, fail fast, or race.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use durable::prelude::*;
use durable::{ExecutionDetails, Wait, WaitOutcome};
use futures_util::future::{join as beside, join_all};
use tokio::sync::oneshot;

use crate::support::bodies::{Gate, Tally};
use crate::support::proxy::{Fate, Moment, Proxy, Trap};
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

/// Calls the same step in branches of branches, twice over.
struct Nested {
    tally: Tally,
}

impl Nested {
    async fn pair(&self, cx: &Context, place: &str) -> Result<Vec<u64>> {
        let (one, other) = durable::join!(
            async {
                cx.sleep(minutes(1)).await?;
                self.number(place).await
            },
            async {
                let first = self.number(place).await?;
                cx.sleep(minutes(2)).await?;
                Ok::<_, Error>(first + self.number(place).await?)
            },
        )
        .await?;
        Ok(vec![one, other])
    }
}

#[workflow]
impl Nested {
    async fn run(&self, cx: &Context, _: ()) -> Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for place in ["first", "second"] {
            let (one, other) =
                durable::join!(async { durable::join!(self.pair(cx, place), self.number(place)).await }, self.pair(cx, place),)
                    .await?;
            let ((pair, number), other) = (one, other);
            numbers.extend(pair.into_iter().chain([number]).chain(other));
        }
        Ok(numbers)
    }

    /// Another number at each call.
    #[step]
    async fn number(&self, place: &str) -> Result<u64> {
        Ok(1 << self.tally.add(place))
    }
}

#[tokio::test]
async fn the_same_step_in_many_branches_never_mixes_their_journals() {
    let mut results = Vec::new();
    for cached in [0, 100] {
        let database = support::database().await;
        clock::freeze(&database).await;
        let tally = Tally::default();
        let worker =
            database.builder().cached_executions(cached).register(Nested { tally: tally.clone() }).start().await.unwrap();
        let handle = worker.start::<Nested>(()).await.unwrap();
        clock::advance(&database, minutes(10)).await;
        let numbers = handle.result_within(PATIENCE).await.unwrap();
        assert_eq!((tally.count("first"), tally.count("second")), (7, 7));
        // Each call has a number of its own: no two branches were given the same record, and none was lost.
        let all: u64 = (1..=7).map(|call| 1 << call).sum();
        assert_eq!(numbers.iter().sum::<u64>(), 2 * all, "{numbers:?}");
        let keys: Vec<String> = database.values(RECORDED).await;
        for key in ["join/0/join/0/join/0/step number", "join/0/join/0/join/1/step number#2", "join#2/1/join/1/step number"] {
            assert!(keys.iter().any(|recorded| recorded == key), "no {key} in {keys:?}");
        }
        results.push(numbers);
        worker.shutdown().await.unwrap();
    }
    assert_eq!(results[0], results[1], "a replay gives what the first run gave");
}

/// Waits for all sorts of things in branches, while a step in another branch stands at the gate.
#[derive(Clone)]
struct Beside {
    tally: Tally,
    gate: Gate,
}

#[workflow]
impl Beside {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        durable::join!(
            self.stand(),
            async {
                let () = cx.wait_for_event("event").await?;
                self.note("event").await
            },
            async {
                let (name, ()) = cx.wait_for_any(["one", "two"]).await?;
                self.note(&name).await
            },
            async {
                cx.wait_for_all::<()>(["x", "y"]).await?;
                self.note("all").await
            },
            async {
                let _: bool = cx.wait_for_input("input").await?;
                self.note("input").await
            },
            async {
                let () = cx.wait_for_topic("topic").await?;
                self.note("topic").await
            },
            async {
                cx.sleep(hours(1)).await?;
                self.note("sleep").await
            },
            self.retry(),
        )
        .await?;
        Ok(())
    }

    #[step]
    async fn stand(&self) -> Result<()> {
        self.gate.pass().await;
        Ok(())
    }

    #[step]
    async fn note(&self, what: &str) -> Result<()> {
        self.tally.add(what);
        Ok(())
    }

    #[step(retry(max_attempts = 2, base = "1h", max = "1h", jitter = 0.0))]
    async fn retry(&self) -> Result<()> {
        let attempt = durable::step().attempt();
        self.tally.add(format!("attempt {attempt}"));
        if attempt == 1 { Err(Error::new("not yet")) } else { Ok(()) }
    }
}

/// Of one execution of `Beside`: event, any, two of all, input, topic and sleep.
const WAITS_BESIDE: i64 = 7;

impl Beside {
    fn new() -> Self {
        Self { tally: Tally::default(), gate: Gate::closed() }
    }

    async fn until_noted(&self, what: &str) {
        eventually(&format!("`{what}` went on beside a step that stands"), async || self.tally.count(what) == 1).await;
    }
}

#[tokio::test]
async fn every_kind_of_wait_ends_at_once_while_another_branch_runs() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let workflow = Beside::new();
    // So seldom that polling finds nothing in time.
    let worker = database.builder().poll_interval(hours(1)).register(workflow.clone()).start().await.unwrap();
    let elsewhere = database.client().await;
    let handle = worker.start::<Beside>(()).await.unwrap();
    let id = handle.id();
    until_open(&database, WAITS_BESIDE).await;

    worker.send_event(id, "event", &()).await.unwrap();
    workflow.until_noted("event").await;
    elsewhere.send_event(id, "two", &()).await.unwrap();
    workflow.until_noted("two").await;
    elsewhere.send_event(id, "y", &()).await.unwrap();
    worker.send_event(id, "x", &()).await.unwrap();
    workflow.until_noted("all").await;
    elsewhere.provide_input(id, "input", &true).await.unwrap();
    workflow.until_noted("input").await;
    elsewhere.publish("topic", &()).await.unwrap();
    workflow.until_noted("topic").await;
    clock::turn(&database, hours(1)).await;
    workflow.until_noted("sleep").await;
    workflow.until_noted("attempt 2").await;

    assert_eq!(workflow.gate.inside(), 1, "the step stands all the while");
    assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Running);
    workflow.gate.let_pass(1);
    handle.result_within(PATIENCE).await.unwrap();
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_event_that_nobody_tells_of_is_found_at_the_poll_interval_beside_a_running_step() {
    let database = support::database().await;
    let workflow = Beside::new();
    let worker = database.builder().register(workflow.clone()).start().await.unwrap();
    let handle = worker.start::<Beside>(()).await.unwrap();
    until_open(&database, WAITS_BESIDE).await;
    // The verb in SQL notifies nobody.
    database.run(&format!("select durable.send_event('{}', 'event', 'null')", handle.id())).await;
    workflow.until_noted("event").await;
    assert_eq!(workflow.gate.inside(), 1);
    worker.cancel(handle.id(), "seen enough").await.unwrap();
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn waits_beside_a_running_step_are_asked_about_now_and_then_only() {
    let database = support::database().await;
    let proxy = Proxy::before(&database).await;
    // Statements are counted from when a trap is set; this one catches nothing.
    proxy.set(Trap { statements: Vec::new(), nth: 1, moment: Moment::Before, fate: Fate::Cut });
    let workflow = Beside::new();
    let builder = Durable::builder().database_url(proxy.url()).max_connections(4).poll_interval(hours(1));
    let worker = builder.register(workflow.clone()).start().await.unwrap();
    let handle = worker.start::<Beside>(()).await.unwrap();
    until_open(&database, WAITS_BESIDE).await;
    for _ in 0..50 {
        worker.get_execution(handle.id()).await.unwrap();
    }
    let asked = proxy.answered("executions/park");
    assert!(asked <= 5, "asked {asked} times about waits of which none is over");
    worker.cancel(handle.id(), "seen enough").await.unwrap();
    worker.shutdown().await.unwrap();
}

/// Waits in all of its branches.
struct Resting;

#[workflow]
impl Resting {
    async fn run(&self, cx: &Context, _: ()) -> Result<u32> {
        let (_, number, (_, other), all, _, _) = durable::join!(
            cx.sleep(hours(1)),
            cx.wait_for_event::<u32>("number"),
            cx.wait_for_any::<u32>(["one", "two"]),
            cx.wait_for_all::<u32>(["x", "y"]),
            cx.wait_for_input::<bool>("input").timeout(hours(1)),
            self.retry(),
        )
        .await?;
        Ok(number + other + all.values().sum::<u32>())
    }

    #[step(retry(max_attempts = 2, base = "1h", max = "1h", jitter = 0.0))]
    async fn retry(&self) -> Result<()> {
        if durable::step().attempt() == 1 { Err(Error::new("not yet")) } else { Ok(()) }
    }
}

#[tokio::test]
async fn an_execution_that_waits_in_every_branch_holds_no_slot() {
    for cached in [0, 100] {
        let database = support::database().await;
        clock::freeze(&database).await;
        let builder = database.builder().queue("default", 1).cached_executions(cached);
        let worker = builder.register(Resting).start().await.unwrap();
        let resting = worker.start_many::<Resting>(vec![(); 3]).await.unwrap();
        // With one slot, the second begins when the first has given it back.
        until_waiting(&database, 3).await;
        for handle in &resting {
            for (name, number) in [("number", 1), ("two", 10), ("x", 100), ("y", 1000)] {
                worker.send_event(handle.id(), name, &number).await.unwrap();
            }
        }
        clock::advance(&database, hours(1)).await;
        for handle in &resting {
            assert_eq!(handle.result_within(PATIENCE).await.unwrap(), 1111);
        }
        worker.shutdown().await.unwrap();
    }
}

/// Joins as many waits as there are senders.
struct Rendezvous {
    tally: Tally,
}

#[workflow]
impl Rendezvous {
    async fn run(&self, cx: &Context, _: ()) -> Result<u32> {
        let event = |number: usize| cx.wait_for_event::<u32>(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"][number]);
        let (a, b, c, d, e, f, g, h, i, j) =
            durable::join!(event(0), event(1), event(2), event(3), event(4), event(5), event(6), event(7), event(8), event(9),)
                .await?;
        self.meet(a + b + c + d + e + f + g + h + i + j).await
    }

    #[step]
    async fn meet(&self, sum: u32) -> Result<u32> {
        self.tally.add(durable::step().execution_id().unwrap().to_string());
        Ok(sum)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_of_many_answers_wakes_a_join_once_however_they_race() {
    const EXECUTIONS: usize = 20;
    let database = support::database().await;
    let tally = Tally::default();
    let builder = |cached| database.builder().cached_executions(cached).register(Rendezvous { tally: tally.clone() });
    let nodes = [builder(0).start().await.unwrap(), builder(8).start().await.unwrap()];
    let handles = nodes[0].start_many::<Rendezvous>(vec![(); EXECUTIONS]).await.unwrap();
    let senders =
        handles.iter().flat_map(|handle| ('a'..='j').enumerate().map(move |(number, name)| (handle.id(), number, name)));
    join_all(senders.map(|(id, number, name)| {
        let node = nodes[number % 2].clone();
        tokio::spawn(async move { node.send_event(id, &name.to_string(), &1_u32).await.unwrap() })
    }))
    .await;
    for handle in &handles {
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), 10);
    }
    assert_eq!(tally.all().len(), EXECUTIONS);
    assert!(tally.all().values().all(|times| *times == 1), "{:?}", tally.all());
    for node in nodes {
        node.shutdown().await.unwrap();
    }
}

/// Awaits something that is neither a step nor a wait in one branch.
struct Foreign {
    answer: Arc<Mutex<Option<oneshot::Receiver<u32>>>>,
}

#[workflow]
impl Foreign {
    async fn run(&self, cx: &Context, _: ()) -> Result<u32> {
        let answer = self.answer.lock().unwrap().take();
        let (answered, ()) = durable::join!(
            async {
                match answer {
                    Some(answer) => self.keep(answer.await?).await,
                    None => self.keep(0).await,
                }
            },
            cx.sleep(hours(1)),
        )
        .await?;
        Ok(answered)
    }

    #[step]
    async fn keep(&self, answer: u32) -> Result<u32> {
        Ok(answer)
    }
}

#[tokio::test]
async fn foreign_code_in_a_branch_keeps_its_execution_from_parking_and_wakes_it() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let (answer, asked) = oneshot::channel();
    let workflow = Foreign { answer: Arc::new(Mutex::new(Some(asked))) };
    let worker = database.builder().register(workflow).start().await.unwrap();
    let handle = worker.start::<Foreign>(()).await.unwrap();
    until_open(&database, 1).await;
    let execution = handle.execution().await.unwrap();
    assert_eq!(execution.state, ExecutionState::Running, "what foreign code will do is in this process's memory only");
    answer.send(7).unwrap();
    until_waiting(&database, 1).await;
    assert_eq!(database.values::<String>(RECORDED).await, ["join/0/step keep"]);
    clock::advance(&database, hours(1)).await;
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), 7);
    worker.shutdown().await.unwrap();
}

/// Overlaps steps inside of a branch, by means that the journal does not know; or brings one along from outside.
struct Overlapping;

#[workflow]
impl Overlapping {
    async fn run(&self, _cx: &Context, from_outside: bool) -> Result<()> {
        if from_outside {
            let brought_along = self.step_that_ends();
            durable::join!(self.step_that_ends(), brought_along).await?;
        }
        durable::join!(self.step_that_ends(), async {
            let (one, other) = beside(self.stuck(), self.step_that_ends()).await;
            one.and(other)
        })
        .await?;
        Ok(())
    }

    #[step]
    async fn step_that_ends(&self) -> Result<()> {
        Ok(())
    }

    #[step]
    async fn stuck(&self) -> Result<()> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn steps_that_overlap_inside_of_a_branch_or_come_from_outside_stop_the_execution_with_a_cure() {
    let database = support::database().await;
    let worker = database.builder().register(Overlapping).start().await.unwrap();
    for (from_outside, report) in [
        (false, ["`join/1/step step_that_ends` was started while `join/1/step stuck` is under way", "use durable::join!"]),
        (true, ["`step step_that_ends` was made outside of the branch that awaits it", "write the call into the branch"]),
    ] {
        let handle = worker.start::<Overlapping>(from_outside).await.unwrap();
        let failure = support::eventually_some("stopped", async || handle.execution().await.unwrap().error).await;
        assert_eq!(failure.kind, ErrorKind::Diverged);
        for part in report {
            assert!(failure.message.contains(part), "{failure}");
        }
    }
    worker.shutdown().await.unwrap();
}

/// Goes on to a second step in one branch while another stands at the gate.
#[derive(Clone)]
struct Leaving {
    tally: Tally,
    gate: Gate,
}

#[workflow]
impl Leaving {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        durable::join!(
            async {
                let () = cx.wait_for_event("leave").await?;
                self.note("one").await?;
                self.note("other").await
            },
            self.stand(),
        )
        .await?;
        Ok(())
    }

    #[step]
    async fn note(&self, what: &str) -> Result<()> {
        self.tally.add(what);
        Ok(())
    }

    #[step]
    async fn stand(&self) -> Result<()> {
        self.tally.add("stand");
        durable::step().cancelled().await;
        self.gate.pass().await;
        Ok(())
    }
}

#[tokio::test]
async fn a_worker_that_shuts_down_lets_the_steps_of_other_branches_end() {
    let database = support::database().await;
    let workflow = Leaving { tally: Tally::default(), gate: Gate::closed() };
    let worker = database.builder().register(workflow.clone()).start().await.unwrap();
    let handle = worker.start::<Leaving>(()).await.unwrap();
    until_open(&database, 1).await;
    let down = tokio::spawn(async move { worker.shutdown().await });
    // It is told, and takes its time; meanwhile the other branch comes to a step that does not begin here any more.
    workflow.gate.until_inside(1).await;
    let client = database.client().await;
    client.send_event(handle.id(), "leave", &()).await.unwrap();
    let received = "select 1 from durable.waits where outcome = 'received'";
    database.eventually_value::<i32>(received).await;
    workflow.gate.let_pass(1);
    down.await.unwrap().unwrap();
    assert_eq!(database.values::<String>(RECORDED).await, ["join/1/step stand"]);

    let worker = database.builder().register(workflow.clone()).start().await.unwrap();
    worker.handle::<Leaving>(handle.id()).result_within(PATIENCE).await.unwrap();
    assert_eq!(workflow.tally.all(), ["one", "other", "stand"].map(|label| (label.to_owned(), 1)).into());
    worker.shutdown().await.unwrap();
}

/// Drops a step after its first poll, while the checkpoint of the one before is being written.
struct Dropping {
    tally: Tally,
}

#[workflow]
impl Dropping {
    async fn run(&self, _cx: &Context, _: ()) -> Result<()> {
        self.note("first").await?;
        // It waits for the checkpoint, and is given up.
        let _ = futures_util::poll!(std::pin::pin!(self.note("dropped")));
        self.note("last").await
    }

    #[step]
    async fn note(&self, what: &str) -> Result<()> {
        self.tally.add(what);
        Ok(())
    }
}

#[tokio::test]
async fn a_step_that_is_dropped_while_it_waits_for_a_write_holds_up_nobody() {
    let database = support::database().await;
    let tally = Tally::default();
    let worker = database.builder().register(Dropping { tally: tally.clone() }).start().await.unwrap();
    let handle = worker.start::<Dropping>(()).await.unwrap();
    handle.result_within(PATIENCE).await.unwrap();
    assert_eq!(tally.labels(), ["first", "last"]);
    worker.shutdown().await.unwrap();
}

/// Nests branches as deeply as it is told.
struct Deep;

impl Deep {
    fn descend(&self, depth: u32) -> Pin<Box<dyn Future<Output = Result<u32>> + Send + '_>> {
        Box::pin(async move {
            if depth == 0 {
                return self.arrive().await;
            }
            let (below,) = durable::join!(self.descend(depth - 1)).await?;
            Ok(below + 1)
        })
    }
}

#[workflow]
impl Deep {
    async fn run(&self, _cx: &Context, depth: u32) -> Result<u32> {
        self.descend(depth).await
    }

    #[step]
    async fn arrive(&self) -> Result<u32> {
        Ok(0)
    }
}

#[tokio::test]
async fn branches_nest_as_deeply_as_their_keys_can_be_journalled() {
    let database = support::database().await;
    let worker = database.builder().register(Deep).start().await.unwrap();
    let deep = worker.start::<Deep>(200).await.unwrap();
    assert_eq!(deep.result_within(PATIENCE).await.unwrap(), 200);
    let too_deep = worker.start::<Deep>(400).await.unwrap();
    let error = too_deep.result_within(PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("bytes, over the limit of 2000: nest branches less deeply"), "{error}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn branches_outside_of_an_execution_just_run() {
    let (sender, receiver) = oneshot::channel();
    let joined = durable::join!(async { Ok::<_, Error>(receiver.await?) }, async {
        sender.send(1).unwrap();
        Ok::<_, Error>(2)
    });
    assert_eq!(joined.await.unwrap(), (1, 2));
    let failed = durable::try_join!(async { Err::<(), _>(Error::new("no")) }, std::future::pending::<Result<()>>());
    assert_eq!(failed.await.unwrap_err().to_string(), "no");
    assert_eq!(durable::race!(std::future::pending(), async { 3 }).await, 3);
}
