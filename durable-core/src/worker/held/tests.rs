//! How claims, answers and ends of one execution meet.

use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::*;
use crate::clock::{Clock, Reading};
use crate::error::Result;
use crate::observer::RegisteredObservers;
use crate::payload::Payload;
use crate::running::memory::Memory;
use crate::running::scope::Scope;
use crate::running::stretch::Body;
use crate::signals::Slots;
use crate::telemetry::{Metrics, Tracing};

const WORKER: WorkerId = WorkerId(Uuid::from_u128(7));

/// A worker with one execution.
struct Case {
    held: HeldExecutions,
    slots: Arc<Slots>,
    id: ExecutionId,
}

fn case() -> Case {
    Case { held: HeldExecutions::new(1), slots: Slots::new("default", 10), id: ExecutionId::new() }
}

impl Case {
    fn claim(&self, epoch: i32) -> Claimed {
        Claimed {
            worker: WORKER,
            id: self.id,
            epoch: Epoch(epoch),
            workflow: "order".to_owned(),
            version: 1,
            queue: "default".to_owned(),
            claims: 1,
            answer_lost: false,
            continued: false,
            deadline_at: None,
            input: Payload::null(),
            resolved: Some(Vec::new()),
            rollback: None,
            undoes: None,
            awaited: false,
            limited: false,
            scheduled_for: None,
            namespace: self.id,
            step: None,
            trace_context: None,
            started_at: None,
            ready_at: None,
        }
    }

    fn enter(&mut self, epoch: i32) -> (Option<Ready>, Option<Arc<Run>>) {
        let slot = self.slots.take_anyway();
        self.held.enter(self.claim(epoch), slot)
    }

    /// Enters a claim that begins, and its run.
    fn begin(&mut self, epoch: i32) -> Arc<Run> {
        assert!(self.enter(epoch).0.is_some());
        let run = run(&self.claim(epoch));
        assert!(self.held.run(&run));
        run
    }

    fn leave(&mut self, epoch: i32, left: Left) -> (Option<Ready>, Option<Flow>) {
        self.held.leave(&self.claim(epoch), left)
    }
}

fn run(claimed: &Claimed) -> Arc<Run> {
    let reading = Reading { database: chrono::DateTime::UNIX_EPOCH, taken: Instant::now(), frozen: true };
    let clock = Arc::new(Clock::new(reading, std::time::Duration::from_secs(1)));
    let (lease, worker) = (watch::Sender::new(Instant::now()), watch::Sender::new(claimed.worker));
    let ledger = Arc::new(Memory::new(Arc::default(), lease.subscribe(), worker.subscribe()));
    let observed = RegisteredObservers::default().start().unwrap().of(claimed.id, "order", 1);
    let trace = Tracing::default().of(claimed);
    Run::new(claimed, ledger, clock, observed, trace, Metrics::default().of("order", "default"), None)
}

fn parked(run: &Arc<Run>) -> Left {
    let body: Body = Box::pin(std::future::pending::<Result<Payload>>());
    Left::Parked(Flow::of(run, Scope::root(run, ""), body))
}

#[tokio::test]
async fn a_claim_begins_at_once_if_its_execution_is_not_held() {
    let mut case = case();
    let (ready, over) = case.enter(1);
    assert_eq!(ready.unwrap().claimed.epoch, Epoch(1));
    assert!(over.is_none() && case.held.has(&case.claim(1)) && !case.held.has(&case.claim(2)));
}

#[tokio::test]
async fn a_claim_that_follows_waits_until_the_run_before_it_is_left() {
    let mut case = case();
    let run = case.begin(1);
    let (ready, over) = case.enter(2);
    assert!(ready.is_none() && over.is_none(), "the run rests by itself");
    let (next, dropped) = case.leave(1, parked(&run));
    let next = next.unwrap();
    assert_eq!(next.claimed.epoch, Epoch(2));
    assert!(next.flow.is_some() && dropped.is_none(), "its code goes on in memory");
    assert!(case.held.has(&case.claim(2)));
}

#[tokio::test]
async fn a_claim_after_one_that_was_lost_ends_the_run_before_it() {
    let mut case = case();
    let before = case.begin(1);
    let (ready, over) = case.enter(3);
    assert!(ready.is_none() && Arc::ptr_eq(&over.unwrap(), &before));
    assert_eq!(case.leave(1, Left::Refused).0.unwrap().claimed.epoch, Epoch(3));
}

