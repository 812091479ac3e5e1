//! `durable prune`: deletes executions that ended long ago.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use durable::ExecutionState;
use serde_json::json;

use crate::connection::Connection;
use crate::failure::Failure;
use crate::screen::{Format, Screen};
use crate::value;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only executions that ended longer than this ago, as in 12h, 30d
    #[arg(long, value_parser = value::duration, value_name = "DURATION")]
    older_than: Duration,
    /// Only executions of this workflow
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// Only executions that ended in these states
    #[arg(long, value_delimiter = ',', value_name = "STATE,…")]
    state: Vec<ExecutionState>,
    /// Say how many would go, and delete nothing
    #[arg(long)]
    dry_run: bool,
    /// Delete at most this many at a time
    #[arg(long, default_value_t = 1000, value_name = "EXECUTIONS")]
    batch: u32,
}

pub(crate) async fn carry_out(options: &Options, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    if screen.format == Format::Ids {
        return Err(Failure::usage("what was pruned has no ids any more; leave `-o ids` out"));
    }
    let durable = connection.client().await?;
    let mut prune = durable.prune(options.older_than).batch(options.batch);
    if let Some(workflow) = &options.workflow {
        prune = prune.workflow(workflow);
    }
    for state in &options.state {
        prune = prune.state(*state);
    }
    if options.dry_run {
        let count = prune.count().await?;
        match screen.format {
            Format::Json => screen.json_line(&json!({ "would_prune": { "executions": count } }))?,
            _ => screen.line(format!("would prune {count} executions; nothing was deleted"))?,
        }
        return Ok(durable.shutdown().await?);
    }
    let tell = |so_far: durable::Pruned| {
        // Progress is only shown. If nothing shows it, nothing is lost.
        writeln!(std::io::stderr(), "pruned {} executions so far", so_far.executions).ok();
    };
    let pruned = prune.on_batch(tell).await?;
    let (executions, publications) = (pruned.executions, pruned.publications);
    match screen.format {
        Format::Json => screen.json_line(&json!({ "pruned": { "executions": executions, "publications": publications } }))?,
        _ => screen.line(format!("pruned {executions} executions and {publications} publications"))?,
    }
    Ok(durable.shutdown().await?)
}
