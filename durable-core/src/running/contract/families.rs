//! Facts about families: how children are created, what their ends mean for their parents, and which executions end together.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{
    Done, Due, Effect, Failure, Held, NewChild, NewWait, OnRecord, Park, ParkOutcome, WaitDetails, World, completed, step,
};
use crate::error::ErrorKind;
use crate::ids::ExecutionId;
use crate::model::{Checkpoint, ExecutionState, ParentPolicy, Tags, WaitKind, WaitOutcome};
use crate::store::families::EndedEarly;
use crate::store::parents::Notified;
use crate::store::saves::{NextState, Written};

/// A child of the workflow of these facts, in a queue of its own.
pub(super) fn new_child(policy: ParentPolicy) -> NewChild {
    let id = ExecutionId::new();
    NewChild {
        id,
        workflow: "contract".to_owned(),
        version: 1,
        queue: id.to_string(),
        priority: None,
        key: None,
        concurrency_key: None,
        input: RawValue::NULL.to_owned(),
        time_to_live: None,
        policy,
        undoes: None,
        by_compensation: None,
        step: None,
        trace_context: None,
        tags: Tags::new(),
        inherits_tags: None,
    }
}

pub(super) fn wait_for(key: &str, child: NewChild) -> NewWait {
    let details = WaitDetails { child: Some(child), ..WaitDetails::default() };
    NewWait { details: Some(Box::new(details)), ..super::wait(key, WaitKind::Child, "contract", Due::Never) }
}

/// Starts a child for each of these keys; the parent goes on running.
async fn start(world: &impl World, parent: Held, children: &[(&str, ParentPolicy)]) -> Vec<ExecutionId> {
    let new: Vec<_> = children.iter().map(|(key, policy)| wait_for(key, new_child(*policy))).collect();
    let ids = new.iter().map(|wait| wait.details.as_ref().unwrap().child.as_ref().unwrap().id).collect();
    world.park(&Park { stays: true, open: 0, ..parent.park(&new) }).await;
    ids
}

/// A child that its parent waits for under the key `child`, claimed by the worker of the parent.
pub(super) async fn started(world: &impl World, parent: Held) -> Held {
    let ids = start(world, parent, &[("child", ParentPolicy::Await)]).await;
    world.claim(ids[0], parent.worker).await.expect("a new child is pending").held
}

pub(super) async fn save(
    world: &impl World,
    held: Held,
    checkpoints: impl IntoIterator<Item = Checkpoint>,
    next: Option<NextState>,
) {
    assert_eq!(world.save(held.save(checkpoints, next)).await.unwrap(), Written::Accepted);
}

pub(super) fn undoable() -> Checkpoint {
    Checkpoint { undo_order: Some(1), ..step("step book", "1") }
}

pub(super) fn end_of(on_record: &OnRecord, key: &str) -> Value {
    serde_json::from_str(on_record.wait(key).payload.as_ref().expect("it has ended").get()).unwrap()
}

async fn state(world: &impl World, id: ExecutionId) -> ExecutionState {
    world.on_record(id).await.state
}

/// Which executions ended early, and whether they have ended.
fn ended(ended_early: &[EndedEarly]) -> BTreeMap<ExecutionId, bool> {
    ended_early.iter().map(|ended| (ended.id, ended.ended)).collect()
}

pub(super) async fn a_child_is_created_once_with_the_wait_for_it(world: impl World) {
    let parent = world.held().await;
    let first = start(&world, parent, &[("child", ParentPolicy::Await)]).await[0];
    let second = start(&world, parent, &[("child", ParentPolicy::Await)]).await[0];
    assert_eq!(world.on_record(parent.id).await.wait("child").child_id, Some(first));
    assert_eq!(state(&world, first).await, ExecutionState::Pending);
    assert!(!world.exists(second).await, "the wait has its child");
}

pub(super) async fn a_parking_of_an_earlier_claim_creates_no_child(world: impl World) {
    let parent = world.held().await;
    save(&world, parent, [], Some(NextState::Released)).await;
    let child = start(&world, parent, &[("child", ParentPolicy::Await)]).await[0];
    assert!(!world.exists(child).await);
}

