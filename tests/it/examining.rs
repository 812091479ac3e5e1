//! Examining: what is wrong is found with its cure, and what sleeps or waits is well.

use durable::prelude::*;
use durable::{Finding, Severity, Subject};
use sqlx::{Executor, Row, raw_sql};

use crate::support::{self, Database, clock, eventually};

/// Sleeps, waits, asks and waits for a child, as its input says.
struct Rests;

#[workflow]
impl Rests {
    async fn run(&self, cx: &Context, how: String) -> Result<()> {
        match how.as_str() {
            "sleep" => cx.sleep(days(365)).await,
            "event" => cx.wait_for_event("never").await,
            "input" => cx.wait_for_input::<bool>("never").await.map(drop),
            "child" => cx.child::<Rests>("event".to_owned()).await,
            "stranger" => cx.child::<Stranger>(()).await,
            _ => self.fail().await,
        }
    }

    #[step(retry(max_attempts = 9, base = "1h"))]
    async fn fail(&self) -> Result<()> {
        Err(durable::Error::new("not today"))
    }
}

/// What the workers of the other release know.
struct Stranger;

#[workflow(queue = "rare", version = 3)]
impl Stranger {
    async fn run(&self, cx: &Context, (): ()) -> Result<()> {
        cx.wait_for_event("never").await
    }
}

async fn examine(database: &Database) -> Vec<Finding> {
    database.builder().examine().await.unwrap()
}

/// The one finding there is, and that it is about this and says that.
async fn the_finding(database: &Database, about: Subject, severity: Severity, problem: &str, repair: &str) {
    let findings = examine(database).await;
    let [finding] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!((finding.about, finding.severity), (about, severity), "{finding}");
    assert!(finding.problem.contains(problem), "{finding}");
    assert!(finding.repair.contains(repair), "{finding}");
}

#[tokio::test]
async fn a_database_where_executions_sleep_wait_and_are_paused_is_well() {
    let database = support::database().await;
    assert_eq!(examine(&database).await, []);
    let worker = database.builder().register(Rests).start().await.unwrap();
    let mut rests = Vec::new();
    for how in ["sleep", "event", "input", "child", "retry"] {
        rests.push(worker.start::<Rests>(how.to_owned()).await.unwrap());
    }
    worker.start::<Rests>("event".to_owned()).delay(hours(1)).await.unwrap();
    eventually("all rest", async || database.count("select count(*) from durable.executions where state = 'waiting'").await == 6)
        .await;
    worker.pause(rests[1].id()).await.unwrap();
    worker.cancel(rests[2].id(), "over").await.unwrap();
    assert_eq!(examine(&database).await, []);
    worker.shutdown().await.unwrap();
    assert_eq!(examine(&database).await, [], "sleepers need no worker now");
}

