//! The metrics of a process, through the facade `metrics`: this file has every name, unit and label. The guide's page lists them,
//! and a test compares the two with what is emitted.
//!
//! Counters and histograms are fed after the commit of what they count, once. Frequent metrics keep their handles, so that they
//! cost almost nothing without a recorder.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Unit, counter, gauge, histogram};

use crate::error::ErrorKind;
use crate::model::{ExecutionState, FiringOutcome, QueueSlots};

const WORKFLOW_STARTED: &str = "durable.workflow.started";
const WORKFLOW_COMPLETED: &str = "durable.workflow.completed";
const WORKFLOW_FAILED: &str = "durable.workflow.failed";
const WORKFLOW_CANCELLED: &str = "durable.workflow.cancelled";
const WORKFLOW_DURATION: &str = "durable.workflow.duration";
const STEP_DURATION: &str = "durable.step.duration";
const STEP_ATTEMPTS: &str = "durable.step.attempts";
const SCHEDULE_TO_START: &str = "durable.queue.schedule_to_start";
const WORKER_SLOTS: &str = "durable.worker.slots";
const LEASE_LOST: &str = "durable.lease.lost";
const RECOVERY_COUNT: &str = "durable.recovery.count";
const TASK_RESTARTS: &str = "durable.task.restarts";
const ROWS_UNREADABLE: &str = "durable.rows.unreadable";
const STEP_LOGS_DROPPED: &str = "durable.step.logs_dropped";
const SCHEDULE_LAG: &str = "durable.schedule.lag";
const SCHEDULE_SKIPPED: &str = "durable.schedule.skipped";
const DB_ROUNDTRIP: &str = "durable.db.roundtrip";
const NOTIFY_DELIVERING: &str = "durable.notify.delivering";
const QUEUE_DEPTH: &str = "durable.queue.depth";
const QUEUE_OLDEST_AGE: &str = "durable.queue.oldest_age";
const HUMAN_INPUT_PENDING: &str = "durable.human_input.pending";
const EVENT_UNCONSUMED: &str = "durable.event.unconsumed";
const STORAGE_DEAD_TUPLES: &str = "durable.storage.dead_tuples";
const STORAGE_XMIN_AGE: &str = "durable.storage.xmin_age";

/// Tells the recorder what the metrics are, and in which units.
pub(crate) fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!(WORKFLOW_STARTED, Unit::Count, "executions that began");
    describe_counter!(WORKFLOW_COMPLETED, Unit::Count, "executions that completed");
    describe_counter!(WORKFLOW_FAILED, Unit::Count, "executions that failed, or were rolled back");
    describe_counter!(WORKFLOW_CANCELLED, Unit::Count, "executions that were cancelled");
    describe_histogram!(WORKFLOW_DURATION, Unit::Seconds, "from the beginning of an execution to its end, waits included");
    describe_histogram!(STEP_DURATION, Unit::Seconds, "how long an attempt at a step took");
    describe_counter!(STEP_ATTEMPTS, Unit::Count, "attempts at steps");
    describe_histogram!(SCHEDULE_TO_START, Unit::Seconds, "from when an execution could begin until it did");
    describe_gauge!(WORKER_SLOTS, Unit::Count, "slots of this process");
    describe_counter!(LEASE_LOST, Unit::Count, "leases that this process lost");
    describe_counter!(RECOVERY_COUNT, Unit::Count, "executions taken from lost workers");
    describe_counter!(TASK_RESTARTS, Unit::Count, "tasks of the engine that panicked and were started again");
    describe_counter!(ROWS_UNREADABLE, Unit::Count, "rows that were set aside because they could not be read");
    describe_counter!(STEP_LOGS_DROPPED, Unit::Count, "attempts whose logs were dropped, because they could not be kept in time");
    describe_histogram!(SCHEDULE_LAG, Unit::Seconds, "from a due time until its execution was created");
    describe_counter!(SCHEDULE_SKIPPED, Unit::Count, "due times skipped because an execution ran");
    describe_histogram!(DB_ROUNDTRIP, Unit::Seconds, "how long the database took to answer");
    describe_gauge!(NOTIFY_DELIVERING, Unit::Count, "1 while notifications arrive, 0 while polling alone finds work");
    describe_gauge!(QUEUE_DEPTH, Unit::Count, "executions that have not ended");
    describe_gauge!(QUEUE_OLDEST_AGE, Unit::Seconds, "how long the oldest execution that could run has waited");
    describe_gauge!(HUMAN_INPUT_PENDING, Unit::Count, "questions without an answer");
    describe_gauge!(EVENT_UNCONSUMED, Unit::Count, "messages that nothing has waited for yet");
    describe_gauge!(STORAGE_DEAD_TUPLES, Unit::Count, "dead rows that vacuum has not removed");
    // Rare counters exist from the start, so that an alarm can be set on them.
    counter!(STEP_LOGS_DROPPED).increment(0);
    ["executions", "waits", "schedules"].iter().for_each(|table| counter!(ROWS_UNREADABLE, "table" => *table).increment(0));
    describe_gauge!(STORAGE_XMIN_AGE, Unit::Count, "transactions since the oldest snapshot that vacuum cannot pass");
}

