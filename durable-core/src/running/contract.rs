//! What every ledger must do: one list of facts. Each fact is a test of the ledger in memory, and of the ledger that is Postgres.

mod attempting;
mod changing;
mod closing;
mod continuing;
mod families;
mod in_memory;
mod in_postgres;
mod parking;
mod saving;
mod tags;
mod values;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::ledger::Ledger;
use crate::error::{ErrorKind, Failure, Result};
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::{
    Checkpoint, Due, ExecutionState, FailedAttempt, JournalRecords, NewChild, NewWait, Outcome, RecordedWait, RefusedMessage,
    WaitDetails, WaitKind,
};
use crate::payload::Payload;
use crate::store::attempts::AttemptRecord;
use crate::store::continuations::{Continuation, Continued};
use crate::store::families::{CancelledChildren, Done, EndedEarly};
use crate::store::messages::Effect;
use crate::store::parents::Notified;
use crate::store::parks::{Park, ParkOutcome};
use crate::store::saves::{NextState, Save, Written};

const HOUR: Duration = Duration::from_secs(3600);

/// A ledger with the world around it: workers, clients, and a clock.
trait World {
    /// A message that a client is sending.
    type Sending;

    async fn new() -> Self;

    fn ledger(&self) -> &dyn Ledger;

    /// The ledger's answer.
    async fn answer<T>(&self, asked: impl Future<Output = T>) -> T;

    /// The time by which waits are due.
    async fn now(&self) -> DateTime<Utc>;

    async fn add_worker(&self) -> WorkerId;

    async fn declare_lost(&self, worker: WorkerId);

    /// Creates an execution that this worker has claimed.
    async fn start(&self, worker: WorkerId) -> Held;

    /// Puts what a lost worker held back into its queue.
    async fn rescue(&self, worker: WorkerId);

    /// Gives the execution to this worker if it is pending.
    async fn claim(&self, id: ExecutionId, worker: WorkerId) -> Option<Claim>;

    async fn send(&self, id: ExecutionId, name: &str, value: u64) {
        assert!(self.offer(id, name, value).await, "event `{name}` was refused");
    }

    /// Sends an event; `false` if the execution has closed the events of this name.
    async fn offer(&self, id: ExecutionId, name: &str, value: u64) -> bool;

    /// Sends a change of a graph; `false` if the execution takes no more of them.
    async fn change(&self, id: ExecutionId, value: u64) -> bool;

    async fn begin_to_send(&self, id: ExecutionId, name: &str, value: u64) -> Self::Sending;

    async fn finish(&self, sending: Self::Sending);

    /// Repeats a save whose answer was lost.
    async fn save_again(&self, save: Save) -> Written;

    /// A save that the database refuses.
    async fn save_unwritable(&self, save: Save) -> Result<Written>;

    async fn exists(&self, id: ExecutionId) -> bool;

    async fn on_record(&self, id: ExecutionId) -> OnRecord;

    /// Gives the end of a child to its parent.
    async fn notify_parent(&self, child: ExecutionId) -> Notified;

    /// A client cancels an execution; what it did is undone first, or kept.
    async fn end_early(&self, id: ExecutionId, done: Done) -> Vec<EndedEarly>;

    /// The worker begins the rollback of an execution; `None` if it is not held.
    async fn begin_rollback(&self, held: Held, cause: &Failure) -> Option<Vec<EndedEarly>>;

    async fn cancel_children(&self, children: &[ExecutionId]) -> CancelledChildren;

    /// Ends every child whose parent has ended or no longer waits for it.
    async fn cancel_orphans(&self);

    /// An execution that a new worker has claimed.
    async fn held(&self) -> Held {
        self.start(self.add_worker().await).await
    }

    async fn save(&self, save: Save) -> Result<Written> {
        self.answer(self.ledger().save(save)).await
    }

    async fn park(&self, park: &Park) -> ParkOutcome {
        self.answer(self.ledger().park(park, &|| false)).await.expect("a parking is answered")
    }

