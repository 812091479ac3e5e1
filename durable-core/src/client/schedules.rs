//! Shows schedules, enables and disables them, and fires them by hand.

use std::future::IntoFuture;
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::Durable;
use super::list::checked_limit;
use super::page::Page;
use crate::context::step::BoxFuture;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::model::{Firing, Schedule};
use crate::payload::{self, Payload};
use crate::plan::schedule::{MOST_DUE, Timing};
use crate::store::schedules::{self, ScheduleFilter};

/// Most schedules, firings or due times returned by one call.
const HIGHEST_LIMIT: u32 = 1000;

/// How often a call is tried again that a change of the schedule crosses.
pub(super) const TRIES: u32 = 5;

/// A list of schedules; await it. See [`Durable::list_schedules`].
#[derive(Debug)]
#[must_use = "a list does nothing until it is awaited"]
pub struct ScheduleList<'durable> {
    durable: &'durable Durable,
    filter: ScheduleFilter,
    limit: u32,
}

impl ScheduleList<'_> {
    /// Only schedules of the workflow with this name.
    pub fn workflow(mut self, name: impl Into<String>) -> Self {
        self.filter.workflow = Some(name.into());
        self
    }

    /// Only schedules that are enabled, or only schedules that are disabled.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.filter.enabled = Some(enabled);
        self
    }

    /// Only schedules after this name, the `next` of the previous page.
    pub fn after(mut self, name: impl Into<String>) -> Self {
        self.filter.after = Some(name.into());
        self
    }

    /// At most this many schedules on a page, 1 to 1000; 1000 by default.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }
}

impl<'durable> IntoFuture for ScheduleList<'durable> {
    type Output = Result<Page<Schedule, String>>;
    type IntoFuture = BoxFuture<'durable, Result<Page<Schedule, String>>>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move {
            self.filter.limit = checked_limit(self.limit, HIGHEST_LIMIT)? + 1;
            let (durable, filter) = (self.durable, &self.filter);
            let found = durable.run("list schedules", |pool| schedules::list(durable.store(), pool, filter)).await?;
            Ok(Page::cut(found, self.limit, |last| last.name.clone()))
        })
    }
}

/// A list of the due times for which a schedule has fired; await it. See [`Durable::schedule_firings`].
#[derive(Debug)]
#[must_use = "a list does nothing until it is awaited"]
pub struct FiringList<'durable> {
    durable: &'durable Durable,
    name: String,
    before: Option<DateTime<Utc>>,
    limit: u32,
}

impl FiringList<'_> {
    /// Only firings before this due time, the `next` of the previous page.
    pub fn before(mut self, due: DateTime<Utc>) -> Self {
        self.before = Some(due);
        self
    }

    /// At most this many firings on a page, 1 to 1000; 1000 by default.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }
}

impl<'durable> IntoFuture for FiringList<'durable> {
    type Output = Result<Page<Firing, DateTime<Utc>>>;
    type IntoFuture = BoxFuture<'durable, Result<Page<Firing, DateTime<Utc>>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let limit = checked_limit(self.limit, HIGHEST_LIMIT)? + 1;
            let Self { durable, name, before, .. } = &self;
            let found =
                durable.run("list firings", |pool| schedules::firings(durable.store(), pool, name, *before, limit)).await?;
            Ok(Page::cut(found, self.limit, |last| last.due_at))
        })
    }
}

/// A start by hand; await it for the id of the execution. See [`Durable::trigger_schedule`].
#[derive(Debug)]
#[must_use = "nothing is triggered until it is awaited"]
pub struct TriggerSchedule<'durable> {
    durable: &'durable Durable,
    name: String,
    input: Option<Result<Payload>>,
}

impl TriggerSchedule<'_> {
    /// Another input than the schedule's, for this execution only.
    pub fn input<T: Serialize + ?Sized>(mut self, input: &T) -> Self {
        self.input = Some(payload::encode(format_args!("the input for schedule `{}`", self.name), input));
        self
    }
}

impl<'durable> IntoFuture for TriggerSchedule<'durable> {
    type Output = Result<ExecutionId>;
    type IntoFuture = BoxFuture<'durable, Result<ExecutionId>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { durable, name, input } = self;
            let (store, input) = (durable.store(), input.transpose()?);
            let triggered =
                durable.run("trigger a schedule", |pool| schedules::trigger(store, pool, &name, input.as_ref())).await?;
            durable.engine.signals.queued(&triggered.queue);
            Ok(triggered.execution)
        })
    }
}

impl Durable {
    /// A schedule, with its next due time and the results of its latest executions.
    ///
    /// # Errors
    /// `NotFound` for an unknown schedule.
    pub async fn get_schedule(&self, name: &str) -> Result<Schedule> {
        let found = self.run("get a schedule", |pool| schedules::get(self.store(), pool, name)).await?;
        found.ok_or_else(|| not_found(name))
    }

