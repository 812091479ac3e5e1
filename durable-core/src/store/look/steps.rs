//! Gathers rows of checkpoints and attempts into steps, and into what was done to undo them.

use std::cmp::Reverse;
use std::collections::HashMap;

use sqlx::postgres::PgRow;

use crate::model::{Attempt, AttemptOutcome, Compensation, Step};
use crate::payload::Json;
use crate::plan::journal_key::UNDO;
use crate::store::read::Lenient;

/// A step, or a compensation, as it stands in a journal.
#[derive(Debug)]
pub(super) struct RecordedStep {
    step: Step,
    /// Its place among the steps that can be undone.
    undo_order: Option<i32>,
}

/// The rows of attempts by step, in the order in which the steps first appear. Unreadable columns are noted in `unreadable`.
pub(super) fn read(rows: &[PgRow], unreadable: &mut Vec<String>) -> Vec<RecordedStep> {
    let mut journal: Vec<RecordedStep> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for row in rows {
        let columns = Lenient::new(row);
        let key: String = columns.get("key");
        let place = *places.entry(key.clone()).or_insert_with(|| {
            journal.push(RecordedStep { step: Step { key, output: None, error: None, attempts: Vec::new() }, undo_order: None });
            journal.len() - 1
        });
        read_attempt(&columns, &mut journal[place]);
        unreadable.extend(columns.unreadable().map(|note| format!("step `{}`: {note}", journal[place].step.key)));
    }
    for recorded in &mut journal {
        recorded.step.attempts.sort_by_key(|attempt| attempt.number);
    }
    journal
}

fn read_attempt(columns: &Lenient<'_>, recorded: &mut RecordedStep) {
    let RecordedStep { step, undo_order } = recorded;
    let error = columns.failure("error");
    let finished_at = columns.time_if("finished_at");
    let outcome = match (&error, finished_at) {
        (Some(_), _) => AttemptOutcome::Failed,
        (None, Some(_)) => AttemptOutcome::Completed,
        (None, None) => AttemptOutcome::Running,
    };
    if columns.get("ended") {
        step.output = columns.json("output");
        step.error.clone_from(&error);
        *undo_order = columns.get("undo_order");
    }
    let number = u32::from(columns.get::<i16>("attempt").unsigned_abs());
    // An attempt that was recorded as under way and then ended its step stands in both tables.
    step.attempts.retain(|attempt| attempt.number != number || attempt.outcome != AttemptOutcome::Running);
    if !step.attempts.iter().any(|attempt| attempt.number == number) {
        step.attempts.push(Attempt { number, outcome, started_at: columns.time("started_at"), finished_at, error });
    }
}

/// Takes a journal apart: its steps, those called while undoing included, and the compensations of the steps of `undone`, its own
/// where that is `None`. Compensations come in the order in which they ran: that of the steps, backwards.
pub(super) fn apart(journal: Vec<RecordedStep>, undone: Option<&[RecordedStep]>) -> (Vec<Step>, Vec<Compensation>) {
    let undone: HashMap<String, (Option<Json>, Option<i32>)> = undone
        .unwrap_or(&journal)
        .iter()
        .map(|recorded| (recorded.step.key.clone(), (recorded.step.output.clone(), recorded.undo_order)))
        .collect();
    let (mut steps, mut compensations) = (Vec::new(), Vec::new());
    for RecordedStep { step, .. } in journal {
        match step.key.strip_prefix(UNDO).and_then(|key| undone.get_key_value(key)) {
            Some((key, (input, order))) => {
                let Step { output, error, attempts, .. } = step;
                let compensation = Compensation { step: key.clone(), input: input.clone(), output, error, attempts };
                compensations.push((order.unwrap_or(i32::MAX), compensation));
            }
            None => steps.push(step),
        }
    }
    compensations.sort_by_key(|(order, _)| Reverse(*order));
    (steps, compensations.into_iter().map(|(_, compensation)| compensation).collect())
}
