//! `durable execution retry-all`, `resume-all` and `cancel-all`.

use clap::Args;
use durable::{Bulk, BulkOutcome, ExecutionList};
use serde_json::json;

use super::list::{Filter, filtered};
use crate::connection::Connection;
use crate::failure::Failure;
use crate::screen::{Format, Screen};

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    filter: Filter,
    /// Do it; without this, only say how many executions there are
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CancelAll {
    #[command(flatten)]
    options: Options,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "by request, from the command line")]
    reason: String,
}

/// What is done, and what has become of an execution.
struct Words {
    verb: &'static str,
    done: &'static str,
}

pub(crate) async fn retry(options: &Options, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let words = Words { verb: "retry", done: "retried" };
    carry_out(options, &words, connection, screen, |list| list.retry_all()).await
}

pub(crate) async fn resume(options: &Options, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let words = Words { verb: "resume", done: "resumed" };
    carry_out(options, &words, connection, screen, |list| list.resume_all()).await
}

pub(crate) async fn cancel(all: &CancelAll, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let words = Words { verb: "cancel", done: "cancelled" };
    carry_out(&all.options, &words, connection, screen, |list| list.cancel_all(&all.reason)).await
}

async fn carry_out(
    Options { filter, yes }: &Options,
    words: &Words,
    connection: &Connection,
    screen: &mut Screen,
    bulk: impl for<'durable> Fn(ExecutionList<'durable>) -> Bulk<'durable>,
) -> Result<(), Failure> {
    let durable = connection.client().await?;
    if *yes {
        // What cannot be written to a closed pipe does not stop what is under way.
        let mut written = Ok(());
        let on_each = |outcome: &BulkOutcome| {
            if written.is_ok() {
                written = show(outcome, words, screen);
            }
        };
        let report = bulk(filtered(&durable, filter)).on_each(on_each).await?;
        written?;
        eprintln!("{} {}, {} skipped", report.done, words.done, report.skipped);
    } else {
        let executions = bulk(filtered(&durable, filter)).count().await?;
        match screen.format {
            Format::Json => screen.json(&json!({ "executions": executions }))?,
            _ => screen.line(format!("would {} {executions} executions; add --yes to do it", words.verb))?,
        }
    }
    Ok(durable.shutdown().await?)
}

fn show(BulkOutcome { id, result, .. }: &BulkOutcome, words: &Words, screen: &mut Screen) -> Result<(), Failure> {
    match result {
        Ok(new) if new == id => screen.done(words.done, *id)?,
        Ok(new) => screen.became(words.done, *id, *new)?,
        Err(why) => eprintln!("skipped {id}: {why}"),
    }
    Ok(())
}
