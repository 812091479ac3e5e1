//! Facts about closes: what a close takes, whom it refuses afterwards, and what opens a name again.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::continuing::{continued, next};
use super::{HOUR, Held, OnRecord, Park, ParkOutcome, World, go, resolved, taken, wait};
use crate::ids::Epoch;
use crate::model::{Due, NewWait, RefusedMessage, WaitKind, WaitOutcome};
use crate::store::continuations::Continuation;
use crate::store::saves::{NextState, Written};

/// More open waits than any execution here has.
const MANY: usize = 10;

fn close(key: &str) -> NewWait {
    wait(key, WaitKind::Close, "go", Due::Never)
}

/// The messages that a close has taken: what each carries, and its id.
fn parts(on_record: &OnRecord, key: &str) -> Vec<(String, uuid::Uuid)> {
    let close = on_record.wait(key);
    assert_eq!(close.outcome, Some(WaitOutcome::Received), "{close:?}");
    let part: serde_json::Value = serde_json::from_str(close.payload.as_ref().unwrap().get()).unwrap();
    assert_eq!(part["more"], false);
    let message =
        |message: &serde_json::Value| (message["payload"].to_string(), message["id"].as_str().unwrap().parse().unwrap());
    part["messages"].as_array().unwrap().iter().map(message).collect()
}

async fn taken_by(world: &impl World, held: Held, key: &str) -> Vec<String> {
    parts(&world.on_record(held.id).await, key).into_iter().map(|(payload, _)| payload).collect()
}

/// Registers these waits and closes; the execution goes on.
async fn ask(world: &impl World, held: Held, waits: &[NewWait]) {
    let outcome = world.park(&Park { stays: true, open: MANY, ..held.park(waits) }).await;
    assert!(matches!(outcome, ParkOutcome::Resolved { .. }), "{outcome:?}");
}

pub(super) async fn a_close_takes_what_no_wait_has_taken_and_what_is_sent_later_is_refused(world: impl World) {
    let held = world.held().await;
    for value in 1..=3 {
        assert!(world.offer(held.id, "go", value).await);
    }
    let outcome = world.park(&held.park(&[close("close go")])).await;
    assert_eq!(resolved(outcome).len(), 1, "it goes on at once");
    assert_eq!(taken_by(&world, held, "close go").await, ["1", "2", "3"]);
    assert!(!world.offer(held.id, "go", 4).await);
    assert!(world.on_record(held.id).await.mailbox.is_empty());
}

pub(super) async fn a_wait_that_was_there_before_the_close_takes_its_message(world: impl World) {
    let held = world.held().await;
    world.send(held.id, "go", 1).await;
    world.send(held.id, "go", 2).await;
    ask(&world, held, &[go("a"), close("close go"), go("z")]).await;
    let on_record = world.on_record(held.id).await;
    assert_eq!(on_record.wait("a").payload.as_ref().unwrap().get(), "1");
    assert_eq!(on_record.wait("z").payload.as_ref().unwrap().get(), "2", "they were asked for together");
    assert!(taken_by(&world, held, "close go").await.is_empty());
}

pub(super) async fn a_close_ends_the_waits_of_its_name_and_those_that_come_later(world: impl World) {
    let held = world.held().await;
    world.park(&Park { stays: true, open: 0, ..held.park(&[go("a"), wait("b", WaitKind::Event, "other", Due::Never)]) }).await;
    ask(&world, held, &[close("close go")]).await;
    ask(&world, held, &[go("z")]).await;
    let on_record = world.on_record(held.id).await;
    let ends = ["a", "b", "z"].map(|key| on_record.wait(key).outcome);
    assert_eq!(ends, [Some(WaitOutcome::Closed), None, Some(WaitOutcome::Closed)]);
}

pub(super) async fn a_wait_whose_deadline_has_passed_times_out_and_is_not_closed(world: impl World) {
    let held = world.held().await;
    let late = wait("late", WaitKind::Event, "go", Due::At(world.now().await - HOUR));
    ask(&world, held, &[late, close("close go")]).await;
    assert_eq!(world.on_record(held.id).await.wait("late").outcome, Some(WaitOutcome::TimedOut));
}

pub(super) async fn a_close_takes_nothing_of_another_name_and_leaves_it_open(world: impl World) {
    let held = world.held().await;
    world.send(held.id, "other", 1).await;
    ask(&world, held, &[close("close go")]).await;
    assert!(taken_by(&world, held, "close go").await.is_empty());
    assert!(world.offer(held.id, "other", 2).await);
    assert_eq!(world.on_record(held.id).await.mailbox, ["1", "2"]);
}

pub(super) async fn a_second_close_takes_what_a_dropped_wait_has_given_back(world: impl World) {
    let held = world.held().await;
    world.park(&Park { stays: true, open: 0, ..held.park(&[go("a")]) }).await;
    world.send(held.id, "go", 1).await;
    world.send(held.id, "go", 2).await;
    ask(&world, held, &[close("close go")]).await;
    drop_wait(&world, held, "a").await;
    assert_eq!(world.on_record(held.id).await.mailbox, ["1"]);
    ask(&world, held, &[close("close go#2")]).await;
    assert_eq!(taken_by(&world, held, "close go").await, ["2"]);
    assert_eq!(taken_by(&world, held, "close go#2").await, ["1"]);
}

