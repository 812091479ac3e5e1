//! Facts about saves.

use super::{HOUR, Held, Park, World, completed, go, step, wait};
use crate::error::{ErrorKind, Failure};
use crate::ids::Epoch;
use crate::model::{Checkpoint, Due, ExecutionState, Outcome, WaitKind, WaitOutcome};
use crate::payload::Payload;
use crate::store::parks::ParkOutcome;
use crate::store::saves::{NextState, Save, Written};

pub(super) async fn a_checkpoint_keeps_all_its_parts(world: impl World) {
    let held = world.held().await;
    // The text of a number is kept, and so are the largest digests.
    let output = Outcome::Output(Payload("1.10".into()));
    let first = Checkpoint { digest: Some(u64::MAX), attempt: 3, undo_order: Some(7), ..Checkpoint::of("a".to_owned(), output) };
    let failure = Failure { causes: vec!["the cause".to_owned()], ..Failure::new(ErrorKind::Failed, "it broke") };
    let second = Checkpoint::of("b".to_owned(), Outcome::Error(Box::new(failure)));
    assert_eq!(world.save(held.save([first.clone(), second.clone()], None)).await.unwrap(), Written::Accepted);

    let mut recorded = world.on_record(held.id).await.journal.checkpoints;
    recorded.sort_by(|one, other| one.key.cmp(&other.key));
    let parts = |of: &Checkpoint| (of.key.clone(), of.digest, of.attempt, of.undo_order, of.outcome.clone());
    assert_eq!(recorded.iter().map(parts).collect::<Vec<_>>(), [parts(&first), parts(&second)]);
}

pub(super) async fn saves_are_written_in_the_order_in_which_they_were_queued(world: impl World) {
    let held = world.held().await;
    let checkpoint = world.ledger().save(held.save([step("a", "1")], None));
    let end = world.ledger().save(held.save([step("b", "2")], Some(completed())));
    // After the end, the checkpoint would be refused.
    assert_eq!(world.answer(end).await.unwrap(), Written::Accepted);
    assert_eq!(world.answer(checkpoint).await.unwrap(), Written::Accepted);
    let on_record = world.on_record(held.id).await;
    assert_eq!((on_record.output_of("a"), on_record.output_of("b")), (Some("1"), Some("2")));
}

pub(super) async fn a_save_whose_answer_was_lost_counts_once(world: impl World) {
    let held = world.held().await;
    assert_eq!(world.save(held.save([step("a", "1")], None)).await.unwrap(), Written::Accepted);
    assert_eq!(world.save_again(held.save([step("a", "1")], None)).await, Written::Accepted);
    let on_record = world.on_record(held.id).await;
    assert_eq!((on_record.state, on_record.journal.checkpoints.len()), (ExecutionState::Running, 1));
}

