//! Facts about executions that continue as new.

use super::families::{end_of, save, started, undoable};
use super::values::{progress, set};
use super::{Held, OnRecord, Park, World, completed, go, resolved, step, taken};
use crate::error::{ErrorKind, Failure};
use crate::ids::{Epoch, ExecutionId};
use crate::model::ExecutionState;
use crate::payload::Payload;
use crate::store::continuations::{Continuation, Continued};
use crate::store::families::Done;
use crate::store::parents::Notified;
use crate::store::saves::Written;

/// The next beginning of the execution.
pub(super) fn next(held: Held) -> Continuation {
    Continuation {
        worker: held.worker,
        id: held.id,
        epoch: held.epoch,
        input: Payload("2.50".into()),
        namespace: ExecutionId::from(held.id.derive(&format!("from {}", held.epoch.0))),
        dropped: Vec::new(),
        refused: Vec::new(),
    }
}

/// The execution after it has continued as new.
pub(super) async fn continued(world: &impl World, continuation: &Continuation) -> Held {
    let continued = world.continue_as_new(continuation).await;
    let Continued::Accepted { epoch, is_paused: false } = continued else { panic!("it does not continue: {continued:?}") };
    Held { worker: continuation.worker, id: continuation.id, epoch }
}

/// An execution with something in each part of its journal.
async fn with_a_journal(world: &impl World) -> Held {
    let held = world.held().await;
    save(world, held, [step("step charge", "1")], None).await;
    assert_eq!(world.record_attempt(held.attempt(1, None)).await, Written::Accepted);
    world.park(&Park { stays: true, open: 1, ..held.park(&[go("event go")]) }).await;
    held
}

fn entries(on_record: &OnRecord) -> usize {
    on_record.journal.checkpoints.len() + on_record.journal.attempts.len() + on_record.journal.waits.len()
}

async fn assert_nothing_has_changed(world: &impl World, held: Held) {
    assert_eq!(entries(&world.on_record(held.id).await), 3);
}

pub(super) async fn an_execution_that_continues_has_an_empty_journal_and_the_next_epoch(world: impl World) {
    let held = with_a_journal(&world).await;
    assert_eq!(entries(&world.on_record(held.id).await), 3);
    let after = continued(&world, &next(held)).await;
    assert_eq!(after.epoch.0, held.epoch.0 + 1);
    let on_record = world.on_record(held.id).await;
    assert_eq!((entries(&on_record), on_record.state), (0, ExecutionState::Running));
    assert_eq!(on_record.input, "2.50", "the text of a number is kept");
    save(&world, after, [step("step charge", "2")], None).await;
    assert_eq!(world.on_record(held.id).await.output_of("step charge"), Some("2"));
}

pub(super) async fn a_continuation_whose_answer_was_lost_counts_once(world: impl World) {
    let held = with_a_journal(&world).await;
    let first = continued(&world, &next(held)).await;
    save(&world, first, [step("step charge", "2")], None).await;
    assert_eq!(continued(&world, &next(held)).await, first);
    assert_eq!(world.on_record(held.id).await.output_of("step charge"), Some("2"), "the new journal is kept");
    let second = continued(&world, &next(first)).await;
    assert_eq!(second.epoch.0, first.epoch.0 + 1);
    assert_eq!(world.continue_as_new(&next(held)).await, Continued::Refused);
}

pub(super) async fn a_continuation_of_an_earlier_claim_is_refused_and_changes_nothing(world: impl World) {
    let held = with_a_journal(&world).await;
    let earlier = Held { epoch: Epoch(held.epoch.0 - 1), ..held };
    assert_eq!(world.continue_as_new(&next(earlier)).await, Continued::Refused);
    assert_nothing_has_changed(&world, held).await;
}

pub(super) async fn a_continuation_of_a_lost_worker_is_refused_and_changes_nothing(world: impl World) {
    let held = with_a_journal(&world).await;
    world.declare_lost(held.worker).await;
    assert_eq!(world.continue_as_new(&next(held)).await, Continued::Refused);
    assert_nothing_has_changed(&world, held).await;
}

pub(super) async fn an_execution_that_has_ended_does_not_continue(world: impl World) {
    let held = world.held().await;
    save(&world, held, [], Some(completed())).await;
    assert_eq!(world.continue_as_new(&next(held)).await, Continued::Refused);
    assert_eq!(world.on_record(held.id).await.state, ExecutionState::Completed);
}

