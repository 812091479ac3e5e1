//! Stepping back: the database's clock is set back and forward again, and what came first still counts as first.

use std::time::Duration;

use durable::prelude::*;

use crate::leasing::Hold;
use crate::support::bodies::{Gate, Tally};
use crate::support::process::{Folder, Process};
use crate::support::proxy::{Fate, Moment, Proxy, Trap};
use crate::support::{self, Database, clock, eventually, soon};

/// Seconds by which the clock is set back: a few, as by a time server, and a year, as by mistake.
const STEPS: [i64; 2] = [2, 365 * 24 * 3600];

/// Records what the steps did, and the gates at which they wait.
#[derive(Clone)]
struct World {
    calls: Tally,
    gate: Gate,
}

impl World {
    fn new() -> Self {
        Self { calls: Tally::default(), gate: Gate::closed() }
    }
}

/// Waits for a payment, twice.
struct Order;

#[workflow]
impl Order {
    async fn run(&self, cx: &Context, _: ()) -> Result<u32> {
        let first: u32 = cx.wait_for_event("paid").await?;
        let second: u32 = cx.wait_for_event("paid").await?;
        Ok(first + second)
    }
}

/// Runs a step that fails and goes on, waits at a gate, and fails once.
struct Trip(World);

#[workflow]
impl Trip {
    async fn run(&self, _cx: &Context, _: ()) -> Result<()> {
        let _ = self.look_for_a_discount().await;
        self.pack().await?;
        self.drive().await
    }

    #[step]
    async fn look_for_a_discount(&self) -> Result<()> {
        self.0.calls.add("discount");
        Err(durable::Error::permanent("there is none"))
    }

    #[step]
    async fn pack(&self) -> Result<()> {
        self.0.calls.add("pack");
        self.0.gate.pass().await;
        Ok(())
    }

    #[step]
    async fn drive(&self) -> Result<()> {
        match self.0.calls.add("drive") {
            1 => Err(durable::Error::permanent("a flat tyre")),
            _ => Ok(()),
        }
    }
}

/// Two branches wait for the same event, the second once it has passed a gate; says what each was given.
struct Race(World);

#[workflow]
impl Race {
    async fn run(&self, cx: &Context, _: ()) -> Result<(u32, u32)> {
        let (late, early) = durable::try_join!(
            async {
                self.stand().await?;
                cx.wait_for_event("turn").await
            },
            async { cx.wait_for_event("turn").await },
        )
        .await?;
        Ok((early, late))
    }

    #[step]
    async fn stand(&self) -> Result<()> {
        self.0.gate.pass().await;
        Ok(())
    }
}

/// Waits for what is published.
struct Listener;

#[workflow]
impl Listener {
    async fn run(&self, cx: &Context, _: ()) -> Result<u32> {
        cx.wait_for_topic("news").await
    }
}

/// Sleeps for ten minutes beside a step that waits at a gate.
struct Doze(World);

#[workflow]
impl Doze {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        durable::try_join!(cx.sleep(Duration::from_secs(600)), self.stand()).await?;
        Ok(())
    }

    #[step(timeout = "10m")]
    async fn stand(&self) -> Result<()> {
        self.0.gate.pass().await;
        Ok(())
    }
}

/// Is started by a schedule.
struct Stroke;

#[workflow]
impl Stroke {
    async fn run(&self, _: &Context, _: ()) -> Result<()> {
        Ok(())
    }
}

/// How many waits are open.
async fn open_waits(database: &Database) -> i64 {
    database.count("select count(*) from durable.waits where outcome is null").await
}

