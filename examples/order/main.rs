//! Orders with payments, a sleep, an event and a person's approval, in a worker that is killed half-way.
//!
//! `cargo run --example order` needs nothing prepared; `-- --interactive` lets you approve each order yourself. The workflow
//! is in `workflow.rs`, the worker process in `worker.rs`; this file is the shop around them.

#![expect(clippy::print_stdout, reason = "an example speaks to the person who runs it")]

mod effects;
mod report;
mod worker;
mod workflow;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use durable::migrate::{SchemaName, migrate};
use durable::prelude::*;
use durable::{AttemptOutcome, ExecutionDetails, PendingInput};
use tokio::sync::oneshot;

use effects::EffectsFile;
use report::Story;
use worker::WorkerProcess;
use workflow::{Approval, Order, Packed, ProcessOrder, Receipt};

/// Longer than any stage takes on a busy machine.
const PATIENCE: Duration = seconds(60);

type Orders = Vec<(Order, ExecutionHandle<ProcessOrder>)>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match arguments[..] {
        [worker::ARGUMENT, name, queue, effects] => run_worker(name, queue, Path::new(effects)),
        [] => run_shop(Answers::FromTheExample),
        ["--interactive"] => run_shop(Answers::FromTheTerminal),
        _ => {
            eprintln!("usage: cargo run --example order [-- --interactive]");
            return ExitCode::from(2);
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("order: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Who approves the orders.
#[derive(Debug, Clone, Copy)]
enum Answers {
    FromTheExample,
    FromTheTerminal,
}

#[tokio::main]
async fn run_worker(name: &str, queue: &str, effects: &Path) -> Result<()> {
    // Quiet unless asked: RUST_LOG=durable_core=debug shows what a worker does.
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let url = durable_postgres::database_url()?;
    worker::work(&url, name, queue, effects).await
}

fn run_shop(answers: Answers) -> Result<()> {
    // Before the runtime, as it may have to start a server first.
    let url = durable_postgres::database_url()?;
    tell_story(&url, answers)
}

#[tokio::main]
async fn tell_story(url: &str, answers: Answers) -> Result<()> {
    // Whichever ends first, the other is dropped, and with it the worker process and the effects file.
    tokio::select! {
        told = story(url, answers) => told,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            Err(Error::new("interrupted; its worker has ended too"))
        }
    }
}

async fn story(url: &str, answers: Answers) -> Result<()> {
    let clock = Clock(Instant::now());
    // Keys, queue and file of this run only, so that runs do not meet in a database that lives on.
    let run = uuid::Uuid::new_v4().simple().to_string()[..12].to_owned();
    let queue = format!("orders-{run}");
    let effects = EffectsFile::create(&run)?;

    let migrated = migrate(url, &SchemaName::default()).await?;
    clock.say(format!("schema {} is ready, {} migrations were new", migrated.schema, migrated.applied.len()));
    let durable = Durable::builder().database_url(url).start().await?;
    let mut first = WorkerProcess::start(url, "worker 1", &queue, effects.path())?;
    clock.say(format!("{} is process {}", first.name, first.id()));
    let orders = start_orders(&durable, &run, &queue).await?;
    clock.say(format!("{} orders of examples/orders.json are started", orders.len()));

    until("the payments are under way", async || Ok(is_half_way(&journals(&durable, &orders).await?))).await?;
    first.kill()?;
    let at_the_kill = journals(&durable, &orders).await?;
    clock.say(format!("{} is killed with SIGKILL; completed steps: {}", first.name, report::completed_steps(&at_the_kill)));

    let (early, late) = orders.split_at(orders.len() / 2);
    pack(&durable, early).await?;
    clock.say(format!("the warehouse has packed {} orders, while no worker lives: the events are kept", early.len()));
    let second = WorkerProcess::start(url, "worker 2", &queue, effects.path())?;
    clock.say(format!("{} is process {}; it takes over when the lease of {} is over", second.name, second.id(), first.name));
    pack(&durable, late).await?;

    let questions = questions(&durable, &orders).await?;
    clock.say(format!(
        "{} orders are paid and packed, and wait for a person; they hold no slot and no connection",
        questions.len()
    ));
    show_how_to_answer(url, &questions);
    answer(&durable, &questions, answers).await?;
    for (order, handle) in &orders {
        clock.say(format!("{}  {:<18}{}", order.number, order.customer, summary(&handle.result_within(PATIENCE).await?)));
    }
    let ended = second.terminate().await?;
    clock.say(format!("worker 2 was told to end by SIGTERM and did so in order ({ended})"));

    let at_the_end = journals(&durable, &orders).await?;
    let stories: Vec<Story> = orders
        .iter()
        .zip(at_the_kill.into_iter().zip(at_the_end))
        .map(|((order, _), (at_the_kill, at_the_end))| Story { order: order.number.clone(), at_the_kill, at_the_end })
        .collect();
    let begun = effects.read()?;
    report::print_steps(&stories, &begun, first.name);
    report::print_proof(&stories, &begun, first.name)?;
    durable.shutdown().await
}

/// Starts every order of the file under a key of its own; a second start with the key would return the same execution.
async fn start_orders(durable: &Durable, run: &str, queue: &str) -> Result<Orders> {
    let mut started = Orders::new();
    for order in read_orders()? {
        let key = format!("order-{}-{run}", order.number);
        let handle = durable.start::<ProcessOrder>(order.clone()).key(key).queue(queue).await?;
        started.push((order, handle));
    }
    Ok(started)
}

fn read_orders() -> Result<Vec<Order>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/orders.json");
    let refused = |error: &dyn std::fmt::Display| Error::new(format!("cannot read the orders in {}: {error}", path.display()));
    let text = std::fs::read_to_string(&path).map_err(|error| refused(&error))?;
    serde_json::from_str(&text).map_err(|error| refused(&error))
}

/// The journals of all orders, in their order.
async fn journals(durable: &Durable, orders: &Orders) -> Result<Vec<ExecutionDetails>> {
    let mut journals = Vec::new();
    for (_, handle) in orders {
        journals.push(durable.get_execution(handle.id()).await?);
    }
    Ok(journals)
}

/// The best moment for a crash: half of the payments are authorised, and one has failed and is to be tried again.
fn is_half_way(journals: &[ExecutionDetails]) -> bool {
    let payments = || journals.iter().flat_map(|journal| &journal.steps).filter(|step| step.key == "step authorise");
    let authorised = payments().filter(|step| step.output.is_some()).count();
    let failed = payments().flat_map(|step| &step.attempts).any(|attempt| attempt.outcome == AttemptOutcome::Failed);
    authorised * 2 >= journals.len() && failed
}

async fn pack(durable: &Durable, orders: &[(Order, ExecutionHandle<ProcessOrder>)]) -> Result<()> {
    for (order, handle) in orders {
        let items = order.lines.iter().map(|line| line.quantity).sum();
        durable.send_event(handle.id(), "warehouse_packed", &Packed { items }).await?;
    }
    Ok(())
}

/// What the orders ask a person, once all of them ask.
async fn questions(durable: &Durable, orders: &Orders) -> Result<Vec<PendingInput>> {
    let mut questions = Vec::new();
    until("every order asks for its approval", async || {
        questions = durable.pending_inputs().await?.items;
        questions.retain(|question| orders.iter().any(|(_, handle)| handle.id() == question.execution_id));
        Ok(questions.len() == orders.len())
    })
    .await?;
    Ok(questions)
}

fn show_how_to_answer(url: &str, questions: &[PendingInput]) {
    let Some(first) = questions.first() else { return };
    println!("\nHow a person answers, from a shell or from Rust:");
    println!("  psql '{url}' \\");
    println!("    -c \"select durable.provide_input('{}', '{}', '{{\\\"approved\\\": true}}')\"", first.execution_id, first.name);
    println!("  durable.provide_input(id, \"{}\", &Approval {{ approved: true }}).await?;\n", first.name);
}

async fn answer(durable: &Durable, questions: &[PendingInput], answers: Answers) -> Result<()> {
    for question in questions {
        let prompt = question.prompt.as_deref().unwrap_or_default();
        let approved = match answers {
            Answers::FromTheTerminal => ask(format!("{prompt} [y/n] ")).await?,
            Answers::FromTheExample => {
                println!("{prompt} y");
                true
            }
        };
        match durable.provide_input(question.execution_id, &question.name, &Approval { approved }).await {
            Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Finished) => println!("  too late: {error}"),
            answered => {
                answered?;
            }
        }
    }
    println!();
    Ok(())
}

