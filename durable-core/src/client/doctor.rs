//! Looks for what is wrong with a database, or with what works on it, and says how to repair it.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;

use super::{Builder, Durable};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Finding, Severity, Subject, WorkerDetails, WorkerState};
use crate::shell;
use crate::store::doctor::{self, How, LostWorker, Odd, OldSnapshot, Overdue, Stuck, Troubled, Unknown, Unread, Unserved};
use crate::store::server::{self, Server};
use crate::store::{self, Patience, Store, workers};
use crate::supervision::Trouble;

/// Clocks further apart than this are a finding: times in logs no longer match those in the database.
const CLOCKS_APART: TimeDelta = TimeDelta::seconds(5);

/// Dead rows that no one notices.
const DEAD_ROWS: i64 = 10_000;

/// Transactions open for longer hold up vacuum, and no statement of the engine takes so long.
const OLD_SNAPSHOT_SECONDS: f64 = 300.0;

/// A message often comes before its wait, but a message that has waited this long may have a mistyped name.
const UNHEARD_SECONDS: f64 = 3600.0;

/// Workers take timers within a poll interval; a timer that has been due for longer has no worker to take it.
const OVERDUE_SECONDS: f64 = 60.0;

/// Most executions that are named, and most kinds of them.
const NAMED: i64 = 100;

impl Builder {
    /// Looks for problems instead of starting an engine, and returns what it finds; empty if all is well. It writes nothing.
    ///
    /// It looks at the schema, indexes, notifications, poolers, clocks, dead rows, old transactions, tasks of workers that
    /// panicked, timers that no worker takes, rows that cannot be read, queues that no worker serves, executions whose workflow
    /// and version no worker knows, executions that lost workers hold, that were stopped, or that kill their workers, and
    /// messages for which no wait has come in an hour. An execution that sleeps or waits is well.
    ///
    /// ```no_run
    /// # async fn example(url: &str) -> durable::Result<()> {
    /// for finding in durable::Durable::builder().database_url(url).examine().await? {
    ///     println!("{finding:?}");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Invalid` as for [`start`](Self::start), `Unavailable` if the database does not answer, `Database` if the role may not
    /// read what it needs.
    pub async fn examine(self) -> Result<Vec<Finding>> {
        let (store, patience) = self.store()?;
        Doctor { store, patience }.examine().await
    }
}

impl Durable {
    /// Looks for problems as [`Builder::examine`] does, in the database of this client.
    ///
    /// # Errors
    /// As for [`Builder::examine`].
    pub async fn examine(&self) -> Result<Vec<Finding>> {
        Doctor { store: self.store().clone(), patience: self.engine.patience }.examine().await
    }
}

/// Where it looks.
struct Doctor {
    store: Store,
    patience: Patience,
}

/// What is wrong with the schema.
struct SchemaFindings {
    findings: Vec<Finding>,
    /// Whether its tables are not those that the statements were written for.
    is_unknown: bool,
}

impl Doctor {
    /// Everything that it finds.
    async fn examine(&self) -> Result<Vec<Finding>> {
        if let Some(finding) = self.examine_server().await? {
            // Every other look would prepare a statement.
            return Ok(vec![finding]);
        }
        let schema = self.examine_schema().await?;
        if schema.is_unknown {
            return Ok(schema.findings);
        }
        let mut findings = schema.findings;
        findings.extend(self.examine_connection().await?);
        findings.extend(self.examine_tables().await?);
        findings.extend(self.examine_workers().await?);
        findings.extend(self.examine_executions().await?);
        Ok(findings)
    }

    async fn run<'a, T, F>(&'a self, what: &str, statement: impl Fn(&'a PgPool) -> F) -> Result<T>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        store::run(what, self.patience, || statement(&self.store.pool)).await
    }

    /// Where the database cannot be worked on at all, why.
    async fn examine_server(&self) -> Result<Option<Finding>> {
        let store = &self.store;
        Ok(match server::reach(store, self.patience, || server::ask(store)).await? {
            Server::Primary => None,
            Server::Pooled => Some(error(Subject::Pooler, server::POOLED, server::UNPOOL)),
            Server::Standby => {
                let problem = "the server is a standby, which only reads";
                Some(error(Subject::Server, problem, "give the address of the primary, or promote this one with `pg_promote()`"))
            }
        })
    }