#[tokio::test]
async fn an_event_after_the_clock_was_set_back_is_taken_and_the_execution_does_not_park_in_a_circle() {
    for seconds in STEPS {
        let database = support::database().await;
        let proxy = Proxy::before(&database).await;
        let worker = Durable::builder().database_url(proxy.url()).max_connections(4).register(Order).start().await.unwrap();
        let handle = worker.start::<Order>(()).await.unwrap();
        for (payload, back) in [(1, seconds), (2, 0)] {
            eventually("it waits", async || handle.execution().await.unwrap().state == ExecutionState::Waiting).await;
            clock::step(&database, -back).await;
            worker.send_event(handle.id(), "paid", &payload).await.unwrap();
        }
        assert_eq!(soon(&format!("paid after {seconds} s back"), handle.result()).await.unwrap(), 3);
        assert_eq!(proxy.answered("executions/park"), 2, "once for each wait");
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn an_execution_that_replays_takes_an_event_after_the_clock_was_set_back() {
    let database = support::database().await;
    let worker = database.builder().cached_executions(0).register(Order).start().await.unwrap();
    let handle = worker.start::<Order>(()).await.unwrap();
    for payload in [1, 2] {
        eventually("it waits", async || handle.execution().await.unwrap().state == ExecutionState::Waiting).await;
        clock::step(&database, -3600).await;
        worker.send_event(handle.id(), "paid", &payload).await.unwrap();
    }
    assert_eq!(soon("paid", handle.result()).await.unwrap(), 3);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_worker_that_died_before_the_clock_was_set_back_is_replaced_within_a_lease() {
    for seconds in STEPS {
        let database = support::database().await;
        let folder = Folder::new();
        let mut first = Process::start("held", &database.url, &folder);
        let handle = database.client().await.start::<Hold>(()).await.unwrap();
        eventually("begun", async || folder.effects().count("began") == 1).await;
        first.kill();
        clock::step(&database, -seconds).await;

        let workflow = Hold { effects: folder.effects(), until: None };
        let second = database.builder().register(workflow).start().await.unwrap();
        assert_eq!(soon(&format!("replaced after {seconds} s back"), handle.result()).await.unwrap(), "held by the second");
        second.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn no_worker_that_lives_is_declared_lost_because_the_clock_was_set_forward() {
    let database = support::database().await;
    let world = World::new();
    let worker = async || database.builder().lease(Duration::from_secs(3)).register(Trip(world.clone())).start().await.unwrap();
    let fleet = [worker().await, worker().await, worker().await];
    let handle = fleet[0].start::<Trip>(()).await.unwrap();
    eventually("at the gate", async || world.gate.inside() == 1).await;
    let workers = "select worker_id::text from durable.workers order by worker_id";
    let before: Vec<String> = database.values(workers).await;
    for _ in 0..3 {
        clock::step(&database, 3600).await;
        let extended = "select count(*) = 3 from durable.workers where lost_at is null and lease_until > durable.now()";
        eventually("every lease is extended", async || database.value(extended).await).await;
    }
    assert_eq!(database.values::<String>(workers).await, before);
    assert_eq!(handle.execution().await.unwrap().epoch, 1);
    world.gate.let_pass(1);
    for worker in fleet {
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_step_under_way_does_not_time_out_because_the_clock_was_set_forward() {
    let database = support::database().await;
    let proxy = Proxy::before(&database).await;
    let world = World::new();
    let builder = Durable::builder().database_url(proxy.url()).max_connections(4).lease(Duration::from_secs(3));
    let worker = builder.register(Doze(world.clone())).start().await.unwrap();
    let handle = worker.start::<Doze>(()).await.unwrap();
    eventually("at the gate", async || world.gate.inside() == 1).await;
    clock::step(&database, 3600).await;
    let beats = proxy.answered("workers/beat");
    eventually("the process follows the clock", async || proxy.answered("workers/beat") > beats + 1).await;

    // On a busy machine the short lease may be lost, and then the step begins once more, perhaps several times.
    world.gate.let_pass(100);
    soon("awake", handle.result()).await.unwrap();
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_retry_keeps_what_was_caught_before_the_clock_was_set_back() {
    let database = support::database().await;
    let world = World::new();
    let worker = database.builder().register(Trip(world.clone())).start().await.unwrap();
    let failed = worker.start::<Trip>(()).await.unwrap();
    eventually("at the gate", async || world.gate.inside() == 1).await;
    clock::step(&database, -3600).await;
    world.gate.let_pass(1);
    soon("failed", failed.result()).await.unwrap_err();

    let retry = worker.retry(failed.id()).await.unwrap();
    eventually("it ends", async || worker.get_execution(retry).await.unwrap().execution.state == ExecutionState::Completed).await;
    for (step, times) in [("discount", 1), ("pack", 1), ("drive", 2)] {
        assert_eq!(world.calls.count(step), times, "{step}");
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_fork_keeps_what_was_recorded_before_the_clock_was_set_back() {
    let database = support::database().await;
    let world = World::new();
    let worker = database.builder().register(Trip(world.clone())).start().await.unwrap();
    let failed = worker.start::<Trip>(()).await.unwrap();
    eventually("at the gate", async || world.gate.inside() == 1).await;
    clock::step(&database, -3600).await;
    world.gate.let_pass(1);
    soon("failed", failed.result()).await.unwrap_err();

    let fork = worker.fork(failed.id(), "step drive").await.unwrap();
    eventually("it ends", async || worker.get_execution(fork).await.unwrap().execution.state == ExecutionState::Completed).await;
    for (step, times) in [("discount", 1), ("pack", 1), ("drive", 2)] {
        assert_eq!(world.calls.count(step), times, "{step}");
    }
    let steps: Vec<String> = worker.get_execution(failed.id()).await.unwrap().steps.into_iter().map(|step| step.key).collect();
    assert_eq!(steps, ["step look_for_a_discount", "step pack", "step drive"]);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_event_goes_to_the_wait_that_began_first_though_the_clock_was_set_back_in_between() {
    let database = support::database().await;
    let world = World::new();
    let worker = database.builder().register(Race(world.clone())).start().await.unwrap();
    let handle = worker.start::<Race>(()).await.unwrap();
    eventually("one waits", async || open_waits(&database).await == 1 && world.gate.inside() == 1).await;
    clock::step(&database, -3600).await;
    world.gate.let_pass(1);
    eventually("both wait", async || open_waits(&database).await == 2).await;

    for turn in [1, 2] {
        worker.send_event(handle.id(), "turn", &turn).await.unwrap();
    }
    assert_eq!(soon("both had a turn", handle.result()).await.unwrap(), (1, 2));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_publication_after_the_clock_was_set_back_reaches_the_waits_before_it() {
    let database = support::database().await;
    let worker = database.builder().register(Listener).start().await.unwrap();
    let handle = worker.start::<Listener>(()).await.unwrap();
    eventually("it waits", async || handle.execution().await.unwrap().state == ExecutionState::Waiting).await;
    clock::step(&database, -3600).await;

    assert_eq!(worker.publish("news", &7).await.unwrap(), 1);
    assert_eq!(soon("told", handle.result()).await.unwrap(), 7);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_process_that_thinks_a_wait_is_over_when_it_is_not_reads_the_clock_instead_of_asking_in_a_circle() {
    let database = support::database().await;
    let proxy = Proxy::before(&database).await;
    let world = World::new();
    let builder = Durable::builder().database_url(proxy.url()).max_connections(4).poll_interval(Duration::from_secs(60));
    let worker = builder.lease(Duration::from_secs(15)).register(Doze(world.clone())).start().await.unwrap();
    // No heartbeat tells the process that the clock was set back.
    proxy.set(Trap { statements: vec!["workers/beat".to_owned()], nth: 1, moment: Moment::Before, fate: Fate::Held });
    clock::step(&database, -3600).await;
    let handle = worker.start::<Doze>(()).await.unwrap();
    let reads_the_clock = async || open_waits(&database).await == 1 && proxy.answered("clock/read") > 0;
    eventually("it reads the clock", reads_the_clock).await;
    proxy.caught().await;
    proxy.release();
    eventually("a heartbeat", async || proxy.answered("workers/beat") > 0).await;
    let asked = proxy.answered("executions/park");
    assert!(asked <= 10, "asked {asked} times about a sleep that is not over");
    clock::step(&database, 3600).await;
    world.gate.let_pass(1);
    soon("awake", handle.result()).await.unwrap();
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_rate_holds_nothing_back_for_longer_than_its_period_though_the_clock_is_set_back_by_a_year() {
    let database = support::database().await;
    let limits = durable::QueueLimits::default().rate(2, Duration::from_millis(200));
    let worker = database.builder().register(Stroke).queue_limits("default", limits).start().await.unwrap();
    for back in [0, STEPS[1]] {
        clock::step(&database, -back).await;
        for stroke in worker.start_many::<Stroke>(vec![(); 5]).await.unwrap() {
            soon("it has begun", stroke.result()).await.unwrap();
        }
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_schedule_firings_each_due_time_once_though_the_clock_is_set_back_and_forward() {
    let database = support::database().await;
    let worker = database.builder().register(Stroke).start().await.unwrap();
    worker.schedule::<Stroke>("tick", "every 1s", ()).missed(durable::Missed::All).await.unwrap();
    let firings = "select count(*) from durable.schedule_firings";
    for (seconds, fired) in [(0, 2), (-2, 4), (4, 8)] {
        clock::step(&database, seconds).await;
        eventually("it fires", async || database.count(firings).await >= fired).await;
    }
    worker.disable_schedule("tick", "it is over").await.unwrap();
    let gaps = "select count(*) from (
                    select due_at - lag(due_at) over (order by due_at) as gap from durable.schedule_firings
                ) as gaps where gap <> interval '1 second'";
    assert_eq!(database.count(gaps).await, 0);
    let started = "select count(*) from durable.executions where schedule = 'tick'";
    assert_eq!(database.count(started).await, database.count(firings).await);
    worker.shutdown().await.unwrap();
}
