//! Values that workflows set for others: written once, with their checkpoints, and seen while the workflow goes on.

use durable::prelude::*;
use futures_util::StreamExt;
use serde_json::json;

use crate::support::bodies::Gate;
use crate::support::crash::{self, CRASHES_AT_ONCE, every_write, killed_in};
use crate::support::process::Folder;
use crate::support::proxy::{Fate, Moment, Trap};
use crate::support::{self, Database, soon};

pub(crate) const PARCELS: u32 = 3;
pub(crate) const KEY: &str = "depot-1";

/// Sends parcels and says how many it has sent; in between it waits, and looks at what it said.
pub(crate) struct Depot;

#[workflow]
impl Depot {
    async fn run(&self, cx: &Context, parcels: u32) -> Result<Option<u32>> {
        for parcel in 1..=parcels {
            self.send(parcel).await?;
            cx.set("sent", &parcel).metadata(&json!({ "of": parcels })).await?;
        }
        cx.sleep(std::time::Duration::from_millis(1)).await?;
        let sent = cx.get("sent").await?;
        cx.set("sent", "all").await?;
        cx.set("closed", &true).await?;
        Ok(sent)
    }

    #[step]
    async fn send(&self, parcel: u32) -> Result<u32> {
        Ok(parcel)
    }
}

/// The worker process that is killed: it starts the depot itself, and works on it.
pub(crate) async fn work(url: &str) {
    let durable = Database::at(url.to_owned()).builder().register(Depot).start().await.unwrap();
    durable.start::<Depot>(PARCELS).key(KEY).await.unwrap();
    std::future::pending().await
}

async fn finish_and_check(what: &str, database: &Database) {
    let result = crash::finish::<Depot>(what, database, database.builder().register(Depot), (PARCELS, KEY)).await;
    assert_eq!(result.unwrap(), Some(PARCELS), "{what}");
    let values: Vec<String> =
        database.values("select concat_ws(' ', name, revision, value) from durable.execution_values order by name").await;
    assert_eq!(values, ["closed 1 true".to_owned(), format!("sent {} \"all\"", PARCELS + 1)], "{what}");
}

#[tokio::test]
async fn a_value_is_set_once_whenever_its_worker_is_killed() {
    let (database, folder) = (support::database().await, Folder::new());
    let (killed, writes) = killed_in("depot", &database, &folder, None).await;
    assert!(killed.is_none());
    finish_and_check("that never came", &database).await;

    let points = every_write(&writes);
    let crashes = futures_util::stream::iter(points.clone()).map(async |(statement, nth, moment): (&str, usize, Moment)| {
        let what = format!("{moment:?} {statement} {nth}").to_lowercase();
        let (database, folder) = (support::database().await, Folder::new());
        let trap = Trap { statements: vec![statement.to_owned()], nth, moment, fate: Fate::Held };
        let (killed, _) = killed_in("depot", &database, &folder, Some(trap)).await;
        finish_and_check(&what, &database).await;
        killed.is_some()
    });
    let caught: Vec<bool> = crashes.buffer_unordered(CRASHES_AT_ONCE).collect().await;
    let caught = caught.into_iter().filter(|caught| *caught).count();
    assert!(caught >= points.len() / 2, "only {caught} of {} points were reached", points.len());
}

/// Says what it is about to do, does it behind a gate, and waits.
struct Slow(Gate);

#[workflow]
impl Slow {
    async fn run(&self, cx: &Context, _: ()) -> Result<(Option<String>, Option<String>)> {
        cx.set("doing", "work").await?;
        let before: Option<String> = cx.get("doing").await?;
        self.work().await?;
        cx.set("doing", "waiting").await?;
        cx.wait_for_event::<()>("go").await?;
        Ok((before, cx.get("doing").await?))
    }

    #[step]
    async fn work(&self) -> Result<()> {
        self.0.pass().await;
        Ok(())
    }
}