    async fn examine_schema(&self) -> Result<SchemaFindings> {
        let Store { pool, schema, .. } = &self.store;
        let status = durable_migrate::status(pool, schema).await.map_err(|error| {
            let kind = match error {
                durable_migrate::Error::Connect { .. } => ErrorKind::Unavailable,
                _ => ErrorKind::Database,
            };
            Error::of_kind(kind, format!("cannot {error}"))
        })?;
        if status.is_ahead() {
            let problem =
                format!("the schema `{schema}` is newer than this program, and serves it as long as nothing is taken away");
            let findings = vec![warning(Subject::Schema, problem, "upgrade `durable` in this program")];
            return Ok(SchemaFindings { findings, is_unknown: false });
        }
        let is_unknown = status.accept_version().is_err();
        let wrong = status.accept().err();
        let repair = format!("durable --schema {schema} migrate up");
        let findings = wrong.map(|wrong| error(Subject::Schema, format!("cannot {wrong}"), repair)).into_iter().collect();
        Ok(SchemaFindings { findings, is_unknown })
    }

    async fn examine_connection(&self) -> Result<Vec<Finding>> {
        let store = &self.store;
        let mut findings = Vec::new();
        if !self.run("listen to a notification", |_| doctor::is_heard(store)).await? {
            let problem = "notifications do not arrive: work is found by polling alone";
            findings.push(warning(Subject::Notifications, problem, server::UNPOOL));
        }
        let (server, turned) = self.run("read the server's clock", |pool| doctor::clock(store, pool)).await?;
        let apart = server - machine_clock();
        if apart.abs() > CLOCKS_APART {
            let problem = format!("the clock of the database is {} s ahead of this machine's", apart.num_seconds());
            findings.push(warning(Subject::Clock, problem, "have both follow a time server"));
        }
        if turned {
            let problem = "the clock that executions live by was turned, as tests do";
            let repair = format!("update {}.clock set frozen_at = null, ahead_by = interval '0'", store.schema);
            findings.push(warning(Subject::Clock, problem, repair));
        }
        Ok(findings)
    }

    async fn examine_tables(&self) -> Result<Vec<Finding>> {
        let store = &self.store;
        let mut findings = Vec::new();
        for index in self.run("look for invalid indexes", |pool| doctor::invalid_indexes(store, pool)).await? {
            let problem = format!("index {index} is invalid: building it was interrupted, and Postgres does not use it");
            findings.push(error(Subject::Indexes, problem, format!("reindex index concurrently {index}")));
        }
        for bloated in self.run("look for dead rows", |pool| doctor::bloated_tables(store, pool, DEAD_ROWS)).await? {
            let problem = format!(
                "table {} has {} dead rows beside {} live ones: autovacuum does not keep up",
                bloated.table, bloated.dead, bloated.live
            );
            findings.push(warning(Subject::Bloat, problem, format!("vacuum (analyze) {}", bloated.table)));
        }
        let snapshots = self.run("look for old transactions", |pool| doctor::old_snapshots(store, pool, OLD_SNAPSHOT_SECONDS));
        findings.extend(snapshots.await?.iter().map(old_snapshot));
        Ok(findings)
    }

    async fn examine_workers(&self) -> Result<Vec<Finding>> {
        let store = &self.store;
        let lost = self.run("look for lost workers", |pool| doctor::lost_workers(store, pool)).await?;
        let troubled = self.run("look for troubles of workers", |pool| doctor::troubles(store, pool)).await?;
        let workers = self.run("look for workers that do not answer", |pool| workers::list(store, pool)).await?;
        let living = workers.iter().filter(|worker| worker.state != WorkerState::Lost);
        Ok(troubled.iter().flat_map(troubles).chain(lost.iter().map(lost_worker)).chain(living.flat_map(stuck_worker)).collect())
    }

