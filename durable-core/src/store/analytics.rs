//! Reads figures about executions.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{PgPool, Row};

use super::look::{self, ListFilter, known_state, tag_names, tag_values};
use super::{Statement, Store, statement};
use crate::model::{Analytics, NodeAnalytics, Times};
use crate::plan::journal_key;

/// The figures of each workflow of which an execution passes the filters.
pub(crate) async fn analytics(store: &Store, pool: &PgPool, filter: &ListFilter) -> Result<Vec<Analytics>, sqlx::Error> {
    // Those that wait for their turn hold no connection. The semaphore is never closed.
    let _turn = store.analytics.acquire().await;
    let mut workflows: BTreeMap<String, Analytics> = BTreeMap::new();
    for row in filtered(store, statement!("analytics/states"), filter).fetch_all(pool).await? {
        let name: String = row.try_get("workflow")?;
        let figures = workflows.entry(name.clone()).or_insert_with(|| empty(name));
        let executions = count(&row, "executions")?;
        match row.try_get::<Option<&str>, _>("state")? {
            Some(state) => drop(figures.states.insert(known_state(state), executions)),
            None => {
                figures.executions = executions;
                figures.duration = times(&row, "average_seconds", "median_seconds")?;
            }
        }
    }
    // Statements do not read journal keys, so the calls of one step are told apart here.
    let keys = filtered(store, statement!("analytics/keys"), filter).fetch_all(pool).await?;
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for row in &keys {
        let key: String = row.try_get("key")?;
        if let Some(node) = journal_key::node(&key, row.try_get("is_wait")?) {
            known.insert(key, node);
        }
    }
    let (known, nodes): (Vec<String>, Vec<String>) = known.into_iter().unzip();
    for row in filtered(store, statement!("analytics/calls"), filter).bind(known).bind(nodes).fetch_all(pool).await? {
        if let Some(figures) = workflows.get_mut(row.try_get::<&str, _>("workflow")?) {
            figures.nodes.push(node(&row, figures.executions)?);
        }
    }
    Ok(workflows.into_values().collect())
}

/// A statement about the executions that pass the filters, which are its first parameters.
fn filtered<'filter>(store: &Store, statement: Statement, filter: &'filter ListFilter) -> Query<'filter, Postgres, PgArguments> {
    look::filtered(store, statement, filter).bind(tag_names(filter)).bind(tag_values(filter)).bind(filter.archived.is_archived())
}

fn empty(workflow: String) -> Analytics {
    Analytics { workflow, executions: 0, states: BTreeMap::new(), duration: Times::default(), nodes: Vec::new() }
}

fn node(row: &PgRow, executions: u64) -> Result<NodeAnalytics, sqlx::Error> {
    let (reached, calls) = (count(row, "reached")?, count(row, "calls")?);
    let (retries, failures) = (count(row, "retries")?, count(row, "failures")?);
    Ok(NodeAnalytics {
        node: row.try_get("node")?,
        reached,
        share: ratio(reached, executions),
        time_to_reach: times(row, "average_reach", "median_reach")?,
        calls,
        time_to_run: times(row, "average_run", "median_run")?,
        retries,
        retry_rate: ratio(retries, calls),
        failures,
        failure_rate: ratio(failures, calls),
        ended: count(row, "ended")?,
    })
}

fn count(row: &PgRow, column: &str) -> Result<u64, sqlx::Error> {
    row.try_get::<i64, _>(column).map(i64::unsigned_abs)
}

fn times(row: &PgRow, average: &str, median: &str) -> Result<Times, sqlx::Error> {
    // A clock that was set back may have made a time negative.
    let time = |column| row.try_get::<Option<f64>, _>(column).map(|seconds| Duration::try_from_secs_f64(seconds?.max(0.0)).ok());
    Ok(Times { average: time(average)?, median: time(median)? })
}

#[expect(clippy::cast_precision_loss, reason = "counts of executions are far below 2^53")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