#[tokio::test]
async fn queues_without_a_worker_are_found() {
    let database = support::database().await;
    let client = database.client().await;
    client.start::<Rests>("event".to_owned()).queue("rare").await.unwrap();
    let worker = database.builder().register(Rests).start().await.unwrap();
    let problem = "1 executions are in queue `rare`";
    the_finding(&database, Subject::Queues, Severity::Error, problem, "start a worker with `.queue(\"rare\", …)`").await;
    let worker_id = client.workers().await.unwrap()[0].id;
    client.start::<Rests>("event".to_owned()).queue("default").delay(hours(1)).await.unwrap();
    client.deprecate_worker(worker_id).await.unwrap();
    database.run("delete from durable.executions where queue = 'rare'").await;
    assert_eq!(examine(&database).await, []);
    database.run("update durable.executions set wake_at = null").await;
    let problem = "1 executions are in queue `default`";
    the_finding(&database, Subject::Queues, Severity::Error, problem, "start a worker").await;
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn executions_that_no_worker_on_their_queue_knows_are_found_with_what_is_known_there() {
    let database = support::database().await;
    let client = database.client().await;
    let worker = database.builder().register(Rests).start().await.unwrap();
    let other = database.builder().register(Stranger).start().await.unwrap();
    let labels: Vec<_> = client.workers().await.unwrap().into_iter().map(|worker| worker.workflows).collect();
    assert_eq!(labels, [Some(vec!["stranger@3".to_owned()]), Some(vec!["rests@1".to_owned()])]);
    for (workflow, version, queue, known, give_up) in [
        ("rests", 2, "default", "knows it: they know version 1", "--workflow rests --version 2 --queue default --state pending"),
        ("rests", 1, "rare", "knows it: those on queue `default` do", "--workflow rests --version 1 --queue rare"),
        ("stranger", 1, "rare", "knows it: they know version 3", "then `durable execution retry --version 3 …` with those"),
        ("rests@1", 1, "default", "knows it, nor another version of it", "--workflow rests@1 --version 1"),
        ("order::it's", 1, "default", "knows it, nor another version of it", r#"--workflow "order::it's" --version 1"#),
    ] {
        let id = client.start_by_name(workflow, &()).version(version).queue(queue).await.unwrap();
        let problem = format!("1 executions of workflow `{workflow}` version {version} are in queue `{queue}`, the oldest since");
        the_finding(&database, Subject::Workflows, Severity::Error, &problem, give_up).await;
        the_finding(&database, Subject::Workflows, Severity::Error, known, "start a worker that registers it").await;
        client.cancel(id, "nobody knows it").await.unwrap();
        assert_eq!(examine(&database).await, []);
    }

    let id = client.start_by_name("rests", &()).version(2).queue("default").await.unwrap();
    client.rollback(id, "nobody knows it").await.unwrap();
    let problem = "1 executions of workflow `rests` version 2, to be undone, are in queue `default`";
    the_finding(&database, Subject::Workflows, Severity::Error, problem, "a rollback cannot be given up").await;
    database.run("delete from durable.executions").await;

    other.shutdown().await.unwrap();
    let other = database.builder().register(Rests).queue("rare", 1).start().await.unwrap();
    client.start::<Rests>("stranger".to_owned()).await.unwrap();
    let pending = "select count(*) from durable.executions where state = 'pending' and parent_policy = 'await'";
    eventually("the child is started", async || database.count(pending).await == 1).await;
    let problem = "1 executions of workflow `stranger` version 3 are in queue `rare`";
    the_finding(&database, Subject::Workflows, Severity::Error, problem, "with `.queue(\"rare\", …)`").await;
    let third = database.builder().register(Stranger).start().await.unwrap();
    assert_eq!(examine(&database).await, [], "the repair repairs it");
    for durable in [worker, other, third] {
        durable.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn nothing_counts_as_unknown_where_a_worker_of_an_earlier_release_claims() {
    let database = support::database().await;
    let client = database.client().await;
    let worker = database.builder().register(Rests).start().await.unwrap();
    client.start_by_name("rests", "sleep").version(2).await.unwrap();
    // As its statement leaves the row, which knows nothing of the column.
    database.run("update durable.workers set workflows = null").await;
    let worker_id = {
        let workers = client.workers().await.unwrap();
        let [found] = &workers[..] else { panic!("{workers:?}") };
        assert_eq!((found.knows("rests", 1), found.workflows.as_ref()), (None, None));
        found.id
    };
    assert_eq!(examine(&database).await, []);
    let later = database.builder().register(Rests).start().await.unwrap();
    assert_eq!(examine(&database).await, [], "the earlier one may still know it");
    client.deprecate_worker(worker_id).await.unwrap();
    the_finding(&database, Subject::Workflows, Severity::Error, "they know version 1", "start a worker that registers it").await;
    worker.shutdown().await.unwrap();
    later.shutdown().await.unwrap();
}

#[tokio::test]
async fn stopped_stranded_and_deadly_executions_are_found_with_what_to_do() {
    let database = support::database().await;
    let client = database.client().await;
    let id = client.start::<Rests>("event".to_owned()).await.unwrap().id();
    let about = format!("execution {id} of workflow `rests`");
    for (sql, problem, repair) in [
        (
            r#"update durable.executions set state = 'waiting', error = '{"kind": "diverged", "message": "the journal has more"}'"#,
            format!("{about} was stopped: the journal has more"),
            format!("`durable execution resume {id}`"),
        ),
        (
            "update durable.executions set state = 'waiting', error = null",
            format!("{about} waits for nothing"),
            "execution retry".to_owned(),
        ),
    ] {
        database.run(sql).await;
        the_finding(&database, Subject::Executions, Severity::Error, &problem, &repair).await;
    }
    let worker = database.builder().register(Rests).start().await.unwrap();
    database
        .run("update durable.executions set state = 'pending', claims = 5, paused_at = durable.now(), wake_at = 'infinity'")
        .await;
    let problem = "was claimed 5 times without coming to rest";
    the_finding(&database, Subject::Executions, Severity::Error, problem, "execution pause").await;
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn executions_of_lost_workers_are_found() {
    let database = support::database().await;
    let client = database.client().await;
    client.start::<Rests>("event".to_owned()).await.unwrap();
    database
        .run(
            "insert into durable.workers (worker_id, host, process_id, queues, started_at, lease_until)
             values (gen_random_uuid(), 'gone', 42, '{default}', durable.now(), durable.now() - interval '1 minute');
             update durable.executions set state = 'running', worker_id = (select worker_id from durable.workers)",
        )
        .await;
    let problem = "1 executions are held by worker";
    the_finding(&database, Subject::Workers, Severity::Error, problem, "it takes them over within a lease").await;
}

#[tokio::test]
async fn an_invalid_index_and_dead_rows_are_found() {
    let database = support::database().await;
    // What a `create index concurrently` leaves that was cut off.
    database.run("update pg_index set indisvalid = false where indexrelid = 'durable.executions_by_parent'::regclass").await;
    let repair = "reindex index concurrently durable.executions_by_parent";
    the_finding(&database, Subject::Indexes, Severity::Error, "durable.executions_by_parent is invalid", repair).await;
    database.run(repair).await;
    assert_eq!(examine(&database).await, [], "the repair repairs it");

    database
        .run(
            "alter table durable.publications set (autovacuum_enabled = false);
             insert into durable.publications (topic, key, published_at, message_id)
             select 'news', number::text, durable.now(), gen_random_uuid() from generate_series(1, 12000) as number;
             delete from durable.publications",
        )
        .await;
    eventually("it is counted", async || !examine(&database).await.is_empty()).await;
    the_finding(&database, Subject::Bloat, Severity::Warning, "durable.publications has 12000 dead rows", "vacuum (analyze)")
        .await;
}

#[tokio::test]
async fn dead_rows_are_too_many_where_autovacuum_should_have_come_long_ago() {
    let database = support::database().await;
    database
        .run(
            "alter table durable.publications set (autovacuum_enabled = false, autovacuum_vacuum_scale_factor = 0.01);
             insert into durable.publications (topic, key, published_at, message_id)
             select 'news', number::text, durable.now(), gen_random_uuid() from generate_series(1, 100000) as number;
             delete from durable.publications where key::int <= 12000",
        )
        .await;
    let dead = "select n_dead_tup = 12000 from pg_stat_user_tables where relname = 'publications'";
    eventually("they are counted", async || database.value(dead).await).await;
    let problem = "12000 dead rows beside 88000 live ones: autovacuum does not keep up";
    the_finding(&database, Subject::Bloat, Severity::Warning, problem, "vacuum (analyze) durable.publications").await;
    // With the setting that is usual it comes at a fifth.
    database.run("alter table durable.publications reset (autovacuum_vacuum_scale_factor)").await;
    assert_eq!(examine(&database).await, []);
}

#[tokio::test]
async fn a_turned_clock_is_found() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let repair = "update durable.clock set frozen_at = null, ahead_by = interval '0'";
    the_finding(&database, Subject::Clock, Severity::Warning, "was turned, as tests do", repair).await;
    database.run(repair).await;
    assert_eq!(examine(&database).await, [], "the repair repairs it");
}

#[tokio::test]
async fn a_schema_that_is_missing_or_has_other_functions_is_found() {
    let database = support::empty_database().await;
    let missing = "it has not been created in this database";
    the_finding(&database, Subject::Schema, Severity::Error, missing, "durable --schema durable migrate up").await;
    let database = support::database().await;
    database.run("update durable.function_digest set digest = 'other'").await;
    the_finding(&database, Subject::Schema, Severity::Error, "its functions are not the ones", "migrate up").await;
}

#[tokio::test]
async fn a_transaction_that_has_been_open_for_long_is_found_and_a_young_one_is_not() {
    let database = support::database().await;
    let mut held = database.pool().acquire().await.unwrap();
    held.execute(raw_sql("begin")).await.unwrap();
    let mine: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *held).await.unwrap();
    assert_eq!(examine(&database).await, []);
    // What counts as long is minutes; the statement is asked for those that are open at all.
    let statement = include_str!("../../durable-core/src/store/sql/doctor/find_old_snapshots.sql");
    let open = sqlx::query(statement).bind(0.0_f64).fetch_all(database.pool()).await.unwrap();
    let [open] = &open[..] else { panic!("{} transactions are open", open.len()) };
    assert_eq!((open.get::<i32, _>("pid"), open.get::<&str, _>("state")), (mine, "idle in transaction"));
}

#[tokio::test]
async fn examining_writes_nothing() {
    let database = support::database().await;
    let url = format!("{}?options=-c%20default_transaction_read_only%3Don", database.url);
    assert_eq!(durable::Durable::builder().database_url(&url).examine().await.unwrap(), []);
}

#[tokio::test]
async fn a_client_examines_its_own_database() {
    let database = support::database().await;
    let client = database.builder().start().await.unwrap();
    assert_eq!(client.examine().await.unwrap(), []);
    client.shutdown().await.unwrap();
}