    async fn examine_executions(&self) -> Result<Vec<Finding>> {
        let store = &self.store;
        let unserved = self.run("look for queues without a worker", |pool| doctor::unserved_queues(store, pool)).await?;
        let mut findings: Vec<Finding> = unserved.iter().map(unserved_queue).collect();
        let unknown = self.run("look for unknown workflows", |pool| doctor::unknown_executions(store, pool, NAMED)).await?;
        findings.extend(unknown.iter().map(unknown_executions));
        let overdue = self.run("look for overdue timers", |pool| doctor::overdue_timers(store, pool, OVERDUE_SECONDS)).await?;
        findings.extend(overdue.iter().map(overdue_timers));
        let odd = self.run("look for rows that cannot be read", |pool| doctor::odd_executions(store, pool, NAMED)).await?;
        findings.extend(odd.iter().map(odd_execution));
        let stuck = self.run("look for stuck executions", |pool| doctor::stuck_executions(store, pool, NAMED)).await?;
        findings.extend(stuck.iter().map(stuck_execution));
        let old = (UNHEARD_SECONDS, NAMED);
        let unread = self.run("look for messages in mailboxes", |pool| doctor::unread_messages(store, pool, old)).await?;
        findings.extend(unread.iter().map(unread_messages));
        Ok(findings)
    }
}

/// One finding for each task that panicked, and for each row that could not be read.
fn troubles(troubled: &Troubled) -> impl Iterator<Item = Finding> {
    let Troubled { worker, host, process_id, report } = troubled;
    let process = format!("worker {worker} (process {process_id} on {host})");
    let panics = report.panics.iter().map({
        let process = process.clone();
        move |Trouble { of, times, what }| {
            let problem = format!("task `{of}` of {process} panicked {times} times in the last hour, the last time so: {what}");
            error(
                Subject::Tasks,
                problem,
                "report it with this place; the task was started again, and goes on if the cause is gone",
            )
        }
    });
    let rows = report.rows.iter().map(move |Trouble { of, times, what }| {
        let problem = format!("{process} could not read a row of {of}, {times} times in the last hour: {what}");
        error(Subject::Rows, problem, "repair the row by SQL; everything else goes on without it")
    });
    panics.chain(rows)
}

/// The code that does not return in a worker.
fn stuck_worker(worker: &WorkerDetails) -> Vec<Finding> {
    let WorkerDetails { id, host, process_id, unresponsive_since, stuck_executions, .. } = worker;
    let place = format!("worker {id} (process {process_id} on {host})");
    let repair = "look for a loop without an await, or for a blocking call outside `spawn_blocking`; then restart the process";
    let mut findings = Vec::new();
    if let Some(since) = unresponsive_since {
        let problem = format!("the runtime of {place} has not answered since {}: nothing goes on there", time(*since));
        findings.push(error(Subject::Workers, problem, repair));
    }
    for execution in stuck_executions {
        let problem =
            format!("the code of execution {execution} does not return: it keeps a thread of {place}, and cannot be cancelled");
        findings.push(error(Subject::Workers, problem, repair));
    }
    findings
}

fn overdue_timers(Overdue { executions, since }: &Overdue) -> Finding {
    let problem = format!("{executions} timers are overdue, the oldest since {}, and no worker takes them", time(*since));
    error(Subject::Timers, problem, "start a worker on any queue; if one runs, look at its log and at the other findings")
}

fn odd_execution(Odd { id, workflow, problem }: &Odd) -> Finding {
    let problem = format!("execution {id} of workflow `{workflow}` holds what no program writes: {problem}");
    error(Subject::Rows, problem, format!("repair the row by SQL, or `durable execution cancel {id}`"))
}

fn old_snapshot(snapshot: &OldSnapshot) -> Finding {
    let OldSnapshot { process_id, role, application, state, seconds } = snapshot;
    let problem = format!(
        "a transaction of role `{role}` (`{application}`, {state}) has been open for {seconds} s, and vacuum cannot pass it"
    );
    warning(Subject::Snapshots, problem, format!("have its application end it, or call `pg_terminate_backend({process_id})`"))
}

fn lost_worker(LostWorker { id, process, executions }: &LostWorker) -> Finding {
    let problem = match process {
        Some((process_id, host)) => {
            format!("{executions} executions are held by worker {id} (process {process_id} on {host}), which is lost")
        }
        None => format!("{executions} executions are held by worker {id}, which has no row: it is lost"),
    };
    error(Subject::Workers, problem, "start a worker on any queue: it takes them over within a lease")
}

