//! A database that goes away and comes back: nothing is lost, nothing ends, and callers are told what is the matter.

use std::sync::Arc;
use std::time::Duration;

use durable::prelude::*;
use durable_postgres::Cluster;

use crate::support::process::{Effects, Flag, Folder};
use crate::support::proxy::{Fate, Moment, Passage, Proxy, Trap};
use crate::support::{self, Database, eventually, soon};

const EXECUTIONS: usize = 60;

/// Three steps and a sleep; the second step waits for a flag, so that a test can choose its moment.
struct Journey {
    effects: Effects,
    until: Flag,
}

#[workflow]
impl Journey {
    async fn run(&self, cx: &Context, number: u32) -> Result<u32> {
        let started = self.set_out(number).await?;
        cx.sleep(Duration::from_millis(1)).await?;
        let half = self.half_way(started).await?;
        self.arrive(half).await
    }

    #[step]
    async fn set_out(&self, number: u32) -> Result<u32> {
        Ok(number + 1)
    }

    #[step]
    async fn half_way(&self, number: u32) -> Result<u32> {
        // Every other one waits, so that some are parked, some running, and some finished when the database goes.
        if number.is_multiple_of(2) {
            self.effects.add("half way");
            self.until.wait().await;
        }
        Ok(number + 1)
    }

    #[step]
    async fn arrive(&self, number: u32) -> Result<u32> {
        self.effects.add(&format!("arrived {}", number - 2));
        Ok(number + 1)
    }
}

fn journey(folder: &Folder) -> Journey {
    Journey { effects: folder.effects(), until: folder.flag("go") }
}

/// Starts journeys, takes the database away when they are half-way, and sees all of them arrive.
async fn all_arrive_in_spite_of(database: &Database, outage: impl AsyncFnOnce()) {
    let folder = Folder::new();
    let durable = database.builder().max_connections(6).register(journey(&folder)).start().await.unwrap();
    let numbers: Vec<u32> = (0..u32::try_from(EXECUTIONS).unwrap()).collect();
    let handles = durable.start_many::<Journey>(numbers.clone()).await.unwrap();
    let half_way = EXECUTIONS / 2;
    eventually("half way", async || folder.effects().count("half way") == half_way).await;

    outage().await;
    folder.flag("go").raise();

    let late = durable.start::<Journey>(1000).await.unwrap();
    for (number, handle) in numbers.iter().zip(&handles) {
        assert_eq!(soon(&format!("journey {number} at its end"), handle.result()).await.unwrap(), number + 3);
        assert!(folder.effects().count(&format!("arrived {number}")) >= 1);
    }
    assert_eq!(soon("the late one at its end", late.result()).await.unwrap(), 1003);
    durable.shutdown().await.unwrap();
}

/// Runs what blocks, as starting and stopping servers does.
async fn on(cluster: &Arc<Cluster>, act: impl FnOnce(&Cluster) + Send + 'static) {
    let cluster = cluster.clone();
    tokio::task::spawn_blocking(move || act(&cluster)).await.unwrap();
}

#[tokio::test]
async fn everything_finishes_when_the_database_is_restarted() {
    let (cluster, database) = support::server_of_its_own().await;
    all_arrive_in_spite_of(&database, async || on(&cluster, |cluster| cluster.restart().unwrap()).await).await;
}

#[tokio::test]
async fn everything_finishes_when_the_database_is_killed() {
    let (cluster, database) = support::server_of_its_own().await;
    let kill = |cluster: &Cluster| {
        cluster.kill().unwrap();
        cluster.start_again().unwrap();
    };
    all_arrive_in_spite_of(&database, async || on(&cluster, kill).await).await;
}

#[tokio::test]
async fn everything_finishes_when_all_connections_are_terminated_again_and_again() {
    let database = support::database().await;
    let terminate = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                     where datname = current_database() and pid <> pg_backend_pid()";
    all_arrive_in_spite_of(&database, async || {
        for _ in 0..10 {
            // One's own other connections go too.
            let _ = database.pool().acquire().await.map(|connection| connection.close());
            let _ = sqlx::query(terminate).execute(database.pool()).await;
        }
    })
    .await;
}