/// Asks on the terminal until the answer is yes or no. In a thread of its own: a task that reads could not be interrupted.
async fn ask(question: String) -> Result<bool> {
    let (answer, answered) = oneshot::channel();
    std::thread::spawn(move || answer.send(read_yes_or_no(&question)).ok());
    answered.await?
}

fn read_yes_or_no(question: &str) -> Result<bool> {
    loop {
        print!("{question}");
        std::io::stdout().flush()?;
        let mut line = String::new();
        if std::io::stdin().read_line(&mut line)? == 0 {
            return Err(Error::new("no answer: the input has ended"));
        }
        match line.trim().to_lowercase().as_str() {
            "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => {}
        }
    }
}

fn summary(receipt: &Receipt) -> String {
    match receipt {
        Receipt::Shipped { tracking, cents } => format!("{:>5}.{:02} paid, shipped as {tracking}", cents / 100, cents % 100),
        Receipt::Refunded { cents } => format!("{:>5}.{:02} refunded, not shipped", cents / 100, cents % 100),
    }
}

/// Looks until the condition holds; an error that says `what` did not come about.
async fn until(what: &str, mut condition: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let looking = async {
        while !condition().await? {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    };
    let gave_up = || {
        Error::new(format!(
            "gave up after {PATIENCE:?}: it never came about that {what}; RUST_LOG=durable_core=debug shows what the workers do"
        ))
    };
    tokio::time::timeout(PATIENCE, looking).await.map_err(|_| gave_up())?
}

/// Says things with the time since the beginning.
struct Clock(Instant);

impl Clock {
    fn say(&self, what: impl std::fmt::Display) {
        println!("{:>5.1} s  {what}", self.0.elapsed().as_secs_f32());
    }
}
