//! Pooling: a pooler that hands sessions on as they are is refused, with what to do instead; one that lends by session serves.

use std::time::Duration;

use durable::migrate::{SchemaName, check, migrate};
use durable::prelude::*;
use durable::{Severity, Subject};
use futures_util::future::join_all;

use crate::support::pgbouncer::PgBouncer;
use crate::support::process::{Folder, Process};
use crate::support::proxy::{Fate, Moment, Proxy, Trap};
use crate::support::{self, Database, eventually, soon};

/// Ways to lend sessions out by the transaction, or even by the statement: one or several, the last one first or in turn.
const HANDED_ON: [&str; 5] = [
    "pool_mode = transaction\ndefault_pool_size = 1",
    "pool_mode = transaction\ndefault_pool_size = 2\nserver_round_robin = 1",
    "pool_mode = transaction\ndefault_pool_size = 20",
    "pool_mode = transaction\ndefault_pool_size = 20\nserver_round_robin = 1",
    "pool_mode = statement",
];

/// Computes what a mixed-up answer would get wrong.
struct Echo;

#[workflow]
impl Echo {
    async fn run(&self, cx: &Context, number: u64) -> Result<u64> {
        let doubled = self.double(number).await?;
        let told: u64 = cx.wait_for_event("more").await?;
        self.double(doubled + told).await
    }

    #[step]
    async fn double(&self, number: u64) -> Result<u64> {
        Ok(number * 2)
    }
}

#[tokio::test]
async fn a_pooler_that_lends_by_transaction_is_refused_at_start_and_nothing_is_written_through_it() {
    let database = support::database().await;
    for settings in HANDED_ON {
        let Some(pooler) = PgBouncer::before(&database, settings).await else { return };
        let far = Database::at(pooler.url().to_owned());
        for builder in [far.builder(), far.builder().register(Echo)] {
            let error = soon("an answer", builder.start()).await.map(drop).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{settings}: {error}");
            for part in ["a pooler stands before the server", "the address of the server itself", "pool_mode = session"] {
                assert!(error.to_string().contains(part), "{settings}: {error}");
            }
        }
    }
    assert_eq!(database.count("select count(*) from durable.workers").await, 0);
}

#[tokio::test]
async fn a_busy_pooler_is_refused_by_everyone_who_comes_at_the_same_time() {
    let database = support::database().await;
    let settings = "pool_mode = transaction\ndefault_pool_size = 3";
    let Some(pooler) = PgBouncer::before(&database, settings).await else { return };
    let far = Database::at(pooler.url().to_owned());
    let starts = join_all((0..16).map(|_| far.builder().register(Echo).start()));
    for started in soon("all have an answer", starts).await {
        assert_eq!(started.map(drop).unwrap_err().kind(), ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn a_pooler_that_hands_sessions_on_without_clearing_them_is_refused_once_it_has_done_so() {
    let database = support::database().await;
    let settings = "pool_mode = session\nserver_reset_query =\ndefault_pool_size = 3";
    let Some(pooler) = PgBouncer::before(&database, settings).await else { return };
    let far = Database::at(pooler.url().to_owned());
    // It is given sessions that nobody had before it.
    let first = far.builder().max_connections(1).start().await.unwrap();
    first.start::<Echo>(1).await.unwrap();
    first.shutdown().await.unwrap();
    drop(first);
    eventually("refused", async || {
        let second = far.builder().max_connections(1).operation_timeout(Duration::from_millis(100)).start().await;
        second.map(drop).is_err_and(|error| error.kind() == ErrorKind::Invalid)
    })
    .await;
}

#[tokio::test]
async fn workers_and_clients_work_through_a_pooler_that_lends_by_session() {
    let database = support::database().await;
    let Some(pooler) = PgBouncer::before(&database, "pool_mode = session").await else { return };
    let far = Database::at(pooler.url().to_owned());
    assert_eq!(far.builder().examine().await.unwrap(), []);
    let worker = far.builder().register(Echo).start().await.unwrap();
    let client = database.client().await;
    let handles = client.start_many::<Echo>(0..50).await.unwrap();
    for (number, handle) in (0..50).zip(&handles) {
        client.send_event(handle.id(), "more", &number).await.unwrap();
    }
    for (number, handle) in (0..50).zip(&handles) {
        assert_eq!(soon("at its end", handle.result()).await.unwrap(), 6 * number);
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_doctor_finds_the_pooler_and_looks_no_further_through_it() {
    let database = support::database().await;
    for settings in HANDED_ON {
        let Some(pooler) = PgBouncer::before(&database, settings).await else { return };
        let findings = Database::at(pooler.url().to_owned()).builder().examine().await.unwrap();
        let [finding] = &findings[..] else { panic!("{settings}: {findings:?}") };
        assert_eq!((finding.about, finding.severity), (Subject::Pooler, Severity::Error));
        assert!(finding.repair.contains("the address of the server itself"), "{finding}");
    }
}

/// A process that migrates, until it is killed.
pub(crate) async fn migrate_and_stay(url: &str) {
    migrate(url, &SchemaName::default()).await.unwrap();
    std::future::pending().await
}

#[tokio::test]
async fn migrations_go_through_a_pooler_by_transaction_at_once_and_after_one_was_killed_half_way() {
    let database = support::empty_database().await;
    let settings = "pool_mode = transaction\ndefault_pool_size = 4";
    let Some(pooler) = PgBouncer::before(&database, settings).await else { return };
    let far = Database::at(pooler.url().to_owned());
    let proxy = Proxy::before(&far).await;
    proxy.set(Trap { statements: vec!["expand".to_owned()], nth: 5, moment: Moment::After, fate: Fate::Held });
    let folder = Folder::new();
    let mut victim = Process::start("migration", proxy.url(), &folder);
    assert_eq!(proxy.caught().await, "expand");
    victim.kill();

    let url = far.url.as_str();
    let schema = SchemaName::default();
    let at_once = join_all((0..12).map(|_| migrate(url, &schema)));
    let reports = tokio::time::timeout(Duration::from_secs(5), at_once).await;
    let reports = reports.expect("a lock of the migration that was killed is still held");
    let applied = reports.into_iter().map(|report| report.unwrap()).filter(|report| !report.applied.is_empty()).count();
    assert_eq!(applied, 1, "one of them migrates, and the others find it done");
    check(database.url.as_str(), &schema).await.unwrap();
}
