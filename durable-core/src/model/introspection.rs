//! Where an execution is, and why it does not continue.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::wait::time;
use super::{Blocker, ExecutionDetails, KeptMessage, MOST_MESSAGES, NodeDetails};

/// An execution with its journal, and what keeps it from continuing; see
/// [`Durable::introspect`](crate::client::Durable::introspect). `Display` is the same as text for people, over several lines.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Introspection {
    /// The execution, its steps and its waits.
    #[serde(flatten)]
    pub details: ExecutionDetails,
    /// What keeps it from continuing. Empty if it has ended, and if it runs and waits for nothing.
    pub blockers: Vec<Blocker>,
    /// Its nodes, if it is a graph: in the order in which they are written if the graph is registered in this process, otherwise in
    /// the order of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeDetails>,
}

impl fmt::Display for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { details, blockers, nodes } = self;
        let execution = &details.execution;
        write!(f, "execution {} of `{}` version {} is {}", execution.id, execution.workflow, execution.version, execution.state)?;
        let ended = execution.finished_at.map(|at| format!(", since {}", time(at)));
        let began = execution.started_at.map(|at| format!("; it began at {}", time(at)));
        f.write_str(&ended.or(began).unwrap_or_else(|| format!("; it was started at {}", time(execution.created_at))))?;
        if !execution.tags.is_empty() {
            let tags: Vec<String> = execution.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
            write!(f, "\ntags: {}", tags.join(" "))?;
        }
        let last = details.steps.iter().rfind(|step| step.is_over());
        if let Some((last, at)) = last.and_then(|step| Some((step, step.attempts.last()?.finished_at?))) {
            write!(f, "\nlast recorded: `{}` at {}", last.key, time(at))?;
        }
        for step in details.steps.iter().filter(|step| step.is_running()) {
            write!(f, "\nunder way: `{}`", step.key)?;
        }
        for node in nodes {
            write!(f, "\nnode {node}")?;
        }
        for blocker in blockers {
            write!(f, "\n- {blocker}")?;
            if let Some(command) = blocker.command(execution.id) {
                write!(f, "\n  {command}")?;
            }
        }
        if execution.state.is_finished() && !details.mailbox.is_empty() {
            write!(f, "\n- {}", unread(&details.mailbox))?;
        }
        Ok(())
    }
}

/// How many messages an ended execution was sent that no wait took, by their names.
fn unread(mailbox: &[KeptMessage]) -> String {
    let mut by_name: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for message in mailbox {
        *by_name.entry((message.kind.as_str(), &message.name)).or_default() += 1;
    }
    let names: Vec<String> = by_name.iter().map(|((kind, name), count)| format!("{kind} `{name}` ({count})")).collect();
    let (count, more) = (mailbox.len(), if mailbox.len() < usize::from(MOST_MESSAGES) { "" } else { " or more" });
    let messages = if count == 1 { "message was" } else { "messages were" };
    format!("{count}{more} acknowledged {messages} never read: {}", names.join(", "))
}
