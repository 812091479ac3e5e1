//! `durable execution start`.

use std::time::Duration;

use clap::Args;

use crate::connection::Connection;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::value;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The name of the workflow
    workflow: String,
    /// Its input as JSON: the text itself, `@file`, or `-` for standard input
    #[arg(long, default_value = "null", value_name = "JSON")]
    input: String,
    /// Start it once, however often this is called with this key
    #[arg(long)]
    key: Option<String>,
    /// Start none while another of the workflow with this key has not ended
    #[arg(long, value_name = "KEY")]
    deduplication_key: Option<String>,
    /// The queue, as the code of the workflow names it
    #[arg(long, default_value = "default", value_name = "NAME")]
    queue: String,
    /// Higher is claimed first
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    priority: i16,
    /// Not before this much time has passed, as in 90s, 1h30m, 7d
    #[arg(long, value_parser = value::duration, value_name = "DURATION")]
    delay: Option<Duration>,
    /// Never begin it if no worker has claimed it within this time, as in 90s, 1h30m, 7d
    #[arg(long, value_parser = value::duration, value_name = "DURATION")]
    time_to_live: Option<Duration>,
    /// A tag to find it by, as tenant=acme; may be given several times
    #[arg(long, value_parser = value::tag, value_name = "NAME=VALUE")]
    tag: Vec<(String, String)>,
    /// The version of the workflow
    #[arg(long, default_value_t = 1)]
    version: u32,
}

pub(crate) async fn carry_out(options: &Options, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let input = value::json(&options.input)?;
    let durable = connection.client().await?;
    let mut start = durable
        .start_by_name(&options.workflow, &input)
        .version(options.version)
        .queue(&options.queue)
        .priority(options.priority);
    if let Some(key) = &options.key {
        start = start.key(key);
    }
    if let Some(key) = &options.deduplication_key {
        start = start.deduplication_key(key);
    }
    if let Some(delay) = options.delay {
        start = start.delay(delay);
    }
    if let Some(time) = options.time_to_live {
        start = start.time_to_live(time);
    }
    for (name, value) in &options.tag {
        start = start.tag(name, value);
    }
    let id = start.await?;
    screen.done("started", id)?;
    Ok(durable.shutdown().await?)
}
