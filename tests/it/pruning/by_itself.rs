//! By itself: workers delete what the code does not keep for ever, and nothing else.

use super::*;

use durable::chrono::{DateTime, Utc};
use durable::{FiringOutcome, Overlap};
use sqlx::postgres::types::PgInterval;

/// Kept for a month.
struct Note;

#[workflow(retention = "30d")]
impl Note {
    async fn run(&self, _cx: &Context, text: String) -> Result<String> {
        self.write(text).await
    }

    #[step]
    async fn write(&self, text: String) -> Result<String> {
        Ok(text)
    }
}

/// Kept for as long as the engine says.
struct Ledger;

#[workflow]
impl Ledger {
    async fn run(&self, _cx: &Context, _: ()) -> Result<()> {
        Ok(())
    }
}

/// How many executions of a workflow there are.
async fn kept(database: &Database, workflow: &str) -> i64 {
    database.count(&format!("select count(*) from durable.executions where workflow = '{workflow}'")).await
}

async fn note(worker: &Durable) -> ExecutionId {
    let handle = worker.start::<Note>("milk".to_owned()).await.unwrap();
    handle.result_within(PATIENCE).await.unwrap();
    handle.id()
}

async fn ledger(worker: &Durable) {
    worker.start::<Ledger>(()).await.unwrap().result_within(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn workers_delete_what_a_workflow_does_not_keep_and_nothing_else() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Note).register(Ledger).start().await.unwrap();
    let old = note(&worker).await;
    ledger(&worker).await;
    worker.publish("news", &1).key("old").await.unwrap();
    clock::turn(&database, days(20)).await;
    let young = note(&worker).await;
    clock::turn(&database, days(11)).await;
    eventually("the old one is gone", async || kept(&database, "note").await == 1).await;
    assert!(worker.get_execution(young).await.is_ok());
    assert_eq!(worker.get_execution(old).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(database.count("select count(*) from durable.checkpoints").await, 1, "its journal went with it");
    clock::turn(&database, days(365)).await;
    eventually("all notes are gone", async || kept(&database, "note").await == 0).await;
    assert_eq!(kept(&database, "ledger").await, 1, "nobody said how long");
    assert_eq!(database.count("select count(*) from durable.publications").await, 1);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_engine_says_how_long_the_rest_is_kept() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let client = database.client().await;
    // It knows of no notes, so they are none of its business.
    let worker = database.builder().register(Ledger).register(Waits).retention(days(5)).start().await.unwrap();
    let foreign = client.start::<Note>("milk".to_owned()).await.unwrap();
    client.cancel(foreign.id(), "over").await.unwrap();
    ledger(&worker).await;
    worker.start::<Waits>(()).await.unwrap();
    worker.publish("news", &1).key("old").await.unwrap();
    clock::turn(&database, days(6)).await;
    eventually("it is gone", async || kept(&database, "ledger").await == 0).await;
    eventually("its key is forgotten", async || database.count("select count(*) from durable.publications").await == 0).await;
    assert_eq!((kept(&database, "note").await, kept(&database, "waits").await), (1, 1));
    worker.shutdown().await.unwrap();

    let worker = database.builder().register(Note).register(Ledger).retention(days(5)).start().await.unwrap();
    let note = note(&worker).await;
    ledger(&worker).await;
    clock::turn(&database, days(6)).await;
    eventually("it is gone", async || kept(&database, "ledger").await == 0).await;
    assert!(worker.get_execution(note).await.is_ok(), "its workflow says more");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_engine_that_is_told_nothing_deletes_nothing_and_asks_for_no_turn() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Ledger).start().await.unwrap();
    ledger(&worker).await;
    clock::turn(&database, days(36_500)).await;
    eventually("other duties were done", async || {
        database.count("select count(*) from durable.duties where duty = 'expire' and taken_at = durable.now()").await == 1
    })
    .await;
    worker.shutdown().await.unwrap();
    assert_eq!(database.count("select count(*) from durable.duties where duty like 'prune%'").await, 0);
    assert_eq!(kept(&database, "ledger").await, 1);
    let error = database.builder().register(Ledger).retention(seconds(0)).start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("a retention of zero"), "{error}");
}

