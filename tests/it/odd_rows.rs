//! Odd rows: a row that this program cannot read spoils its own execution and nothing else.

mod generated;

use durable::prelude::*;
use sqlx::types::Uuid;

use crate::support::{self, Database, PATIENCE, clock, eventually};

/// Sleeps as many seconds as its input says.
struct Nap;

#[workflow]
impl Nap {
    async fn run(&self, cx: &Context, length: u64) -> Result<u64> {
        cx.sleep(seconds(length)).await?;
        self.wake(length).await
    }

    #[step]
    async fn wake(&self, length: u64) -> Result<u64> {
        Ok(length)
    }
}

/// Returns its input.
struct Echo;

#[workflow]
impl Echo {
    async fn run(&self, _cx: &Context, text: String) -> Result<String> {
        Ok(text)
    }
}

/// Times at the ends of what Postgres holds, most of them beyond what Rust holds.
const ODD_TIMES: [&str; 5] = ["infinity", "-infinity", "294276-12-31", "290000-01-01", "4713-01-01 BC"];

/// Payloads that the type `json` takes and serde_json refuses.
const ODD_PAYLOADS: [&str; 3] = [r#""\ud800""#, r#"{"a": 1e400}"#, r#"["\u0000 and \udc00"]"#];

/// Asks a person.
struct Ask;

#[workflow]
impl Ask {
    async fn run(&self, cx: &Context, _: ()) -> Result<String> {
        cx.wait_for_input("name").await
    }
}

/// Changes that a person with psql, or a later release, may make to a sleeping execution; `{id}` is its id.
const SPOILED: [&str; 20] = [
    "update durable.executions set state = 'dreaming', wake_at = null where execution_id = '{id}'",
    "update durable.executions set version = -3 where execution_id = '{id}'",
    "update durable.executions set version = 2147483647 where execution_id = '{id}'",
    "update durable.executions set epoch = 2147483647 where execution_id = '{id}'",
    "update durable.executions set epoch = -7 where execution_id = '{id}'",
    "update durable.executions set claims = 32767 where execution_id = '{id}'",
    "update durable.executions set rank = '294276-12-31 23:59', priority = 32767 where execution_id = '{id}'",
    "update durable.executions set rank = '4713-01-01 BC', priority = -32768 where execution_id = '{id}'",
    "update durable.executions set rank = null where execution_id = '{id}'",
    "update durable.executions set created_at = 'infinity', started_at = '-infinity' where execution_id = '{id}'",
    "update durable.executions set scheduled_for = '290000-01-01', schedule = '' where execution_id = '{id}'",
    "update durable.executions set parent_id = execution_id, parent_key = '', parent_policy = 'adopted' where execution_id = '{id}'",
    r#"update durable.executions set input = '"\ud800"', trace_context = 'none' where execution_id = '{id}'"#,
    r"update durable.executions set workflow = E'na\np' where execution_id = '{id}'",
    "update durable.executions set queue = '' where execution_id = '{id}'",
    "update durable.waits set outcome = 'dreamed', resolved_at = now() where execution_id = '{id}'",
    "update durable.waits set kind = 'dream', started_at = 'infinity' where execution_id = '{id}'",
    r#"update durable.waits set payload = '{"a": 1e400}', outcome = 'elapsed', resolved_at = 'infinity' where execution_id = '{id}'"#,
    r#"insert into durable.checkpoints (execution_id, key, attempt, started_at, finished_at, output)
       values ('{id}', 'step wake', 1, '-infinity', 'infinity', '"\ud800"')"#,
    "insert into durable.attempts (execution_id, key, attempt, started_at, retry_at) values ('{id}', '', -1, 'infinity', '290000-01-01')",
];

/// The constraints that a later release may have widened.
const WIDENED: &str = "
    alter table durable.executions drop constraint state_is_known, drop constraint version_starts_at_one,
        drop constraint parent_policy_is_known;
    alter table durable.waits drop constraint kind_is_known, drop constraint outcome_is_known, drop constraint form_is_known;
    alter table durable.schedules drop constraint missed_is_known, drop constraint overlap_is_known;
    alter table durable.schedule_firings drop constraint cause_is_known, drop constraint outcome_is_known;";

/// Waits until an execution rests in its sleep.
async fn asleep(database: &Database, id: ExecutionId) {
    let sleeps = format!("select state = 'waiting' from durable.executions where execution_id = '{id}'");
    eventually("it sleeps", async || database.value(&sleeps).await).await;
}

#[tokio::test]
async fn a_timer_beyond_all_years_stops_no_other_timer() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Nap).start().await.unwrap();
    for time in ODD_TIMES {
        let odd = worker.start::<Nap>(60).await.unwrap();
        asleep(&database, odd.id()).await;
        database
            .run(&format!(
                "update durable.waits set due_at = '{time}' where execution_id = '{0}';
                 update durable.executions set wake_at = '{time}', deadline_at = '{time}' where execution_id = '{0}'",
                odd.id()
            ))
            .await;
        let healthy = worker.start::<Nap>(60).await.unwrap();
        asleep(&database, healthy.id()).await;
        clock::turn(&database, minutes(2)).await;
        assert_eq!(healthy.result_within(PATIENCE).await.unwrap(), 60, "{time}");
        let listed = worker.list_executions().await.unwrap().executions;
        assert!(listed.iter().any(|execution| execution.id == odd.id()), "{time}");
        worker.get_execution(odd.id()).await.unwrap();
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_payload_that_cannot_be_read_is_shown_as_such_beside_the_others() {
    let database = support::database().await;
    let worker = database.builder().register(Echo).start().await.unwrap();
    for payload in ODD_PAYLOADS {
        let odd: Uuid = database.value("select durable.start('echo', '\"a\"', delay => '1 hour')").await;
        database.run(&format!("update durable.executions set input = '{payload}' where execution_id = '{odd}'")).await;
        let healthy = worker.start::<Echo>("b".to_owned()).await.unwrap();
        assert_eq!(healthy.result_within(PATIENCE).await.unwrap(), "b");
        let listed = worker.list_executions().await.unwrap().executions;
        assert!(listed.iter().any(|execution| execution.id == odd.into()), "{payload}");
        worker.get_execution(odd.into()).await.unwrap();
        database.run(&format!("update durable.executions set wake_at = durable.now() where execution_id = '{odd}'")).await;
        let error = worker.handle::<Echo>(odd.into()).result_within(PATIENCE).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Payload, "{payload}: {error}");
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn rows_that_cannot_be_read_stop_no_other_execution_and_are_shown_as_such() {
    let database = support::database().await;
    database.run(WIDENED).await;
    clock::freeze(&database).await;
    // Another replays, so that journals are loaded, too.
    let worker = database.builder().register(Nap).cached_executions(0).start().await.unwrap();
    let (mut odd, mut healthy) = (Vec::new(), Vec::new());
    for spoil in SPOILED {
        let (one, other) = (worker.start::<Nap>(60).await.unwrap(), worker.start::<Nap>(60).await.unwrap());
        asleep(&database, one.id()).await;
        asleep(&database, other.id()).await;
        database.run(&spoil.replace("{id}", &one.id().to_string())).await;
        odd.push(one.id());
        healthy.push(other);
    }
    clock::turn(&database, minutes(2)).await;
    for execution in &healthy {
        assert_eq!(execution.result_within(PATIENCE).await.unwrap(), 60);
    }
    let listed = worker.list_executions().limit(1000).await.unwrap().executions;
    assert_eq!(listed.len(), SPOILED.len() * 2);
    let is_marked = |id| listed.iter().find(|execution| execution.id == id).unwrap().unreadable.is_some();
    assert!(healthy.iter().all(|execution| !is_marked(execution.id())));
    for (id, spoil) in odd.iter().zip(SPOILED) {
        let details = worker.get_execution(*id).await.unwrap();
        assert_eq!(details.execution.unreadable.is_some(), is_marked(*id), "{spoil}");
    }
    let dreaming = worker.get_execution(odd[0]).await.unwrap().execution;
    assert_eq!(
        (dreaming.state, dreaming.unreadable.unwrap().contains("`dreaming` is not known")),
        (ExecutionState::Unknown, true)
    );
    worker.list_executions().count_by_state().await.unwrap();
    let sorted = worker.list_executions().limit(1000).order_by(durable::SortBy::Created, durable::SortOrder::Ascending).await;
    assert_eq!(sorted.unwrap().executions.len(), listed.len());

    // A claimed execution that cannot be read is stopped, and goes on once its row is repaired.
    let (stopped, id) = ("select error ->> 'message' from durable.executions where error is not null", odd[15]);
    let message: String = database.eventually_value(&format!("{stopped} and execution_id = '{id}'")).await;
    assert!(message.contains("cannot be read") && message.contains("dreamed"), "{message}");
    database.run(&format!("update durable.waits set outcome = 'elapsed' where execution_id = '{id}'")).await;
    worker.resume(id).await.unwrap();
    assert_eq!(worker.handle::<Nap>(id).result_within(PATIENCE).await.unwrap(), 60);

    let findings = database.builder().examine().await.unwrap();
    for (of, problem) in [(odd[0], "its state is `dreaming`"), (odd[1], "its version is -3"), (odd[3], "its epoch is 2147483647")]
    {
        let is_this = |finding: &durable::Finding| finding.problem.contains(&of.to_string()) && finding.problem.contains(problem);
        assert!(findings.iter().any(is_this), "{problem}: {findings:?}");
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_odd_row_of_a_wait_a_schedule_a_firing_a_queue_or_a_worker_hides_no_other_row() {
    let database = support::database().await;
    database.run(WIDENED).await;
    let worker = database.builder().register(Ask).register(Nap).start().await.unwrap();
    let (odd, healthy) = (worker.start::<Ask>(()).await.unwrap(), worker.start::<Ask>(()).await.unwrap());
    eventually("both ask", async || worker.pending_inputs().await.unwrap().len() == 2).await;
    for (name, rule) in [("endless", "0 0 1 1 *"), ("odd", "every 1s"), ("healthy", "every 1s")] {
        worker.schedule::<Nap>(name, rule, 0).await.unwrap();
    }
    eventually("both fire", async || database.count("select count(distinct schedule) from durable.schedule_firings").await == 2)
        .await;
    database
        .run(&format!(
            r#"update durable.waits set form = 'dance', schema = '"\ud800"', started_at = 'infinity' where execution_id = '{}';
               update durable.schedules set missed = 'dream', overlap = 'dream', input = '1e400', starts_at = '-infinity' where schedule = 'odd';
               update durable.schedules set next_due_at = '-infinity' where schedule = 'endless';
               update durable.schedule_firings set cause = 'dream', fired_at = 'infinity' where schedule = 'odd';
               insert into durable.queues (queue, rate, rate_period, paused_at, updated_at)
               values ('odd', 1, '178000000 years', '290000-01-01', 'infinity');
               insert into durable.workers (worker_id, host, process_id, queues, slots, slots_in_use, started_at, lease_until)
               values (gen_random_uuid(), '', -1, array['a', null], '{{-1,null}}', '{{0}}', 'infinity', 'infinity')"#,
            odd.id()
        ))
        .await;
    let inputs = worker.pending_inputs().await.unwrap();
    let note = |id| inputs.iter().find(|input| input.execution_id == id).unwrap().unreadable.clone();
    assert_eq!((note(odd.id()).is_some(), note(healthy.id())), (true, None));
    let schedules = worker.list_schedules().await.unwrap();
    let marked: Vec<bool> = schedules.iter().map(|schedule| schedule.unreadable.is_some()).collect();
    assert_eq!(marked, [true, false, true], "by name: endless, healthy, odd");
    assert!(worker.schedule_firings("odd").await.unwrap()[0].unreadable.is_some());
    let queues = worker.queues().await.unwrap();
    let is_marked = |name| queues.iter().find(|queue| queue.name == name).unwrap().unreadable.is_some();
    assert_eq!((is_marked("odd"), is_marked("default")), (true, false));
    assert_eq!(worker.workers().await.unwrap().iter().filter(|worker| worker.unreadable.is_some()).count(), 1);

    let fired = database.count("select count(*) from durable.schedule_firings where schedule = 'healthy'").await;
    let firings = "select count(*) from durable.schedule_firings where schedule = 'healthy'";
    eventually("the healthy one goes on firing", async || database.count(firings).await > fired).await;
    let said = "select troubles::text from durable.workers where troubles is not null";
    let troubles: String = database.eventually_value(said).await;
    assert!(troubles.contains("schedules odd"), "{troubles}");
    let findings = database.builder().examine().await.unwrap();
    assert!(findings.iter().any(|finding| finding.problem.contains("could not read a row of schedules odd")), "{findings:?}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_doctor_finds_timers_that_no_worker_takes() {
    let database = support::database().await;
    let client = database.client().await;
    client.start_by_name("nap", &0).delay(minutes(5)).await.unwrap();
    let overdue = async || {
        let findings = database.builder().examine().await.unwrap();
        findings.iter().filter(|finding| finding.problem.contains("1 timers are overdue")).count()
    };
    assert_eq!(overdue().await, 0);
    database.run("update durable.executions set wake_at = durable.now() - interval '2 minutes'").await;
    assert_eq!(overdue().await, 1);
}
