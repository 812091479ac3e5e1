//! Deployments: a step gets a queue, loses it, or is renamed, while executions are under way.

use durable::prelude::*;

use super::output_of;
use crate::support::bodies::{Gate, Tally};
use crate::support::{self, eventually};

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
    assert_eq!(output_of(&new, handle.id()).await, "baked baked scones, from the cellar");
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
    assert_eq!(output_of(&new, handle.id()).await, "baked baked scones, from the shop");
    assert_eq!((tally.count("in place"), tally.count("in the cellar")), (1, 1));
    for worker in [cellar, new] {
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_routed_step_that_was_renamed_goes_on_under_its_new_name() {
    let database = support::database().await;
    let tally = Tally::default();
    let routed = Routed(tally.clone(), Gate::closed());
    let old = database.builder().register(routed).queue("shop", 5).start().await.unwrap();
    let handle = old.start::<Routed>("scones".to_owned()).await.unwrap();
    eventually("it is sent to the cellar", async || database.count(IN_THE_CELLAR).await == 1).await;
    old.shutdown().await.unwrap();

    // What the old release sent, the new one runs, and takes for its own.
    let new = database.builder().register(Renamed(tally.clone())).start().await.unwrap();
    new.send_event(handle.id(), "picked up", &()).await.unwrap();
    assert_eq!(output_of(&new, handle.id()).await, "baked baked scones, made");
    assert_eq!((tally.count("made"), tally.count("in the cellar")), (2, 0));
    assert_eq!(database.count(IN_THE_CELLAR).await, 2);
    new.shutdown().await.unwrap();
}
