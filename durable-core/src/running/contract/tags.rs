//! Facts about the tags that executions have.

use super::families::{new_child, wait_for};
use super::{Held, World, completed, step};
use crate::ids::{Epoch, ExecutionId};
use crate::model::{Checkpoint, MOST_TAGS, NewChild, NewTag, ParentPolicy, Tags};
use crate::store::parks::Park;
use crate::store::saves::Written;

/// The nth call that sets the tag `carrier`.
fn set(nth: u32, value: &str) -> Checkpoint {
    let tag = NewTag { name: "carrier".to_owned(), value: value.to_owned() };
    Checkpoint { tag: Some(Box::new(tag)), ..step(&format!("tag carrier#{nth}"), "null") }
}

fn tag(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

async fn tags(world: &impl World, id: ExecutionId) -> Tags {
    world.answer(world.ledger().read_tags(id)).await.expect("tags are read")
}

async fn save(world: &impl World, held: Held, checkpoints: impl IntoIterator<Item = Checkpoint>) {
    assert_eq!(world.save(held.save(checkpoints, None)).await.unwrap(), Written::Accepted);
}

pub(super) async fn a_tag_is_set_and_replaced_with_its_checkpoint(world: impl World) {
    let held = world.held().await;
    assert_eq!(tags(&world, held.id).await, Tags::new());
    save(&world, held, [set(1, "dhl"), set(2, "ups")]).await;
    assert_eq!(tags(&world, held.id).await, Tags::from([tag("carrier", "ups")]));
    let save = held.save([set(3, "dpd")], Some(completed()));
    assert_eq!(world.save(save).await.unwrap(), Written::Accepted);
    assert_eq!(tags(&world, held.id).await, Tags::from([tag("carrier", "dpd")]), "the end keeps it");
}

pub(super) async fn a_tag_whose_answer_was_lost_does_not_replace_a_newer_one(world: impl World) {
    let held = world.held().await;
    save(&world, held, [set(1, "dhl"), set(2, "ups")]).await;
    assert_eq!(world.save_again(held.save([set(1, "dhl")], None)).await, Written::Accepted);
    assert_eq!(tags(&world, held.id).await, Tags::from([tag("carrier", "ups")]));
}

pub(super) async fn a_tag_of_an_earlier_claim_is_not_set(world: impl World) {
    let held = world.held().await;
    let earlier = Held { epoch: Epoch(held.epoch.0 - 1), ..held };
    assert_eq!(world.save(earlier.save([set(1, "dhl")], None)).await.unwrap(), Written::Refused);
    assert_eq!(tags(&world, held.id).await, Tags::new());
}

/// Starts a child that waits in its queue.
async fn start(world: &impl World, parent: Held, key: &str, child: &NewChild) {
    world.park(&Park { stays: true, open: 0, ..parent.park(&[wait_for(key, child.clone())]) }).await;
}

pub(super) async fn a_child_has_its_own_tags_and_if_asked_those_of_its_parent(world: impl World) {
    let parent = world.held().await;
    save(&world, parent, [set(1, "dhl")]).await;
    let child = |inherits_tags, tags: Tags| NewChild { tags, inherits_tags, ..new_child(ParentPolicy::Await) };
    let (own, same) = (Tags::from([tag("tenant", "acme")]), Tags::from([tag("carrier", "ups")]));
    let both = Tags::from([tag("tenant", "acme"), tag("carrier", "dhl")]);
    for (key, child, expected) in [
        ("neither", child(None, Tags::new()), Tags::new()),
        ("own", child(None, own.clone()), own.clone()),
        ("inherited", child(Some(true), Tags::new()), Tags::from([tag("carrier", "dhl")])),
        ("both", child(Some(true), own), both),
        ("same", child(Some(true), same.clone()), same),
    ] {
        start(&world, parent, key, &child).await;
        assert_eq!(tags(&world, child.id).await, expected, "{key}");
    }
}

pub(super) async fn a_child_that_would_have_too_many_tags_is_refused(world: impl World) {
    let parent = world.held().await;
    save(&world, parent, [set(1, "dhl")]).await;
    let most = |count: usize| (0..count).map(|nth| tag(&nth.to_string(), "x")).collect::<Tags>();
    for (key, count, is_created) in [("most", MOST_TAGS - 1, true), ("more", MOST_TAGS, false)] {
        let child = NewChild { tags: most(count), inherits_tags: Some(true), ..new_child(ParentPolicy::Await) };
        start(&world, parent, key, &child).await;
        assert_eq!(world.exists(child.id).await, is_created, "{key}");
    }
    let refused = world.on_record(parent.id).await.wait("more").payload.as_ref().unwrap().get().to_owned();
    assert!(refused.contains("invalid") && refused.contains("has 33 tags with those of its parent"), "{refused}");
}
