//! Kills and freezes what a fleet consists of, as a seed decides.

use std::collections::BTreeSet;
use std::sync::Arc;

use durable_postgres::Cluster;
use sqlx::{Connection, Executor, PgConnection, raw_sql};

use super::ledger::CRASH;
use super::{ROLE, Trial, ledger};
use crate::support::process::{Folder, Process};
use crate::support::{Database, clock, eventually};

/// Worker processes at a time.
const PROCESSES: usize = 3;

/// Calls of steps between two blows, at the least and at the most.
const CALLS_BETWEEN: std::ops::Range<usize> = 40..300;

/// Locks tables for less than a lease, as an administrator's `alter table` does; gives up if it would wait for long.
const LOCK: &str = "
    begin;
    set local lock_timeout = '2s';
    lock table durable.executions, durable.checkpoints, durable.waits, durable.mailbox in access exclusive mode;
    select pg_sleep(0.4);
    commit";

/// What a person types in psql and leaves open: it holds the rows and the mailboxes of up to twenty parcels.
const HOLD: &str = "
    begin;
    set local lock_timeout = '2s';
    select durable.pause(execution_id)
    from (
        select execution_id from durable.executions where queue = 'parcels' and finished_at is null order by random() limit 20
    ) as held";

/// A timer that Rust cannot read, which every worker meets.
const SPOIL: &str = "
    select durable.start('parcel', '0', queue => 'odd', start_at => durable.now() + interval '1 hour');
    update durable.executions set wake_at = '290000-01-01' where queue = 'odd'";

/// Clears up what the blows left behind.
const CLEAR_UP: &str = "delete from durable.executions where queue = 'odd'";

/// Gives short timeouts to every session that begins after this.
const HURRY: &str = "
    do $do$
    begin
        execute format($$alter database %I set statement_timeout = '20ms'$$, current_database());
        execute format($$alter database %I set lock_timeout = '1ms'$$, current_database());
        execute format($$alter database %I set idle_in_transaction_session_timeout = '20ms'$$, current_database());
    end $do$";

/// Takes them back.
const HURRY_NO_MORE: &str = "do $do$ begin execute format('alter database %I reset all', current_database()); end $do$";

/// An execution whose step returns so many bytes that its write goes out alone.
const LOAD_CARGO: &str = "select durable.start('cargo', '4000000', queue => 'cargo')";

/// Ends every session but the one that asks.
const TERMINATE: &str = "
    select count(pg_terminate_backend(pid)) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()";

/// By how many seconds the clock is set forward, or back: more than a lease, and more than a rate counts.
const CLOCK_STEPS: std::ops::RangeInclusive<i64> = -3..=3;

/// What is done to the fleet.
#[derive(Debug, Clone, Copy)]
pub(super) enum Blow {
    /// A worker dies, and another takes its place.
    Kill,
    /// A worker is told to shut down with a short limit for its steps; another takes its place.
    ShutDown,
    /// A worker stands still until others have what it held, and then goes on as if nothing had been.
    Freeze,
    /// Every session of the database is ended.
    Terminate,
    /// The database dies, and starts again.
    CrashDatabase,
    /// The clock of the database is set back or forward by some seconds.
    StepClock,
    /// A stranger locks the tables that all workers write to, for a while.
    LockTables,
    /// A stranger leaves a transaction open that holds executions, until the next blow.
    HoldOpen,
    /// A row appears that no worker can read.
    SpoilRow,
    /// A step returns four megabytes.
    LoadCargo,
    /// New sessions are given short timeouts, until the next blow, and all others are ended.
    Hurry,
}

