//! Strangers: a transaction that a stranger leaves open holds up what it has locked, and nothing else.

use std::collections::BTreeSet;
use std::ops::RangeFrom;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use durable::Durable;
use durable::prelude::*;
use durable::sqlx::{self, AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::{self, Database, eventually, soon};

/// How long an unrelated execution may take while a stranger's transaction is open: many times its usual duration on a busy
/// machine, but less than a wait for that transaction.
const USUAL: Duration = Duration::from_secs(20);

/// Unrelated executions that must finish while each transaction is open.
const ERRANDS: usize = 8;

/// The cells whose gates are open.
static GATES: LazyLock<watch::Sender<BTreeSet<i64>>> = LazyLock::new(watch::Sender::default);

async fn gate_opens(cell: i64) {
    let _ = GATES.subscribe().wait_for(|open| open.contains(&cell)).await;
}

/// Does what executions do: steps, a retry, a timer, a child, a transaction, an event.
struct Errand;

#[workflow]
impl Errand {
    async fn run(&self, cx: &Context, number: i64) -> Result<i64> {
        let fetched = self.fetch(number).await?;
        cx.sleep(Duration::from_millis(1)).await?;
        let carried = cx.child::<Leaf>(fetched).await?;
        let noted = self.note(carried).await?;
        let word: i64 = cx.wait_for_event("word").await?;
        Ok(noted + word)
    }

    #[step(retry(max_attempts = 3, backoff = constant, base = "1ms", jitter = 0.0))]
    async fn fetch(&self, number: i64) -> Result<i64> {
        if durable::step().attempt() == 1 {
            return Err(durable::Error::new("not at home"));
        }
        Ok(number)
    }

    #[step(transaction)]
    async fn note(&self, tx: &mut Transaction, number: i64) -> Result<i64> {
        sqlx::query("select 1").execute(&mut **tx).await?;
        Ok(number)
    }
}

struct Leaf;

#[workflow]
impl Leaf {
    async fn run(&self, _cx: &Context, number: i64) -> Result<i64> {
        Ok(number)
    }
}

/// What the held executions do when the gate opens.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
enum Held {
    Finishes,
    Parks,
    Commits,
    Sleeps,
    Listens,
    /// Its child ends.
    Hears,
    /// Fails, and has something to undo.
    RollsBack,
}

const HELD: [Held; 7] = [Held::Finishes, Held::Parks, Held::Commits, Held::Sleeps, Held::Listens, Held::Hears, Held::RollsBack];

struct Target;

#[workflow]
impl Target {
    async fn run(&self, cx: &Context, (held, cell): (Held, i64)) -> Result<i64> {
        match held {
            Held::Finishes => self.wait_at_the_gate(cell).await?,
            Held::Parks => {
                self.wait_at_the_gate(cell).await?;
                cx.sleep(Duration::from_millis(1)).await?;
            }
            Held::Commits => {
                self.commit_at_the_gate(cell).await?;
            }
            Held::Sleeps => cx.sleep(Duration::from_secs(2)).await?,
            Held::Listens => cx.wait_for_event("go").await?,
            Held::Hears => {
                cx.child::<Gated>(cell).await?;
            }
            Held::RollsBack => {
                self.take_back(cell).await?;
                self.wait_at_the_gate(cell).await?;
                return Err(durable::Error::new("it is not wanted any more"));
            }
        }
        Ok(cell)
    }

    #[step]
    async fn wait_at_the_gate(&self, cell: i64) -> Result<()> {
        gate_opens(cell).await;
        Ok(())
    }

    #[step(transaction)]
    async fn commit_at_the_gate(&self, tx: &mut Transaction, cell: i64) -> Result<()> {
        gate_opens(cell).await;
        sqlx::query("select 1").execute(&mut **tx).await?;
        Ok(())
    }

    #[step(compensate = undo)]
    async fn take_back(&self, cell: i64) -> Result<i64> {
        Ok(cell)
    }

    #[compensation]
    async fn undo(&self, _cell: i64) -> Result<()> {
        Ok(())
    }
}

/// A child that ends when the gate opens.
struct Gated;

#[workflow]
impl Gated {
    async fn run(&self, _cx: &Context, cell: i64) -> Result<i64> {
        gate_opens(cell).await;
        Ok(cell)
    }
}

/// What a stranger leaves open.
struct Cell {
    name: &'static str,
    verb: Verb,
}

#[derive(Clone, Copy)]
enum Verb {
    /// Statements for each held execution, in which `{id}` is its id, or for none in particular.
    Sql(&'static str),
    StartWithin,
    DeduplicatedWithin,
    DebouncedWithin,
    SendEventWithin,
}

const fn cell(name: &'static str, sql: &'static str) -> Cell {
    Cell { name, verb: Verb::Sql(sql) }
}

/// What the client does inside a transaction of the application's.
const WITHIN: &[Cell] = &[
    Cell { name: "start within", verb: Verb::StartWithin },
    Cell { name: "deduplicated start within", verb: Verb::DeduplicatedWithin },
    Cell { name: "debounced start within", verb: Verb::DebouncedWithin },
    Cell { name: "send_event_within", verb: Verb::SendEventWithin },
];

/// Every verb of one execution, and a plain lock of its row.
const ON_EXECUTIONS: &[Cell] = &[
    cell("select for update", "select from durable.executions where execution_id = '{id}' for update"),
    cell("pause", "select durable.pause('{id}')"),
    cell("resume", "select durable.pause('{id}'); select durable.resume('{id}')"),
    cell("send_event", "select durable.send_event('{id}', 'go', 'null')"),
    cell("provide_input", "select durable.provide_input('{id}', 'name', 'null')"),
    cell("cancel", "select durable.cancel('{id}')"),
    cell("cancel with compensations", "select durable.cancel('{id}', compensate => true)"),
    cell("rollback", "select durable.rollback('{id}')"),
    cell("cancel_wait", "select durable.cancel_wait('{id}', 'go')"),
    cell("fork", "select durable.fork('{id}', (select key from durable.checkpoints where execution_id = '{id}' limit 1))"),
    cell("retry", "select durable.retry('{id}')"),
];

/// The verbs that name a key, a topic, a queue, a schedule or a worker.
const ON_THE_REST: &[Cell] = &[
    cell("start with a key", "select durable.start('errand', '0', key => 'K')"),
    cell("start with a deduplication key", "select durable.start('errand', '0', deduplication_key => 'K')"),
    cell("start with a debounce key", "select durable.start('errand', '0', debounce_key => 'K', debounce => '1 hour')"),
    cell("publish", "select durable.publish('topic', '1', key => 'K')"),
    cell("pause_queue", "select durable.pause_queue('other')"),
    cell("set_queue_limits", "select durable.set_queue_limits('other', concurrency => 3)"),
    cell("resume_queue", "select durable.resume_queue('other')"),
    cell("delete_queue", "select durable.delete_queue('idle')"),
    cell("trigger_schedule", "select durable.trigger_schedule('held')"),
    cell("backfill_schedule", "select durable.backfill_schedule('held', 1, array['2020-01-01T00:00:00Z'::timestamptz])"),
    cell("deprecate_worker", "select durable.deprecate_worker(worker_id) from durable.workers"),
    cell("delete of what has ended", "delete from durable.executions where finished_at is not null"),
    cell("lock of a worker's row", "select from durable.workers for share"),
    cell("update of a schedule", "update durable.schedules set revision = revision + 1 where schedule = 'held'"),
];

struct Place {
    database: Database,
    durable: Durable,
    cells: RangeFrom<i64>,
}

impl Place {
    async fn new() -> Self {
        let database = support::database().await;
        database.run("select durable.set_queue_limits('idle', concurrency => 1)").await;
        let durable = database
            .builder()
            .max_connections(8)
            .register(Errand)
            .register(Leaf)
            .register(Target)
            .register(Gated)
            .start()
            .await
            .unwrap();
        durable.schedule::<Leaf>("held", "every 1s", 0).await.unwrap();
        durable.schedule::<Leaf>("free", "every 1s", 0).await.unwrap();
        static FIRST: AtomicI64 = AtomicI64::new(100_000);
        let first = FIRST.fetch_add(1000, Ordering::Relaxed);
        Self { database, durable, cells: first.. }
    }

    /// Says whether errands of all kinds come to their end while the stranger's transaction is open, and the held ones after it.
    async fn survives(&mut self, stranger: &Cell) -> Result<(), String> {
        let cell = self.cells.next().unwrap();
        let mut targets = Vec::new();
        for held in HELD {
            targets.push(self.durable.start::<Target>((held, cell)).await.unwrap());
        }
        let mut connection = PgConnection::connect(&self.database.url).await.unwrap();
        self.targets_wait(cell).await;
        connection.execute("begin").await.unwrap();
        self.hold(stranger, &mut connection, &targets).await;
        GATES.send_modify(|open| open.extend([cell]));
        let asked = stranger_meets_callers(&self.durable, &targets);
        let gone = self.errands(cell).await;
        self.free_schedule_fires(stranger.name).await;
        connection.execute("rollback").await.unwrap();
        connection.close().await.unwrap();
        gone.map_err(|error| format!("{}: {error}", stranger.name))?;
        drop(soon("an answer for each caller", asked.join_all()).await);
        for (held, target) in HELD.iter().zip(targets) {
            let ended = tokio::time::timeout(USUAL, target.result()).await;
            let ended = ended.map_err(|_| format!("{}: {held:?} does not go on after it", stranger.name))?;
            if ended.is_err() && !matches!(held, Held::RollsBack) {
                return Err(format!("{}: {held:?} ended with {ended:?}", stranger.name));
            }
        }
        Ok(())
    }

    /// Begins the stranger's transaction and leaves it open.
    async fn hold(&self, stranger: &Cell, connection: &mut PgConnection, targets: &[ExecutionHandle<Target>]) {
        let start = self.durable.start::<Errand>(0);
        match stranger.verb {
            Verb::Sql(sql) => {
                for target in targets {
                    let sql = sql.replace("{id}", &target.id().to_string());
                    connection.execute("savepoint verb").await.unwrap();
                    // Some verbs refuse an execution in this state.
                    if connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.clone()))).await.is_err() {
                        connection.execute("rollback to verb").await.unwrap();
                    }
                }
            }
            Verb::StartWithin => drop(start.key("K").within(connection).await.unwrap()),
            Verb::DeduplicatedWithin => drop(start.deduplication_key("K").within(connection).await.unwrap()),
            Verb::DebouncedWithin => drop(start.debounce("K", Duration::from_secs(3600)).within(connection).await.unwrap()),
            Verb::SendEventWithin => {
                for target in targets {
                    connection.execute("savepoint verb").await.unwrap();
                    // The sleeping execution may have ended.
                    if self.durable.send_event_within(connection, target.id(), "go", &()).await.is_err() {
                        connection.execute("rollback to verb").await.unwrap();
                    }
                }
            }
        }
    }

    /// Resting executions rest, and running ones wait at the gate.
    async fn targets_wait(&self, cell: i64) {
        let sql = format!(
            "select count(*) from durable.executions
             where workflow in ('target', 'gated') and finished_at is null and input::text like '%{cell}%' and state in ('running', 'waiting')"
        );
        eventually("the targets begin", async || self.database.count(&sql).await >= 7).await;
        let waits = format!(
            "select count(*) from durable.waits join durable.executions using (execution_id)
             where outcome is null and kind in ('event', 'child') and input::text like '%{cell}%'"
        );
        eventually("one listens, and one has a child", async || self.database.count(&waits).await == 2).await;
    }

    async fn errands(&self, cell: i64) -> Result<(), String> {
        let mut errands = JoinSet::new();
        for nth in 0..ERRANDS {
            let durable = self.durable.clone();
            errands.spawn(async move {
                let key = format!("free {cell} {nth}");
                let start = durable.start::<Errand>(1);
                let errand = match nth % 4 {
                    0 => start.key(key),
                    1 => start.deduplication_key(key),
                    2 => start.debounce(key, Duration::from_millis(1)),
                    _ => start,
                };
                let errand = errand.await?;
                durable.send_event(errand.id(), "word", &1).await?;
                errand.result().await
            });
        }
        let all = tokio::time::timeout(USUAL, async {
            let mut done = 0;
            while let Some(errand) = errands.join_next().await {
                errand.unwrap().map_err(|error| error.to_string())?;
                done += 1;
            }
            Ok(done)
        });
        match all.await {
            Ok(done) => done.map(|_: i32| ()),
            Err(_) => Err(format!("{} of {ERRANDS} errands do not go on", errands.len())),
        }
    }

    /// Waits until a schedule that is not held fires again.
    async fn free_schedule_fires(&self, stranger: &str) {
        let firings = "select count(*) from durable.schedule_firings where schedule = 'free'";
        let before = self.database.count(firings).await;
        eventually(&format!("{stranger}: a schedule fires"), async || self.database.count(firings).await > before).await;
    }

    async fn table(mut self, cells: &[Cell]) {
        let mut failed = Vec::new();
        for cell in cells {
            failed.extend(self.survives(cell).await.err());
        }
        assert!(failed.is_empty(), "{failed:#?}");
        self.durable.shutdown().await.unwrap();
    }
}