fn unread_messages(Unread { id, workflow, messages, names, open }: &Unread) -> Finding {
    let quoted = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let waits = if open.is_empty() { "no message".to_owned() } else { quoted(open) };
    let problem = format!(
        "execution {id} (`{workflow}`) has not waited for {messages} messages that are over an hour old: {}; it waits for {waits}",
        quoted(names)
    );
    warning(
        Subject::Mailboxes,
        problem,
        format!("look at them with `durable execution get {id}`; send one again if its name is mistyped"),
    )
}

fn unserved_queue(Unserved { queue, executions, since }: &Unserved) -> Finding {
    let since = time(*since);
    let problem =
        format!("{executions} executions are in queue `{queue}`, the oldest since {since}, and no live worker claims from it");
    error(Subject::Queues, problem, format!("start a worker with `.queue(\"{queue}\", …)`"))
}

fn unknown_executions(unknown: &Unknown) -> Finding {
    let Unknown { queue, workflow, version, undone, executions, since, versions, queues } = unknown;
    let known = match (versions.as_slice(), queues.as_slice()) {
        ([], []) => ", nor another version of it".to_owned(),
        (versions, []) => {
            let versions: Vec<String> = versions.iter().map(i32::to_string).collect();
            format!(": they know version {}", versions.join(", "))
        }
        (_, queues) => format!(": those on queue `{}` do", queues.join("`, `")),
    };
    let (since, to_be_undone) = (time(*since), if *undone { ", to be undone," } else { "" });
    let problem = format!(
        "{executions} executions of workflow `{workflow}` version {version}{to_be_undone} are in queue `{queue}`, the oldest since {since}, and no live worker there knows it{known}"
    );
    let start = format!("start a worker that registers it, with `.queue(\"{queue}\", …)`");
    if *undone {
        return error(Subject::Workflows, problem, format!("{start}: a rollback cannot be given up"));
    }
    let (in_workflow, in_queue) = (shell::word(workflow), shell::word(queue));
    let cancel_all = format!(
        "durable execution list --workflow {in_workflow} --version {version} --queue {in_queue} --state pending --limit 1000 -o ids | durable execution cancel -"
    );
    let retry_hint =
        versions.last().map(|known| format!(", then `durable execution retry --version {known} …` with those that fit"));
    let repair = format!("{start}; or cancel them with `{cancel_all}`{}", retry_hint.unwrap_or_default());
    error(Subject::Workflows, problem, repair)
}

fn stuck_execution(Stuck { id, workflow, how }: &Stuck) -> Finding {
    let (problem, repair) = match how {
        How::Stopped(why) => (
            format!("was stopped: {}", why.message),
            format!("deploy code that fits its journal, then `durable execution resume {id}`"),
        ),
        How::WaitsForNothing => {
            ("waits for nothing".to_owned(), format!("`durable execution cancel {id}`, then `durable execution retry {id}`"))
        }
        How::KillsWorkers { claims } => (
            format!("was claimed {claims} times without coming to rest: it seems to kill its workers"),
            format!("`durable execution pause {id}`, and look at what its last step does: `durable execution get {id}`"),
        ),
    };
    error(Subject::Executions, format!("execution {id} of workflow `{workflow}` {problem}"), repair)
}

fn warning(about: Subject, problem: impl Into<String>, repair: impl Into<String>) -> Finding {
    Finding { severity: Severity::Warning, about, problem: problem.into(), repair: repair.into() }
}

fn error(about: Subject, problem: impl Into<String>, repair: impl Into<String>) -> Finding {
    Finding { severity: Severity::Error, about, problem: problem.into(), repair: repair.into() }
}

fn time(at: DateTime<Utc>) -> impl std::fmt::Display {
    at.format("%Y-%m-%d %H:%M:%S UTC")
}

#[expect(clippy::disallowed_methods, reason = "this is the clock that the database's is compared with")]
fn machine_clock() -> DateTime<Utc> {
    Utc::now()
}
