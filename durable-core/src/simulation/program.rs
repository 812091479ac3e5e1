//! The random workflows of a simulation.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::world::Random;
use crate::context::Context;
use crate::context::entry::step_retried;
use crate::context::join::{join, race};
use crate::context::step::StepSpec;
use crate::error::{Error, Result};
use crate::ids::{ExecutionId, WorkerId};
use crate::plan::retry::{Backoff, Retry};
use crate::running::BoxFuture;
use crate::running::ambient::step;
use crate::running::memory::{self, Book};

/// The names of the events that workflows wait for and clients send.
pub(super) const EVENTS: [&str; 2] = ["paid", "sent"];

const fn retried(base: u64) -> Option<Retry> {
    let base = Duration::from_millis(base);
    Some(Retry { max_attempts: 3, backoff: Backoff::Constant, base, max: base, jitter: 0.0 })
}

const fn spec(name: &'static str, retry: Option<Retry>) -> StepSpec {
    StepSpec { name, was: &[], retry, timeout: None, compensation: None, undo_on_failure: false }
}

/// Never retried; retried after a pause in memory; retried after a pause that parks.
static STEPS: [StepSpec; 3] = [spec("once", None), spec("soon", retried(50)), spec("later", retried(60_000))];

/// One part of a workflow.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// A step of which so many attempts fail, and each takes this long.
    Step {
        nth: usize,
        failing: u32,
        takes: Duration,
    },
    Sleep(Duration),
    Event(&'static str),
    TimedEvent(&'static str, Duration),
    Join(Vec<Part>, Vec<Part>),
    Race(Vec<Part>, Vec<Part>),
}

/// A random workflow of at most so many parts, nested at most so deep.
pub(super) fn random(random: &mut Random, parts: u64, depth: u32) -> Vec<Part> {
    (0..=random.below(parts)).map(|_| random_part(random, depth)).collect()
}

fn random_part(random: &mut Random, depth: u32) -> Part {
    match random.below(if depth == 0 { 8 } else { 11 }) {
        0..=3 => {
            let takes = if random.one_in(3) { Duration::from_millis(100 * random.below(30)) } else { Duration::ZERO };
            Part::Step { nth: random.index(STEPS.len()), failing: u32::from(random.one_in(3)) * 2, takes }
        }
        4 => Part::Sleep(Duration::from_millis(random.below(20_000))),
        5 | 6 => Part::Event(EVENTS[random.index(EVENTS.len())]),
        7 => Part::TimedEvent(EVENTS[random.index(EVENTS.len())], Duration::from_millis(random.below(20_000))),
        8 => Part::Join(self::random(random, 2, depth - 1), self::random(random, 2, depth - 1)),
        _ => Part::Race(self::random(random, 2, depth - 1), self::random(random, 2, depth - 1)),
    }
}

/// What the code of one claim may know of its world.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    pub(super) book: Arc<Mutex<Book>>,
    pub(super) id: ExecutionId,
    pub(super) worker: WorkerId,
    /// The next value that a step returns: no two calls return the same.
    pub(super) values: Arc<Mutex<u64>>,
}

/// Runs the parts one after another; returns what each step returned and each wait received.
pub(super) fn run<'run>(
    cx: &'run Context,
    parts: &'run [Part],
    around: &'run Surroundings,
) -> BoxFuture<'run, Result<Vec<String>>> {
    Box::pin(async move {
        let mut said = Vec::new();
        for part in parts {
            match part {
                Part::Step { nth, failing, takes } => {
                    let call = step_retried(&STEPS[*nth], None, move || {
                        let (around, failing, takes) = (around.clone(), *failing, *takes);
                        let body: BoxFuture<'run, Result<u64>> = Box::pin(async move { around.call(failing, takes).await });
                        body
                    });
                    said.push(match call.await {
                        Ok(value) => format!("step {value}"),
                        Err(_) => "failure".to_owned(),
                    });
                }
                Part::Sleep(time) => cx.sleep(*time).await?,
                Part::Event(name) => said.push(format!("event {}", cx.wait_for_event::<u64>(name).await?)),
                Part::TimedEvent(name, time) => {
                    let received = cx.wait_for_event::<u64>(name).timeout(*time).await?;
                    said.extend(received.map(|message| format!("event {message}")));
                }
                Part::Join(one, other) => {
                    let (one, other) = join((run(cx, one, around), run(cx, other, around))).await?;
                    said.extend(one);
                    said.extend(other);
                }
                Part::Race(one, other) => said.extend(race(run(cx, one, around)).or(run(cx, other, around)).await?),
            }
        }
        Ok(said)
    })
}

impl Surroundings {
    async fn call(&self, failing: u32, takes: Duration) -> Result<u64> {
        let (key, attempt) = (step().idempotency_key(), step().attempt());
        {
            let mut book = memory::lock(&self.book);
            if book.lost.contains(&self.worker) {
                book.violations.push("a step began although the lease was lost".to_owned());
            }
            book.check_begin(self.id, key, attempt);
        }
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        if attempt <= failing {
            return Err(Error::new("it fails"));
        }
        let mut values = self.values.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *values += 1;
        Ok(*values)
    }
}
