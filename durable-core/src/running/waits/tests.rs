//! What becomes of each wait: one question, one answer, and nothing forgotten.

use proptest::prelude::*;

use super::*;
use crate::model::{Due, WaitKind};

fn new(key: &str) -> NewWait {
    NewWait {
        key: key.to_owned(),
        kind: WaitKind::Event,
        name: "paid".to_owned(),
        due: Due::Never,
        prompt: None,
        schema: None,
        details: None,
    }
}

fn recorded(key: &str, outcome: Option<WaitOutcome>) -> RecordedWait {
    RecordedWait {
        key: key.to_owned(),
        outcome,
        payload: None,
        child_id: None,
        answered_by: None,
        resolved_at: None,
        message_id: None,
        digest: None,
    }
}

fn received(key: &str) -> RecordedWait {
    recorded(key, Some(WaitOutcome::Received))
}

fn poll(waits: &mut Waits, key: &str) -> Poll<RecordedWait> {
    waits.poll(key, || new(key), Waker::noop().clone())
}

/// Asks, and has the question accepted.
fn park(waits: &mut Waits) -> Question {
    let question = waits.ask();
    waits.answered(question.waits.iter());
    question
}

#[test]
fn a_new_wait_is_registered_once() {
    let mut waits = Waits::default();
    assert!(poll(&mut waits, "event a").is_pending() && waits.has_news());
    assert_eq!(park(&mut waits).waits.len(), 1);
    assert!(!waits.has_news());
    let again = park(&mut waits);
    assert!(again.waits.is_empty());
    assert_eq!((again.open, again.watched), (1, vec!["event a".to_owned()]));
}

#[test]
fn a_question_that_did_not_count_is_asked_again() {
    let mut waits = Waits::default();
    let _ = poll(&mut waits, "event a");
    let question = waits.ask();
    waits.withdraw(&question.dropped, &question.orphaned, &question.refused);
    assert_eq!(waits.ask().waits.len(), 1);
}

#[test]
fn an_answer_is_given_out_once() {
    let mut waits = Waits::default();
    let _ = poll(&mut waits, "event a");
    park(&mut waits);
    assert_eq!(waits.resolve(vec![received("event a")]).len(), 1);
    assert!(waits.has_answered());
    assert!(poll(&mut waits, "event a").is_ready());
    assert!(!waits.has_answered() && !waits.has_any());
}

#[test]
fn a_replay_finds_how_a_wait_ended_and_goes_on_with_one_that_is_open() {
    let mut waits = Waits::default();
    waits.load(vec![received("event a"), recorded("event b", None)]);
    assert!(waits.leaves_open() && waits.has_ended("event a"));
    assert!(poll(&mut waits, "event a").is_ready());
    assert!(poll(&mut waits, "event b").is_pending());
    assert!(!waits.leaves_open() && !waits.has_news(), "the database knows of it");
    assert_eq!(park(&mut waits).open, 1);
}

#[test]
fn a_dropped_wait_is_written_only_if_the_database_may_know_it() {
    let mut waits = Waits::default();
    let _ = poll(&mut waits, "event a");
    waits.drop_wait("event a");
    assert!(!waits.has_news(), "it was never registered");
    let _ = poll(&mut waits, "event b");
    let question = waits.ask();
    waits.drop_wait("event b");
    waits.withdraw(&question.dropped, &question.orphaned, &question.refused);
    assert_eq!(park(&mut waits).dropped, ["event b"], "it was being registered");
}

#[test]
fn a_question_that_was_withdrawn_forgets_no_dropped_wait() {
    let mut waits = Waits::default();
    let _ = poll(&mut waits, "event a");
    park(&mut waits);
    waits.drop_wait("event a");
    let question = waits.ask();
    assert!(!waits.leaves_open());
    waits.withdraw(&question.dropped, &question.orphaned, &question.refused);
    assert!(waits.leaves_open() && !waits.is_asking());
}

#[test]
fn an_answer_that_comes_before_the_code_asks_is_kept() {
    let mut waits = Waits::default();
    waits.load(vec![RecordedWait { digest: Some(7), ..recorded("child a", None) }]);
    assert!(waits.resolve(vec![received("child a")]).is_empty());
    let Poll::Ready(over) = poll(&mut waits, "child a") else { panic!("it is over") };
    assert_eq!((over.outcome, over.digest), (Some(WaitOutcome::Received), Some(7)));
}

