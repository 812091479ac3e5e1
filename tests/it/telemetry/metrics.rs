//! Metrics are those that the guide lists, and count what is committed, once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use durable::prelude::*;
use durable::sqlx::{PgPool, query};
use durable::{Overlap, QueueLimits};

use super::meter::Meter;
use crate::support::bodies::Gate;
use crate::support::proxy::{Fate, Moment, Proxy, Trap};
use crate::support::{self, clock, eventually, soon};

const GUIDE: &str = include_str!("../../../src/guide/telemetry.md");

/// A row of the guide's table.
#[derive(Debug, PartialEq, Eq)]
struct Listed {
    kind: String,
    labels: BTreeSet<String>,
}

/// The metrics that the guide lists.
fn listed() -> BTreeMap<String, Listed> {
    let rows = GUIDE.lines().filter_map(|line| line.strip_prefix("| `durable.")).filter(|row| {
        let kind = row.split('|').nth(1).unwrap_or_default().trim();
        ["counter", "gauge", "histogram"].contains(&kind)
    });
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let labels = cells[2].split(", ").filter(|label| !label.is_empty()).map(str::to_owned).collect();
        (format!("durable.{}", cells[0].trim_end_matches('`')), Listed { kind: cells[1].to_owned(), labels })
    })
    .collect()
}

/// Fails at its first attempt; then does what it is told.
struct Task {
    gate: Gate,
}

#[workflow(name = "measured_task", queue = "measured")]
impl Task {
    async fn run(&self, cx: &Context, what: String) -> Result<()> {
        match what.as_str() {
            "wait" => cx.wait_for_event("never").await,
            "ask" => cx.wait_for_input("answer").await,
            other => self.work(other).await,
        }
    }

    #[step(retry(max_attempts = 2, base = "1ms"))]
    async fn work(&self, what: &str) -> Result<()> {
        if what == "stand" {
            self.gate.pass().await;
        }
        match durable::step().attempt() {
            1 if what != "stand" => Err(Error::new("not yet")),
            _ if what == "fail" => Err(Error::permanent("never")),
            _ => Ok(()),
        }
    }
}

/// Loses its execution while its step runs.
struct Robbed {
    database: PgPool,
}

#[workflow(name = "measured_robbed")]
impl Robbed {
    async fn run(&self, _cx: &Context, _: ()) -> Result<()> {
        self.be_robbed().await
    }

    #[step]
    async fn be_robbed(&self) -> Result<()> {
        query("update durable.executions set state = 'pending', worker_id = null where epoch = 1")
            .execute(&self.database)
            .await?;
        Ok(())
    }
}

/// Does three things, the second in a transaction.
struct Three;

#[workflow(name = "measured_three")]
impl Three {
    async fn run(&self, _cx: &Context, _: ()) -> Result<()> {
        self.first().await?;
        self.second().await?;
        self.third().await
    }

    #[step]
    async fn first(&self) -> Result<()> {
        Ok(())
    }

    #[step(transaction)]
    async fn second(&self, tx: &mut Transaction) -> Result<()> {
        query("select 1").execute(&mut **tx).await?;
        Ok(())
    }

