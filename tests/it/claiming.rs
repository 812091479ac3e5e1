//! Claiming: each execution goes to one worker, the urgent and the old first, none before its time or to a stranger.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use durable::prelude::*;
use futures_util::future::join_all;
use tokio::sync::Semaphore;

use crate::support::proxy::Proxy;
use crate::support::{self, PATIENCE, clock, eventually};

/// A poll interval in which no test ends.
const HOUR: Duration = Duration::from_secs(3600);

/// Counts how often its step was called for each number.
struct Tally {
    calls: Arc<Vec<AtomicUsize>>,
}

impl Tally {
    fn of(numbers: usize) -> Self {
        Self { calls: Arc::new((0..numbers).map(|_| AtomicUsize::new(0)).collect()) }
    }
}

#[workflow(queue = "tally")]
impl Tally {
    async fn run(&self, _cx: &Context, number: usize) -> Result<usize> {
        self.count(number).await
    }

    #[step]
    async fn count(&self, number: usize) -> Result<usize> {
        self.calls[number].fetch_add(1, Ordering::Relaxed);
        Ok(number)
    }
}

/// Notes its input, then waits for the gate; counts how many are inside at once.
#[derive(Clone)]
struct Gated {
    gate: Arc<Semaphore>,
    inside: Arc<AtomicUsize>,
    most_inside: Arc<AtomicUsize>,
    order: Arc<Mutex<Vec<String>>>,
}

impl Gated {
    fn with(permits: usize) -> Self {
        Self {
            gate: Arc::new(Semaphore::new(permits)),
            inside: Arc::default(),
            most_inside: Arc::default(),
            order: Arc::default(),
        }
    }
}

#[workflow(queue = "gated")]
impl Gated {
    async fn run(&self, _cx: &Context, name: String) -> Result<()> {
        self.pass(name).await
    }

    #[step]
    async fn pass(&self, name: String) -> Result<()> {
        self.order.lock().unwrap().push(name);
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_inside.fetch_max(inside, Ordering::SeqCst);
        self.gate.acquire().await?.forget();
        self.inside.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
}

struct Greeting;

#[workflow(queue = "tally")]
impl Greeting {
    async fn run(&self, _cx: &Context, name: String) -> Result<String> {
        Ok(format!("Hello, {name}!"))
    }
}

struct GreetingAgain;

#[workflow(name = "greeting", version = 2, queue = "tally")]
impl GreetingAgain {
    async fn run(&self, _cx: &Context, name: String) -> Result<String> {
        Ok(format!("Hello again, {name}!"))
    }
}

/// Sleeps, is told something, and needs two attempts.
struct Busy {
    attempts: Arc<AtomicUsize>,
}

#[workflow]
impl Busy {
    async fn run(&self, cx: &Context, number: u64) -> Result<u64> {
        cx.sleep(std::time::Duration::from_millis(1)).await?;
        let told: u64 = cx.wait_for_event("told").await?;
        self.add(number, told).await
    }

