//! What keeps an execution from continuing.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::wait::time;
use super::{AttemptOutcome, ExecutionDetails, ExecutionState, Wait, WaitKind};
use crate::error::Failure;
use crate::ids::ExecutionId;
use crate::shell;

/// One thing that keeps an execution from continuing. `Display` says in a sentence what would end it, and
/// [`command`](Self::command) names the command.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Blocker {
    /// It is paused.
    Paused {
        /// When it was paused.
        since: DateTime<Utc>,
    },
    /// It was stopped: its code does not fit its journal, or no end of it could be recorded.
    Stopped {
        /// What was wrong.
        error: Failure,
    },
    /// A step or a compensation has failed and is to be tried again.
    Retry {
        /// The journal key of the step.
        key: String,
        /// The number of the attempt that failed.
        attempt: u32,
        /// Why it failed.
        error: Option<Failure>,
    },
    /// It sleeps.
    Sleep(OpenWait),
    /// It is a graph, and waits for the time at which a timer fires.
    Timer {
        /// The name of the timer.
        node: String,
        /// The wait.
        #[serde(flatten)]
        wait: OpenWait,
    },
    /// It waits for one of these events.
    Event {
        /// The names.
        names: Vec<String>,
        /// The wait.
        #[serde(flatten)]
        wait: OpenWait,
    },
    /// It is a graph, and waits for a change of its inputs.
    Change {
        /// The inputs that must be given, as far as this process knows the graph.
        missing: Vec<String>,
        /// The wait.
        #[serde(flatten)]
        wait: OpenWait,
    },
    /// It waits for an answer to a question.
    Input {
        /// The name of the input.
        name: String,
        /// What is asked.
        prompt: Option<String>,
        /// Who is to answer; `None` if it has no assignee.
        #[serde(default)]
        assignee: Option<String>,
        /// The wait.
        #[serde(flatten)]
        wait: OpenWait,
    },
    /// It waits for a publication.
    Topic {
        /// The topic.
        topic: String,
        /// What the publication must be about, if that matters.
        correlation: Option<String>,
        /// The wait.
        #[serde(flatten)]
        wait: OpenWait,
    },
    /// It waits for the end of a child.
    Child {
        /// The child, if it was started.
        child: Option<ExecutionId>,
        /// The wait.
        #[serde(flatten)]
        wait: OpenWait,
    },
    /// It is to start later.
    StartsLater {
        /// When.
        at: DateTime<Utc>,
    },
    /// Its queue is paused.
    QueuePaused {
        /// The queue.
        queue: String,
        /// When it was paused.
        since: DateTime<Utc>,
    },
    /// As many executions of its queue run as may run at once.
    QueueFull {
        /// The queue.
        queue: String,
        /// How many of its executions run.
        running: u64,
        /// How many may run.
        concurrency: u32,
    },
    /// No live worker claims from its queue.
    NoWorker {
        /// The queue.
        queue: String,
    },
    /// No live worker that claims from its queue can run it.
    UnknownWorkflow {
        /// The queue.
        queue: String,
        /// The name of the workflow.
        workflow: String,
        /// Its version.
        version: u32,
    },
    /// It waits for its turn: for a free slot of a worker, or for the limits of its queue and its concurrency key.
    Turn {
        /// The queue.
        queue: String,
    },
}

/// A wait that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OpenWait {
    /// Its journal key.
    pub key: String,
    /// When it began.
    pub since: DateTime<Utc>,
    /// When it ends by itself, if ever.
    pub until: Option<DateTime<Utc>>,
}

