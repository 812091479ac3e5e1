//! Creates schedules and changes them.

use std::fmt;
use std::future::IntoFuture;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Durable;
use super::schedules::{TRIES, crossed};
use crate::clock;
use crate::context::step::BoxFuture;
use crate::context::{Workflow, tags_of};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Missed, Overlap, Schedule, Tags, checked_concurrency_key};
use crate::payload::{self, Payload};
use crate::plan::schedule::Timing;
use crate::plan::start_options::{Defaults, StartOptions, start_setters};
use crate::registry::Registry;
use crate::store::schedules::{self, ScheduleDefinition};
use crate::store::{self, Patience, Store};

/// Longest name of a schedule, in bytes: it is indexed, and an index row is limited to a third of a page.
const LONGEST_NAME: usize = 500;

/// Longest jitter and longest window of missed due times.
const LONGEST_DELAY: Duration = Duration::from_secs(10 * 366 * 86_400);

/// A schedule to create or change; await it for the [`Schedule`] as it is then. See [`Durable::schedule`] and
/// [`Durable::update_schedule`].
#[must_use = "a schedule is not made or changed before it is awaited"]
pub struct PutSchedule<'durable> {
    durable: &'durable Durable,
    name: String,
    /// The defaults of a new schedule; `None` to change a schedule that exists.
    new: Option<Result<ScheduleDefinition>>,
    disabled: bool,
    changes: Changes,
}

/// The options that were given; the others stay.
#[derive(Debug, Default)]
struct Changes {
    rule: Option<String>,
    timezone: Option<String>,
    input: Option<Result<Payload>>,
    version: Option<u32>,
    options: StartOptions,
    starts_at: Option<Option<DateTime<Utc>>>,
    ends_at: Option<Option<DateTime<Utc>>>,
    jitter: Option<Duration>,
    missed: Option<Missed>,
    overlap: Option<Overlap>,
    max_failures: Option<Option<u32>>,
}

impl PutSchedule<'_> {
    /// The times at which it is due: a cron expression such as `0 9 * * MON-FRI`, or an interval such as `every 15m`.
    pub fn rule(mut self, rule: impl Into<String>) -> Self {
        self.changes.rule = Some(rule.into());
        self
    }

    /// The time zone of the cron expression, by its IANA name such as `Europe/Berlin`; `UTC` by default.
    pub fn timezone(mut self, name: impl Into<String>) -> Self {
        self.changes.timezone = Some(name.into());
        self
    }

    /// The input of its executions. The workflow must be able to decode it.
    pub fn input<T: Serialize + ?Sized>(mut self, input: &T) -> Self {
        self.changes.input = Some(payload::encode(format_args!("the input of schedule `{}`", self.name), input));
        self
    }

    start_setters!(queue, priority, time_to_live, tag);

    /// The concurrency key of the executions it starts. Default: the key that the workflow makes from the schedule's input; none
    /// for a schedule that was created with the name of its workflow, or with `None`. 1 to 1000 bytes.
    pub fn concurrency_key(mut self, key: impl Into<Option<String>>) -> Self {
        self.changes.options.concurrency_key = Some(key.into());
        self
    }

    /// The version of the workflow to start. Default: the version of the type; 1 for a workflow that is given by its name.
    pub fn version(mut self, version: u32) -> Self {
        self.changes.version = Some(version);
        self
    }

    /// The time before which it does not fire, and from which an interval counts. Default, and with `None`: it fires from now on.
    pub fn starts_at(mut self, time: impl Into<Option<DateTime<Utc>>>) -> Self {
        self.changes.starts_at = Some(time.into());
        self
    }

    /// The time after which it does not fire. Default, and with `None`: it never ends.
    pub fn ends_at(mut self, time: impl Into<Option<DateTime<Utc>>>) -> Self {
        self.changes.ends_at = Some(time.into());
        self
    }

    /// Delays each start by a random time of up to this length, so that schedules with equal due times do not all start at once;
    /// zero by default, ten years at most.
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.changes.jitter = Some(jitter);
        self
    }

    /// What happens to due times at which no worker ran; [`Missed::One`] by default.
    pub fn missed(mut self, missed: Missed) -> Self {
        self.changes.missed = Some(missed);
        self
    }

    /// What happens at a due time if an earlier execution has not ended; [`Overlap::Allow`] by default.
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.changes.overlap = Some(overlap);
        self
    }

    /// Disables the schedule at a due time if this many executions in a row have failed, 1 or more. Default, and with `None`:
    /// never.
    pub fn max_failures(mut self, failures: impl Into<Option<u32>>) -> Self {
        self.changes.max_failures = Some(failures.into());
        self
    }

    /// Creates the schedule disabled; a schedule that exists stays as it is. See [`Durable::enable_schedule`].
    pub fn disabled(mut self) -> Self {
        self.disabled = true;
        self
    }

    fn options(&mut self) -> &mut StartOptions {
        &mut self.changes.options
    }
}