/// The metrics of the workflows that run in a process, by workflow and queue.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    workflows: RwLock<HashMap<String, HashMap<String, Arc<WorkflowMetrics>>>>,
}

impl Metrics {
    pub(crate) fn of(&self, workflow: &str, queue: &str) -> Arc<WorkflowMetrics> {
        let known = self.workflows.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(metrics) = known.get(workflow).and_then(|queues| queues.get(queue)) {
            return metrics.clone();
        }
        drop(known);
        let mut known = self.workflows.write().unwrap_or_else(PoisonError::into_inner);
        let queues = known.entry(workflow.to_owned()).or_default();
        queues.entry(queue.to_owned()).or_insert_with(|| Arc::new(WorkflowMetrics::new(workflow, queue))).clone()
    }
}

/// The metrics of one workflow in one queue.
#[derive(Debug)]
pub(crate) struct WorkflowMetrics {
    workflow: String,
    queue: String,
    started: Counter,
    schedule_to_start: Histogram,
    completed: Counter,
    took_to_complete: Histogram,
    steps: RwLock<HashMap<&'static str, Completions>>,
}

/// Attempts at one step that ended it well.
#[derive(Debug, Clone)]
struct Completions {
    count: Counter,
    took: Histogram,
}

/// How an attempt at a step ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AttemptEnd {
    Completed,
    /// No other attempt follows.
    Failed(ErrorKind),
    Retried(ErrorKind),
}

impl WorkflowMetrics {
    fn new(workflow: &str, queue: &str) -> Self {
        let (workflow, queue) = (workflow.to_owned(), queue.to_owned());
        Self {
            started: counter!(WORKFLOW_STARTED, "workflow" => workflow.clone(), "queue" => queue.clone()),
            schedule_to_start: histogram!(SCHEDULE_TO_START, "queue" => queue.clone()),
            completed: counter!(WORKFLOW_COMPLETED, "workflow" => workflow.clone(), "queue" => queue.clone()),
            took_to_complete: duration_of(&workflow, &queue, ExecutionState::Completed),
            steps: RwLock::default(),
            workflow,
            queue,
        }
    }

    /// An execution began, this long after it could have begun.
    pub(crate) fn started(&self, waited: Duration) {
        self.started.increment(1);
        self.schedule_to_start.record(waited);
    }

    /// An execution completed, so long after it began.
    pub(crate) fn completed(&self, took: Duration) {
        self.completed.increment(1);
        self.took_to_complete.record(took);
    }

    /// An execution ended in another way.
    pub(crate) fn ended(&self, state: ExecutionState, error: ErrorKind, took: Duration) {
        if state == ExecutionState::Cancelled {
            cancelled(&self.queue);
        } else {
            let labels = [
                ("workflow", self.workflow.clone()),
                ("queue", self.queue.clone()),
                ("outcome", state.as_str().to_owned()),
                ("error.type", error.as_str().to_owned()),
            ];
            counter!(WORKFLOW_FAILED, &labels).increment(1);
        }
        duration_of(&self.workflow, &self.queue, state).record(took);
    }

    /// An attempt at a step ended so.
    pub(crate) fn attempted(&self, step: &'static str, end: AttemptEnd, took: Duration) {
        let (outcome, error) = match end {
            AttemptEnd::Completed => {
                let completions = self.completions(step);
                completions.count.increment(1);
                return completions.took.record(took);
            }
            AttemptEnd::Failed(error) => ("failed", error),
            AttemptEnd::Retried(error) => ("retried", error),
        };
        self.attempts(step, outcome, error.as_str()).increment(1);
        self.took(step, outcome).record(took);
    }

    fn completions(&self, step: &'static str) -> Completions {
        if let Some(completions) = self.steps.read().unwrap_or_else(PoisonError::into_inner).get(step) {
            return completions.clone();
        }
        let mut steps = self.steps.write().unwrap_or_else(PoisonError::into_inner);
        let new = || Completions { count: self.attempts(step, "completed", ""), took: self.took(step, "completed") };
        steps.entry(step).or_insert_with(new).clone()
    }

