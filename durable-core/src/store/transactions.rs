//! Transactions of steps: what the user's SQL wrote and the step's checkpoint are committed together, or not at all.
//!
//! sqlx 0.9.0 leaves a transaction open whose `begin` was cancelled, so it runs in a task of its own, which is never cancelled.
//! A commit must not be cancelled either, or its outcome is unknown: `running/run/commits.rs` sees to that.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::postgres::PgPool;
use sqlx::{PgConnection, Postgres, Row};

use super::outage::{self, Patience};
use super::{Store, statement};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::{Checkpoint, Outcome};
use crate::payload::Payload;

/// Begins a transaction, and marks it as the one that its step began with; the mark goes when the transaction ends.
const BEGIN: &str = "begin; set local engine.step = 'open'";

/// How long a transaction may be idle between its checkpoint and its commit: a round trip, and then some. In between it keeps
/// its worker from being declared lost.
const IDLE_LIMIT: &str = "5s";

/// Pause before it is asked again how a transaction ended: about as long as a commit takes.
const PAUSE_WHILE_UNDER_WAY: Duration = Duration::from_millis(10);

/// A transaction that was begun. Dropped, it is rolled back before its connection is used again.
#[derive(Debug)]
pub(crate) enum Open {
    Postgres(sqlx::Transaction<'static, Postgres>),
    /// The values that a simulated step has written.
    #[cfg(test)]
    Memory(Vec<u64>),
}

/// Where transactions of steps come from: a pool of its own, because the settings of the engine's are not for other SQL.
#[derive(Debug, Clone)]
pub(crate) struct Transactions {
    store: Store,
    pool: PgPool,
}

/// The step that a transaction belongs to, and how it ended.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) worker: WorkerId,
    pub(crate) id: ExecutionId,
    pub(crate) epoch: Epoch,
    pub(crate) checkpoint: Checkpoint,
}

/// What became of a commit.
#[derive(Debug)]
pub(crate) enum Committed {
    Written,
    /// The step has an outcome already, and this transaction was rolled back.
    Before(Outcome),
    /// The worker no longer holds the execution, and the transaction was rolled back.
    Refused,
    /// An outage or a conflict rolled everything back: the same step may succeed later.
    Undone(Error),
}

impl Open {
    fn into_postgres(self) -> sqlx::Transaction<'static, Postgres> {
        match self {
            Self::Postgres(transaction) => transaction,
            #[cfg(test)]
            Self::Memory(_) => unreachable!("a simulated transaction is not committed in Postgres"),
        }
    }
}

impl Deref for Open {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match self {
            Self::Postgres(transaction) => transaction,
            #[cfg(test)]
            Self::Memory(_) => unreachable!("a simulated transaction has no connection"),
        }
    }
}

impl DerefMut for Open {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match self {
            Self::Postgres(transaction) => transaction,
            #[cfg(test)]
            Self::Memory(_) => unreachable!("a simulated transaction has no connection"),
        }
    }
}

impl Transactions {
    /// A pool whose connections are opened when they are first needed.
    pub(crate) fn new(store: Store, max_connections: u32) -> Self {
        Self { pool: store.pool_for_users(max_connections), store }
    }

    /// Begins a transaction, however long the database is out.
    pub(crate) async fn begin(&self) -> Result<Open> {
        super::run("begin the transaction of a step", Patience::Endless, || {
            let pool = self.pool.clone();
            alone(async move { pool.begin_with(BEGIN).await })
        })
        .await
        .map(Open::Postgres)
    }

    /// Commits the transaction together with the checkpoint. After an error nothing of it was committed.
    pub(crate) async fn commit(&self, transaction: Open, commit: &Commit) -> Result<Committed> {
        let committed = self.try_commit(transaction, commit).await;
        self.store.watched.note([commit.id]);
        committed
    }

    async fn try_commit(&self, transaction: Open, commit: &Commit) -> Result<Committed> {
        let mut transaction = transaction.into_postgres();
        match self.write(&mut transaction, commit).await {
            Ok(Checkpointed::Saved { transaction_id }) => match transaction.commit().await {
                Ok(()) => Ok(Committed::Written),
                Err(error) if outage::is_outage(&error) => self.settle(commit, &transaction_id, &error).await,
                Err(error) => not_committed(commit, &error),
            },
            refused => {
                roll_back(Open::Postgres(transaction)).await;
                match refused {
                    Err(error) => not_committed(commit, &error),
                    Ok(Checkpointed::There) => self.earlier(commit).await,
                    Ok(Checkpointed::Ended) => Err(ended_by_itself(commit)),
                    Ok(Checkpointed::Lost | Checkpointed::Saved { .. }) => Ok(Committed::Refused),
                }
            }
        }
    }

