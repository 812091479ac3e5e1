//! `durable worker …`: processes that run executions.

use clap::Subcommand;
use durable::{WorkerDetails, WorkerId};

use crate::connection::Connection;
use crate::failure::Failure;
use crate::screen::{Row, Screen, time};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the workers, the youngest first; lost ones too, until others have taken over what they held
    List,
    /// Have a worker claim nothing more, for a release that is to fade out
    Deprecate {
        /// The worker
        id: WorkerId,
    },
}

impl Row for WorkerDetails {
    const HEADINGS: &'static [&'static str] =
        &["id", "state", "host", "process", "version", "queues", "started", "lease until", "stuck"];

    fn cells(&self) -> Vec<String> {
        let queues = self.queues.iter().map(|slots| format!("{} {}/{}", slots.queue, slots.in_use, slots.slots));
        vec![
            self.id.to_string(),
            self.state.as_str().to_owned(),
            self.host.clone(),
            self.process_id.to_string(),
            self.version.clone().unwrap_or_default(),
            queues.collect::<Vec<_>>().join(", "),
            time(self.started_at),
            time(self.lease_until),
            stuck(self),
        ]
    }

    fn id(&self) -> String {
        self.id.to_string()
    }
}

/// The code that does not return on that worker.
fn stuck(worker: &WorkerDetails) -> String {
    let runtime = worker.unresponsive_since.map(|since| format!("no answer since {}", time(since)));
    let executions = worker.stuck_executions.iter().map(|id| id.to_string());
    runtime.into_iter().chain(executions).collect::<Vec<_>>().join(", ")
}

pub(crate) async fn carry_out(verb: &Verb, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let durable = connection.client().await?;
    match verb {
        Verb::List => screen.rows(&durable.workers().await?)?,
        Verb::Deprecate { id } => {
            durable.deprecate_worker(*id).await?;
            screen.done("deprecated", *id)?;
        }
    }
    Ok(durable.shutdown().await?)
}
