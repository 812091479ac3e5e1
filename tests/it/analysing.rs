//! Analytics: figures about steps, waits and ends, equal to those that were computed by hand.

use std::time::Duration;

use durable::chrono::{DateTime, Utc};
use durable::prelude::*;
use durable::{Analytics, ExecutionState, NodeAnalytics, Times};

use crate::support::{self, Database};

/// Noon of the day of the fixture.
const NOON: &str = "2026-03-02T12:00:00Z";

/// Four orders that began at noon, and one of another workflow an hour later. All other times are seconds after noon.
const FIXTURE: &str = "
    insert into durable.executions
        (execution_id, created_at, version, priority, workflow, queue, input, worker_id, epoch, started_at, state, claims, finished_at, output, error)
    select
        id::uuid, noon + at * interval '1 s', 1, 0, workflow, 'default', '1', gen_random_uuid(), 1, noon + at * interval '1 s', state, 1,
        noon + ended * interval '1 s',
        case when state = 'completed' then '1'::json end,
        case when state = 'failed' then '{\"kind\": \"failed\", \"message\": \"no\"}'::json end
    from (values
        ('00000000-0000-7000-8000-00000000000a', 'order', 'completed', 0, 20),
        ('00000000-0000-7000-8000-00000000000b', 'order', 'completed', 0, 12),
        ('00000000-0000-7000-8000-00000000000c', 'order', 'failed', 0, 10),
        ('00000000-0000-7000-8000-00000000000d', 'order', 'running', 0, null),
        ('00000000-0000-7000-8000-00000000000e', 'other', 'completed', 3600, 3601)
    ) as executions (id, workflow, state, at, ended), (values ('2026-03-02T12:00:00Z'::timestamptz)) as noon (noon);

    insert into durable.checkpoints (execution_id, started_at, finished_at, attempt, key, output, error)
    select
        ('00000000-0000-7000-8000-00000000000' || id)::uuid, noon + at * interval '1 s', noon + (at + took) * interval '1 s', attempt, key,
        case when not fails then '1'::json end, case when fails then '{\"kind\": \"failed\", \"message\": \"no\"}'::json end
    from (values
        ('a', 'step charge', 1, 2, 1, false),
        ('a', 'set progress', 13, 0, 1, false),
        ('a', 'step ship', 14, 4, 1, false),
        ('b', 'step charge', 5, 1, 2, false),
        ('b', 'step ship', 8, 1, 1, false),
        ('b', 'step ship#2', 9, 3, 1, false),
        ('c', 'step charge', 9, 1, 3, true),
        ('e', 'step charge', 3600, 1, 1, false)
    ) as steps (id, key, at, took, attempt, fails), (values ('2026-03-02T12:00:00Z'::timestamptz)) as noon (noon);

    insert into durable.attempts (execution_id, started_at, finished_at, attempt, key, error)
    select
        ('00000000-0000-7000-8000-00000000000' || id)::uuid, noon + at * interval '1 s',
        case when ended then noon + (at + 1) * interval '1 s' end, attempt, 'step charge',
        case when ended then '{\"kind\": \"failed\", \"message\": \"no\"}'::json end
    from (values ('b', 2, 1, true), ('c', 3, 1, true), ('c', 6, 2, true), ('d', 4, 1, false)) as attempts (id, at, attempt, ended),
        (values ('2026-03-02T12:00:00Z'::timestamptz)) as noon (noon);

    insert into durable.waits (execution_id, started_at, key, kind, name, outcome, resolved_at, resolved_ordinal)
    select
        ('00000000-0000-7000-8000-00000000000' || id)::uuid, noon + at * interval '1 s', 'event paid', 'event', 'paid', 'received',
        noon + (at + took) * interval '1 s', nextval('durable.journal_ordinals')
    from (values ('a', 3, 10), ('b', 6, 1)) as waits (id, at, took), (values ('2026-03-02T12:00:00Z'::timestamptz)) as noon (noon);

    update durable.checkpoints set ordinal = nextval('durable.journal_ordinals') where key like 'step ship%';
    update durable.checkpoints set ordinal = nextval('durable.journal_ordinals') where key = 'step ship#2';";

async fn fixture() -> (Database, Durable) {
    let database = support::database().await;
    database.run(FIXTURE).await;
    let client = database.client().await;
    (database, client)
}

/// Mean and median, in seconds.
fn seconds(times: Times) -> (f64, f64) {
    let rounded = |time: Option<Duration>| (time.unwrap().as_secs_f64() * 1000.0).round() / 1000.0;
    (rounded(times.average), rounded(times.median))
}