pub(super) async fn the_end_of_a_child_ends_the_wait_of_its_parent_once(world: impl World) {
    let parent = world.held().await;
    let child = started(&world, parent).await;
    assert!(matches!(world.park(&Park { open: 1, ..parent.park(&[]) }).await, ParkOutcome::Parked { .. }));
    assert!(matches!(world.notify_parent(child.id).await, Notified::NotAwaited), "it has not ended");
    save(&world, child, [undoable()], Some(NextState::Completed(crate::payload::Payload("1.10".into())))).await;
    let notified = world.notify_parent(child.id).await;
    assert!(matches!(notified, Notified::Received(Effect::Woke(_))), "{notified:?}");
    let on_record = world.on_record(parent.id).await;
    assert_eq!((on_record.state, on_record.wait("child").outcome), (ExecutionState::Pending, Some(WaitOutcome::Received)));
    let payload = on_record.wait("child").payload.as_ref().unwrap().get();
    assert!(payload.contains("1.10"), "the text of a number is kept: {payload}");
    let end = end_of(&on_record, "child");
    assert_eq!((&end["state"], &end["error"], &end["undoable"]), (&json!("completed"), &Value::Null, &json!(true)));
    assert!(matches!(world.notify_parent(child.id).await, Notified::NotAwaited), "it was notified before");
}

pub(super) async fn a_parent_that_runs_receives_why_its_child_failed(world: impl World) {
    let parent = world.held().await;
    let child = started(&world, parent).await;
    let failure = r#"{"kind":"timed_out","message":"it took too long"}"#;
    save(&world, child, [], Some(NextState::Failed(crate::payload::Payload(failure.into())))).await;
    let notified = world.notify_parent(child.id).await;
    assert!(matches!(notified, Notified::Received(Effect::Resolved(id)) if id == parent.id), "{notified:?}");
    let end = end_of(&world.on_record(parent.id).await, "child");
    assert_eq!((&end["state"], &end["output"]), (&json!("failed"), &Value::Null));
    assert_eq!((&end["error"]["kind"], &end["undoable"]), (&json!("timed_out"), &json!(false)));
}

pub(super) async fn a_parent_is_notified_once_no_message_is_being_sent_to_it(world: impl World) {
    let parent = world.held().await;
    let child = started(&world, parent).await;
    save(&world, child, [], Some(completed())).await;
    let sending = world.begin_to_send(parent.id, "go", 1).await;
    assert!(matches!(world.notify_parent(child.id).await, Notified::Busy));
    world.finish(sending).await;
    assert!(matches!(world.notify_parent(child.id).await, Notified::Received(_)));
}

pub(super) async fn a_child_that_is_only_started_ends_its_wait_at_once(world: impl World) {
    let parent = world.held().await;
    for (key, policy) in [("a", ParentPolicy::Cancel), ("b", ParentPolicy::Detach)] {
        let child = start(&world, parent, &[(key, policy)]).await[0];
        let end = end_of(&world.on_record(parent.id).await, key);
        assert_eq!(end, json!({ "state": "started", "output": child }));
        let child = world.claim(child, parent.worker).await.unwrap().held;
        save(&world, child, [], Some(completed())).await;
        assert!(matches!(world.notify_parent(child.id).await, Notified::NotAwaited));
    }
}

pub(super) async fn a_child_whose_key_is_taken_is_refused(world: impl World) {
    let parent = world.held().await;
    let key = Some(parent.id.to_string());
    let (first, second) = (new_child(ParentPolicy::Await), new_child(ParentPolicy::Await));
    let refused = second.id;
    let waits = [wait_for("a", NewChild { key: key.clone(), ..first }), wait_for("b", NewChild { key, ..second })];
    for wait in waits {
        world.park(&Park { stays: true, open: 0, ..parent.park(&[wait]) }).await;
    }
    let on_record = world.on_record(parent.id).await;
    assert_eq!((on_record.wait("a").outcome, on_record.wait("b").child_id), (None, None));
    let end = end_of(&on_record, "b");
    assert_eq!((&end["state"], &end["error"]["kind"]), (&json!("refused"), &json!("conflict")));
    assert!(!world.exists(refused).await);
}

