//! `durable queue …`: limits, pauses, and what is in the queues.

use std::time::Duration;

use clap::{Args, Subcommand};
use durable::{Queue, QueueLimits};

use crate::connection::Connection;
use crate::failure::Failure;
use crate::screen::{Row, Screen, maybe_time};
use crate::value::{self, Rate};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the queues that have limits, a worker or something to run, with what is in them
    List,
    /// Stop claims from a queue; running executions continue
    Pause(Name),
    /// Have a queue claimed from again
    Resume(Name),
    /// Pause a queue, and wait until nothing of it runs; exit code 1 if something still does when the time is over
    Drain {
        #[command(flatten)]
        name: Name,
        /// How long to wait
        #[arg(long, default_value = "30s", value_parser = value::duration, value_name = "DURATION")]
        timeout: Duration,
    },
    /// Set the limits of a queue over all workers; a limit that is left out is removed
    Limits(Limits),
}

#[derive(Debug, Args)]
pub(crate) struct Name {
    /// The queue
    name: String,
}

#[derive(Debug, Args)]
pub(crate) struct Limits {
    #[command(flatten)]
    name: Name,
    /// How many executions may run at once
    #[arg(long, value_name = "EXECUTIONS")]
    concurrency: Option<u32>,
    /// How many may begin in a period, as in 5/1s or 100/1m
    #[arg(long, value_parser = value::rate, value_name = "RATE")]
    rate: Option<Rate>,
    /// How many of each concurrency key may begin in a period
    #[arg(long, value_parser = value::rate, value_name = "RATE")]
    rate_per_key: Option<Rate>,
}

impl Row for Queue {
    const HEADINGS: &'static [&'static str] = &["name", "pending", "running", "concurrency", "rate", "rate per key", "paused"];

    fn cells(&self) -> Vec<String> {
        let QueueLimits { concurrency, rate, rate_per_key, .. } = &self.limits;
        let shown = |rate: &Option<durable::Rate>| rate.map(|rate| format!("{}/{:?}", rate.executions, rate.period));
        vec![
            self.name.clone(),
            self.pending.to_string(),
            self.running.to_string(),
            concurrency.map(|limit| limit.to_string()).unwrap_or_default(),
            shown(rate).unwrap_or_default(),
            shown(rate_per_key).unwrap_or_default(),
            maybe_time(self.paused_at),
        ]
    }

    fn id(&self) -> String {
        self.name.clone()
    }
}

pub(crate) async fn carry_out(verb: &Verb, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let durable = connection.client().await?;
    match verb {
        Verb::List => screen.rows(&durable.queues().await?)?,
        Verb::Pause(Name { name }) => {
            durable.queue(name).pause().await?;
            screen.done("paused", name)?;
        }
        Verb::Resume(Name { name }) => {
            durable.queue(name).resume().await?;
            screen.done("resumed", name)?;
        }
        Verb::Drain { name: Name { name }, timeout } => {
            let left = durable.queue(name).drain(*timeout).await?;
            if left > 0 {
                durable.shutdown().await?;
                return Err(Failure::failed(format!("{left} executions of queue `{name}` still run; it stays paused")));
            }
            screen.done("drained", name)?;
        }
        Verb::Limits(limits) => {
            let name = &limits.name.name;
            durable.queue(name).set_limits(limits.checked()).await?;
            screen.done("limited", name)?;
        }
    }
    Ok(durable.shutdown().await?)
}

impl Limits {
    fn checked(&self) -> QueueLimits {
        let mut limits = QueueLimits::default();
        if let Some(executions) = self.concurrency {
            limits = limits.concurrency(executions);
        }
        if let Some(Rate { executions, period }) = self.rate {
            limits = limits.rate(executions, period);
        }
        if let Some(Rate { executions, period }) = self.rate_per_key {
            limits = limits.rate_per_key(executions, period);
        }
        limits
    }
}
