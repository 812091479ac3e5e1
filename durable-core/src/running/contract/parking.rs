//! Facts about parkings: what waits are registered, what ends them, and whether the execution goes on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{HOUR, Held, OnRecord, Park, ParkOutcome, World, go, received, refusal, resolved, taken, wait};
use crate::model::{Due, ExecutionState, NewWait, WaitDetails, WaitKind, WaitOutcome};
use crate::store::saves::{NextState, Written};

/// How often a parking is asked for again in a test.
const TRIES: usize = 3;

fn is_parked(outcome: &ParkOutcome) -> bool {
    matches!(outcome, ParkOutcome::Parked { .. })
}

fn outcome_of(on_record: &OnRecord, key: &str) -> (Option<WaitOutcome>, Option<String>) {
    (on_record.wait(key).outcome, received(on_record.wait(key)))
}

/// Registers the waits of an execution that goes on running.
async fn register(world: &impl World, held: Held, keys: &[&str]) {
    let waits: Vec<_> = keys.iter().map(|key| go(key)).collect();
    let outcome = world.park(&Park { stays: true, open: 0, ..held.park(&waits) }).await;
    assert!(is_parked(&outcome), "{outcome:?}");
}

pub(super) async fn an_execution_whose_waits_are_open_is_parked(world: impl World) {
    let held = world.held().await;
    let outcome = world.park(&held.park(&[go("event go")])).await;
    assert!(matches!(outcome, ParkOutcome::Parked { wake_at: None }), "{outcome:?}");
    let on_record = world.on_record(held.id).await;
    assert_eq!((on_record.state, outcome_of(&on_record, "event go")), (ExecutionState::Waiting, (None, None)));
    assert!(world.claim(held.id, held.worker).await.is_none());
}

pub(super) async fn an_execution_wakes_when_the_first_of_its_times_comes(world: impl World) {
    let now = world.now().await;
    let sleeps = [
        wait("sleep", WaitKind::Sleep, "", Due::At(now + HOUR * 2)),
        wait("event go", WaitKind::Event, "go", Due::At(now + HOUR * 3)),
    ];
    for (retry, first) in [(None, now + HOUR * 2), (Some(now + HOUR), now + HOUR), (Some(now + HOUR * 4), now + HOUR * 2)] {
        let held = world.held().await;
        let stays = world.park(&Park { stays: true, wake_at: retry, ..held.park(&sleeps) }).await;
        let only_waits = now + HOUR * 2;
        assert!(matches!(stays, ParkOutcome::Parked { wake_at: Some(at) } if at == only_waits), "{stays:?}");
        let parked = world.park(&Park { wake_at: retry, open: 2, ..held.park(&[]) }).await;
        assert!(matches!(parked, ParkOutcome::Parked { wake_at: Some(at) } if at == first), "{first}: {parked:?}");
    }
}

pub(super) async fn a_message_in_the_mailbox_ends_a_new_wait_and_the_execution_goes_on(world: impl World) {
    let held = world.held().await;
    world.send(held.id, "stop", 1).await;
    world.send(held.id, "go", 2).await;
    assert_eq!(world.on_record(held.id).await.mailbox, ["1", "2"]);
    let outcome = world.park(&held.park(&[go("event go")])).await;
    assert_eq!(resolved(outcome), [taken("event go", 2)]);
    let on_record = world.on_record(held.id).await;
    assert_eq!((on_record.state, on_record.mailbox.as_slice()), (ExecutionState::Running, ["1".to_owned()].as_slice()));
    assert_eq!(outcome_of(&on_record, "event go"), (Some(WaitOutcome::Received), Some("2".to_owned())));
}

pub(super) async fn messages_are_taken_in_the_order_in_which_they_came(world: impl World) {
    let held = world.held().await;
    for value in 1..=3 {
        world.send(held.id, "go", value).await;
    }
    let outcome = world.park(&held.park(&[go("z"), go("a")])).await;
    assert_eq!(resolved(outcome), [taken("a", 2), taken("z", 1)], "the wait that was asked for first takes the first");
    assert_eq!(world.on_record(held.id).await.mailbox, ["3"]);
}