pub(super) async fn an_execution_in_rollback_does_not_continue(world: impl World) {
    let held = with_a_journal(&world).await;
    world.begin_rollback(held, &Failure::new(ErrorKind::Failed, "it broke")).await.expect("it is held");
    assert_eq!(world.continue_as_new(&next(held)).await, Continued::Refused);
    assert_nothing_has_changed(&world, held).await;
}

pub(super) async fn a_save_of_before_the_continuation_is_refused(world: impl World) {
    let held = world.held().await;
    continued(&world, &next(held)).await;
    assert_eq!(world.save(held.save([step("late", "1")], None)).await.unwrap(), Written::Refused);
    assert_eq!(world.save_again(held.save([step("late", "1")], None)).await, Written::Refused);
    assert_eq!(entries(&world.on_record(held.id).await), 0);
}

pub(super) async fn a_continuation_gives_back_what_a_dropped_wait_had_taken_and_keeps_the_mailbox(world: impl World) {
    let held = world.held().await;
    world.park(&Park { stays: true, open: 2, ..held.park(&[go("event go"), go("event go#2")]) }).await;
    for value in 1..=3 {
        world.send(held.id, "go", value).await;
    }
    world.send(held.id, "other", 4).await;
    // The code has used the first, and has dropped the second wait.
    let dropped = vec!["event go#2".to_owned()];
    let after = continued(&world, &Continuation { dropped, ..next(held) }).await;
    let on_record = world.on_record(held.id).await;
    assert_eq!((entries(&on_record), on_record.mailbox), (0, vec!["2".to_owned(), "3".to_owned(), "4".to_owned()]));
    let outcome = world.park(&after.park(&[go("event go")])).await;
    assert_eq!(resolved(outcome), [taken("event go", 2)]);
}

pub(super) async fn a_continuation_keeps_the_values_and_their_revisions(world: impl World) {
    let held = world.held().await;
    save(&world, held, [set(1, "1")], None).await;
    let after = continued(&world, &next(held)).await;
    assert_eq!(progress(&world, held.id).await, Some(("1".to_owned(), 1)));
    save(&world, after, [set(1, "2")], None).await;
    assert_eq!(progress(&world, held.id).await, Some(("2".to_owned(), 2)), "the key was used before, in another journal");
}

pub(super) async fn a_worker_that_dies_after_a_continuation_was_interrupted(world: impl World) {
    let held = world.held().await;
    continued(&world, &next(held)).await;
    world.declare_lost(held.worker).await;
    world.rescue(held.worker).await;
    let worker = world.add_worker().await;
    let claim = world.claim(held.id, worker).await.expect("it is pending again");
    assert_eq!((claim.held.epoch.0, claim.claims), (held.epoch.0 + 2, 2), "attempts that were under way count");
}

pub(super) async fn the_end_of_a_child_of_before_the_continuation_does_not_end_a_wait_of_after(world: impl World) {
    let held = world.held().await;
    let before = started(&world, held).await;
    let after = continued(&world, &next(held)).await;
    let child = started(&world, after).await;
    save(&world, before, [], Some(completed())).await;
    assert!(matches!(world.notify_parent(before.id).await, Notified::NotAwaited));
    assert_eq!(world.on_record(held.id).await.wait("child").outcome, None);
    save(&world, child, [], Some(completed())).await;
    assert!(matches!(world.notify_parent(child.id).await, Notified::Received(_)));
    assert_eq!(end_of(&world.on_record(held.id).await, "child")["state"], "completed");
}

pub(super) async fn a_child_of_before_the_continuation_that_was_waited_for_is_an_orphan(world: impl World) {
    let held = world.held().await;
    let before = started(&world, held).await;
    let after = continued(&world, &next(held)).await;
    let child = started(&world, after).await;
    world.cancel_orphans().await;
    assert_eq!(world.on_record(before.id).await.state, ExecutionState::Cancelled);
    assert_eq!(world.on_record(child.id).await.state, ExecutionState::Running);
}

pub(super) async fn what_a_child_did_before_the_continuation_is_not_undone(world: impl World) {
    let held = world.held().await;
    let before = started(&world, held).await;
    save(&world, before, [undoable()], Some(completed())).await;
    continued(&world, &next(held)).await;
    world.end_early(held.id, Done::Undone).await;
    assert_eq!(entries(&world.on_record(held.id).await), 0, "nothing is enlisted");
}
