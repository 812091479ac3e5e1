//! `durable dev`: a private Postgres for development, migrated, until Ctrl-C.

use clap::Args;
use durable::migrate;
use durable_postgres::{Cluster, ClusterOptions, Lifetime};
use serde_json::json;

use crate::connection::Connection;
use crate::failure::Failure;
use crate::screen::{Format, Screen};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The name of the cluster: servers of one name have one set of data
    #[arg(long, default_value = "dev", value_name = "NAME")]
    name: String,
    /// Begin with nothing, and delete everything at the end
    #[arg(long)]
    temporary: bool,
}

pub(crate) async fn carry_out(
    Options { name, temporary }: &Options,
    connection: &Connection,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let lifetime = if *temporary { Lifetime::Temporary } else { Lifetime::Persistent };
    let options = ClusterOptions { name: name.clone(), lifetime, ..ClusterOptions::default() };
    let cluster = tokio::task::spawn_blocking(|| Cluster::start(options)).await.map_err(std::io::Error::other)?;
    let cluster = cluster.map_err(|error| Failure::failed(format!("failed to {error}")))?;
    // Listens for signals before it says that the server is ready: a script that reads this may end the program at once.
    let ended = until_signalled();
    migrate::migrate(&cluster.url(), &connection.schema).await?;
    announce(&cluster.url(), connection, screen)?;
    ended.await?;
    // A temporary one stops and goes with its value.
    if !temporary {
        cluster.stop().map_err(|error| Failure::failed(format!("failed to {error}")))?;
    }
    Ok(())
}

fn announce(url: &str, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    match screen.format {
        Format::Json => screen.json_line(&json!({ "database_url": url, "schema": connection.schema.as_str() })),
        Format::Ids => screen.line(url),
        Format::Table => screen.line(format!(
            "Postgres is ready, and its schema `{schema}` is up to date. For development only.\n\n  \
             export DATABASE_URL={url}\n\n\
             Your application connects with `Durable::builder().database_url(&std::env::var(\"DATABASE_URL\")?)`,\n\
             this program in another shell with the same variable: `durable execution list`.\n\
             Ctrl-C ends it.",
            schema = connection.schema
        )),
    }
}

/// Returns at Ctrl-C or SIGTERM.
#[cfg(unix)]
pub(crate) fn until_signalled() -> impl Future<Output = std::io::Result<()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = signal(SignalKind::interrupt()).and_then(|interrupt| Ok((interrupt, signal(SignalKind::terminate())?)));
    async move {
        let (mut interrupt, mut terminate) = signals?;
        tokio::select! {
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
        }
    }
}
