//! Schedules: what is due starts on time, once, with what it was told; they are made, changed, switched and fired by hand.

mod crashing;
mod declaring;
mod failing;
mod missing;
mod overlapping;
mod refusing;
mod sharing;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use durable::chrono::{DateTime, TimeDelta, Utc};
use durable::prelude::*;
use durable::{FiringCause, FiringOutcome, Overlap};

use crate::support::bodies::{Gate, Tally};
use crate::support::{self, Database, clock, eventually, soon};

pub(crate) use crashing::work;

const HOUR: Duration = hours(1);

/// Counts its labels; stands at a gate where it has one, and fails when it is told to.
#[derive(Default)]
struct Tick {
    tally: Tally,
    gate: Option<Gate>,
    failing: Arc<AtomicBool>,
}

#[workflow(queue = "ticks")]
impl Tick {
    async fn run(&self, cx: &Context, label: String) -> Result<Option<DateTime<Utc>>> {
        self.count(label).await?;
        Ok(cx.scheduled_for())
    }

    #[step]
    async fn count(&self, label: String) -> Result<()> {
        self.tally.add(label);
        if let Some(gate) = &self.gate {
            gate.pass().await;
        }
        if self.failing.load(Ordering::SeqCst) { Err(Error::new("told to fail")) } else { Ok(()) }
    }
}

/// How often the schedule has fired, whatever came of it.
async fn fired(durable: &Durable, schedule: &str) -> usize {
    durable.schedule_firings(schedule).await.unwrap().len()
}

async fn until_fired(durable: &Durable, schedule: &str, times: usize) {
    eventually(&format!("{times} firings of `{schedule}`"), async || fired(durable, schedule).await == times).await;
}

/// The outcomes of the schedule's firings, the earliest first.
async fn outcomes(durable: &Durable, schedule: &str) -> Vec<FiringOutcome> {
    durable.schedule_firings(schedule).await.unwrap().iter().rev().map(|firing| firing.outcome).collect()
}

/// Schedules `tick` every hour, an hour from now on, under its label.
async fn hourly(durable: &Durable, database: &Database, name: &str) -> DateTime<Utc> {
    let first = clock::now(database).await + TimeDelta::hours(1);
    durable.schedule::<Tick>(name, "every 1h", name.to_owned()).starts_at(first).await.unwrap();
    first
}

