//! A due time while an execution of an earlier one goes on, under each policy.

use super::*;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, raw_sql};

/// A worker whose executions stand at a gate, and an hourly schedule of which one does.
async fn one_at_the_gate(overlap: Overlap) -> (Database, Durable, Gate) {
    let database = support::database().await;
    clock::freeze(&database).await;
    let gate = Gate::closed();
    let tick = Tick { gate: Some(gate.clone()), ..Tick::default() };
    let durable = database.builder().register(tick).start().await.unwrap();
    hourly(&durable, &database, "slow").await;
    durable.update_schedule("slow").overlap(overlap).await.unwrap();
    clock::turn(&database, HOUR).await;
    gate.until_inside(1).await;
    (database, durable, gate)
}

async fn states(durable: &Durable) -> Vec<Option<ExecutionState>> {
    durable.schedule_firings("slow").await.unwrap().iter().rev().map(|firing| firing.state).collect()
}

#[tokio::test]
async fn executions_run_beside_each_other_where_they_may() {
    let (database, durable, gate) = one_at_the_gate(Overlap::Allow).await;
    clock::turn(&database, HOUR).await;
    gate.until_inside(2).await;
    assert_eq!(outcomes(&durable, "slow").await, [FiringOutcome::Started; 2]);
    gate.let_pass(2);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_due_time_is_left_out_while_an_execution_goes_on() {
    let (database, durable, gate) = one_at_the_gate(Overlap::Skip).await;
    clock::turn(&database, HOUR).await;
    until_fired(&durable, "slow", 2).await;
    gate.let_pass(1);
    eventually("the first ended", async || states(&durable).await[0] == Some(ExecutionState::Completed)).await;
    clock::turn(&database, HOUR).await;
    gate.until_inside(1).await;
    assert_eq!(outcomes(&durable, "slow").await, [FiringOutcome::Started, FiringOutcome::Skipped, FiringOutcome::Started]);
    assert_eq!(database.count("select count(*) from durable.executions").await, 2);
    gate.let_pass(1);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn due_times_stand_in_line_while_an_execution_goes_on() {
    let (database, durable, gate) = one_at_the_gate(Overlap::Queue).await;
    for firings in 2..=3 {
        clock::turn(&database, HOUR).await;
        until_fired(&durable, "slow", firings).await;
    }
    assert_eq!(outcomes(&durable, "slow").await, [FiringOutcome::Started, FiringOutcome::Queued, FiringOutcome::Queued]);
    for ended in 1..=3 {
        gate.until_inside(1).await;
        let due: Vec<_> = durable.schedule_firings("slow").await.unwrap().iter().rev().map(|firing| firing.outcome).collect();
        assert_eq!(due.iter().filter(|outcome| **outcome == FiringOutcome::Started).count(), ended);
        assert!(due.is_sorted_by_key(|outcome| *outcome == FiringOutcome::Queued), "not in order: {due:?}");
        gate.let_pass(1);
        let completed = async || states(&durable).await.iter().filter(|state| **state == Some(ExecutionState::Completed)).count();
        eventually("the next ended", async || completed().await == ended).await;
    }
    assert_eq!(gate.most_inside(), 1);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_still_runs_is_cancelled() {
    let (database, durable, gate) = one_at_the_gate(Overlap::Cancel).await;
    clock::turn(&database, HOUR).await;
    until_fired(&durable, "slow", 2).await;
    eventually("only the second at the gate", async || {
        states(&durable).await == [Some(ExecutionState::Cancelled), Some(ExecutionState::Running)] && gate.inside() == 1
    })
    .await;
    let first = durable.schedule_firings("slow").await.unwrap()[1].execution_id.unwrap();
    let error = durable.get_execution(first).await.unwrap().execution.error.unwrap();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Cancelled, "its schedule is due again"));
    gate.let_pass(1);
    eventually("the second ended", async || states(&durable).await[1] == Some(ExecutionState::Completed)).await;
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn one_with_a_message_on_its_way_is_cancelled_when_that_has_arrived() {
    let (database, durable, gate) = one_at_the_gate(Overlap::Cancel).await;
    let id = durable.schedule_firings("slow").await.unwrap()[0].execution_id.unwrap();
    // As a caller's transaction does that sends it an event.
    let mut sender = PgConnection::connect(&database.url).await.unwrap();
    let hold = format!("begin; select durable.lock_mailbox('{id}')");
    sender.execute(raw_sql(AssertSqlSafe(hold))).await.unwrap();
    clock::turn(&database, HOUR).await;
    hourly(&durable, &database, "another").await;
    clock::turn(&database, HOUR).await;
    until_fired(&durable, "another", 1).await;
    assert_eq!(fired(&durable, "slow").await, 1, "nothing is fired by halves");
    sender.execute("rollback").await.unwrap();
    eventually("cancelled, and followed", async || {
        states(&durable).await.first() == Some(&Some(ExecutionState::Cancelled)) && fired(&durable, "slow").await >= 2
    })
    .await;
    gate.let_pass(10);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_range_is_filled_in_one_after_the_other_where_executions_must_not_overlap() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let gate = Gate::closed();
    let durable = database.builder().register(Tick { gate: Some(gate.clone()), ..Tick::default() }).start().await.unwrap();
    durable.schedule::<Tick>("slow", "0 3 * * *", "day".to_owned()).overlap(Overlap::Skip).await.unwrap();
    let range = "2025-03-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap().."2025-03-04T00:00:00Z".parse().unwrap();
    assert_eq!(durable.backfill_schedule("slow", range).await.unwrap(), 3);
    gate.let_pass(3);
    eventually("all ended", async || states(&durable).await == [Some(ExecutionState::Completed); 3]).await;
    assert_eq!(gate.most_inside(), 1);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_stands_in_line_is_left_out_when_the_schedule_is_deleted() {
    let (database, durable, gate) = one_at_the_gate(Overlap::Queue).await;
    clock::turn(&database, HOUR).await;
    until_fired(&durable, "slow", 2).await;
    durable.delete_schedule("slow").await.unwrap();
    assert_eq!(outcomes(&durable, "slow").await, [FiringOutcome::Started, FiringOutcome::Skipped]);
    gate.let_pass(1);
    eventually("the first ended", async || states(&durable).await[0] == Some(ExecutionState::Completed)).await;
    durable.shutdown().await.unwrap();
}