/// Blows as they are dealt, the likely ones more often.
pub(super) const BLOWS: &[Blow] = &[
    Blow::Kill,
    Blow::Kill,
    Blow::Kill,
    Blow::Kill,
    Blow::ShutDown,
    Blow::ShutDown,
    Blow::ShutDown,
    Blow::Freeze,
    Blow::Freeze,
    Blow::Freeze,
    Blow::StepClock,
    Blow::StepClock,
    Blow::StepClock,
    Blow::LockTables,
    Blow::LockTables,
    Blow::HoldOpen,
    Blow::HoldOpen,
    Blow::SpoilRow,
    Blow::LoadCargo,
    Blow::LoadCargo,
    Blow::Hurry,
    Blow::Terminate,
    Blow::Terminate,
    Blow::CrashDatabase,
];

/// Nothing gets on any more.
#[derive(Debug)]
pub(super) struct Stuck {
    pub(super) situation: Vec<String>,
}

pub(super) struct Chaos<'a> {
    random: fastrand::Rng,
    trial: &'a Trial,
    cluster: Arc<Cluster>,
    database: &'a Database,
    /// Where the processes find the database.
    url: &'a str,
    folder: &'a Folder,
    processes: Vec<Process>,
    frozen: BTreeSet<u32>,
    /// Including the processes that were shut down.
    killed: BTreeSet<u32>,
    has_stepped_the_clock: bool,
    /// A session that has left a transaction open.
    stranger: Option<PgConnection>,
    /// Whether new sessions are given short timeouts.
    is_hurried: bool,
}

impl<'a> Chaos<'a> {
    pub(super) fn new(trial: &'a Trial, cluster: Arc<Cluster>, database: &'a Database, url: &'a str, folder: &'a Folder) -> Self {
        let processes = (0..PROCESSES).map(|_| Process::start(ROLE, url, folder)).collect();
        let random = fastrand::Rng::with_seed(trial.seed);
        Self {
            random,
            trial,
            cluster,
            database,
            url,
            folder,
            processes,
            frozen: BTreeSet::new(),
            killed: BTreeSet::new(),
            has_stepped_the_clock: false,
            stranger: None,
            is_hurried: false,
        }
    }

    /// The processes that were frozen for a while.
    pub(super) fn frozen(&self) -> &BTreeSet<u32> {
        &self.frozen
    }

    /// The processes that were killed, or told to end.
    pub(super) fn killed(&self) -> &BTreeSet<u32> {
        &self.killed
    }

    /// Whether the clock may have shown a time twice.
    pub(super) fn has_stepped_the_clock(&self) -> bool {
        self.has_stepped_the_clock
    }

    /// Strikes now and then as the work gets on, then leaves it in peace until all is done.
    pub(super) async fn rage(&mut self) -> Result<(), Stuck> {
        let mut calls = 0;
        for nth in 0..self.trial.blows {
            calls += self.random.usize(CALLS_BETWEEN);
            let blow = self.trial.kinds[self.random.usize(..self.trial.kinds.len())];
            let victim = self.random.usize(..PROCESSES);
            self.until(calls).await?;
            println!("blow {nth} after {calls} calls: {blow:?} {victim}");
            self.let_go().await;
            self.strike(blow, victim).await;
        }
        self.let_go().await;
        self.database.run(CLEAR_UP).await;
        self.until(usize::MAX).await
    }

    /// Returns when so many steps were called, or all is done.
    async fn until(&self, calls: usize) -> Result<(), Stuck> {
        let mut seen = 0;
        loop {
            let called = self.folder.effects().all().len();
            if called >= calls || self.is_over().await {
                return Ok(());
            }
            // However slow the machine is, something must get on.
            let moved = async || self.folder.effects().all().len() > seen || self.is_over().await;
            if tokio::time::timeout(self.trial.patience, eventually("another call", moved)).await.is_err() {
                return Err(Stuck { situation: self.situation().await });
            }
            seen = called;
        }
    }

    /// What stands still, for whoever looks into a failure.
    pub(super) async fn situation(&self) -> Vec<String> {
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
        let parcels = self.trial.parcels;
        let sql = format!(
            "select count(*) = {parcels} and bool_and(finished_at is not null) from durable.executions where queue = 'parcels'"
        );
        self.database.value(&sql).await
    }

