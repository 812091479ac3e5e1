//! Skewing: machines whose clocks are an hour off keep the same time as everyone, which is the database's.

use std::time::Duration;

use durable::prelude::*;

use crate::support::process::{Folder, Process};
use crate::support::programs::{libfaketime, skipped};
use crate::support::{self, eventually, soon};

/// How far the clocks of the machines are ahead, in seconds; each works on a queue of its own, and does its share of the duties.
const MACHINES: [(&str, i64); 3] = [("ahead", 3600), ("behind", -3600), ("right", 0)];

/// The queue of a machine.
const QUEUE: &str = "DURABLE_TEST_QUEUE";

/// Longer than this machine stands still, and far shorter than the clocks are apart: others look for lost workers every third of it.
const LEASE: Duration = Duration::from_secs(15);

/// Sleeps, and needs a second attempt.
struct Nap;

#[workflow]
impl Nap {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        cx.sleep(seconds(1)).await?;
        self.blink().await
    }

    #[step(retry(max_attempts = 2, backoff = constant, base = "3s", jitter = 0.0))]
    async fn blink(&self) -> Result<()> {
        match durable::step().attempt() {
            1 => Err(durable::Error::new("too tired")),
            _ => Ok(()),
        }
    }
}

/// Is started by a schedule.
struct Stroke;

#[workflow]
impl Stroke {
    async fn run(&self, _: &Context, _: ()) -> Result<()> {
        Ok(())
    }
}

/// One machine.
pub(crate) async fn work(url: &str) {
    let queue = std::env::var(QUEUE).unwrap();
    let builder = Durable::builder().database_url(url).max_connections(4).lease(LEASE).queue(queue, 10);
    let durable = builder.register(Nap).register(Stroke).start().await.unwrap();
    std::future::pending::<()>().await;
    drop(durable);
}

#[tokio::test]
async fn timers_leases_and_schedules_are_the_same_on_machines_whose_clocks_are_an_hour_off() {
    let Some(library) = libfaketime() else { return skipped("libfaketime", "apt-get install faketime") };
    let database = support::database().await;
    let folder = Folder::new();
    let library = library.to_str().unwrap();
    let machines = MACHINES.map(|(queue, ahead)| {
        let ahead = format!("{ahead:+}");
        let faked = [("LD_PRELOAD", library), ("FAKETIME", &ahead), ("FAKETIME_DONT_FAKE_MONOTONIC", "1"), (QUEUE, queue)];
        Process::start_in(&faked, "skewed", &database.url, &folder)
    });
    // The id of a worker begins with the time on its machine.
    let ahead = "
        select queues[1] || ' ' || round(extract(epoch from
            to_timestamp(('x' || left(translate(worker_id::text, '-', ''), 12))::bit(48)::int8 / 1000.0) - started_at) / 60)
        from durable.workers order by 1";
    eventually("three machines", async || database.values::<String>(ahead).await.len() == 3).await;
    assert_eq!(database.values::<String>(ahead).await, ["ahead 60", "behind -60", "right 0"], "the library was not loaded");
    let workers = "select worker_id::text from durable.workers order by worker_id";
    let alive: Vec<String> = database.values(workers).await;

    let client = database.client().await;
    let mut handles = Vec::new();
    for (queue, _) in MACHINES {
        for _ in 0..10 {
            handles.push(client.start::<Nap>(()).queue(queue).await.unwrap());
        }
        // All of them, should this machine stand still for a second.
        client.schedule::<Stroke>(queue, "every 1s", ()).queue(queue).missed(durable::Missed::All).await.unwrap();
    }
    for handle in handles {
        soon("awake again", handle.result()).await.unwrap();
    }
    let completed = "select count(*) from durable.executions where schedule is not null and state = 'completed'";
    eventually("struck", async || database.count(completed).await >= 12).await;

    for (what, count) in [
        ("a sleeper woke before its time", "durable.waits where kind = 'sleep' and resolved_at < due_at"),
        (
            // By a guess of the process at the database's time, which on a busy machine is some milliseconds off.
            "an attempt began before its time",
            "durable.checkpoints join durable.attempts using (execution_id, key)
             where checkpoints.started_at < retry_at - interval '1 second'",
        ),
        ("a schedule fired before its time", "durable.schedule_firings where fired_at < due_at"),
        ("a due time was fired late", "durable.schedule_firings where fired_at > due_at + interval '30 minutes'"),
        (
            "a due time is not a second after the last, or was left out",
            "(select due_at - lag(due_at) over (partition by schedule order by due_at) as apart from durable.schedule_firings) as firings
             where apart <> interval '1 second'",
        ),
        ("an execution was taken from one that ran it", "durable.executions where epoch > 3"),
    ] {
        assert_eq!(database.count(&format!("select count(*) from {count}")).await, 0, "{what}");
    }
    assert_eq!(database.values::<String>(workers).await, alive, "a lease was taken from a worker that lives");
    drop(machines);
}