    async fn continue_as_new(&self, continuation: &Continuation) -> Continued {
        self.answer(self.ledger().continue_as_new(continuation)).await.expect("a continuation is answered")
    }

    async fn record_attempt(&self, record: AttemptRecord) -> Written {
        self.answer(self.ledger().record_attempt(record)).await.expect("a record of an attempt is answered")
    }
}

/// An execution under one claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    worker: WorkerId,
    id: ExecutionId,
    epoch: Epoch,
}

/// What a claim gives to the worker.
#[derive(Debug)]
struct Claim {
    held: Held,
    claims: i16,
    resolved: Vec<RecordedWait>,
}

/// What the ledger has on record of an execution.
#[derive(Debug)]
struct OnRecord {
    state: ExecutionState,
    input: String,
    output: Option<String>,
    journal: JournalRecords,
    /// The payloads of the messages that no wait has taken, in order.
    mailbox: Vec<String>,
    /// How many messages the code could not use.
    refusals: usize,
}

impl Held {
    fn save(self, checkpoints: impl IntoIterator<Item = Checkpoint>, next: Option<NextState>) -> Save {
        let Self { worker, id, epoch } = self;
        let checkpoints = checkpoints.into_iter().collect();
        Save { worker, id, epoch, checkpoints, next, latest: Arc::default(), leaves_waits: false, again: false }
    }

    /// Registers these waits, and parks if none of them is over.
    fn park(self, waits: &[NewWait]) -> Park {
        Park {
            worker: self.worker,
            id: self.id,
            epoch: self.epoch,
            since: DateTime::UNIX_EPOCH,
            stays: false,
            open: waits.len(),
            watched: Vec::new(),
            waits: waits.to_vec(),
            dropped: Vec::new(),
            orphaned: Vec::new(),
            refused: Vec::new(),
            wake_at: None,
        }
    }

    /// Asks about so many waits that are registered, and goes on running.
    fn ask(self, open: usize) -> Park {
        Park { stays: true, open, ..self.park(&[]) }
    }

    fn attempt(self, number: u32, failure: Option<&str>) -> AttemptRecord {
        let failure = failure.map(|message| Box::new(Failure::new(ErrorKind::Failed, message)));
        let retry_at = failure.is_some().then_some(DateTime::UNIX_EPOCH);
        let (execution_id, key, took) = (self.id, "step charge".to_owned(), Duration::ZERO);
        let attempt = FailedAttempt { execution_id, key, attempt: number, took, failure, retry_at };
        AttemptRecord { worker: self.worker, epoch: self.epoch, attempt }
    }
}

impl OnRecord {
    /// The output of a step, if one is recorded.
    fn output_of(&self, key: &str) -> Option<&str> {
        match &self.journal.checkpoints.iter().find(|checkpoint| checkpoint.key == key)?.outcome {
            Outcome::Output(output) => Some(output.as_str()),
            Outcome::Error(_) => None,
        }
    }

    fn wait(&self, key: &str) -> &RecordedWait {
        self.journal.waits.iter().find(|wait| wait.key == key).unwrap_or_else(|| panic!("`{key}` is not on record: {self:?}"))
    }
}

fn step(key: &str, output: &str) -> Checkpoint {
    Checkpoint::of(key.to_owned(), Outcome::Output(Payload(output.into())))
}

