//! Deploying: two releases work side by side, in both directions, on a schema that the later one has migrated.

use std::time::Duration;

use durable::migrate::{FunctionsState, SchemaName, VERSION, migrate, sql, status};
use durable::prelude::*;
use durable::{Severity, Subject};

use crate::support::process::{Folder, Process};
use crate::support::{self, Database, eventually, soon};

/// The first release's parcel.
struct Parcel;

#[workflow(queue = "post")]
impl Parcel {
    async fn run(&self, cx: &Context, goods: String) -> Result<String> {
        let packed = self.pack(goods).await?;
        let carrier: String = cx.wait_for_event("picked_up").await?;
        self.send(packed, carrier).await
    }

    #[step]
    async fn pack(&self, goods: String) -> Result<String> {
        Ok(format!("packed {goods}"))
    }

    #[step]
    async fn send(&self, packed: String, carrier: String) -> Result<String> {
        Ok(format!("{packed} by {carrier}"))
    }
}

/// The second release's: a step has another name, and nobody has said so.
struct ChangedParcel;

#[workflow(name = "parcel", queue = "post")]
impl ChangedParcel {
    async fn run(&self, cx: &Context, goods: String) -> Result<String> {
        let wrapped = self.wrap(goods).await?;
        let carrier: String = cx.wait_for_event("picked_up").await?;
        Ok(format!("{wrapped} by {carrier}"))
    }

    #[step]
    async fn wrap(&self, goods: String) -> Result<String> {
        Ok(format!("wrapped {goods}"))
    }
}

/// What the second release should have done.
struct SecondParcel;

#[workflow(name = "parcel", version = 2, queue = "post")]
impl SecondParcel {
    async fn run(&self, _cx: &Context, goods: String) -> Result<String> {
        Ok(format!("wrapped {goods}"))
    }
}

/// Known to the first release alone.
struct Letter;

#[workflow(queue = "post")]
impl Letter {
    async fn run(&self, _cx: &Context, text: String) -> Result<String> {
        Ok(text)
    }
}

/// Known to the second release alone.
struct Telegram;

#[workflow(queue = "post")]
impl Telegram {
    async fn run(&self, _cx: &Context, text: String) -> Result<String> {
        Ok(format!("{text} STOP"))
    }
}

/// A process of one of the releases.
pub(crate) async fn work(release: u32, url: &str) {
    let builder = Durable::builder().database_url(url).max_connections(4).lease(Duration::from_secs(1));
    let builder = match release {
        1 => builder.version("1").register(Parcel).register(Letter),
        _ => builder.version("2").register(ChangedParcel).register(SecondParcel).register(Telegram),
    };
    let durable = builder.start().await.unwrap();
    durable.run_until_signal().await.unwrap();
}

/// The two releases on one database, and a client that belongs to neither.
struct Deployment {
    database: Database,
    folder: Folder,
    client: Durable,
}

impl Deployment {
    async fn new() -> Self {
        let database = support::database().await;
        Self { client: database.client().await, folder: Folder::new(), database }
    }

    /// A process of that release, once it works.
    async fn start(&self, release: u32) -> Process {
        let process = Process::start(&format!("release {release}"), &self.database.url, &self.folder);
        self.until_alive(release, true).await;
        process
    }

    /// Ends a process as a deployment does.
    async fn stop(&self, release: u32, mut process: Process) {
        process.signal("TERM");
        eventually("ended", async || process.success() == Some(true)).await;
        self.until_alive(release, false).await;
    }

    async fn until_alive(&self, release: u32, alive: bool) {
        let workers = format!("select count(*) = 1 from durable.workers where lost_at is null and version = '{release}'");
        eventually(&format!("release {release} alive: {alive}"), async || self.database.value::<bool>(&workers).await == alive)
            .await;
    }

    /// The states of all executions of a workflow.
    async fn states(&self, workflow: &str) -> Vec<String> {
        self.database.values(&format!("select state from durable.executions where workflow = '{workflow}' order by state")).await
    }
}

