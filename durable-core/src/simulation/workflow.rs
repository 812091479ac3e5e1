//! Runs a random program as a workflow, and notes what its code does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::message_use::{InHand, Polls};
use super::program::{Part, Programs, StepKind, StepPart};
use crate::context::entry::{step_retried, step_retried_in_transaction};
use crate::context::join::{join, race};
use crate::context::step::StepSpec;
use crate::context::transaction::Transaction;
use crate::context::undo::{Compensation, CompensationSpec, Recorded, Undone, undone};
use crate::context::{Context, Workflow};
use crate::error::{Error, Result};
use crate::ids::{ExecutionId, WorkerId};
use crate::model::WaitKind;
use crate::plan::retry::{Backoff, Retry};
use crate::running::BoxFuture;
use crate::running::ambient::{self, step};
use crate::running::memory::{self, Book};

/// The workflow of every simulated execution; its input is the number of its program.
pub(super) struct Simulated {
    pub(super) book: Arc<Mutex<Book>>,
    pub(super) programs: Arc<Programs>,
    /// The last value that a step returned: no two calls return the same.
    pub(super) values: Arc<Mutex<u64>>,
}

const fn retried(base: u64) -> Option<Retry> {
    let base = Duration::from_millis(base);
    Some(Retry { max_attempts: 3, backoff: Backoff::Constant, base, max: base, jitter: 0.0 })
}

const fn spec(name: &'static str, retry: Option<Retry>, compensation: Option<&'static str>, undo_on_failure: bool) -> StepSpec {
    StepSpec {
        workflow: "simulated",
        name,
        is_compensation: false,
        was: &[],
        retry,
        timeout: None,
        compensation,
        undo_on_failure,
    }
}

static STEPS: [StepSpec; 6] = [
    spec("once", None, None, false),
    spec("soon", retried(50), None, false),
    spec("later", retried(60_000), None, false),
    spec("book", retried(50), Some("unbook"), false),
    spec("charge", retried(50), Some("refund"), true),
    spec("transfer", retried(50), Some("return"), false),
];

static UNBOOK: CompensationSpec = CompensationSpec { name: "unbook", retry: retried(50), timeout: None };
static RETURN: CompensationSpec = CompensationSpec { name: "return", retry: None, timeout: None };
static REFUND: CompensationSpec = CompensationSpec { name: "refund", retry: retried(60_000), timeout: None };

impl Workflow for Simulated {
    type Input = usize;
    type Output = Vec<String>;

    const NAME: &'static str = "simulated";
    const VERSION: u32 = 1;
    const QUEUE: &'static str = "default";
    const TIMEOUT: Option<Duration> = None;
    const STEPS: &'static [StepSpec] = &STEPS;
    const COMPENSATIONS: &'static [Compensation<Self>] = &[
        Compensation { step: "book", spec: &UNBOOK, undo_on_failure: false, call: undo },
        Compensation { step: "transfer", spec: &RETURN, undo_on_failure: false, call: undo },
        Compensation { step: "charge", spec: &REFUND, undo_on_failure: true, call: undo },
    ];

    fn execute<'run>(&'run self, cx: &'run Context, program: usize) -> BoxFuture<'run, Result<Vec<String>>> {
        Box::pin(async move {
            let mut said = self.run(cx, self.programs.get(program)).await?;
            use_all(&mut said);
            // Its parent can tell this output from that of every other execution.
            let itself = format!("execution {}", cx.execution_id());
            Ok([itself].into_iter().chain(said.into_iter().map(|said| said.text)).collect())
        })
    }
}

/// What one part returned.
struct Said {
    text: String,
    /// The message it comes from, until the code has gone on from it.
    message: Option<InHand>,
}

/// The code goes on: from now on, it has used these messages.
fn use_all(said: &mut [Said]) {
    said.iter_mut().filter_map(|said| said.message.take()).for_each(InHand::used);
}

/// The process that the code around this call runs in, as its run knows it.
fn holder() -> Option<WorkerId> {
    ambient::scope().map(|scope| scope.run.hold().worker)
}

