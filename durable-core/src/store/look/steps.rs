//! Gathers rows of checkpoints and attempts into steps, and into what was done to undo them.

use std::cmp::Reverse;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::json;
use crate::model::{Attempt, AttemptOutcome, Compensation, Step};
use crate::payload::Json;
use crate::plan::journal_key::UNDO;

/// A step, or a compensation, as it stands in a journal.
#[derive(Debug)]
pub(super) struct Recorded {
    step: Step,
    /// Its place among the steps that can be undone.
    undo_order: Option<i32>,
}

/// The rows of attempts by step, in the order in which the steps first appear.
pub(super) fn read(rows: &[PgRow]) -> Result<Vec<Recorded>, sqlx::Error> {
    let mut journal: Vec<Recorded> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for row in rows {
        let key: String = row.try_get("key")?;
        let place = *places.entry(key.clone()).or_insert_with(|| {
            journal.push(Recorded { step: Step { key, output: None, error: None, attempts: Vec::new() }, undo_order: None });
            journal.len() - 1
        });
        read_attempt(row, &mut journal[place])?;
    }
    for recorded in &mut journal {
        recorded.step.attempts.sort_by_key(|attempt| attempt.number);
    }
    Ok(journal)
}

fn read_attempt(row: &PgRow, recorded: &mut Recorded) -> Result<(), sqlx::Error> {
    let Recorded { step, undo_order } = recorded;
    let error = row.try_get::<Option<&str>, _>("error")?.map(crate::store::journal::failure);
    let finished_at: Option<DateTime<Utc>> = row.try_get("finished_at")?;
    let outcome = match (&error, finished_at) {
        (Some(_), _) => AttemptOutcome::Failed,
        (None, Some(_)) => AttemptOutcome::Completed,
        (None, None) => AttemptOutcome::Running,
    };
    if row.try_get("ended")? {
        step.output = json(row.try_get("output")?)?;
        step.error.clone_from(&error);
        *undo_order = row.try_get("undo_order")?;
    }
    let number = u32::from(row.try_get::<i16, _>("attempt")?.unsigned_abs());
    // An attempt that was recorded as under way and then ended its step stands in both tables.
    step.attempts.retain(|attempt| attempt.number != number || attempt.outcome != AttemptOutcome::Running);
    if !step.attempts.iter().any(|attempt| attempt.number == number) {
        step.attempts.push(Attempt { number, outcome, started_at: row.try_get("started_at")?, finished_at, error });
    }
    Ok(())
}

/// Takes a journal apart: its steps, those called while undoing included, and the compensations of the steps of `undone`, its own
/// where that is `None`. Compensations come in the order in which they ran: that of the steps, backwards.
pub(super) fn apart(journal: Vec<Recorded>, undone: Option<&[Recorded]>) -> (Vec<Step>, Vec<Compensation>) {
    let undone: HashMap<String, (Option<Json>, Option<i32>)> = undone
        .unwrap_or(&journal)
        .iter()
        .map(|recorded| (recorded.step.key.clone(), (recorded.step.output.clone(), recorded.undo_order)))
        .collect();
    let (mut steps, mut compensations) = (Vec::new(), Vec::new());
    for Recorded { step, .. } in journal {
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
