//! Leases: held while a worker lives, taken over when it does not; who lost one changes nothing any more.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use durable::prelude::*;
use sqlx::{AssertSqlSafe, Executor, Row, raw_sql};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::support::bodies::Gate;
use crate::support::crash::leases_run_out;
use crate::support::process::{Effects, Flag, Folder, Process};
use crate::support::proxy::{Fate, Moment, Passage, Proxy, Trap};
use crate::support::{self, Database, clock, eventually, eventually_some, soon};

/// The lease in tests with a hand-turned clock.
const LEASE: Duration = Duration::from_millis(600);

/// What a write that was refused must not have changed.
const EVERYTHING: &str = "
    select row_to_json(executions)::text from durable.executions
    union all select row_to_json(checkpoints)::text from durable.checkpoints
    union all select row_to_json(attempts)::text from durable.attempts
    union all select row_to_json(waits)::text from durable.waits
    union all select row_to_json(mailbox)::text from durable.mailbox
    union all select row_to_json(refusals)::text from durable.refusals
    union all select row_to_json(execution_values)::text from durable.execution_values
    order by 1";

/// Waits in its step for a flag, where there is one.
pub(crate) struct Hold {
    pub(crate) effects: Effects,
    pub(crate) until: Option<Flag>,
}

#[workflow]
impl Hold {
    async fn run(&self, _cx: &Context, (): ()) -> Result<String> {
        let first = self.hold().await?;
        self.go_on(first).await
    }

    #[step]
    async fn hold(&self) -> Result<String> {
        self.effects.add("began");
        if let Some(flag) = &self.until {
            flag.wait().await;
            return Ok("by the first".to_owned());
        }
        Ok("by the second".to_owned())
    }

    #[step]
    async fn go_on(&self, first: String) -> Result<String> {
        self.effects.add("went on");
        Ok(format!("held {first}"))
    }
}

/// A worker process that holds on until it is told to go.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let workflow = Hold { effects: folder.effects(), until: Some(folder.flag("go")) };
    let durable = Durable::builder().database_url(url).max_connections(4).lease(LEASE).register(workflow).start().await.unwrap();
    std::future::pending::<()>().await;
    drop(durable);
}

#[tokio::test]
async fn a_stopped_worker_that_wakes_up_late_changes_nothing() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let folder = Folder::new();
    let client = database.client().await;
    let zombie = Process::start("held", &database.url, &folder);
    let handle = client.start::<Hold>(()).await.unwrap();
    eventually("begun", async || folder.effects().count("began") == 1).await;

    zombie.signal("STOP");
    leases_run_out(&database).await;
    let workflow = Hold { effects: folder.effects(), until: None };
    let second = database.builder().register(workflow).start().await.unwrap();
    assert_eq!(soon("finished by the second", handle.result()).await.unwrap(), "held by the second");
    let before: Vec<String> = database.values(EVERYTHING).await;

    folder.flag("go").raise();
    zombie.signal("CONT");
    let begun_anew = format!("select count(*) from durable.workers where process_id = {} and lost_at is null", zombie.id());
    eventually("aware that its lease is lost", async || database.count(&begun_anew).await == 1).await;

    assert_eq!(database.values::<String>(EVERYTHING).await, before);
    assert_eq!(folder.effects().count("went on"), 1, "the zombie began another step");
    second.shutdown().await.unwrap();
}

/// Writes each kind of thing that a worker writes.
struct Writes;

#[workflow]
impl Writes {
    async fn run(&self, cx: &Context, (): ()) -> Result<u32> {
        let attempts = self.second_time().await?;
        cx.set("attempts", &attempts).await?;
        let payload: u32 = cx.wait_for_event("more").await?;
        self.sum(attempts, payload).await
    }

    #[step(retry(max_attempts = 20, backoff = constant, base = "1ms", jitter = 0.0))]
    async fn second_time(&self) -> Result<u32> {
        match durable::step().attempt() {
            1 => Err(Error::new("not the first time")),
            _ => Ok(2),
        }
    }