#[test]
fn a_refused_message_reopens_its_wait() {
    let mut waits = Waits::default();
    let _ = poll(&mut waits, "event a");
    park(&mut waits);
    waits.resolve(vec![received("event a")]);
    assert!(poll(&mut waits, "event a").is_ready());
    waits.refuse("", RefusedMessage { key: "event a".to_owned(), message_id: None, reason: "not a number".to_owned() });
    assert!(waits.has_news() && poll(&mut waits, "event a").is_pending());
    let question = park(&mut waits);
    assert_eq!((question.refused.len(), question.open, question.waits.len()), (1, 1, 0));
}

#[test]
fn a_message_of_a_branch_that_lost_goes_back_unless_the_branch_went_on() {
    let mut waits = Waits::default();
    waits.give_message("race/0/", "race/0/event a");
    waits.give_message("race/1/", "race/1/event b");
    waits.give_message("race/2/", "race/2/event c");
    waits.use_messages("race/2/");
    assert_eq!(waits.unfinished_below("race/", "1/"), ["race/0/event a"]);
}

#[test]
fn branches_that_lost_leave_no_wait_open_and_no_child_running() {
    let child = ExecutionId::new();
    let mut waits = Waits::default();
    waits.load(vec![
        RecordedWait { child_id: Some(child), ..recorded("race/0/child a", None) },
        received("race/0/event b"),
        received("race/0/event c"),
        recorded("race/1/event d", None),
    ]);
    waits.pass_over("race/", "1/", &["race/0/event b".to_owned()]);
    let question = park(&mut waits);
    assert_eq!(question.dropped, ["race/0/child a", "race/0/event b"]);
    assert_eq!(question.orphaned, [child]);
    assert_eq!(waits.unasked().collect::<Vec<_>>(), ["race/1/event d"]);
}

#[test]
fn a_run_asks_at_once_after_a_nudge_and_otherwise_when_a_wait_is_due() {
    let mut waits = Waits::default();
    waits.nudge();
    assert_eq!(waits.next_look(), Look::Later { registered: false, due: None }, "nothing is registered");
    let _ = poll(&mut waits, "event a");
    park(&mut waits);
    let due = DateTime::UNIX_EPOCH;
    waits.set_next_due(Some(due));
    assert_eq!(waits.next_look(), Look::Later { registered: true, due: Some(due) });
    waits.nudge();
    assert_eq!(waits.next_look(), Look::Now);
    waits.ask();
    assert_eq!(waits.next_look(), Look::Later { registered: false, due: None }, "the question is under way");
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Poll,
    Drop,
    Resolve,
    Park,
}

proptest! {
    /// Whatever happens in whatever order, a wait is registered at most once, answered at most once, and written as dropped at most
    /// once, and only after it was registered.
    #[test]
    fn each_wait_is_registered_answered_and_dropped_at_most_once(
        actions in prop::collection::vec((0_usize..4, prop::sample::select(vec![Action::Poll, Action::Drop, Action::Resolve, Action::Park])), 0..60),
    ) {
        let keys = ["event a", "event b", "event c", "event d"];
        let mut waits = Waits::default();
        let (mut gone, mut known, mut dropped) = ([false; 4], [false; 4], [false; 4]);
        for (nth, action) in actions {
            match action {
                // A key is taken by one future, which is not polled again after its end.
                Action::Poll if gone[nth] => {}
                Action::Poll => gone[nth] = poll(&mut waits, keys[nth]).is_ready(),
                Action::Drop => {
                    waits.drop_wait(keys[nth]);
                    gone[nth] = true;
                }
                // The database resolves only what it knows.
                Action::Resolve if !known[nth] => {}
                Action::Resolve => drop(waits.resolve(vec![received(keys[nth])])),
                Action::Park => {
                    let question = park(&mut waits);
                    for wait in &question.waits {
                        let nth = keys.iter().position(|key| *key == wait.key).unwrap();
                        prop_assert!(!std::mem::replace(&mut known[nth], true), "registered twice");
                    }
                    for key in &question.dropped {
                        let nth = keys.iter().position(|known| known == key).unwrap();
                        prop_assert!(known[nth] && !std::mem::replace(&mut dropped[nth], true), "dropped out of turn");
                    }
                }
            }
        }
    }
}
