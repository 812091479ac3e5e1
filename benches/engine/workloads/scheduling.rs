//! Many schedules that are due in one second: how late each fires, and how late its execution starts, by the database's clock.

use std::time::Duration;

use durable::chrono::TimeDelta;
use durable::sqlx::{AssertSqlSafe, Connection, PgConnection, query_scalar};
use durable::{Durable, Result};
use serde::Serialize;

use super::announce;
use crate::Bench;
use crate::latencies::Latencies;
use crate::report::Table;
use crate::workflows::OneStep;

/// From the making of the first schedule to the due time of all; each takes a few milliseconds to make.
const LEAD_PER_SCHEDULE: TimeDelta = TimeDelta::milliseconds(20);

/// How often to look whether all have started.
const LOOK: Duration = Duration::from_millis(50);

/// How late each was, in milliseconds.
const FIRED: &str = "select (extract(epoch from fired_at - due_at) * 1000)::float8 from durable.schedule_firings";
const STARTED: &str = "select (extract(epoch from started_at - scheduled_for) * 1000)::float8
                       from durable.executions where started_at is not null";

/// The entry of the report.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    schedules: usize,
    fired_late_p50_ms: f64,
    fired_late_p99_ms: f64,
    started_late_p50_ms: f64,
    started_late_p99_ms: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    let schedules = bench.scale.schedules;
    announce(&format!("{schedules} schedules due in one second"));
    let url = bench.server.database().await?;
    let durable = Durable::builder().database_url(&url).register(OneStep::default()).start().await?;
    let first = durable.schedule::<OneStep>("schedule 0", "every 1d", 0).await?;
    let due = first.created_at + LEAD_PER_SCHEDULE * i32::try_from(schedules).unwrap_or(i32::MAX);
    for number in 0..schedules {
        durable.schedule::<OneStep>(format!("schedule {number}"), "every 1d", number as u64).starts_at(due).await?;
    }

    let mut connection = PgConnection::connect(&url).await?;
    let started = loop {
        let started = late(&mut connection, STARTED).await?;
        if started.len() == schedules {
            break started;
        }
        tokio::time::sleep(LOOK).await;
    };
    let (started, fired) = (latencies(started), latencies(late(&mut connection, FIRED).await?));
    durable.shutdown().await?;
    table.latency(&format!("{schedules} schedules, firing late"), &fired, None);
    table.latency(&format!("{schedules} schedules, starting late"), &started, None);
    Ok(Figures {
        schedules,
        fired_late_p50_ms: fired.p50(),
        fired_late_p99_ms: fired.p99(),
        started_late_p50_ms: started.p50(),
        started_late_p99_ms: started.p99(),
    })
}

async fn late(connection: &mut PgConnection, sql: &'static str) -> Result<Vec<f64>> {
    Ok(query_scalar(AssertSqlSafe(sql)).fetch_all(connection).await?)
}

fn latencies(milliseconds: Vec<f64>) -> Latencies {
    let mut latencies = Latencies::default();
    milliseconds.into_iter().for_each(|late| latencies.push(late));
    latencies
}
