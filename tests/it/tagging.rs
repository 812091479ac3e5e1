//! Tags: given at a start, made from the input, set by the workflow, inherited, and found again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use durable::prelude::*;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::support::crash::{self, CRASHES_AT_ONCE, every_write, killed_in};
use crate::support::process::Folder;
use crate::support::proxy::{Fate, Moment, Trap};
use crate::support::{self, Database, soon};

const KEY: &str = "order-1";

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    tenant: String,
    carriers: Vec<String>,
}

impl Default for Order {
    fn default() -> Self {
        order("acme")
    }
}

fn order(tenant: &str) -> Order {
    Order { tenant: tenant.to_owned(), carriers: vec!["dhl".to_owned(), "ups".to_owned()] }
}

fn tags<const N: usize>(tags: [(&str, &str); N]) -> BTreeMap<String, String> {
    tags.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

async fn tags_of(client: &Durable, id: ExecutionId) -> BTreeMap<String, String> {
    client.get_execution(id).await.unwrap().execution.tags
}

async fn found(client: &Durable, name: &str, value: &str) -> Vec<ExecutionId> {
    let page = client.list_executions().tag(name, value).await.unwrap();
    page.executions.iter().map(|execution| execution.id).collect()
}

/// Tries one carrier after the other, and has the last one as a tag.
struct Shop;

#[workflow(tags(tenant = |order: &Order| order.tenant.clone(), team = "sales"))]
impl Shop {
    async fn run(&self, cx: &Context, order: Order) -> Result<usize> {
        for carrier in &order.carriers {
            cx.tag("carrier", carrier).await?;
            self.ask(carrier.clone()).await?;
        }
        cx.sleep(std::time::Duration::from_millis(1)).await?;
        cx.tag("shipped", "yes").await?;
        Ok(order.carriers.len())
    }

    #[step]
    async fn ask(&self, carrier: String) -> Result<String> {
        Ok(carrier)
    }
}

/// The worker process that is killed: it starts the shop itself, and works on it.
pub(crate) async fn work(url: &str) {
    let durable = Database::at(url.to_owned()).builder().register(Shop).start().await.unwrap();
    durable.start::<Shop>(order("acme")).key(KEY).tag("channel", "web").await.unwrap();
    std::future::pending().await
}

async fn finish_and_check(what: &str, database: &Database) {
    let builder = database.builder().register(Shop);
    assert_eq!(crash::finish::<Shop>(what, database, builder, (order("acme"), KEY)).await.unwrap(), 2, "{what}");
    // A process that died before its start gave no channel; the start that finishes gives none.
    let set: Vec<String> = database
        .values("select concat_ws(' ', name, value) from durable.execution_tags where name <> 'channel' order by name")
        .await;
    assert_eq!(set, ["carrier ups", "shipped yes", "team sales", "tenant acme"], "{what}");
}

#[tokio::test]
async fn a_tag_is_set_once_whenever_its_worker_is_killed() {
    let (database, folder) = (support::database().await, Folder::new());
    let (killed, writes) = killed_in("shop", &database, &folder, None).await;
    assert!(killed.is_none());
    finish_and_check("that never came", &database).await;

    let points = every_write(&writes);
    let crashes = futures_util::stream::iter(points.clone()).map(async |(statement, nth, moment): (&str, usize, Moment)| {
        let what = format!("{moment:?} {statement} {nth}").to_lowercase();
        let (database, folder) = (support::database().await, Folder::new());
        let trap = Trap { statements: vec![statement.to_owned()], nth, moment, fate: Fate::Held };
        let (killed, _) = killed_in("shop", &database, &folder, Some(trap)).await;
        finish_and_check(&what, &database).await;
        killed.is_some()
    });
    let caught: Vec<bool> = crashes.buffer_unordered(CRASHES_AT_ONCE).collect().await;
    let caught = caught.into_iter().filter(|caught| *caught).count();
    assert!(caught >= points.len() / 2, "only {caught} of {} points were reached", points.len());
}

#[tokio::test]
async fn tags_of_the_start_and_of_the_workflow_are_shown_and_found() {
    let database = support::database().await;
    let client = database.client().await;
    let acme = client.start::<Shop>(order("acme")).tag("channel", "web").await.unwrap();
    let other = client.start::<Shop>(order("other")).tag("team", "support").await.unwrap();
    let by_name = client.start_by_name("shop", &json!({})).tag("tenant", "acme").await.unwrap();
    let many = client.start_many::<Shop>(vec![order("acme"), order("other")]).tag("channel", "import").await.unwrap();

    assert_eq!(tags_of(&client, acme.id()).await, tags([("channel", "web"), ("team", "sales"), ("tenant", "acme")]));
    assert_eq!(tags_of(&client, other.id()).await, tags([("team", "support"), ("tenant", "other")]));
    assert_eq!(tags_of(&client, by_name).await, tags([("tenant", "acme")]), "a start by name has no input that it can read");
    assert_eq!(tags_of(&client, many[1].id()).await, tags([("channel", "import"), ("team", "sales"), ("tenant", "other")]));
    let introspection = client.introspect(acme.id()).await.unwrap().to_string();
    assert!(introspection.contains("tags: channel=web team=sales tenant=acme"), "{introspection}");

    assert_eq!(found(&client, "tenant", "acme").await, [many[0].id(), by_name, acme.id()], "newest first");
    assert_eq!(found(&client, "tenant", "acm").await, []);
    assert_eq!(found(&client, "acme", "tenant").await, []);
    let both = client.list_executions().tag("tenant", "acme").tag("team", "sales");
    assert_eq!(both.clone().count().await.unwrap(), 2);
    let page = both.clone().limit(1).await.unwrap();
    let next = both.after(page.next.unwrap()).await.unwrap();
    assert_eq!((page.executions[0].id, next.executions[0].id, next.next), (many[0].id(), acme.id(), None));
    let of_workflow = client.list_executions().tag("tenant", "acme").workflow("shop").state(ExecutionState::Pending);
    assert_eq!(of_workflow.clone().count().await.unwrap(), 3);
    let sorted = of_workflow.order_by(durable::SortBy::Created, durable::SortOrder::Ascending).await.unwrap();
    assert_eq!(sorted.executions[0].id, acme.id());
    assert_eq!(client.list_executions().tag("tenant", "acme").state(ExecutionState::Failed).count().await.unwrap(), 0);
}

#[tokio::test]
async fn a_start_that_finds_an_execution_leaves_its_tags_and_a_debounced_one_replaces_them() {
    let database = support::database().await;
    let client = database.client().await;
    let first = client.start::<Shop>(order("acme")).key("a").tag("channel", "web").await.unwrap();
    let again = client.start::<Shop>(order("acme")).key("a").tag("channel", "app").await.unwrap();
    assert_eq!(first.id(), again.id());
    assert_eq!(tags_of(&client, first.id()).await["channel"], "web");

    let put_off = |tenant: &str| client.start::<Shop>(order(tenant)).debounce("page", seconds(30));
    let put = put_off("acme").tag("channel", "web").await.unwrap();
    assert_eq!(put_off("other").await.unwrap().id(), put.id());
    assert_eq!(tags_of(&client, put.id()).await, tags([("team", "sales"), ("tenant", "other")]));
    assert_eq!(found(&client, "channel", "web").await, [first.id()]);
}

#[tokio::test]
async fn tags_by_sql_are_those_of_the_client_and_are_refused_in_the_same_cases() {
    let database = support::database().await;
    let client = database.client().await;
    let id: uuid::Uuid =
        database.value(r#"select durable.start('shop', tags => '{"tenant": "acme", "channel": "it''s"}')"#).await;
    assert_eq!(tags_of(&client, id.into()).await, tags([("channel", "it's"), ("tenant", "acme")]));
    let shown: String = database.value("select tags ->> 'tenant' from durable.shown_executions").await;
    assert_eq!(shown, "acme");
    let found: Vec<uuid::Uuid> =
        database.values("select execution_id from durable.execution_tags where name = 'tenant' and value = 'acme'").await;
    assert_eq!(found, [id]);

    let most = |count: usize| (0..count).map(|nth| (nth.to_string(), "x".to_owned())).collect::<BTreeMap<_, _>>();
    let one = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    for (tags, is_accepted) in [
        (most(32), true),
        (most(33), false),
        (one(&"n".repeat(100), &"v".repeat(500)), true),
        (one(&"n".repeat(101), "v"), false),
        (one("n", &"v".repeat(501)), false),
        (one("", "v"), false),
        (one("n", ""), false),
        (one("n\n", "v"), false),
        (one("n", "\u{7f}"), false),
        (one("täg", "é '\"%"), true),
    ] {
        let by_sql = sqlx::query_scalar::<_, uuid::Uuid>("select durable.start('shop', tags => $1::json)")
            .bind(serde_json::to_string(&tags).unwrap())
            .fetch_one(database.pool())
            .await;
        let mut start = client.start_by_name("shop", &());
        for (name, value) in &tags {
            start = start.tag(name, value);
        }
        let by_client = start.await;
        assert_eq!((by_sql.is_ok(), by_client.is_ok()), (is_accepted, is_accepted), "{tags:?} {by_sql:?} {by_client:?}");
        match (by_sql, by_client) {
            (Ok(by_sql), Ok(by_client)) => {
                assert_eq!(tags_of(&client, by_sql.into()).await, tags);
                assert_eq!(tags_of(&client, by_client).await, tags);
            }
            (Err(by_sql), Err(by_client)) => {
                assert_eq!(by_sql.as_database_error().unwrap().code().unwrap(), "UD422");
                assert_eq!(by_client.kind(), ErrorKind::Invalid);
            }
            _ => {}
        }
    }
    for wrong in [r#"["tenant"]"#, r#"{"tenant": 1}"#, r#""tenant""#] {
        let refused = sqlx::query("select durable.start('shop', tags => $1::json)").bind(wrong).execute(database.pool()).await;
        assert_eq!(refused.unwrap_err().as_database_error().unwrap().code().unwrap(), "UD422", "{wrong}");
    }
    let started = database.count("select count(*) from durable.executions").await;
    assert_eq!(started, 1 + 3 * 2, "nothing half-written stays");
}

#[tokio::test]
async fn a_filter_of_more_tags_than_are_joined_is_refused() {
    let database = support::database().await;
    let client = database.client().await;
    let list = (0..5).fold(client.list_executions(), |list, nth| list.tag(nth.to_string(), "x"));
    for error in [list.clone().count().await.unwrap_err(), list.await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("5 tags, over the limit of 4"), "{error}");
    }
}

/// Starts children in each way, and has as many tags as it may have.
struct Parent {
    fails: Arc<AtomicBool>,
}

#[workflow]
impl Parent {
    async fn run(&self, cx: &Context, _: ()) -> Result<Vec<String>> {
        cx.tag("region", "eu").await?;
        cx.child::<Shop>(order("acme")).key("own").await?;
        cx.child::<Shop>(order("acme")).key("inherits").tag("channel", "child").inherit_tags().await?;
        cx.start_child::<Shop>(order("acme")).key("started").inherit_tags().await?;
        durable::try_join!(async { cx.tag("left", "1").await }, async { cx.tag("right", "2").await }).await?;
        // With `tenant` from the start there are four so far.
        for nth in 4..32 {
            cx.tag(&format!("nth {nth}"), "x").await?;
        }
        let refusals = [
            cx.tag("one too many", "x").await.unwrap_err(),
            cx.tag("", "x").await.unwrap_err(),
            cx.tag("long", "x".repeat(501)).await.unwrap_err(),
            cx.child::<Shop>(order("acme")).key("full").inherit_tags().await.unwrap_err(),
        ];
        cx.tag("region", "us").await?;
        cx.sleep(std::time::Duration::from_millis(1)).await?;
        self.pay().await?;
        Ok(refusals.iter().map(ToString::to_string).collect())
    }

    #[step]
    async fn pay(&self) -> Result<()> {
        if self.fails.load(Ordering::SeqCst) { Err(Error::permanent("no money")) } else { Ok(()) }
    }
}

#[tokio::test]
async fn children_inherit_tags_if_asked_and_retries_and_forks_keep_them() {
    let (database, fails) = (support::database().await, Arc::new(AtomicBool::new(true)));
    let worker = database.builder().register(Parent { fails: fails.clone() }).register(Shop).start().await.unwrap();
    let parent = worker.start::<Parent>(()).tag("tenant", "acme").await.unwrap();
    soon("the failure", parent.result()).await.unwrap_err();
    let shown = tags_of(&worker, parent.id()).await;
    assert_eq!((shown.len(), shown["region"].as_str()), (32, "us"));

    let child = async |key: &str| {
        let page = worker.list_executions().workflow("shop").key(key).await.unwrap();
        page.executions[0].tags.clone()
    };
    let own = [("carrier", "ups"), ("shipped", "yes"), ("team", "sales"), ("tenant", "acme")];
    assert_eq!(child("own").await, tags(own));
    let inherits = child("inherits").await;
    assert_eq!((inherits["region"].as_str(), inherits["channel"].as_str(), inherits.len()), ("eu", "child", 6));
    assert_eq!(child("started").await["region"], "eu");

    fails.store(false, Ordering::SeqCst);
    let retry = worker.retry(parent.id()).await.unwrap();
    let refusals = soon("the end of the retry", worker.handle::<Parent>(retry).result()).await.unwrap();
    for (refusal, part) in refusals.iter().zip([
        "33 tags, over the limit of 32",
        "a name of 0 bytes",
        "the tag `long` of an execution has a value of 501 bytes",
        "tags with those of its parent; an execution has at most 32",
    ]) {
        assert!(refusal.contains(part), "{refusal}");
    }
    assert_eq!(tags_of(&worker, retry).await, shown);
    let fork = worker.fork(parent.id(), "step pay").await.unwrap();
    soon("the end of the fork", worker.handle::<Parent>(fork).result()).await.unwrap();
    assert_eq!(tags_of(&worker, fork).await, shown);
    worker.shutdown().await.unwrap();
}

/// Undoes its step.
struct Booking;

#[workflow(tags(kind = "booking"))]
impl Booking {
    async fn run(&self, _cx: &Context, _: ()) -> Result<()> {
        self.book().await
    }

    #[step(compensate = cancel)]
    async fn book(&self) -> Result<()> {
        Ok(())
    }

    #[compensation]
    async fn cancel(&self) -> Result<()> {
        Ok(())
    }
}

struct Trip;

#[workflow]
impl Trip {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        cx.child::<Booking>(()).await?;
        Err(Error::permanent("the trip is off"))
    }
}