/// Callers that need the stranger's locks and may wait for them.
fn stranger_meets_callers(durable: &Durable, targets: &[ExecutionHandle<Target>]) -> JoinSet<()> {
    let mut callers = JoinSet::new();
    for target in targets {
        let (durable, id) = (durable.clone(), target.id());
        callers.spawn(async move { drop(durable.send_event(id, "go", &()).await) });
    }
    for nth in 0..6 {
        let durable = durable.clone();
        callers.spawn(async move {
            let start = durable.start::<Errand>(0);
            let start = match nth % 3 {
                0 => start.key("K"),
                1 => start.deduplication_key("K"),
                _ => start.debounce("K", Duration::from_secs(3600)),
            };
            drop(start.await);
        });
    }
    callers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verb_held_open_on_an_execution_holds_up_only_that_execution() {
    Place::new().await.table(ON_EXECUTIONS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verb_held_open_on_a_key_a_queue_or_a_schedule_holds_up_nothing_else() {
    Place::new().await.table(ON_THE_REST).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_or_an_event_inside_a_long_transaction_holds_up_nothing_else() {
    Place::new().await.table(WITHIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_who_holds_many_executions_holds_up_no_other() {
    let place = Place::new().await;
    let mut targets = Vec::new();
    for _ in 0..60 {
        targets.push(place.durable.start::<Target>((Held::Finishes, 1)).await.unwrap());
    }
    let running = "select count(*) from durable.attempts where key like '%wait_at_the_gate%'";
    eventually("all of them run", async || place.database.count(running).await == 60).await;
    let mut stranger = PgConnection::connect(&place.database.url).await.unwrap();
    let held = "begin; select durable.pause(execution_id) from durable.executions where workflow = 'target'";
    stranger.execute(sqlx::raw_sql(held)).await.unwrap();
    GATES.send_modify(|open| open.extend([1]));
    assert_eq!(place.errands(1).await, Ok(()));
    place.free_schedule_fires("a transaction that pauses").await;
    stranger.execute("rollback").await.unwrap();
    for target in targets {
        assert_eq!(soon("an end", target.result()).await.unwrap(), 1);
    }
    place.durable.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_on_after_a_lock_on_a_whole_table() {
    let place = Place::new().await;
    for table in ["executions", "waits", "checkpoints", "attempts", "mailbox", "workers", "schedules"] {
        let mut stranger = PgConnection::connect(&place.database.url).await.unwrap();
        let held = format!("begin; lock table durable.{table} in share mode");
        stranger.execute(sqlx::raw_sql(AssertSqlSafe(held))).await.unwrap();
        let durable = place.durable.clone();
        let errands = tokio::spawn(async move {
            let mut all = Vec::new();
            for nth in 0..20 {
                let errand = durable.start::<Errand>(nth).await.unwrap();
                durable.send_event(errand.id(), "word", &1).await.unwrap();
                all.push(errand);
            }
            all
        });
        let waits = "select count(*) from pg_locks where not granted and locktype = 'relation'";
        eventually("something waits for the table", async || place.database.count(waits).await > 0).await;
        stranger.execute("rollback").await.unwrap();
        for (nth, errand) in (0..).zip(soon("all are started", errands).await.unwrap()) {
            assert_eq!(soon("an end", errand.result()).await.unwrap(), nth + 1, "after {table} was locked");
        }
    }
    place.durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_caller_who_is_held_up_is_told_by_what() {
    let database = support::database().await;
    let client = database.builder().operation_timeout(Duration::from_secs(2)).start().await.unwrap();
    let other = client.start_by_name("errand", &0).await.unwrap();
    let mut stranger = PgConnection::connect(&database.url).await.unwrap();
    let held = format!("begin; select durable.start('errand', '0', key => 'K'); select durable.pause('{other}')");
    stranger.execute(sqlx::raw_sql(AssertSqlSafe(held))).await.unwrap();

    let start = client.start_by_name("errand", &0).key("K").await.unwrap_err();
    assert_eq!(start.kind(), ErrorKind::Unavailable);
    assert!(start.to_string().contains("another transaction holds the key `K`"), "{start}");
    let cancel = client.cancel(other, "not wanted").await.unwrap_err();
    assert_eq!(cancel.kind(), ErrorKind::Unavailable);
    assert!(
        cancel.to_string().contains("another transaction holds a lock") && cancel.to_string().contains("executions"),
        "{cancel}"
    );

    stranger.execute("rollback").await.unwrap();
    client.start_by_name("errand", &0).key("K").await.unwrap();
    client.cancel(other, "not wanted").await.unwrap();
    assert_eq!(database.count("select count(*) from durable.executions where key = 'K'").await, 1);
    client.shutdown().await.unwrap();
}
