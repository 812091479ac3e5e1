//! Executions that continue as new: an endless loop under one id, whose journal stays small whatever happens to its worker.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use durable::prelude::*;
use durable::{Delivery, PAYLOAD_LIMIT};
use serde_json::json;
use uuid::Uuid;

use crate::support::bodies::Tally;
use crate::support::clock;
use crate::support::{self, Database, soon};

pub(crate) mod crashing;

/// The rows of all journals.
const ROWS: &str = "select (select count(*) from durable.checkpoints) + (select count(*) from durable.attempts)
    + (select count(*) from durable.waits)";

/// Counts down without waiting for anything; the first of each thousand looks at the journal.
struct Countdown(Database, Arc<Mutex<Vec<i64>>>);

#[workflow]
impl Countdown {
    async fn run(&self, cx: &Context, left: u32) -> Result<String> {
        let noted = self.note(left).await?;
        if noted == 0 {
            return Ok("lift-off".to_owned());
        }
        cx.continue_as_new(&(noted - 1)).await
    }

    #[step]
    async fn note(&self, left: u32) -> Result<u32> {
        if left.is_multiple_of(500) {
            let rows = self.0.count(ROWS).await;
            self.1.lock().unwrap().push(rows);
        }
        Ok(left)
    }
}

#[tokio::test]
async fn thousands_of_iterations_keep_the_journal_small() {
    const ITERATIONS: u32 = 3000;
    let database = support::database().await;
    let seen = Arc::<Mutex<Vec<i64>>>::default();
    let countdown = Countdown(Database::at(database.url.clone()), seen.clone());
    let worker = database.builder().register(countdown).start().await.unwrap();
    let handle = worker.start::<Countdown>(ITERATIONS).await.unwrap();
    let id = handle.id();
    assert_eq!(soon("the end", handle.result()).await.unwrap(), "lift-off");
    assert!(seen.lock().unwrap().iter().all(|rows| *rows <= 1), "{seen:?}");
    let execution = worker.get_execution(id).await.unwrap().execution;
    assert_eq!(execution.continuations, ITERATIONS);
    // A worker that looks for executions that it holds in the moment of a continuation claims this one once more.
    assert!(execution.epoch > ITERATIONS, "{}", execution.epoch);
    assert_eq!((execution.input.to_string(), execution.continued_with), (ITERATIONS.to_string(), Some(json!(0).into())));
    assert_eq!(database.count(ROWS).await, 1, "the last step");
    worker.shutdown().await.unwrap();
}

/// Takes an event in each iteration, and drops the wait for another in the same breath.
struct Counter(Tally);

#[workflow]
impl Counter {
    async fn run(&self, cx: &Context, mut taken: Vec<u32>) -> Result<Vec<u32>> {
        let next: Option<u32> = durable::race!(async { cx.wait_for_event("count").await.map(Some) }, async {
            cx.wait_for_event::<u32>("stop").await.map(|_| None)
        },)
        .await?;
        match next {
            None => Ok(taken),
            Some(next) => {
                self.note(next).await?;
                taken.push(next);
                cx.continue_as_new(&taken).await
            }
        }
    }

    #[step]
    async fn note(&self, next: u32) -> Result<()> {
        self.0.add(next.to_string());
        Ok(())
    }
}