pub(super) async fn an_end_whose_answer_was_lost_counts_once(world: impl World) {
    let held = world.held().await;
    let save = held.save([step("a", "1")], Some(completed()));
    assert_eq!(world.save(save.clone()).await.unwrap(), Written::Accepted);
    assert_eq!(world.save_again(save).await, Written::Accepted);
    let on_record = world.on_record(held.id).await;
    assert_eq!((on_record.state, on_record.output.as_deref()), (ExecutionState::Completed, Some(r#""done""#)));
    let other = held.save([step("b", "2")], Some(NextState::Released));
    assert_eq!(world.save_again(other).await, Written::Refused, "it went to another state");
    assert_eq!(world.on_record(held.id).await.journal.checkpoints.len(), 1);
}

pub(super) async fn a_repeated_save_does_not_count_after_the_next_claim(world: impl World) {
    let held = world.held().await;
    let release = held.save([], Some(NextState::Released));
    assert_eq!(world.save(release.clone()).await.unwrap(), Written::Accepted);
    let claim = world.claim(held.id, held.worker).await.unwrap();
    assert!(claim.held.epoch.follows(held.epoch), "{claim:?}");
    assert_eq!(world.save_again(release).await, Written::Refused);
    assert_eq!(world.on_record(held.id).await.state, ExecutionState::Running);
}

pub(super) async fn a_recorded_outcome_is_never_changed(world: impl World) {
    let held = world.held().await;
    assert_eq!(world.save(held.save([step("a", "1")], None)).await.unwrap(), Written::Accepted);
    assert_eq!(world.save_again(held.save([step("a", "2")], None)).await, Written::Accepted);
    assert_eq!(world.on_record(held.id).await.output_of("a"), Some("1"));
}

/// Whether a write under this claim is refused, with a new state and without one, and changes nothing.
async fn is_refused(world: &impl World, held: Held, state: ExecutionState) {
    for next in [None, Some(completed()), Some(NextState::Released)] {
        let save = held.save([step("late", "1")], next);
        assert_eq!(world.save(save.clone()).await.unwrap(), Written::Refused, "{save:?}");
    }
    let on_record = world.on_record(held.id).await;
    assert_eq!((on_record.state, on_record.output_of("late")), (state, None));
}

pub(super) async fn a_save_of_an_earlier_claim_is_refused_and_changes_nothing(world: impl World) {
    let held = world.held().await;
    assert_eq!(world.save(held.save([], Some(NextState::Released))).await.unwrap(), Written::Accepted);
    let claim = world.claim(held.id, held.worker).await.unwrap();
    is_refused(&world, held, ExecutionState::Running).await;
    assert_eq!(world.save(claim.held.save([step("a", "1")], None)).await.unwrap(), Written::Accepted);
}

pub(super) async fn a_save_of_a_lost_worker_is_refused_and_changes_nothing(world: impl World) {
    let held = world.held().await;
    world.declare_lost(held.worker).await;
    is_refused(&world, held, ExecutionState::Running).await;
}

pub(super) async fn a_save_of_another_worker_is_refused_and_changes_nothing(world: impl World) {
    let held = world.held().await;
    let worker = world.add_worker().await;
    is_refused(&world, Held { worker, ..held }, ExecutionState::Running).await;
    is_refused(&world, Held { epoch: Epoch(held.epoch.0 + 1), ..held }, ExecutionState::Running).await;
}

pub(super) async fn nothing_counts_after_the_end(world: impl World) {
    for (next, state) in [
        (completed(), ExecutionState::Completed),
        (NextState::Failed(Payload(r#"{"kind":"failed","message":"it broke"}"#.into())), ExecutionState::Failed),
    ] {
        let held = world.held().await;
        assert_eq!(world.save(held.save([], Some(next))).await.unwrap(), Written::Accepted);
        is_refused(&world, held, state).await;
        assert_eq!(world.record_attempt(held.attempt(1, None)).await, Written::Refused);
        assert!(matches!(world.park(&held.park(&[go("event go")])).await, ParkOutcome::Lost));
        assert!(world.claim(held.id, held.worker).await.is_none());
        let journal = world.on_record(held.id).await.journal;
        assert!(journal.attempts.is_empty() && journal.waits.is_empty(), "{journal:?}");
    }
}

pub(super) async fn a_released_execution_can_be_claimed_and_was_not_interrupted(world: impl World) {
    let held = world.held().await;
    assert_eq!(world.save(held.save([step("a", "1")], Some(NextState::Released))).await.unwrap(), Written::Accepted);
    assert_eq!(world.on_record(held.id).await.state, ExecutionState::Pending);
    let worker = world.add_worker().await;
    let claim = world.claim(held.id, worker).await.unwrap();
    assert_eq!(claim.held, Held { worker, epoch: Epoch(held.epoch.0 + 1), ..held });
    assert_eq!(claim.claims, 1, "a later claim than the first would count as one after a crash");
    assert!(world.claim(held.id, worker).await.is_none(), "it is held");
    assert_eq!(world.on_record(held.id).await.output_of("a"), Some("1"));
}

pub(super) async fn a_stopped_execution_waits_and_its_waits_stay_open(world: impl World) {
    let held = world.held().await;
    world.park(&Park { stays: true, ..held.park(&[go("event go")]) }).await;
    let stopped = NextState::Stopped(Payload(r#"{"kind":"diverged","message":"the code has changed"}"#.into()));
    let save = Save { leaves_waits: true, ..held.save([], Some(stopped)) };
    assert_eq!(world.save(save).await.unwrap(), Written::Accepted);
    let on_record = world.on_record(held.id).await;
    assert_eq!((on_record.state, on_record.wait("event go").outcome), (ExecutionState::Stopped, None));
}

pub(super) async fn the_end_cancels_the_waits_that_it_leaves(world: impl World) {
    let held = world.held().await;
    let sleep = wait("sleep", WaitKind::Sleep, "", Due::After(HOUR));
    world.send(held.id, "go", 1).await;
    world.park(&Park { stays: true, ..held.park(&[go("event go"), sleep]) }).await;
    let save = Save { leaves_waits: true, ..held.save([], Some(completed())) };
    assert_eq!(world.save(save).await.unwrap(), Written::Accepted);
    let on_record = world.on_record(held.id).await;
    assert_eq!(on_record.wait("sleep").outcome, Some(WaitOutcome::Cancelled));
    assert_eq!(on_record.wait("event go").outcome, Some(WaitOutcome::Received), "it had ended before");
}

pub(super) async fn a_save_that_the_database_refuses_changes_nothing(world: impl World) {
    let held = world.held().await;
    let error = world.save_unwritable(held.save([step("a", "1")], Some(completed()))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Database, "{error}");
    let on_record = world.on_record(held.id).await;
    assert_eq!((on_record.state, on_record.output_of("a")), (ExecutionState::Running, None));
    assert_eq!(world.save(held.save([step("a", "1")], None)).await.unwrap(), Written::Accepted);
}
