//! Facts about the values that executions set.

use super::{World, completed, step};
use crate::ids::{Epoch, ExecutionId};
use crate::model::{Checkpoint, NewValue};
use crate::payload::Payload;
use crate::store::saves::Written;

/// The nth call that sets the value `progress`.
pub(super) fn set(nth: u32, value: &str) -> Checkpoint {
    let new = NewValue { name: "progress".to_owned(), value: Payload(value.into()), metadata: None, node: None };
    Checkpoint { sets: vec![new], ..step(&format!("set progress#{nth}"), "null") }
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
