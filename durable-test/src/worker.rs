//! The workers of a test: engines that the test may kill, and that a new one follows.

use std::sync::Arc;

use durable::testing::{Replacement, StepName};
use durable::{Builder, Durable, Error, Result, Workflow};

use crate::script::Hooks;
use crate::test::Inner;

/// Connections of the pool of one worker. More would be slower: each prepares its statements anew.
const CONNECTIONS: u32 = 2;

/// One change of an engine's builder.
pub(crate) type Change = Arc<dyn Fn(Builder) -> Builder + Send + Sync>;

/// Describes a worker of a test; see [`Test::worker`](crate::Test::worker).
#[must_use = "a worker does nothing until it is started"]
pub struct WorkerBuilder {
    inner: Arc<Inner>,
    changes: Vec<Change>,
}

/// A worker of a test. It works until the end of the test, or until it is crashed or stopped.
pub struct Worker {
    inner: Arc<Inner>,
    number: usize,
}

/// What a test knows of one worker.
pub(crate) struct Slot {
    changes: Arc<[Change]>,
    /// `None` when it was stopped, and while a crashed one is being replaced.
    engine: Option<Durable>,
    /// How many engines have had this slot.
    generation: u32,
}

impl WorkerBuilder {
    pub(crate) fn new(inner: Arc<Inner>) -> Self {
        Self { inner, changes: Vec::new() }
    }

    /// Registers a workflow. The worker that follows after a crash has the same value, with the same fields.
    pub fn register<W: Workflow>(self, workflow: W) -> Self {
        let workflow = Arc::new(workflow);
        self.configure(move |builder| builder.register_shared(workflow.clone()))
    }

    /// Replaces the body of a step or a compensation: `.replace(body!(ProcessOrder::charge, |order| async move { … }))`. Only the
    /// body is replaced: retries, timeouts, the journal and compensations stay real. If the new body panics, the test fails.
    pub fn replace(self, replacement: Replacement) -> Self {
        self.inner.script.note_replaced(replacement.name());
        self.configure(move |builder| builder.replace_step(replacement.clone()))
    }

    /// The next `times` attempts at this step fail with this message, and its body is not called; see
    /// [`Test::fail`](crate::Test::fail).
    pub fn fail(self, step: impl Into<StepName>, times: u32, message: impl Into<String>) -> Self {
        self.inner.script.fail(step.into(), times, message.into());
        self
    }

    /// Changes the builder of the engine: queues, limits, observers.
    pub fn configure(mut self, change: impl Fn(Builder) -> Builder + Send + Sync + 'static) -> Self {
        self.changes.push(Arc::new(change));
        self
    }

    /// Starts the worker.
    ///
    /// # Errors
    /// As for [`Builder::start`].
    pub async fn start(self) -> Result<Worker> {
        let changes: Arc<[Change]> = self.changes.into();
        let number = self.inner.add_slot(Slot { changes, engine: None, generation: 0 });
        self.inner.start_worker(number).await?;
        Ok(Worker { inner: self.inner, number })
    }
}

impl Worker {
    /// Drops the worker as SIGKILL would, wherever it is. A new worker with the same workflows takes its executions over at once:
    /// the test ends the lease of the dead one.
    ///
    /// # Errors
    /// `Invalid` if the worker was stopped, and the errors of [`Builder::start`].
    pub async fn crash(&self) -> Result<()> {
        self.inner.script.begin_crash();
        let crashed = self.inner.crash(self.number).await;
        self.inner.script.end_crash();
        crashed
    }

    /// Shuts the worker down, as [`Durable::shutdown`] does. No other worker takes its place.
    ///
    /// # Errors
    /// As for [`Durable::shutdown`].
    pub async fn stop(self) -> Result<()> {
        match self.inner.take_engine(self.number) {
            Some((engine, _)) => engine.shutdown().await,
            None => Ok(()),
        }
    }
}

impl Slot {
    fn label(number: usize, generation: u32) -> String {
        format!("test worker {number}.{generation}")
    }

    pub(crate) fn is_working(&self) -> bool {
        self.engine.is_some()
    }

    pub(crate) fn take_engine(&mut self) -> Option<(Durable, u32)> {
        Some((self.engine.take()?, self.generation))
    }
}

impl Inner {
    async fn start_worker(self: &Arc<Self>, number: usize) -> Result<()> {
        let Some((changes, generation)) = self.with_slot(number, |slot| {
            slot.generation += 1;
            (slot.changes.clone(), slot.generation)
        }) else {
            return Ok(());
        };
        let builder = changes.iter().fold(self.builder(CONNECTIONS), |builder, change| change(builder));
        let hooks = Hooks { script: self.script.clone(), worker: number };
        let engine = builder.version(Slot::label(number, generation)).step_hooks(hooks).start().await?;
        self.with_slot(number, |slot| slot.engine = Some(engine));
        Ok(())
    }

    /// Drops a worker as SIGKILL would, and has a new one take its executions over.
    pub(crate) async fn crash(self: &Arc<Self>, number: usize) -> Result<()> {
        let Some((engine, generation)) = self.take_engine(number) else {
            return Err(Error::permanent("this worker does not work any more, so it cannot crash"));
        };
        drop(engine);
        self.start_worker(number).await?;
        let dead = Slot::label(number, generation);
        let began = std::time::Instant::now();
        // Its last heartbeat may still be on its way.
        while !sqlx::query_scalar::<_, bool>(include_str!("sql/lose_worker.sql")).bind(&dead).fetch_one(self.pool()).await? {
            if began.elapsed() > self.patience() {
                return Err(Error::permanent(format!("no worker has declared the crashed worker `{dead}` lost")));
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        Ok(())
    }
}

impl std::fmt::Debug for WorkerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerBuilder").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("number", &self.number).finish_non_exhaustive()
    }
}
