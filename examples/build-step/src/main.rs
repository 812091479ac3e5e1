//! Shows what the build step of this package did: the state of the schema in the database of `DATABASE_URL`.

use std::io::Write;
use std::process::ExitCode;

use durable_migrate::SchemaName;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match report().await {
        Ok(text) => say(&text, ExitCode::SUCCESS),
        Err(problem) => say(&problem, ExitCode::FAILURE),
    }
}

async fn report() -> Result<String, String> {
    let Ok(url) = std::env::var("DATABASE_URL") else {
        return Err("set DATABASE_URL to a Postgres database, as in postgres://localhost/app, and build again".to_owned());
    };
    let schema = match std::env::var("DURABLE_SCHEMA") {
        Ok(name) => name.parse(),
        Err(_) => Ok(SchemaName::default()),
    };
    let status = match schema {
        Ok(schema) => durable_migrate::status(&url, &schema).await,
        Err(error) => Err(error),
    };
    status.map(|status| status.to_string()).map_err(|error| format!("failed to {error}"))
}

fn say(text: &str, code: ExitCode) -> ExitCode {
    writeln!(std::io::stdout(), "{text}").map_or(ExitCode::FAILURE, |()| code)
}