#[tokio::test]
async fn what_has_come_of_old_firings_goes_with_them_and_what_is_open_stays() {
    let database = support::database().await;
    let now = clock::freeze(&database).await;
    let worker = database.builder().register(Note).start().await.unwrap();
    worker
        .schedule::<Note>("daily", "every 1d", "milk".to_owned())
        .starts_at(now + days(1))
        .overlap(Overlap::Skip)
        .await
        .unwrap();
    for day in 1..=3 {
        clock::advance(&database, days(1)).await;
        eventually("it fires", async || worker.schedule_firings("daily").await.unwrap().len() == day).await;
        clock::quiet(&database).await;
    }
    worker.disable_schedule("daily", "enough").await.unwrap();
    // The last one was not judged, as it was not due again.
    clock::turn(&database, days(40)).await;
    let left = async || worker.schedule_firings("daily").await.unwrap();
    eventually("the judged ones are gone", async || left().await.len() == 1).await;
    assert_eq!(left().await[0].outcome, FiringOutcome::Started);
    assert_eq!(left().await[0].due_at, now + days(3));
    worker.shutdown().await.unwrap();
}

/// The number of deletions that were tried, and refused, since they are refused.
const REFUSE_DELETIONS: &str = "
    create sequence public.refused;
    create function refuse() returns trigger language plpgsql as $$
        begin
            -- A sequence goes on where what it counts is undone.
            perform nextval('public.refused');
            raise exception 'not now';
        end
    $$;
    create trigger refuse before delete on durable.executions for each row execute function refuse()";

/// Noon of some day; what is made then has ids of fourteen years ago.
async fn noon(database: &Database) {
    let now = clock::freeze(database).await;
    let noon = "2040-03-24T12:00:00Z".parse::<DateTime<Utc>>().unwrap();
    clock::turn(database, (noon - now).to_std().unwrap()).await;
}

/// Whether the turn with the notes that was taken now was done to its end.
const DONE: &str = "select coalesce(bool_and(done_at = durable.now()), false) from durable.duties
                    where duty = 'prune executions of note'";

#[tokio::test]
async fn what_took_long_is_found_when_everything_is_looked_through() {
    let database = support::database().await;
    noon(&database).await;
    let worker = database.builder().register(Note).register(Waits).start().await.unwrap();
    eventually("the first turn", async || database.value(DONE).await).await;
    // A turn that looks at the last hours does not find it.
    let long = note(&worker).await;
    database.run("update durable.executions set finished_at = durable.now() - interval '31 days'").await;
    clock::turn(&database, minutes(10)).await;
    eventually("the second turn", async || database.value(DONE).await).await;
    assert!(worker.get_execution(long).await.is_ok());
    clock::turn(&database, hours(12)).await;
    eventually("it is gone the next day", async || kept(&database, "note").await == 0).await;
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_turn_that_failed_is_made_up_for_by_the_next() {
    let database = support::database().await;
    noon(&database).await;
    let worker = database.builder().register(Note).start().await.unwrap();
    eventually("the first turn", async || database.value(DONE).await).await;
    note(&worker).await;
    database.run("update durable.executions set finished_at = durable.now() - interval '31 days'").await;
    database.run(REFUSE_DELETIONS).await;
    clock::turn(&database, hours(12)).await;
    eventually("it is refused", async || database.value("select is_called from refused").await).await;
    assert!(!database.value::<bool>(DONE).await);
    database.run("drop trigger refuse on durable.executions").await;
    clock::turn(&database, minutes(10)).await;
    eventually("it is gone the same day", async || kept(&database, "note").await == 0).await;
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_turn_that_takes_longer_than_its_period_stays_with_its_worker() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let client = database.client().await;
    let first = client.start::<Note>("milk".to_owned()).await.unwrap();
    client.cancel(first.id(), "over").await.unwrap();
    database
        .run(
            "insert into durable.executions (
                execution_id, created_at, version, priority, workflow, queue, input, state, epoch, claims, finished_at, error
             )
             select
                (left(execution_id::text, 24) || lpad(number::text, 12, '0'))::uuid, created_at, version, priority, workflow, queue,
                input, state, epoch, claims, finished_at, error
             from durable.executions, generate_series(1, 1000) as number;
             create function pass() returns trigger language plpgsql as $$
                begin
                    update durable.clock set frozen_at = frozen_at + interval '6 minutes';
                    return null;
                end
             $$;
             create trigger pass after delete on durable.executions execute function pass()",
        )
        .await;
    clock::turn(&database, days(31)).await;
    let worker = database.builder().register(Note).start().await.unwrap();
    let done = "select due_at - done_at from durable.duties where duty = 'prune executions of note' and done_at = taken_at";
    let held: PgInterval = database.eventually_value(done).await;
    assert_eq!(kept(&database, "note").await, 0);
    assert_eq!(held.microseconds, 22 * 60 * 1_000_000, "ten minutes from the second batch on");
    worker.shutdown().await.unwrap();
}
