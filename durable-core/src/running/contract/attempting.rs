//! Facts about records of attempts.

use super::World;
use crate::ids::ExecutionId;
use crate::store::saves::{NextState, Written};

/// The attempts on record: the number of each, and why it failed.
async fn attempts(world: &impl World, id: ExecutionId) -> Vec<(u32, Option<String>)> {
    let mut attempts = world.on_record(id).await.journal.attempts;
    attempts.sort_by_key(|attempt| attempt.attempt);
    assert!(attempts.iter().all(|attempt| attempt.key == "step charge" && attempt.execution_id == id), "{attempts:?}");
    assert!(attempts.iter().all(|attempt| attempt.failure.is_some() == attempt.retry_at.is_some()), "{attempts:?}");
    attempts.into_iter().map(|attempt| (attempt.attempt, attempt.failure.map(|failure| failure.message))).collect()
}

pub(super) async fn an_attempt_is_recorded_under_way_and_then_as_failed(world: impl World) {
    let held = world.held().await;
    assert_eq!(world.record_attempt(held.attempt(1, None)).await, Written::Accepted);
    assert_eq!(attempts(&world, held.id).await, [(1, None)]);
    assert_eq!(world.record_attempt(held.attempt(1, Some("no answer"))).await, Written::Accepted);
    assert_eq!(world.record_attempt(held.attempt(2, None)).await, Written::Accepted);
    assert_eq!(attempts(&world, held.id).await, [(1, Some("no answer".to_owned())), (2, None)]);
}

pub(super) async fn attempts_are_recorded_in_the_order_in_which_they_were_queued(world: impl World) {
    let held = world.held().await;
    let begun = world.ledger().record_attempt(held.attempt(1, None));
    let failed = world.ledger().record_attempt(held.attempt(1, Some("no answer")));
    assert_eq!(world.answer(failed).await.unwrap(), Written::Accepted);
    assert_eq!(world.answer(begun).await.unwrap(), Written::Accepted);
    assert_eq!(attempts(&world, held.id).await, [(1, Some("no answer".to_owned()))]);
}

pub(super) async fn a_failed_attempt_is_never_changed(world: impl World) {
    let held = world.held().await;
    for failure in [Some("first"), Some("second"), None] {
        assert_eq!(world.record_attempt(held.attempt(1, failure)).await, Written::Accepted);
    }
    assert_eq!(attempts(&world, held.id).await, [(1, Some("first".to_owned()))]);
}

pub(super) async fn an_attempt_of_an_earlier_claim_is_refused(world: impl World) {
    let held = world.held().await;
    assert_eq!(world.save(held.save([], Some(NextState::Released))).await.unwrap(), Written::Accepted);
    assert_eq!(world.record_attempt(held.attempt(1, None)).await, Written::Refused, "nothing holds it");
    let claim = world.claim(held.id, held.worker).await.unwrap();
    assert_eq!(world.record_attempt(held.attempt(1, None)).await, Written::Refused);
    assert_eq!(attempts(&world, held.id).await, []);
    assert_eq!(world.record_attempt(claim.held.attempt(1, None)).await, Written::Accepted);
}

pub(super) async fn an_attempt_of_a_lost_worker_is_refused(world: impl World) {
    let held = world.held().await;
    world.declare_lost(held.worker).await;
    assert_eq!(world.record_attempt(held.attempt(1, Some("no answer"))).await, Written::Refused);
    assert_eq!(attempts(&world, held.id).await, []);
}