pub(super) async fn a_cancel_ends_the_children_and_their_children_but_not_the_detached(world: impl World) {
    let parent = world.held().await;
    let policies = [("a", ParentPolicy::Await), ("b", ParentPolicy::Cancel), ("c", ParentPolicy::Detach)];
    let children = start(&world, parent, &policies).await;
    let child = world.claim(children[0], parent.worker).await.unwrap().held;
    let grandchild = started(&world, child).await;
    let ended_early = world.end_early(parent.id, Done::Kept).await;
    let all = [parent.id, children[0], children[1], grandchild.id];
    assert_eq!(ended(&ended_early), all.map(|id| (id, true)).into());
    assert!(ended_early.iter().all(|ended| !ended.awaited), "parents that end in the same call are not notified");
    for id in all {
        assert_eq!(state(&world, id).await, ExecutionState::Cancelled);
    }
    assert_eq!(state(&world, children[2]).await, ExecutionState::Pending);
    assert_eq!(world.on_record(parent.id).await.wait("a").outcome, Some(WaitOutcome::Cancelled));
    assert_eq!(world.save(child.save([step("late", "1")], None)).await.unwrap(), Written::Refused);
    assert!(matches!(world.notify_parent(children[0]).await, Notified::NotAwaited));
}

pub(super) async fn a_parent_is_still_to_be_notified_of_a_child_that_was_cancelled_alone(world: impl World) {
    let parent = world.held().await;
    let child = started(&world, parent).await;
    let ended_early = world.end_early(child.id, Done::Kept).await;
    assert_eq!(ended_early.iter().map(|ended| (ended.id, ended.awaited)).collect::<Vec<_>>(), [(child.id, true)]);
    assert!(matches!(world.notify_parent(child.id).await, Notified::Received(_)));
    let end = end_of(&world.on_record(parent.id).await, "child");
    assert_eq!((&end["state"], &end["error"]["kind"]), (&json!("cancelled"), &json!("cancelled")));
}

pub(super) async fn a_rollback_from_outside_rolls_the_children_back(world: impl World) {
    let parent = world.held().await;
    let policies = [("a", ParentPolicy::Await), ("b", ParentPolicy::Cancel), ("c", ParentPolicy::Detach)];
    let children = start(&world, parent, &policies).await;
    let child = world.claim(children[0], parent.worker).await.unwrap().held;
    let ended_early = world.end_early(parent.id, Done::Undone).await;
    let all = [parent.id, children[0], children[1]];
    assert_eq!(ended(&ended_early), all.map(|id| (id, false)).into());
    for id in all {
        assert_eq!(state(&world, id).await, ExecutionState::Compensating);
    }
    assert_eq!(state(&world, children[2]).await, ExecutionState::Pending);
    assert_eq!(world.save(child.save([step("late", "1")], None)).await.unwrap(), Written::Refused);
    let claim = world.claim(children[0], parent.worker).await.unwrap();
    assert_eq!((claim.held.epoch.0, claim.claims), (child.epoch.0 + 2, 1));
    assert!(world.end_early(parent.id, Done::Undone).await.is_empty(), "it is rolled back already");
}

pub(super) async fn a_parent_that_begins_a_rollback_ends_the_children_that_it_waits_for(world: impl World) {
    let cause = Failure::new(ErrorKind::Failed, "it broke");
    for (checkpoints, as_what) in [(vec![undoable()], ExecutionState::Compensating), (Vec::new(), ExecutionState::Cancelled)] {
        let parent = world.held().await;
        let children = start(&world, parent, &[("a", ParentPolicy::Await), ("b", ParentPolicy::Cancel)]).await;
        save(&world, parent, checkpoints, None).await;
        let ended_early = world.begin_rollback(parent, &cause).await.expect("it is held");
        assert_eq!(ended_early.iter().map(|ended| ended.id).collect::<Vec<_>>(), [children[0]]);
        assert_eq!(state(&world, children[0]).await, as_what);
        assert_eq!(state(&world, children[1]).await, ExecutionState::Pending, "it was only started");
        let on_record = world.on_record(parent.id).await;
        assert_eq!((on_record.state, on_record.wait("a").outcome), (ExecutionState::Compensating, Some(WaitOutcome::Cancelled)));
        let earlier = Held { epoch: crate::ids::Epoch(parent.epoch.0 - 1), ..parent };
        assert!(world.begin_rollback(earlier, &cause).await.is_none());
    }
}