/// Reached, calls, retries, failures, ends.
fn counts(node: &NodeAnalytics) -> [u64; 5] {
    [node.reached, node.calls, node.retries, node.failures, node.ended]
}

fn node<'figures>(figures: &'figures Analytics, name: &str) -> &'figures NodeAnalytics {
    figures.node(name).unwrap_or_else(|| panic!("no `{name}` in {figures:?}"))
}

#[tokio::test]
async fn figures_are_those_computed_by_hand() {
    let (_database, client) = fixture().await;
    let all = client.list_executions().analytics().await.unwrap();
    let [order, other] = &all[..] else { panic!("{all:?}") };
    assert_eq!((order.workflow.as_str(), order.executions), ("order", 4));
    let states = [ExecutionState::Completed, ExecutionState::Failed, ExecutionState::Running, ExecutionState::Pending];
    assert_eq!(states.map(|state| order.in_state(state)), [2, 1, 1, 0]);
    assert_eq!(seconds(order.duration), (14.0, 12.0));

    let nodes: Vec<&str> = order.nodes.iter().map(|node| node.node.as_str()).collect();
    assert_eq!(nodes, ["step charge", "event paid", "step ship"]);
    let charge = node(order, "step charge");
    assert_eq!(counts(charge), [4, 4, 3, 1, 1]);
    assert_eq!((charge.share, charge.retry_rate, charge.failure_rate), (1.0, 0.75, 0.25));
    assert_eq!(seconds(charge.time_to_reach), (2.5, 2.5));
    assert_eq!(seconds(charge.time_to_run), (1.333, 1.0));

    let paid = node(order, "event paid");
    assert_eq!((counts(paid), paid.share), ([2, 2, 0, 0, 0], 0.5));
    assert_eq!((seconds(paid.time_to_reach), seconds(paid.time_to_run)), ((4.5, 4.5), (5.5, 5.5)));

    let ship = node(order, "step ship");
    assert_eq!((counts(ship), ship.share), ([2, 3, 0, 0, 2], 0.5));
    assert_eq!((seconds(ship.time_to_reach), seconds(ship.time_to_run)), ((11.0, 11.0), (2.667, 3.0)));

    assert_eq!((other.workflow.as_str(), other.executions, counts(node(other, "step charge"))), ("other", 1, [1, 1, 0, 0, 1]));
}

#[tokio::test]
async fn figures_are_about_the_executions_that_pass_the_filters() {
    let (_database, client) = fixture().await;
    let noon: DateTime<Utc> = NOON.parse().unwrap();
    let later = client.list_executions().created_from(noon + minutes(1)).analytics().await.unwrap();
    assert_eq!(later.iter().map(|figures| figures.workflow.as_str()).collect::<Vec<_>>(), ["other"]);
    let failed = client.list_executions().workflow("order").state(ExecutionState::Failed).analytics().await.unwrap();
    assert_eq!((failed.len(), failed[0].executions), (1, 1));
    assert_eq!(counts(node(&failed[0], "step charge")), [1, 1, 2, 1, 1]);
    assert!(client.list_executions().workflow("nothing").analytics().await.unwrap().is_empty());
}