#[tokio::test]
async fn a_late_answer_to_an_earlier_claim_changes_nothing() {
    let mut case = case();
    let run = case.begin(2);
    for epoch in [1, 2] {
        let (ready, over) = case.enter(epoch);
        assert!(ready.is_none() && over.is_none());
    }
    assert!(case.leave(2, Left::Noted).0.is_none());
    drop(run);
    assert_eq!((case.held.len(), case.slots.details().in_use), (0, 0));
}

#[tokio::test]
async fn a_claim_whose_journal_is_being_read_gives_way_to_a_later_one() {
    let mut case = case();
    assert!(case.enter(1).0.is_some());
    assert!(case.enter(2).0.is_some());
    assert!(!case.held.has(&case.claim(1)) && !case.held.run(&run(&case.claim(1))));
    // The earlier claim is left without a trace.
    assert!(case.leave(1, Left::Refused).0.is_none());
    assert!(case.held.has(&case.claim(2)) && !case.held.is_in_doubt());
}

#[tokio::test]
async fn a_parked_execution_stays_in_memory_unless_it_is_to_stop() {
    let mut case = case();
    let run = case.begin(1);
    assert!(case.leave(1, parked(&run)).1.is_none());
    assert!(case.enter(2).0.unwrap().flow.is_some());
    assert!(case.held.run(&super::tests::run(&case.claim(2))));
    run.drain();
    assert!(case.leave(2, parked(&run)).1.is_some(), "the caller drops it");
    assert!(case.held.forget(case.id).is_none());
}

#[tokio::test]
async fn a_refused_end_leaves_a_doubt_and_the_execution_that_has_run() {
    let mut case = case();
    case.begin(1);
    assert!(!case.held.is_in_doubt());
    let _ = case.leave(1, Left::Refused);
    let (known, have_run) = case.held.take_doubts();
    assert!(known.is_empty() && have_run.contains(&case.id) && !case.held.is_in_doubt());
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_twice() {
    let mut case = case();
    case.held.doubt_claim();
    assert!(case.held.is_in_doubt());
    let _ = case.held.take_doubts();
    case.held.doubt_again();
    assert!(case.held.is_in_doubt(), "the claim may be committed only now");
    let _ = case.held.take_doubts();
    case.held.doubt_again();
    assert!(!case.held.is_in_doubt());
}

#[tokio::test]
async fn the_claim_that_waits_is_known_to_the_database_too() {
    let mut case = case();
    case.begin(1);
    let _ = case.enter(2);
    let (known, _) = case.held.take_doubts();
    assert_eq!(known, [(case.id, Epoch(1)), (case.id, Epoch(2))]);
    assert_eq!(case.held.epochs(WORKER), [(case.id, Epoch(1))]);
}

#[tokio::test]
async fn what_the_database_says_of_an_epoch_concerns_that_claim_alone() {
    let mut case = case();
    case.begin(3);
    let at = |case: &Case, epoch| case.held.runs_at(WORKER, &[(case.id, Epoch(epoch))], &[case.id]).len();
    assert_eq!((at(&case, 3), at(&case, 2)), (1, 0));
}

#[tokio::test]
async fn when_everything_ends_no_claim_that_waits_begins() {
    let mut case = case();
    case.begin(1);
    let _ = case.enter(2);
    assert_eq!(case.held.end_all().len(), 1);
    assert!(case.leave(1, Left::Refused).0.is_none());
    assert_eq!((case.held.len(), case.slots.details().in_use), (0, 0));
    assert!(case.enter(3).0.is_some());
    assert!(case.held.end_all().is_empty(), "what does not run yet is forgotten");
    assert_eq!(case.held.len(), 0);
}

#[test]
fn while_the_database_is_asked_no_start_begins_as_held_and_those_before_are_known() {
    let mut held = HeldExecutions::new(0);
    let (before, meanwhile) = (ExecutionId::new(), ExecutionId::new());
    assert!(held.begin_start(before));
    let (known, _) = held.take_doubts();
    assert_eq!(known, [(before, Epoch::FIRST)]);
    assert!(!held.begin_start(meanwhile));
    held.end_asking();
    assert!(held.begin_start(meanwhile));
}
