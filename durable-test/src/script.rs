//! What a test has prepared for the steps of its workers, and what is seen of them.

use std::any::Any;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use durable::testing::{BeforeStep, StepAttempt, StepHooks, StepName};
use durable::{Error, Failure, Result};
use tokio::sync::mpsc;

/// When a worker dies over a step; see [`Test::crash_at`](crate::Test::crash_at).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// Before the body of the step is called: it has had no effect.
    BeforeBody,
    /// After the body has returned, and before its outcome is recorded: it has had its effect, and nothing says so.
    AfterBody,
}

/// A worker that is to die now.
pub(crate) struct Order {
    /// The number of the worker.
    pub(crate) worker: usize,
    trap: usize,
}

/// What is prepared for the steps of all workers of a test.
pub(crate) struct Script {
    state: Mutex<State>,
    orders: mpsc::UnboundedSender<Order>,
}

#[derive(Default)]
struct State {
    failures: Vec<Failures>,
    traps: Vec<Trap>,
    replaced: HashSet<StepName>,
    running: BTreeMap<u64, (StepAttempt, Instant)>,
    begun: u64,
    /// Crashes that no new worker has followed yet.
    crashing: usize,
    /// What went wrong behind the test's back.
    problems: Vec<String>,
}

/// Attempts that are to fail.
struct Failures {
    step: StepName,
    left: u32,
    message: String,
}

struct Trap {
    step: StepName,
    moment: Moment,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Set,
    Caught,
    Over,
}

impl Script {
    pub(crate) fn new(orders: mpsc::UnboundedSender<Order>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), orders })
    }

    pub(crate) fn fail(&self, step: StepName, times: u32, message: String) {
        self.state().failures.push(Failures { step, left: times, message });
    }

    pub(crate) fn note_replaced(&self, step: StepName) {
        self.state().replaced.insert(step);
    }

    /// Sets a trap, and returns its number.
    pub(crate) fn set_trap(&self, step: StepName, moment: Moment) -> usize {
        let mut state = self.state();
        state.traps.push(Trap { step, moment, stage: Stage::Set });
        state.traps.len() - 1
    }

    /// Whether a worker has died in this trap, and another has taken its place.
    pub(crate) fn is_over(&self, trap: usize) -> bool {
        self.state().traps.get(trap).is_some_and(|trap| trap.stage == Stage::Over)
    }

    /// Whether a worker has died that no other has followed yet.
    pub(crate) fn is_crashing(&self) -> bool {
        self.state().crashing > 0
    }

    pub(crate) fn begin_crash(&self) {
        self.state().crashing += 1;
    }

    pub(crate) fn end_crash(&self) {
        let mut state = self.state();
        state.crashing = state.crashing.saturating_sub(1);
    }

    pub(crate) fn end_order(&self, order: &Order) {
        if let Some(trap) = self.state().traps.get_mut(order.trap) {
            trap.stage = Stage::Over;
        }
        self.end_crash();
    }

    pub(crate) fn note_problem(&self, problem: String) {
        self.state().problems.push(problem);
    }

    /// Fails if something went wrong that no call of the test has reported.
    pub(crate) fn check(&self) -> Result<()> {
        match self.state().problems.first() {
            Some(problem) => Err(Error::permanent(problem.clone())),
            None => Ok(()),
        }
    }

    /// Fails if a trap was set that no worker has run into.
    pub(crate) fn check_at_end(&self) -> Result<()> {
        self.check()?;
        match self.state().traps.iter().find(|trap| trap.stage != Stage::Over) {
            Some(Trap { step, .. }) => Err(Error::permanent(format!("a crash was set at {step}, and no worker came there"))),
            None => Ok(()),
        }
    }

    /// The bodies that run now, a line for each.
    pub(crate) fn running(&self) -> String {
        let mut lines = String::new();
        for (attempt, since) in self.state().running.values() {
            let StepAttempt { step, execution_id, number, .. } = attempt;
            let _ =
                write!(lines, "\n- attempt {number} of {step} has run for {:?}, in execution {execution_id}", since.elapsed());
        }
        lines
    }

    /// The trap that this attempt runs into; the worker dies there.
    fn spring(&self, worker: usize, attempt: &StepAttempt, moment: Moment) -> bool {
        let mut state = self.state();
        let catches = |trap: &Trap| trap.stage == Stage::Set && trap.step == attempt.step && trap.moment == moment;
        let Some(number) = state.traps.iter().position(catches) else { return false };
        state.traps[number].stage = Stage::Caught;
        state.crashing += 1;
        // The task that carries orders out lives as long as the test.
        let _ = self.orders.send(Order { worker, trap: number });
        true
    }

    fn next_failure(&self, step: StepName) -> Option<String> {
        let mut state = self.state();
        let failures = state.failures.iter_mut().find(|failures| failures.step == step && failures.left > 0)?;
        failures.left -= 1;
        Some(failures.message.clone())
    }

    fn begin(self: &Arc<Self>, attempt: StepAttempt) -> Running {
        let mut state = self.state();
        state.begun += 1;
        let number = state.begun;
        state.running.insert(number, (attempt, Instant::now()));
        Running { script: self.clone(), number }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body that runs.
struct Running {
    script: Arc<Script>,
    number: u64,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.script.state().running.remove(&self.number);
    }
}

/// The hooks of one worker.
pub(crate) struct Hooks {
    pub(crate) script: Arc<Script>,
    /// The number of the worker.
    pub(crate) worker: usize,
}

impl StepHooks for Hooks {
    fn before(&self, attempt: StepAttempt) -> Pin<Box<dyn Future<Output = BeforeStep> + Send + '_>> {
        Box::pin(async move {
            if self.script.spring(self.worker, &attempt, Moment::BeforeBody) {
                return std::future::pending().await;
            }
            match self.script.next_failure(attempt.step) {
                Some(message) => BeforeStep::Fail(Error::new(message).failure().clone()),
                None => BeforeStep::Run(Box::new(self.script.begin(attempt)) as Box<dyn Any + Send + Sync>),
            }
        })
    }

    fn after<'a>(&'a self, attempt: StepAttempt, panicked: Option<&'a Failure>) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            if let Some(failure) = panicked
                && self.script.state().replaced.contains(&attempt.step)
            {
                let place = failure.place.as_ref().map_or_else(String::new, |place| format!(" at {place}"));
                let problem = format!("the body that replaces {} {}{place}", attempt.step, failure.message);
                self.script.note_problem(problem);
            }
            if self.script.spring(self.worker, &attempt, Moment::AfterBody) {
                std::future::pending::<()>().await;
            }
        })
    }
}