#[tokio::test]
async fn what_one_release_does_not_know_stays_queued_for_the_other_and_what_does_not_fit_is_reported_and_kept() {
    let deployment = Deployment::new().await;
    let client = &deployment.client;
    let first = deployment.start(1).await;
    let mut parcels = Vec::new();
    for goods in ["books", "shoes", "seeds"] {
        parcels.push(client.start::<Parcel>(goods.to_owned()).await.unwrap());
    }
    eventually("packed", async || deployment.states("parcel").await == ["waiting"; 3]).await;
    let telegram = client.start::<Telegram>("arriving".to_owned()).await.unwrap();
    // Whoever has carried the letter has seen the telegram.
    let letter = client.start::<Letter>("dear".to_owned()).await.unwrap();
    assert_eq!(soon("carried", letter.result()).await.unwrap(), "dear");
    assert_eq!(deployment.states("telegram").await, ["pending"]);

    // Forward: both at once, and then the second alone.
    let second = deployment.start(2).await;
    assert_eq!(soon("wired", telegram.result()).await.unwrap(), "arriving STOP");
    let later = client.start::<SecondParcel>("lamps".to_owned()).await.unwrap();
    assert_eq!(soon("wrapped", later.result()).await.unwrap(), "wrapped lamps");
    deployment.stop(1, first).await;
    let letter = client.start::<Letter>("again".to_owned()).await.unwrap();
    client.send_event(parcels[0].id(), "picked_up", "ada").await.unwrap();
    let stopped = "select count(*) from durable.executions where state = 'waiting' and error is not null";
    eventually("stopped", async || deployment.database.count(stopped).await == 1).await;
    let report = parcels[0].execution().await.unwrap().error.unwrap();
    assert_eq!(report.kind, ErrorKind::Diverged);
    for part in ["pack", "wrap"] {
        assert!(report.message.contains(part), "{}", report.message);
    }
    assert_eq!(deployment.states("letter").await, ["completed", "pending"]);

    // And back: what was stopped, and what was left behind, goes on.
    let first = deployment.start(1).await;
    assert_eq!(soon("carried", letter.result()).await.unwrap(), "again");
    deployment.stop(2, second).await;
    let telegram = client.start::<Telegram>("leaving".to_owned()).await.unwrap();
    client.resume(parcels[0].id()).await.unwrap();
    assert_eq!(soon("resumed", parcels[0].result()).await.unwrap(), "packed books by ada");
    for (parcel, goods) in parcels[1..].iter().zip(["shoes", "seeds"]) {
        client.send_event(parcel.id(), "picked_up", "grace").await.unwrap();
        assert_eq!(soon("sent", parcel.result()).await.unwrap(), format!("packed {goods} by grace"));
    }
    assert_eq!(deployment.states("telegram").await, ["completed", "pending"]);
    let second = deployment.start(2).await;
    assert_eq!(soon("wired", telegram.result()).await.unwrap(), "leaving STOP");

    assert_eq!(deployment.database.count("select count(*) from durable.executions where state <> 'completed'").await, 0);
    assert_eq!(deployment.database.count("select count(*) from durable.executions where claims > 1").await, 0);
    deployment.stop(1, first).await;
    deployment.stop(2, second).await;
}

/// What tomorrow's release adds: a column, a table, and a function beside the one that this release calls.
const ADDED: &str = "
    alter table durable.executions add column mood text;
    create table durable.moods (mood text primary key);
    create function durable.send_event(
        execution_id uuid, name text, payload json, message_id uuid, correlation text, sent_by text, mood text
    ) returns boolean language sql as $$ select true $$;
    update durable.function_digest set digest = 'of tomorrow', release = '99.0.0'";

async fn migrated_further(database: &Database, by: i32, kind: &str) {
    let version = VERSION + by;
    database
        .run(&format!(
            "insert into durable.migrations (version, name, checksum, kind) values ({version}, 'later', '?', '{kind}')"
        ))
        .await;
}

async fn carries_a_letter(durable: &Durable) {
    let handle = durable.start::<Parcel>("books".to_owned()).await.unwrap();
    durable.send_event(handle.id(), "picked_up", "ada").await.unwrap();
    assert_eq!(soon("sent", handle.result()).await.unwrap(), "packed books by ada");
}

