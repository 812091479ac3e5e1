//! `durable execution history`.

use clap::Args;
use durable::{ExecutionId, ExecutionValue};

use crate::connection::Connection;
use crate::failure::Failure;
use crate::screen::{Row, Screen, time};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The execution
    id: ExecutionId,
    /// The node: an input or a step of a graph
    node: String,
}

impl Row for ExecutionValue {
    const HEADINGS: &'static [&'static str] = &["revision", "since", "value", "metadata"];

    fn cells(&self) -> Vec<String> {
        let metadata = self.metadata.as_ref().map(|metadata| metadata.as_str().to_owned());
        vec![self.revision.to_string(), time(self.set_at), self.value.as_str().to_owned(), metadata.unwrap_or_default()]
    }

    fn id(&self) -> String {
        self.revision.to_string()
    }
}

pub(crate) async fn carry_out(options: &Options, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let durable = connection.client().await?;
    let values = durable.history(options.id, &options.node).await;
    durable.shutdown().await?;
    screen.rows(&values?)
}
