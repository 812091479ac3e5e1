//! Reads what changed of watched executions.

use std::collections::HashMap;

use sqlx::postgres::{PgPool, PgRow};
use sqlx::{PgExecutor, Row};
use uuid::Uuid;

use super::{Store, look, statement, values};
use crate::ids::ExecutionId;
use crate::model::Execution;
use crate::plan::watching::{Known, Reading, Recorded, Seen};

/// Executions as they are shown, with how much is recorded of each. An execution that does not exist is left out.
pub(crate) async fn executions(
    store: &Store,
    executor: impl PgExecutor<'_>,
    ids: &[ExecutionId],
) -> Result<Vec<(Execution, Recorded)>, sqlx::Error> {
    let rows = store.query_once(statement!("executions/watched")).bind(uuids(ids)).fetch_all(executor).await?;
    rows.iter().map(|row| Ok((look::read_execution(row)?, recorded(row)?))).collect()
}

fn recorded(row: &PgRow) -> Result<Recorded, sqlx::Error> {
    let count = |column| row.try_get::<i64, _>(column).map(|count| usize::try_from(count).unwrap_or(usize::MAX));
    let last = |column| row.try_get::<Option<i64>, _>(column).map(Option::unwrap_or_default);
    let last = Seen { checkpoint: last("last_checkpoint")?, wait: last("last_wait")? };
    Ok(Recorded { checkpoints: count("checkpoints")?, waits: count("waits")?, last })
}

/// What may have changed in executions since the last updates were sent to their watchers. Waits are read before values, and values
/// before steps, so that what led to a wait is never missing. An execution that is rolled back is left out: which steps are undone
/// is only known from its whole journal.
pub(crate) async fn changes(
    store: &Store,
    pool: &PgPool,
    known: &[(ExecutionId, &Known)],
) -> Result<HashMap<ExecutionId, Reading>, sqlx::Error> {
    let ids: Vec<Uuid> = known.iter().map(|(id, _)| id.as_uuid()).collect();
    let mut readings: HashMap<ExecutionId, Reading> = known.iter().map(|(id, _)| (*id, Reading::default())).collect();

    let seen: Vec<i64> = known.iter().map(|(_, known)| known.seen.wait).collect();
    let open = known.iter().flat_map(|(id, known)| known.open_waits().map(|key| (id.as_uuid(), key)));
    let (open_ids, open_keys): (Vec<Uuid>, Vec<&str>) = open.unzip();
    let query = store.query(statement!("waits/since")).bind(&ids).bind(seen).bind(open_ids).bind(open_keys);
    for (id, rows) in by_execution(query.fetch_all(pool).await?)? {
        let waits = rows.iter().map(|row| look::read_wait(row).0).collect();
        readings.entry(id).and_modify(|reading| reading.waits = waits);
    }

    let told = known.iter().flat_map(|(id, known)| known.values().map(|(name, revision)| (id.as_uuid(), name, revision)));
    let (mut told_ids, mut names, mut revisions) = (Vec::new(), Vec::new(), Vec::new());
    for (id, name, revision) in told {
        told_ids.push(id);
        names.push(name);
        revisions.push(revision.cast_signed());
    }
    let query = store.query(statement!("execution_values/since")).bind(&ids).bind(told_ids).bind(names).bind(revisions);
    for (id, rows) in by_execution(query.fetch_all(pool).await?)? {
        let values = rows.iter().map(|row| values::read(row, &mut Vec::new())).collect();
        readings.entry(id).and_modify(|reading| reading.values = values);
    }

    let seen: Vec<i64> = known.iter().map(|(_, known)| known.seen.checkpoint).collect();
    let steps = store.query(statement!("checkpoints/since")).bind(&ids).bind(seen).fetch_all(pool).await?;
    for (id, rows) in by_execution(steps)? {
        match look::steps_among(&rows) {
            Some(steps) => drop(readings.entry(id).and_modify(|reading| reading.steps = steps)),
            None => drop(readings.remove(&id)),
        }
    }
    Ok(readings)
}

fn by_execution(rows: Vec<PgRow>) -> Result<HashMap<ExecutionId, Vec<PgRow>>, sqlx::Error> {
    let mut grouped: HashMap<ExecutionId, Vec<PgRow>> = HashMap::new();
    for row in rows {
        grouped.entry(row.try_get::<Uuid, _>("execution_id")?.into()).or_default().push(row);
    }
    Ok(grouped)
}

fn uuids(ids: &[ExecutionId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.as_uuid()).collect()
}
