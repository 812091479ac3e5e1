//! What the command line asks for: which workloads, and how large.

use durable::{Error, Result};

/// A workload of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workload {
    /// Queued executions of one step, until all are completed.
    W1,
    /// Executions of ten steps in sequence.
    W2,
    /// From a start to its result, when idle.
    W3,
    /// From an event to the result, and how late a sleep ends.
    W4,
    /// Many parked sleepers.
    W5,
    /// Starts, one by one and in batches.
    Enqueue,
    /// Branches, items, a saga, children, a transaction.
    Flows,
    /// An `each` of a graph, beside a map.
    G4,
    /// Executions with long journals.
    Resume,
    /// Answers of 4 MiB.
    Answer,
    /// Claims with few and many pending, and with limits.
    Claims,
    /// Events that were sent before anything waits for them.
    Early,
    /// Schedules that are due at once.
    Schedules,
    /// A full queue with notifications, and without.
    Notices,
    /// One queue and several processes.
    Sharing,
    /// Queues with a rate, and with keys.
    Limits,
    /// A loop that continues as new.
    Loop,
    /// Work under an old snapshot.
    Snapshots,
    /// A worker's memory with many pending.
    Backlog,
    /// Pages of the executions with a tag, among very many.
    Lists,
    /// Many queues with nothing pending.
    Idle,
    /// Updates of a watched execution, beside a thousand others.
    Watch,
    /// Steps that log ten lines each, beside silent ones.
    Logs,
    /// Replays of live executions and of exported journals.
    Replay,
    /// Executions of a graph of five steps, beside W2.
    G1,
    /// Graphs of a thousand nodes.
    G2,
    /// A change of a graph that is open, and a thousand at rest.
    G3,
}

const ALL: [(&str, Workload); 27] = [
    ("w1", Workload::W1),
    ("w2", Workload::W2),
    ("w3", Workload::W3),
    ("w4", Workload::W4),
    ("w5", Workload::W5),
    ("enqueue", Workload::Enqueue),
    ("flows", Workload::Flows),
    ("g4", Workload::G4),
    ("resume", Workload::Resume),
    ("answer", Workload::Answer),
    ("claims", Workload::Claims),
    ("early", Workload::Early),
    ("schedules", Workload::Schedules),
    ("notices", Workload::Notices),
    ("sharing", Workload::Sharing),
    ("limits", Workload::Limits),
    ("loop", Workload::Loop),
    ("snapshots", Workload::Snapshots),
    ("backlog", Workload::Backlog),
    ("lists", Workload::Lists),
    ("idle", Workload::Idle),
    ("watch", Workload::Watch),
    ("logs", Workload::Logs),
    ("replay", Workload::Replay),
    ("g1", Workload::G1),
    ("g2", Workload::G2),
    ("g3", Workload::G3),
];

/// How large the workloads are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// How often each throughput is measured; the median counts.
    pub(crate) runs: usize,
    /// Executions of one step.
    pub(crate) one_step: usize,
    /// Executions of ten steps.
    pub(crate) ten_steps: usize,
    /// Starts whose result is awaited.
    pub(crate) starts: usize,
    /// Events sent to a waiting execution.
    pub(crate) events: usize,
    /// Sleeps of a second.
    pub(crate) naps: usize,
    /// Executions put to rest.
    pub(crate) sleepers: usize,
    /// How long the parked sleepers are observed.
    pub(crate) rest_seconds: u64,
    /// Starts of each concurrent caller.
    pub(crate) starts_per_caller: usize,
    /// Batches of starts.
    pub(crate) batches: usize,
    /// Executions with branches, sagas, transactions.
    pub(crate) flows: usize,
    /// Iterations of a loop.
    pub(crate) iterations: u64,
    /// Items of a map.
    pub(crate) items: usize,
    /// Most executions pending while claims are measured, and memory is.
    pub(crate) pending: usize,
    /// Live executions that are replayed; a tenth as many exported journals are.
    pub(crate) replays: usize,
    /// Schedules that are due in one second.
    pub(crate) schedules: usize,
}

impl Scale {
    const FULL: Self = Self {
        runs: 3,
        one_step: 5_000,
        ten_steps: 500,
        starts: 200,
        events: 100,
        naps: 20,
        sleepers: 20_000,
        rest_seconds: 20,
        starts_per_caller: 500,
        batches: 40,
        flows: 500,
        iterations: 20_000,
        items: 10_000,
        pending: 1_000_000,
        replays: 10_000,
        schedules: 1_000,
    };

    const QUICK: Self = Self {
        runs: 1,
        one_step: 1_000,
        ten_steps: 100,
        starts: 20,
        events: 10,
        naps: 4,
        sleepers: 2_000,
        rest_seconds: 3,
        starts_per_caller: 50,
        batches: 4,
        flows: 50,
        iterations: 2_000,
        items: 1_000,
        pending: 100_000,
        replays: 1_000,
        schedules: 100,
    };
}

/// The command line, understood.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) workloads: Vec<Workload>,
    pub(crate) scale: Scale,
}

impl Arguments {
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut parsed = Self { workloads: Vec::new(), scale: Scale::FULL };
        for argument in arguments {
            match argument.as_str() {
                // Cargo says so to every bench.
                "--bench" => {}
                "--quick" => parsed.scale = Scale::QUICK,
                name => parsed.workloads.push(find(name)?),
            }
        }
        if parsed.workloads.is_empty() {
            parsed.workloads.extend(ALL.map(|(_, workload)| workload));
        }
        Ok(parsed)
    }
}

fn find(name: &str) -> Result<Workload> {
    let found = ALL.iter().find(|(known, _)| *known == name).map(|(_, workload)| *workload);
    found.ok_or_else(|| {
        let known = ALL.map(|(known, _)| known).join(", ");
        Error::new(format!("there is no workload `{name}`; name some of {known}, or none for all, and --quick for small ones"))
    })
}
