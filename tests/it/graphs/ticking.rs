//! Timers of graphs: once, again and again, never; on a clock that is turned by hand.

use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use durable::prelude::*;
use durable::{Blocker, NodeWait, ValueState};
use futures_util::StreamExt as _;

use crate::support::bodies::Tally;
use crate::support::crash::{self, CRASHES_AT_ONCE, every_write, killed_in};
use crate::support::process::{Effects, Folder};
use crate::support::proxy::{Fate, Moment, Trap};
use crate::support::{self, Database, clock, eventually, soon};

/// Reminds of an offer when the plan says so.
struct Reminding(Tally);

#[workflow]
impl Reminding {
    #[input]
    fn plan(&self) -> Due;

    #[input(optional)]
    fn name(&self) -> String;

    #[timer]
    async fn reminder(&self, plan: &Due) -> Result<Due> {
        self.0.add("computed");
        Ok(*plan)
    }

    #[step]
    async fn remind(&self, reminder: &DateTime<Utc>, name: Latest<&String>) -> Result<String> {
        self.0.add(format!("reminded at {reminder}"));
        Ok(format!("{reminder} {}", name.map_or("nobody", String::as_str)))
    }
}

impl Reminding {
    async fn start(database: &Database, plan: Due) -> (Durable, ExecutionHandle<Self>, Tally) {
        let tally = Tally::default();
        let worker = database.builder().register(Self(tally.clone())).start().await.unwrap();
        let inputs = RemindingInputs { plan: Some(plan), ..RemindingInputs::default() };
        let handle = worker.start::<Self>(inputs).await.unwrap();
        // A wait that is open: the execution rests, or it has ended.
        clock::quiet(database).await;
        (worker, handle, tally)
    }
}

/// The value of the timer.
async fn fired(durable: &Durable, id: ExecutionId) -> Option<DateTime<Utc>> {
    durable.value::<DateTime<Utc>>(id, "reminder").await.unwrap().map(|value| value.value)
}

#[tokio::test]
async fn a_timer_fires_once_and_its_value_is_its_due_time() {
    for after in [true, false] {
        let database = support::database().await;
        let due = clock::freeze(&database).await + hours(48);
        let plan = if after { Due::after(hours(48)) } else { Due::at(due) };
        let (worker, handle, tally) = Reminding::start(&database, plan).await;
        let why = worker.introspect(handle.id()).await.unwrap();
        let timer = why.nodes.iter().find(|node| node.name == "reminder").unwrap();
        assert_eq!((timer.state, &timer.waits_for), (ValueState::Unset, &Some(NodeWait::Time { at: due, every: None })));
        let waits =
            |blocker: &Blocker| matches!(blocker, Blocker::Timer { node, wait } if node == "reminder" && wait.until == Some(due));
        assert!(why.blockers.iter().any(waits), "{:?}", why.blockers);
        clock::advance(&database, hours(47)).await;
        assert_eq!(fired(&worker, handle.id()).await, None);
        clock::advance(&database, hours(2)).await;
        soon("it ends", handle.result()).await.unwrap();
        assert_eq!(fired(&worker, handle.id()).await, Some(due));
        assert_eq!(tally.labels(), ["computed".to_owned(), format!("reminded at {due}")]);
        let drawn = worker.graph(handle.id()).await.unwrap().to_mermaid();
        assert!(drawn.contains("timer reminder"), "{drawn}");
    }
}