pub(super) async fn a_dropped_close_gives_its_messages_back_and_opens_the_name(world: impl World) {
    let held = world.held().await;
    world.send(held.id, "go", 1).await;
    ask(&world, held, &[close("close go")]).await;
    assert!(!world.offer(held.id, "go", 2).await);
    drop_wait(&world, held, "close go").await;
    let on_record = world.on_record(held.id).await;
    assert_eq!((on_record.wait("close go").outcome, on_record.mailbox), (Some(WaitOutcome::Cancelled), vec!["1".to_owned()]));
    assert!(world.offer(held.id, "go", 3).await);
    let outcome = world.park(&held.park(&[go("a"), go("b")])).await;
    assert_eq!(resolved(outcome)[..2], [taken("a", 1), taken("b", 3)], "in their places");
}

pub(super) async fn a_dropped_close_leaves_closed_what_another_has_closed(world: impl World) {
    let held = world.held().await;
    ask(&world, held, &[close("close go"), close("close go#2")]).await;
    drop_wait(&world, held, "close go").await;
    assert!(!world.offer(held.id, "go", 1).await);
    drop_wait(&world, held, "close go#2").await;
    assert!(world.offer(held.id, "go", 2).await);
}

pub(super) async fn a_refused_message_is_gone_from_its_close(world: impl World) {
    let held = world.held().await;
    for value in 1..=3 {
        world.send(held.id, "go", value).await;
    }
    ask(&world, held, &[close("close go")]).await;
    let refuse = |(_, id): &(String, _)| {
        let (key, reason) = ("close go".to_owned(), "not a number".to_owned());
        RefusedMessage { key, message_id: Some(*id), reason }
    };
    let messages = parts(&world.on_record(held.id).await, "close go");
    let refused = vec![refuse(&messages[0]), refuse(&messages[2])];
    for _ in 0..2 {
        // The first answer may be lost.
        let outcome = world.park(&Park { refused: refused.clone(), watched: vec!["close go".to_owned()], ..held.ask(1) }).await;
        assert!(matches!(outcome, ParkOutcome::Resolved { .. }), "{outcome:?}");
        assert_eq!(taken_by(&world, held, "close go").await, ["2"]);
    }
    let on_record = world.on_record(held.id).await;
    assert_eq!((on_record.refusals, on_record.mailbox.len()), (2, 0));
    assert!(!world.offer(held.id, "go", 4).await, "it stays closed");
}

pub(super) async fn a_close_whose_answer_was_lost_takes_its_messages_once(world: impl World) {
    let held = world.held().await;
    world.send(held.id, "go", 1).await;
    for _ in 0..2 {
        ask(&world, held, &[close("close go")]).await;
        assert_eq!(taken_by(&world, held, "close go").await, ["1"]);
    }
}

pub(super) async fn a_close_of_an_earlier_claim_closes_nothing(world: impl World) {
    let held = world.held().await;
    world.send(held.id, "go", 1).await;
    assert_eq!(world.save(held.save([], Some(NextState::Released))).await.unwrap(), Written::Accepted);
    world.claim(held.id, held.worker).await.unwrap();
    let outcome = world.park(&held.park(&[close("close go")])).await;
    assert!(matches!(outcome, ParkOutcome::Lost), "{outcome:?}");
    assert!(world.offer(held.id, "go", 2).await);
    assert_eq!(world.on_record(held.id).await.mailbox, ["1", "2"]);
}

pub(super) async fn a_close_waits_for_a_message_that_is_being_sent(world: impl World) {
    let held = world.held().await;
    let sending = world.begin_to_send(held.id, "go", 1).await;
    let (park, tries) = (Park { stays: true, ..held.park(&[close("close go")]) }, AtomicUsize::new(0));
    let given_up = || tries.fetch_add(1, Ordering::Relaxed) == 1;
    let outcome = world.answer(world.ledger().park(&park, &given_up)).await.unwrap();
    assert!(matches!(outcome, ParkOutcome::Busy), "{outcome:?}");
    world.finish(sending).await;
    ask(&world, held, &[close("close go")]).await;
    assert_eq!(taken_by(&world, held, "close go").await, ["1"]);
}

pub(super) async fn a_continuation_opens_what_was_closed_and_keeps_the_mailbox(world: impl World) {
    let held = world.held().await;
    world.send(held.id, "go", 1).await;
    ask(&world, held, &[close("close go")]).await;
    world.send(held.id, "other", 2).await;
    let after = continued(&world, &next(held)).await;
    assert_eq!(after.epoch, Epoch(held.epoch.0 + 1));
    assert!(world.offer(held.id, "go", 3).await);
    assert_eq!(world.on_record(held.id).await.mailbox, ["2", "3"]);

    // A close that the code has not seen gives back what it took.
    ask(&world, after, &[close("close go")]).await;
    let dropped = vec!["close go".to_owned()];
    continued(&world, &Continuation { dropped, ..next(after) }).await;
    assert_eq!(world.on_record(held.id).await.mailbox, ["2", "3"]);
}

/// Drops a wait or a close; the execution goes on.
async fn drop_wait(world: &impl World, held: Held, key: &str) {
    world.park(&Park { stays: true, dropped: vec![key.to_owned()], ..held.park(&[]) }).await;
}