pub(super) async fn a_completed_child_is_enlisted_for_the_rollback_of_a_parent_that_has_not_looked(world: impl World) {
    let cause = Failure::new(ErrorKind::Failed, "it broke");
    for from_outside in [true, false] {
        let parent = world.held().await;
        let (useful, useless) =
            (started(&world, parent).await, start(&world, parent, &[("other", ParentPolicy::Await)]).await[0]);
        save(&world, useful, [undoable()], Some(completed())).await;
        let useless = world.claim(useless, parent.worker).await.unwrap().held;
        save(&world, useless, [step("step once", "1")], Some(completed())).await;
        save(&world, parent, [undoable()], None).await;
        if from_outside {
            world.end_early(parent.id, Done::Undone).await;
        } else {
            world.begin_rollback(parent, &cause).await.expect("it is held");
        }
        let journal = world.on_record(parent.id).await.journal;
        let mut enlisted: Vec<_> =
            journal.checkpoints.iter().filter_map(|checkpoint| Some((checkpoint.undo_order?, checkpoint.key.as_str()))).collect();
        enlisted.sort_unstable();
        assert_eq!(enlisted, [(1, "step book"), (1_000_000_001, "child")]);
    }
}

pub(super) async fn what_undoes_a_completed_child_is_a_child_in_rollback(world: impl World) {
    let parent = world.held().await;
    let child = started(&world, parent).await;
    save(&world, child, [undoable()], Some(completed())).await;
    let (undoing, lost) = (new_child(ParentPolicy::Await), new_child(ParentPolicy::Await));
    let (id, gone) = (undoing.id, lost.id);
    let waits = [
        wait_for("undo/child", NewChild { undoes: Some(child.id), ..undoing }),
        wait_for("undo/other", NewChild { undoes: Some(ExecutionId::new()), ..lost }),
    ];
    world.park(&Park { stays: true, open: 0, ..parent.park(&waits) }).await;
    assert_eq!(state(&world, id).await, ExecutionState::Compensating);
    assert!(world.claim(id, parent.worker).await.is_some());
    let end = end_of(&world.on_record(parent.id).await, "undo/other");
    assert_eq!((&end["state"], &end["error"]["kind"]), (&json!("refused"), &json!("not_found")));
    assert!(!world.exists(gone).await);
}

pub(super) async fn with_a_child_is_undone_what_its_own_child_did_at_whose_end_it_never_looked(world: impl World) {
    let parent = world.held().await;
    let child = started(&world, parent).await;
    let grandchild = started(&world, child).await;
    save(&world, grandchild, [undoable()], Some(completed())).await;
    world.park(&Park { dropped: vec!["child".to_owned()], ..child.ask(0) }).await;
    save(&world, child, [], Some(completed())).await;
    assert!(matches!(world.notify_parent(child.id).await, Notified::Received(_)));
    assert_eq!(end_of(&world.on_record(parent.id).await, "child")["undoable"], json!(true));
    let undoing = NewChild { undoes: Some(child.id), ..new_child(ParentPolicy::Await) };
    world.park(&Park { stays: true, open: 0, ..parent.park(&[wait_for("undo/child", undoing)]) }).await;
    let journal = world.on_record(child.id).await.journal;
    let enlisted: Vec<_> =
        journal.checkpoints.iter().map(|checkpoint| (checkpoint.key.as_str(), checkpoint.undo_order)).collect();
    assert_eq!(enlisted, [("child", Some(1_000_000_001))]);
}

pub(super) async fn a_child_is_cancelled_unless_it_has_ended_or_a_message_is_being_sent_to_it(world: impl World) {
    let parent = world.held().await;
    let child = started(&world, parent).await;
    let sending = world.begin_to_send(child.id, "go", 1).await;
    let cancelled = world.cancel_children(&[child.id]).await;
    assert_eq!((cancelled.ended_early.len(), cancelled.busy), (0, vec![child.id]));
    world.finish(sending).await;
    assert_eq!(ended(&world.cancel_children(&[child.id]).await.ended_early), [(child.id, true)].into());
    let again = world.cancel_children(&[child.id]).await;
    assert!(again.ended_early.is_empty() && again.busy.is_empty());
    assert_eq!(state(&world, child.id).await, ExecutionState::Cancelled);
}

pub(super) async fn children_are_ended_whose_parents_have_ended_or_dropped_the_wait(world: impl World) {
    for ends in [true, false] {
        let parent = world.held().await;
        let children = start(&world, parent, &[("a", ParentPolicy::Await), ("b", ParentPolicy::Cancel)]).await;
        if ends {
            save(&world, parent, [], Some(completed())).await;
        } else {
            world.park(&Park { dropped: vec!["a".to_owned()], ..parent.ask(0) }).await;
        }
        // Another fact may be the one to end it.
        world.cancel_orphans().await;
        assert_eq!(state(&world, children[0]).await, ExecutionState::Cancelled);
        assert_eq!(state(&world, children[1]).await, ExecutionState::Pending, "its parent was not cancelled");
    }
}
