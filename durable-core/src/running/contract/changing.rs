//! Facts about changes of graphs: which wait takes a change, and when the execution takes no more of them.

use super::{HOUR, Held, Park, ParkOutcome, World, resolved, taken, wait};
use crate::model::{Due, NewWait, WaitKind, WaitOutcome};
use crate::plan::graph::CHANGES;
use crate::store::saves::Written;

fn change(key: &str, due: Due) -> NewWait {
    wait(key, WaitKind::Event, CHANGES, due)
}

/// The wait after which no change is accepted: it is due at once.
fn closing(key: &str) -> NewWait {
    change(key, Due::After(std::time::Duration::ZERO))
}

async fn outcome(world: &impl World, held: Held, key: &str) -> Option<WaitOutcome> {
    world.on_record(held.id).await.wait(key).outcome
}

pub(super) async fn a_change_ends_the_wait_for_it_or_is_kept_for_the_next(world: impl World) {
    let held = world.held().await;
    assert!(world.change(held.id, 1).await);
    assert!(world.change(held.id, 2).await);
    assert_eq!(resolved(world.park(&held.park(&[change("a", Due::Never)])).await), [taken("a", 1)]);
    assert_eq!(
        resolved(world.park(&Park { watched: vec!["b".to_owned()], ..held.park(&[change("b", Due::Never)]) }).await),
        [taken("b", 2)]
    );
    assert!(matches!(world.park(&held.park(&[change("c", Due::Never)])).await, ParkOutcome::Parked { .. }));
    assert!(world.change(held.id, 3).await);
    let claim = world.claim(held.id, held.worker).await.expect("the change wakes it");
    assert_eq!(outcome(&world, claim.held, "c").await, Some(WaitOutcome::Received));
}

pub(super) async fn a_wait_that_is_due_at_once_takes_a_change_that_was_accepted_before(world: impl World) {
    let held = world.held().await;
    assert!(world.change(held.id, 1).await);
    assert_eq!(resolved(world.park(&held.park(&[closing("a")])).await), [taken("a", 1)]);
    assert!(world.change(held.id, 2).await, "it was not the last");
}

pub(super) async fn a_closing_wait_takes_the_change_that_a_dropped_wait_had_taken(world: impl World) {
    let held = world.held().await;
    world.park(&Park { stays: true, ..held.park(&[change("a", Due::Never)]) }).await;
    assert!(world.change(held.id, 1).await);
    let park = Park { dropped: vec!["a".to_owned()], watched: vec!["b".to_owned()], ..held.park(&[closing("b")]) };
    assert_eq!(resolved(world.park(&park).await), [taken("b", 1)]);
    assert_eq!(outcome(&world, held, "a").await, Some(WaitOutcome::Cancelled));
}

pub(super) async fn after_a_wait_for_changes_has_timed_out_none_is_accepted(world: impl World) {
    let held = world.held().await;
    let due = wait("other", WaitKind::Event, "other", Due::At(world.now().await - HOUR));
    world.park(&Park { stays: true, ..held.park(&[due]) }).await;
    assert_eq!(outcome(&world, held, "other").await, Some(WaitOutcome::TimedOut));
    assert!(world.change(held.id, 1).await, "it was a wait for something else");
    assert_eq!(outcome_of_closing(&world, held, "a").await, Some(WaitOutcome::Received));
    assert_eq!(outcome_of_closing(&world, held, "b").await, Some(WaitOutcome::TimedOut));
    assert!(!world.change(held.id, 2).await);
    assert!(world.offer(held.id, "other", 3).await, "events are accepted");
    assert_eq!(world.on_record(held.id).await.mailbox, ["3"]);
}

async fn outcome_of_closing(world: &impl World, held: Held, key: &str) -> Option<WaitOutcome> {
    world.park(&Park { stays: true, ..held.park(&[closing(key)]) }).await;
    outcome(world, held, key).await
}

pub(super) async fn an_execution_that_has_ended_takes_no_change(world: impl World) {
    let held = world.held().await;
    assert_eq!(world.save(held.save([], Some(super::completed()))).await.unwrap(), Written::Accepted);
    assert!(!world.change(held.id, 1).await);
}
