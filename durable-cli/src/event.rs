//! `durable event …`: messages to executions.

use clap::Subcommand;
use durable::ExecutionId;
use serde_json::json;

use crate::connection::Connection;
use crate::failure::Failure;
use crate::screen::{Format, Screen};
use crate::value;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Send an event to an execution, which gets it now, or as soon as it waits for it
    Send {
        /// The execution
        id: ExecutionId,
        /// The name of the event
        name: String,
        /// What it carries, as JSON: the text itself, `@file`, or `-` for standard input
        #[arg(default_value = "null", value_name = "JSON")]
        payload: String,
        /// Send it before its wait begins: do not fail if nothing waits for it now
        #[arg(long)]
        early: bool,
    },
    /// Give something to every execution that waits on a topic now; prints how many got it
    Publish {
        /// The topic
        topic: String,
        /// What is published, as JSON: the text itself, `@file`, or `-` for standard input
        #[arg(default_value = "null", value_name = "JSON")]
        payload: String,
        /// What it is about, such as order-42
        #[arg(long, value_name = "TEXT")]
        correlation: Option<String>,
        /// Publish it once, however often this is called with this key
        #[arg(long)]
        key: Option<String>,
    },
}

pub(crate) async fn carry_out(verb: &Verb, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    match verb {
        Verb::Send { id, name, payload, early } => {
            let payload = value::json(payload)?;
            let durable = connection.client().await?;
            let delivery = durable.send_event(*id, name, &payload).await?;
            let printed = screen.delivered(("sent to", &format!("event `{name}`")), *id, &delivery, *early);
            durable.shutdown().await?;
            printed
        }
        Verb::Publish { topic, payload, correlation, key } => {
            let payload = value::json(payload)?;
            let durable = connection.client().await?;
            let mut publication = durable.publish(topic, &payload);
            if let Some(correlation) = correlation {
                publication = publication.correlation(correlation);
            }
            if let Some(key) = key {
                publication = publication.key(key);
            }
            let reached = publication.await?;
            match screen.format {
                Format::Table => screen.line(format!("reached {reached}"))?,
                Format::Json => screen.json_line(&json!({ "reached": reached }))?,
                Format::Ids => {}
            }
            Ok(durable.shutdown().await?)
        }
    }
}
