//! Open questions change hands and deadlines: the new deadline is obeyed, whoever knew the old one, and one outcome wins.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use durable::prelude::*;
use durable::{UpdatedInput, Wait, WaitOutcome, join};
use futures_util::future::join_all;
use tokio::sync::Semaphore;

use crate::support::{self, Database, PATIENCE, clock, eventually};

/// Asks for an approval within an hour, keeps the answer in a step, and says it when told to.
struct Expense;

#[workflow]
impl Expense {
    async fn run(&self, cx: &Context, _: ()) -> Result<Option<bool>> {
        let approval = cx.wait_for_approval("manager").prompt("Pay?").assignee("ada").timeout(hours(1)).await?;
        let approved = self.note(approval.map(|approval| approval.approved)).await?;
        let () = cx.wait_for_event("say").await?;
        Ok(approved)
    }

    #[step]
    async fn note(&self, approved: Option<bool>) -> Result<Option<bool>> {
        Ok(approved)
    }
}

/// Asks without a timeout.
struct Endless;

#[workflow]
impl Endless {
    async fn run(&self, cx: &Context, _: ()) -> Result<String> {
        cx.wait_for_text("name").await
    }
}

/// Asks while a step runs.
struct Busy {
    gate: Arc<Semaphore>,
}

#[workflow]
impl Busy {
    async fn run(&self, cx: &Context, _: ()) -> Result<bool> {
        let asked = async {
            let answer = cx.wait_for_text("name").timeout(hours(1)).await?;
            self.gate.add_permits(1);
            Ok::<_, Error>(answer.is_none())
        };
        let (timed_out, ()) = join!(asked, async { self.work().await }).await?;
        Ok(timed_out)
    }

    #[step]
    async fn work(&self) -> Result<()> {
        self.gate.acquire().await?.forget();
        Ok(())
    }
}

/// Asks two people under one name.
struct Twins;

#[workflow]
impl Twins {
    async fn run(&self, cx: &Context, _: ()) -> Result<(String, String)> {
        let ask = |who: &'static str| async move { cx.wait_for_text("name").assignee(who).await };
        join!(ask("ada"), ask("grace")).await
    }
}

/// Asks somebody whom nobody can find.
struct Nameless;

#[workflow]
impl Nameless {
    async fn run(&self, cx: &Context, assignee: String) -> Result<String> {
        cx.wait_for_text("name").assignee(assignee).await
    }
}

async fn until_waiting(database: &Database, executions: i64) {
    let waiting = "select count(*) from durable.executions where state = 'waiting'";
    eventually("all wait", async || database.count(waiting).await == executions).await;
}

async fn question(durable: &Durable, id: ExecutionId) -> Wait {
    let details = durable.get_execution(id).await.unwrap();
    details.waits.into_iter().find(|wait| wait.key.starts_with("input")).unwrap()
}

async fn now(database: &Database) -> DateTime<Utc> {
    database.value("select durable.now()").await
}

async fn say(worker: &Durable, handle: &durable::ExecutionHandle<Expense>) -> Option<bool> {
    worker.send_event(handle.id(), "say", &()).await.unwrap();
    worker.handle::<Expense>(handle.id()).result_within(PATIENCE).await.unwrap()
}

