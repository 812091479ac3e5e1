//! Handing on: a duty is done by one worker in each period, and by another one when that worker dies over it.

use super::*;

use crate::support::crash;
use crate::support::process::{Folder, Process};
use crate::support::proxy::{Fate, Moment, Proxy, Trap};

/// Each turn of a duty, once somebody has taken it.
const TURNS: &str = "select count(*) from turns where duty = 'expire'";

/// Has the database write down who takes a duty, and when.
async fn write_down_turns(database: &Database) {
    database
        .run(
            "create table public.turns (duty text, taken_at timestamptz, due_at timestamptz, worker_id uuid);
             create function write_down() returns trigger language plpgsql as $$
             begin
                 insert into public.turns values (new.duty, new.taken_at, new.due_at, new.worker_id);
                 return null;
             end
             $$;
             create trigger write_down after insert or update on durable.duties for each row execute function write_down()",
        )
        .await;
}

/// A worker on alerts, in a process of its own.
pub(crate) async fn work(url: &str) {
    let database = Database::at(url.to_owned());
    let _durable = database.builder().register(Alert::default()).queue("others", 1).start().await.unwrap();
    std::future::pending().await
}

#[tokio::test]
async fn of_many_workers_one_does_a_duty_in_each_period() {
    let database = support::database().await;
    clock::freeze(&database).await;
    write_down_turns(&database).await;
    let mut workers = Vec::new();
    for _ in 0..5 {
        workers.push(worker(&database).await.0);
    }
    eventually("the first turn", async || database.count(TURNS).await == 1).await;
    for turns in 2..=10 {
        // Each is told of the clock, and asks.
        clock::turn(&database, seconds(5)).await;
        eventually("the next turn", async || database.count(TURNS).await == turns).await;
    }
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
    assert_eq!(database.count(TURNS).await, 10, "none was taken twice");
    let early = "select count(*) from turns as one join turns as other using (duty)
                 where other.taken_at > one.taken_at and other.taken_at < one.due_at";
    assert_eq!(database.count(early).await, 0, "none before its time");
}

#[tokio::test]
async fn a_worker_that_dies_over_a_duty_leaves_it_to_another_a_period_later() {
    for moment in [Moment::Before, Moment::After] {
        let database = support::database().await;
        clock::freeze(&database).await;
        let client = database.client().await;
        client.start::<Alert>("expired".to_owned()).await.unwrap();
        clock::turn(&database, hours(1)).await;

        let proxy = Proxy::before(&database).await;
        proxy.set(Trap { statements: vec!["executions/expire".to_owned()], nth: 1, moment, fate: Fate::Held });
        let folder = Folder::new();
        let mut process = Process::start("expiring", proxy.url(), &folder);
        proxy.caught().await;
        process.kill();
        drop(proxy);
        crash::leases_run_out(&database).await;

        let (worker, tally) = worker(&database).await;
        clock::turn(&database, seconds(30)).await;
        eventually("it has ended", async || database.count(OPEN).await == 0).await;
        assert_eq!(tally.labels().len(), 0);
        worker.shutdown().await.unwrap();
    }
}