#[tokio::test]
async fn no_message_is_lost_or_taken_twice_while_a_loop_continues() {
    const EVENTS: u32 = 60;
    let (database, tally) = (support::database().await, Tally::default());
    let worker = database.builder().register(Counter(tally.clone())).start().await.unwrap();
    let other = database.builder().register(Counter(tally.clone())).start().await.unwrap();
    let counter = worker.start::<Counter>(Vec::new()).await.unwrap();
    for event in 0..EVENTS {
        let sender = if event.is_multiple_of(2) { &worker } else { &other };
        sender.send_event(counter.id(), "count", &event).await.unwrap();
    }
    database.eventually_value::<i32>(&format!("select 1 from durable.executions where continuations = {EVENTS}")).await;
    worker.send_event(counter.id(), "stop", &0).await.unwrap();
    let taken = soon("the end", counter.result()).await.unwrap();
    assert_eq!(taken, (0..EVENTS).collect::<Vec<_>>());
    assert!(tally.all().values().all(|count| *count == 1), "{:?}", tally.all());
    worker.shutdown().await.unwrap();
    other.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_message_that_is_sent_again_after_the_loop_has_continued_is_taken_once() {
    let database = support::database().await;
    let worker = database.builder().register(Counter(Tally::default())).start().await.unwrap();
    let counter = worker.start::<Counter>(Vec::new()).await.unwrap();
    let message = Uuid::new_v4();
    let send = format!("select outcome from durable.send_event('{}', 'count', '7', '{message}')", counter.id());
    database.value::<String>(&send).await;
    database.eventually_value::<i32>("select 1 from durable.executions where continuations = 1 and state = 'waiting'").await;
    assert_eq!(database.value::<String>(&send).await, "repeated");
    assert_eq!(worker.send_event(counter.id(), "stop", &0).await.unwrap(), Delivery::Delivered);
    assert_eq!(soon("the end", counter.result()).await.unwrap(), [7]);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_is_kept_of_past_messages_is_deleted_with_the_execution() {
    const KEPT: &str = "select count(*) from durable.past_messages";
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Counter(Tally::default())).start().await.unwrap();
    let counter = worker.start::<Counter>(Vec::new()).await.unwrap();
    for event in [1, 2] {
        worker.send_event(counter.id(), "count", &event).await.unwrap();
        database.eventually_value::<i32>(&format!("select 1 from durable.executions where continuations = {event}")).await;
    }
    assert_eq!(database.count(KEPT).await, 2);
    clock::advance(&database, hours(2)).await;
    worker.send_event(counter.id(), "count", &3).await.unwrap();
    database.eventually_value::<i32>("select 1 from durable.executions where continuations = 3").await;
    assert_eq!(database.count(KEPT).await, 1, "no sender sends a message again after hours");
    worker.send_event(counter.id(), "stop", &0).await.unwrap();
    soon("the end", counter.result()).await.unwrap();
    clock::advance(&database, days(40)).await;
    assert_eq!(worker.prune(days(30)).await.unwrap().executions, 1);
    assert_eq!(database.count(KEPT).await, 0);
    worker.shutdown().await.unwrap();
}

/// Starts two children in each iteration, under the same keys each time, and waits for one of them.
struct Parents;

struct Helper;

#[workflow]
impl Parents {
    async fn run(&self, cx: &Context, mut seen: Vec<(ExecutionId, u64)>) -> Result<Vec<(ExecutionId, u64)>> {
        let helped = cx.child::<Helper>(seen.len() as u64).await?;
        let started = cx.start_child::<Sleeper>(()).await?;
        seen.push((started, helped));
        if seen.len() == 3 { Ok(seen) } else { cx.continue_as_new(&seen).await }
    }
}

#[workflow]
impl Helper {
    async fn run(&self, _cx: &Context, nth: u64) -> Result<u64> {
        Ok(nth * 10)
    }
}

/// Waits until it is cancelled.
struct Sleeper;

#[workflow]
impl Sleeper {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        cx.wait_for_event("never").await
    }
}

#[tokio::test]
async fn each_iteration_has_children_of_its_own_and_those_of_before_go_on() {
    let database = support::database().await;
    let worker = database.builder().register(Parents).register(Helper).register(Sleeper).start().await.unwrap();
    let parents = worker.start::<Parents>(Vec::new()).await.unwrap();
    let id = parents.id();
    let seen = soon("the end", parents.result()).await.unwrap();
    assert_eq!(seen.iter().map(|(_, helped)| *helped).collect::<Vec<_>>(), [0, 10, 20]);
    let sleepers: BTreeSet<ExecutionId> = seen.iter().map(|(id, _)| *id).collect();
    assert_eq!(sleepers.len(), 3, "{seen:?}");
    let children = worker.get_execution(id).await.unwrap().children;
    assert_eq!(children.len(), 6, "all of them are shown");
    let running = children.iter().filter(|child| !child.state.is_finished()).count();
    assert_eq!(running, 3, "the end of a parent that completed ends no child that it has only started");
    worker.shutdown().await.unwrap();
}