pub(super) async fn a_message_wakes_a_parked_execution(world: impl World) {
    let held = world.held().await;
    assert!(is_parked(&world.park(&held.park(&[go("a"), go("b")])).await));
    world.send(held.id, "stop", 1).await;
    assert!(world.claim(held.id, held.worker).await.is_none(), "nothing waits for this message");
    world.send(held.id, "go", 2).await;
    let claim = world.claim(held.id, held.worker).await.unwrap();
    assert_eq!(claim.held.epoch.0, held.epoch.0 + 1);
    assert_eq!(claim.claims, 1, "a later claim than the first would count as one after a crash");
    assert_eq!(claim.resolved.iter().map(|wait| (wait.key.clone(), received(wait))).collect::<Vec<_>>(), [taken("a", 2)]);
    assert_eq!(world.on_record(held.id).await.mailbox, ["1"]);
}

pub(super) async fn an_execution_that_stays_learns_of_its_waits_and_continues(world: impl World) {
    let held = world.held().await;
    register(&world, held, &["event go"]).await;
    assert!(is_parked(&world.park(&held.ask(1)).await));
    assert_eq!(world.on_record(held.id).await.state, ExecutionState::Running);
    world.send(held.id, "go", 1).await;
    assert_eq!(resolved(world.park(&held.ask(1)).await), [taken("event go", 1)]);
    assert_eq!(world.on_record(held.id).await.state, ExecutionState::Running);
    assert_eq!(world.save(held.save([], Some(NextState::Released))).await.unwrap(), Written::Accepted);
}

pub(super) async fn only_the_waits_that_are_asked_for_are_returned(world: impl World) {
    let held = world.held().await;
    register(&world, held, &["a", "b"]).await;
    world.send(held.id, "go", 1).await;
    world.send(held.id, "go", 2).await;
    let outcome = world.park(&Park { watched: vec!["b".to_owned()], ..held.ask(2) }).await;
    assert_eq!(resolved(outcome), [taken("b", 2)]);
}

pub(super) async fn a_wait_is_registered_once(world: impl World) {
    let held = world.held().await;
    register(&world, held, &["event go"]).await;
    let other = wait("event go", WaitKind::Event, "stop", Due::After(Duration::ZERO));
    assert!(is_parked(&world.park(&Park { stays: true, ..held.park(&[other]) }).await), "it has no deadline");
    world.send(held.id, "stop", 1).await;
    world.send(held.id, "go", 2).await;
    assert_eq!(resolved(world.park(&held.ask(1)).await), [taken("event go", 2)]);
}

pub(super) async fn a_sleep_elapses_and_an_event_times_out(world: impl World) {
    let held = world.held().await;
    let sleep = wait("sleep", WaitKind::Sleep, "", Due::After(Duration::ZERO));
    let event = wait("event go", WaitKind::Event, "go", Due::At(world.now().await - HOUR));
    let outcome = world.park(&held.park(&[sleep, event, go("event go#2")])).await;
    assert_eq!(resolved(outcome), [("event go".to_owned(), None), ("sleep".to_owned(), None)]);
    let on_record = world.on_record(held.id).await;
    assert_eq!(on_record.state, ExecutionState::Running);
    let ends = ["sleep", "event go", "event go#2"].map(|key| on_record.wait(key).outcome);
    assert_eq!(ends, [Some(WaitOutcome::Elapsed), Some(WaitOutcome::TimedOut), None]);
    assert!(on_record.wait("sleep").resolved_at.is_some());
}

pub(super) async fn a_wait_whose_deadline_has_passed_takes_only_what_came_before(world: impl World) {
    let held = world.held().await;
    world.send(held.id, "go", 1).await;
    let late = wait("late", WaitKind::Event, "go", Due::At(world.now().await - HOUR));
    let in_time = wait("in time", WaitKind::Event, "go", Due::After(Duration::ZERO));
    let outcome = world.park(&held.park(&[late, in_time])).await;
    assert_eq!(resolved(outcome), [taken("in time", 1), ("late".to_owned(), None)]);
    assert_eq!(world.on_record(held.id).await.wait("late").outcome, Some(WaitOutcome::TimedOut));
}

