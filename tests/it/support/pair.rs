//! A primary and the standby that follows it, over an address that leads to whichever is to be worked on.

use std::sync::Arc;

use durable::migrate::{SchemaName, migrate};
use durable_postgres::Cluster;

use super::programs::skipped;
use super::proxy::{Passage, Proxy};
use super::{Database, MODEST, eventually, options, start};

/// Whether a commit waits for the standby.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replication {
    Asynchronous,
    Synchronous,
}

/// The two servers.
#[derive(Debug)]
pub(crate) struct Pair {
    replication: Replication,
    primary: Arc<Cluster>,
    standby: Arc<Cluster>,
    /// Between the application and the servers.
    pub(crate) front: Proxy,
    /// Between the standby and the primary.
    between: Proxy,
}

impl Pair {
    /// A migrated primary with its standby; `None`, and a line that says so, where the program that copies servers is missing.
    pub(crate) async fn new(replication: Replication) -> Option<Self> {
        let primary = start("primary", &MODEST).await;
        if !primary.binaries().directory().join("pg_basebackup").is_file() {
            skipped("pg_basebackup", "apt-get install postgresql");
            return None;
        }
        migrate(&primary.url(), &SchemaName::default()).await.unwrap();
        let front = Proxy::before(&Database::at(primary.url())).await;
        let (standby, between) = follow(&primary, replication).await;
        Some(Self { replication, primary, standby, front, between })
    }

    /// The database, as it is reached through the front.
    pub(crate) fn database(&self) -> Database {
        Database::at(self.front.url().to_owned())
    }

    pub(crate) fn primary(&self) -> Database {
        Database::at(self.primary.url())
    }

    pub(crate) fn standby(&self) -> Database {
        Database::at(self.standby.url())
    }

    /// From here on the standby misses everything.
    pub(crate) fn part(&self) {
        self.between.pass(Passage::Silent);
    }

    /// Kills the primary. The front leads to the standby at once, which is not promoted yet.
    pub(crate) async fn kill_primary(&self) {
        let primary = self.primary.clone();
        tokio::task::spawn_blocking(move || primary.kill().unwrap()).await.unwrap();
        // A log that was on its way for long arrives no more.
        self.between.pass(Passage::Refused);
        self.front.lead_to(&self.standby());
    }

    /// Promotes the standby.
    pub(crate) async fn promote(&self) {
        let standby = self.standby.clone();
        tokio::task::spawn_blocking(move || standby.promote().unwrap()).await.unwrap();
    }

    /// Gives the server that was promoted a standby of its own.
    pub(crate) async fn renew(self) -> Self {
        let (standby, between) = follow(&self.standby, self.replication).await;
        Self { primary: self.standby, standby, between, ..self }
    }
}

async fn follow(primary: &Arc<Cluster>, replication: Replication) -> (Arc<Cluster>, Proxy) {
    let database = Database::at(primary.url());
    let between = Proxy::before(&database).await;
    let followed = format!("{}&application_name=standby", between.url().replace("/durable?", "/?"));
    let settings = [&MODEST[..], &[("primary_conninfo", followed.as_str()), ("wal_receiver_timeout", "0")]].concat();
    let (from, options) = (primary.clone(), options("standby", &settings));
    let standby = tokio::task::spawn_blocking(move || from.start_standby(options)).await.unwrap().unwrap();
    let state = match replication {
        Replication::Asynchronous => "async",
        Replication::Synchronous => {
            database.run("alter system set synchronous_standby_names = 'standby'").await;
            database.run("select pg_reload_conf()").await;
            "sync"
        }
    };
    let follows = format!("select exists (select from pg_stat_replication where state = 'streaming' and sync_state = '{state}')");
    eventually("a standby that follows", async || database.value(&follows).await).await;
    (Arc::new(standby), between)
}