/// Gives up a child that takes too long, and continues with one under the same key.
struct Impatient;

#[workflow]
impl Impatient {
    async fn run(&self, cx: &Context, tries: u32) -> Result<u32> {
        let slept =
            durable::race!(async { cx.child::<Sleeper>(()).await }, async { cx.wait_for_event::<()>("enough").await },).await;
        slept?;
        if tries == 3 { Ok(tries) } else { cx.continue_as_new(&(tries + 1)).await }
    }
}

#[tokio::test]
async fn a_child_that_is_no_longer_waited_for_is_cancelled() {
    let database = support::database().await;
    let worker = database.builder().register(Impatient).register(Sleeper).start().await.unwrap();
    let impatient = worker.start::<Impatient>(1).await.unwrap();
    for nth in 0..3 {
        let asks = format!(
            "select 1 from durable.executions join durable.waits using (execution_id)
             where coalesce(continuations, 0) = {nth} and waits.kind = 'event' and name = 'enough' and outcome is null"
        );
        database.eventually_value::<i32>(&asks).await;
        worker.send_event(impatient.id(), "enough", &()).await.unwrap();
    }
    assert_eq!(soon("the end", impatient.result()).await.unwrap(), 3);
    let cancelled = "select 1 from durable.executions where workflow = 'sleeper' and state = 'cancelled' having count(*) = 3";
    database.eventually_value::<i32>(cancelled).await;
    worker.shutdown().await.unwrap();
}

/// Goes on without end, and waits for nothing.
struct Endless;

#[workflow(timeout = "1h")]
impl Endless {
    async fn run(&self, cx: &Context, nth: u64) -> Result<()> {
        self.turn(nth).await?;
        cx.continue_as_new(&(nth + 1)).await
    }

    #[step]
    async fn turn(&self, _nth: u64) -> Result<()> {
        Ok(())
    }
}

fn after(continuations: u32) -> String {
    format!("select continuations from durable.executions where continuations >= {continuations}")
}

#[tokio::test]
async fn an_endless_loop_can_be_paused_resumed_and_cancelled() {
    let database = support::database().await;
    let worker = database.builder().register(Endless).start().await.unwrap();
    let client = database.client().await;
    let endless = worker.start::<Endless>(0).await.unwrap();
    let deadline = "select deadline_at::text from durable.executions where deadline_at is not null";
    let first: String = database.eventually_value(deadline).await;
    database.eventually_value::<i32>(&after(20)).await;

    client.pause(endless.id()).await.unwrap();
    let paused = "select coalesce(continuations, 0) from durable.executions where state = 'pending' and paused_at is not null";
    let stopped_at: i32 = database.eventually_value(paused).await;
    assert_eq!(client.get_execution(endless.id()).await.unwrap().execution.state, ExecutionState::Paused);
    client.resume(endless.id()).await.unwrap();
    database.eventually_value::<i32>(&after(stopped_at.cast_unsigned() + 20)).await;
    assert_eq!(database.value::<String>(deadline).await, first, "the time of all iterations together");

    client.cancel(endless.id(), "enough").await.unwrap();
    let ended = soon("the end", endless.result()).await.unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::Cancelled);
    let at: i32 = database.value("select continuations from durable.executions").await;
    worker.shutdown().await.unwrap();
    assert_eq!(database.value::<i32>("select continuations from durable.executions").await, at, "it goes no further");
    client.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_endless_loop_goes_on_elsewhere_when_its_worker_shuts_down_or_is_lost() {
    let database = support::database().await;
    let first = database.builder().register(Endless).start().await.unwrap();
    let endless = first.start::<Endless>(0).await.unwrap();
    database.eventually_value::<i32>(&after(20)).await;
    soon("the shutdown", first.shutdown()).await.unwrap();
    let at: i32 = database.value("select continuations from durable.executions where state = 'pending'").await;

    let second = database.builder().register(Endless).start().await.unwrap();
    database.eventually_value::<i32>(&after(at.cast_unsigned() + 20)).await;
    // It is declared lost, and goes on as a new worker.
    database.run("update durable.workers set lost_at = durable.now() where lost_at is null").await;
    let at: i32 = database.value("select continuations from durable.executions").await;
    database.eventually_value::<i32>(&after(at.cast_unsigned() + 20)).await;
    second.cancel(endless.id(), "enough").await.unwrap();
    second.shutdown().await.unwrap();
}

