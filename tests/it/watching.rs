//! Watching: a snapshot first, then every step, wait, value and the end of an execution, wherever it runs.

use std::time::Duration;

use durable::prelude::*;
use durable::{ExecutionDetails, Update, Watch, compensation};

use crate::setting_values::{Depot, KEY, PARCELS};
use crate::support::bodies::Gate;
use crate::support::crash::{self, killed_in};
use crate::support::process::Folder;
use crate::support::proxy::{Fate, Moment, Proxy, Trap};
use crate::support::{self, Database, eventually, soon};

/// Never comes within a test.
const NEVER: Duration = Duration::from_secs(3600);

/// Counts to its input, behind a gate before each number, and waits for a word in the middle.
struct Counts(Gate);

#[workflow]
impl Counts {
    async fn run(&self, cx: &Context, numbers: u32) -> Result<u32> {
        for number in 1..=numbers {
            self.count(number).await?;
            cx.set("counted", &number).await?;
        }
        cx.wait_for_event::<()>("word").await?;
        Ok(numbers)
    }

    #[step(retry(max_attempts = 2, base = "1ms"))]
    async fn count(&self, number: u32) -> Result<u32> {
        self.0.pass().await;
        if number == 2 && durable::step().attempt() == 1 { Err(Error::new("lost count")) } else { Ok(number) }
    }
}

/// The next update.
async fn next(watch: &mut Watch) -> Update {
    soon("the next update", watch.next()).await.expect("the watch has ended").unwrap()
}

async fn snapshot(watch: &mut Watch) -> ExecutionDetails {
    match next(watch).await {
        Update::Snapshot(details) => *details,
        update => panic!("the first update is {update:?}"),
    }
}

/// Applies every update until the end of the watch.
async fn follow(watch: &mut Watch, details: &mut ExecutionDetails) {
    while let Some(update) = soon("the next update", watch.next()).await {
        details.apply(update.unwrap());
    }
}

/// What a journal holds, in the words of a test.
fn said(details: &ExecutionDetails) -> (Vec<String>, Vec<String>, Vec<String>, String) {
    let steps = details.steps.iter().map(|step| format!("{} {}", step.key, step.attempts.len())).collect();
    let waits = details.waits.iter().map(|wait| format!("{} {:?}", wait.key, wait.outcome)).collect();
    let values = details.values.iter().map(|value| format!("{} {} {}", value.name, value.value, value.revision)).collect();
    (steps, waits, values, details.execution.state.to_string())
}

