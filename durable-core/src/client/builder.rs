//! Describes an engine and checks the description.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use durable_migrate::SchemaName;
use sqlx::postgres::PgConnectOptions;
use tracing::level_filters::LevelFilter;

use super::engine::{Engine, EngineOptions};
use super::{Durable, schedule};
use crate::context::Workflow;
use crate::error::{Error, ErrorKind, Result};
use crate::model::QueueLimits;
use crate::observer::{self, Observer};
use crate::payload;
use crate::registry::Registry;
use crate::store::{Address, Patience, Store};
use crate::telemetry::{Levels, Propagation, Tracing};
use crate::testing::{Doubles, Replacement, StepHooks};
use crate::worker::WorkerOptions;

/// Describes an engine; see [`Durable::builder`].
///
/// | option | default |
/// |---|---|
/// | `database_url` or `connect_options` | required |
/// | `schema` | `durable` |
/// | `register` | no workflow: a client only |
/// | `observe` | no observer |
/// | `telemetry` | traces end at the borders of the process |
/// | `measure_every` | the gauges of the database are not read |
/// | `queue` | the queues of the registered workflows and of their steps, 100 slots each |
/// | `version` | none |
/// | `queue_limits` | limits stay as they are |
/// | `lease` | 15 s |
/// | `poll_interval` | 1 s |
/// | `max_connections` | 11, plus one that listens, one for the heartbeat, up to two for large or held-up writes and up to three for lists and analytics |
/// | `transaction_connections` | 5, opened when a transactional step needs them |
/// | `max_claims` | 10 |
/// | `cached_executions` | 1000 |
/// | `operation_timeout` | 30 s |
/// | `retention` | executions are kept for ever |
///
/// ```no_run
/// # use durable::prelude::*;
/// # struct Ship;
/// # #[workflow(queue = "parcels")] impl Ship { async fn run(&self, _cx: &Context, id: i64) -> Result<i64> { Ok(id) } }
/// # async fn example() -> Result<()> {
/// let worker = Durable::builder()
///     .database_url("postgres://localhost/shop")
///     .register(Ship)
///     .queue("parcels", 20)
///     .version(env!("CARGO_PKG_VERSION"))
///     .retention(days(30))
///     .start()
///     .await?;
/// # drop(worker); Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "an engine does nothing until it is started"]
pub struct Builder {
    address: Option<Result<Address>>,
    schema: String,
    queues: Vec<(String, usize)>,
    limits: Vec<(String, QueueLimits)>,
    /// Each workflow's name, and the queues that its runs and its steps are claimed from.
    workflow_queues: Vec<(&'static str, Vec<&'static str>)>,
    registry: Registry,
    observers: observer::RegisteredObservers,
    tracing: Tracing,
    step_log_levels: Levels,
    measure_every: Option<Duration>,
    refused: Option<Error>,
    version: Option<String>,
    lease: Duration,
    poll_interval: Duration,
    max_connections: u32,
    transaction_connections: u32,
    max_claims: i16,
    cached_executions: usize,
    operation_timeout: Duration,
    retention: Option<Duration>,
    doubles: Option<Doubles>,
}

/// What a builder comes to once its options are found to make sense.
struct Checked {
    address: Address,
    schema: SchemaName,
    queues: Vec<(String, usize)>,
}

/// Slots of a queue that was not configured.
const DEFAULT_CONCURRENCY: usize = 100;

/// Shortest lease: a heartbeat every third of it must get through on a busy machine.
const SHORTEST_LEASE: Duration = Duration::from_millis(500);

/// Longest lease. The executions of a dead process wait this long before another worker takes them over.
const LONGEST_LEASE: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Builder {
    fn default() -> Self {
        Self {
            address: None,
            schema: SchemaName::default().to_string(),
            queues: Vec::new(),
            limits: Vec::new(),
            workflow_queues: Vec::new(),
            registry: Registry::default(),
            observers: observer::RegisteredObservers::default(),
            tracing: Tracing::default(),
            step_log_levels: Levels::default(),
            measure_every: None,
            refused: None,
            version: None,
            lease: Duration::from_secs(15),
            poll_interval: Duration::from_secs(1),
            max_connections: 11,
            transaction_connections: 5,
            max_claims: 10,
            cached_executions: 1000,
            operation_timeout: Duration::from_secs(30),
            retention: None,
            doubles: None,
        }
    }
}