/// What a call that makes no sense is told.
struct Misuse;

#[workflow]
impl Misuse {
    async fn run(&self, cx: &Context, how: String) -> Result<String> {
        let told: Result<()> = match how.as_str() {
            "branch" => {
                durable::join!(async { cx.continue_as_new::<_, ()>(&how).await }, async { Ok::<(), Error>(()) }).await.map(drop)
            }
            "map" => cx.map([how]).each(|how| async move { cx.continue_as_new::<_, ()>(&how).await }).await.map(drop),
            "type" => cx.continue_as_new(&7_u32).await,
            "size" => cx.continue_as_new(&"x".repeat(PAYLOAD_LIMIT)).await,
            _ => Err(Error::permanent("none")),
        };
        Ok(told.unwrap_err().to_string())
    }
}

#[tokio::test]
async fn a_call_that_cannot_continue_is_an_error_that_says_what_to_do() {
    let database = support::database().await;
    let worker = database.builder().register(Misuse).start().await.unwrap();
    let said = [
        ("branch", "in the branch `join/0`: it would end the other branches; return from the branch"),
        ("map", "in the branch `map/0`: it would end the other branches; return from the branch"),
        ("type", "with a `u32`: the input of this workflow is a `alloc::string::String`; pass a reference to one"),
        ("size", "the next input is 4194306 bytes of JSON, over the limit of 4194304; store the data elsewhere"),
    ];
    for (how, message) in said {
        let told = soon("the end", worker.start::<Misuse>(how.to_owned()).await.unwrap().result()).await.unwrap();
        assert!(told.contains(message), "{how}: {told}");
    }
    assert_eq!(database.count("select count(*) from durable.executions where continuations > 0").await, 0);
    worker.shutdown().await.unwrap();
}

/// Books, fails in the second iteration, and says what it undoes.
struct Booking(Tally, Arc<Mutex<Option<String>>>);

#[workflow]
impl Booking {
    async fn run(&self, cx: &Context, second: bool) -> Result<()> {
        self.book(if second { "train" } else { "hotel" }).await?;
        if second {
            return Err(Error::permanent("no money left"));
        }
        cx.continue_as_new(&true).await
    }

    #[step(compensate = unbook)]
    async fn book(&self, what: &str) -> Result<String> {
        Ok(what.to_owned())
    }

    #[compensation]
    async fn unbook(&self, cx: &Context, booked: &String) -> Result<()> {
        self.0.add(booked);
        let told: Result<()> = cx.continue_as_new(&true).await;
        *self.1.lock().unwrap() = told.err().map(|error| error.to_string());
        Ok(())
    }
}

#[tokio::test]
async fn a_failure_undoes_only_what_was_done_since_the_loop_last_continued() {
    let (database, undone, told) = (support::database().await, Tally::default(), Arc::default());
    let worker = database.builder().register(Booking(undone.clone(), Arc::clone(&told))).start().await.unwrap();
    let booking = worker.start::<Booking>(false).await.unwrap();
    let id = booking.id();
    soon("the end", booking.result()).await.unwrap_err();
    assert_eq!(undone.labels(), ["train"]);
    assert_eq!(worker.get_execution(id).await.unwrap().execution.state, ExecutionState::Compensated);
    let told = told.lock().unwrap().clone().expect("the compensation was told");
    assert!(told.contains("while the execution is rolled back"), "{told}");
    worker.shutdown().await.unwrap();
}