#[tokio::test]
async fn a_program_works_on_a_schema_to_which_a_later_release_has_added_and_no_longer_starts_once_something_was_taken_away() {
    let database = support::database().await;
    database.run(ADDED).await;
    migrated_further(&database, 1, "expand").await;
    migrated_further(&database, 2, "expand").await;
    let worker = database.builder().register(Parcel).start().await.unwrap();
    carries_a_letter(&worker).await;
    let report = migrate(&database.url, &SchemaName::default()).await.unwrap();
    assert_eq!((report.version, report.applied.len(), report.functions_replaced), (VERSION + 2, 0, false));
    let found = status(&database.url, &SchemaName::default()).await.unwrap();
    assert_eq!(found.functions, FunctionsState::Newer { release: "99.0.0".to_owned() });
    let findings = database.builder().examine().await.unwrap();
    let [finding] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!((finding.about, finding.severity), (Subject::Schema, Severity::Warning), "{finding}");

    for kind in ["contract", "breaking"] {
        migrated_further(&database, 3, kind).await;
        let error = database.builder().register(Parcel).start().await.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Schema);
        for part in [format!("at version {}", VERSION + 3), format!("above {VERSION}"), "upgrade `durable`".to_owned()] {
            assert!(error.to_string().contains(&part), "{error}");
        }
        migrate(&database.url, &SchemaName::default()).await.map(drop).unwrap_err();
        carries_a_letter(&worker).await;
        database.run(&format!("delete from durable.migrations where version = {}", VERSION + 3)).await;
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_program_does_not_start_on_a_schema_that_was_not_migrated_for_it_and_says_what_to_run() {
    let database = support::empty_database().await;
    database.run(&sql(0, VERSION - 1, &SchemaName::default()).unwrap()).await;
    let error = database.builder().register(Parcel).start().await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(error.to_string().contains("run `durable-migrate migrate`"), "{error}");
    migrate(&database.url, &SchemaName::default()).await.unwrap();
    let worker = database.builder().register(Parcel).start().await.unwrap();
    carries_a_letter(&worker).await;
    worker.shutdown().await.unwrap();
}

/// Declares a schedule as two releases see it.
struct Nightly;

#[workflow(queue = "post", schedule = "0 3 * * *", overlap = skip)]
impl Nightly {
    async fn run(&self, _cx: &Context) -> Result<()> {
        Ok(())
    }
}

/// The same in the other release.
struct LaterNightly;

#[workflow(name = "nightly", version = 2, queue = "post", schedule = "0 4 * * *")]
impl LaterNightly {
    async fn run(&self, _cx: &Context) -> Result<()> {
        Ok(())
    }
}

/// A process that declares, with nine others, when all are told to.
pub(crate) async fn declare(release: u32, url: &str, folder: &Folder) {
    folder.effects().add("here");
    folder.flag("go").wait().await;
    let builder = Durable::builder().database_url(url).max_connections(4);
    let builder = match release {
        1 => builder.register(Nightly),
        _ => builder.register(LaterNightly),
    };
    let durable = builder.start().await.unwrap();
    folder.effects().add("declared");
    durable.run_until_signal().await.unwrap();
}

/// Has ten processes start at once, of these releases in turn; returns the schedule's rule and revision.
async fn declared_by_ten(releases: &[u32]) -> (String, i32) {
    let (database, folder) = (support::database().await, Folder::new());
    let roles = releases.iter().cycle().take(10).map(|release| format!("declaring {release}"));
    let processes: Vec<Process> = roles.map(|role| Process::start(&role, &database.url, &folder)).collect();
    eventually("all are here", async || folder.effects().count("here") == processes.len()).await;
    folder.flag("go").raise();
    eventually("all have declared", async || folder.effects().count("declared") == processes.len()).await;
    assert_eq!(database.count("select count(*) from durable.schedules").await, 1);
    assert_eq!(database.count("select count(*) from durable.workers where lost_at is null").await, 10);
    (database.value("select rule from durable.schedules").await, database.value("select revision from durable.schedules").await)
}

#[tokio::test]
async fn ten_processes_that_start_at_once_write_what_they_declare_once() {
    assert_eq!(declared_by_ten(&[1]).await, ("0 3 * * *".to_owned(), 1));
}

#[tokio::test]
async fn of_two_releases_that_declare_a_schedule_differently_the_last_one_to_start_decides() {
    let (rule, revision) = declared_by_ten(&[1, 2]).await;
    assert!(rule == "0 3 * * *" || rule == "0 4 * * *", "{rule}");
    assert!((2..=10).contains(&revision), "written {revision} times");
}