impl Changes {
    /// The definition with these options, checked.
    fn apply(&self, mut definition: ScheduleDefinition) -> Result<(ScheduleDefinition, Timing)> {
        if let Some(rule) = &self.rule {
            definition.rule.clone_from(rule);
        }
        if let Some(timezone) = &self.timezone {
            definition.timezone.clone_from(timezone);
        }
        if let Some(input) = &self.input {
            definition.input = input.as_ref().map_err(|error| Error::from_failure(error.failure().clone()))?.clone();
        }
        let defaults = Defaults {
            queue: &definition.queue,
            priority: definition.priority,
            concurrency_key: definition.concurrency_key.take(),
            time_to_live: definition.time_to_live,
            tags: std::mem::take(&mut definition.tags),
        };
        let start = self.options.clone().check(format_args!("schedule `{}`", definition.name), defaults)?;
        definition.queue = start.queue;
        definition.priority = start.priority;
        definition.concurrency_key = start.concurrency_key;
        definition.time_to_live = start.time_to_live;
        definition.tags = start.tags;
        definition.version = self.version.map_or(definition.version, u32::cast_signed);
        definition.starts_at = self.starts_at.unwrap_or(definition.starts_at);
        definition.ends_at = self.ends_at.unwrap_or(definition.ends_at);
        definition.jitter = self.jitter.unwrap_or(definition.jitter);
        definition.missed = self.missed.unwrap_or(definition.missed);
        definition.overlap = self.overlap.unwrap_or(definition.overlap);
        definition.max_failures = match self.max_failures {
            Some(failures) => failures.map(|failures| i32::try_from(failures).unwrap_or(i32::MAX)),
            None => definition.max_failures,
        };
        let timing = check(&definition)?;
        Ok((definition, timing))
    }
}

/// The due times of a schedule; fails if an option makes no sense.
pub(super) fn check(definition: &ScheduleDefinition) -> Result<Timing> {
    let ScheduleDefinition { name, workflow, version, queue, rule, timezone, starts_at, ends_at, .. } = definition;
    let invalid = |message: String| Err(Error::of_kind(ErrorKind::Invalid, message));
    if name.is_empty() || name.len() > LONGEST_NAME || name.contains(char::is_control) {
        return invalid(format!("the name of a schedule has 1 to {LONGEST_NAME} bytes and no control characters"));
    }
    if workflow.is_empty() || workflow.contains(char::is_control) {
        return invalid(format!("schedule `{name}` names no workflow; give the name of the one that it starts"));
    }
    if *version < 1 {
        return invalid(format!("schedule `{name}` starts a version that there cannot be; give 1 or more"));
    }
    payload::check_indexed(format_args!("the queue of schedule `{name}`"), queue)?;
    payload::check_indexed(format_args!("the workflow of schedule `{name}`"), workflow)?;
    if [starts_at, ends_at].into_iter().flatten().any(|time| *time > clock::LAST || *time < clock::FIRST) {
        return invalid(format!("schedule `{name}` begins or ends at a time that is not between the years 1 and 9999"));
    }
    if definition.max_failures == Some(0) {
        return invalid(format!("max_failures of 0 would never let schedule `{name}` fire; give at least 1, or leave it out"));
    }
    let window = if let Missed::Window(window) = definition.missed { window } else { Duration::ZERO };
    if definition.jitter.max(window) > LONGEST_DELAY {
        return invalid(format!("the jitter or the window of schedule `{name}` is over ten years; give less"));
    }
    let in_schedule = |error: Error| Error::of_kind(ErrorKind::Invalid, format!("schedule `{name}`: {error}"));
    let zone = timezone.parse().map_err(in_schedule)?;
    Timing::read(rule, zone, *starts_at, *ends_at).map_err(in_schedule)
}

