//! `durable worker …`: processes that run executions.

use clap::Subcommand;
use durable::WorkerStatus;

use crate::connection::Connection;
use crate::failure::Failure;
use crate::screen::{Row, Screen, time};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the workers that live, and those that were lost and have not been forgotten yet
    List,
}

impl Row for WorkerStatus {
    const HEADINGS: &'static [&'static str] = &["id", "host", "process", "queues", "started", "lease until", "state", "running"];

    fn cells(&self) -> Vec<String> {
        let state = match (self.lost_at, self.live) {
            (Some(_), _) => "lost",
            (None, true) => "live",
            (None, false) => "late",
        };
        vec![
            self.id.to_string(),
            self.host.clone(),
            self.process_id.to_string(),
            self.queues.join(","),
            time(self.started_at),
            time(self.lease_until),
            state.to_owned(),
            self.running.to_string(),
        ]
    }

    fn id(&self) -> String {
        self.id.to_string()
    }
}

pub(crate) async fn carry_out(verb: &Verb, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    match verb {
        Verb::List => {
            let durable = connection.client().await?;
            screen.rows(&durable.list_workers().await?)?;
            Ok(durable.shutdown().await?)
        }
    }
}