    #[step]
    async fn sum(&self, one: u32, other: u32) -> Result<u32> {
        Ok(one + other)
    }
}

#[tokio::test]
async fn a_write_that_arrives_after_its_lease_was_lost_is_refused() {
    for (statement, nth) in [("executions/save", 1), ("executions/finish", 1), ("executions/park", 1), ("attempts/record", 1)] {
        let database = support::database().await;
        let proxy = Proxy::before(&database).await;
        proxy.set(Trap { statements: vec![statement.to_owned()], nth, moment: Moment::Before, fate: Fate::Held });
        let slow = durable::Durable::builder().database_url(proxy.url()).register(Writes).start().await.unwrap();
        let client = database.client().await;
        let handle = client.start::<Writes>(()).await.unwrap();
        client.send_event(handle.id(), "more", &40).await.unwrap();
        proxy.caught().await;
        // Not even a heartbeat passes, or the worker would know too soon.
        proxy.pass(Passage::Silent);

        leases_run_out(&database).await;
        let fast = database.builder().register(Writes).start().await.unwrap();
        assert_eq!(soon("finished by the other", handle.result()).await.unwrap(), 42);
        let before: Vec<String> = database.values(EVERYTHING).await;

        proxy.pass(Passage::Open);
        proxy.release();
        eventually("answered", async || proxy.answered(statement) >= nth).await;
        assert_eq!(database.values::<String>(EVERYTHING).await, before, "{statement} of a lost worker changed something");
        fast.shutdown().await.unwrap();
        slow.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_row_that_somebody_has_locked_keeps_no_worker_from_claiming() {
    let database = support::database().await;
    let proxy = Proxy::before(&database).await;
    let builder = database.builder().database_url(proxy.url());
    let durable = builder.register(Writes).start().await.unwrap();
    let client = database.client().await;
    let worker = client.workers().await.unwrap()[0].id;
    let locked = client.start::<Writes>(()).delay(days(1)).await.unwrap();
    client.send_event(locked.id(), "more", &40).await.unwrap();
    database
        .run(&format!(
            "update durable.executions set state = 'running', worker_id = '{worker}', epoch = 1, claims = 1, wake_at = null"
        ))
        .await;
    let mut somebody = database.pool().acquire().await.unwrap();
    somebody.execute(raw_sql("begin; select from durable.executions for update")).await.unwrap();

    let claim = vec!["executions/claim".to_owned()];
    proxy.set(Trap { statements: claim, nth: 1, moment: Moment::After, fate: Fate::Cut });
    let lost = client.start::<Writes>(()).await.unwrap();
    client.send_event(lost.id(), "more", &40).await.unwrap();
    eventually("what is held is looked for", async || proxy.seen().iter().any(|seen| seen == "executions/held")).await;
    let other = client.start::<Writes>(()).await.unwrap();
    client.send_event(other.id(), "more", &40).await.unwrap();
    assert_eq!(soon("finished", other.result()).await.unwrap(), 42);

    somebody.execute(raw_sql("rollback")).await.unwrap();
    for handle in [locked, lost] {
        assert_eq!(soon("taken up", handle.result()).await.unwrap(), 42);
    }
    durable.shutdown().await.unwrap();
}

/// Nothing is tried again: what the steps did stands.
#[tokio::test]
async fn an_execution_whose_checkpoint_the_database_refuses_comes_to_an_end() {
    let database = support::database().await;
    database
        .run(
            "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no room for it'; end $$;
             create trigger refuse before insert on durable.checkpoints for each row execute function refuse()",
        )
        .await;
    let builder = database.builder().lease(Duration::from_secs(1)).max_claims(3);
    let durable = builder.register(Writes).start().await.unwrap();
    let handle = durable.start::<Writes>(()).await.unwrap();
    let error = soon("ended", handle.result()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Database, "{error}");
    durable.shutdown().await.unwrap();
}

/// A worker and an execution that it holds, by SQL alone; its epoch is 1.
async fn held_execution(database: &Database) -> (Uuid, Uuid) {
    let (worker, execution) = (Uuid::now_v7(), Uuid::now_v7());
    database
        .run(&format!(
            "insert into durable.workers (worker_id, host, process_id, queues, started_at, lease_until)
             values ('{worker}', 'here', 1, '{{default}}', durable.now(), durable.now() + interval '1 hour');
             select durable.create_executions(
                 array['{execution}'::uuid], array['held'], array[1], array['default'], array[0::smallint],
                 array[null], array['null'], array[null::timestamptz], array[null::float8], array[null::float8],
                 array[true], '{worker}'
             )"
        ))
        .await;
    (worker, execution)
}

/// The statements by which a worker writes, with everything bound for one execution; each says whether it was accepted.
async fn write_as(database: &Database, statement: &str, worker: Uuid, execution: Uuid, epoch: i32) -> bool {
    let pool = database.pool();
    let text = AssertSqlSafe(statement.to_owned());
    let query = sqlx::query(text).bind(worker);
    let none = || Vec::<Option<String>>::from([None]);
    match statement {
        SAVE => {
            let query = query.bind([execution]).bind([epoch]).bind([Some("completed")]).bind(vec![Some("1")]).bind(none());
            let query = query.bind(false).bind([execution]).bind(["step late"]).bind([None::<i64>]).bind([1i16]).bind([0f64]);
            let query = query.bind([Some("1")]).bind(none()).bind([None::<i32>]).bind(Vec::<Uuid>::new());
            let query = query.bind([execution]).bind(["set late"]).bind(["late"]).bind(["1"]).bind(none()).bind([false]);
            let query = query.bind([None::<i32>]).bind(none()).bind(none()).bind([None::<chrono::DateTime<chrono::Utc>>]);
            let query = query.bind(None::<Vec<i32>>);
            !query.fetch_one(pool).await.unwrap().get::<Vec<Uuid>, _>("accepted").is_empty()
        }
        FINISH => {
            let query = query.bind(execution).bind(epoch).bind("completed").bind(Some("1")).bind(None::<&str>);
            let query = query.bind(Some("step late")).bind(None::<i64>).bind(1i16).bind(0f64).bind(Some("1")).bind(None::<&str>);
            !query.bind(None::<i32>).fetch_all(pool).await.unwrap().is_empty()
        }
        RECORD => {
            let query = query.bind([execution]).bind([epoch]).bind(["step late"]).bind([1i16]).bind([0f64]).bind([Some("{}")]);
            !query.bind([None::<chrono::DateTime<chrono::Utc>>]).fetch_all(pool).await.unwrap().is_empty()
        }
        PARK => {
            let query =
                query.bind([execution]).bind([epoch]).bind([None::<chrono::DateTime<chrono::Utc>>]).bind([false]).bind([1i32]);
            let query = query.bind([execution]).bind(["event late"]).bind(["event"]).bind(["late"]).bind([None::<f64>]);
            let query = query.bind([None::<chrono::DateTime<chrono::Utc>>]).bind(none()).bind(none()).bind(none());
            let query = query.bind(Vec::<Uuid>::new()).bind(Vec::<String>::new());
            let query =
                query.bind(Vec::<Uuid>::new()).bind(Vec::<String>::new()).bind(Vec::<Uuid>::new()).bind(Vec::<String>::new());
            let query = query.bind(Vec::<Uuid>::new()).bind(Vec::<String>::new());
            query.fetch_one(pool).await.unwrap().get::<String, _>("outcome") != "lost"
        }
        POISON => query.bind(execution).bind(epoch).bind("{}").execute(pool).await.unwrap().rows_affected() > 0,
        _ => panic!("no such statement"),
    }
}

const SAVE: &str = include_str!("../../durable-core/src/store/sql/executions/save.sql");
const FINISH: &str = include_str!("../../durable-core/src/store/sql/executions/finish.sql");
const RECORD: &str = include_str!("../../durable-core/src/store/sql/attempts/record.sql");
const PARK: &str = include_str!("../../durable-core/src/store/sql/executions/park.sql");
const POISON: &str = include_str!("../../durable-core/src/store/sql/executions/poison.sql");

#[tokio::test]
async fn every_write_of_a_worker_is_fenced_by_its_epoch_and_its_lease() {
    for statement in [SAVE, FINISH, RECORD, PARK, POISON] {
        let what = statement.lines().next().unwrap();
        let database = support::database().await;
        let (worker, execution) = held_execution(&database).await;
        let before: Vec<String> = database.values(EVERYTHING).await;

        for (writer, epoch) in [(worker, 0), (worker, 2), (Uuid::now_v7(), 1)] {
            assert!(!write_as(&database, statement, writer, execution, epoch).await, "accepted at epoch {epoch}: {what}");
            assert_eq!(database.values::<String>(EVERYTHING).await, before, "written at epoch {epoch}: {what}");
        }
        if statement != POISON {
            database.run("update durable.workers set lost_at = durable.now()").await;
            assert!(!write_as(&database, statement, worker, execution, 1).await, "accepted from a lost worker: {what}");
            assert_eq!(database.values::<String>(EVERYTHING).await, before, "written by a lost worker: {what}");
            database.run("update durable.workers set lost_at = null").await;
        }
        assert!(write_as(&database, statement, worker, execution, 1).await, "refused its holder: {what}");
        assert_ne!(database.values::<String>(EVERYTHING).await, before);
    }
}

/// Blocks the thread it runs on.
struct Block {
    began: mpsc::UnboundedSender<()>,
    gate: Arc<(Mutex<bool>, Condvar)>,
}

#[workflow]
impl Block {
    async fn run(&self, _cx: &Context, (): ()) -> Result<String> {
        self.block().await
    }

    #[step]
    async fn block(&self) -> Result<String> {
        self.began.send(()).unwrap();
        let (open, opened) = &*self.gate;
        drop(opened.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
        Ok("through".to_owned())
    }
}

/// Turns the clock by less than a lease, and waits until so many workers have extended theirs by themselves.
async fn turn_with_heartbeats(database: &Database, by: Duration, workers: i64) {
    clock::turn_past_leases(database, by).await;
    let extended = format!(
        "select count(*) from durable.workers
         where lost_at is null and lease_until >= durable.now() + interval '{} microseconds'",
        LEASE.as_micros()
    );
    eventually("extended by their workers", async || database.count(&extended).await == workers).await;
}

#[tokio::test]
async fn a_blocked_runtime_loses_no_lease() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let (began, mut begun) = mpsc::unbounded_channel();
    let gate = Arc::<(Mutex<bool>, Condvar)>::default();
    let workflow = Block { began: began.clone(), gate: gate.clone() };
    let builder = database.builder().lease(LEASE).register(workflow);
    // One thread is all that this runtime has.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let blocked = runtime.spawn(builder.start()).await.unwrap().unwrap();
    let client = database.client().await;
    let handle = client.start::<Block>(()).await.unwrap();
    soon("blocked", begun.recv()).await.unwrap();
    let rival = database.builder().lease(LEASE).register(Block { began, gate: gate.clone() }).start().await.unwrap();

    for _ in 0..5 {
        turn_with_heartbeats(&database, LEASE.mul_f64(0.8), 2).await;
    }
    assert_eq!(database.count("select count(*) from durable.workers where lost_at is not null").await, 0);

    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    assert_eq!(soon("the result", handle.result()).await.unwrap(), "through");
    assert_eq!(database.value::<i32>("select epoch from durable.executions").await, 1);
    assert!(begun.try_recv().is_err(), "the step was run twice");
    rival.shutdown().await.unwrap();
    runtime.spawn(async move { blocked.shutdown().await }).await.unwrap().unwrap();
    runtime.shutdown_background();
}

#[tokio::test]
async fn a_dead_worker_is_replaced_when_its_lease_is_over_and_not_before() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let folder = Folder::new();
    let client = database.client().await;
    let mut dead = Process::start("held", &database.url, &folder);
    let handle = client.start::<Hold>(()).await.unwrap();
    eventually("begun", async || folder.effects().count("began") == 1).await;
    dead.kill();
    let workflow = Hold { effects: folder.effects(), until: None };
    let heir = database.builder().lease(LEASE).register(workflow).start().await.unwrap();

    turn_with_heartbeats(&database, LEASE.mul_f64(0.9), 1).await;
    assert_eq!(database.count("select count(*) from durable.workers where lost_at is null").await, 2);
    let held = format!(
        "select count(*) from durable.executions join durable.workers using (worker_id)
         where state = 'running' and epoch = 1 and process_id = {}",
        dead.id()
    );
    assert_eq!(database.count(&held).await, 1, "taken over too soon");

    clock::turn_past_leases(&database, LEASE.mul_f64(0.2)).await;
    assert_eq!(soon("taken over", handle.result()).await.unwrap(), "held by the second");
    heir.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_begins_anew_and_goes_on_working() {
    let database = support::database().await;
    let folder = Folder::new();
    let workflow = Hold { effects: folder.effects(), until: None };
    let durable = database.builder().lease(LEASE).register(workflow).start().await.unwrap();
    let first: Uuid = database.value("select worker_id from durable.workers").await;

    database.run("update durable.workers set lost_at = durable.now()").await;
    let second = eventually_some("begun anew", async || {
        database.values::<Uuid>("select worker_id from durable.workers where lost_at is null").await.pop()
    })
    .await;

    assert_ne!(first, second);
    let handle = durable.start::<Hold>(()).await.unwrap();
    assert_eq!(soon("the result", handle.result()).await.unwrap(), "held by the second");
    durable.shutdown().await.unwrap();
}

/// Rests, and then stands at a gate.
struct Rest {
    gate: Gate,
}

#[workflow]
impl Rest {
    async fn run(&self, cx: &Context, (): ()) -> Result<u32> {
        let told: u32 = cx.wait_for_event("go").await?;
        self.stand(told).await
    }

    #[step]
    async fn stand(&self, told: u32) -> Result<u32> {
        self.gate.pass().await;
        Ok(told)
    }
}

#[tokio::test]
async fn a_journal_that_arrives_when_its_claim_was_lost_disturbs_nobody_who_runs_the_execution_by_then() {
    let database = support::database().await;
    let proxy = Proxy::before(&database).await;
    let gate = Gate::closed();
    let builder = Database::at(proxy.url().to_owned()).builder().max_connections(8).cached_executions(0);
    let durable = builder.lease(Duration::from_secs(2)).register(Rest { gate: gate.clone() }).start().await.unwrap();
    let handle = durable.start::<Rest>(()).await.unwrap();
    let resting = "select count(*) from durable.executions where state = 'waiting'";
    eventually("at rest", async || database.count(resting).await == 1).await;
    let trap = Trap { statements: vec!["checkpoints/load".to_owned()], nth: 1, moment: Moment::After, fate: Fate::Held };
    proxy.set(trap);
    durable.send_event(handle.id(), "go", &7).await.unwrap();
    proxy.caught().await;
    database.run("update durable.workers set lost_at = durable.now()").await;
    // The same process claims it, as a new worker.
    gate.until_inside(1).await;
    let held: (i32, bool) = (
        database.value("select epoch from durable.executions").await,
        database.value("select lost_at is null from durable.workers join durable.executions using (worker_id)").await,
    );
    assert_eq!(held, (3, true));

    proxy.release();
    eventually("the journal is read", async || proxy.answered("checkpoints/load") >= 2).await;
    gate.let_pass(2);
    assert_eq!(soon("the result", handle.result()).await.unwrap(), 7);
    assert_eq!(gate.most_inside(), 1, "what the lost worker had claimed ran, too");
    durable.shutdown().await.unwrap();
}
