//! Journals that are exported, and replayed over the code of a release before it is deployed.

use durable::prelude::*;
use durable::{Journal, Replay};
use serde_json::{Value, json};

use crate::support::bodies::Tally;
use crate::support::process::Folder;
use crate::support::{self, Database, soon};

/// What a release of the code does differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Release {
    Deployed,
    /// Charges with other arguments.
    Recharges,
    /// Returns before it ships.
    Short,
    /// Weighs before it ships.
    Weighs,
}

/// A bit of everything: steps, branches, a map, a value, a version, ids, the time, a child, and a wait.
struct Ship(Release, Tally);

struct Insure;

#[workflow(name = "ship")]
impl Ship {
    async fn run(&self, cx: &Context, parcel: u64) -> Result<u64> {
        let (release, id) = (self.0, cx.uuid());
        let cents = if release == Release::Recharges { parcel + 1 } else { parcel };
        self.charge(cents, id).await?;
        if release == Release::Short {
            return Ok(0);
        }
        if release == Release::Weighs {
            self.weigh().await?;
        }
        let began = cx.now().await?;
        cx.set("began", &began).await?;
        cx.version("boxes", 1).await?;
        let (one, other) = durable::join!(self.pack(1), self.pack(2)).await?;
        let packed = cx.map([one, other]).each(|part| self.pack(part + 10)).await?;
        let insured = cx.child::<Insure>(packed.iter().sum()).await?;
        let _: Option<String> = cx.wait_for_event("picked_up").timeout(days(3)).await?;
        Ok(insured)
    }

    #[step]
    async fn charge(&self, cents: u64, _id: uuid::Uuid) -> Result<u64> {
        self.1.add("charge");
        Ok(cents)
    }

    #[step]
    async fn pack(&self, part: u64) -> Result<u64> {
        self.1.add("pack");
        Ok(part)
    }

    #[step]
    async fn weigh(&self) -> Result<u64> {
        self.1.add("weigh");
        Ok(7)
    }
}

#[workflow]
impl Insure {
    async fn run(&self, _cx: &Context, cents: u64) -> Result<u64> {
        Ok(cents)
    }
}

/// Executions that wait for their parcels to be picked up.
async fn shipped(database: &Database, parcels: u64) -> Vec<ExecutionId> {
    let deployed = database.builder().register(Ship(Release::Deployed, Tally::default())).register(Insure).start().await.unwrap();
    let handles = deployed.start_many::<Ship>(0..parcels).await.unwrap();
    let waiting = format!(
        "select 1 from durable.executions join durable.waits using (execution_id)
         where state = 'waiting' and kind = 'event' and outcome is null having count(*) = {parcels}"
    );
    database.eventually_value::<i32>(&waiting).await;
    deployed.shutdown().await.unwrap();
    handles.iter().map(|handle| handle.id()).collect()
}

/// Everything that is on record.
async fn record(database: &Database) -> Vec<String> {
    let mut record: Vec<String> = Vec::new();
    for table in ["executions", "checkpoints", "attempts", "waits", "mailbox", "execution_values"] {
        record.extend(database.values::<String>(&format!("select entry::text from durable.{table} as entry order by 1")).await);
    }
    record
}

#[tokio::test]
async fn live_executions_are_replayed_without_a_step_or_a_write() {
    const PARCELS: u64 = 120;
    let (database, tally) = (support::database().await, Tally::default());
    shipped(&database, PARCELS).await;
    let before = record(&database).await;
    let client = database.client().await;

    let replay = Replay::new().register(Ship(Release::Deployed, tally.clone())).register(Insure);
    let report = soon("the replay", client.verify_replay(&replay)).await.unwrap();
    assert!(report.fits() && report.not_compared.is_empty(), "{report}");
    assert_eq!(report.ok as u64, PARCELS, "those that have ended are left out, and all pages are read");

    let all = replay.executions(client.list_executions().state(ExecutionState::Completed)).await.unwrap();
    assert!(all.fits(), "{all}");
    assert_eq!(all.ok as u64, PARCELS, "the children, which have completed");
    assert!(tally.all().is_empty(), "no step ran: {:?}", tally.all());
    assert_eq!(record(&database).await, before);
    client.shutdown().await.unwrap();
}

