//! A worker killed before and after the statement that fires: exactly one execution for each due time.

use super::*;

use crate::support::process::{Folder, Process};
use crate::support::proxy::{Fate, Moment, Proxy, Trap};

/// The worker process that is killed.
pub(crate) async fn work(url: &str) {
    let builder = Durable::builder().database_url(url).max_connections(4).poll_interval(Duration::from_millis(200));
    let durable = builder.register(Tick::default()).start().await.unwrap();
    std::future::pending::<()>().await;
    drop(durable);
}

fn trap(moment: Moment, fate: Fate) -> Trap {
    Trap { statements: vec!["schedules/fire".to_owned()], nth: 1, moment, fate }
}

/// A database with an hourly schedule that is due in an hour, by a clock that stands still.
async fn due_soon() -> (Database, Durable, DateTime<Utc>) {
    let database = support::database().await;
    clock::freeze(&database).await;
    let client = database.client().await;
    let first = hourly(&client, &database, "chime").await;
    (database, client, first)
}

/// Another worker carries on; then there is one execution, for this due time.
async fn carry_on_and_check(what: &str, database: &Database, client: &Durable, first: DateTime<Utc>) {
    crate::support::crash::leases_run_out(database).await;
    let durable = database.builder().register(Tick::default()).start().await.unwrap();
    until_fired(client, "chime", 1).await;
    let id = client.schedule_firings("chime").await.unwrap()[0].execution_id.unwrap();
    let scheduled_for = soon(what, durable.handle::<Tick>(id).result()).await.unwrap();
    assert_eq!(scheduled_for, Some(first), "{what}");
    clock::advance(database, HOUR).await;
    until_fired(client, "chime", 2).await;
    clock::quiet(database).await;
    let times: Vec<DateTime<Utc>> = database.values("select scheduled_for from durable.executions order by 1").await;
    assert_eq!(times, [first, first + TimeDelta::hours(1)], "{what}");
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_worker_killed_around_the_firing_leaves_one_execution_for_each_due_time() {
    for moment in [Moment::Before, Moment::After] {
        let (database, client, first) = due_soon().await;
        let (folder, proxy) = (Folder::new(), Proxy::before(&database).await);
        proxy.set(trap(moment, Fate::Held));
        let mut process = Process::start("schedules", proxy.url(), &folder);
        eventually("a worker", async || database.count("select count(*) from durable.workers").await == 1).await;
        clock::turn(&database, HOUR).await;
        proxy.caught().await;
        process.kill();
        drop(proxy);
        carry_on_and_check(&format!("killed {moment:?} the firing"), &database, &client, first).await;
    }
}

#[tokio::test]
async fn a_connection_cut_around_the_firing_leaves_one_execution_for_each_due_time() {
    for moment in [Moment::Before, Moment::After] {
        let (database, client, first) = due_soon().await;
        let proxy = Proxy::before(&database).await;
        proxy.set(trap(moment, Fate::Cut));
        let far = Durable::builder().database_url(proxy.url()).max_connections(4).poll_interval(Duration::from_millis(200));
        let durable = far.register(Tick::default()).start().await.unwrap();
        clock::turn(&database, HOUR).await;
        proxy.caught().await;
        until_fired(&client, "chime", 1).await;
        durable.shutdown().await.unwrap();
        carry_on_and_check(&format!("cut {moment:?} the firing"), &database, &client, first).await;
    }
}
