//! `durable schedule …`: what is started by the clock.

use clap::{Args, Subcommand};
use durable::chrono::{DateTime, Utc};
use durable::{Durable, ErrorKind, Firing, PutSchedule, Schedule};
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
        /// Only schedules of this workflow
        #[arg(long, value_name = "NAME")]
        workflow: Option<String>,
        /// At most this many, 1 to 1000
        #[arg(long, default_value_t = 1000)]
        limit: u32,
        /// Continue after this name, the last one of the previous page
        #[arg(long, value_name = "NAME")]
        after: Option<String>,
    },
    /// Show a schedule whole, as JSON
    Get(Name),
    /// Create a schedule, or change the one with that name: what is not given stays, or is as by default in a new one
    Put(Put),
    /// Change what is given of a schedule; the rest stays
    Update(Update),
    /// List the times for which a schedule fired, the latest first
    Firings {
        #[command(flatten)]
        name: Name,
        /// At most this many, 1 to 1000
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Continue before this due time, the last one of the previous page
        #[arg(long, value_parser = value::time, value_name = "TIME")]
        before: Option<DateTime<Utc>>,
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
    /// Stop a schedule from firing
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
    /// Delete a schedule; executions that it started continue
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
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    name: Name,
    /// When it fires: a cron expression such as `0 9 * * MON-FRI`, or an interval such as `every 15m`
    #[arg(long)]
    rule: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// The time zone of the rule, such as Europe/Berlin; UTC by default
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// The input of its executions as JSON: the text itself, `@file`, or `-` for standard input; null by default
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// The queue, as the code of the workflow names it; `default` by default
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// The version of the workflow; 1 by default
    #[arg(long)]
    version: Option<u32>,
    /// A tag of its executions, as tenant=acme; may be given several times
    #[arg(long, value_parser = value::tag, value_name = "NAME=VALUE")]
    tag: Vec<(String, String)>,
}

impl Settings {
    /// The schedule with what is given.
    fn apply<'durable>(&self, mut schedule: PutSchedule<'durable>) -> Result<PutSchedule<'durable>, Failure> {
        let Self { timezone, input, queue, version, tag } = self;
        if let Some(timezone) = timezone {
            schedule = schedule.timezone(timezone);
        }
        if let Some(input) = input {
            schedule = schedule.input(&value::json(input)?);
        }
        if let Some(queue) = queue {
            schedule = schedule.queue(queue);
        }
        if let Some(version) = version {
            schedule = schedule.version(*version);
        }
        for (name, value) in tag {
            schedule = schedule.tag(name, value);
        }
        Ok(schedule)
    }

    fn is_empty(&self) -> bool {
        let Self { timezone, input, queue, version, tag } = self;
        timezone.is_none() && input.is_none() && queue.is_none() && version.is_none() && tag.is_empty()
    }
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

impl Row for Firing {
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
        Verb::List { workflow, limit, after } => {
            let mut list = durable.list_schedules().limit(*limit);
            if let Some(workflow) = workflow {
                list = list.workflow(workflow);
            }
            if let Some(after) = after {
                list = list.after(after);
            }
            let page = list.await?;
            screen.rows(&page)?;
            screen.more("--after", page.next);
        }
        Verb::Get(Name { name }) => screen.json(&durable.get_schedule(name).await?)?,
        Verb::Put(put) => put_schedule(put, &durable, screen).await?,
        Verb::Update(update) => update_schedule(update, &durable, screen).await?,
        Verb::Firings { name: Name { name }, limit, before } => {
            // An unknown schedule has no record, but neither has a schedule that has not fired yet: tell them apart.
            durable.get_schedule(name).await?;
            let mut firings = durable.schedule_firings(name).limit(*limit);
            if let Some(before) = before {
                firings = firings.before(*before);
            }
            let page = firings.await?;
            screen.rows(&page)?;
            screen.more("--before", page.next.map(|due| due.to_rfc3339()));
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
    let Put { name: Name { name }, workflow, rule, settings } = put;
    let schedule = match durable.get_schedule(name).await {
        Ok(there) if there.workflow == *workflow => durable.update_schedule(name).rule(rule),
        Ok(there) => {
            let problem =
                format!("schedule `{name}` starts workflow `{}`; delete it, or give yours another name", there.workflow);
            return Err(Failure::failed(problem));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => durable.schedule_workflow(name, workflow, rule, &()),
        Err(error) => return Err(error.into()),
    };
    settings.apply(schedule)?.await?;
    screen.done("scheduled", name)
}

async fn update_schedule(update: &Update, durable: &Durable, screen: &mut Screen) -> Result<(), Failure> {
    let Update { name: Name { name }, rule, settings } = update;
    let mut schedule = durable.update_schedule(name);
    match rule {
        Some(rule) => schedule = schedule.rule(rule),
        None if settings.is_empty() => {
            return Err(Failure::usage("nothing is to change; give a rule, a time zone, an input, a queue or a version"));
        }
        None => {}
    }
    settings.apply(schedule)?.await?;
    screen.done("changed", name)
}