#[tokio::test]
async fn a_question_is_for_somebody_and_is_found_and_handed_on() {
    let database = support::database().await;
    let worker = database.builder().register(Expense).register(Endless).start().await.unwrap();
    let handle = worker.start::<Expense>(()).await.unwrap();
    worker.start::<Endless>(()).await.unwrap();
    until_waiting(&database, 2).await;
    let assigned = async |who: &str| worker.pending_inputs().assignee(who).await.unwrap().len();
    assert_eq!((assigned("ada").await, assigned("grace").await, worker.pending_inputs().await.unwrap().len()), (1, 0, 2));
    let pending = worker.pending_inputs().assignee("ada").await.unwrap();
    assert_eq!((pending[0].execution_id, pending[0].assignee.as_deref()), (handle.id(), Some("ada")));
    assert_eq!(question(&worker, handle.id()).await.assignee.as_deref(), Some("ada"));
    let why = worker.introspect(handle.id()).await.unwrap().to_string();
    assert!(why.contains("- input `manager` must be given by `ada`: Pay? (waiting since"), "{why}");

    let UpdatedInput { key, due_at, was_due_at, assignee, was_assignee, .. } =
        worker.update_input(handle.id(), "manager").assignee("grace").await.unwrap();
    assert_eq!((key.as_str(), assignee.as_deref(), was_assignee.as_deref()), ("input manager", Some("grace"), Some("ada")));
    assert!(due_at.is_some() && due_at == was_due_at);
    assert_eq!((assigned("ada").await, assigned("grace").await), (0, 1));
    let updated = worker.update_input(handle.id(), "input manager").no_assignee().await.unwrap();
    assert_eq!((updated.assignee, updated.was_assignee.as_deref()), (None, Some("grace")));
    assert_eq!((assigned("ada").await, assigned("grace").await), (0, 0));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_export_says_who_is_to_answer() {
    let database = support::database().await;
    let worker = database.builder().register(Expense).register(Endless).start().await.unwrap();
    let (assigned, open) = (worker.start::<Expense>(()).await.unwrap().id(), worker.start::<Endless>(()).await.unwrap().id());
    until_waiting(&database, 2).await;
    worker.update_input(assigned, "manager").assignee("grace").await.unwrap();
    let exported = async |id| {
        let journal = worker.export(id).await.unwrap().to_json().unwrap();
        assert_eq!(durable::Journal::from_json(&journal).unwrap().to_json().unwrap(), journal, "it is read back");
        serde_json::from_str::<serde_json::Value>(&journal).unwrap()["waits"][0]["assignee"].clone()
    };
    assert_eq!((exported(assigned).await, exported(open).await), ("grace".into(), serde_json::Value::Null));
    worker.shutdown().await.unwrap();
}

/// With a cache, the future of the parked execution stays in memory; without one it is replayed.
async fn an_earlier_deadline_is_obeyed(cached: usize) {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().cached_executions(cached).register(Expense).start().await.unwrap();
    let client = database.client().await;
    let handle = worker.start::<Expense>(()).await.unwrap();
    until_waiting(&database, 1).await;
    let due_at = now(&database).await + minutes(10);
    let updated = client.update_input(handle.id(), "manager").deadline(due_at).await.unwrap();
    assert_eq!(updated.due_at, Some(due_at));
    assert_eq!(updated.was_due_at, Some(due_at + minutes(50)));
    clock::advance(&database, minutes(10) - seconds(1)).await;
    assert_eq!(question(&client, handle.id()).await.outcome, None, "a second is left");
    clock::advance(&database, seconds(1)).await;
    assert_eq!(say(&worker, &handle).await, None);
    let question = question(&client, handle.id()).await;
    assert_eq!((question.outcome, question.due_at), (Some(WaitOutcome::TimedOut), Some(due_at)));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_earlier_deadline_ends_a_question_on_time_in_memory() {
    an_earlier_deadline_is_obeyed(100).await;
}

#[tokio::test]
async fn an_earlier_deadline_ends_a_question_on_time_when_replayed() {
    an_earlier_deadline_is_obeyed(0).await;
}

#[tokio::test]
async fn an_earlier_deadline_ends_the_question_of_an_execution_that_runs() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let gate = Arc::new(Semaphore::new(0));
    let worker = database.builder().register(Busy { gate }).start().await.unwrap();
    let handle = worker.start::<Busy>(()).await.unwrap();
    eventually("it asks", async || !worker.pending_inputs().await.unwrap().is_empty()).await;
    let due_at = now(&database).await + minutes(10);
    worker.update_input(handle.id(), "name").deadline(due_at).await.unwrap();
    clock::turn(&database, minutes(10)).await;
    // Its step ends when the question does.
    assert!(handle.result_within(PATIENCE).await.unwrap());
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_later_deadline_does_not_strike_early_and_stays_through_a_crash_and_a_replay() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let first = database.builder().cached_executions(0).register(Expense).start().await.unwrap();
    let handles = [first.start::<Expense>(()).await.unwrap(), first.start::<Expense>(()).await.unwrap()];
    until_waiting(&database, 2).await;
    let due_at = now(&database).await + hours(3);
    for handle in &handles {
        first.update_input(handle.id(), "manager").deadline(due_at).assignee("grace").await.unwrap();
    }
    clock::advance(&database, hours(1)).await;
    first.shutdown().await.unwrap();

    // Another process replays what the first has recorded: its code says one hour.
    let worker = database.builder().cached_executions(0).register(Expense).start().await.unwrap();
    clock::advance(&database, hours(1)).await;
    until_waiting(&database, 2).await;
    for handle in &handles {
        let question = question(&worker, handle.id()).await;
        assert_eq!((question.outcome, question.due_at, question.assignee.as_deref()), (None, Some(due_at), Some("grace")));
    }
    let answer = durable::Approval { approved: true, comment: None };
    worker.provide_input(handles[0].id(), "manager", &answer).await.unwrap();
    assert_eq!(say(&worker, &handles[0]).await, Some(true));
    clock::advance(&database, hours(1)).await;
    assert_eq!(say(&worker, &handles[1]).await, None);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_question_may_lose_its_deadline_and_get_one_that_its_code_does_not_know() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Expense).register(Endless).start().await.unwrap();
    let timed = worker.start::<Expense>(()).await.unwrap();
    let endless = worker.start::<Endless>(()).await.unwrap();
    until_waiting(&database, 2).await;
    assert_eq!(worker.update_input(timed.id(), "manager").no_deadline().await.unwrap().due_at, None);
    let due_at = now(&database).await + hours(2);
    let updated = worker.update_input(endless.id(), "name").deadline(due_at).await.unwrap();
    assert_eq!((updated.was_due_at, updated.due_at), (None, Some(due_at)));
    clock::advance(&database, hours(2)).await;
    let failed = endless.result_within(PATIENCE).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::TimedOut);
    assert!(failed.to_string().contains("input `name` did not come by the deadline that it was given"), "{failed}");
    assert_eq!(question(&worker, timed.id()).await.outcome, None);
    // What never comes is no deadline.
    let far = "10001-01-01T00:00:00Z".parse().unwrap_or(DateTime::<Utc>::MAX_UTC);
    assert_eq!(worker.update_input(timed.id(), "manager").deadline(far).await.unwrap().due_at, None);
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_and_a_new_deadline_that_race_the_timeout_have_one_winner() {
    const EXECUTIONS: usize = 60;
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().cached_executions(0).register(Expense).start().await.unwrap();
    let handles = worker.start_many::<Expense>(vec![(); EXECUTIONS]).await.unwrap();
    until_waiting(&database, 60).await;
    let due_at = now(&database).await + hours(2);
    let answer = durable::Approval { approved: true, comment: None };
    let answers = join_all(
        handles
            .iter()
            .map(|handle| async { worker.provide_input(handle.id(), "manager", &answer).await.map_err(|error| error.kind()) }),
    );
    let updates = join_all(handles.iter().map(|handle| async {
        worker.update_input(handle.id(), "manager").deadline(due_at).await.map(drop).map_err(|error| error.kind())
    }));
    let (_, answers, updates) = tokio::join!(clock::turn(&database, hours(1)), answers, updates);
    clock::advance(&database, hours(1)).await;
    for ((handle, answered), updated) in handles.iter().zip(answers).zip(updates) {
        let said = say(&worker, handle).await;
        let question = question(&worker, handle.id()).await;
        let expected = if answered.is_ok() { WaitOutcome::Received } else { WaitOutcome::TimedOut };
        assert_eq!((question.outcome, said.is_some()), (Some(expected), answered.is_ok()), "{answered:?}");
        assert!(matches!(updated, Ok(()) | Err(ErrorKind::Conflict)), "{updated:?}");
        assert_eq!(question.due_at == Some(due_at), updated.is_ok());
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn one_of_several_questions_of_a_name_is_given_by_its_key() {
    let database = support::database().await;
    let worker = database.builder().register(Twins).start().await.unwrap();
    let handle = worker.start::<Twins>(()).await.unwrap();
    until_waiting(&database, 1).await;
    let refused = worker.update_input(handle.id(), "name").assignee("edith").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    let expected = "give the key of one: join/0/input name, join/1/input name";
    assert!(refused.to_string().contains("2 open inputs of execution") && refused.to_string().contains(expected), "{refused}");
    let updated = worker.update_input(handle.id(), "join/1/input name").assignee("edith").await.unwrap();
    assert_eq!(updated.was_assignee.as_deref(), Some("grace"));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_change_that_cannot_be_made_is_refused_with_what_is_open() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Expense).register(Nameless).start().await.unwrap();
    let handle = worker.start::<Expense>(()).await.unwrap();
    until_waiting(&database, 1).await;
    let (id, soon) = (handle.id(), now(&database).await + minutes(1));
    let refused = async |update: durable::UpdateInput<'_>, kind: ErrorKind, says: &str| {
        let error = update.await.unwrap_err();
        assert!(error.kind() == kind && error.to_string().contains(says), "{says}: {:?} {error}", error.kind());
    };
    let nobody = ExecutionId::from(uuid::Uuid::now_v7());
    refused(worker.update_input(nobody, "manager").deadline(soon), ErrorKind::NotFound, "there is no execution").await;
    let open = format!("execution {id} has no open input `maneger`");
    refused(worker.update_input(id, "maneger").deadline(soon), ErrorKind::NotFound, &open).await;
    refused(worker.update_input(id, "maneger").no_deadline(), ErrorKind::NotFound, "these are open: `input manager`").await;
    refused(worker.update_input(id, "manager").deadline(soon - minutes(1)), ErrorKind::Invalid, "has passed").await;
    refused(worker.update_input(id, "manager"), ErrorKind::Invalid, "changes nothing").await;
    for (assignee, says) in [
        ("", "has 0 bytes; give 1 to 500"),
        ("a\nb", "has control characters"),
        (&"x".repeat(501), "has 501 bytes; give 1 to 500"),
    ] {
        refused(worker.update_input(id, "manager").assignee(assignee), ErrorKind::Invalid, says).await;
    }
    for (asked, says) in [
        ("select durable.update_input($1, 'manager')", "changes nothing"),
        ("select durable.update_input($1, '', assignee => 'ada')", "without a key or a name"),
        ("select durable.update_input($1, 'manager', assignee => repeat('x', 501))", "501 bytes"),
        ("select durable.update_input($1, 'manager', assignee => E'a\\nb')", "control character"),
        ("select durable.update_input($1, 'manager', deadline => '-infinity')", "has passed"),
    ] {
        let error = sqlx::query(asked).bind(id.as_uuid()).execute(database.pool()).await.unwrap_err();
        assert!(error.to_string().contains(says), "{asked}: {error}");
    }
    let changed: (Option<DateTime<Utc>>, Option<String>) =
        sqlx::query_as("select due_at, now_assigned_to from durable.update_input($1, 'manager', 'infinity', '')")
            .bind(id.as_uuid())
            .fetch_one(database.pool())
            .await
            .unwrap();
    assert_eq!(changed, (None, None));

    // The deadline counts, whether or not a worker has looked.
    worker.update_input(id, "manager").deadline(soon).await.unwrap();
    clock::advance(&database, minutes(1)).await;
    let decided = format!("input `manager` of execution {id} is decided already (timed_out)");
    refused(worker.update_input(id, "manager").no_deadline(), ErrorKind::Conflict, &decided).await;
    assert_eq!(say(&worker, &handle).await, None);
    refused(worker.update_input(id, "manager").no_deadline(), ErrorKind::Finished, "is already completed").await;

    let nameless = worker.start::<Nameless>("x".repeat(501)).await.unwrap().result_within(PATIENCE).await.unwrap_err();
    assert!(nameless.kind() == ErrorKind::Invalid && nameless.to_string().contains("has 501 bytes"), "{nameless}");
    worker.shutdown().await.unwrap();
}