#[tokio::test]
async fn code_that_does_not_fit_is_reported_as_a_stopped_execution_would_report_it() {
    let (database, tally) = (support::database().await, Tally::default());
    let id = shipped(&database, 1).await[0];
    let client = database.client().await;
    let verify = async |release| {
        let replay = Replay::new().register(Ship(release, tally.clone())).register(Insure);
        client.verify_replay(&replay).await.unwrap()
    };

    let report = verify(Release::Recharges).await;
    assert!(!report.fits());
    assert_eq!((report.ok, report.diverged[0].execution_id, report.diverged[0].version), (0, id, 1));
    assert!(report.diverged[0].report.contains("step charge` is called with other arguments"), "{report}");

    let report = verify(Release::Short).await;
    assert!(!report.fits() && report.to_string().contains("join/0/step pack"), "{report}");

    // A new step fits: it runs when the execution is replayed. What follows it is not compared.
    let report = verify(Release::Weighs).await;
    assert!(report.fits(), "{report}");
    assert_eq!((report.ok, report.not_compared[0].execution_id), (1, id));
    assert!(report.not_compared[0].keys.iter().any(|key| key == "now"), "{report}");

    let report = client.verify_replay(&Replay::new().register(Insure)).await.unwrap();
    assert!(!report.fits() && report.to_string().contains("workflow `ship` version 1 is not registered"), "{report}");
    assert!(tally.all().is_empty(), "no step ran: {:?}", tally.all());

    let twice = Replay::new().register(Insure).register(Insure);
    assert_eq!(client.verify_replay(&twice).await.unwrap_err().kind(), ErrorKind::Invalid);
    client.shutdown().await.unwrap();
}

#[tokio::test]
async fn journals_in_a_folder_are_replayed_without_a_database() {
    let (database, tally, folder) = (support::database().await, Tally::default(), Folder::new());
    let client = database.client().await;
    for id in shipped(&database, 3).await {
        let journal = client.export(id).await.unwrap();
        assert_eq!((journal.execution_id(), journal.workflow(), journal.version()), (id, "ship", 1));
        std::fs::write(folder.path().join(format!("{id}.json")), journal.to_json().unwrap()).unwrap();
    }
    client.shutdown().await.unwrap();
    drop(database);
    std::fs::write(folder.path().join("notes.txt"), "no journal").unwrap();

    let fits = Replay::new().register(Ship(Release::Deployed, tally.clone()));
    let report = fits.folder(folder.path()).await.unwrap();
    assert!(report.fits(), "{report}");
    assert_eq!(report.ok, 3);
    let report = Replay::new().register(Ship(Release::Recharges, tally.clone())).folder(folder.path()).await.unwrap();
    assert_eq!((report.ok, report.diverged.len()), (0, 3));
    assert!(tally.all().is_empty(), "no step ran: {:?}", tally.all());

    std::fs::write(folder.path().join("broken.json"), "{").unwrap();
    let later = json!({ "format": 2 }).to_string();
    std::fs::write(folder.path().join("later.json"), later).unwrap();
    let report = fits.folder(folder.path()).await.unwrap();
    assert_eq!((report.ok, report.unreadable.len(), report.fits()), (3, 2, false));
    assert!(report.unreadable[1].problem.contains("format 2, and this version of Durable reads format 1"), "{report}");
    assert!(
        report.unreadable[0].what.ends_with("broken.json") && report.unreadable[0].problem.contains("not an exported journal")
    );

    let empty = Folder::new();
    let error = fits.folder(empty.path()).await.unwrap_err();
    assert!(error.kind() == ErrorKind::NotFound && error.to_string().contains("durable execution export"), "{error}");
}

/// Says a number that no double has, and fails once before.
struct Exact;

#[workflow]
impl Exact {
    async fn run(&self, cx: &Context, _secret: String) -> Result<()> {
        self.say().await?;
        cx.wait_for_event::<()>("never").await
    }

    #[step(retry(max_attempts = 2, base = "1ms", jitter = 0.0))]
    async fn say(&self) -> Result<durable::Json> {
        match durable::step().attempt() {
            1 => Err(Error::new("not yet")),
            _ => Ok(serde_json::from_str(r#"{"number":1.10,"large":12345678901234567890123}"#).unwrap()),
        }
    }
}

#[tokio::test]
async fn an_export_keeps_every_digit_and_can_be_redacted() {
    let database = support::database().await;
    let worker = database.builder().version("release 7").register(Exact).start().await.unwrap();
    let id = worker.start::<Exact>("4111 1111".to_owned()).await.unwrap().id();
    database.eventually_value::<i32>("select 1 from durable.executions where state = 'waiting'").await;
    let journal = worker.export(id).await.unwrap();
    let text = journal.to_json().unwrap();
    assert!(text.contains("1.10") && text.contains("12345678901234567890123"), "{text}");
    let data: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&data["format"], &data["release"], &data["state"]), (&json!(1), &json!("release 7"), &json!("waiting")));
    assert_eq!((&data["checkpoints"][0]["key"], &data["attempts"][0]["attempt"]), (&json!("step say"), &json!(1)));
    assert_eq!((&data["waits"][0]["key"], &data["waits"][0]["outcome"]), (&json!("event never"), &Value::Null));