/// Three loans that began at noon: one is completed, one has failed, and one computes. Times are seconds after noon.
const GRAPHS: &str = "
    insert into durable.executions
        (execution_id, created_at, version, priority, workflow, queue, input, worker_id, epoch, started_at, state, claims, finished_at, output, error)
    select
        id::uuid, noon, 1, 0, 'loan', 'default', '{}', gen_random_uuid(), 1, noon, state, 1, noon + ended * interval '1 s',
        case when state = 'completed' then '1'::json end,
        case when state = 'failed' then '{\"kind\": \"failed\", \"message\": \"no\"}'::json end
    from (values
        ('00000000-0000-7000-8000-00000000000a', 'completed', 20),
        ('00000000-0000-7000-8000-00000000000b', 'failed', 10),
        ('00000000-0000-7000-8000-00000000000c', 'running', null)
    ) as executions (id, state, ended), (values ('2026-03-02T12:00:00Z'::timestamptz)) as noon (noon);

    insert into durable.checkpoints (execution_id, started_at, finished_at, attempt, key, output, error)
    select
        ('00000000-0000-7000-8000-00000000000' || id)::uuid, noon + at * interval '1 s', noon + (at + took) * interval '1 s', attempt, key,
        case when not fails then '1'::json end, case when fails then '{\"kind\": \"failed\", \"message\": \"no\"}'::json end
    from (values
        ('a', 'set graph inputs', 0, 0, 1, false),
        ('a', 'step score', 1, 2, 1, false),
        ('a', 'set graph inputs#2', 5, 0, 1, false),
        ('a', 'step score#4', 6, 1, 2, false),
        ('a', 'step offer#5', 8, 4, 1, false),
        ('b', 'set graph inputs', 0, 0, 1, false),
        ('b', 'step score', 4, 1, 3, true),
        ('c', 'set graph inputs', 0, 0, 1, false),
        ('c', 'step score', 2, 2, 1, false)
    ) as steps (id, key, at, took, attempt, fails), (values ('2026-03-02T12:00:00Z'::timestamptz)) as noon (noon)
    order by id, at;

    insert into durable.attempts (execution_id, started_at, attempt, key)
    select '00000000-0000-7000-8000-00000000000c'::uuid, noon + interval '6 s', 1, 'step offer#3'
    from (values ('2026-03-02T12:00:00Z'::timestamptz)) as noon (noon);

    insert into durable.waits (execution_id, started_at, key, kind, name, outcome, resolved_at, resolved_ordinal)
    select
        ('00000000-0000-7000-8000-00000000000' || id)::uuid, noon + at * interval '1 s', key, 'event', 'set_inputs', outcome,
        noon + at * interval '1 s', nextval('durable.journal_ordinals')
    from (values
        ('a', 5, 'event set_inputs', 'received'), ('a', 20, 'event set_inputs#2', 'timed_out'), ('b', 10, 'event set_inputs', 'cancelled')
    ) as waits (id, at, key, outcome), (values ('2026-03-02T12:00:00Z'::timestamptz)) as noon (noon);";

#[tokio::test]
async fn the_runs_of_a_node_are_calls_and_its_execution_counts_once() {
    let database = support::database().await;
    database.run(GRAPHS).await;
    let all = database.client().await.list_executions().analytics().await.unwrap();
    let [loans] = &all[..] else { panic!("{all:?}") };
    assert_eq!(loans.nodes.iter().map(|node| node.node.as_str()).collect::<Vec<_>>(), ["step score", "step offer"]);

    // It is computed twice in the first execution, and fails in the second.
    let score = node(loans, "step score");
    assert_eq!((counts(score), score.share), ([3, 4, 3, 1, 1], 1.0));
    assert_eq!((seconds(score.time_to_reach), seconds(score.time_to_run)), ((2.333, 2.0), (1.5, 1.5)));

    // It has run in the first execution, which ends after it, and runs in the third.
    let offer = node(loans, "step offer");
    assert_eq!((counts(offer), (offer.share * 3.0).round()), ([2, 2, 0, 0, 1], 2.0));
    assert_eq!((seconds(offer.time_to_reach), seconds(offer.time_to_run)), ((7.0, 7.0), (4.0, 4.0)));
}

/// Has a branch, a step in another queue that can be undone, and one here.
struct Voyage;

#[workflow]
impl Voyage {
    async fn run(&self, _cx: &Context, _: u32) -> Result<()> {
        durable::try_join!(self.pack(), self.fuel()).await?;
        Err(Error::permanent("storm"))
    }

    #[step(compensate = unpack)]
    async fn pack(&self) -> Result<()> {
        Ok(())
    }

    #[compensation]
    async fn unpack(&self) -> Result<()> {
        Ok(())
    }

    #[step(queue = "docks", compensate = drain)]
    async fn fuel(&self) -> Result<()> {
        Ok(())
    }

    #[compensation]
    async fn drain(&self) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn steps_in_branches_and_compensations_are_told_by_their_names() {
    let database = support::database().await;
    let durable = database.builder().register(Voyage).start().await.unwrap();
    for voyage in durable.start_many::<Voyage>(0..3).await.unwrap() {
        support::soon("the end", voyage.result()).await.unwrap_err();
    }
    let all = durable.list_executions().analytics().await.unwrap();
    let figures = all.iter().find(|figures| figures.workflow == "voyage").unwrap();
    assert_eq!(figures.in_state(ExecutionState::Compensated), 3);
    for name in ["step pack", "step fuel", "undo step pack"] {
        let [reached, calls, retries, failures, _] = counts(node(figures, name));
        assert_eq!([reached, calls, retries, failures], [3, 3, 0, 0], "{name}");
    }
    let shown = serde_json::to_value(figures).unwrap();
    assert_eq!((&shown["states"]["compensated"], shown["nodes"][0]["share"].as_f64()), (&serde_json::json!(3), Some(1.0)));
}