/// Writes the schedules that registered workflows declare, if they differ. If two releases declare a schedule differently, the
/// last to start wins.
pub(super) async fn declare(store: &Store, registry: &Registry, patience: Patience) -> Result<bool> {
    let mut changed = false;
    for definition in registry.schedules() {
        let timing = check(definition)?;
        let written = store::run("register a schedule", patience, || async {
            let now = store::clock::read(store, &store.pool).await?.database;
            schedules::put(store, &store.pool, definition, true, timing.due_after(now), None).await
        });
        if written.await? {
            tracing::info!(
                schedule = definition.name,
                rule = definition.rule,
                "declared a schedule that was not there, or another"
            );
            changed = true;
        }
    }
    Ok(changed)
}

impl<'durable> IntoFuture for PutSchedule<'durable> {
    type Output = Result<Schedule>;
    type IntoFuture = BoxFuture<'durable, Result<Schedule>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { durable, name, new, disabled, changes } = self;
            match new {
                Some(new) => durable.make_schedule(new?, !disabled, &changes).await?,
                None => durable.change_schedule(&name, &changes).await?,
            }
            durable.engine.signals.schedules_changed();
            durable.get_schedule(&name).await
        })
    }
}

impl fmt::Debug for PutSchedule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutSchedule").field("name", &self.name).field("changes", &self.changes).finish_non_exhaustive()
    }
}