    fn attempts(&self, step: &'static str, outcome: &'static str, error: &'static str) -> Counter {
        counter!(STEP_ATTEMPTS, "workflow" => self.workflow.clone(), "step" => step, "outcome" => outcome, "error.type" => error)
    }

    fn took(&self, step: &'static str, outcome: &'static str) -> Histogram {
        histogram!(STEP_DURATION, "workflow" => self.workflow.clone(), "step" => step, "outcome" => outcome)
    }
}

fn duration_of(workflow: &str, queue: &str, state: ExecutionState) -> Histogram {
    let (workflow, queue) = (workflow.to_owned(), queue.to_owned());
    histogram!(WORKFLOW_DURATION, "workflow" => workflow, "queue" => queue, "outcome" => state.as_str())
}

/// An execution was cancelled. A cancel of many does not know their workflows.
pub(crate) fn cancelled(queue: &str) {
    counter!(WORKFLOW_CANCELLED, "queue" => queue.to_owned()).increment(1);
}

/// The gauges of the slots of one queue.
#[derive(Debug)]
pub(crate) struct SlotGauges {
    used: Gauge,
    free: Gauge,
}

impl SlotGauges {
    pub(crate) fn of(queue: &str) -> Self {
        let state = |state: &'static str| gauge!(WORKER_SLOTS, "queue" => queue.to_owned(), "state" => state);
        Self { used: state("used"), free: state("free") }
    }

    pub(crate) fn set(&self, slots: &QueueSlots) {
        self.used.set(slots.in_use);
        self.free.set(slots.slots.saturating_sub(slots.in_use));
    }
}

/// This process lost its lease.
pub(crate) fn lease_lost() {
    counter!(LEASE_LOST).increment(1);
}

/// An execution of a lost worker is back in its queue.
pub(crate) fn recovered(queue: &str) {
    counter!(RECOVERY_COUNT, "queue" => queue.to_owned()).increment(1);
}

/// A task of the engine runs, and has not panicked yet.
pub(crate) fn task_started(task: &str) {
    counter!(TASK_RESTARTS, "task" => task.to_owned()).increment(0);
}

/// A task of the engine panicked.
pub(crate) fn task_restarted(task: &str) {
    counter!(TASK_RESTARTS, "task" => task.to_owned()).increment(1);
}

/// The logs of so many attempts were dropped.
pub(crate) fn step_logs_dropped(attempts: usize) {
    counter!(STEP_LOGS_DROPPED).increment(attempts as u64);
}

/// A row was set aside because it could not be read.
pub(crate) fn unreadable_row(table: &'static str) {
    counter!(ROWS_UNREADABLE, "table" => table).increment(1);
}

/// A schedule was fired, so long after it was due.
pub(crate) fn schedule_fired(schedule: &str, outcome: FiringOutcome, lag: Duration) {
    let schedule = schedule.to_owned();
    match outcome {
        FiringOutcome::Started => histogram!(SCHEDULE_LAG, "schedule" => schedule).record(lag),
        FiringOutcome::Skipped => counter!(SCHEDULE_SKIPPED, "schedule" => schedule).increment(1),
        _ => {}
    }
}

/// The timer of the database's answers to one kind of statement.
pub(crate) fn roundtrip(operation: &'static str) -> Histogram {
    histogram!(DB_ROUNDTRIP, "operation" => operation)
}

/// Whether notifications arrive.
pub(crate) fn delivering(delivering: bool) {
    gauge!(NOTIFY_DELIVERING).set(f64::from(u8::from(delivering)));
}

/// A gauge of the database, which has the same value in every process. The words are those of `doctor/measure.sql`.
pub(crate) fn database_gauge(measure: &str, name: Option<&str>, state: Option<&str>) -> Option<Gauge> {
    let label = || name.unwrap_or_default().to_owned();
    Some(match measure {
        "queue_depth" => gauge!(QUEUE_DEPTH, "queue" => label(), "state" => state.unwrap_or_default().to_owned()),
        "queue_oldest_age" => gauge!(QUEUE_OLDEST_AGE, "queue" => label()),
        "human_input_pending" => gauge!(HUMAN_INPUT_PENDING),
        "event_unconsumed" => gauge!(EVENT_UNCONSUMED),
        "storage_dead_tuples" => gauge!(STORAGE_DEAD_TUPLES, "table" => label()),
        "storage_xmin_age" => gauge!(STORAGE_XMIN_AGE),
        _ => return None,
    })
}
