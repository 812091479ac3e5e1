//! `durable migrate …`: the schema in the database. The program `durable-migrate` has the same verbs.

use clap::Subcommand;
use durable::migrate::{self, Status, VERSION};
use serde_json::json;

use crate::connection::Connection;
use crate::failure::Failure;
use crate::screen::{Format, Screen};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Create the schema or bring it up to date
    Up,
    /// Show what was applied and what is pending
    Status,
    /// Fail unless the schema is exactly what this program brings
    Check,
    /// Print the migrations as a script, without asking a database
    Sql {
        /// The version of the schema; 0 if it does not exist
        #[arg(long, default_value_t = 0, value_name = "VERSION")]
        from: i32,
        /// The version that it shall have
        #[arg(long, default_value_t = VERSION, value_name = "VERSION")]
        to: i32,
    },
    /// Print what a role needs to run workflows
    Grants {
        /// The role; it must exist
        #[arg(long)]
        role: String,
    },
}

pub(crate) async fn carry_out(verb: &Verb, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let schema = &connection.schema;
    match verb {
        Verb::Up => {
            let report = migrate::migrate(connection.url()?, schema).await?;
            let applied: Vec<String> = report.applied.iter().map(ToString::to_string).collect();
            match screen.format {
                Format::Json => screen.json(&json!({ "schema": schema.as_str(), "version": VERSION, "applied": applied })),
                _ => screen.line(report),
            }
        }
        Verb::Status => {
            let status = migrate::status(connection.url()?, schema).await?;
            show(&status, screen)
        }
        Verb::Check => {
            let status = migrate::status(connection.url()?, schema).await?;
            status.accept()?;
            match screen.format {
                Format::Json => show(&status, screen),
                _ => screen.line(format!("schema {schema} is up to date, at version {VERSION}")),
            }
        }
        Verb::Sql { from, to } => screen.line(migrate::sql(*from, *to, schema)?.trim_end()),
        Verb::Grants { role } => screen.line(migrate::grants(role, schema)?.trim_end()),
    }
}

fn show(status: &Status, screen: &mut Screen) -> Result<(), Failure> {
    if screen.format != Format::Json {
        return screen.line(status);
    }
    let applied: Vec<_> = status
        .applied
        .iter()
        .map(|applied| json!({ "version": applied.version, "name": applied.name, "applied_at": applied.applied_at }))
        .collect();
    screen.json(&json!({
        "schema": status.schema.as_str(),
        "version": status.database_version,
        "known_version": status.known_version,
        "applied": applied,
        "pending": status.pending.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "functions": status.functions.to_string(),
    }))
}