#[tokio::test]
async fn a_value_is_seen_before_the_next_step_begins_and_while_the_execution_waits() {
    let (database, gate) = (support::database().await, Gate::closed());
    let worker = database.builder().register(Slow(gate.clone())).start().await.unwrap();
    let client = database.client().await;
    let slow = client.start::<Slow>(()).await.unwrap();
    soon("the step begins", gate.until_inside(1)).await;
    let doing = client.value::<String>(slow.id(), "doing").await.unwrap().unwrap();
    assert_eq!((doing.value.as_str(), doing.revision, doing.metadata), ("work", 1, None));

    gate.let_pass(1);
    let parked = "select 1 from durable.executions where state = 'waiting'";
    database.eventually_value::<i32>(parked).await;
    let later = client.value::<String>(slow.id(), "doing").await.unwrap().unwrap();
    assert_eq!((later.value.as_str(), later.revision), ("waiting", 2));
    assert!(later.set_at >= doing.set_at);
    worker.shutdown().await.unwrap();

    // A replay gets what was recorded, and writes nothing again.
    database.run(r#"update durable.execution_values set value = '"changed"'"#).await;
    let worker = database.builder().register(Slow(gate)).start().await.unwrap();
    client.send_event(slow.id(), "go", &()).await.unwrap();
    let seen = soon("the end", slow.result()).await.unwrap();
    assert_eq!(seen, (Some("work".to_owned()), Some("changed".to_owned())));
    assert_eq!(client.value::<String>(slow.id(), "doing").await.unwrap().unwrap().revision, 2);
    worker.shutdown().await.unwrap();
}

/// Sets nothing under a name, and reads it twice: before it waits, and after.
struct Nothing;

#[workflow]
impl Nothing {
    async fn run(&self, cx: &Context, _: ()) -> Result<[bool; 3]> {
        cx.set("unit", &()).await?;
        cx.set("none", &None::<u8>).await?;
        let (unit, none): (Option<()>, Option<Option<u8>>) = (cx.get("unit").await?, cx.get("none").await?);
        let seen = [unit.is_some(), none == Some(None), cx.get::<()>("never set").await?.is_some()];
        cx.wait_for_event::<()>("go").await?;
        Ok(seen)
    }
}

#[tokio::test]
async fn a_value_of_null_is_the_same_at_the_first_run_and_at_a_replay() {
    let database = support::database().await;
    let worker = database.builder().register(Nothing).start().await.unwrap();
    let nothing = worker.start::<Nothing>(()).await.unwrap();
    database.eventually_value::<i32>("select 1 from durable.executions where state = 'waiting'").await;
    worker.shutdown().await.unwrap();
    let worker = database.builder().register(Nothing).start().await.unwrap();
    worker.send_event(nothing.id(), "go", &()).await.unwrap();
    let seen = soon("the end", worker.handle::<Nothing>(nothing.id()).result()).await.unwrap();
    assert_eq!(seen, [true, true, false]);
    worker.shutdown().await.unwrap();
}

/// Says that it has failed, and fails.
struct Confessing {
    works: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

#[workflow]
impl Confessing {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        if let Err(error) = self.work().await {
            cx.set("status", "failed").await?;
            return Err(error);
        }
        cx.set("status", "done").await
    }

    #[step]
    async fn work(&self) -> Result<()> {
        if self.works.load(std::sync::atomic::Ordering::SeqCst) { Ok(()) } else { Err(Error::permanent("out of order")) }
    }
}

#[tokio::test]
async fn a_retry_repeats_a_step_though_the_workflow_has_said_that_it_failed() {
    let (database, works) = (support::database().await, std::sync::Arc::default());
    let worker = database.builder().register(Confessing { works: std::sync::Arc::clone(&works) }).start().await.unwrap();
    let first = worker.start::<Confessing>(()).await.unwrap();
    soon("the failure", first.result()).await.unwrap_err();
    assert_eq!(worker.value::<String>(first.id(), "status").await.unwrap().unwrap().value, "failed");
    works.store(true, std::sync::atomic::Ordering::SeqCst);
    let second = worker.retry(first.id()).await.unwrap();
    soon("the end of the retry", worker.handle::<Confessing>(second).result()).await.unwrap();
    assert_eq!(worker.value::<String>(second, "status").await.unwrap().unwrap().value, "done");
    worker.shutdown().await.unwrap();
}

/// Sets a value and is undone; its compensation reads the value.
struct Undone;

#[workflow]
impl Undone {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        cx.set("room", &7).await?;
        self.book().await
    }

    #[step(compensate = cancel)]
    async fn book(&self) -> Result<()> {
        Ok(())
    }

    #[compensation]
    async fn cancel(&self, cx: &Context) -> Result<()> {
        let room: Option<u8> = cx.get("room").await?;
        cx.set("gave back", &room).await
    }
}

/// Has a room booked, and fails.
struct Host;

#[workflow]
impl Host {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        cx.child::<Undone>(()).await?;
        Err(Error::permanent("the trip is off"))
    }
}