#[tokio::test]
async fn each_due_time_starts_an_execution_that_knows_it() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let durable = database.builder().register(Tick::default()).start().await.unwrap();
    let first = hourly(&durable, &database, "chime").await;
    assert_eq!(durable.get_schedule("chime").await.unwrap().next_due_at, Some(first));

    for hour in 0..3 {
        let due = first + TimeDelta::hours(hour);
        clock::advance(&database, HOUR).await;
        until_fired(&durable, "chime", usize::try_from(hour).unwrap() + 1).await;
        let firing = durable.schedule_firings("chime").limit(1).await.unwrap().remove(0);
        assert_eq!((firing.due_at, firing.fired_at), (due, due), "late by the clock");
        assert_eq!((firing.cause, firing.outcome), (FiringCause::Due, FiringOutcome::Started));
        let output = soon("its end", durable.handle::<Tick>(firing.execution_id.unwrap()).result()).await.unwrap();
        assert_eq!(output, Some(due));
        let execution = durable.get_execution(firing.execution_id.unwrap()).await.unwrap().execution;
        assert_eq!((execution.schedule.as_deref(), execution.scheduled_for), (Some("chime"), Some(due)));
        assert_eq!(execution.input, serde_json::json!("chime"));
        assert_eq!(durable.get_schedule("chime").await.unwrap().next_due_at, Some(due + TimeDelta::hours(1)));
    }
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_execution_that_no_schedule_started_has_no_due_time() {
    let database = support::database().await;
    let durable = database.builder().register(Tick::default()).start().await.unwrap();
    let handle = durable.start::<Tick>("by hand".to_owned()).await.unwrap();
    assert_eq!(soon("its end", handle.result()).await.unwrap(), None);
    assert_eq!(durable.get_execution(handle.id()).await.unwrap().execution.schedule, None);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_due_time_is_met_by_a_timer_and_not_by_polling() {
    let database = support::database().await;
    let durable = database.builder().poll_interval(hours(24)).register(Tick::default()).start().await.unwrap();
    let client = database.client().await;
    // Heard of by a notice, then by a timer of the worker, again and again.
    client.schedule::<Tick>("seconds", "every 1s", "second".to_owned()).await.unwrap();
    eventually("three seconds", async || fired(&client, "seconds").await >= 3).await;
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_schedule_that_is_made_again_keeps_whether_it_is_enabled_and_when_it_is_due() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let client = database.client().await;
    let made = client.schedule::<Tick>("tick", "every 1h", "a".to_owned()).await.unwrap();
    assert!(made.enabled && made.revision == 1 && !made.declared);
    client.disable_schedule("tick", "the office is closed").await.unwrap();
    clock::turn(&database, Duration::from_secs(5 * 3600)).await;

    let again = client.schedule::<Tick>("tick", "every 1h", "a".to_owned()).await.unwrap();
    assert_eq!((again.revision, again.enabled, again.next_due_at), (1, false, made.next_due_at));
    let urgent = client.schedule::<Tick>("tick", "every 1h", "b".to_owned()).priority(7).await.unwrap();
    assert_eq!((urgent.revision, urgent.enabled, urgent.next_due_at), (2, false, made.next_due_at));
    assert_eq!((urgent.priority, urgent.input), (7, serde_json::json!("b").into()));
    assert_eq!(urgent.disabled_reason.as_deref(), Some("the office is closed"));
    let rarer = client.schedule::<Tick>("tick", "@daily", "b".to_owned()).timezone("Asia/Tokyo").await.unwrap();
    assert_eq!((rarer.revision, rarer.enabled), (3, false));
    assert!(rarer.next_due_at > Some(clock::now(&database).await));
}

#[tokio::test]
async fn schedules_are_listed_changed_switched_and_deleted() {
    let database = support::database().await;
    let client = database.client().await;
    for name in ["a", "b", "c"] {
        client.schedule::<Tick>(name, "0 9 * * MON-FRI", name.to_owned()).timezone("Europe/Berlin").await.unwrap();
    }
    client.schedule_workflow("other", "another", "every 15m", &7).version(3).queue("elsewhere").disabled().await.unwrap();
    let names = async |list: durable::ScheduleList<'_>| -> Vec<String> {
        list.await.unwrap().into_iter().map(|schedule| schedule.name).collect()
    };
    assert_eq!(names(client.list_schedules()).await, ["a", "b", "c", "other"]);
    assert_eq!(names(client.list_schedules().after("a").limit(2)).await, ["b", "c"]);
    assert_eq!(names(client.list_schedules().workflow("another")).await, ["other"]);
    assert_eq!(names(client.list_schedules().enabled(false)).await, ["other"]);

    let other = client.get_schedule("other").await.unwrap();
    assert_eq!((other.workflow.as_str(), other.version, other.queue.as_str()), ("another", 3, "elsewhere"));
    assert_eq!(other.description, "every 15m");
    let changed = client.update_schedule("a").overlap(Overlap::Queue).max_failures(3).rule("0 8 * * *").await.unwrap();
    assert_eq!((changed.overlap, changed.max_failures, changed.rule.as_str()), (Overlap::Queue, Some(3), "0 8 * * *"));
    assert_eq!((changed.timezone.as_str(), changed.revision), ("Europe/Berlin", 2));
    assert_eq!(client.update_schedule("a").overlap(Overlap::Queue).await.unwrap().revision, 2, "nothing to change");
    assert_eq!(client.update_schedule("a").max_failures(None).await.unwrap().max_failures, None);

    client.enable_schedule("other").await.unwrap();
    client.enable_schedule("other").await.unwrap();
    assert!(client.get_schedule("other").await.unwrap().enabled);
    client.delete_schedule("other").await.unwrap();
    assert_eq!(client.get_schedule("other").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(names(client.list_schedules()).await, ["a", "b", "c"]);
}

#[tokio::test]
async fn the_next_due_times_are_told_in_advance() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let now = clock::now(&database).await;
    clock::turn(&database, ("2040-03-24T12:00:00Z".parse::<DateTime<Utc>>().unwrap() - now).to_std().unwrap()).await;
    let client = database.client().await;
    client.schedule::<Tick>("tick", "30 2 * * *", String::new()).timezone("Europe/Berlin").await.unwrap();
    let times: Vec<String> = client.next_due_times("tick", 3).await.unwrap().iter().map(|time| time.to_rfc3339()).collect();
    assert_eq!(times, ["2040-03-25T01:00:00+00:00", "2040-03-26T00:30:00+00:00", "2040-03-27T00:30:00+00:00"]);
    let end = "2040-03-25T12:00:00Z".parse::<DateTime<Utc>>().unwrap();
    client.update_schedule("tick").ends_at(end).await.unwrap();
    assert_eq!(client.next_due_times("tick", 3).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_disabled_schedule_rests_and_goes_on_without_what_passed_meanwhile() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let durable = database.builder().register(Tick::default()).start().await.unwrap();
    let first = hourly(&durable, &database, "rests").await;
    hourly(&durable, &database, "goes on").await;
    durable.disable_schedule("rests", "for a while").await.unwrap();
    for count in 1..=3 {
        clock::advance(&database, HOUR).await;
        until_fired(&durable, "goes on", count).await;
    }
    assert_eq!(fired(&durable, "rests").await, 0);
    durable.enable_schedule("rests").await.unwrap();
    clock::advance(&database, HOUR).await;
    until_fired(&durable, "rests", 1).await;
    assert_eq!(durable.schedule_firings("rests").await.unwrap()[0].due_at, first + TimeDelta::hours(3));
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_schedule_ends_when_it_is_told_to() {
    let database = support::database().await;
    let now = clock::freeze(&database).await;
    let durable = database.builder().register(Tick::default()).start().await.unwrap();
    let chime = durable.schedule::<Tick>("ends", "every 1h", String::new());
    chime.starts_at(now + TimeDelta::hours(1)).ends_at(now + TimeDelta::hours(2)).await.unwrap();
    for count in 1..=2 {
        clock::advance(&database, HOUR).await;
        until_fired(&durable, "ends", count).await;
    }
    let ended = durable.get_schedule("ends").await.unwrap();
    assert!(ended.enabled && ended.next_due_at.is_none());
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn jitter_puts_a_start_off_and_not_the_due_time() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let durable = database.builder().register(Tick::default()).start().await.unwrap();
    let first = hourly(&durable, &database, "spread").await;
    durable.update_schedule("spread").jitter(minutes(30)).await.unwrap();
    clock::turn(&database, HOUR).await;
    until_fired(&durable, "spread", 1).await;
    let firing = durable.schedule_firings("spread").await.unwrap().remove(0);
    assert_eq!((firing.due_at, firing.fired_at), (first, first));
    clock::advance(&database, minutes(30)).await;
    let execution = durable.get_execution(firing.execution_id.unwrap()).await.unwrap().execution;
    let delay = execution.started_at.unwrap() - first;
    assert!(delay > TimeDelta::zero() && delay < TimeDelta::minutes(30), "{delay}");
    assert_eq!(execution.scheduled_for, Some(first));
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_schedule_is_triggered_by_hand_with_its_input_or_another() {
    let database = support::database().await;
    let now = clock::freeze(&database).await;
    let tally = Tally::default();
    let durable = database.builder().register(Tick { tally: tally.clone(), ..Tick::default() }).start().await.unwrap();
    let first = hourly(&durable, &database, "usual").await;
    durable.disable_schedule("usual", "not by itself").await.unwrap();
    let usual = durable.trigger_schedule("usual").await.unwrap();
    let other = durable.trigger_schedule("usual").input("other").await.unwrap();
    assert_ne!(usual, other);
    let times = [usual, other].map(|id| durable.handle::<Tick>(id));
    let times = [soon("its end", times[0].result()).await.unwrap(), soon("its end", times[1].result()).await.unwrap()];
    assert_eq!(times, [Some(now), Some(now + TimeDelta::microseconds(1))], "under a clock that stands still");
    assert_eq!((tally.count("usual"), tally.count("other")), (1, 1));
    let firings = durable.schedule_firings("usual").await.unwrap();
    assert!(firings.iter().all(|firing| firing.cause == FiringCause::Trigger && firing.outcome == FiringOutcome::Started));
    assert_eq!(durable.get_schedule("usual").await.unwrap().next_due_at, Some(first));
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_range_is_filled_in_once() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let durable = database.builder().register(Tick::default()).start().await.unwrap();
    durable.schedule::<Tick>("daily", "0 3 * * *", "day".to_owned()).timezone("Europe/Berlin").await.unwrap();
    let day = |day: u32| format!("2025-03-{day}T00:00:00Z").parse::<DateTime<Utc>>().unwrap();
    assert_eq!(durable.backfill_schedule("daily", day(28)..day(31)).await.unwrap(), 3);
    assert_eq!(durable.backfill_schedule("daily", day(27)..day(31)).await.unwrap(), 1, "what is there already is left alone");
    assert_eq!(durable.backfill_schedule("daily", day(31)..day(31)).await.unwrap(), 0);
    eventually("all completed", async || {
        let firings = durable.schedule_firings("daily").await.unwrap();
        firings.iter().filter(|firing| firing.state == Some(ExecutionState::Completed)).count() == 4
    })
    .await;
    let firings = durable.schedule_firings("daily").await.unwrap();
    let due: Vec<String> = firings.iter().map(|firing| firing.due_at.format("%d %H:%M").to_string()).collect();
    assert_eq!(due, ["30 01:00", "29 02:00", "28 02:00", "27 02:00"], "an hour earlier once the clocks are put forward");
    assert!(firings.iter().all(|firing| firing.cause == FiringCause::Backfill));
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_fired_under_a_name_does_not_fire_again_when_the_schedule_is_made_anew() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let client = database.client().await;
    client.schedule::<Tick>("daily", "0 3 * * *", "day".to_owned()).await.unwrap();
    let range = || "2025-03-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap().."2025-03-03T00:00:00Z".parse().unwrap();
    assert_eq!(client.backfill_schedule("daily", range()).await.unwrap(), 2);
    client.delete_schedule("daily").await.unwrap();
    assert_eq!(fired(&client, "daily").await, 2);
    client.schedule::<Tick>("daily", "0 3 * * *", "another input".to_owned()).await.unwrap();
    assert_eq!(client.backfill_schedule("daily", range()).await.unwrap(), 0);
}

#[tokio::test]
async fn a_schedule_is_triggered_from_psql() {
    let database = support::database().await;
    let durable = database.builder().register(Tick::default()).start().await.unwrap();
    hourly(&durable, &database, "chime").await;
    let id: uuid::Uuid = database.value("select durable.trigger_schedule('chime', '\"from psql\"')").await;
    let scheduled_for = soon("its end", durable.handle::<Tick>(id.into()).result()).await.unwrap();
    assert!(scheduled_for.is_some());
    durable.shutdown().await.unwrap();
}