impl Builder {
    /// The database, as `postgres://user:password@host:port/database`.
    pub fn database_url(mut self, url: impl AsRef<str>) -> Self {
        self.address = Some(Address::parse(url.as_ref()));
        self
    }

    /// The database, as connect options of sqlx.
    pub fn connect_options(mut self, options: PgConnectOptions) -> Self {
        self.address = Some(Ok(Address::new(options)));
        self
    }

    /// The schema of this instance's tables; `durable` by default. Two schemas are two instances, which share nothing.
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// Works on a queue and runs up to `concurrency` of its executions at the same time. Without any call, the engine works on
    /// the queues of the registered workflows and of their steps, with 100 slots each.
    pub fn queue(mut self, name: impl Into<String>, concurrency: usize) -> Self {
        self.queues.push((name.into(), concurrency));
        self
    }

    /// Sets a queue's limits across all workers. They are written at start-up if they differ; if engines disagree, the last one
    /// to start wins. [`Durable::queue`] changes limits while workers run.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// use durable::QueueLimits;
    /// # async fn example(builder: durable::Builder) -> Result<()> {
    /// // No more than 20 mails at the same time, and no more than 100 a minute, over all processes.
    /// let limits = QueueLimits::default().concurrency(20).rate(100, minutes(1));
    /// let durable = builder.queue_limits("mails", limits).start().await?;
    /// # drop(durable); Ok(()) }
    /// ```
    pub fn queue_limits(mut self, name: impl Into<String>, limits: QueueLimits) -> Self {
        self.limits.push((name.into(), limits));
        self
    }

    /// Registers a workflow, with the fields that its steps need. Several versions of one workflow may be registered.
    pub fn register<W: Workflow>(self, workflow: W) -> Self {
        self.register_shared(Arc::new(workflow))
    }

    /// As [`register`](Self::register), for a workflow that several engines of this process share.
    pub fn register_shared<W: Workflow>(mut self, workflow: Arc<W>) -> Self {
        if let Err(error) = self.registry.register(workflow) {
            self.refused.get_or_insert(error);
        }
        let steps = W::ROUTES.iter().map(|route| route.queue);
        self.workflow_queues.push((W::NAME, std::iter::once(W::QUEUE).chain(steps).collect()));
        self
    }

    /// Registers an observer, which is called for what executions do in this process; see [`observer`](crate::observer). Several
    /// observers are called, and asked for consent, in the order in which they were registered.
    pub fn observe(mut self, observer: impl Observer) -> Self {
        self.observers.add(observer);
        self
    }

    /// Carries traces across processes: an execution continues the trace of its starter on every worker that has this option,
    /// too. Most applications give `OpenTelemetry` of the feature `opentelemetry`; see [`telemetry`](crate::telemetry).
    pub fn telemetry(mut self, propagation: impl Propagation) -> Self {
        self.tracing = Tracing::through(propagation);
        self
    }

    /// From which level on the logs of steps are kept, if the application's subscriber has a
    /// [`StepLogLayer`](crate::context::StepLogLayer); `INFO` by default, and nothing for `OFF`.
    pub fn step_log_level(mut self, level: impl Into<LevelFilter>) -> Self {
        self.step_log_levels.usual = level.into();
        self
    }

    /// As [`step_log_level`](Self::step_log_level), for the steps of the workflow with this name.
    pub fn step_log_level_of(mut self, workflow: impl Into<String>, level: impl Into<LevelFilter>) -> Self {
        self.step_log_levels.by_workflow.insert(workflow.into(), level.into());
        self
    }

    /// Reads the gauges of the database at this interval, for the metrics of this process: how full queues are, how many
    /// questions are open, how much vacuum has to do. Every process reads the same values, so it is enough if one process of a
    /// fleet reads them, for example a client without workflows. A read counts everything that is pending: with a million pending
    /// executions, choose minutes rather than seconds. Above zero.
    pub fn measure_every(mut self, interval: Duration) -> Self {
        self.measure_every = Some(interval);
        self
    }

