//! Deployments: a step gets a queue, loses it, or is renamed, while executions are under way.

use durable::Workflow;
use durable::prelude::*;

use crate::support::bodies::{Gate, Tally};
use crate::support::{self, Database, PATIENCE, eventually};

/// Bakes where it is ordered.
struct InPlace(Tally);

#[workflow(name = "bakery", queue = "shop")]
impl InPlace {
    async fn run(&self, cx: &Context, cake: String) -> Result<String> {
        let baked = self.bake(&cake).await?;
        cx.wait_for_event::<()>("picked up").await?;
        let iced = self.bake(&baked).await?;
        Ok(format!("{iced}, from the shop"))
    }

    #[step]
    async fn bake(&self, cake: &str) -> Result<String> {
        self.0.add("in place");
        Ok(format!("baked {cake}"))
    }
}

/// Bakes in the cellar.
#[derive(Clone)]
struct Routed(Tally, Gate);

#[workflow(name = "bakery", queue = "shop")]
impl Routed {
    async fn run(&self, cx: &Context, cake: String) -> Result<String> {
        let baked = self.bake(&cake).await?;
        cx.wait_for_event::<()>("picked up").await?;
        let iced = self.bake(&baked).await?;
        Ok(format!("{iced}, from the cellar"))
    }

    #[step(queue = "cellar")]
    async fn bake(&self, cake: &str) -> Result<String> {
        self.0.add("in the cellar");
        self.1.pass().await;
        Ok(format!("baked {cake}"))
    }
}

/// Calls it making.
struct Renamed(Tally);

#[workflow(name = "bakery", queue = "shop")]
impl Renamed {
    async fn run(&self, cx: &Context, cake: String) -> Result<String> {
        let baked = self.make(&cake).await?;
        cx.wait_for_event::<()>("picked up").await?;
        let iced = self.make(&baked).await?;
        Ok(format!("{iced}, made"))
    }

    #[step(queue = "cellar", was = "bake")]
    async fn make(&self, cake: &str) -> Result<String> {
        self.0.add("made");
        Ok(format!("baked {cake}"))
    }
}

const WAITS_FOR_EVENT: &str = "select count(*) from durable.waits where kind = 'event' and outcome is null";
const IN_THE_CELLAR: &str = "select count(*) from durable.executions where queue = 'cellar'";

/// Bakes something else than was ordered.
struct Stubborn(Tally);

#[workflow(name = "bakery", queue = "shop")]
impl Stubborn {
    async fn run(&self, cx: &Context, _cake: String) -> Result<String> {
        let baked = self.bake("muffins").await?;
        cx.wait_for_event::<()>("picked up").await?;
        Ok(baked)
    }

    #[step(queue = "cellar")]
    async fn bake(&self, cake: &str) -> Result<String> {
        self.0.add("stubborn");
        Ok(format!("baked {cake}"))
    }
}

/// Wants to know how hot, and calls the cake a pastry.
struct Hot(Tally);

#[workflow(name = "bakery", queue = "shop")]
impl Hot {
    async fn run(&self, cx: &Context, cake: String) -> Result<String> {
        let baked = self.bake(&cake, Some(200)).await?;
        cx.wait_for_event::<()>("picked up").await?;
        Ok(baked)
    }

    #[step(queue = "cellar")]
    async fn bake(&self, pastry: &str, degrees: Option<u32>) -> Result<String> {
        self.0.add("hot");
        Ok(format!("baked {pastry} at {degrees:?}"))
    }
}

/// May be told how hot.
struct Adjustable(Tally);

#[workflow(name = "bakery", queue = "shop")]
impl Adjustable {
    async fn run(&self, cx: &Context, cake: String) -> Result<String> {
        let baked = self.bake(&cake, None).await?;
        cx.wait_for_event::<()>("picked up").await?;
        self.bake(&baked, Some(200)).await
    }

    #[step(queue = "cellar")]
    async fn bake(&self, cake: &str, degrees: Option<u32>) -> Result<String> {
        self.0.add("adjusted");
        Ok(degrees.map_or(format!("baked {cake}"), |degrees| format!("{cake} at {degrees}")))
    }
}

/// Knows of no step in the cellar.
struct Closed;

#[workflow(name = "bakery", queue = "shop")]
impl Closed {
    async fn run(&self, _cx: &Context, cake: String) -> Result<String> {
        Ok(format!("no {cake} today"))
    }
}

async fn output_of<W: Workflow<Output = String>>(durable: &Durable, id: ExecutionId) -> String {
    durable.handle::<W>(id).result_within(PATIENCE).await.unwrap()
}

/// Why the first execution of this queue has stopped.
async fn report_in(database: &Database, queue: &str) -> String {
    let report = format!("select error ->> 'message' from durable.executions where queue = '{queue}' and error is not null");
    database.eventually_value(&report).await
}

/// An execution whose call stands in the queue of the cellar, where nobody works.
async fn ordered(database: &Database, tally: &Tally) -> ExecutionId {
    let routed = Routed(tally.clone(), Gate::closed());
    let shop = database.builder().register(routed).queue("shop", 5).start().await.unwrap();
    let handle = shop.start::<Routed>("scones".to_owned()).await.unwrap();
    eventually("it is sent to the cellar", async || database.count(IN_THE_CELLAR).await == 1).await;
    shop.shutdown().await.unwrap();
    handle.id()
}