/// Has ids in each iteration, and fails in the third until it is repaired.
struct Ids(Arc<Mutex<Vec<Uuid>>>, Arc<Mutex<bool>>);

#[workflow]
impl Ids {
    async fn run(&self, cx: &Context, nth: u32) -> Result<Uuid> {
        let id = cx.uuid();
        let key = self.key().await?;
        if nth == 1 {
            cx.set("first", &id).await?;
        }
        self.0.lock().unwrap().extend([id, key]);
        if nth < 3 { cx.continue_as_new(&(nth + 1)).await } else { self.end(id).await }
    }

    #[step]
    async fn key(&self) -> Result<Uuid> {
        Ok(durable::step().idempotency_key())
    }

    #[step]
    async fn end(&self, id: Uuid) -> Result<Uuid> {
        if *self.1.lock().unwrap() { Ok(id) } else { Err(Error::permanent("not yet")) }
    }
}

#[tokio::test]
async fn each_iteration_has_ids_of_its_own_and_a_retry_has_those_of_the_last() {
    let (database, ids, repaired) = (support::database().await, Arc::<Mutex<Vec<Uuid>>>::default(), Arc::default());
    let worker = database.builder().register(Ids(ids.clone(), Arc::clone(&repaired))).start().await.unwrap();
    let failed = worker.start::<Ids>(1).await.unwrap();
    let id = failed.id();
    soon("the end", failed.result()).await.unwrap_err();
    let made = ids.lock().unwrap().clone();
    assert_eq!((made.len(), made.iter().collect::<BTreeSet<_>>().len()), (6, 6), "{made:?}");

    // The first retry fails, too, and is retried itself.
    let failed_again = worker.retry(id).await.unwrap();
    soon("the failure", worker.handle::<Ids>(failed_again).result()).await.unwrap_err();
    *repaired.lock().unwrap() = true;
    let retried = worker.retry(failed_again).await.unwrap();
    let end = soon("the end", worker.handle::<Ids>(retried).result()).await.unwrap();
    assert_eq!(end, made[4], "it goes on with the last iteration");
    let execution = worker.get_execution(retried).await.unwrap().execution;
    assert_eq!((execution.continuations, execution.input.to_string()), (0, "3".to_owned()));
    let first = worker.value::<Uuid>(retried, "first").await.unwrap().expect("it was set in the first iteration");
    assert_eq!((first.value, first.revision), (made[0], 1));
    worker.shutdown().await.unwrap();
}

/// Continues in one version of the code, and takes another step first in the other.
struct Early(bool);

#[workflow]
impl Early {
    async fn run(&self, cx: &Context, again: bool) -> Result<()> {
        if again {
            return Ok(());
        }
        if self.0 {
            self.work().await?;
        }
        if self.0 {
            cx.wait_for_event::<()>("go").await?;
        }
        cx.continue_as_new(&true).await
    }

    #[step]
    async fn work(&self) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn code_that_continues_before_it_has_asked_for_its_journal_is_stopped() {
    let database = support::database().await;
    let worker = database.builder().register(Early(true)).start().await.unwrap();
    let early = worker.start::<Early>(false).await.unwrap();
    database.eventually_value::<i32>("select 1 from durable.executions where state = 'waiting'").await;
    worker.shutdown().await.unwrap();

    let changed = database.builder().register(Early(false)).start().await.unwrap();
    changed.send_event(early.id(), "go", &()).await.unwrap();
    let stopped = "select error ->> 'message' from durable.executions where state = 'waiting' and error is not null";
    let report: String = database.eventually_value(stopped).await;
    assert!(report.contains("step work"), "{report}");
    assert_eq!(database.count(ROWS).await, 2, "nothing of the journal is lost");
    changed.shutdown().await.unwrap();

    let worker = database.builder().register(Early(true)).start().await.unwrap();
    worker.resume(early.id()).await.unwrap();
    soon("the end", worker.handle::<Early>(early.id()).result()).await.unwrap();
    worker.shutdown().await.unwrap();
}