    /// Writes the checkpoint inside the transaction.
    async fn write(
        &self,
        transaction: &mut sqlx::Transaction<'static, Postgres>,
        commit: &Commit,
    ) -> Result<Checkpointed, sqlx::Error> {
        let Commit { worker, id, epoch, checkpoint } = commit;
        let Outcome::Output(output) = &checkpoint.outcome else { return Ok(Checkpointed::Lost) };
        let row = self
            .store
            .query(statement!("checkpoints/commit"))
            .bind(worker.0)
            .bind(id.as_uuid())
            .bind(epoch.0)
            .bind(checkpoint.digest.map(u64::cast_signed))
            .bind(checkpoint.took.as_secs_f64())
            .bind(i16::try_from(checkpoint.attempt).unwrap_or(i16::MAX))
            .bind(checkpoint.undo_order)
            .bind(&checkpoint.key)
            .bind(output.as_str())
            .bind(IDLE_LIMIT)
            .fetch_one(&mut **transaction)
            .await?;
        let (is_open, is_held, is_saved) = (row.try_get("is_open")?, row.try_get("is_held")?, row.try_get("is_saved")?);
        Ok(match (is_open, is_held, is_saved) {
            (false, ..) => Checkpointed::Ended,
            (true, false, _) => Checkpointed::Lost,
            (true, true, false) => Checkpointed::There,
            (true, true, true) => Checkpointed::Saved { transaction_id: row.try_get("transaction_id")? },
        })
    }

    /// Finds out how a commit ended whose answer was lost.
    async fn settle(&self, commit: &Commit, transaction_id: &str, error: &sqlx::Error) -> Result<Committed> {
        loop {
            let (_, was_under_way) = self.find(commit, Some(transaction_id)).await?;
            if was_under_way {
                tokio::time::sleep(PAUSE_WHILE_UNDER_WAY).await;
                continue;
            }
            // It may have ended after the look at the checkpoint: now that it has ended, one more look is final.
            return match self.find(commit, None).await? {
                (Some(_), _) => Ok(Committed::Written),
                (None, _) => not_committed(commit, error),
            };
        }
    }

    /// The outcome that was there before.
    async fn earlier(&self, commit: &Commit) -> Result<Committed> {
        let (outcome, _) = self.find(commit, None).await?;
        Ok(outcome.map_or(Committed::Refused, Committed::Before))
    }

    /// The recorded outcome of the step, and whether the transaction is under way; asked through any outage.
    async fn find(&self, commit: &Commit, transaction_id: Option<&str>) -> Result<(Option<Outcome>, bool)> {
        let store = &self.store;
        super::run("find out whether a step was committed", Patience::Endless, || async move {
            let query = store.query(statement!("checkpoints/find")).bind(commit.id.as_uuid()).bind(&commit.checkpoint.key);
            let row = query.bind(transaction_id).fetch_one(&store.pool).await?;
            let error = row.try_get::<Option<&str>, _>("error")?.map(super::journal::failure);
            let output = row.try_get::<Option<&str>, _>("output")?.map(|output| Payload(output.into()));
            let outcome = output.map(Outcome::Output).or(error.map(|failure| Outcome::Error(Box::new(failure))));
            Ok((outcome, row.try_get("is_under_way")?))
        })
        .await
    }
}

/// What became of the checkpoint inside the transaction.
enum Checkpointed {
    Saved {
        transaction_id: String,
    },
    /// The step has one already.
    There,
    /// The execution is no longer held.
    Lost,
    /// This is not the transaction that the step began with.
    Ended,
}

/// Rolls back, and returns when that is done; says whether the database answered. After an error the connection is closed
/// instead, which also rolls back.
pub(crate) async fn roll_back(transaction: Open) -> bool {
    match transaction {
        Open::Postgres(transaction) => alone(async move { transaction.rollback().await }).await.is_ok(),
        #[cfg(test)]
        Open::Memory(_) => true,
    }
}

/// Whether the error is a conflict with other transactions: a repetition may succeed.
pub(crate) fn is_conflict(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code.starts_with("40"))
}

/// Runs a statement in a task of its own: it continues if the caller stops waiting.
async fn alone<T: Send + 'static>(
    statement: impl Future<Output = Result<T, sqlx::Error>> + Send + 'static,
) -> Result<T, sqlx::Error> {
    tokio::spawn(statement).await.map_err(|_| sqlx::Error::WorkerCrashed)?
}

fn not_committed(commit: &Commit, error: &sqlx::Error) -> Result<Committed> {
    let undone = outage::is_outage(error) || outage::is_held_up(error);
    let kind = if undone && !is_conflict(error) { ErrorKind::Unavailable } else { ErrorKind::Database };
    let error = Error::of_kind(kind, format!("cannot commit `{}`: {}", commit.checkpoint.key, outage::describe(error)));
    if undone { Ok(Committed::Undone(error)) } else { Err(error) }
}

fn ended_by_itself(commit: &Commit) -> Error {
    let message = "cannot commit `{}`: it has ended its transaction by itself; leave `commit` and `rollback` to the engine";
    Error::of_kind(ErrorKind::Invalid, message.replace("{}", &commit.checkpoint.key)).into_permanent()
}
