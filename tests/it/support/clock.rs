//! The hand-turned clock: stopped, then moved on from one due time to the next.
//!
//! Leases read the same clock, so whoever turns it carries the leases of live workers along, unless they are to run out.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Database, eventually};

/// What is due next: a timer, or an attempt that waits in memory for its turn.
const NEXT_DUE: &str = "\
    select min(due) from (
        select min(wake_at) as due from durable.executions where wake_at < 'infinity'
        union all
        select min(retry_at) from durable.attempts join durable.executions using (execution_id)
        where state = 'running' and retry_at > durable.now()
    ) as timers";

/// Whether everything that is due has been taken up and has come to rest again. An execution that runs is at rest while its
/// last attempt waits for its turn; one whose parent has still to hear of its end is not.
const QUIET: &str = "\
    select not exists (
        select from durable.executions
        where wake_at <= durable.now()
           or (state = 'pending' and wake_at is null)
           or (parent_policy = 'await' and finished_at is not null and parent_notified_at is null)
           or (state = 'running' and not exists (
                select from durable.attempts
                where attempts.execution_id = executions.execution_id and retry_at > durable.now()
              ))
    )";

/// Stops the clock where it is, and returns that time.
pub(crate) async fn freeze(database: &Database) -> DateTime<Utc> {
    turn_to(database, "clock_timestamp()").await
}

/// The database's time.
pub(crate) async fn now(database: &Database) -> DateTime<Utc> {
    database.value("select durable.now()").await
}

/// Moves a stopped clock in one go, and waits for nothing: for steps that are to time out, and for queues without a worker.
pub(crate) async fn turn(database: &Database, by: Duration) -> DateTime<Utc> {
    turn_to(database, &format!("durable.now() + {}", interval(by))).await
}

/// As [`turn`], but leaves leases behind, so that they run out.
pub(crate) async fn turn_past_leases(database: &Database, by: Duration) {
    database
        .run(&format!(
            "update durable.clock set frozen_at = durable.now() + {};
             select pg_notify('durable', 'clock')",
            interval(by)
        ))
        .await;
}

/// In hours and seconds: PostgreSQL 14 reads no more than 2^31 of anything in an interval, and microseconds come to that within the hour.
fn interval(time: Duration) -> String {
    let (hours, seconds) = (time.as_secs() / 3600, time.as_secs() % 3600);
    format!("interval '{hours} hours {seconds}.{:06} seconds'", time.subsec_micros())
}

/// Moves a stopped clock on, stopping at each due time in order until everything due then has come to rest.
/// What is queued must have a worker, or rest never comes.
pub(crate) async fn advance(database: &Database, by: Duration) {
    let target = now(database).await + TimeDelta::from_std(by).unwrap();
    loop {
        quiet(database).await;
        let next: Option<DateTime<Utc>> = database.value(NEXT_DUE).await;
        match next.filter(|next| *next <= target) {
            Some(next) => drop(turn_to(database, &format!("'{}'::timestamptz", next.to_rfc3339())).await),
            None => break,
        }
    }
    turn_to(database, &format!("'{}'::timestamptz", target.to_rfc3339())).await;
    quiet(database).await;
}

/// Waits until everything that is due has come to rest: parked, finished, or waiting for a later attempt.
pub(crate) async fn quiet(database: &Database) {
    eventually("everything at rest", async || database.value(QUIET).await).await;
}

/// Turns the clock to an expression of SQL, takes live workers' leases along, and tells the workers. No heartbeat is under way
/// meanwhile: one that has read the time before would leave its worker a lease by that time.
async fn turn_to(database: &Database, time: &str) -> DateTime<Utc> {
    database
        .run(&format!(
            "do $$
             declare
                 before timestamptz;
                 after timestamptz;
             begin
                 lock table durable.workers in share row exclusive mode;
                 before := durable.now();
                 after := {time};
                 update durable.clock set frozen_at = after;
                 update durable.workers set lease_until = lease_until + (after - before) where lost_at is null;
                 perform pg_notify('durable', 'clock');
             end
             $$"
        ))
        .await;
    now(database).await
}

/// Sets the running clock forward, or back, by so many seconds, as an administrator or a time server does: nothing is notified.
pub(crate) async fn step(database: &Database, seconds: i64) {
    database.run(&format!("update durable.clock set ahead_by = ahead_by + interval '{seconds} seconds'")).await;
}