/// C14: ticks at their due times; a pause stops them, and missed ticks count as one.
#[tokio::test]
async fn a_recurring_timer_ticks_on_its_grid_pauses_with_its_execution_and_missed_ticks_count_as_one() {
    let database = support::database().await;
    let begun = clock::freeze(&database).await;
    let (worker, handle, tally) = Reminding::start(&database, Due::every(hours(1))).await;
    let id = handle.id();
    let reminded = |hour: u32| tally.count(&format!("reminded at {}", begun + hours(u64::from(hour))));
    for hour in 1..=3 {
        clock::advance(&database, hours(1)).await;
        assert_eq!((fired(&worker, id).await, reminded(hour)), (Some(begun + hours(hour.into())), 1));
    }
    let text = worker.introspect(id).await.unwrap().to_string();
    assert!(text.contains("every 3600s") && text.contains("`durable.complete`"), "{text}");

    worker.pause(id).await.unwrap();
    clock::advance(&database, hours(3)).await;
    assert_eq!(fired(&worker, id).await, Some(begun + hours(3)), "a paused execution does not tick");
    worker.resume(id).await.unwrap();
    eventually("it ticks again", async || reminded(6) == 1).await;
    assert_eq!((reminded(4), reminded(5)), (0, 0), "they count as one");
    clock::quiet(&database).await;

    worker.shutdown().await.unwrap();
    clock::turn(&database, Duration::from_secs(150 * 60)).await;
    let worker = database.builder().register(Reminding(tally.clone())).start().await.unwrap();
    eventually("it ticks after the shutdown", async || reminded(8) == 1).await;
    clock::quiet(&database).await;
    clock::advance(&database, Duration::from_secs(30 * 60)).await;
    assert_eq!((reminded(7), reminded(9), tally.count("computed")), (0, 1, 1), "the next one is on the grid");

    worker.complete(id).await.unwrap();
    let output = soon("it ends when it is told to", worker.handle::<Reminding>(id).result()).await.unwrap();
    assert!(output.as_str().contains(&format!("{}", begun + hours(9))), "{}", output.as_str());
    assert_eq!(tally.labels().len(), 7);
}

#[tokio::test]
async fn a_timer_that_never_fires_is_skipped_and_one_in_the_past_is_an_error_that_names_both_times() {
    let database = support::database().await;
    let now = clock::freeze(&database).await;
    let (worker, handle, _) = Reminding::start(&database, Due::never()).await;
    assert_eq!(soon("it ends", handle.result()).await.unwrap().as_str(), "{}");
    let why = worker.introspect(handle.id()).await.unwrap();
    assert!(why.nodes.iter().filter(|node| node.state == ValueState::Skipped).count() == 2, "{why}");
    for (plan, problem) in [
        (Due::at(now - hours(1)), format!("the timer is due at {}, before its step began at {now}", now - hours(1))),
        (Due::every(Duration::ZERO), "the shortest period is 1s".to_owned()),
    ] {
        let inputs = RemindingInputs { plan: Some(plan), ..RemindingInputs::default() };
        let failed = worker.start::<Reminding>(inputs).await.unwrap().result().await.unwrap_err();
        assert!(failed.to_string().contains(&problem), "{failed}");
    }
}