pub(super) async fn a_dropped_wait_gives_its_message_back_to_its_place(world: impl World) {
    let held = world.held().await;
    register(&world, held, &["a", "b"]).await;
    for value in 1..=3 {
        world.send(held.id, "go", value).await;
    }
    assert_eq!(world.on_record(held.id).await.mailbox, ["3"]);
    let dropped = vec!["b".to_owned(), "a".to_owned()];
    assert!(is_parked(&world.park(&Park { dropped, ..held.ask(0) }).await));
    let on_record = world.on_record(held.id).await;
    assert_eq!(on_record.mailbox, ["1", "2", "3"]);
    assert_eq!(outcome_of(&on_record, "a"), (Some(WaitOutcome::Cancelled), None));
    assert_eq!(resolved(world.park(&held.park(&[go("c")])).await).last().cloned(), Some(taken("c", 1)));
}

pub(super) async fn a_dropped_question_about_certain_values_keeps_its_answer(world: impl World) {
    let held = world.held().await;
    let details = WaitDetails { digest: Some(7), ..WaitDetails::default() };
    let asked = NewWait { details: Some(Box::new(details)), ..go("asked") };
    assert!(is_parked(&world.park(&Park { stays: true, open: 0, ..held.park(&[asked]) }).await));
    world.send(held.id, "go", 1).await;
    let anew = Park { dropped: vec!["asked".to_owned()], ..held.park(&[go("asked#2")]) };
    assert!(is_parked(&world.park(&anew).await), "the answer to the first question is none to the second");
    let on_record = world.on_record(held.id).await;
    assert_eq!(outcome_of(&on_record, "asked"), (Some(WaitOutcome::Received), Some("1".to_owned())));
    assert_eq!(outcome_of(&on_record, "asked#2"), (None, None));
    assert!(on_record.mailbox.is_empty());
}

pub(super) async fn a_dropped_wait_that_was_open_takes_no_message(world: impl World) {
    let held = world.held().await;
    register(&world, held, &["event go"]).await;
    assert!(is_parked(&world.park(&Park { dropped: vec!["event go".to_owned()], ..held.ask(0) }).await));
    world.send(held.id, "go", 1).await;
    let on_record = world.on_record(held.id).await;
    assert_eq!(on_record.mailbox, ["1"]);
    assert_eq!(outcome_of(&on_record, "event go"), (Some(WaitOutcome::Cancelled), None));
}

pub(super) async fn a_dropped_wait_that_has_ended_stays_as_it_ended(world: impl World) {
    let held = world.held().await;
    let late = wait("event go", WaitKind::Event, "go", Due::After(Duration::ZERO));
    resolved(world.park(&Park { stays: true, ..held.park(&[late]) }).await);
    assert!(is_parked(&world.park(&Park { dropped: vec!["event go".to_owned()], ..held.ask(0) }).await));
    assert_eq!(world.on_record(held.id).await.wait("event go").outcome, Some(WaitOutcome::TimedOut));
}

pub(super) async fn a_refused_message_is_gone_and_its_wait_is_open_again(world: impl World) {
    let held = world.held().await;
    register(&world, held, &["event go"]).await;
    world.send(held.id, "go", 1).await;
    let refused = vec![refusal(world.on_record(held.id).await.wait("event go"))];
    assert!(is_parked(&world.park(&Park { refused, ..held.ask(1) }).await));
    let on_record = world.on_record(held.id).await;
    assert_eq!(outcome_of(&on_record, "event go"), (None, None));
    assert_eq!((on_record.mailbox.len(), on_record.refusals), (0, 1));
    world.send(held.id, "go", 2).await;
    assert_eq!(resolved(world.park(&held.ask(1)).await), [taken("event go", 2)]);
}

pub(super) async fn a_refusal_of_an_earlier_message_changes_nothing(world: impl World) {
    let held = world.held().await;
    register(&world, held, &["event go"]).await;
    world.send(held.id, "go", 1).await;
    let refused = vec![refusal(world.on_record(held.id).await.wait("event go"))];
    world.send(held.id, "go", 2).await;
    let again = Park { refused, ..held.ask(1) };
    assert_eq!(resolved(world.park(&again).await), [taken("event go", 2)], "the wait has taken the next message");
    // The answer was lost, and the same refusal comes again.
    assert_eq!(resolved(world.park(&again).await), [taken("event go", 2)]);
    assert_eq!(world.on_record(held.id).await.refusals, 1);
}