    /// The release of the application, shown to people who list the workers; often `env!("CARGO_PKG_VERSION")`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// How long a worker that sends no heartbeat keeps its executions, 500 ms to a day; 15 s by default. Then another worker
    /// takes them over.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// How often to look for work that no notification announced; 1 s by default, above zero.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// Most connections in the pool, 1 or more; 11 by default. If there are enough, each busy task keeps one. Up to two more are
    /// opened while something large is written or another transaction holds locks, and up to three more while executions or open
    /// questions are listed or analytics are read.
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections;
        self
    }

    /// Most connections for transactional steps, 1 or more; 5 by default. Each such step holds a connection from its beginning to
    /// its commit, and further steps wait for one. These connections are opened when they are needed, in addition to the pool,
    /// and have the database's own settings.
    pub fn transaction_connections(mut self, connections: u32) -> Self {
        self.transaction_connections = connections;
        self
    }

    /// How often an execution may be claimed in a row without being parked or ending; 10 by default, 1 or more. Beyond this
    /// number the execution is assumed to kill its workers, and fails with an error of the kind
    /// [`Poisoned`](ErrorKind::Poisoned).
    pub fn max_claims(mut self, claims: u16) -> Self {
        self.max_claims = i16::try_from(claims).unwrap_or(i16::MAX);
        self
    }

    /// How many parked executions stay in memory, so that they go on without a replay; 1000 by default, 0 for none.
    pub fn cached_executions(mut self, executions: usize) -> Self {
        self.cached_executions = executions;
        self
    }

    /// How long a client call waits for a database that does not answer; 30 s by default. Writes of running executions are
    /// repeated without limit.
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.operation_timeout = timeout;
        self
    }

    /// Deletes executions of the registered workflows, with their journals, once they ended longer ago than this. Default: they
    /// are kept for ever. Above zero; `#[workflow(retention = "30d")]` sets another time for one workflow.
    ///
    /// Every ten minutes one of the workers that know a workflow deletes in batches, as [`Durable::prune`] does. A child stays
    /// until every execution above it has ended that long ago, and a parent stays until its own children have ended. If a pass
    /// takes over an hour, the next one is a day later. Records of the firings of these workflows' schedules are deleted after
    /// the same time. This option, but not the option of a workflow, also deletes the keys of publications: what is published
    /// under such a key then is published again.
    pub fn retention(mut self, time: Duration) -> Self {
        self.retention = Some(time);
        self
    }

    /// Replaces the body of a step, for tests: see [`testing`](crate::testing).
    pub fn replace_step(mut self, replacement: Replacement) -> Self {
        self.doubles.get_or_insert_default().replace(replacement);
        self
    }

    /// Calls these hooks before and after the body of each attempt at a step, for tests: see [`testing`](crate::testing). Hooks
    /// replace earlier hooks.
    pub fn step_hooks(mut self, hooks: impl StepHooks) -> Self {
        self.doubles.get_or_insert_default().hooks = Some(Arc::new(hooks));
        self
    }

    /// Starts the engine: connects, checks the schema, and begins to work on the queues.
    ///
    /// # Errors
    /// `Invalid` for an option that makes no sense, for a pooler in transaction mode, and for a database that is not in UTF-8.
    /// `Schema` for a schema that is missing, older, or so new that it no longer serves this library; the error names the command
    /// to run. `Database`, at once, if the server refuses the role, its password or the name of the database. `Unavailable` if
    /// the server does not answer, or is read-only, for the whole operation timeout. The last two name the server and the role.
    pub async fn start(self) -> Result<Durable> {
        let Checked { address, schema, queues } = self.check()?;
        self.warn_of_unserved(&queues);
        let worker = WorkerOptions {
            version: self.version,
            lease: self.lease,
            poll_interval: self.poll_interval,
            max_claims: self.max_claims,
            cached_executions: self.cached_executions,
            patience: Patience::AtMost(self.operation_timeout),
            retention: self.retention,
            doubles: self.doubles.map(Arc::new),
        };
        let options = EngineOptions {
            address,
            schema,
            queues,
            limits: self.limits,
            registry: self.registry,
            observers: self.observers,
            tracing: self.tracing,
            step_log_levels: self.step_log_levels,
            measure_every: self.measure_every,
            max_connections: self.max_connections,
            transaction_connections: self.transaction_connections,
            worker,
        };
        Ok(Durable { engine: Arc::new(Engine::start(options).await?) })
    }

    /// A workflow may be registered for the sake of its client, or of one step that has a queue of its own. But if the worker
    /// serves none of its queues, a queue was probably forgotten.
    fn warn_of_unserved(&self, queues: &[(String, usize)]) {
        let is_served = |queue: &&str| queues.iter().any(|(name, _)| name == queue);
        for (workflow, its_queues) in &self.workflow_queues {
            if !its_queues.iter().any(is_served) {
                tracing::warn!(
                    workflow,
                    queues = ?its_queues,
                    "this process works on no queue of a workflow that is registered here: its executions wait for another process; add \
                     `.queue({:?}, …)`",
                    its_queues[0]
                );
            }
        }
    }

    /// The database alone, without an engine.
    pub(super) fn store(&self) -> Result<(Store, Patience)> {
        let Checked { address, schema, .. } = self.check()?;
        Ok((Store::new(&address, schema, self.max_connections), Patience::AtMost(self.operation_timeout)))
    }

    /// Refuses options that make no sense, before anything is connected or written.
    fn check(&self) -> Result<Checked> {
        let invalid = |message: String| Err(Error::of_kind(ErrorKind::Invalid, message));
        if let Some(refused) = &self.refused {
            return Err(Error::from_failure(refused.failure().clone()));
        }
        let address = match &self.address {
            None => return invalid("no database is given; call `.database_url(\"postgres://…\")` on the builder".to_owned()),
            Some(Err(error)) => return Err(Error::from_failure(error.failure().clone())),
            Some(Ok(address)) => address.clone(),
        };
        let schema = SchemaName::from_str(&self.schema).map_err(|error| Error::of_kind(ErrorKind::Invalid, error.to_string()))?;
        let mut queues = self.queues.clone();
        if queues.is_empty() {
            let of_workflows = self.workflow_queues.iter().flat_map(|(_, queues)| queues);
            queues.extend(of_workflows.map(|queue| ((*queue).to_owned(), DEFAULT_CONCURRENCY)));
            queues.sort_unstable();
            queues.dedup();
        }
        for (name, concurrency) in &queues {
            if name.is_empty() {
                return invalid("a queue needs a name".to_owned());
            }
            payload::check_indexed("the name of a queue", name)?;
            if *concurrency == 0 {
                return invalid(format!("queue `{name}` has a concurrency of 0; give it at least 1, or leave it out"));
            }
        }
        for (at, (name, limits)) in self.limits.iter().enumerate() {
            if name.is_empty() {
                return invalid("a queue needs a name".to_owned());
            }
            payload::check_indexed("the name of a queue", name)?;
            if self.limits[..at].iter().any(|(before, _)| before == name) {
                return invalid(format!("the limits of queue `{name}` are given twice; give them all in one call"));
            }
            limits.check(name)?;
        }
        for definition in self.registry.schedules() {
            schedule::check(definition)?;
        }
        if self.registry.is_empty() && !self.queues.is_empty() {
            return invalid("queues are configured but no workflow is registered; call `.register(…)`, or leave the queues out for a pure client".to_owned());
        }
        if self.lease < SHORTEST_LEASE {
            return invalid(format!("a lease of {:?} is too short; give at least {SHORTEST_LEASE:?}", self.lease));
        }
        if self.lease > LONGEST_LEASE {
            return invalid(format!("a lease of {:?} is too long; give at most {LONGEST_LEASE:?}", self.lease));
        }
        if self.poll_interval.is_zero() {
            return invalid("a poll interval of zero would never let the database rest; give 100 ms or more".to_owned());
        }
        if self.retention.is_some_and(|time| time.is_zero()) {
            return invalid(
                "a retention of zero would delete what has only just ended; give the time for which results are still read"
                    .to_owned(),
            );
        }
        if self.measure_every.is_some_and(|interval| interval.is_zero()) {
            return invalid("measuring every zero seconds would never let the database rest; give a second or more".to_owned());
        }
        if self.max_connections == 0 {
            return invalid("a pool of 0 connections reaches no database; give at least 1".to_owned());
        }
        if self.transaction_connections == 0 {
            return invalid(
                "transactional steps run on no connection with transaction_connections of 0; give at least 1".to_owned(),
            );
        }
        if self.max_claims < 1 {
            return invalid("max_claims of 0 would fail every execution; give at least 1".to_owned());
        }
        Ok(Checked { address, schema, queues })
    }
}