#[tokio::test]
async fn a_change_computes_the_timer_anew_and_an_equal_one_leaves_it_alone() {
    let database = support::database().await;
    let begun = clock::freeze(&database).await;
    let (worker, handle, tally) = Reminding::start(&database, Due::after(hours(1))).await;
    let id = handle.id();
    worker.set_inputs(id).set("plan", &Due::after(hours(1))).set("name", "Ada").await.unwrap();
    eventually("the name is known", async || worker.value::<String>(id, "name").await.unwrap().is_some()).await;
    assert_eq!(tally.count("computed"), 1);
    worker.set_inputs(id).set("plan", &Due::at(begun + hours(5))).await.unwrap();
    eventually("it is computed anew", async || tally.count("computed") == 2).await;
    clock::advance(&database, hours(4)).await;
    assert_eq!(fired(&worker, id).await, None, "the former wait is dropped");
    let sleeps = "select count(*) from durable.waits where kind = 'sleep' and outcome is null";
    assert_eq!(database.count(sleeps).await, 1);
    clock::advance(&database, hours(1)).await;
    assert_eq!(soon("it ends", handle.result()).await.unwrap().as_str(), format!(r#"{{"remind":"{} Ada"}}"#, begun + hours(5)));
}

#[tokio::test]
async fn a_timer_outlives_a_long_journal() {
    let database = support::database().await;
    let begun = clock::freeze(&database).await;
    let (worker, handle, tally) = Reminding::start(&database, Due::every(hours(1))).await;
    let id = handle.id();
    clock::advance(&database, hours(1)).await;
    for hundred in 0..6 {
        let setters = (0..100).map(|nth: u32| {
            let worker = worker.clone();
            tokio::spawn(async move { worker.set_inputs(id).set("name", &format!("{hundred}.{nth}")).await })
        });
        for setter in setters.collect::<Vec<_>>() {
            soon("a setter is answered", setter).await.unwrap().unwrap();
        }
    }
    let continued = "select count(*) from durable.executions where continuations > 0";
    eventually("it has continued as new", async || database.count(continued).await == 1).await;
    clock::quiet(&database).await;
    clock::advance(&database, hours(1)).await;
    assert_eq!((fired(&worker, id).await, tally.count("computed")), (Some(begun + hours(2)), 1));
}

/// Ends after its third tick.
struct Ticking(Effects);

#[workflow]
impl Ticking {
    #[timer]
    async fn tick(&self) -> Result<Due> {
        self.0.add("computed");
        Ok(Due::every(hours(1)))
    }

    #[step]
    async fn hour(&self, tick: &DateTime<Utc>) -> Result<i64> {
        Ok((*tick - begun()).num_hours())
    }

    #[output]
    #[step(ends, when = |hour: &i64| *hour >= 3)]
    async fn last(&self, hour: &i64) -> Result<String> {
        Ok(format!("ended with hour {hour}"))
    }
}

const KEY: &str = "ticking-1";

/// When the clock stands still at first.
fn begun() -> DateTime<Utc> {
    DateTime::from_timestamp(4_102_444_800, 0).unwrap()
}

fn builder(url: &str, effects: Effects) -> durable::Builder {
    let builder = Durable::builder().database_url(url).max_connections(4).register(Ticking(effects));
    builder.poll_interval(Duration::from_millis(200))
}

async fn database() -> Database {
    let database = support::database().await;
    database.run(&format!("update durable.clock set frozen_at = '{}'", begun().to_rfc3339())).await;
    database
}

/// Turns the clock to each time for which an execution waits, until the work is done. No turn is cut off: its statement would go on
/// alone, and later turn the clock once more, or give a killed worker its lease back.
async fn turning<T>(database: &Database, work: impl Future<Output = T>) -> T {
    let next =
        "select wake_at from durable.executions where state = 'waiting' and wake_at > durable.now() and wake_at < 'infinity'";
    let mut work = pin!(work);
    loop {
        let next = tokio::select! {
            done = &mut work => return done,
            next = database.eventually_value::<DateTime<Utc>>(next) => next,
        };
        let by = next - clock::now(database).await;
        clock::turn(database, by.to_std().unwrap_or_default()).await;
    }
}

/// The worker process that is killed.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let durable = builder(url, folder.effects()).start().await.unwrap();
    durable.start::<Ticking>(TickingInputs::default()).key(KEY).await.unwrap();
    std::future::pending().await
}

async fn killed(database: &Database, folder: &Folder, trap: Option<Trap>) -> (bool, Vec<String>) {
    let (killed, writes) = turning(database, killed_in("ticking", database, folder, trap)).await;
    (killed.is_some(), writes)
}

async fn finish_and_check(what: &str, database: &Database, folder: &Folder) {
    let builder = builder(&database.url, folder.effects());
    let finished = crash::finish::<Ticking>(what, database, builder, (TickingInputs::default(), KEY));
    let output = turning(database, finished).await.unwrap();
    assert_eq!(output, "ended with hour 3", "{what}");
    let ticks: Vec<String> =
        database.values("select key from durable.checkpoints where key like '%/set tick%' order by ordinal").await;
    assert_eq!(ticks, ["step tick/set tick", "step tick/set tick#2", "step tick/set tick#3"], "{what}");
}

#[tokio::test]
async fn a_timer_ticks_at_each_due_time_once_whenever_its_worker_is_killed() {
    let (database, folder) = (self::database().await, Folder::new());
    let (was_killed, writes) = killed(&database, &folder, None).await;
    assert!(!was_killed);
    finish_and_check("that never came", &database, &folder).await;
    assert_eq!(folder.effects().all(), ["computed"]);

    let points = every_write(&writes);
    let crashes = futures_util::stream::iter(points.clone()).map(async |(statement, nth, moment): (&str, usize, Moment)| {
        let what = format!("{moment:?} {statement} {nth}").to_lowercase();
        let (database, folder) = (self::database().await, Folder::new());
        let trap = Trap { statements: vec![statement.to_owned()], nth, moment, fate: Fate::Held };
        let (was_killed, _) = killed(&database, &folder, Some(trap)).await;
        finish_and_check(&what, &database, &folder).await;
        was_killed
    });
    let caught: Vec<bool> = crashes.buffer_unordered(CRASHES_AT_ONCE).collect().await;
    let caught = caught.into_iter().filter(|caught| *caught).count();
    assert!(caught >= points.len() / 2, "only {caught} of {} points were reached", points.len());
}
