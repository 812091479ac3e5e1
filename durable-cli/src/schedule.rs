//! `durable schedule …`: what is started by the clock.

use clap::{Args, Subcommand};
use durable::chrono::{DateTime, Utc};
use durable::{Durable, Fire, Schedule};
use serde::Serialize;
use serde_json::json;

use crate::connection::Connection;
use crate::failure::Failure;
use crate::screen::{Format, Row, Screen, maybe_time, short, time};
use crate::value;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the schedules by name, with when they fire next
    List {
        /// Only those of this workflow
        #[arg(long, value_name = "NAME")]
        workflow: Option<String>,
    },
    /// Show a schedule whole, as JSON
    Get(Name),
    /// Create a schedule, or replace the one with that name: what is not given is as by default
    Put(Put),
    /// List the times for which a schedule fired, the latest first
    Fires {
        #[command(flatten)]
        name: Name,
        /// At most this many, 1 to 1000
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Print the next times at which a schedule is due
    Next {
        #[command(flatten)]
        name: Name,
        /// How many, 1 to 1000
        #[arg(long, default_value_t = 5)]
        count: u32,
    },
    /// Let a schedule fire again
    Enable(Name),
    /// Have a schedule fire no more
    Disable {
        #[command(flatten)]
        name: Name,
        /// Why, for the record
        #[arg(long, value_name = "TEXT", default_value = "by request, from the command line")]
        reason: String,
    },
    /// Start an execution of a schedule now; prints its id
    Trigger {
        #[command(flatten)]
        name: Name,
        /// Another input than the schedule's, as JSON: the text itself, `@file`, or `-` for standard input
        #[arg(long, value_name = "JSON")]
        input: Option<String>,
    },
    /// Fire a schedule for the due times of a range for which it has not fired
    Backfill {
        #[command(flatten)]
        name: Name,
        /// The beginning of the range, as 2026-11-21T14:00:00Z or 2026-11-21
        #[arg(long, value_parser = value::time, value_name = "TIME")]
        from: DateTime<Utc>,
        /// Its end, which does not belong to it
        #[arg(long, value_parser = value::time, value_name = "TIME")]
        to: DateTime<Utc>,
    },
    /// Delete a schedule; what it started goes on
    Delete(Name),
}

#[derive(Debug, Args)]
pub(crate) struct Name {
    /// The schedule
    name: String,
}

#[derive(Debug, Args)]
pub(crate) struct Put {
    #[command(flatten)]
    name: Name,
    /// The name of the workflow that it starts
    workflow: String,
    /// When it fires: a cron expression such as `0 9 * * MON-FRI`, or an interval such as `every 15m`
    rule: String,
    /// The time zone of the rule, such as Europe/Berlin
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    timezone: String,
    /// The input of its executions as JSON: the text itself, `@file`, or `-` for standard input
    #[arg(long, default_value = "null", value_name = "JSON")]
    input: String,
    /// The queue, as the code of the workflow names it
    #[arg(long, default_value = "default", value_name = "NAME")]
    queue: String,
    /// The version of the workflow
    #[arg(long, default_value_t = 1)]
    version: u32,
}

impl Row for Schedule {
    const HEADINGS: &'static [&'static str] = &["name", "workflow", "rule", "zone", "enabled", "next", "failures", "last error"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.workflow.clone(),
            self.rule.clone(),
            self.timezone.clone(),
            if self.enabled { "yes" } else { "no" }.to_owned(),
            maybe_time(self.next_due_at),
            self.failures.to_string(),
            self.last_error.as_ref().map(|error| short(&error.message)).unwrap_or_default(),
        ]
    }

    fn id(&self) -> String {
        self.name.clone()
    }
}

impl Row for Fire {
    const HEADINGS: &'static [&'static str] = &["due", "fired", "cause", "outcome", "execution", "state"];

    fn cells(&self) -> Vec<String> {
        vec![
            time(self.due_at),
            time(self.fired_at),
            word(&self.cause),
            word(&self.outcome),
            self.id(),
            self.state.map(|state| state.to_string()).unwrap_or_default(),
        ]
    }

    fn id(&self) -> String {
        self.execution_id.map(|id| id.to_string()).unwrap_or_default()
    }
}

/// The word that JSON has for it.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

pub(crate) async fn carry_out(verb: &Verb, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let durable = connection.client().await?;
    match verb {
        Verb::List { workflow } => {
            let mut list = durable.list_schedules();
            if let Some(workflow) = workflow {
                list = list.workflow(workflow);
            }
            screen.rows(&list.await?)?;
        }
        Verb::Get(Name { name }) => screen.json(&durable.get_schedule(name).await?)?,
        Verb::Put(put) => put_schedule(put, &durable, screen).await?,
        Verb::Fires { name: Name { name }, limit } => {
            // One that nobody knows has no fires, and is to be told apart from one that has not fired yet.
            durable.get_schedule(name).await?;
            screen.rows(&durable.schedule_fires(name).limit(*limit).await?)?;
        }
        Verb::Next { name: Name { name }, count } => {
            let times = durable.next_due_times(name, *count).await?;
            match screen.format {
                Format::Json => screen.json(&times)?,
                _ => times.iter().try_for_each(|at| screen.line(time(*at)))?,
            }
        }
        Verb::Enable(Name { name }) => {
            durable.enable_schedule(name).await?;
            screen.done("enabled", name)?;
        }
        Verb::Disable { name: Name { name }, reason } => {
            durable.disable_schedule(name, reason).await?;
            screen.done("disabled", name)?;
        }
        Verb::Trigger { name: Name { name }, input } => {
            let mut trigger = durable.trigger_schedule(name);
            if let Some(input) = input {
                trigger = trigger.input(&value::json(input)?);
            }
            screen.done("started", trigger.await?)?;
        }
        Verb::Backfill { name: Name { name }, from, to } => {
            let fired = durable.backfill_schedule(name, *from..*to).await?;
            match screen.format {
                Format::Json => screen.json_line(&json!({ "fired": fired }))?,
                _ => screen.line(format!("fired for {fired} due times"))?,
            }
        }
        Verb::Delete(Name { name }) => {
            durable.delete_schedule(name).await?;
            screen.done("deleted", name)?;
        }
    }
    Ok(durable.shutdown().await?)
}

async fn put_schedule(put: &Put, durable: &Durable, screen: &mut Screen) -> Result<(), Failure> {
    let name = &put.name.name;
    let input = value::json(&put.input)?;
    let schedule = durable.schedule_workflow(name, &put.workflow, &put.rule, &input);
    schedule.timezone(&put.timezone).queue(&put.queue).version(put.version).await?;
    screen.done("scheduled", name)
}
