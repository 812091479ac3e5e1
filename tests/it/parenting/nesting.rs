//! Children of children, in branches and maps, in this process and in others.

use durable::join;
use durable::prelude::*;

use crate::support::bodies::Gate;
use crate::support::{self, PATIENCE, clock, eventually};

/// The grandparent: waits for two others at once.
struct Outer;

#[workflow]
impl Outer {
    async fn run(&self, cx: &Context, name: String) -> Result<String> {
        let (left, right) = join!(cx.child::<Middle>(format!("{name} left")), async {
            cx.sleep(hours(2)).await?;
            cx.child::<Middle>(format!("{name} right")).await
        },)
        .await?;
        Ok(format!("{left}, {right}"))
    }
}

/// The parent: waits for three others, each with a wait of its own before.
struct Middle;

#[workflow]
impl Middle {
    async fn run(&self, cx: &Context, name: String) -> Result<String> {
        let parts = cx
            .map(1..=3_u32)
            .concurrency(2)
            .each(|part| {
                let name = name.clone();
                async move {
                    cx.sleep(minutes(1)).await?;
                    cx.child::<Inner>(format!("{name} {part}")).await
                }
            })
            .await?;
        Ok(parts.join(" + "))
    }
}

/// The child: waits for time and for an event.
struct Inner;

#[workflow]
impl Inner {
    async fn run(&self, cx: &Context, name: String) -> Result<String> {
        cx.sleep(hours(1)).await?;
        let by: String = cx.wait_for_event("go").await?;
        Ok(format!("{name} by {by}"))
    }
}

async fn three_generations(cached: usize) {
    let database = support::database().await;
    clock::freeze(&database).await;
    let builder = database.builder().register(Outer).register(Middle).register(Inner);
    let durable = builder.cached_executions(cached).start().await.unwrap();
    let handle = durable.start::<Outer>("a".to_owned()).await.unwrap();
    let asked = "select execution_id from durable.waits where kind = 'event' and outcome is null";
    for _ in 0..8 {
        clock::advance(&database, minutes(65)).await;
        for id in database.values::<uuid::Uuid>(asked).await {
            durable.send_event(id.into(), "go", "me").await.unwrap();
        }
    }
    let side = |side| (1..=3).map(|part| format!("a {side} {part} by me")).collect::<Vec<_>>().join(" + ");
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), format!("{}, {}", side("left"), side("right")));
    assert_eq!(database.count("select count(*) from durable.executions where state = 'completed'").await, 1 + 2 + 6);
    assert_eq!(database.count("select count(*) from durable.executions where parent_notified_at is not null").await, 2 + 6);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn three_generations_wait_in_branches_and_maps_and_all_complete() {
    three_generations(1_000).await;
}

#[tokio::test]
async fn three_generations_complete_from_their_journals_alone() {
    three_generations(0).await;
}

/// A child on the queue of another process; stands at a gate.
#[derive(Clone)]
struct Stand {
    gate: Gate,
}

#[workflow(queue = "elsewhere")]
impl Stand {
    async fn run(&self, _cx: &Context, number: u32) -> Result<u32> {
        self.stand(number).await
    }

    #[step]
    async fn stand(&self, number: u32) -> Result<u32> {
        self.gate.pass().await;
        Ok(number * 2)
    }
}

/// Maps over children, three at a time.
struct Fan;

#[workflow]
impl Fan {
    async fn run(&self, cx: &Context, children: u32) -> Result<Vec<u32>> {
        cx.map(0..children).concurrency(3).each(|number| cx.child::<Stand>(number)).await
    }
}

#[tokio::test]
async fn a_map_over_children_that_run_in_two_other_processes_never_has_more_under_way_than_it_says() {
    const CHILDREN: u32 = 14;
    let database = support::database().await;
    let stand = Stand { gate: Gate::closed() };
    let mut parents = database.builder().register(Fan).start().await.unwrap();
    let children = [
        database.builder().register(stand.clone()).queue("elsewhere", 2).start().await.unwrap(),
        database.builder().register(stand.clone()).queue("elsewhere", 2).start().await.unwrap(),
    ];
    let id = parents.start::<Fan>(CHILDREN).await.unwrap().id();
    let unfinished = "select count(*) from durable.executions where workflow = 'stand' and finished_at is null";
    for done in 0..CHILDREN {
        let under_way = 3.min(CHILDREN - done);
        stand.gate.until_inside(under_way as usize).await;
        assert_eq!(database.count(unfinished).await, i64::from(under_way));
        if done == CHILDREN / 2 {
            // The parent's process goes, and another takes it over.
            parents.shutdown().await.unwrap();
            parents = database.builder().register(Fan).start().await.unwrap();
        }
        stand.gate.let_pass(1);
        let ended = "select count(*) from durable.executions where workflow = 'stand' and state = 'completed'";
        eventually("one more is done", async || database.count(ended).await == i64::from(done) + 1).await;
    }
    let doubled: Vec<u32> = (0..CHILDREN).map(|number| number * 2).collect();
    assert_eq!(parents.handle::<Fan>(id).result_within(PATIENCE).await.unwrap(), doubled);
    assert_eq!(stand.gate.most_inside(), 3);
    let workers = "select count(distinct worker_id) from durable.executions where workflow = 'stand'";
    assert_eq!(database.count(workers).await, 2);
    for engine in children.iter().chain([&parents]) {
        engine.shutdown().await.unwrap();
    }
}
