//! Nodes with a delay: they start that long after what they take is there, in whichever process, and the delay begins anew if it
//! changes.

use chrono::{DateTime, TimeDelta, Utc};
use durable::prelude::*;
use durable::{NodeState, Unmet, Workflow};

use crate::support::bodies::Tally;
use crate::support::crash::leases_run_out;
use crate::support::process::{Effects, Folder, Process};
use crate::support::{self, Database, PATIENCE, clock, eventually};

/// Confirms an order at once, and reminds of it an hour later.
struct Order {
    tally: Tally,
}

#[workflow(open)]
impl Order {
    #[input]
    fn item(&self) -> String;

    #[step]
    async fn confirm(&self, item: &str) -> Result<String> {
        Ok(item.to_owned())
    }

    #[step(delay = "1h")]
    async fn remind(&self, item: &str) -> Result<String> {
        self.tally.add(item);
        Ok(item.to_owned())
    }

    #[step]
    async fn note(&self, remind: &str) -> Result<String> {
        Ok(remind.to_owned())
    }
}

async fn value(durable: &Durable, id: ExecutionId, name: &str) -> Option<String> {
    durable.value::<String>(id, name).await.unwrap().map(|value| value.value)
}

/// The time at which the node starts, as introspection says it.
async fn starts_at(durable: &Durable, id: ExecutionId) -> DateTime<Utc> {
    let why = durable.introspect(id).await.unwrap();
    let node = why.nodes.iter().find(|node| node.name == "remind").unwrap();
    assert!(!node.is_outstanding && why.to_string().contains("node `remind` is unset: it starts at "), "{why}");
    let [Unmet::StartsAt { at }] = node.unmet[..] else { panic!("{why}") };
    at
}

#[tokio::test]
async fn a_node_starts_when_its_delay_is_over_and_the_delay_begins_anew_when_what_it_takes_changes() {
    for cached in [0, 100] {
        let (database, tally) = (support::database().await, Tally::default());
        let began = clock::freeze(&database).await;
        let order = Order { tally: tally.clone() };
        let durable = database.builder().cached_executions(cached).register(order).start().await.unwrap();
        let id = durable.start::<Order>(OrderInputs { item: Some("lamp".into()) }).await.unwrap().id();
        clock::quiet(&database).await;
        assert_eq!(value(&durable, id, "confirm").await.as_deref(), Some("lamp"));
        assert_eq!(starts_at(&durable, id).await, began + TimeDelta::hours(1));
        let drawn = durable.graph(id).await.unwrap();
        let place = drawn.graph.nodes.iter().position(|node| node.label == "remind").unwrap();
        assert_eq!(drawn.nodes[place].state, NodeState::Waiting);

        clock::advance(&database, minutes(59)).await;
        durable.set_inputs(id).set("item", "desk").await.unwrap();
        clock::quiet(&database).await;
        assert_eq!(starts_at(&durable, id).await, began + TimeDelta::minutes(119));
        clock::advance(&database, minutes(59)).await;
        assert!(tally.all().is_empty(), "it ran too early");
        clock::advance(&database, minutes(1)).await;
        assert_eq!(value(&durable, id, "note").await.as_deref(), Some("desk"));
        assert_eq!(tally.labels(), ["desk"]);
        let waits = "select concat_ws(' ', key, outcome) from durable.waits where kind = 'sleep' order by ordinal";
        assert_eq!(database.values::<String>(waits).await, ["sleep remind cancelled", "sleep remind#3 elapsed"]);
        durable.shutdown().await.unwrap();
    }
}

/// Reminds an hour after the start, and does something else meanwhile.
struct Parcel {
    effects: Effects,
    /// Whether `pack` never ends, so that its worker holds the execution until it is killed.
    holds: bool,
}

#[workflow]
impl Parcel {
    #[input]
    fn item(&self) -> String;

    #[step]
    async fn pack(&self, item: &str) -> Result<String> {
        if self.holds {
            std::future::pending::<()>().await;
        }
        Ok(format!("packed {item}"))
    }

    #[step(delay = "1h")]
    async fn remind(&self, item: &str) -> Result<String> {
        self.effects.add(item);
        Ok(format!("reminded of {item}"))
    }

    #[output]
    #[step]
    async fn both(&self, pack: &str, remind: &str) -> Result<String> {
        Ok(format!("{pack}, {remind}"))
    }
}

const KEY: &str = "parcel-1";

fn builder(url: &str, folder: &Folder, holds: bool) -> durable::Builder {
    let builder = Durable::builder().database_url(url).max_connections(4).poll_interval(std::time::Duration::from_millis(200));
    builder.register(Parcel { effects: folder.effects(), holds })
}

fn inputs() -> <Parcel as Workflow>::Input {
    ParcelInputs { item: Some("lamp".into()) }
}

/// The worker process that is killed while the delay passes.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let durable = builder(url, folder, true).start().await.unwrap();
    durable.start::<Parcel>(inputs()).key(KEY).await.unwrap();
    std::future::pending().await
}

async fn due(database: &Database) -> Option<DateTime<Utc>> {
    database.values("select due_at from durable.waits where key = 'sleep remind'").await.into_iter().next()
}

#[tokio::test]
async fn a_delay_goes_on_in_another_process_after_its_worker_was_killed() {
    let (database, folder) = (support::database().await, Folder::new());
    let began = clock::freeze(&database).await;
    let mut process = Process::start("parcel", &database.url, &folder);
    eventually("the delay has begun", async || due(&database).await.is_some()).await;
    process.kill();
    clock::turn(&database, minutes(30)).await;
    leases_run_out(&database).await;

    let worker = builder(&database.url, &folder, false).start().await.unwrap();
    let handle = worker.start::<Parcel>(inputs()).key(KEY).await.unwrap();
    let packed = "select count(*) from durable.execution_values where name = 'pack'";
    eventually("the other node has run", async || database.count(packed).await == 1).await;
    assert_eq!(due(&database).await, Some(began + TimeDelta::hours(1)));
    clock::advance(&database, minutes(29)).await;
    assert!(folder.effects().all().is_empty(), "it ran too early");
    clock::advance(&database, minutes(1)).await;
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "packed lamp, reminded of lamp");
    assert_eq!(folder.effects().all(), ["lamp"]);
    worker.shutdown().await.unwrap();
}