impl Durable {
    /// Creates a schedule that starts `W` with this input whenever its rule is due; await the returned builder, after options
    /// such as `.timezone("Europe/Berlin")`.
    ///
    /// If a schedule of that name exists and differs, it is changed, and options that are left out get their defaults: so an
    /// application can call this at every start. To change single options, call [`update_schedule`](Self::update_schedule). Two
    /// things stay as they are: whether the schedule is enabled and, if the rule is the same, its next due time.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # struct Report;
    /// # #[workflow] impl Report { async fn run(&self, _cx: &Context, team: String) -> Result<()> { Ok(()) } }
    /// # async fn example(durable: &Durable) -> Result<()> {
    /// use durable::Overlap;
    /// durable
    ///     .schedule::<Report>("report for sales", "0 9 * * MON-FRI", "sales".to_owned())
    ///     .timezone("Europe/Berlin")
    ///     .overlap(Overlap::Skip)
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Invalid` for a rule, a time zone or an option that makes no sense, and for a workflow that is not registered in a process
    /// that has workflows; `Payload` for an input that cannot be stored.
    #[expect(clippy::needless_pass_by_value, reason = "an input is given away, as to `Durable::start`")]
    pub fn schedule<W: Workflow>(&self, name: impl Into<String>, rule: impl Into<String>, input: W::Input) -> PutSchedule<'_> {
        let encoded = payload::encode_for_replay(format_args!("the input of workflow `{}`", W::NAME), &input);
        let made = (W::concurrency_key(&input), tags_of::<W>(&input));
        let input = self.refuse_unregistered::<W>().and(encoded);
        let put = self.put_schedule(name.into(), rule.into(), (W::NAME, W::VERSION, W::QUEUE), input, made);
        put.time_to_live(W::TIME_TO_LIVE)
    }

    /// Like [`schedule`](Self::schedule), for a workflow that is given by its name: version 1, in the queue `default`, unless
    /// `.version(…)` and `.queue(…)` are given. It is not checked whether there is such a workflow; without a worker that knows
    /// the workflow, its executions wait.
    ///
    /// # Errors
    /// As for [`schedule`](Self::schedule).
    pub fn schedule_workflow<T: Serialize + ?Sized>(
        &self,
        name: impl Into<String>,
        workflow: &str,
        rule: impl Into<String>,
        input: &T,
    ) -> PutSchedule<'_> {
        let input = payload::encode(format_args!("the input of workflow `{workflow}`"), input);
        self.put_schedule(name.into(), rule.into(), (workflow, 1, "default"), input, (None, Tags::new()))
    }

    /// Changes a schedule; await the returned builder after the options to change. The other options stay. A schedule that the
    /// code declares is as declared again after the next start of a worker.
    ///
    /// ```no_run
    /// # async fn example(durable: &durable::Durable) -> durable::Result<()> {
    /// let schedule = durable.update_schedule("report for sales").rule("every 15m").await?;
    /// println!("due next at {:?}", schedule.next_due_at);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` for an unknown schedule, `Invalid` and `Payload` as for [`schedule`](Self::schedule).
    pub fn update_schedule(&self, name: impl Into<String>) -> PutSchedule<'_> {
        PutSchedule { durable: self, name: name.into(), new: None, disabled: false, changes: Changes::default() }
    }

    fn put_schedule(
        &self,
        name: String,
        rule: String,
        (workflow, version, queue): (&str, u32, &str),
        input: Result<Payload>,
        (concurrency_key, tags): (Option<String>, Tags),
    ) -> PutSchedule<'_> {
        let new = input.and_then(|input| {
            Ok(ScheduleDefinition {
                name: name.clone(),
                workflow: workflow.to_owned(),
                version: version.cast_signed(),
                queue: queue.to_owned(),
                priority: 0,
                input,
                concurrency_key: concurrency_key.map(checked_concurrency_key).transpose()?,
                time_to_live: None,
                tags,
                rule,
                timezone: "UTC".to_owned(),
                starts_at: None,
                ends_at: None,
                jitter: Duration::ZERO,
                missed: Missed::default(),
                overlap: Overlap::default(),
                max_failures: None,
                declared: false,
            })
        });
        PutSchedule { durable: self, name, new: Some(new), disabled: false, changes: Changes::default() }
    }

    async fn make_schedule(&self, new: ScheduleDefinition, enabled: bool, changes: &Changes) -> Result<()> {
        let (definition, timing) = changes.apply(new)?;
        let store = self.store();
        let next = timing.due_after(self.now().await?);
        self.run("make a schedule", |pool| schedules::put(store, pool, &definition, enabled, next, None)).await.map(drop)
    }

    async fn change_schedule(&self, name: &str, changes: &Changes) -> Result<()> {
        let store = self.store();
        for _ in 0..TRIES {
            let current = self.get_schedule(name).await?;
            let (enabled, revision) = (current.enabled, current.revision.cast_signed());
            let (definition, timing) = changes.apply(definition_of(current))?;
            let next = timing.due_after(self.now().await?);
            let put = |pool| schedules::put(store, pool, &definition, enabled, next, Some(revision));
            let written = self.run("change a schedule", put).await?;
            // What is as it should be needs no writing.
            if written || self.get_schedule(name).await?.revision.cast_signed() == revision {
                return Ok(());
            }
        }
        Err(crossed(name))
    }

    /// The database's time.
    pub(super) async fn now(&self) -> Result<DateTime<Utc>> {
        let store = self.store();
        Ok(self.run("read the database's clock", |pool| store::clock::read(store, pool)).await?.database)
    }
}

fn definition_of(schedule: Schedule) -> ScheduleDefinition {
    ScheduleDefinition {
        version: schedule.version.cast_signed(),
        queue: schedule.queue,
        priority: schedule.priority,
        input: schedule.input.to_payload(),
        concurrency_key: schedule.concurrency_key,
        time_to_live: schedule.time_to_live,
        tags: schedule.tags,
        rule: schedule.rule,
        timezone: schedule.timezone,
        starts_at: schedule.starts_at,
        ends_at: schedule.ends_at,
        jitter: schedule.jitter,
        missed: schedule.missed,
        overlap: schedule.overlap,
        max_failures: schedule.max_failures.map(u32::cast_signed),
        declared: schedule.declared,
        name: schedule.name,
        workflow: schedule.workflow,
    }
}