#[tokio::test]
async fn a_step_that_gets_a_queue_is_not_run_again_where_it_had_been_run() {
    let database = support::database().await;
    let tally = Tally::default();
    let old = database.builder().register(InPlace(tally.clone())).start().await.unwrap();
    let handle = old.start::<InPlace>("scones".to_owned()).await.unwrap();
    eventually("it waits", async || database.count(WAITS_FOR_EVENT).await == 1).await;
    old.shutdown().await.unwrap();

    let routed = Routed(tally.clone(), Gate::closed());
    routed.1.let_pass(1);
    let new = database.builder().register(routed).start().await.unwrap();
    new.send_event(handle.id(), "picked up", &()).await.unwrap();
    assert_eq!(output_of::<Routed>(&new, handle.id()).await, "baked baked scones, from the cellar");
    assert_eq!((tally.count("in place"), tally.count("in the cellar")), (1, 1));
    new.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_step_that_loses_its_queue_is_not_begun_again_while_it_is_under_way_there() {
    let database = support::database().await;
    let (tally, gate) = (Tally::default(), Gate::closed());
    let routed = Routed(tally.clone(), gate.clone());
    let cellar = database.builder().register(routed.clone()).queue("cellar", 5).start().await.unwrap();
    let old = database.builder().register(routed).queue("shop", 5).start().await.unwrap();
    let handle = old.start::<Routed>("scones".to_owned()).await.unwrap();
    gate.until_inside(1).await;
    old.shutdown().await.unwrap();

    let new = database.builder().register(InPlace(tally.clone())).start().await.unwrap();
    new.send_event(handle.id(), "picked up", &()).await.unwrap();
    gate.let_pass(1);
    assert_eq!(output_of::<InPlace>(&new, handle.id()).await, "baked baked scones, from the shop");
    assert_eq!((tally.count("in place"), tally.count("in the cellar")), (1, 1));
    for worker in [cellar, new] {
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_routed_step_that_was_renamed_goes_on_under_its_new_name() {
    let database = support::database().await;
    let tally = Tally::default();
    let id = ordered(&database, &tally).await;

    // What the old release sent, the new one runs, and takes for its own.
    let new = database.builder().register(Renamed(tally.clone())).start().await.unwrap();
    new.send_event(id, "picked up", &()).await.unwrap();
    assert_eq!(output_of::<Renamed>(&new, id).await, "baked baked scones, made");
    assert_eq!((tally.count("made"), tally.count("in the cellar")), (2, 0));
    assert_eq!(database.count(IN_THE_CELLAR).await, 2);
    new.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_routed_step_that_is_called_with_other_arguments_or_is_unknown_stops_its_workflow() {
    let database = support::database().await;
    let tally = Tally::default();
    let id = ordered(&database, &tally).await;
    // The cellar answers, so that the shop has something to go on with.
    let routed = Routed(tally.clone(), Gate::closed());
    routed.1.let_pass(2);
    let cellar = database.builder().register(routed.clone()).queue("cellar", 5).start().await.unwrap();

    let shop = database.builder().register(Stubborn(tally.clone())).queue("shop", 5).start().await.unwrap();
    let report = report_in(&database, "shop").await;
    assert!(report.contains("step `child step bake` is called with other arguments than those recorded"), "{report}");
    shop.shutdown().await.unwrap();

    let shop = database.builder().register(Closed).start().await.unwrap();
    shop.resume(id).await.unwrap();
    let unknown = "select count(*) from durable.executions where error ->> 'message' like '%does not know%child step bake%'";
    eventually("it is stopped again", async || database.count(unknown).await == 1).await;
    shop.shutdown().await.unwrap();

    let shop = database.builder().register(routed).queue("shop", 5).start().await.unwrap();
    shop.resume(id).await.unwrap();
    shop.send_event(id, "picked up", &()).await.unwrap();
    assert_eq!(output_of::<Routed>(&shop, id).await, "baked baked scones, from the cellar");
    assert_eq!((tally.count("stubborn"), tally.count("in the cellar")), (0, 2));
    for worker in [cellar, shop] {
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_routed_step_may_get_an_option_while_its_calls_are_under_way() {
    let database = support::database().await;
    let tally = Tally::default();
    let id = ordered(&database, &tally).await;

    let new = database.builder().register(Adjustable(tally.clone())).start().await.unwrap();
    new.send_event(id, "picked up", &()).await.unwrap();
    assert_eq!(output_of::<Adjustable>(&new, id).await, "baked scones at 200");
    assert_eq!(tally.count("adjusted"), 2);
    new.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_call_whose_arguments_do_not_fit_the_step_any_more_waits_for_code_that_they_fit() {
    let database = support::database().await;
    let tally = Tally::default();
    let id = ordered(&database, &tally).await;

    let cellar = database.builder().register(Hot(tally.clone())).queue("cellar", 5).start().await.unwrap();
    let report = report_in(&database, "cellar").await;
    assert!(report.contains("expected: an argument `pastry`"), "{report}");
    cellar.shutdown().await.unwrap();

    let routed = Routed(tally.clone(), Gate::closed());
    routed.1.let_pass(2);
    let durable = database.builder().register(routed).start().await.unwrap();
    let stopped: uuid::Uuid = database.value("select execution_id from durable.executions where queue = 'cellar'").await;
    durable.resume(stopped.into()).await.unwrap();
    durable.send_event(id, "picked up", &()).await.unwrap();
    assert_eq!(output_of::<Routed>(&durable, id).await, "baked baked scones, from the cellar");
    assert_eq!((tally.count("hot"), tally.count("in the cellar")), (0, 2));
    durable.shutdown().await.unwrap();
}