    #[step(retry(max_attempts = 2, backoff = constant, base = "1ms"))]
    async fn add(&self, number: u64, told: u64) -> Result<u64> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        if durable::step().attempt() == 1 {
            return Err(durable::Error::new("not at the first attempt"));
        }
        Ok(number + told)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_workers_run_ten_thousand_executions_once_each() {
    const EXECUTIONS: usize = 10_000;
    let database = support::database().await;
    let tally = Tally::of(EXECUTIONS);
    let calls = tally.calls.clone();
    let workers = join_all((0..8).map(|_| {
        let tally = Tally { calls: calls.clone() };
        database.builder().max_connections(3).queue("tally", 50).register(tally).start()
    }))
    .await;
    let client = database.client().await;
    let inputs: Vec<usize> = (0..EXECUTIONS).collect();
    let started =
        join_all(inputs.chunks(500).map(|chunk| async { client.start_many::<Tally>(chunk.to_vec()).await.unwrap() })).await;
    assert_eq!(started.iter().flatten().count(), EXECUTIONS);

    eventually("every execution completes", async || {
        database.count("select count(*) from durable.executions where state = 'completed'").await == 10_000
    })
    .await;
    let called_otherwise: Vec<usize> =
        calls.iter().map(|calls| calls.load(Ordering::Relaxed)).filter(|calls| *calls != 1).collect();
    assert_eq!(called_otherwise, [0; 0], "every step is called once");
    assert_eq!(database.count("select count(*) from durable.executions where epoch <> 1").await, 0, "every one is claimed once");
    assert_eq!(database.count("select count(*) from durable.checkpoints").await, 10_000);
    for worker in workers {
        worker.unwrap().shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn the_urgent_go_first_and_among_equals_the_old() {
    let database = support::database().await;
    let client = database.client().await;
    let mut handles = Vec::new();
    for (name, priority) in [("a", 0), ("b", 0), ("c", 5), ("d", -1), ("e", 5), ("f", i16::MIN), ("g", i16::MAX)] {
        handles.push(client.start::<Gated>(name.to_owned()).priority(priority).await.unwrap());
    }
    let gated = Gated::with(100);
    let order = gated.order.clone();
    let worker = database.builder().queue("gated", 1).register(gated).start().await.unwrap();
    for handle in handles {
        handle.result_within(PATIENCE).await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), ["g", "c", "e", "a", "b", "d", "f"]);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_scheduled_start_runs_at_its_time_and_not_before() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Tally::of(4)).start().await.unwrap();
    let now = clock::now(&database).await;
    let delayed = worker.start::<Tally>(0).delay(hours(1)).await.unwrap();
    let at = worker.start::<Tally>(1).at(now + hours(2)).await.unwrap();
    let past = worker.start::<Tally>(2).at(now - hours(2)).await.unwrap();
    assert_eq!(past.result_within(PATIENCE).await.unwrap(), 2, "a time that has passed is no reason to wait");

    clock::advance(&database, hours(1) - seconds(1)).await;
    for handle in [&delayed, &at] {
        let execution = handle.execution().await.unwrap();
        assert_eq!((execution.state, execution.epoch), (ExecutionState::Pending, 0));
    }
    clock::advance(&database, seconds(1)).await;
    assert_eq!(delayed.result_within(PATIENCE).await.unwrap(), 0);
    assert_eq!(delayed.execution().await.unwrap().started_at, Some(now + hours(1)));
    assert_eq!(at.execution().await.unwrap().state, ExecutionState::Pending);
    clock::advance(&database, hours(1)).await;
    assert_eq!(at.result_within(PATIENCE).await.unwrap(), 1);
    assert_eq!(at.execution().await.unwrap().started_at, Some(now + hours(2)));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_execution_stays_queued_until_a_worker_comes_that_knows_its_workflow_and_version() {
    let database = support::database().await;
    let client = database.client().await;
    let unknown = client.start::<Tally>(0).await.unwrap();
    let newer = client.start::<GreetingAgain>("Ada".to_owned()).await.unwrap();
    let known = client.start::<Greeting>("Ada".to_owned()).priority(-1).await.unwrap();

    let stranger = database.builder().register(Greeting).start().await.unwrap();
    // Same queue, last in line: those before it were passed over.
    assert_eq!(known.result_within(PATIENCE).await.unwrap(), "Hello, Ada!");
    for execution in [unknown.execution().await.unwrap(), newer.execution().await.unwrap()] {
        assert_eq!((execution.state, execution.epoch), (ExecutionState::Pending, 0), "{}", execution.workflow);
    }

    let worker = database.builder().register(Tally::of(1)).register(GreetingAgain).start().await.unwrap();
    assert_eq!(unknown.result_within(PATIENCE).await.unwrap(), 0);
    assert_eq!(newer.result_within(PATIENCE).await.unwrap(), "Hello again, Ada!");
    for durable in [stranger, worker] {
        durable.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_queue_runs_as_many_executions_at_once_as_it_has_slots_and_delays_no_other() {
    let database = support::database().await;
    let gated = Gated::with(0);
    let worker = database
        .builder()
        .queue("gated", 3)
        .queue("tally", 1)
        .register(gated.clone())
        .register(Tally::of(1))
        .start()
        .await
        .unwrap();
    // Some are handed to this process at once, some are claimed.
    let here = join_all((0..5).map(|_| async { worker.start::<Gated>("here".to_owned()).await.unwrap() })).await;
    let client = database.client().await;
    let there = client.start_many::<Gated>((0..5).map(|_| "there".to_owned())).await.unwrap();
    eventually("the queue is full", async || gated.inside.load(Ordering::SeqCst) == 3).await;
    // The other queue has its own slot.
    assert_eq!(client.start::<Tally>(0).await.unwrap().result_within(PATIENCE).await.unwrap(), 0);
    assert_eq!(database.count("select count(*) from durable.executions where state = 'pending'").await, 7);

    gated.gate.add_permits(10);
    for handle in here.iter().chain(&there) {
        handle.result_within(PATIENCE).await.unwrap();
    }
    assert_eq!(gated.most_inside.load(Ordering::SeqCst), 3);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_execution_started_beside_a_free_slot_runs_and_one_beside_none_waits() {
    let database = support::database().await;
    let gated = Gated::with(0);
    let worker = database.builder().queue("gated", 1).register(gated.clone()).start().await.unwrap();
    let first = worker.start::<Gated>("first".to_owned()).await.unwrap();
    let second = worker.start::<Gated>("second".to_owned()).await.unwrap();
    eventually("the first one runs", async || first.execution().await.unwrap().state == ExecutionState::Running).await;
    assert_eq!(second.execution().await.unwrap().state, ExecutionState::Pending, "the only slot is taken");
    gated.gate.add_permits(2);
    first.result_within(PATIENCE).await.unwrap();
    second.result_within(PATIENCE).await.unwrap();
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_pool_of_one_connection_is_enough_for_waits_retries_and_clients() {
    let database = support::database().await;
    let attempts = Arc::new(AtomicUsize::new(0));
    let durable = database.builder().max_connections(1).register(Busy { attempts: attempts.clone() }).start().await.unwrap();
    let results = join_all((0..64_u64).map(|number| {
        let durable = durable.clone();
        async move {
            let handle = durable.start::<Busy>(number).await?;
            durable.send_event(handle.id(), "told", &1000).await?;
            handle.result_within(PATIENCE).await
        }
    }))
    .await;
    for (number, result) in (0..).zip(results) {
        assert_eq!(result.unwrap(), number + 1000_u64);
    }
    assert_eq!(attempts.load(Ordering::Relaxed), 128);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn with_an_hour_between_polls_notifications_carry_work_messages_and_results() {
    let database = support::database().await;
    let attempts = Arc::new(AtomicUsize::new(0));
    let worker = database.builder().poll_interval(HOUR).register(Busy { attempts }).start().await.unwrap();
    let client = database.builder().poll_interval(HOUR).start().await.unwrap();
    for number in 0..5 {
        let handle = client.start::<Busy>(number).await.unwrap();
        eventually("it waits to be told", async || {
            database.count("select count(*) from durable.executions where state = 'waiting' and wake_at is null").await == 1
        })
        .await;
        client.send_event(handle.id(), "told", &1000).await.unwrap();
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), number + 1000);
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_a_client_has_started_is_told_before_it_has_shut_down() {
    let database = support::database().await;
    let worker = database.builder().poll_interval(HOUR).register(Tally::of(20)).start().await.unwrap();
    // Whatever the worker looks for when it begins is over.
    assert_eq!(worker.start::<Tally>(0).await.unwrap().result_within(PATIENCE).await.unwrap(), 0);
    for number in 1..20 {
        let client = database.builder().start().await.unwrap();
        let id = client.start::<Tally>(number).await.unwrap().id();
        client.shutdown().await.unwrap();
        assert_eq!(worker.handle::<Tally>(id).result_within(PATIENCE).await.unwrap(), number);
    }
    worker.shutdown().await.unwrap();
}

/// A claim reserves every slot: none of them, given back unused, may be the reason for the next claim.
#[tokio::test]
async fn an_idle_worker_asks_for_work_once_and_waits() {
    let database = support::database().await;
    let proxy = Proxy::before(&database).await;
    let builder = database.builder().database_url(proxy.url()).poll_interval(HOUR);
    let durable = builder.queue("tally", 10).register(Tally::of(1)).start().await.unwrap();
    assert_eq!(durable.start::<Tally>(0).await.unwrap().result_within(PATIENCE).await.unwrap(), 0);
    for _ in 0..100 {
        database.count("select 1::bigint").await;
    }
    // When it starts, when it hears notifications, for the start, and for what may be heard of each.
    let claims = proxy.seen().iter().filter(|statement| *statement == "executions/claim").count();
    assert!((1..=8).contains(&claims), "{claims} claims");
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn idle_queues_share_one_look_and_claim_nothing() {
    const QUEUES: usize = 200;
    const ROUNDS: usize = 20;
    /// Claims for one execution: the claim that takes it, the next one, and some after slots came free.
    const CLAIMS: usize = 5;
    let database = support::database().await;
    let proxy = Proxy::before(&database).await;
    let claims = || proxy.seen().iter().filter(|statement| *statement == "executions/claim").count();
    let tally = Tally::of(ROUNDS);
    let calls = tally.calls.clone();
    let builder = database.builder().database_url(proxy.url()).register(tally);
    let worker = (0..QUEUES).fold(builder, |builder, nth| builder.queue(format!("idle {nth}"), 1)).start().await.unwrap();
    eventually("every queue has claimed once", async || claims() >= QUEUES).await;

    for (round, begun) in calls.iter().enumerate() {
        // A start in SQL notifies no worker: a look finds it.
        database.run(&format!("select durable.start('tally', '{round}', queue => 'idle {round}')")).await;
        eventually("begun", async || begun.load(Ordering::Relaxed) == 1).await;
    }
    worker.shutdown().await.unwrap();
    // Each queue claims when the worker starts, and once more when it hears notifications.
    assert!(claims() <= 2 * QUEUES + ROUNDS * CLAIMS, "{} claims for {ROUNDS} executions in {QUEUES} queues", claims());
}