    let mut places = Vec::new();
    let redacted = journal.redact(|at, payload| {
        places.push(at.to_owned());
        if at == "input" { json!("hidden").into() } else { payload }
    });
    assert_eq!(places, ["input", "step say", "step say"]);
    let text = redacted.to_json().unwrap();
    assert!(!text.contains("4111") && text.contains("hidden"), "{text}");
    let read = Journal::from_json(&text).unwrap();
    assert!(Replay::new().register(Exact).journal(&read).await.unwrap().fits());

    let nothing = worker.export(ExecutionId::from(uuid::Uuid::new_v4())).await.unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::NotFound);
    worker.shutdown().await.unwrap();
}

/// Fails after its second step, and is asked to undo the first.
struct Failing;

#[workflow]
impl Failing {
    async fn run(&self, _cx: &Context, _: ()) -> Result<()> {
        self.book().await?;
        Err(Error::permanent("no money left"))
    }

    #[step(compensate = unbook)]
    async fn book(&self) -> Result<u32> {
        Ok(1)
    }

    #[compensation]
    async fn unbook(&self, cx: &Context, _booked: &u32) -> Result<()> {
        cx.wait_for_event::<()>("unbooked").await
    }
}

#[tokio::test]
async fn a_rollback_that_is_under_way_is_replayed_too() {
    let database = support::database().await;
    let worker = database.builder().register(Failing).start().await.unwrap();
    worker.start::<Failing>(()).await.unwrap();
    database.eventually_value::<i32>("select 1 from durable.executions where state = 'waiting' and rollback is not null").await;
    let report = worker.verify_replay(&Replay::new().register(Failing)).await.unwrap();
    assert!(report.fits(), "{report}");
    assert_eq!(report.ok, 1);
    worker.shutdown().await.unwrap();
}

/// Passes so many items, and waits.
struct Long;

#[workflow]
impl Long {
    async fn run(&self, cx: &Context, items: u64) -> Result<u64> {
        let passed = cx.map(0..items).concurrency(200).each(|item| self.pass(item)).await?;
        cx.wait_for_event::<()>("go").await?;
        Ok(passed.iter().sum())
    }

    #[step]
    async fn pass(&self, item: u64) -> Result<u64> {
        Ok(item)
    }
}

#[tokio::test]
async fn a_thousand_journals_of_fifty_entries_are_replayed() {
    let database = support::database().await;
    let worker = database.builder().register(Long).start().await.unwrap();
    let long = worker.start::<Long>(49).await.unwrap().id();
    database.eventually_value::<i32>("select 1 from durable.executions where state = 'waiting'").await;
    let text = worker.export(long).await.unwrap().to_json().unwrap();
    worker.shutdown().await.unwrap();

    let folder = Folder::new();
    for nth in 0..1000 {
        let id = ExecutionId::from(uuid::Uuid::now_v7()).to_string();
        std::fs::write(folder.path().join(format!("{nth}.json")), text.replace(&long.to_string(), &id)).unwrap();
    }
    let began = std::time::Instant::now();
    let report = Replay::new().register(Long).folder(folder.path()).await.unwrap();
    println!("1000 journals of 50 entries in {:?}", began.elapsed());
    assert!(report.fits() && report.not_compared.is_empty(), "{report}");
    assert_eq!(report.ok, 1000);
}

#[tokio::test]
async fn a_journal_of_thousands_of_entries_is_read_in_pages() {
    const ITEMS: u64 = 2500;
    let database = support::database().await;
    let worker = database.builder().register(Long).start().await.unwrap();
    let long = worker.start::<Long>(ITEMS).await.unwrap().id();
    database.eventually_value::<i32>("select 1 from durable.executions where state = 'waiting'").await;
    worker.shutdown().await.unwrap();

    let proxy = support::proxy::Proxy::before(&database).await;
    let other = Database::at(proxy.url().to_owned()).builder().register(Long).start().await.unwrap();
    other.send_event(long, "go", &()).await.unwrap();
    let sum = soon("the end", other.handle::<Long>(long).result()).await.unwrap();
    assert_eq!(sum, ITEMS * (ITEMS - 1) / 2);
    let pages = proxy.seen().iter().filter(|statement| *statement == "checkpoints/page").count();
    assert_eq!(pages, 4, "three pages with entries, and an empty one: {:?}", proxy.seen());
    other.shutdown().await.unwrap();
}
