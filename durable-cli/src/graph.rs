//! `durable workflow graph`, and how graphs are printed.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::connection::Connection;
use crate::failure::Failure;
use crate::plain;
use crate::screen::{Format, Screen};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Draw the steps, waits, branches and loops of a workflow, from the graph that its workers have kept
    Graph(OfWorkflow),
}

#[derive(Debug, Args)]
pub(crate) struct OfWorkflow {
    /// The name of the workflow
    name: String,
    /// The version of the workflow; the newest by default
    #[arg(long, value_name = "VERSION")]
    version: Option<u32>,
    #[command(flatten)]
    drawn: Drawn,
}

#[derive(Debug, Args)]
pub(crate) struct Drawn {
    /// How to draw; `-o json` is the same as `--format json`
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Picture>,
}

/// How a graph is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Picture {
    /// Text that GitHub and many editors draw
    Mermaid,
    /// A picture for browsers
    Svg,
    /// The nodes and edges, for programs
    Json,
}

pub(crate) async fn carry_out(Verb::Graph(graph): &Verb, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let durable = connection.client().await?;
    let found = durable.workflow_graph(&graph.name, graph.version).await;
    durable.shutdown().await?;
    let found = found?;
    graph.drawn.print(screen, &found, || found.to_mermaid(), || found.to_svg())
}

impl Drawn {
    /// Prints a graph in the format that was asked for.
    pub(crate) fn print(
        &self,
        screen: &mut Screen,
        graph: &impl Serialize,
        mermaid: impl FnOnce() -> String,
        svg: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let of_screen = if screen.format == Format::Json { Picture::Json } else { Picture::Mermaid };
        let text = match self.format.unwrap_or(of_screen) {
            Picture::Json => return screen.json(graph),
            Picture::Mermaid => mermaid(),
            Picture::Svg => svg(),
        };
        screen.line(plain::on_lines(text.trim_end()))
    }
}