#[tokio::test]
async fn what_undoes_a_child_has_the_tags_of_the_child() {
    let database = support::database().await;
    let worker = database.builder().register(Booking).register(Trip).start().await.unwrap();
    let trip = worker.start::<Trip>(()).await.unwrap();
    soon("the end", trip.result()).await.unwrap_err();
    assert_eq!(found(&worker, "kind", "booking").await.len(), 2);
    worker.shutdown().await.unwrap();
}

/// Has a schedule of its own.
struct Nightly;

#[workflow(schedule = "0 3 * * *", tags(tenant = |order: &Order| order.tenant.clone()))]
impl Nightly {
    async fn run(&self, _cx: &Context, _: Order) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_schedule_gives_its_tags_to_what_it_starts() {
    let database = support::database().await;
    let worker = database.builder().register(Nightly).register(Shop).start().await.unwrap();
    let declared = worker.trigger_schedule("nightly").await.unwrap();
    assert_eq!(tags_of(&worker, declared).await, tags([("tenant", "acme")]));

    let put = worker.schedule::<Shop>("weekly", "@weekly", order("other")).tag("channel", "clock").await.unwrap();
    assert_eq!(put.tags, tags([("channel", "clock"), ("team", "sales"), ("tenant", "other")]));
    let changed = worker.update_schedule("weekly").tag("channel", "hand").await.unwrap();
    assert_eq!((changed.tags["channel"].as_str(), changed.tags.len(), changed.revision), ("hand", 3, put.revision + 1));
    let triggered = worker.trigger_schedule("weekly").await.unwrap();
    assert_eq!(tags_of(&worker, triggered).await["channel"], "hand");
    let put_again = worker.schedule::<Shop>("weekly", "@weekly", order("other")).await.unwrap();
    assert_eq!(put_again.tags, tags([("team", "sales"), ("tenant", "other")]));
    let error = worker.update_schedule("weekly").tag("", "x").await.unwrap_err();
    assert!(error.to_string().contains("schedule `weekly`"), "{error}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn tags_are_deleted_with_their_executions() {
    let database = support::database().await;
    let worker = database.builder().register(Shop).start().await.unwrap();
    let shop = worker.start::<Shop>(order("acme")).await.unwrap();
    soon("the end", shop.result()).await.unwrap();
    worker.prune(std::time::Duration::ZERO).await.unwrap();
    assert_eq!(database.count("select count(*) from durable.execution_tags").await, 0);
    worker.shutdown().await.unwrap();
}

/// Sets a tag, and continues as new at once.
struct Handover;

#[workflow]
impl Handover {
    async fn run(&self, cx: &Context, is_last: bool) -> Result<()> {
        if is_last {
            return Ok(());
        }
        cx.tag("handed", "over").await?;
        cx.continue_as_new(&true).await
    }
}

#[tokio::test]
async fn the_last_tag_of_an_iteration_is_not_lost_with_its_journal() {
    let database = support::database().await;
    let durable = database.builder().register(Handover).start().await.unwrap();
    let handover = durable.start::<Handover>(false).await.unwrap();
    soon("the end", handover.result()).await.unwrap();
    assert_eq!(tags_of(&durable, handover.id()).await, tags([("handed", "over")]));
}