#[tokio::test]
async fn everything_finishes_when_the_network_swallows_everything_for_a_while() {
    let database = support::database().await;
    let proxy = Proxy::before(&database).await;
    let far = Database::at(proxy.url().to_owned());
    for passage in [Passage::Refused, Passage::Silent] {
        all_arrive_in_spite_of(&far, async || {
            proxy.pass(passage);
            let late = Durable::builder().database_url(proxy.url()).operation_timeout(Duration::from_millis(200)).start().await;
            assert_eq!(late.map(drop).unwrap_err().kind(), ErrorKind::Unavailable);
            proxy.pass(Passage::Open);
        })
        .await;
    }
}

#[tokio::test]
async fn everything_finishes_when_the_database_was_read_only_for_a_while() {
    let (_cluster, database) = support::server_of_its_own().await;
    // Somebody must be able to end it.
    let admin = Database::at(format!("{}?options[default_transaction_read_only]=off", database.url));
    let set = async |read_only: &str| {
        admin.run(&format!("alter system set default_transaction_read_only = {read_only}")).await;
        admin.run("select pg_reload_conf()").await;
        let in_force = format!("select current_setting('default_transaction_read_only') = '{read_only}'");
        eventually("in force", async || database.value(&in_force).await).await;
    };
    let client = database.builder().operation_timeout(Duration::from_millis(300)).start().await.unwrap();
    let elsewhere = client.start::<Journey>(7).queue("elsewhere").await.unwrap();
    all_arrive_in_spite_of(&database, async || {
        set("on").await;
        let error = client.start::<Journey>(7).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let error = client.send_event(elsewhere.id(), "any", &()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("read-only"), "{error}");
        set("off").await;
    })
    .await;
}

#[tokio::test]
async fn a_call_into_a_network_that_swallows_everything_ends_with_its_operation_timeout() {
    let database = support::database().await;
    let proxy = Proxy::before(&database).await;
    // Long enough for a busy machine to connect in, and short enough for two calls to be waited for.
    let client = Durable::builder().database_url(proxy.url()).operation_timeout(Duration::from_secs(3)).start().await.unwrap();
    let id = client.start::<Journey>(1).await.unwrap().id();
    proxy.pass(Passage::Silent);
    let error = soon("an error", client.send_event(id, "any", &())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let error = soon("an error", client.start::<Journey>(2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);

    proxy.pass(Passage::Open);
    soon("answered again", client.send_event(id, "any", &())).await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_down_at_start_is_an_error_after_the_operation_timeout() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let builder = Durable::builder().database_url(format!("postgres://nobody@127.0.0.1:{port}/nothing"));
    let start = builder.operation_timeout(Duration::from_millis(300)).start();
    let error = soon("an error", start).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().ends_with("start the server, or correct host and port in the database url"), "{error}");
}

#[tokio::test]
async fn a_wrong_url_is_refused_without_showing_its_password() {
    let error = Durable::builder().database_url("mysql//root:secret@somewhere").start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("postgres://user:password@host:port/database"), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn a_wrong_password_or_database_is_refused_at_once() {
    let database = support::database().await;
    let wrong_database = format!("{}_that_is_not_there", database.url);
    let (scheme, rest) = database.url.split_once("://").unwrap();
    let wrong_password = format!("{scheme}://durable:wrong@{}", rest.split_once('@').unwrap().1);
    for (url, part) in [(wrong_database, "does not exist"), (wrong_password, "password authentication failed")] {
        let error = soon("an error", Durable::builder().database_url(&url).start()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Database, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[tokio::test]
async fn an_engine_starts_though_a_connection_is_cut_while_it_looks_at_the_schema() {
    let database = support::database().await;
    for statement in ["ledger/exists", "ledger/find_version", "clock/read"] {
        for moment in [Moment::Before, Moment::After] {
            let proxy = Proxy::before(&database).await;
            proxy.set(Trap { statements: vec![statement.to_owned()], nth: 1, moment, fate: Fate::Cut });
            let client = Durable::builder().database_url(proxy.url()).start().await.unwrap();
            assert_eq!(proxy.caught().await, statement);
            client.shutdown().await.unwrap();
        }
    }
}
