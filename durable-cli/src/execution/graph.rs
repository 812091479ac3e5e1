//! `durable execution graph`.

use clap::Args;
use durable::ExecutionId;

use crate::connection::Connection;
use crate::failure::Failure;
use crate::graph::Drawn;
use crate::screen::Screen;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The execution
    id: ExecutionId,
    #[command(flatten)]
    drawn: Drawn,
}

pub(crate) async fn carry_out(options: &Options, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let durable = connection.client().await?;
    let found = durable.graph(options.id).await;
    durable.shutdown().await?;
    let found = found?;
    options.drawn.print(screen, &found, || found.to_mermaid(), || found.to_svg())
}