#[tokio::test]
async fn a_watcher_in_another_process_is_told_everything_without_a_poll() {
    let (database, gate) = (support::database().await, Gate::closed());
    let worker = database.builder().poll_interval(NEVER).register(Counts(gate.clone())).start().await.unwrap();
    let client = database.builder().poll_interval(NEVER).start().await.unwrap();
    let counts = client.start::<Counts>(3).await.unwrap();
    soon("the first step begins", gate.until_inside(1)).await;

    let mut watch = client.watch(counts.id());
    let mut details = snapshot(&mut watch).await;
    assert_eq!(said(&details), (vec![], vec![], vec![], "running".to_owned()));
    gate.let_pass(1000);
    while details.waits.is_empty() {
        details.apply(next(&mut watch).await);
    }
    client.send_event(counts.id(), "word", &()).await.unwrap();
    let mut updates = Vec::new();
    while let Some(update) = soon("the next update", watch.next()).await {
        updates.push(update.unwrap());
    }
    assert!(matches!(updates.last(), Some(Update::Execution(execution)) if execution.state.is_finished()), "{updates:?}");
    updates.into_iter().for_each(|update| details.apply(update));
    assert_eq!(said(&details), said(&client.get_execution(counts.id()).await.unwrap()));
    let (steps, ..) = said(&details);
    assert_eq!(
        steps,
        ["step count 1", "set counted 1", "step count#2 2", "set counted#2 1", "step count#3 1", "set counted#3 1"]
    );
    assert!(watch.next().await.is_none());
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_watcher_that_comes_late_gets_everything_in_its_snapshot() {
    let (database, gate) = (support::database().await, Gate::closed());
    gate.let_pass(1000);
    let durable = database.builder().register(Counts(gate)).start().await.unwrap();
    let counts = durable.start::<Counts>(2).await.unwrap();
    durable.send_event(counts.id(), "word", &()).await.unwrap();
    soon("the end", counts.result()).await.unwrap();

    let mut watch = durable.watch(counts.id());
    let details = snapshot(&mut watch).await;
    assert_eq!(said(&details), said(&durable.get_execution(counts.id()).await.unwrap()));
    assert_eq!(details.execution.state, durable::ExecutionState::Completed);
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn a_watch_goes_on_when_connections_are_lost() {
    let (database, gate) = (support::database().await, Gate::closed());
    let worker = database.builder().register(Counts(gate.clone())).start().await.unwrap();
    let client = database.client().await;
    let counts = client.start::<Counts>(4).await.unwrap();
    let mut watch = client.watch(counts.id());
    let mut details = snapshot(&mut watch).await;
    for number in 1..=4 {
        // The second number is counted at its second attempt.
        gate.let_pass(if number == 2 { 2 } else { 1 });
        database.run("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()").await;
        while details.values.first().is_none_or(|value| value.value.as_str() != number.to_string()) {
            details.apply(next(&mut watch).await);
        }
    }
    client.send_event(counts.id(), "word", &()).await.unwrap();
    follow(&mut watch, &mut details).await;
    assert_eq!(said(&details), said(&client.get_execution(counts.id()).await.unwrap()));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_change_whose_notice_was_lost_is_found_all_the_same() {
    let (database, gate) = (support::database().await, Gate::closed());
    let worker = database.builder().register(Counts(gate.clone())).start().await.unwrap();
    let proxy = Proxy::before(&database).await;
    let deaf = Database::at(proxy.url().to_owned()).builder().poll_interval(Duration::from_millis(10)).start().await.unwrap();
    let counts = deaf.start::<Counts>(2).await.unwrap();
    let mut watch = deaf.watch(counts.id());
    let mut details = snapshot(&mut watch).await;
    proxy.deafen();
    gate.let_pass(1000);
    while details.waits.is_empty() || details.values.is_empty() {
        details.apply(next(&mut watch).await);
    }
    assert_eq!(details.values[0].value.as_str(), "2");
    worker.shutdown().await.unwrap();
}

/// Asks a question.
struct Asks;

#[workflow]
impl Asks {
    async fn run(&self, cx: &Context, _: ()) -> Result<Option<String>> {
        cx.wait_for_text("name").timeout(hours(1)).await
    }
}

#[tokio::test]
async fn a_watcher_is_told_of_the_new_deadline_and_assignee_of_a_question() {
    let database = support::database().await;
    let worker = database.builder().poll_interval(NEVER).register(Asks).start().await.unwrap();
    let client = database.builder().poll_interval(NEVER).start().await.unwrap();
    let id = worker.start::<Asks>(()).await.unwrap().id();
    database.eventually_value::<i32>("select 1 from durable.executions where state = 'waiting'").await;
    let mut watch = client.watch(id);
    let mut details = snapshot(&mut watch).await;
    let due_at = details.waits[0].due_at.unwrap() + hours(1);
    worker.update_input(id, "name").deadline(due_at).assignee("grace").await.unwrap();
    while details.waits[0].due_at != Some(due_at) {
        details.apply(next(&mut watch).await);
    }
    assert_eq!((details.waits[0].assignee.as_deref(), details.waits[0].outcome), (Some("grace"), None));
    worker.shutdown().await.unwrap();
}

/// Waits for a word.
struct Patient;

#[workflow]
impl Patient {
    async fn run(&self, cx: &Context, _: u32) -> Result<String> {
        cx.wait_for_event("word").await
    }
}

#[tokio::test]
async fn watchers_cost_no_statement_while_nothing_changes() {
    let database = support::database().await;
    let worker = database.builder().poll_interval(NEVER).register(Patient).start().await.unwrap();
    let proxy = Proxy::before(&database).await;
    let client = Database::at(proxy.url().to_owned()).builder().poll_interval(NEVER).start().await.unwrap();
    let patients = client.start_many::<Patient>(0..200).await.unwrap();
    let waiting = "select count(*) from durable.executions where state = 'waiting'";
    eventually("all of them wait", async || database.count(waiting).await == 200).await;
    let mut watches: Vec<Watch> = patients.iter().map(|patient| client.watch(patient.id())).collect();
    for watch in &mut watches {
        snapshot(watch).await;
    }
    // The worker has answered every new watch, which makes the client look once more: a word to the last one comes after that.
    client.send_event(patients[199].id(), "word", "go").await.unwrap();
    while soon("the end of the last one", watches[199].next()).await.is_some() {}

    proxy.set(Trap { statements: vec!["never".to_owned()], nth: 1, moment: Moment::Before, fate: Fate::Held });
    client.send_event(patients[0].id(), "word", "go").await.unwrap();
    while soon("the end of the first one", watches[0].next()).await.is_some() {}
    let seen = proxy.seen();
    // The event, the notices, and four reads for each look at the one that changed. On a slow machine all may be looked at once more, a
    // hundred at a time.
    let looks = seen.iter().filter(|statement| *statement == "executions/watched").count();
    assert!((1..=20).contains(&looks) && seen.len() <= 4 * looks + 20, "{seen:?}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_watcher_that_falls_behind_gets_a_new_snapshot() {
    let (database, gate) = (support::database().await, Gate::closed());
    let durable = database.builder().register(Counts(gate.clone())).start().await.unwrap();
    let counts = durable.start::<Counts>(300).await.unwrap();
    let mut watch = durable.watch(counts.id());
    let mut details = snapshot(&mut watch).await;
    gate.let_pass(1000);
    let parked = "select 1 from durable.executions where state = 'waiting'";
    database.eventually_value::<i32>(parked).await;
    durable.send_event(counts.id(), "word", &()).await.unwrap();
    soon("the end", counts.result()).await.unwrap();

    let mut snapshots = 0;
    while let Some(update) = soon("the next update", watch.next()).await {
        let update = update.unwrap();
        snapshots += usize::from(matches!(update, Update::Snapshot(_)));
        details.apply(update);
    }
    assert!(snapshots > 0, "it never fell behind");
    assert_eq!(said(&details), said(&durable.get_execution(counts.id()).await.unwrap()));
}

/// Books, cannot pay, and cancels the booking.
struct Trip;

#[workflow]
impl Trip {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        cx.wait_for_event::<()>("go").await?;
        self.book().await?;
        self.pay().await
    }

    #[step(compensate = cancel)]
    async fn book(&self) -> Result<u32> {
        Ok(7)
    }

    #[compensation]
    async fn cancel(&self, booking: u32) -> Result<()> {
        let _ = booking;
        Ok(())
    }

    #[step]
    async fn pay(&self) -> Result<()> {
        Err(Error::permanent("no money"))
    }
}

#[tokio::test]
async fn a_rollback_is_told_as_compensations() {
    let database = support::database().await;
    let durable = database.builder().register(Trip).start().await.unwrap();
    let trip = durable.start::<Trip>(()).await.unwrap();
    let mut watch = durable.watch(trip.id());
    let mut details = snapshot(&mut watch).await;
    durable.send_event(trip.id(), "go", &()).await.unwrap();
    follow(&mut watch, &mut details).await;
    let undone: Vec<_> = details.compensations.iter().map(|undone| (undone.step.as_str(), undone.output.is_some())).collect();
    assert_eq!(undone, [("step book", true)]);
    assert_eq!(said(&details), said(&durable.get_execution(trip.id()).await.unwrap()));
}

#[tokio::test]
async fn a_watch_goes_over_from_a_killed_worker_to_the_next() {
    let (database, folder) = (support::database().await, Folder::new());
    let trap = Trap { statements: vec!["executions/save".to_owned()], nth: 3, moment: Moment::After, fate: Fate::Held };
    let (killed, _) = killed_in("depot", &database, &folder, Some(trap)).await;
    assert!(killed.is_some());
    let client = database.client().await;
    let id = database.value::<String>(&format!("select execution_id::text from durable.executions where key = '{KEY}'")).await;
    let id: ExecutionId = id.parse().unwrap();
    let mut watch = client.watch(id);
    let mut details = snapshot(&mut watch).await;
    let before = details.steps.len();
    assert!(before > 0);
    crash::leases_run_out(&database).await;
    let worker = database.builder().register(Depot).start().await.unwrap();
    follow(&mut watch, &mut details).await;
    assert_eq!(said(&details), said(&client.get_execution(id).await.unwrap()));
    assert!(details.steps.len() > before && details.steps.len() > PARCELS as usize);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_value_is_waited_for_by_revision_and_time() {
    let (database, gate) = (support::database().await, Gate::closed());
    let worker = database.builder().poll_interval(NEVER).register(Counts(gate.clone())).start().await.unwrap();
    let client = database.builder().poll_interval(NEVER).start().await.unwrap();
    let id = client.start::<Counts>(3).await.unwrap().id();
    let early = client.wait_for_value::<u32>(id, "counted").timeout(Duration::from_millis(1)).await.unwrap_err();
    assert_eq!(early.kind(), durable::ErrorKind::TimedOut);
    assert!(early.to_string().contains("has not set the value `counted` within 1ms"), "{early}");

    let waiting = client.wait_for_value::<u32>(id, "counted").into_future();
    gate.let_pass(1);
    let first = soon("the first value", waiting).await.unwrap();
    assert_eq!((first.value, first.revision), (1, 1));
    let newer = client.wait_for_value::<u32>(id, "counted").newer_than(1).into_future();
    gate.let_pass(2);
    assert_eq!(soon("a newer value", newer).await.unwrap().value, 2);
    let mistyped = client.wait_for_value::<String>(id, "counted").await.unwrap_err();
    assert_eq!(mistyped.kind(), durable::ErrorKind::Payload);

    gate.let_pass(1);
    client.send_event(id, "word", &()).await.unwrap();
    let never = soon("the end", client.wait_for_value::<u32>(id, "counted").newer_than(3)).await.unwrap_err();
    assert_eq!(never.kind(), durable::ErrorKind::Finished);
    assert!(never.to_string().contains("has ended without setting the value `counted` again after revision 3"), "{never}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_watch_that_cannot_be_kept_ends_with_the_reason() {
    let database = support::database().await;
    let durable = database.builder().poll_interval(Duration::from_millis(10)).register(Patient).start().await.unwrap();
    let unknown: ExecutionId = "0199c0de-0000-7000-8000-000000000000".parse().unwrap();
    let mut watch = durable.watch(unknown);
    let error = soon("the error", watch.next()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), durable::ErrorKind::NotFound);
    assert!(error.to_string().contains(&unknown.to_string()), "{error}");
    assert!(watch.next().await.is_none());

    let patient = durable.start::<Patient>(1).await.unwrap();
    let (mut deleted, mut kept) = (durable.watch(patient.id()), durable.watch(durable.start::<Patient>(2).await.unwrap().id()));
    snapshot(&mut deleted).await;
    snapshot(&mut kept).await;
    database.run(&format!("delete from durable.executions where execution_id = '{}'", patient.id())).await;
    let error = loop {
        match soon("the error", deleted.next()).await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), durable::ErrorKind::NotFound);

    durable.shutdown().await.unwrap();
    let error = loop {
        match soon("the error", kept.next()).await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), durable::ErrorKind::Unavailable);
    assert!(durable.watch(patient.id()).next().await.unwrap().is_err());
}