#[tokio::test]
async fn a_compensation_reads_the_values_of_the_execution_that_it_undoes_also_of_a_completed_child() {
    let database = support::database().await;
    let worker = database.builder().register(Undone).register(Host).start().await.unwrap();
    let host = worker.start::<Host>(()).await.unwrap();
    soon("the end", host.result()).await.unwrap_err();
    let given_back: Vec<String> =
        database.values("select value::text from durable.execution_values where name = 'gave back'").await;
    assert_eq!(given_back, ["7"]);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_value_that_the_database_refuses_is_lost_and_the_workflow_completes() {
    let database = support::database().await;
    database.run("alter table durable.execution_values add check (name <> 'sent')").await;
    let durable = database.builder().register(Depot).start().await.unwrap();
    let depot = durable.start::<Depot>(PARCELS).await.unwrap();
    assert_eq!(soon("the end", depot.result()).await.unwrap(), None);
    let names: Vec<String> = durable.values(depot.id()).await.unwrap().into_iter().map(|value| value.name).collect();
    assert_eq!(names, ["closed"]);
    durable.shutdown().await.unwrap();
}

/// Sets a value in each of two branches, and reads one that nobody has set.
struct Branches;

#[workflow]
impl Branches {
    async fn run(&self, cx: &Context, _: ()) -> Result<Option<u8>> {
        durable::try_join!(async { cx.set("left", &1).await }, async { cx.set("right", &2).await }).await?;
        cx.get("middle").await
    }
}

#[tokio::test]
async fn every_branch_sets_values_and_all_of_them_are_listed_by_name() {
    let database = support::database().await;
    let durable = database.builder().register(Branches).start().await.unwrap();
    let branches = durable.start::<Branches>(()).await.unwrap();
    assert_eq!(soon("the end", branches.result()).await.unwrap(), None);
    let values = durable.values(branches.id()).await.unwrap();
    let shown: Vec<(&str, u32, &str)> =
        values.iter().map(|value| (value.name.as_str(), value.revision, value.value.as_str())).collect();
    assert_eq!(shown, [("left", 1, "1"), ("right", 1, "2")]);
    assert_eq!(durable.get_execution(branches.id()).await.unwrap().values, values);
    durable.shutdown().await.unwrap();
}

/// Sets values that cannot be set, and returns what it was told.
struct Wrong;

#[workflow]
impl Wrong {
    async fn run(&self, cx: &Context, _: ()) -> Result<Vec<String>> {
        cx.set("text", "abc").await?;
        let refusals = [
            cx.set("", &1).await.unwrap_err(),
            cx.set(&"n".repeat(3000), &1).await.unwrap_err(),
            cx.set("a\nb", &1).await.unwrap_err(),
            cx.set("ratio", &f64::NAN).await.unwrap_err(),
            cx.set("book", &"x".repeat(durable::PAYLOAD_LIMIT)).await.unwrap_err(),
            cx.set("ratio", &1).metadata(&f64::INFINITY).await.unwrap_err(),
            cx.get::<u8>("").await.unwrap_err(),
            cx.get::<u8>("text").await.unwrap_err(),
        ];
        Ok(refusals.iter().map(ToString::to_string).collect())
    }
}

#[tokio::test]
async fn a_value_that_cannot_be_set_or_read_is_refused_with_its_name() {
    let database = support::database().await;
    let durable = database.builder().register(Wrong).start().await.unwrap();
    let wrong = durable.start::<Wrong>(()).await.unwrap();
    let refusals = soon("the end", wrong.result()).await.unwrap();
    let expected = [
        "the name of a value has 1 to 200 bytes and no control characters",
        "the name of a value has 1 to 200 bytes and no control characters",
        "the name of a value has 1 to 200 bytes and no control characters",
        "the value `ratio` cannot be stored",
        "the value `book` is",
        "the metadata of the value `ratio` cannot be stored",
        "the name of a value has 1 to 200 bytes and no control characters",
        "the value `text` does not decode",
    ];
    for (refusal, part) in refusals.iter().zip(expected) {
        assert!(refusal.contains(part), "{refusal}");
    }
    assert_eq!(refusals.len(), expected.len());

    let values = durable.values(wrong.id()).await.unwrap();
    assert_eq!(values.len(), 1, "{values:?}");
    let error = durable.value::<u8>(wrong.id(), "text").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Payload, "{error}");
    assert!(durable.value::<u8>(wrong.id(), "ratio").await.unwrap().is_none());
    let error = durable.values(uuid::Uuid::now_v7().into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_fork_has_the_values_whose_calls_it_keeps() {
    let database = support::database().await;
    let durable = database.builder().register(Depot).start().await.unwrap();
    let depot = durable.start::<Depot>(PARCELS).await.unwrap();
    soon("the end", depot.result()).await.unwrap();
    assert_eq!(durable.values(depot.id()).await.unwrap().len(), 2);

    // Without workers the fork stays as it was made.
    durable.shutdown().await.unwrap();
    let client = database.client().await;
    let late = client.fork(depot.id(), "set closed").await.unwrap();
    let kept = client.values(late).await.unwrap();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!((kept[0].name.as_str(), kept[0].revision, kept[0].value.as_str()), ("sent", PARCELS + 1, r#""all""#));
    let early = client.fork(depot.id(), "step send").await.unwrap();
    assert_eq!(client.values(early).await.unwrap(), []);

    let worker = database.builder().register(Depot).start().await.unwrap();
    for fork in [late, early] {
        soon("the end of a fork", worker.handle::<Depot>(fork).result()).await.unwrap();
        assert_eq!(worker.value::<String>(fork, "sent").await.unwrap().unwrap().revision, PARCELS + 1);
    }
    worker.shutdown().await.unwrap();
}