fn completed() -> NextState {
    NextState::Completed(Payload(r#""done""#.into()))
}

fn wait(key: &str, kind: WaitKind, name: &str, due: Due) -> NewWait {
    NewWait { key: key.to_owned(), kind, name: name.to_owned(), due, prompt: None, schema: None, details: None }
}

/// A wait for the event `go`.
fn go(key: &str) -> NewWait {
    wait(key, WaitKind::Event, "go", Due::Never)
}

/// The waits that a parking found over, by their keys, and what each received.
fn resolved(outcome: ParkOutcome) -> Vec<(String, Option<String>)> {
    let ParkOutcome::Resolved { mut waits, .. } = outcome else { panic!("no wait is over: {outcome:?}") };
    waits.sort_by(|one, other| one.key.cmp(&other.key));
    waits.iter().map(|wait| (wait.key.clone(), received(wait))).collect()
}

fn received(wait: &RecordedWait) -> Option<String> {
    wait.payload.as_ref().map(|payload| payload.get().to_owned())
}

fn taken(key: &str, value: u64) -> (String, Option<String>) {
    (key.to_owned(), Some(value.to_string()))
}

/// The refusal of the message that this wait has received.
fn refusal(wait: &RecordedWait) -> RefusedMessage {
    RefusedMessage { key: wait.key.clone(), message_id: wait.message_id, reason: "not a number".to_owned() }
}

macro_rules! facts {
    ($($module:ident { $($fact:ident,)+ })+) => {
        mod memory {
            use crate::running::contract;

            $($(#[tokio::test]
            async fn $fact() {
                contract::$module::$fact(<contract::in_memory::InMemory as contract::World>::new().await).await;
            })+)+
        }

        mod postgres {
            use crate::running::contract;

            $($(#[tokio::test]
            async fn $fact() {
                contract::$module::$fact(<contract::in_postgres::InPostgres as contract::World>::new().await).await;
            })+)+
        }
    };
}

facts! {
    saving {
        a_checkpoint_keeps_all_its_parts,
        saves_are_written_in_the_order_in_which_they_were_queued,
        a_save_whose_answer_was_lost_counts_once,
        an_end_whose_answer_was_lost_counts_once,
        a_repeated_save_does_not_count_after_the_next_claim,
        a_recorded_outcome_is_never_changed,
        a_save_of_an_earlier_claim_is_refused_and_changes_nothing,
        a_save_of_a_lost_worker_is_refused_and_changes_nothing,
        a_save_of_another_worker_is_refused_and_changes_nothing,
        nothing_counts_after_the_end,
        a_released_execution_can_be_claimed_and_was_not_interrupted,
        a_stopped_execution_waits_and_its_waits_stay_open,
        the_end_cancels_the_waits_that_it_leaves,
        a_save_that_the_database_refuses_changes_nothing,
    }
    values {
        a_value_is_replaced_and_its_revision_counts_how_often_it_was_set,
        a_value_whose_answer_was_lost_is_set_once,
        a_part_of_a_save_that_is_repeated_sets_only_what_was_not_set,
        nodes_are_written_together_and_keep_the_revisions_that_they_are_given,
        a_node_without_a_value_is_a_node_and_no_value,
        two_saves_at_once_of_one_execution_both_set_the_value,
        a_value_of_an_earlier_claim_is_not_set,
        executions_have_values_of_their_own,
    }
    continuing {
        an_execution_that_continues_has_an_empty_journal_and_the_next_epoch,
        a_continuation_whose_answer_was_lost_counts_once,
        a_continuation_of_an_earlier_claim_is_refused_and_changes_nothing,
        a_continuation_of_a_lost_worker_is_refused_and_changes_nothing,
        an_execution_that_has_ended_does_not_continue,
        an_execution_in_rollback_does_not_continue,
        a_save_of_before_the_continuation_is_refused,
        a_continuation_gives_back_what_a_dropped_wait_had_taken_and_keeps_the_mailbox,
        a_continuation_keeps_the_values_and_their_revisions,
        a_worker_that_dies_after_a_continuation_was_interrupted,
        the_end_of_a_child_of_before_the_continuation_does_not_end_a_wait_of_after,
        a_child_of_before_the_continuation_that_was_waited_for_is_an_orphan,
        what_a_child_did_before_the_continuation_is_not_undone,
    }
    tags {
        a_tag_is_set_and_replaced_with_its_checkpoint,
        a_tag_whose_answer_was_lost_does_not_replace_a_newer_one,
        a_tag_of_an_earlier_claim_is_not_set,
        a_child_has_its_own_tags_and_if_asked_those_of_its_parent,
        a_child_that_would_have_too_many_tags_is_refused,
    }
    attempting {
        an_attempt_is_recorded_under_way_and_then_as_failed,
        attempts_are_recorded_in_the_order_in_which_they_were_queued,
        a_failed_attempt_is_never_changed,
        an_attempt_of_an_earlier_claim_is_refused,
        an_attempt_of_a_lost_worker_is_refused,
    }
    parking {
        an_execution_whose_waits_are_open_is_parked,
        an_execution_wakes_when_the_first_of_its_times_comes,
        a_message_in_the_mailbox_ends_a_new_wait_and_the_execution_goes_on,
        messages_are_taken_in_the_order_in_which_they_came,
        a_message_wakes_a_parked_execution,
        an_execution_that_stays_learns_of_its_waits_and_continues,
        only_the_waits_that_are_asked_for_are_returned,
        a_wait_is_registered_once,
        a_sleep_elapses_and_an_event_times_out,
        a_wait_whose_deadline_has_passed_takes_only_what_came_before,
        a_dropped_wait_gives_its_message_back_to_its_place,
        a_dropped_question_about_certain_values_keeps_its_answer,
        a_dropped_wait_that_was_open_takes_no_message,
        a_dropped_wait_that_has_ended_stays_as_it_ended,
        a_refused_message_is_gone_and_its_wait_is_open_again,
        a_refusal_of_an_earlier_message_changes_nothing,
        a_refused_message_does_not_go_back_when_its_wait_is_dropped,
        a_parking_whose_answer_was_lost_counts_once,
        a_parking_of_an_earlier_claim_is_lost_and_changes_nothing,
        a_parking_of_a_lost_worker_is_lost_and_changes_nothing,
        a_parking_waits_for_a_message_that_is_being_sent,
    }
    closing {
        a_close_takes_what_no_wait_has_taken_and_what_is_sent_later_is_refused,
        a_wait_that_was_there_before_the_close_takes_its_message,
        a_close_ends_the_waits_of_its_name_and_those_that_come_later,
        a_wait_whose_deadline_has_passed_times_out_and_is_not_closed,
        a_close_takes_nothing_of_another_name_and_leaves_it_open,
        a_second_close_takes_what_a_dropped_wait_has_given_back,
        a_dropped_close_gives_its_messages_back_and_opens_the_name,
        a_dropped_close_leaves_closed_what_another_has_closed,
        a_refused_message_is_gone_from_its_close,
        a_close_whose_answer_was_lost_takes_its_messages_once,
        a_close_of_an_earlier_claim_closes_nothing,
        a_close_waits_for_a_message_that_is_being_sent,
        a_continuation_opens_what_was_closed_and_keeps_the_mailbox,
    }
    changing {
        a_change_ends_the_wait_for_it_or_is_kept_for_the_next,
        a_wait_that_is_due_at_once_takes_a_change_that_was_accepted_before,
        a_closing_wait_takes_the_change_that_a_dropped_wait_had_taken,
        after_a_wait_for_changes_has_timed_out_none_is_accepted,
        an_execution_that_has_ended_takes_no_change,
    }
    families {
        a_child_is_created_once_with_the_wait_for_it,
        a_parking_of_an_earlier_claim_creates_no_child,
        the_end_of_a_child_ends_the_wait_of_its_parent_once,
        a_parent_that_runs_receives_why_its_child_failed,
        a_parent_is_notified_once_no_message_is_being_sent_to_it,
        a_child_that_is_only_started_ends_its_wait_at_once,
        a_child_whose_key_is_taken_is_refused,
        a_cancel_ends_the_children_and_their_children_but_not_the_detached,
        a_parent_is_still_to_be_notified_of_a_child_that_was_cancelled_alone,
        a_rollback_from_outside_rolls_the_children_back,
        a_parent_that_begins_a_rollback_ends_the_children_that_it_waits_for,
        a_completed_child_is_enlisted_for_the_rollback_of_a_parent_that_has_not_looked,
        what_undoes_a_completed_child_is_a_child_in_rollback,
        with_a_child_is_undone_what_its_own_child_did_at_whose_end_it_never_looked,
        a_child_is_cancelled_unless_it_has_ended_or_a_message_is_being_sent_to_it,
        children_are_ended_whose_parents_have_ended_or_dropped_the_wait,
    }
}
