//! What the database itself saw a fleet do: triggers note every hold of an execution, and commit timestamps say when it was.

use std::collections::BTreeSet;

use crate::support::Database;

use super::parcel::{STAMP_PERIOD, STAMPS, STAMPS_AT_ONCE, STAMPS_IN_PERIOD};

/// Notes who held what, which worker was declared lost, and who changed what had ended.
const INSTALL: &str = "
    create schema audit;
    create table audit.holds (execution_id uuid, queue text, key text, change int, transaction xid);
    create table audit.lost (process_id int);
    create table audit.rewritten (execution_id uuid, old_state text, new_state text);

    create function audit.note_execution() returns trigger language plpgsql as $$
    begin
        if (old.state = 'running') <> (new.state = 'running') then
            insert into audit.holds values (
                new.execution_id, new.queue, new.workflow || ' ' || new.concurrency_key,
                case when new.state = 'running' then 1 else -1 end, pg_current_xact_id()::xid
            );
        end if;
        if old.finished_at is not null and (old.state, old.finished_at) is distinct from (new.state, new.finished_at) then
            insert into audit.rewritten values (new.execution_id, old.state, new.state);
        end if;
        return null;
    end $$;
    create trigger audit after update on durable.executions for each row execute function audit.note_execution();

    create function audit.note_worker() returns trigger language plpgsql as $$
    begin
        insert into audit.lost values (new.process_id);
        return null;
    end $$;
    create trigger audit after update on durable.workers for each row
    when (old.lost_at is null and new.lost_at is not null) execute function audit.note_worker();
";

/// Begins to watch.
pub(super) async fn install(database: &Database) {
    database.run(INSTALL).await;
}

/// The processes that were declared lost, at least once.
pub(super) async fn lost(database: &Database) -> BTreeSet<u32> {
    database.values::<i32>("select process_id from audit.lost").await.into_iter().map(i32::cast_unsigned).collect()
}

/// What no database should have seen. None, if all is well.
pub(super) async fn violations(database: &Database) -> Vec<String> {
    let mut violations = Vec::new();
    let rewritten =
        "select format('what had ended as %s ended again as %s: %s', old_state, new_state, execution_id) from audit.rewritten";
    violations.extend(database.values::<String>(rewritten).await);

    let most = most_at_once(database, "queue").await;
    if most > i64::from(STAMPS_AT_ONCE) {
        violations.push(format!("{most} stamps at once, of {STAMPS_AT_ONCE}"));
    }
    let most = most_at_once(database, "key").await;
    if most > 1 {
        violations.push(format!("{most} stamps at once in a shop"));
    }
    violations
}

/// A period in which too many began; `None` if all is well.
pub(super) async fn violations_of_rates(database: &Database) -> Option<String> {
    let most = most_in_a_period(database).await;
    (most > i64::from(STAMPS_IN_PERIOD)).then(|| format!("{most} stamps in {STAMP_PERIOD:?}, of {STAMPS_IN_PERIOD}"))
}

/// The most stamps that were held at one instant, by the times at which holds were committed.
async fn most_at_once(database: &Database, by: &str) -> i64 {
    let sql = format!(
        "select coalesce(max(held), 0) from (
            select sum(change) over (partition by {by} order by pg_xact_commit_timestamp(transaction), change rows unbounded preceding) as held
            from audit.holds where queue = '{STAMPS}'
        ) as at_once"
    );
    database.count(&sql).await
}

async fn most_in_a_period(database: &Database) -> i64 {
    let before = STAMP_PERIOD.as_micros() - 1;
    let sql = format!(
        "select coalesce(max(starts), 0) from (
            select count(*) over (order by started_at range between '{before} microseconds' preceding and current row) as starts
            from durable.executions where queue = '{STAMPS}'
        ) as in_a_period"
    );
    database.count(&sql).await
}
