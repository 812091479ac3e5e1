//! Workers that are killed at a chosen statement, and what must be true after another worker has finished their work.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use durable::{Builder, Result, Workflow};

use super::process::{Effects, Folder, Process};
use super::proxy::{Moment, Proxy, Trap};
use super::{Database, eventually, soon};

/// Most kills at the same time: each has a database, a process and a worker, and the machine may be small.
pub(crate) const CRASHES_AT_ONCE: usize = 3;

/// Marks in the first line of a statement, as in `-- executions/get: read: …`, by which no execution makes progress: statements
/// that only read, and statements of periodic duties. Every other statement is a write that a worker may be killed at.
const NO_PROGRESS: [&str; 2] = ["read: ", "upkeep: "];

/// Whether each statement of the engine is a write by which an execution makes progress.
static WRITES: LazyLock<BTreeMap<String, bool>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("durable-core/src/store/sql");
    super::statements(&folder).into_iter().map(|(name, text)| (name.clone(), is_progress(&name, &text))).collect()
});

fn is_progress(name: &str, text: &str) -> bool {
    let purpose = text.strip_prefix(&format!("-- {name}: ")).unwrap_or_default();
    !NO_PROGRESS.iter().any(|mark| purpose.starts_with(mark))
}

/// The checkpoints and the effects that there were when a worker was killed.
#[derive(Debug)]
pub(crate) struct AtKill {
    checkpoints: Vec<String>,
    effects: Vec<String>,
}

impl AtKill {
    async fn look(database: &Database, effects: &Effects) -> Self {
        let checkpoints = database.values("select key from durable.checkpoints").await;
        Self { checkpoints, effects: effects.all() }
    }

    pub(crate) fn is_recorded(&self, key: &str) -> bool {
        self.checkpoints.iter().any(|recorded| recorded == key)
    }

    pub(crate) fn count(&self, effect: &str) -> usize {
        self.effects.iter().filter(|done| *done == effect).count()
    }
}

/// The leases of all workers run out now, as if they had been dead for long.
pub(crate) async fn leases_run_out(database: &Database) {
    database.run("update durable.workers set lease_until = durable.now() - interval '1 second'").await;
}

/// Each statement with its number among those of its name, as often as it was seen, before and after it: which one of all is
/// the nth write may be a matter of chance, so that they are told apart by name.
pub(crate) fn every_write(seen: &[String]) -> Vec<(&str, usize, Moment)> {
    let mut points = Vec::new();
    let names: BTreeSet<&str> = seen.iter().map(String::as_str).collect();
    for name in names {
        let count = seen.iter().filter(|statement| *statement == name).count();
        points.extend((1..=count).flat_map(|nth| [(name, nth, Moment::Before), (name, nth, Moment::After)]));
    }
    points
}

/// Kills the worker called `role` when it runs into the trap; `None` when what it works on was finished before.
pub(crate) async fn killed_in(
    role: &str,
    database: &Database,
    folder: &Folder,
    trap: Option<Trap>,
) -> (Option<AtKill>, Vec<String>) {
    let proxy = Proxy::before(database).await;
    if let Some(trap) = trap {
        proxy.set(trap);
    }
    let mut process = Process::start(role, proxy.url(), folder);
    eventually("caught in the trap, or finished", async || {
        assert!(!process.has_ended(), "the worker process ended by itself");
        proxy.has_caught() || is_finished(database).await
    })
    .await;
    process.kill();
    let caught = proxy.has_caught();
    let mut writes = proxy.seen();
    // `begin` and `commit` are not in the list.
    writes.retain(|statement| WRITES.get(statement).copied().unwrap_or(true));
    drop(proxy);
    let at_kill = AtKill::look(database, &folder.effects()).await;
    (caught.then_some(at_kill), writes)
}

async fn is_finished(database: &Database) -> bool {
    database.value("select exists (select from durable.executions where finished_at is not null and parent_id is null)").await
}

/// Another worker finishes the execution with this input and key; returns how it ended.
pub(crate) async fn finish<W: Workflow>(
    what: &str,
    database: &Database,
    builder: Builder,
    (input, key): (W::Input, &str),
) -> Result<W::Output> {
    leases_run_out(database).await;
    let durable = builder.start().await.unwrap();
    let handle = durable.start::<W>(input).key(key).await.unwrap();
    let result = soon(&format!("finished after a crash {what}"), handle.result()).await;
    durable.shutdown().await.unwrap();
    result
}

/// The effect of a step was caused at least once, once more at most for each kill before the step was on record, and never again
/// after it was.
pub(crate) fn assert_done_once(what: &str, effects: &Effects, (effect, key): (&str, &str), kills: &[AtKill]) {
    let done = effects.count(effect);
    let unrecorded = kills.iter().filter(|kill| !kill.is_recorded(key)).count();
    assert!((1..=1 + unrecorded).contains(&done), "{what}: `{effect}` was done {done} times: {:?}", effects.all());
    for kill in kills.iter().filter(|kill| kill.is_recorded(key)) {
        assert_eq!(done, kill.count(effect), "{what}: `{effect}` was done again after it was on record");
    }
}
