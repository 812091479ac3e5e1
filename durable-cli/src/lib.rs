//! The program `durable`: start, look at, answer, repair and tidy up executions, from the database alone.
//!
//! It needs no code of yours, only the address of the database: `--database-url`, or `DATABASE_URL` in the environment.
//!
//! ```sh
//! durable dev                                             # a private Postgres, migrated, until Ctrl-C
//! durable execution start process_order --input '{"id": 42}' --queue orders
//! durable execution list --state failed -o ids | durable execution retry -
//! durable execution get 01989f2c-7b12-7000-8000-00000000002a
//! durable input give 01989f2c-7b12-7000-8000-00000000002a approval true --by ada@example.com
//! durable doctor
//! durable dashboard                                       # for a browser on this machine, until Ctrl-C
//! ```
//!
//! `-o table` is for people, `-o json` and `-o ids` are for programs. Wherever ids are asked for, `-` reads them from standard
//! input, one a line. What goes wrong is said on standard error.
//!
//! | exit code | |
//! |---|---|
//! | 0 | done |
//! | 1 | refused or failed; `migrate check`: not up to date; `doctor`: something is wrong; `execution tail`: it did not complete |
//! | 2 | wrong usage: an option, an id, a value that makes no sense; nothing was done |
//! | 3 | the database cannot be reached, or refuses the connection |
//! | 4 | there is no such execution, step, wait |
//! | 5 | `event send`, `input give`: kept, because nothing waits for that name now; `--early` says that it is meant so |

mod bench;
mod connection;
mod dashboard;
mod dev;
mod doctor;
mod event;
mod execution;
mod failure;
mod graph;
mod ids;
mod input;
mod migrate;
mod plain;
mod prune;
mod queue;
mod schedule;
mod screen;
mod story;
mod value;
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use connection::Connection;
use failure::Failure;
use screen::{Format, Screen};

/// What `--help` says about exit codes.
const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  refused or failed; `migrate check`: not up to date; `doctor`: something is wrong; `execution tail`: it did not complete
  2  wrong usage: an option, an id, a value that makes no sense; nothing was done
  3  the database cannot be reached, or refuses the connection
  4  there is no such execution, step, wait
  5  `event send`, `input give`: kept, because nothing waits for that name now; `--early` says that it is meant so";

/// Starts, looks at, answers, repairs and tidies up executions, from the database alone
#[derive(Debug, Parser)]
#[command(name = "durable", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(flatten)]
    connection: Connection,

    /// How to print: a table for people, JSON or bare ids for programs
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    output: Format,

    #[command(subcommand)]
    group: Group,
}

#[derive(Debug, Subcommand)]
enum Group {
    /// Executions: start, list, look at, cancel, repair
    #[command(subcommand)]
    Execution(execution::Verb),
    /// What executions ask people
    #[command(subcommand)]
    Input(input::Verb),
    /// Messages to executions
    #[command(subcommand)]
    Event(event::Verb),
    /// What is started by the clock
    #[command(subcommand)]
    Schedule(schedule::Verb),
    /// Where executions wait for a worker: limits, pauses
    #[command(subcommand)]
    Queue(queue::Verb),
    /// Processes that run executions
    #[command(subcommand)]
    Worker(worker::Verb),
    /// Workflows, as the workers that started with them have described them
    #[command(subcommand)]
    Workflow(graph::Verb),
    /// The schema in the database
    #[command(subcommand)]
    Migrate(migrate::Verb),
    /// Delete executions that ended long ago, with their journals, a batch at a time
    ///
    /// A child goes when its parent is gone or as old, a parent when all its children have ended. Keys are forgotten with them.
    Prune(prune::Options),
    /// Look for what is wrong with the database and what works on it, and say how to repair it; changes nothing
    Doctor,
    /// Measure how many executions a second this database records, and how long one takes; they are deleted afterwards
    Bench(bench::Options),
    /// Run a private Postgres for development, migrated, until Ctrl-C
    Dev(dev::Options),
    /// Serve the dashboard of the database to a browser on this machine, until Ctrl-C
    Dashboard(dashboard::Options),
}

/// Runs the program with the arguments of this process; its exit code is what the table above says.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut screen = Screen::new(arguments.output);
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(carry_out(&arguments, &mut screen)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

async fn carry_out(Arguments { connection, group, .. }: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    match group {
        Group::Execution(verb) => execution::carry_out(verb, connection, screen).await,
        Group::Input(verb) => input::carry_out(verb, connection, screen).await,
        Group::Event(verb) => event::carry_out(verb, connection, screen).await,
        Group::Schedule(verb) => schedule::carry_out(verb, connection, screen).await,
        Group::Queue(verb) => queue::carry_out(verb, connection, screen).await,
        Group::Worker(verb) => worker::carry_out(verb, connection, screen).await,
        Group::Workflow(verb) => graph::carry_out(verb, connection, screen).await,
        Group::Migrate(verb) => migrate::carry_out(verb, connection, screen).await,
        Group::Prune(options) => prune::carry_out(options, connection, screen).await,
        Group::Doctor => doctor::carry_out(connection, screen).await,
        Group::Bench(options) => bench::carry_out(options, connection, screen).await,
        Group::Dev(options) => dev::carry_out(options, connection, screen).await,
        Group::Dashboard(options) => dashboard::carry_out(options, connection, screen).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_make_sense_to_clap() {
        Arguments::command().debug_assert();
    }
}
