//! Limits: of a queue, of a concurrency key, of a rate; never exceeded, however many workers claim at once, and fair to all.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use durable::prelude::*;
use durable::{Durable, QueueLimits};
use futures_util::future::join_all;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, Row};

use crate::support::bodies::Gate;
use crate::support::process::{Effects, Flag, Folder, Process};
use crate::support::{self, Database, PATIENCE, clock, eventually};

/// A poll interval in which no test ends.
const HOUR: Duration = Duration::from_secs(3600);

/// Counts how many bodies are inside at once, by a label, and the most that ever were.
#[derive(Debug, Clone, Default)]
struct Crowd(Arc<Mutex<BTreeMap<String, (usize, usize)>>>);

impl Crowd {
    fn enter(&self, label: &str) {
        let mut crowd = self.0.lock().unwrap();
        let (inside, most) = crowd.entry(label.to_owned()).or_default();
        *inside += 1;
        *most = (*most).max(*inside);
    }

    fn leave(&self, label: &str) {
        self.0.lock().unwrap().get_mut(label).unwrap().0 -= 1;
    }

    fn most(&self, label: &str) -> usize {
        self.0.lock().unwrap().get(label).map_or(0, |(_, most)| *most)
    }

    fn labels(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// Is inside for as long as the database takes to answer a few times.
struct Visit {
    crowd: Crowd,
    pool: PgPool,
}

#[workflow(queue = "visits")]
impl Visit {
    async fn run(&self, _cx: &Context, label: String) -> Result<()> {
        self.stay(label).await
    }

    #[step]
    async fn stay(&self, label: String) -> Result<()> {
        self.crowd.enter(&label);
        for _ in 0..3 {
            sqlx::query("select 1").execute(&self.pool).await?;
        }
        self.crowd.leave(&label);
        Ok(())
    }
}

/// The same, with a key.
struct KeyedVisit {
    visit: Visit,
}

#[workflow(queue = "visits", concurrency_key = |label: &String| label.clone(), limit = 2)]
impl KeyedVisit {
    async fn run(&self, _cx: &Context, label: String) -> Result<()> {
        self.stay(label).await
    }

    #[step]
    async fn stay(&self, label: String) -> Result<()> {
        self.visit.stay(label).await
    }
}

/// Has one customer visited by several children at once.
struct Family;

#[workflow]
impl Family {
    async fn run(&self, cx: &Context, children: usize) -> Result<()> {
        let visit = async |child: usize| {
            if child.is_multiple_of(2) {
                cx.child::<KeyedVisit>("customer".to_owned()).await
            } else {
                cx.child::<Visit>("customer".to_owned()).concurrency_key("another").await
            }
        };
        cx.map(0..children).concurrency(children).each(visit).await?;
        Ok(())
    }
}

/// Notes its name, then waits for the gate.
#[derive(Clone)]
struct Passage {
    gate: Gate,
    order: Arc<Mutex<Vec<String>>>,
}

impl Passage {
    fn closed() -> Self {
        Self { gate: Gate::closed(), order: Arc::default() }
    }

    fn order(&self) -> Vec<String> {
        self.order.lock().unwrap().clone()
    }
}

#[workflow(queue = "passages")]
impl Passage {
    async fn run(&self, _cx: &Context, name: String) -> Result<()> {
        self.pass(name).await
    }

    #[step]
    async fn pass(&self, name: String) -> Result<()> {
        self.order.lock().unwrap().push(name);
        self.gate.pass().await;
        Ok(())
    }
}

/// Sleeps for a minute between two steps.
struct Pausing {
    steps: Arc<AtomicUsize>,
}

#[workflow(queue = "rated")]
impl Pausing {
    async fn run(&self, cx: &Context, _number: u32) -> Result<()> {
        self.count().await?;
        cx.sleep(minutes(1)).await?;
        self.count().await
    }

    #[step]
    async fn count(&self) -> Result<()> {
        self.steps.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// Says when it is inside, to whoever reads the file, and waits there for a flag.
struct Logged {
    effects: Effects,
    go: Flag,
}

#[workflow(queue = "logged")]
impl Logged {
    async fn run(&self, _cx: &Context, _number: u32) -> Result<()> {
        self.stay().await
    }

    #[step]
    async fn stay(&self) -> Result<()> {
        self.effects.add("in");
        self.go.wait().await;
        self.effects.add("out");
        Ok(())
    }
}

/// A worker process for [`Logged`].
pub(crate) async fn work(url: &str, folder: &Folder) {
    let workflow = Logged { effects: folder.effects(), go: folder.flag("go") };
    let builder = Durable::builder().database_url(url).max_connections(4).queue("logged", 2);
    let durable = builder.register(workflow).start().await.unwrap();
    std::future::pending::<()>().await;
    drop(durable);
}

fn pool(database: &Database) -> PgPool {
    PgPoolOptions::new().max_connections(8).acquire_timeout(PATIENCE).connect_lazy(&database.url).unwrap()
}

/// Three engines with a pool each, as three processes would be, that run visits from two queues.
async fn three_engines(database: &Database, crowd: &Crowd) -> Vec<Durable> {
    let engines = (0..3).map(|_| {
        let visit = || Visit { crowd: crowd.clone(), pool: pool(database) };
        let builder = database.builder().poll_interval(HOUR).queue("visits", 20).queue("more visits", 20);
        builder.register(visit()).register(KeyedVisit { visit: visit() }).start()
    });
    join_all(engines).await.into_iter().map(|engine| engine.unwrap()).collect()
}

async fn all_complete(database: &Database, executions: i64) {
    eventually("every execution completes", async || {
        database.count("select count(*) from durable.executions where state = 'completed'").await == executions
    })
    .await;
}

async fn shut_down(engines: Vec<Durable>) {
    for engine in engines {
        engine.shutdown().await.unwrap();
    }
}

/// No stretch as long as the period may hold more than so many starts.
async fn assert_rate(database: &Database, which: &str, most: usize, period: TimeDelta) {
    let select =
        format!("select started_at from durable.executions where started_at is not null and {which} order by started_at");
    let starts: Vec<DateTime<Utc>> = database.values(&select).await;
    for (first, one_too_many) in starts.iter().zip(&starts[most.min(starts.len())..]) {
        let apart = *one_too_many - *first;
        assert!(apart >= period, "{} executions began within {apart}", most + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_engines_never_run_more_of_a_queue_than_its_limit() {
    let database = support::database().await;
    // Whoever counts under an old snapshot counts too little.
    let name: String = database.value("select current_database()::text").await;
    database.run(&format!("alter database {name} set default_transaction_isolation = 'repeatable read'")).await;
    let crowd = Crowd::default();
    let engines = three_engines(&database, &crowd).await;
    engines[0].queue("visits").set_limits(QueueLimits::default().concurrency(4)).await.unwrap();
    // Those that start are workers, too: what they start must not pass the limit by.
    let starts = (0..120).map(|number: usize| {
        let engine = &engines[number % 3];
        async move { engine.start::<Visit>("all".to_owned()).await }
    });
    for started in join_all(starts).await {
        started.unwrap();
    }
    all_complete(&database, 120).await;
    assert!((1..=4).contains(&crowd.most("all")), "{} at once", crowd.most("all"));
    shut_down(engines).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn executions_with_a_key_never_run_beyond_its_limit_over_all_queues() {
    let database = support::database().await;
    let crowd = Crowd::default();
    let engines = three_engines(&database, &crowd).await;
    let starts = (0..120).map(|number: usize| {
        let start = engines[number % 3].start::<KeyedVisit>(format!("customer {}", number % 5));
        let start = if number.is_multiple_of(2) { start.queue("more visits") } else { start };
        start.into_future()
    });
    for started in join_all(starts).await {
        started.unwrap();
    }
    // What one queue has freed the other takes at its next look.
    eventually("every execution completes", async || {
        engines.iter().for_each(|engine| engine.notify_queue("more visits"));
        engines.iter().for_each(|engine| engine.notify_queue("visits"));
        database.count("select count(*) from durable.executions where state = 'completed'").await == 120
    })
    .await;
    assert_eq!(crowd.labels(), 5);
    for customer in 0..5 {
        let most = crowd.most(&format!("customer {customer}"));
        assert!((1..=2).contains(&most), "{most} at once of customer {customer}");
    }
    shut_down(engines).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_are_counted_by_their_own_keys() {
    let database = support::database().await;
    let crowd = Crowd::default();
    let visit = || Visit { crowd: crowd.clone(), pool: pool(&database) };
    let builder = database.builder().register(visit()).register(KeyedVisit { visit: visit() }).register(Family);
    let worker = builder.start().await.unwrap();
    worker.start::<Family>(40).await.unwrap().result_within(PATIENCE).await.unwrap();
    let keys: Vec<String> = database
        .values(
            "select workflow || ' ' || concurrency_key from durable.executions where parent_id is not null group by 1 order by 1",
        )
        .await;
    assert_eq!(keys, ["keyed_visit customer", "visit another"]);
    // The visits under the other key have no limit.
    let select = "select count(*) from durable.executions as one where workflow = 'keyed_visit' and (
        select count(*) from durable.executions as other
        where workflow = 'keyed_visit' and other.started_at <= one.started_at and other.finished_at > one.started_at) > 2";
    assert_eq!(database.count(select).await, 0, "more than two ran at once");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn three_processes_never_run_more_of_a_queue_than_its_limit() {
    let database = support::database().await;
    let folder = Folder::new();
    let limits = QueueLimits::default().concurrency(3);
    let client = database.builder().queue_limits("logged", limits).start().await.unwrap();
    client.start_many::<Logged>(0..150).await.unwrap();
    let workers: Vec<Process> = (0..3).map(|_| Process::start("limited", &database.url, &folder)).collect();
    // With two slots each, they belong to two processes at least.
    eventually("three are inside", async || folder.effects().count("in") >= 3).await;
    folder.flag("go").raise();
    all_complete(&database, 150).await;
    let mut inside = 0_usize;
    for effect in folder.effects().all() {
        inside = if effect == "in" { inside + 1 } else { inside - 1 };
        assert!(inside <= 3, "{inside} at once");
    }
    assert_eq!(folder.effects().count("in"), 150);
    drop(workers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_is_kept_in_every_stretch_and_used_without_waiting_for_a_poll() {
    let database = support::database().await;
    let crowd = Crowd::default();
    let engines = three_engines(&database, &crowd).await;
    let limits = QueueLimits::default().rate(5, Duration::from_millis(20));
    engines[0].queue("visits").set_limits(limits).await.unwrap();
    for engine in &engines {
        engine.start_many::<Visit>((0..100).map(|_| "all".to_owned())).await.unwrap();
    }
    all_complete(&database, 300).await;
    assert_rate(&database, "queue = 'visits'", 5, TimeDelta::milliseconds(20)).await;
    shut_down(engines).await;
}

#[tokio::test]
async fn a_rate_counts_what_begins_and_not_what_goes_on() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let steps = Arc::new(AtomicUsize::new(0));
    let limits = QueueLimits::default().rate(2, hours(1));
    let worker =
        database.builder().queue_limits("rated", limits).register(Pausing { steps: steps.clone() }).start().await.unwrap();
    worker.start_many::<Pausing>(0..5).await.unwrap();
    let states = "select count(*) from durable.executions where state =";
    let in_state = async |state: &str| database.count(&format!("{states} '{state}'")).await;
    eventually("two sleep", async || in_state("waiting").await == 2).await;

    clock::turn(&database, minutes(1)).await;
    eventually("both go on", async || in_state("completed").await == 2).await;
    assert_eq!((steps.load(Ordering::SeqCst), in_state("pending").await), (4, 3), "an hour has not passed");

    clock::turn(&database, minutes(59)).await;
    eventually("two more sleep", async || in_state("waiting").await == 2).await;
    assert_eq!((steps.load(Ordering::SeqCst), in_state("pending").await), (6, 1));
    clock::turn(&database, hours(1)).await;
    eventually("the last one sleeps", async || in_state("completed").await == 4 && in_state("waiting").await == 1).await;
    assert_rate(&database, "true", 2, TimeDelta::hours(1)).await;
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_rate_per_key_holds_back_that_key_and_no_other() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let passage = Passage::closed();
    passage.gate.let_pass(100);
    let client = database.client().await;
    for (name, executions) in [("a", 4), ("b", 1), ("c", 2)] {
        let names = (0..executions).map(|_| name.to_owned());
        client.start_many::<Passage>(names).concurrency_key(name).await.unwrap();
    }
    client.start::<Passage>("none".to_owned()).await.unwrap();
    let limits = QueueLimits::default().rate_per_key(1, minutes(1));
    let worker = database.builder().queue_limits("passages", limits).register(passage.clone()).start().await.unwrap();
    let begun = async |names: &[&str]| {
        eventually("as many begin as may", async || {
            let mut order = passage.order();
            order.sort_unstable();
            order == names
        })
        .await;
    };
    begun(&["a", "b", "c", "none"]).await;
    clock::turn(&database, minutes(1)).await;
    begun(&["a", "a", "b", "c", "c", "none"]).await;
    clock::turn(&database, minutes(1)).await;
    begun(&["a", "a", "a", "b", "c", "c", "none"]).await;
    assert_rate(&database, "concurrency_key = 'a'", 1, TimeDelta::minutes(1)).await;
    worker.shutdown().await.unwrap();
}

/// Puts so many executions of [`Passage`] into its queue, with a concurrency key or without.
async fn fill(database: &Database, executions: u32, key: &str) {
    database
        .run(&format!(
            "insert into durable.executions (
                 execution_id, created_at, version, priority, workflow, queue, input, state, epoch, claims, rank, concurrency_key
             )
             select durable.new_id(), durable.now(), 1, 0, 'passage', 'passages', '\"many\"', 'pending', 0, 0, durable.now(), {key}
             from generate_series(1, {executions}) as n"
        ))
        .await;
}

#[tokio::test]
async fn a_tenant_with_a_hundred_thousand_executions_starves_nobody() {
    let database = support::database().await;
    fill(&database, 100_000, "'tenant 1'").await;
    fill(&database, 1_000, "'tenant ' || n").await;
    let client = database.client().await;
    client.start::<Passage>("a small tenant".to_owned()).concurrency_key("tenant 10000").await.unwrap();
    client.start::<Passage>("without a tenant".to_owned()).await.unwrap();
    let passage = Passage::closed();
    let worker = database.builder().queue("passages", 100).register(passage.clone()).start().await.unwrap();
    // Everyone has had a turn when each of the 1001 tenants has, and half the turns are of those without one.
    passage.gate.let_pass(2_100);
    passage.gate.until_inside(100).await;
    let order = passage.order();
    let place = |name: &str| order.iter().position(|begun| begun == name);
    assert!(place("without a tenant").is_some_and(|place| place <= 100), "{:?}", place("without a tenant"));
    assert!(place("a small tenant").is_some_and(|place| place <= 1_100), "{:?}", place("a small tenant"));
    worker.shutdown_within(Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn those_with_a_key_and_those_without_take_turns_one_by_one() {
    let database = support::database().await;
    let client = database.client().await;
    for (name, key) in [("a", Some("a")), ("b", Some("b")), ("-", None)] {
        let start = client.start_many::<Passage>((0..3).map(|_| name.to_owned()));
        let start = if let Some(key) = key { start.concurrency_key(key) } else { start };
        start.await.unwrap();
    }
    let passage = Passage::closed();
    passage.gate.let_pass(9);
    let worker = database.builder().queue("passages", 1).register(passage.clone()).start().await.unwrap();
    all_complete(&database, 9).await;
    assert_eq!(passage.order(), ["a", "-", "b", "-", "a", "-", "b", "a", "b"]);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_waits_overtakes_a_level_of_priority_each_minute() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let client = database.client().await;
    let start = async |name: &str, priority| client.start::<Passage>(name.to_owned()).priority(priority).await.unwrap();
    start("has waited for five minutes", 0).await;
    clock::turn(&database, minutes(5)).await;
    start("one level below", 4).await;
    start("as urgent", 5).await;
    start("one level above", 6).await;

    let passage = Passage::closed();
    passage.gate.let_pass(4);
    let worker = database.builder().queue("passages", 1).register(passage.clone()).start().await.unwrap();
    all_complete(&database, 4).await;
    assert_eq!(passage.order(), ["one level above", "has waited for five minutes", "as urgent", "one level below"]);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_place_of_a_full_limit_is_given_on_at_once() {
    let database = support::database().await;
    let limits = QueueLimits::default().concurrency(1);
    let passage = Passage::closed();
    passage.gate.let_pass(30);
    let builder = database.builder().poll_interval(HOUR).queue_limits("passages", limits);
    let worker = builder.register(passage.clone()).start().await.unwrap();
    let handles = worker.start_many::<Passage>((0..30).map(|_| "one by one".to_owned())).await.unwrap();
    for handle in handles {
        handle.result_within(PATIENCE).await.unwrap();
    }
    assert_eq!(passage.gate.most_inside(), 1);
    worker.shutdown().await.unwrap();
}

/// The blocks that a claim of a hundred executions looks at.
async fn blocks_of_a_claim(connection: &mut PgConnection) -> i64 {
    let claim = "explain (analyze, buffers, format json) select * from durable.claim(
        (select worker_id from durable.workers limit 1), 'passages', 100,
        array['passage'], array[1], array[null::float8], array['passage@1'], array[null::int4])";
    let mut blocks = 0;
    // The first one reads catalogs, too.
    for _ in 0..2 {
        let mut transaction = connection.begin().await.unwrap();
        let row = sqlx::query(claim).fetch_one(&mut *transaction).await.unwrap();
        let plan: serde_json::Value = row.try_get(0).unwrap();
        // PostgreSQL 18 gives it as a decimal number.
        assert_eq!(plan[0]["Plan"]["Actual Rows"].as_f64(), Some(100.0), "{plan}");
        blocks = plan[0]["Plan"]["Shared Hit Blocks"].as_i64().unwrap() + plan[0]["Plan"]["Shared Read Blocks"].as_i64().unwrap();
        transaction.rollback().await.unwrap();
    }
    blocks
}

#[tokio::test]
async fn a_claim_looks_at_as_many_blocks_with_a_thousand_pending_as_with_a_hundred_thousand() {
    const SESSION: &str = "set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_bitmapscan = off; set enable_nestloop = off; set enable_sort = off; set jit = off";
    for (what, key, limits) in [
        ("no limits", "null", "null"),
        ("a concurrency and a rate", "null", "1000, 1000, '1 s'"),
        ("a key each", "'tenant ' || n", "null"),
        ("one key", "'tenant'", "1000"),
    ] {
        let database = support::database().await;
        database
            .run(
                "insert into durable.workers (worker_id, host, process_id, queues, started_at, lease_until)
                 select gen_random_uuid(), 'here', 1, '{passages}', now(), now() + interval '1 day'",
            )
            .await;
        if what != "no limits" {
            database.run(&format!("select durable.set_queue_limits('passages', {limits})")).await;
        }
        let mut blocks = Vec::new();
        for more in [1_000, 99_000] {
            fill(&database, more, key).await;
            let mut connection = database.pool().acquire().await.unwrap().detach();
            sqlx::raw_sql(AssertSqlSafe(SESSION)).execute(&mut connection).await.unwrap();
            blocks.push(blocks_of_a_claim(&mut connection).await);
        }
        assert!(blocks[1] < blocks[0] * 3 / 2, "{what}: {blocks:?} blocks");
    }
}