impl Blocker {
    /// The command that would end it for this execution, if there is one; words in capitals are to be filled in.
    pub fn command(&self, id: ExecutionId) -> Option<String> {
        let command = match self {
            Self::Paused { .. } | Self::Stopped { .. } => format!("durable execution resume {id}"),
            Self::Event { names, .. } => format!("durable event send {id} {} PAYLOAD", shell::word(names.first()?)),
            Self::Change { missing, .. } => {
                let name = missing.first().map_or_else(|| "NAME".into(), |name| shell::word(name));
                format!("durable input set {id} {name}=VALUE")
            }
            Self::Input { name, .. } => format!("durable input give {id} {} ANSWER", shell::word(name)),
            Self::Topic { topic, correlation: None, .. } => format!("durable event publish {} PAYLOAD", shell::word(topic)),
            Self::Topic { topic, correlation: Some(about), .. } => {
                format!("durable event publish {} PAYLOAD --correlation {}", shell::word(topic), shell::word(about))
            }
            Self::Child { child, .. } => format!("durable execution get {}", (*child)?),
            Self::QueuePaused { queue, .. } => format!("durable queue resume {}", shell::word(queue)),
            Self::Retry { .. }
            | Self::Sleep(_)
            | Self::Timer { .. }
            | Self::StartsLater { .. }
            | Self::QueueFull { .. }
            | Self::NoWorker { .. }
            | Self::UnknownWorkflow { .. }
            | Self::Turn { .. } => return None,
        };
        Some(command)
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paused { since } => write!(f, "it is paused since {}: resume it", time(*since)),
            Self::Stopped { error } => write!(f, "it was stopped: {error}; deploy code that fits, then resume it"),
            Self::Retry { key, attempt, error } => {
                write!(f, "`{key}` is to be tried again after attempt {attempt} failed")?;
                error.as_ref().map_or(Ok(()), |error| write!(f, ": {error}"))
            }
            Self::Sleep(wait @ OpenWait { key, .. }) => write!(f, "`{key}` sleeps ({wait})"),
            Self::Timer { node, wait } => write!(f, "timer `{node}` must fire ({wait})"),
            Self::Event { names, wait } => match &names[..] {
                [name] => write!(f, "event `{name}` must be sent ({wait})"),
                names => write!(f, "one of the events `{}` must be sent ({wait})", names.join("`, `")),
            },
            Self::Change { missing, wait } if missing.is_empty() => write!(f, "an input must be changed ({wait})"),
            Self::Change { missing, wait } => match &missing[..] {
                [name] => write!(f, "the input `{name}` must be given ({wait})"),
                names => write!(f, "the inputs `{}` must be given ({wait})", names.join("`, `")),
            },
            Self::Input { name, prompt, assignee, wait } => {
                write!(f, "input `{name}` must be given")?;
                assignee.as_ref().map_or(Ok(()), |assignee| write!(f, " by `{assignee}`"))?;
                prompt.as_ref().map_or(Ok(()), |prompt| write!(f, ": {prompt}"))?;
                write!(f, " ({wait})")
            }
            Self::Topic { topic, correlation: Some(about), wait } => {
                write!(f, "something must be published to `{topic}` about `{about}` ({wait})")
            }
            Self::Topic { topic, correlation: None, wait } => write!(f, "something must be published to `{topic}` ({wait})"),
            Self::Child { child: Some(child), wait } => write!(f, "child {child} must end (`{}`, {wait})", wait.key),
            Self::Child { child: None, wait } => write!(f, "`{}` must end ({wait})", wait.key),
            Self::StartsLater { at } => write!(f, "it is to start at {}", time(*at)),
            Self::QueuePaused { queue, since } => {
                write!(f, "its queue `{queue}` is paused since {}: resume the queue", time(*since))
            }
            Self::QueueFull { queue, running, concurrency } => {
                write!(
                    f,
                    "{running} executions of its queue `{queue}` run, and {concurrency} may run at once: it waits for its turn"
                )
            }
            Self::NoWorker { queue } => write!(f, "no live worker claims from its queue `{queue}`: start one"),
            Self::UnknownWorkflow { queue, workflow, version } => {
                write!(f, "no live worker on queue `{queue}` knows workflow `{workflow}` version {version}: start one that does")
            }
            Self::Turn { queue } => write!(
                f,
                "it waits for its turn in queue `{queue}`: for a free slot, or for the limits of the queue or of its concurrency key"
            ),
        }
    }
}

impl fmt::Display for OpenWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "waiting since {}", time(self.since))?;
        self.until.map_or(Ok(()), |until| write!(f, ", until {}", time(until)))
    }
}

impl From<&Wait> for Blocker {
    fn from(wait: &Wait) -> Self {
        let open = OpenWait { key: wait.key.clone(), since: wait.started_at, until: wait.due_at };
        let name = wait.name.clone();
        match wait.kind {
            // A close is over at once, so no one finds it open.
            WaitKind::Sleep | WaitKind::Close => Self::Sleep(open),
            WaitKind::Event if wait.names.is_empty() => Self::Event { names: vec![name], wait: open },
            WaitKind::Event => Self::Event { names: wait.names.clone(), wait: open },
            WaitKind::Input => Self::Input { name, prompt: wait.prompt.clone(), assignee: wait.assignee.clone(), wait: open },
            WaitKind::Topic => Self::Topic { topic: name, correlation: wait.correlation.clone(), wait: open },
            WaitKind::Child => Self::Child { child: wait.child_id, wait: open },
        }
    }
}

impl ExecutionDetails {
    /// What keeps this execution from continuing, as far as the execution itself says. Empty if it has ended, and if it runs and
    /// waits for nothing. [`Durable::introspect`](crate::client::Durable::introspect) also looks at its queue and at the workers.
    pub fn blockers(&self) -> Vec<Blocker> {
        let execution = &self.execution;
        if execution.state.is_finished() {
            return Vec::new();
        }
        let paused = execution.paused_at.map(|since| Blocker::Paused { since });
        let stopped = execution.error.clone().map(|error| Blocker::Stopped { error });
        let waits = self.waits.iter().filter(|wait| wait.outcome.is_none()).map(Blocker::from);
        let blockers = paused.into_iter().chain(stopped).chain(self.retries()).chain(waits);
        blockers.chain(self.start()).collect()
    }

    /// The steps and compensations that are to be tried again.
    fn retries(&self) -> impl Iterator<Item = Blocker> {
        let is_undone = |step: &str| {
            self.compensations.iter().any(|undone| undone.step == step && (undone.output.is_some() || undone.error.is_some()))
        };
        let compensations = self.compensations.iter().map(|undone| (&undone.step, &undone.attempts));
        let compensations = compensations.filter(move |(step, _)| !is_undone(step));
        let steps = self.steps.iter().filter(|step| !step.is_over()).map(|step| (&step.key, &step.attempts));
        steps.chain(compensations).filter_map(|(key, attempts)| {
            let last = attempts.last().filter(|last| last.outcome == AttemptOutcome::Failed)?;
            Some(Blocker::Retry { key: key.clone(), attempt: last.number, error: last.error.clone() })
        })
    }

    /// What must come before it starts.
    fn start(&self) -> Option<Blocker> {
        let execution = &self.execution;
        match (execution.state, execution.wake_at) {
            (ExecutionState::Pending, Some(at)) => Some(Blocker::StartsLater { at }),
            // If no worker has had it, it waits for its start and not for a timer.
            (ExecutionState::Paused, Some(at)) if execution.epoch == 0 => Some(Blocker::StartsLater { at }),
            (ExecutionState::Pending, None) => Some(Blocker::Turn { queue: execution.queue.clone() }),
            _ => None,
        }
    }
}
