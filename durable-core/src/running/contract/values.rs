//! Facts about the values that executions set.

use chrono::DateTime;

use super::{World, completed, step};
use crate::ids::{Epoch, ExecutionId};
use crate::model::{Checkpoint, NewNode, NewValue, NodeRecord, StoredNode, ValueState};
use crate::payload::Payload;
use crate::store::saves::Written;

/// The nth call that sets the value `progress`.
pub(super) fn set(nth: u32, value: &str) -> Checkpoint {
    let new = NewValue { name: "progress".to_owned(), value: Payload(value.into()), metadata: None, node: None };
    Checkpoint { sets: vec![new], ..step(&format!("set progress#{nth}"), "null") }
}

/// A node of a graph, at this revision.
fn node(name: &str, state: ValueState, revision: u32, value: &str) -> NewValue {
    let record = NodeRecord {
        cause: revision - 1,
        state_revision: None,
        change_revision: Some(revision + 1),
        takes: Vec::new(),
        error: None,
        timer: None,
    };
    let record = Payload(serde_json::to_string(&record).expect("a record is JSON").into());
    let set_at = state.has_value().then_some(DateTime::UNIX_EPOCH);
    NewValue {
        name: name.to_owned(),
        value: Payload(value.into()),
        metadata: None,
        node: Some(NewNode { state, revision, set_at, record, history: None }),
    }
}

async fn nodes(world: &impl World, id: ExecutionId) -> Vec<StoredNode> {
    world.answer(world.ledger().read_nodes(id)).await.expect("nodes are read")
}

/// The names, states and revisions of the nodes, and their values.
async fn shown(world: &impl World, id: ExecutionId) -> Vec<String> {
    let show = |node: StoredNode| format!("{} {} {} {}", node.name, node.state.as_str(), node.revision, node.value.as_str());
    nodes(world, id).await.into_iter().map(show).collect()
}

pub(super) async fn nodes_are_written_together_and_keep_the_revisions_that_they_are_given(world: impl World) {
    let held = world.held().await;
    let change = |sets: Vec<NewValue>, key: &str| Checkpoint { sets, ..step(key, "null") };
    let first =
        change(vec![node("a", ValueState::Ready, 7, "1.10"), node("b", ValueState::Skipped, 8, "null")], "set graph inputs");
    assert_eq!(world.save(held.save([first.clone()], None)).await.unwrap(), Written::Accepted);
    assert_eq!(shown(&world, held.id).await, ["a ready 7 1.10", "b skipped 8 null"]);
    let record = nodes(&world, held.id).await.remove(0);
    assert_eq!((record.record.cause, record.set_at), (6, DateTime::UNIX_EPOCH));
    let second = change(vec![node("a", ValueState::Stale, 7, "1.10"), node("b", ValueState::Ready, 9, "2")], "step b#9");
    let save = held.save([second], Some(completed()));
    assert_eq!(world.save(save.clone()).await.unwrap(), Written::Accepted);
    assert_eq!(world.save_again(save).await, Written::Accepted);
    assert_eq!(shown(&world, held.id).await, ["a stale 7 1.10", "b ready 9 2"]);
}

pub(super) async fn a_node_without_a_value_is_a_node_and_no_value(world: impl World) {
    let held = world.held().await;
    let with = |state, revision| Checkpoint {
        sets: vec![node("progress", state, revision, "5")],
        ..step(&format!("step progress#{revision}"), "5")
    };
    assert_eq!(world.save(held.save([with(ValueState::Ready, 2)], None)).await.unwrap(), Written::Accepted);
    assert_eq!(progress(&world, held.id).await, Some(("5".to_owned(), 2)));
    assert_eq!(world.save(held.save([with(ValueState::Unset, 3)], None)).await.unwrap(), Written::Accepted);
    assert_eq!((progress(&world, held.id).await, shown(&world, held.id).await), (None, vec!["progress unset 3 5".to_owned()]));
}

/// The value `progress` and its revision.
pub(super) async fn progress(world: &impl World, id: ExecutionId) -> Option<(String, u32)> {
    let value = world.answer(world.ledger().read_value(id, "progress")).await.expect("a value is read")?;
    Some((value.value.to_string(), value.revision))
}

pub(super) async fn a_value_is_replaced_and_its_revision_counts_how_often_it_was_set(world: impl World) {
    let held = world.held().await;
    assert_eq!(progress(&world, held.id).await, None);
    assert_eq!(world.save(held.save([set(1, "1.10")], None)).await.unwrap(), Written::Accepted);
    assert_eq!(progress(&world, held.id).await, Some(("1.10".to_owned(), 1)));
    assert_eq!(world.save(held.save([set(2, "2"), set(3, "3")], None)).await.unwrap(), Written::Accepted);
    assert_eq!(progress(&world, held.id).await, Some(("3".to_owned(), 3)));
    assert_eq!(world.save(held.save([set(4, "4")], Some(completed()))).await.unwrap(), Written::Accepted);
    assert_eq!(progress(&world, held.id).await, Some(("4".to_owned(), 4)), "the end keeps it");
}

pub(super) async fn a_value_whose_answer_was_lost_is_set_once(world: impl World) {
    let held = world.held().await;
    for save in [held.save([set(1, "1"), set(2, "2")], None), held.save([set(3, "3")], Some(completed()))] {
        assert_eq!(world.save(save.clone()).await.unwrap(), Written::Accepted);
        assert_eq!(world.save_again(save).await, Written::Accepted);
    }
    assert_eq!(progress(&world, held.id).await, Some(("3".to_owned(), 3)));
}

pub(super) async fn a_part_of_a_save_that_is_repeated_sets_only_what_was_not_set(world: impl World) {
    let held = world.held().await;
    assert_eq!(world.save(held.save([set(1, "1"), set(2, "2")], None)).await.unwrap(), Written::Accepted);
    assert_eq!(world.save_again(held.save([set(1, "1")], None)).await, Written::Accepted);
    assert_eq!(progress(&world, held.id).await, Some(("2".to_owned(), 2)), "the older value does not come back");
    assert_eq!(world.save_again(held.save([set(2, "2"), set(3, "3")], None)).await, Written::Accepted);
    assert_eq!(progress(&world, held.id).await, Some(("3".to_owned(), 3)));
}

pub(super) async fn two_saves_at_once_of_one_execution_both_set_the_value(world: impl World) {
    let held = world.held().await;
    let (one, other) = (world.ledger().save(held.save([set(1, "1")], None)), world.ledger().save(held.save([set(2, "2")], None)));
    for saved in [one, other] {
        assert_eq!(world.answer(saved).await.unwrap(), Written::Accepted);
    }
    assert_eq!(progress(&world, held.id).await, Some(("2".to_owned(), 2)));
}

pub(super) async fn a_value_of_an_earlier_claim_is_not_set(world: impl World) {
    let held = world.held().await;
    let earlier = super::Held { epoch: Epoch(held.epoch.0 - 1), ..held };
    assert_eq!(world.save(earlier.save([set(1, "1")], None)).await.unwrap(), Written::Refused);
    assert_eq!(progress(&world, held.id).await, None);
}

pub(super) async fn executions_have_values_of_their_own(world: impl World) {
    let (one, other) = (world.held().await, world.held().await);
    assert_eq!(world.save(one.save([set(1, "1")], None)).await.unwrap(), Written::Accepted);
    assert_eq!(world.save(other.save([set(1, "2")], None)).await.unwrap(), Written::Accepted);
    assert_eq!(progress(&world, one.id).await, Some(("1".to_owned(), 1)));
    assert_eq!(progress(&world, other.id).await, Some(("2".to_owned(), 1)));
}
