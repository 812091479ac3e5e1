//! Reads the database's clock.

use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};
use tokio::time::Instant;

use super::read::time;
use super::{Store, statement};
use crate::clock::Reading;

pub(crate) async fn read(store: &Store, executor: impl PgExecutor<'_>) -> Result<Reading, sqlx::Error> {
    let asked = Instant::now();
    let row = store.query(statement!("clock/read")).fetch_one(executor).await?;
    reading(&row, asked)
}

/// The reading in a row with the columns `now` and `frozen`; the database looked half-way between question and answer.
pub(super) fn reading(row: &PgRow, asked: Instant) -> Result<Reading, sqlx::Error> {
    Ok(Reading { database: time(row, "now")?, taken: asked + asked.elapsed() / 2, frozen: row.try_get("frozen")? })
}

/// A text that is another one after a change of what people are shown.
pub(crate) async fn change_mark(store: &Store, executor: impl PgExecutor<'_>) -> Result<String, sqlx::Error> {
    let query = store.query(statement!("clock/change_mark")).bind(store.schema.as_str());
    query.fetch_one(executor).await?.try_get("mark")
}