    async fn strike(&mut self, blow: Blow, victim: usize) {
        match blow {
            Blow::Kill => {
                self.processes[victim].kill();
                self.killed.insert(self.processes[victim].id().cast_unsigned());
                self.processes[victim] = Process::start(ROLE, self.url, self.folder);
            }
            Blow::ShutDown => self.shut_down(victim).await,
            Blow::Freeze => self.freeze(victim).await,
            Blow::Terminate => self.database.run(TERMINATE).await,
            Blow::Hurry => {
                self.database.run(HURRY).await;
                self.is_hurried = true;
                self.database.run(TERMINATE).await;
            }
            Blow::LoadCargo => self.database.run(LOAD_CARGO).await,
            Blow::CrashDatabase => {
                let cluster = self.cluster.clone();
                let crash = move || {
                    cluster.kill().unwrap();
                    cluster.start_again().unwrap();
                };
                tokio::task::spawn_blocking(crash).await.unwrap();
                self.folder.effects().add(CRASH);
            }
            Blow::LockTables => {
                let mut stranger = PgConnection::connect(&self.database.url).await.unwrap();
                // The server may choose it as the victim of a deadlock.
                let _ = stranger.execute(raw_sql(LOCK)).await;
                stranger.close().await.unwrap();
            }
            Blow::HoldOpen => {
                let mut stranger = PgConnection::connect(&self.database.url).await.unwrap();
                // Where it was held up itself, or chosen as the victim of a deadlock, it holds nothing.
                let _ = stranger.execute(raw_sql(HOLD)).await;
                self.stranger = Some(stranger);
            }
            Blow::SpoilRow => self.database.run(SPOIL).await,
            Blow::StepClock => {
                clock::step(self.database, self.random.i64(CLOCK_STEPS)).await;
                self.has_stepped_the_clock = true;
            }
        }
    }

    /// Ends the blows that last.
    async fn let_go(&mut self) {
        if let Some(stranger) = self.stranger.take() {
            // Its session may have been ended.
            let _ = stranger.close().await;
        }
        if std::mem::take(&mut self.is_hurried) {
            self.database.run(HURRY_NO_MORE).await;
        }
    }

    async fn shut_down(&mut self, victim: usize) {
        let replacement = Process::start(ROLE, self.url, self.folder);
        let mut leaving = std::mem::replace(&mut self.processes[victim], replacement);
        self.killed.insert(leaving.id().cast_unsigned());
        leaving.signal("TERM");
        eventually("it ended in order", async || leaving.has_ended()).await;
    }

    async fn freeze(&mut self, victim: usize) {
        let process = &self.processes[victim];
        let id = process.id().cast_unsigned();
        // One that is in the middle of nothing has nothing to do wrong.
        eventually("one freezes in the middle of something", async || {
            process.signal("STOP");
            let stays = ledger::is_packing(&self.folder.effects(), id) || self.is_over().await;
            if !stays {
                process.signal("CONT");
            }
            stays
        })
        .await;
        let alive = format!("select worker_id from durable.workers where process_id = {id} and lost_at is null");
        let worker = self.database.values::<uuid::Uuid>(&alive).await;
        eventually("the frozen one is declared lost", async || self.database.values::<uuid::Uuid>(&alive).await.is_empty()).await;
        let held = format!(
            "select count(*) from durable.executions where state in ('running', 'pending') and worker_id in ('{}')",
            worker.first().copied().unwrap_or_default()
        );
        eventually("others have taken up what it held", async || self.database.count(&held).await == 0).await;
        let effects = self.folder.effects();
        let called = ledger::calls_of(&effects, id);
        self.processes[victim].signal("CONT");
        self.frozen.insert(id);
        // What it does now is what the freeze is for; where the fence is broken, it may have done it before.
        let goes_on = eventually("the frozen one goes on", async || {
            ledger::calls_of(&effects, id) > called || !self.database.values::<uuid::Uuid>(&alive).await.is_empty()
        });
        let _ = tokio::time::timeout(self.trial.patience, goes_on).await;
    }
}
