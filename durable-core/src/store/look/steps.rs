//! Gathers rows of checkpoints and attempts into steps, and into what was done to undo them.

use std::cmp::Reverse;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::json;
use crate::model::{Attempt, AttemptOutcome, Compensation, Step};
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

/// The steps, without what undid them.
pub(super) fn forward(journal: Vec<Recorded>) -> Vec<Step> {
    journal.into_iter().map(|recorded| recorded.step).filter(|step| !step.key.starts_with(UNDO)).collect()
}

/// The compensations in a journal, of the steps in `undone`, in the order in which they ran: that of the steps, backwards.
pub(super) fn compensations(journal: &[Recorded], undone: &[Recorded]) -> Vec<Compensation> {
    let undone: HashMap<&str, &Recorded> = undone.iter().map(|recorded| (recorded.step.key.as_str(), recorded)).collect();
    let mut ordered: Vec<(i32, Compensation)> = journal
        .iter()
        .filter_map(|recorded| {
            let step = &recorded.step;
            let key = step.key.strip_prefix(UNDO)?;
            let undone = undone.get(key);
            let compensation = Compensation {
                step: key.to_owned(),
                input: undone.and_then(|undone| undone.step.output.clone()),
                output: step.output.clone(),
                error: step.error.clone(),
                attempts: step.attempts.clone(),
            };
            Some((undone.and_then(|undone| undone.undo_order).unwrap_or(i32::MAX), compensation))
        })
        .collect();
    ordered.sort_by_key(|(order, _)| Reverse(*order));
    ordered.into_iter().map(|(_, compensation)| compensation).collect()
}