    /// Lists schedules by name; await the returned builder after filters such as `.workflow("report")`.
    ///
    /// # Errors
    /// `Invalid` for a limit that is not between 1 and 1000.
    pub fn list_schedules(&self) -> ScheduleList<'_> {
        ScheduleList { durable: self, filter: ScheduleFilter::default(), limit: HIGHEST_LIMIT }
    }

    /// The due times for which a schedule has fired, the latest first, including those before it was deleted; await the returned
    /// builder.
    ///
    /// # Errors
    /// `Invalid` for a limit that is not between 1 and 1000.
    pub fn schedule_firings(&self, name: impl Into<String>) -> FiringList<'_> {
        FiringList { durable: self, name: name.into(), before: None, limit: HIGHEST_LIMIT }
    }

    /// The next due times of a schedule, at most `count`; fewer if it ends before.
    ///
    /// # Errors
    /// `NotFound` for an unknown schedule, `Invalid` for a count that is not between 1 and 1000.
    pub async fn next_due_times(&self, name: &str, count: u32) -> Result<Vec<DateTime<Utc>>> {
        let count = checked_limit(count, HIGHEST_LIMIT)?;
        let schedule = self.get_schedule(name).await?;
        let now = self.now().await?;
        let times = timing(&schedule)?.due_times(now).zip(0..count).map(|(due, _)| due).collect();
        Ok(times)
    }

    /// Enables a schedule: it fires again from its next due time on. Due times that passed while it was disabled do not count as
    /// missed, and its failures are forgotten. A schedule that is enabled stays as it is.
    ///
    /// # Errors
    /// `NotFound` for an unknown schedule.
    pub async fn enable_schedule(&self, name: &str) -> Result<()> {
        for _ in 0..TRIES {
            let schedule = self.get_schedule(name).await?;
            if schedule.enabled {
                return Ok(());
            }
            let next = timing(&schedule)?.due_after(self.now().await?);
            let revision = schedule.revision.cast_signed();
            if self.run("enable a schedule", |pool| schedules::enable(self.store(), pool, name, revision, next)).await? {
                self.engine.signals.schedules_changed();
                return Ok(());
            }
        }
        Err(crossed(name))
    }

    /// Disables a schedule: it does not fire until it is enabled again. Executions that it has started continue; starts that wait
    /// for an earlier execution to end keep waiting.
    ///
    /// # Errors
    /// `NotFound` for an unknown schedule.
    pub async fn disable_schedule(&self, name: &str, reason: &str) -> Result<()> {
        let found = self.run("disable a schedule", |pool| schedules::disable(self.store(), pool, name, reason)).await?;
        if found { Ok(()) } else { Err(not_found(name)) }
    }

    /// Deletes a schedule. Executions that it has started continue; starts that wait for an earlier execution to end are dropped.
    /// The record of its firings stays, so that a schedule created under this name later does not fire for the same due times
    /// again.
    ///
    /// # Errors
    /// `NotFound` for an unknown schedule.
    pub async fn delete_schedule(&self, name: &str) -> Result<()> {
        let found = self.run("delete a schedule", |pool| schedules::delete(self.store(), pool, name)).await?;
        if found { Ok(()) } else { Err(not_found(name)) }
    }

    /// Starts an execution of a schedule now and returns its id, even if the schedule is disabled or other executions of it run.
    /// The next due time stays as it is. Await the returned builder, after `.input(&value)` for another input; the concurrency
    /// key is still the schedule's.
    ///
    /// ```no_run
    /// # async fn example(durable: &durable::Durable) -> durable::Result<()> {
    /// let execution = durable.trigger_schedule("report for sales").input("marketing").await?;
    /// # drop(execution); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` for an unknown schedule, `Payload` for an input that cannot be stored.
    pub fn trigger_schedule(&self, name: impl Into<String>) -> TriggerSchedule<'_> {
        TriggerSchedule { durable: self, name: name.into(), input: None }
    }

    /// Fires a schedule for the due times of a range for which it has not fired yet, at most 1000; returns for how many it fired.
    /// With an overlap policy other than [`Overlap::Allow`](crate::model::Overlap::Allow) the executions run one after another.
    ///
    /// # Errors
    /// `NotFound` for an unknown schedule, `Invalid` for a range with more than 1000 due times or with a due time in the future.
    pub async fn backfill_schedule(&self, name: &str, range: Range<DateTime<Utc>>) -> Result<u32> {
        let schedule = self.get_schedule(name).await?;
        let before_start = range.start.checked_sub_signed(TimeDelta::microseconds(1)).unwrap_or(range.start);
        let timing = timing(&schedule)?;
        let due: Vec<_> = timing.due_times(before_start).take_while(|due| *due < range.end).take(MOST_DUE + 1).collect();
        if due.len() > MOST_DUE {
            let problem = format!(
                "schedule `{name}` is due over {MOST_DUE} times from {} to {}; backfill a shorter range at a time",
                range.start, range.end
            );
            return Err(Error::of_kind(ErrorKind::Invalid, problem));
        }
        let now = self.now().await?;
        if let Some(future) = due.iter().find(|due| **due > now) {
            let problem =
                format!("schedule `{name}` is due at {future}, which is still to come; backfill a range that ends by {now}");
            return Err(Error::of_kind(ErrorKind::Invalid, problem));
        }
        if due.is_empty() {
            return Ok(0);
        }
        let revision = schedule.revision.cast_signed();
        let filled =
            self.run("backfill a schedule", |pool| schedules::backfill(self.store(), pool, name, revision, &due)).await?;
        self.engine.signals.queued(&filled.queue);
        Ok(filled.count)
    }
}

fn timing(schedule: &Schedule) -> Result<Timing> {
    Timing::read(&schedule.rule, schedule.timezone.parse()?, schedule.starts_at, schedule.ends_at)
}

fn not_found(name: &str) -> Error {
    Error::of_kind(ErrorKind::NotFound, format!("there is no schedule `{name}`; check the name and the schema"))
}

pub(super) fn crossed(name: &str) -> Error {
    Error::of_kind(ErrorKind::Conflict, format!("schedule `{name}` is being changed by others all the time; try again"))
}
