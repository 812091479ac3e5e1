//! The floor: the rows that the engine would write, written by plain SQL in batches over one connection.

use durable::Result;
use durable::sqlx::{Connection, Executor, PgConnection, query, query_scalar};
use uuid::Uuid;

/// Rows in a statement.
pub(crate) const BATCH: usize = 500;

const INSERT: &str = "insert into durable.executions
    (execution_id, created_at, version, priority, workflow, queue, input, state, epoch, claims, rank)
    select id, clock_timestamp(), 1, 0, 'one_step', 'default', '1', 'pending', 0, 0, clock_timestamp() from unnest($1::uuid[]) as id";

const CLAIM: &str = "update durable.executions
    set state = 'running', worker_id = $1, epoch = epoch + 1, claims = claims + 1, started_at = clock_timestamp()
    where execution_id = any (array(
        select execution_id from durable.executions
        where queue = 'default' and state = 'pending' and wake_at is null and concurrency_key is null
        order by rank, execution_id limit $2 for no key update skip locked))
    returning execution_id";

const CHECKPOINT: &str = "insert into durable.checkpoints
    (execution_id, digest, started_at, finished_at, attempt, key, output)
    select id, 1234567890123456789, clock_timestamp(), clock_timestamp(), 1, $2, '1' from unnest($1::uuid[]) as id";

const COMPLETE: &str = "update durable.executions
    set state = 'completed', output = '1', claims = 0, finished_at = clock_timestamp()
    where execution_id = any ($1)";

/// One connection that writes as plainly as can be.
pub(crate) struct Floor {
    connection: PgConnection,
}

impl Floor {
    pub(crate) async fn open(url: &str) -> Result<Self> {
        Ok(Self { connection: PgConnection::connect(url).await? })
    }

    /// Lets the planner see the tables as they are; the floor is the best that plain SQL can do.
    pub(crate) async fn analyze(&mut self) -> Result<()> {
        self.connection.execute("analyze").await?;
        Ok(())
    }

    /// Queues executions.
    pub(crate) async fn insert(&mut self, executions: usize) -> Result<()> {
        let ids: Vec<Uuid> = (0..executions).map(|_| Uuid::now_v7()).collect();
        for batch in ids.chunks(BATCH) {
            query(INSERT).bind(batch).execute(&mut self.connection).await?;
        }
        Ok(())
    }

    /// Claims all that is queued, a batch at a time, writes that many checkpoints for each, and completes it.
    pub(crate) async fn complete_all(&mut self, checkpoints: usize) -> Result<()> {
        let worker = Uuid::now_v7();
        loop {
            let claimed: Vec<Uuid> = query_scalar(CLAIM).bind(worker).bind(BATCH as i64).fetch_all(&mut self.connection).await?;
            if claimed.is_empty() {
                return Ok(());
            }
            for nth in 1..=checkpoints {
                let key = if nth == 1 { "step pass".to_owned() } else { format!("step pass#{nth}") };
                query(CHECKPOINT).bind(&claimed).bind(key).execute(&mut self.connection).await?;
            }
            query(COMPLETE).bind(&claimed).execute(&mut self.connection).await?;
        }
    }
}
