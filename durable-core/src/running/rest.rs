//! Decides after each poll whether an execution rests, and why.

use std::task::Poll;

use super::hold::Verdict;
use crate::error::{Failure, Result};
use crate::payload::Payload;
use crate::plan::spoil::{Spoil, is_spoiled};

/// How far one stretch of running got.
#[derive(Debug)]
pub(crate) enum Rest {
    /// The workflow returned.
    Finished(Result<Payload>),
    /// The workflow panicked.
    Panicked(Box<Failure>),
    /// Checkpoints were left, and no step has begun that would write them.
    Unwritten,
    /// Nothing runs and something waits.
    Waiting,
    /// Something waits that the database does not know of, while something else runs.
    Unregistered,
    /// The run ends here.
    Ended(Verdict),
}

/// What the parts of a run say after a poll.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact, and the decision is made of all of them")]
pub(super) struct Standing {
    /// The recorded outcome of a step differs from what the code saw: the execution must be replayed.
    pub(super) is_outdated: bool,
    /// Something stopped because the worker shuts down or the execution is to be replayed.
    pub(super) has_stopped: bool,
    /// Futures of the run that work on something.
    pub(super) busy: usize,
    /// Futures among them that never continue, because the database refused their write.
    pub(super) stuck: usize,
    /// The code will be polled again without an answer from the engine.
    pub(super) goes_on: bool,
    /// A wait has ended and its future has not looked yet.
    pub(super) has_answered: bool,
    /// Something waits: for an event, a time, a child, or the end of a back-off.
    pub(super) waits: bool,
    /// The waits have changes that the database does not know.
    pub(super) is_unknown: bool,
    /// These changes are being written.
    pub(super) is_asking: bool,
    /// Checkpoints were left and not sent.
    pub(super) has_unsent: bool,
}

/// Whether the run rests; `Pending` if it continues when something wakes it.
pub(super) fn rest(polled: Result<Poll<Result<Payload>>, Box<Failure>>, standing: Standing) -> Poll<Rest> {
    match polled {
        Ok(Poll::Ready(_)) | Err(_) if standing.is_outdated => return Poll::Ready(Rest::Ended(Verdict::Released)),
        Ok(Poll::Ready(result)) => return Poll::Ready(Rest::Finished(result)),
        Err(failure) => return Poll::Ready(Rest::Panicked(failure)),
        Ok(Poll::Pending) => {}
    }
    if standing.has_stopped && standing.busy == standing.stuck {
        return Poll::Ready(Rest::Ended(Verdict::Released));
    }
    let goes_on = (standing.busy > 0 && !is_spoiled(Spoil::ParkWhileBusy)) || standing.has_answered || standing.goes_on;
    if standing.has_unsent {
        Poll::Ready(Rest::Unwritten)
    } else if standing.waits && !goes_on {
        Poll::Ready(Rest::Waiting)
    } else if standing.is_unknown && !standing.is_asking && !standing.is_outdated {
        // An outdated run would be refused at once, and ask again without end while a step of it goes on.
        Poll::Ready(Rest::Unregistered)
    } else {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(standing: Standing) -> &'static str {
        said(&rest(Ok(Poll::Pending), standing))
    }

    fn said(rest: &Poll<Rest>) -> &'static str {
        match rest {
            Poll::Pending => "pending",
            Poll::Ready(Rest::Finished(_)) => "finished",
            Poll::Ready(Rest::Panicked(_)) => "panicked",
            Poll::Ready(Rest::Unwritten) => "unwritten",
            Poll::Ready(Rest::Waiting) => "waiting",
            Poll::Ready(Rest::Unregistered) => "unregistered",
            Poll::Ready(Rest::Ended(_)) => "ended",
        }
    }

    #[test]
    fn an_execution_parks_only_when_it_waits_and_nothing_in_it_goes_on() {
        let waits = Standing { waits: true, is_unknown: true, ..Standing::default() };
        assert_eq!(of(waits), "waiting");
        assert_eq!(of(Standing { busy: 1, ..waits }), "unregistered");
        assert_eq!(of(Standing { goes_on: true, ..waits }), "unregistered");
        assert_eq!(of(Standing { has_answered: true, ..waits }), "unregistered");
        assert_eq!(of(Standing::default()), "pending");
    }

    #[test]
    fn checkpoints_are_written_before_the_execution_parks() {
        assert_eq!(of(Standing { has_unsent: true, waits: true, ..Standing::default() }), "unwritten");
        assert_eq!(of(Standing { has_unsent: true, busy: 1, ..Standing::default() }), "unwritten");
    }

    #[test]
    fn the_database_is_asked_once_at_a_time() {
        let asking = Standing { waits: true, is_unknown: true, busy: 1, is_asking: true, ..Standing::default() };
        assert_eq!(of(asking), "pending");
        assert_eq!(of(Standing { is_asking: false, ..asking }), "unregistered");
    }

    #[test]
    fn a_run_that_must_be_replayed_does_not_ask_while_a_step_of_it_goes_on() {
        let unknown = Standing { waits: true, is_unknown: true, busy: 1, ..Standing::default() };
        assert_eq!(of(Standing { is_outdated: true, has_stopped: true, ..unknown }), "pending");
    }

    #[test]
    fn a_run_that_stops_ends_when_its_steps_have_ended() {
        let stopped = Standing { has_stopped: true, busy: 1, ..Standing::default() };
        assert_eq!(of(stopped), "pending");
        assert_eq!(of(Standing { stuck: 1, ..stopped }), "ended");
        assert_eq!(of(Standing { busy: 0, ..stopped }), "ended");
    }

    #[test]
    fn what_the_code_returns_counts_unless_the_execution_must_be_replayed() {
        let returned = || Ok(Poll::Ready(Ok(Payload::null())));
        assert_eq!(said(&rest(returned(), Standing { has_unsent: true, ..Standing::default() })), "finished");
        assert_eq!(said(&rest(returned(), Standing { is_outdated: true, ..Standing::default() })), "ended");
    }
}