    #[step]
    async fn third(&self) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_guide_lists_every_metric_with_its_kind_and_labels_and_no_other() {
    let database = support::database().await;
    let meter = Meter::default();
    let _guard = meter.install();
    let gate = Gate::closed();
    let builder = database.builder().lease(seconds(1)).measure_every(Duration::from_millis(20));
    let engine = builder.queue_limits("measured", QueueLimits::default().concurrency(100));
    let engine = engine.register(Task { gate: gate.clone() }).start().await.unwrap();
    let start = |what: &str| engine.start::<Task>(what.to_owned());

    soon("completed", start("complete").await.unwrap().result()).await.unwrap();
    soon("failed", start("fail").await.unwrap().result()).await.unwrap_err();
    let waiting = start("wait").await.unwrap();
    engine.send_event(waiting.id(), "another", &()).await.unwrap();
    start("ask").await.unwrap();
    start("later").delay(days(1)).await.unwrap();
    eventually("asked", async || meter.sum("durable.human_input.pending", &[]) == 1.0).await;
    eventually("unconsumed", async || meter.sum("durable.event.unconsumed", &[]) == 1.0).await;
    let depth = |state| meter.sum("durable.queue.depth", &[("queue", "measured"), ("state", state)]);
    eventually("delayed", async || depth("delayed") == 1.0).await;
    engine.cancel(waiting.id(), "not needed").await.unwrap();

    let first = clock::freeze(&database).await + durable::chrono::TimeDelta::hours(1);
    engine.schedule::<Task>("hourly", "every 1h", "stand".to_owned()).overlap(Overlap::Skip).starts_at(first).await.unwrap();
    clock::turn(&database, hours(1)).await;
    gate.until_inside(1).await;
    eventually("running", async || depth("running") == 1.0).await;
    clock::turn(&database, hours(1)).await;
    eventually("skipped", async || meter.sum("durable.schedule.skipped", &[("schedule", "hourly")]) == 1.0).await;

    engine.queue("measured").pause().await.unwrap();
    start("complete").await.unwrap();
    clock::turn(&database, minutes(1)).await;
    eventually("old", async || meter.sum("durable.queue.oldest_age", &[("queue", "measured")]) == 60.0).await;
    database.run("update durable.workers set lost_at = durable.now(), lease_until = durable.now()").await;
    eventually("lost", async || meter.sum("durable.lease.lost", &[]) == 1.0).await;
    eventually("recovered", async || meter.sum("durable.recovery.count", &[("queue", "measured")]) == 1.0).await;
    gate.let_pass(10);
    engine.shutdown().await.unwrap();

    let emitted: BTreeMap<String, Listed> = (meter.all().into_iter())
        .map(|(name, metric)| (name, Listed { kind: metric.kind.to_owned(), labels: metric.labels }))
        .collect();
    assert_eq!(emitted, listed());
    let described: BTreeSet<String> = meter.units().into_keys().collect();
    assert_eq!(described, listed().into_keys().collect());
    let of_task = |metric: &str, more: &[(&str, &str)]| meter.sum(metric, &[&[("workflow", "measured_task")], more].concat());
    assert_eq!(of_task("durable.workflow.completed", &[("queue", "measured")]), 1.0);
    assert_eq!(of_task("durable.workflow.failed", &[("outcome", "failed"), ("error.type", "failed")]), 1.0);
    assert_eq!(meter.sum("durable.workflow.cancelled", &[("queue", "measured")]), 1.0);
    assert_eq!(of_task("durable.step.attempts", &[("outcome", "retried")]), 2.0);
    assert_eq!(of_task("durable.step.attempts", &[("outcome", "completed")]), 1.0);
    assert_eq!(of_task("durable.step.duration", &[("outcome", "failed")]), 1.0);
    assert_eq!(meter.sum("durable.schedule.lag", &[("schedule", "hourly")]), 1.0);
}

#[tokio::test]
async fn what_a_worker_writes_after_it_has_lost_an_execution_is_not_counted() {
    let database = support::database().await;
    let meter = Meter::default();
    let _guard = meter.install();
    let engine = database.builder().register(Robbed { database: database.pool().clone() }).start().await.unwrap();
    let handle = engine.start::<Robbed>(()).await.unwrap();
    // It is claimed anew, and runs again.
    soon("its end", handle.result()).await.unwrap();
    engine.shutdown().await.unwrap();
    for metric in ["durable.workflow.started", "durable.workflow.completed", "durable.workflow.duration", "durable.step.attempts"]
    {
        assert_eq!(meter.sum(metric, &[("workflow", "measured_robbed")]), 1.0, "{metric}");
    }
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_counted_once_and_one_that_did_not_arrive_as_well() {
    for statement in ["executions/save", "executions/finish", "commit", "executions/start"] {
        for moment in [Moment::Before, Moment::After] {
            let database = support::database().await;
            let meter = Meter::default();
            let _guard = meter.install();
            let proxy = Proxy::before(&database).await;
            let engine = durable::Durable::builder().database_url(proxy.url()).max_connections(6).register(Three).start().await;
            let engine = engine.unwrap();
            proxy.set(Trap { statements: vec![statement.to_owned()], nth: 1, moment, fate: Fate::Cut });
            let handle = engine.start::<Three>(()).await.unwrap();
            let ended = soon("its end", handle.result()).await;
            assert_eq!(proxy.caught().await, statement);
            assert!(ended.is_ok(), "{statement} {moment:?}: {ended:?}");
            engine.shutdown().await.unwrap();
            let count =
                |metric: &str, more: &[(&str, &str)]| meter.sum(metric, &[&[("workflow", "measured_three")], more].concat());
            let ends = ["durable.workflow.completed", "durable.workflow.failed"].map(|metric| count(metric, &[]));
            assert_eq!(ends, [1.0, 0.0], "{statement} {moment:?}");
            assert_eq!(count("durable.workflow.started", &[]), 1.0);
            let steps = ["first", "second", "third"].map(|step| count("durable.step.attempts", &[("step", step)]));
            assert_eq!(steps, [1.0, 1.0, 1.0], "{statement} {moment:?}");
        }
    }
}

#[tokio::test]
async fn a_retry_begins_and_ends_like_any_execution() {
    let database = support::database().await;
    let meter = Meter::default();
    let _guard = meter.install();
    let engine = database.builder().register(Task { gate: Gate::closed() }).start().await.unwrap();
    let failed = engine.start::<Task>("fail".to_owned()).await.unwrap();
    soon("its end", failed.result()).await.unwrap_err();
    let again = engine.retry(failed.id()).await.unwrap();
    soon("its end", engine.handle::<Task>(again).result()).await.unwrap_err();
    engine.shutdown().await.unwrap();
    let counts =
        ["durable.workflow.started", "durable.workflow.failed"].map(|metric| meter.sum(metric, &[("queue", "measured")]));
    assert_eq!(counts, [2.0, 2.0]);
}
