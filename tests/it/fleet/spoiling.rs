//! Whether the fleet's checks would notice: one broken statement each, and the trial fails as it must.

use std::time::Duration;

use super::Trial;
use super::chaos::Blow;
use crate::support::Database;
use crate::support::proxy::Proxy;

/// Long enough for what gets on at all.
const PATIENCE: Duration = Duration::from_secs(8);

/// Trials before a broken statement counts as not found out: what it does wrong takes two at the same moment.
const TRIES: usize = 8;

/// Replaces part of a function's text in the database.
async fn spoil(database: &Database, function: &str, from: &str, to: &str) {
    let text: String = database.value(&format!("select pg_get_functiondef('durable.{function}'::regproc)")).await;
    assert!(text.contains(from), "{function} does not say `{from}`");
    database.run(&text.replace(from, to)).await;
}

/// What goes wrong in a fleet of few parcels, where something was broken.
async fn violations(parcels: u32, blows: usize, kinds: &'static [Blow], spoil: impl AsyncFn(&Database, &Proxy)) -> Vec<String> {
    for _ in 0..TRIES {
        let trial = Trial { kinds, patience: PATIENCE, ..Trial::of(parcels, blows) };
        let violations = trial.run(&spoil).await;
        if !violations.is_empty() {
            return violations;
        }
    }
    panic!("not found out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_takes_what_another_claims_is_found_out() {
    let spoil = async |database: &Database, _: &Proxy| spoil(database, "claim", "for no key update skip locked", "").await;
    violations(300, 0, &[], spoil).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_that_are_counted_under_no_lock_are_found_out() {
    let spoil = async |database: &Database, _: &Proxy| {
        spoil(database, "choose", "for no key update;", ";").await;
        spoil(database, "choose", "perform pg_advisory_xact_lock(", "perform (").await;
    };
    let violations = violations(300, 0, &[], spoil).await;
    assert!(violations.iter().all(|violation| violation.contains("stamps")), "{violations:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fence_that_lets_the_lost_write_is_found_out() {
    let spoil = async |database: &Database, proxy: &Proxy| {
        proxy.forge("executions/save", "and lost_at is null", "");
        proxy.forge("executions/save", "and executions.epoch = item.epoch", "");
        proxy.forge("executions/save", "and executions.worker_id = fence.worker_id", "");
        proxy.forge("executions/save", "and executions.state = 'running'", "");
        proxy.forge("executions/save", "and executions.state = coalesce(item.next_state, 'running')", "");
        // A save that meets the checkpoint of another worker is refused, and its execution's end is written alone.
        proxy.forge("executions/finish", "and lost_at is null", "");
        proxy.forge("executions/finish", "and executions.epoch = $3", "");
        proxy.forge("executions/finish", "and executions.worker_id = fence.worker_id", "");
        proxy.forge("executions/finish", "and executions.state = 'running'", "");
        // Nor does it hear that it was lost, or is it forgotten.
        proxy.forge("workers/beat", "and lost_at is null", "");
        spoil(database, "forget_workers", "worker.lost_at is not null", "false").await;
        proxy.forge("executions/stray", "where mine.execution_id is null or mine.paused_at is not null", "where false");
    };
    violations(300, 1, &[Blow::Freeze], spoil).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timer_that_wakes_nobody_is_found_out() {
    let spoil = async |_: &Database, proxy: &Proxy| {
        proxy.forge("executions/wake", "where wake_at <=", "where false and wake_at <=");
    };
    assert_eq!(violations(60, 0, &[], spoil).await, ["nothing gets on"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_that_whoever_finds_it_fires_is_found_out() {
    let spoil = async |database: &Database, _: &Proxy| {
        database.run("alter table durable.schedule_firings drop constraint schedule_firings_pkey cascade").await;
        spoil(database, "start_firings", "and fired.schedule is null", "").await;
        spoil(database, "fire_schedules", "for no key update skip locked", "").await;
        spoil(database, "fire_schedules", "where locked.next_due_at is not distinct from found.was_due_at", "").await;
    };
    violations(300, 6, &[Blow::Kill, Blow::Freeze], spoil).await;
}