impl Simulated {
    /// Runs the parts one after another; returns what each step returned and each wait received.
    fn run<'run>(&'run self, cx: &'run Context, parts: &'run [Part]) -> BoxFuture<'run, Result<Vec<Said>>> {
        Box::pin(async move {
            let mut said = Vec::new();
            for part in parts {
                use_all(&mut said);
                self.run_part(cx, part, &mut said).await?;
            }
            Ok(said)
        })
    }

    async fn run_part<'run>(&'run self, cx: &'run Context, part: &'run Part, said: &mut Vec<Said>) -> Result<()> {
        match part {
            Part::Step(step) => said.push(self.call(cx.execution_id(), *step).await?),
            Part::Sleep(time) => cx.sleep(*time).await?,
            Part::Event(name) => {
                let polls = Polls::begin(&self.book, cx, name);
                let message = cx.wait_for_event::<u64>(name).await?;
                said.push(polls.received(WaitKind::Event, message));
            }
            Part::TimedEvent(name, time) => {
                let polls = Polls::begin(&self.book, cx, name);
                let message = cx.wait_for_event::<u64>(name).timeout(*time).await?;
                said.extend(message.map(|message| polls.received(WaitKind::Event, message)));
            }
            Part::Input(name) => {
                let polls = Polls::begin(&self.book, cx, name);
                let message = cx.wait_for_number(name).await?;
                said.push(polls.received(WaitKind::Input, message as u64));
            }
            Part::TimedInput(name, time) => {
                let polls = Polls::begin(&self.book, cx, name);
                let message = cx.wait_for_number(name).timeout(*time).await?;
                said.extend(message.map(|message| polls.received(WaitKind::Input, message as u64)));
            }
            Part::TimedTopic(name, time) => {
                let message = cx.wait_for_topic::<u64>(name).timeout(*time).await?;
                said.extend(message.map(|message| Said { text: format!("topic {message}"), message: None }));
            }
            Part::Join(one, other) => {
                let (mut one, mut other) = join((self.run(cx, one), self.run(cx, other))).settled().await;
                if one.is_err() || other.is_err() {
                    // The code goes on with the failure: whatever else the branches have received is used.
                    [&mut one, &mut other].into_iter().flatten().for_each(|said| use_all(said));
                }
                said.extend(one?);
                said.extend(other?);
            }
            Part::Race(one, other) => said.extend(race(self.run(cx, one)).or(self.run(cx, other)).await?),
            Part::Map(items, concurrency) => {
                let each = cx.map(items).concurrency(*concurrency).each(|parts| self.run(cx, parts));
                said.extend(each.await?.into_iter().flatten());
            }
            Part::Close(name) => {
                let messages = cx.close_events::<u64>(name).await?;
                // The close keeps them: they are not lost before the code goes on.
                said.extend(messages.into_iter().map(|message| Said { text: format!("event {message}"), message: None }));
            }
            Part::Version => {
                // Every execution began with this code.
                let version = cx.version("rates", 3).await?;
                if version != 3 {
                    let wrong = format!("{} has version {version} of a change, not 3", cx.execution_id());
                    memory::lock(&self.book).violations.push(wrong);
                }
            }
            Part::Continue(program) => cx.continue_as_new(program).await?,
            Part::Child(child) => {
                let text = self.call_child(cx, *child).await?;
                said.extend(text.map(|text| Said { text, message: None }));
            }
        }
        Ok(())
    }

    async fn call(&self, id: ExecutionId, part: StepPart) -> Result<Said> {
        let spec = match part.kind {
            StepKind::Once => &STEPS[0],
            StepKind::Soon => &STEPS[1],
            StepKind::Later => &STEPS[2],
            StepKind::Undoable => &STEPS[3],
            StepKind::AlwaysUndone => &STEPS[4],
            StepKind::InTransaction => &STEPS[5],
        };
        let scope = ambient::scope();
        let attempt = move || {
            let holder = scope.as_ref().map(|scope| scope.run.hold().worker);
            self.attempt(id, holder, part.failing, part.takes)
        };
        let call = match part.kind {
            StepKind::InTransaction => step_retried_in_transaction(spec, None, move |mut transaction| {
                let attempt = attempt();
                let body: BoxFuture<'_, (Transaction, Result<u64>)> = Box::pin(async move {
                    let value = attempt.await;
                    value.iter().for_each(|value| transaction.write(*value));
                    (transaction, value)
                });
                body
            }),
            _ => step_retried(spec, None, move || {
                let body: BoxFuture<'_, Result<u64>> = Box::pin(attempt());
                body
            }),
        };
        let text = match call.await {
            Ok(value) => format!("step {value}"),
            Err(error) if part.must_succeed => return Err(error),
            Err(_) => "failure".to_owned(),
        };
        Ok(Said { text, message: None })
    }

    /// One attempt at a step or at a compensation: checks that it may begin, takes its time, and fails or returns a new value.
    async fn attempt(&self, id: ExecutionId, holder: Option<WorkerId>, failing: u32, takes: Duration) -> Result<u64> {
        let (key, attempt) = (step().idempotency_key(), step().attempt());
        {
            let mut book = memory::lock(&self.book);
            if holder.is_some_and(|holder| book.lost.contains(&holder)) {
                book.violations.push("a step began although the lease was lost".to_owned());
            }
            book.check_begin(id, key, attempt);
        }
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        if attempt <= failing {
            return Err(Error::new("it fails"));
        }
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        *values += 1;
        Ok(*values)
    }
}

/// Undoes a step: some compensations fail at first.
fn undo<'run>(workflow: &'run Simulated, cx: &'run Context, _recorded: Recorded) -> BoxFuture<'run, Result<Undone>> {
    let holder = holder();
    Box::pin(async move {
        let key = step().idempotency_key().as_u128();
        let failing = u32::from(key.is_multiple_of(3));
        if key.is_multiple_of(5) {
            cx.child::<Simulated>(Programs::OF_COMPENSATIONS).await?;
        }
        undone(workflow.attempt(cx.execution_id(), holder, failing, Duration::ZERO).await)
    })
}

impl Polls {
    /// The wait has received this message, which the code has in hand now.
    fn received(self, kind: WaitKind, message: u64) -> Said {
        Said { text: format!("{} {message}", kind.as_str()), message: Some(self.into_hand(message)) }
    }
}
