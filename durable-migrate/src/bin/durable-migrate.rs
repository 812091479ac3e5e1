//! The program `durable-migrate`: the library's calls, from a shell.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use durable_migrate::{Error, SchemaName, VERSION};

/// Creates, updates and checks the Postgres schema of durable.
#[derive(Debug, Parser)]
#[command(version, after_help = "Exit codes: 0 done, 1 failed or (check) not up to date, 2 wrong usage.")]
struct Arguments {
    /// The database, as postgres://user:password@host:port/database
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,

    /// The schema that holds everything
    #[arg(long, global = true, env = "DURABLE_SCHEMA", default_value_t, value_name = "NAME")]
    schema: SchemaName,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Create the schema or bring it up to date
    Migrate,
    /// Show what was applied and what is pending
    Status,
    /// Fail unless the schema is exactly what this program brings
    Check,
    /// Print the migrations as a script, without asking a database
    Sql {
        /// The version that the schema has; 0 where it does not exist
        #[arg(long, default_value_t = 0, value_name = "VERSION")]
        from: i32,
        /// The version that it shall have
        #[arg(long, default_value_t = VERSION, value_name = "VERSION")]
        to: i32,
    },
    /// Print what a role needs to run workflows
    Grants {
        /// The role, which must exist
        #[arg(long)]
        role: String,
    },
}

/// What ends the program early.
enum Failure {
    /// Exit code 2.
    Usage(&'static str),
    /// Exit code 1.
    Failed(String),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).and_then(|text| print(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(problem)) => complain(&format!("failed to {problem}"), 1),
        Err(Failure::Usage(problem)) => complain(problem, 2),
    }
}

fn run(arguments: &Arguments) -> Result<String, Failure> {
    let schema = &arguments.schema;
    match &arguments.verb {
        Verb::Sql { from, to } => Ok(durable_migrate::sql(*from, *to, schema)?),
        Verb::Grants { role } => Ok(durable_migrate::grants(role, schema)?),
        Verb::Migrate | Verb::Status | Verb::Check => {
            let url = arguments.database_url.as_deref().filter(|url| !url.trim().is_empty());
            let url = url.ok_or(Failure::Usage("no database was given; pass --database-url or set DATABASE_URL"))?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(ask(&arguments.verb, url, schema))
        }
    }
}

async fn ask(verb: &Verb, url: &str, schema: &SchemaName) -> Result<String, Failure> {
    if matches!(verb, Verb::Migrate) {
        return Ok(format!("{}\n", durable_migrate::migrate(url, schema).await?));
    }
    let status = durable_migrate::status(url, schema).await?;
    if matches!(verb, Verb::Check) {
        status.accept()?;
        return Ok(format!("schema {schema} is up to date, at version {VERSION}\n"));
    }
    Ok(format!("{status}\n"))
}

fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        // The reader has seen enough, as in `durable-migrate sql | head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

fn complain(problem: &str, code: u8) -> ExitCode {
    // Where standard error is closed, the exit code still tells.
    writeln!(std::io::stderr(), "durable-migrate: {problem}").ok();
    ExitCode::from(code)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(format!("talk to the system: {error}"))
    }
}
