//! Kills and freezes what a fleet consists of, as a seed decides.

use std::sync::Arc;

use durable_postgres::Cluster;
use sqlx::Executor;

use super::{EXECUTIONS, start_process};
use crate::support::process::{Folder, Process};
use crate::support::{Database, PATIENCE, eventually};

/// Worker processes at a time.
const PROCESSES: usize = 3;

/// Blows in one run.
const BLOWS: usize = 24;

/// Calls of steps between two blows, at the least and at the most.
const CALLS_BETWEEN: std::ops::Range<usize> = 40..300;

/// What is done to the fleet.
#[derive(Debug, Clone, Copy)]
enum Blow {
    /// A worker dies, and another takes its place.
    Kill,
    /// A worker stands still until it is declared lost, and then goes on as if nothing had been.
    Freeze,
    /// Every session of the database is ended.
    Terminate,
    /// The database dies, and starts again.
    CrashDatabase,
}

const BLOW_KINDS: [Blow; 10] = [
    Blow::Kill,
    Blow::Kill,
    Blow::Kill,
    Blow::Kill,
    Blow::Freeze,
    Blow::Freeze,
    Blow::Freeze,
    Blow::Terminate,
    Blow::Terminate,
    Blow::CrashDatabase,
];

pub(super) struct Chaos<'a> {
    random: fastrand::Rng,
    cluster: Arc<Cluster>,
    database: &'a Database,
    folder: &'a Folder,
    processes: Vec<Process>,
    frozen: Vec<u32>,
}

impl<'a> Chaos<'a> {
    pub(super) fn new(seed: u64, cluster: Arc<Cluster>, database: &'a Database, folder: &'a Folder) -> Self {
        let processes = (0..PROCESSES).map(|_| start_process(database, folder)).collect();
        Self { random: fastrand::Rng::with_seed(seed), cluster, database, folder, processes, frozen: Vec::new() }
    }

    /// The processes that were frozen for a while.
    pub(super) fn frozen(&self) -> &[u32] {
        &self.frozen
    }

    /// Strikes now and then, as the work gets on.
    pub(super) async fn rage(&mut self) {
        let mut calls = 0;
        for nth in 0..BLOWS {
            calls += self.random.usize(CALLS_BETWEEN);
            let blow = BLOW_KINDS[self.random.usize(..BLOW_KINDS.len())];
            let victim = self.random.usize(..PROCESSES);
            self.until(calls, &format!("before blow {nth}")).await;
            println!("blow {nth} after {calls} calls: {blow:?} {victim}");
            self.strike(blow, victim).await;
        }
    }

    /// Returns when all is done.
    pub(super) async fn calm(&self) {
        self.until(usize::MAX, "after the last blow").await;
    }

    /// Returns when so many steps were called, or all is done.
    async fn until(&self, calls: usize, when: &str) {
        let mut seen = 0;
        loop {
            let called = self.folder.effects().all().len();
            if called >= calls || self.is_over().await {
                return;
            }
            // However slow the machine is, something must get on.
            let moved = async || self.folder.effects().all().len() > seen || self.is_over().await;
            if tokio::time::timeout(PATIENCE / 2, eventually("another call", moved)).await.is_err() {
                panic!("nothing gets on {when}: {:#?}", self.situation().await);
            }
            seen = called;
        }
    }

    /// What stands still, for whoever looks into a failure.
    async fn situation(&self) -> Vec<String> {
        let sql = "
            select state || ' in ' || queue || ' of ' || coalesce(worker_id::text, 'nobody') || ': ' || count(*)
            from durable.executions where finished_at is null group by state, queue, worker_id
            union all
            select 'worker ' || worker_id || ' of process ' || process_id || ' until ' || lease_until || ', lost ' || coalesce(lost_at::text, 'never')
            from durable.workers
            union all
            select workflow || ' ' || input || ' ' || state || ': ' || error from durable.executions where error is not null
            union all
            select 'wait for ' || kind || ': ' || coalesce(outcome, 'open') || ' ' || count(*) from durable.waits group by kind, outcome
            union all
            select 'now ' || durable.now()";
        self.database.values(sql).await
    }

    async fn is_over(&self) -> bool {
        let sql = format!(
            "select count(*) = {EXECUTIONS} and bool_and(finished_at is not null) from durable.executions where queue = 'parcels'"
        );
        self.database.value(&sql).await
    }

    async fn strike(&mut self, blow: Blow, victim: usize) {
        match blow {
            Blow::Kill => {
                self.processes[victim].kill();
                self.processes[victim] = start_process(self.database, self.folder);
            }
            Blow::Freeze => self.freeze(victim).await,
            Blow::Terminate => {
                let terminate = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                                 where datname = current_database() and pid <> pg_backend_pid()";
                self.database.pool().execute(terminate).await.unwrap();
            }
            Blow::CrashDatabase => {
                let cluster = self.cluster.clone();
                let crash = move || {
                    cluster.kill().unwrap();
                    cluster.start_again().unwrap();
                };
                tokio::task::spawn_blocking(crash).await.unwrap();
            }
        }
    }

    async fn freeze(&mut self, victim: usize) {
        let process = &self.processes[victim];
        process.signal("STOP");
        let alive = format!("select count(*) from durable.workers where process_id = {} and lost_at is null", process.id());
        eventually("the frozen one is declared lost", async || self.database.count(&alive).await == 0).await;
        self.frozen.push(process.id().cast_unsigned());
        self.processes[victim].signal("CONT");
    }
}
