//! `durable dashboard`: serves the dashboard of a database to this machine, until Ctrl-C.

use std::net::{Ipv4Addr, SocketAddr};

use clap::Args;
use durable_dashboard::Dashboard;
use serde_json::json;
use tokio::net::TcpListener;

use crate::connection::Connection;
use crate::dev::until_signalled;
use crate::failure::Failure;
use crate::screen::{Format, Screen};

/// Connections to the database: pages read several things at once.
const CONNECTIONS: u32 = 6;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The port on this machine; 0 for any that is free
    #[arg(long, default_value_t = 4400, value_name = "PORT")]
    port: u16,
    /// Refuse every change
    #[arg(long)]
    read_only: bool,
}

pub(crate) async fn carry_out(
    Options { port, read_only }: &Options,
    connection: &Connection,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let durable = connection.builder()?.max_connections(CONNECTIONS).start().await.map_err(Failure::of_connecting)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).await.map_err(|error| {
        Failure::failed(format!("failed to listen on port {port} of 127.0.0.1: {error}; choose another with --port"))
    })?;
    let ended = until_signalled();
    let dashboard = Dashboard::new(durable.clone());
    let dashboard = if *read_only { dashboard.read_only() } else { dashboard };
    let service = dashboard.into_router().into_make_service_with_connect_info::<SocketAddr>();
    announce(listener.local_addr()?, connection, screen)?;
    // An open page holds a connection, so serving ends with the signal and does not wait for pages to be closed.
    tokio::select! {
        served = axum::serve(listener, service) => served?,
        ended = ended => ended?,
    }
    Ok(durable.shutdown().await?)
}

fn announce(address: SocketAddr, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let url = format!("http://{address}/");
    match screen.format {
        Format::Json => screen.json_line(&json!({ "url": url, "schema": connection.schema.as_str() })),
        Format::Ids => screen.line(url),
        Format::Table => screen.line(format!("The dashboard is at {url}, for this machine only. Ctrl-C ends it.")),
    }
}