pub(super) async fn a_refused_message_does_not_go_back_when_its_wait_is_dropped(world: impl World) {
    let held = world.held().await;
    register(&world, held, &["event go"]).await;
    world.send(held.id, "go", 1).await;
    let refused = vec![refusal(world.on_record(held.id).await.wait("event go"))];
    let dropped = vec!["event go".to_owned()];
    assert!(is_parked(&world.park(&Park { refused, dropped, ..held.ask(0) }).await));
    let on_record = world.on_record(held.id).await;
    assert_eq!((on_record.mailbox.len(), on_record.refusals), (0, 1));
    assert_eq!(on_record.wait("event go").outcome, Some(WaitOutcome::Cancelled));
}

pub(super) async fn a_parking_whose_answer_was_lost_counts_once(world: impl World) {
    let held = world.held().await;
    let park = held.park(&[go("event go")]);
    for _ in 0..2 {
        assert!(is_parked(&world.park(&park).await));
    }
    assert_eq!(world.on_record(held.id).await.state, ExecutionState::Waiting);
    world.send(held.id, "go", 1).await;
    assert!(is_parked(&world.park(&park).await), "the message has put it back into its queue");
    let claim = world.claim(held.id, held.worker).await.unwrap();
    assert!(matches!(world.park(&park).await, ParkOutcome::Lost), "it is claimed again");
    assert_eq!(claim.resolved.len(), 1);
}

/// Whether a parking under this claim is lost, and changes nothing.
async fn is_lost(world: &impl World, held: Held) {
    let refused = vec![refusal(world.on_record(held.id).await.wait("a"))];
    for stays in [true, false] {
        for dropped in [vec![], vec!["a".to_owned()]] {
            let park = Park { stays, dropped, refused: refused.clone(), ..held.park(&[go("late")]) };
            let outcome = world.park(&park).await;
            assert!(matches!(outcome, ParkOutcome::Lost), "{outcome:?}");
        }
    }
    let on_record = world.on_record(held.id).await;
    assert_eq!((on_record.state, on_record.journal.waits.len(), on_record.refusals), (ExecutionState::Running, 1, 0));
    assert_eq!(outcome_of(&on_record, "a"), (Some(WaitOutcome::Received), Some("1".to_owned())));
}

pub(super) async fn a_parking_of_an_earlier_claim_is_lost_and_changes_nothing(world: impl World) {
    let held = world.held().await;
    register(&world, held, &["a"]).await;
    world.send(held.id, "go", 1).await;
    assert_eq!(world.save(held.save([], Some(NextState::Released))).await.unwrap(), Written::Accepted);
    world.claim(held.id, held.worker).await.unwrap();
    is_lost(&world, held).await;
}

pub(super) async fn a_parking_of_a_lost_worker_is_lost_and_changes_nothing(world: impl World) {
    let held = world.held().await;
    register(&world, held, &["a"]).await;
    world.send(held.id, "go", 1).await;
    world.declare_lost(held.worker).await;
    is_lost(&world, held).await;
}

pub(super) async fn a_parking_waits_for_a_message_that_is_being_sent(world: impl World) {
    let held = world.held().await;
    let sending = world.begin_to_send(held.id, "go", 1).await;
    let (park, tries) = (held.park(&[go("event go")]), AtomicUsize::new(0));
    let given_up = || tries.fetch_add(1, Ordering::Relaxed) + 1 == TRIES;
    let outcome = world.answer(world.ledger().park(&park, &given_up)).await.unwrap();
    assert!(matches!(outcome, ParkOutcome::Busy), "{outcome:?}");
    assert_eq!(tries.load(Ordering::Relaxed), TRIES);
    let on_record = world.on_record(held.id).await;
    assert_eq!((on_record.state, on_record.journal.waits.len()), (ExecutionState::Running, 0));
    world.finish(sending).await;
    assert_eq!(resolved(world.park(&park).await), [taken("event go", 1)]);
}
