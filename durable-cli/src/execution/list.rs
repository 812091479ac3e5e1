//! `durable execution list`.

use std::io::Write;

use clap::Args;
use durable::chrono::{DateTime, Utc};
use durable::{Cursor, Durable, Execution, ExecutionId, ExecutionList, ExecutionState, IdPrefix, SortBy, SortOrder};

use crate::connection::Connection;
use crate::failure::Failure;
use crate::screen::{Row, Screen, maybe_time, short, time};
use crate::value;

/// Which executions are meant.
#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Only those of this workflow
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// Only those of this version of their workflow
    #[arg(long, value_name = "VERSION")]
    version: Option<u32>,
    /// Only those in these states, such as pending, failed, stopped or paused
    #[arg(long, value_delimiter = ',', value_name = "STATE,…")]
    state: Vec<ExecutionState>,
    /// Only those in this queue
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// Only those started with this key
    #[arg(long)]
    key: Option<String>,
    /// Only executions with this tag, as tenant=acme; given several times (at most four), only executions with all of the tags
    #[arg(long, value_parser = value::tag, value_name = "NAME=VALUE")]
    tag: Vec<(String, String)>,
    /// Only the children of this execution
    #[arg(long, value_name = "ID")]
    parent: Option<ExecutionId>,
    /// Only those whose id begins so
    #[arg(long, value_name = "DIGITS")]
    id: Option<IdPrefix>,
    /// Only those created at this time or later, as 2026-11-21T14:00:00Z or 2026-11-21
    #[arg(long, value_parser = value::time, value_name = "TIME")]
    from: Option<DateTime<Utc>>,
    /// Only those created before this time
    #[arg(long, value_parser = value::time, value_name = "TIME")]
    before: Option<DateTime<Utc>>,
    /// Also archived executions
    #[arg(long)]
    include_archived: bool,
    /// Only archived executions
    #[arg(long, conflicts_with = "include_archived")]
    only_archived: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    filter: Filter,
    /// At most this many, 1 to 1000
    #[arg(long, default_value_t = 50)]
    limit: u32,
    /// Continue after this cursor, which the previous page printed
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor>,
    /// The latest and the greatest first, by: created, started, finished, wakes, priority
    #[arg(long, value_name = "WHAT")]
    sort: Option<SortBy>,
    /// The earliest and the least first
    #[arg(long, requires = "sort")]
    ascending: bool,
    /// Say, too, how many there are on all pages together
    #[arg(long)]
    total: bool,
}

impl Row for Execution {
    const HEADINGS: &'static [&'static str] =
        &["id", "workflow", "version", "state", "queue", "key", "created", "ended", "error"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.workflow.clone(),
            self.version.to_string(),
            state(self),
            self.queue.clone(),
            self.key.clone().unwrap_or_default(),
            time(self.created_at),
            maybe_time(self.finished_at),
            self.error.as_ref().map(|error| short(&error.message)).unwrap_or_default(),
        ]
    }

    fn id(&self) -> String {
        self.id.to_string()
    }
}

/// The state, and whether a part of the row cannot be read.
pub(super) fn state(execution: &Execution) -> String {
    let unreadable = if execution.unreadable.is_some() { " (unreadable)" } else { "" };
    format!("{}{unreadable}", execution.state)
}

pub(crate) async fn carry_out(options: &Options, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let durable = connection.client().await?;
    let mut page = filtered(&durable, &options.filter).limit(options.limit);
    if let Some(sort) = options.sort {
        page = page.order_by(sort, if options.ascending { SortOrder::Ascending } else { SortOrder::Descending });
    }
    if let Some(after) = options.after {
        page = page.after(after);
    }
    let page = page.await?;
    screen.rows(&page.executions)?;
    screen.more("--after", page.next);
    if options.total {
        writeln!(std::io::stderr(), "{} in all", filtered(&durable, &options.filter).count().await?).ok();
    }
    Ok(durable.shutdown().await?)
}

/// The list of those that are asked for.
pub(super) fn filtered<'durable>(durable: &'durable Durable, options: &Filter) -> ExecutionList<'durable> {
    let mut list = durable.list_executions();
    for state in &options.state {
        list = list.state(*state);
    }
    for (name, value) in &options.tag {
        list = list.tag(name, value);
    }
    if options.include_archived {
        list = list.include_archived();
    }
    if options.only_archived {
        list = list.only_archived();
    }
    macro_rules! filter {
        ($($option:ident => $method:ident),*) => {
            $(if let Some(value) = &options.$option {
                list = list.$method(value.to_owned());
            })*
        };
    }
    filter!(
        workflow => workflow, version => version, queue => queue, key => key, parent => parent, id => id_prefix,
        from => created_from, before => created_before
    );
    list
}
