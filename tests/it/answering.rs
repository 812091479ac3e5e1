//! Answering: an input is asked for with its schema, and gets one answer that fits, or its time runs out.

use durable::prelude::*;
use durable::schemars::{self, JsonSchema};
use durable::{Answer, InputForm, Json, Wait, WaitOutcome};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::support::{self, Database, PATIENCE, clock, eventually};

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Approval {
    approved: bool,
    limit: Option<u32>,
    #[serde(default)]
    notes: Vec<Note>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Note {
    Urgent,
    Text(String),
}

struct Purchase;

#[workflow]
impl Purchase {
    async fn run(&self, cx: &Context, _: ()) -> Result<Approval> {
        cx.wait_for_input("approval").prompt("Buy the boat?").await
    }
}

struct Deadline;

#[workflow]
impl Deadline {
    async fn run(&self, cx: &Context, _: ()) -> Result<(Approval, Option<bool>)> {
        let otherwise = Approval { approved: true, ..Approval::default() };
        let approval = cx.wait_for_input("approval").prompt("Ship it?").timeout(days(3)).or(otherwise).await?;
        let rush = cx.wait_for_input::<bool>("rush").timeout(hours(1)).await?;
        Ok((approval, rush))
    }
}

async fn asks(database: &Database, executions: i64) {
    eventually("the question is asked", async || {
        database.count("select count(*) from durable.executions where state = 'waiting'").await == executions
    })
    .await;
}

async fn wait(durable: &Durable, id: ExecutionId) -> Wait {
    durable.get_execution(id).await.unwrap().waits.remove(0)
}

#[tokio::test]
async fn pending_inputs_say_who_asks_what_until_when_and_in_which_form() {
    let database = support::database().await;
    let now = clock::freeze(&database).await;
    let worker = database.builder().register(Purchase).register(Deadline).start().await.unwrap();
    let purchase = worker.start::<Purchase>(()).await.unwrap();
    let deadline = worker.start::<Deadline>(()).await.unwrap();
    asks(&database, 2).await;
    let pending = worker.pending_inputs().await.unwrap();
    let [first, second] = &pending[..] else { panic!("{pending:?}") };
    assert_eq!((first.execution_id, first.workflow.as_str()), (deadline.id(), "deadline"), "the nearest deadline first");
    assert_eq!((first.name.as_str(), first.prompt.as_deref()), ("approval", Some("Ship it?")));
    assert_eq!((first.asked_at, first.due_at), (now, Some(now + days(3))));
    assert_eq!((second.execution_id, second.due_at), (purchase.id(), None));
    let schema: serde_json::Value = second.schema.as_ref().unwrap().decode().unwrap();
    assert_eq!(schema["properties"]["approved"]["type"], "boolean");
    assert_eq!(schema["required"], json!(["approved"]));

    worker.provide_input(purchase.id(), "approval", &Approval::default()).await.unwrap();
    purchase.result_within(PATIENCE).await.unwrap();
    assert_eq!(worker.pending_inputs().await.unwrap().len(), 1);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_refused_with_its_place_and_the_wait_stands() {
    let database = support::database().await;
    let worker = database.builder().register(Purchase).start().await.unwrap();
    let handle = worker.start::<Purchase>(()).await.unwrap();
    asks(&database, 1).await;
    for (value, problem, in_psql) in [
        (json!("yes"), "value: \"yes\" is not of type \"object\"", "value is string \"yes\", expected \"object\""),
        (json!({}), "value: \"approved\" is a required property", "value has no `approved`"),
        (
            json!({"approved": "yes"}),
            "value.approved: \"yes\" is not of type \"boolean\"",
            "value.approved is string \"yes\", expected \"boolean\"",
        ),
        (
            json!({"approved": true, "limit": -1}),
            "value.limit: -1 is less than the minimum of 0",
            "value.limit is -1, below the minimum 0",
        ),
        (json!({"approved": true, "limit": 1.5}), "value.limit: 1.5 is not of types", "value.limit is number 1.5"),
        // For psql the worker checks, and puts the question back.
        (json!({"approved": true, "notes": ["urgent", "soon"]}), "value.notes[1]", ""),
        (json!({"approved": true, "notes": [{"text": 7}]}), "value.notes[0].text: 7 is not of type \"string\"", ""),
    ] {
        let error = worker.provide_input(handle.id(), "approval", &value).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Payload, "{value}: {error}");
        assert!(error.to_string().contains(problem), "{value}: {error}");
        assert!(error.to_string().contains("the wait stands"), "{value}: {error}");
        if in_psql.is_empty() {
            continue;
        }
        let error = sqlx::query("select durable.provide_input($1, 'approval', $2::json)")
            .bind(handle.id().as_uuid())
            .bind(value.to_string())
            .execute(database.pool())
            .await
            .unwrap_err();
        assert!(error.to_string().contains(in_psql), "{value}: {error}");
    }
    assert_eq!(wait(&worker, handle.id()).await.outcome, None);
    assert_eq!(database.count("select count(*) from durable.mailbox").await, 0);

    let answer = Approval { approved: true, limit: Some(7), notes: vec![Note::Urgent, Note::Text("blue".to_owned())] };
    worker.provide_input(handle.id(), "approval", &answer).await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), answer);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_answer_from_psql_counts_like_any_other() {
    let database = support::database().await;
    let worker = database.builder().register(Purchase).start().await.unwrap();
    let handle = worker.start::<Purchase>(()).await.unwrap();
    asks(&database, 1).await;
    database.run(&format!(r#"select durable.provide_input('{}', 'approval', '{{"approved": true}}')"#, handle.id())).await;
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), Approval { approved: true, ..Approval::default() });
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_answers_one_counts_and_the_others_are_told() {
    let database = support::database().await;
    let worker = database.builder().register(Purchase).start().await.unwrap();
    let handle = worker.start::<Purchase>(()).await.unwrap();
    asks(&database, 1).await;
    let given = join_all((0..16).map(|limit| {
        let (worker, id) = (worker.clone(), handle.id());
        let answer = Approval { approved: true, limit: Some(limit), ..Approval::default() };
        tokio::spawn(async move { worker.provide_input(id, "approval", &answer).await.map(|_| limit) })
    }))
    .await;
    let (accepted, refused): (Vec<_>, Vec<_>) = given.into_iter().map(|given| given.unwrap()).partition(Result::is_ok);
    let [Ok(winner)] = &accepted[..] else { panic!("{accepted:?}") };
    assert_eq!(handle.result_within(PATIENCE).await.unwrap().limit, Some(*winner));
    for error in refused {
        // Conflict while the execution goes on, Finished once it has ended.
        let error = error.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Finished), "{error}");
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_answer_given_twice_or_too_late_is_a_conflict() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Deadline).start().await.unwrap();
    let answered = worker.start::<Deadline>(()).await.unwrap();
    let silent = worker.start::<Deadline>(()).await.unwrap();
    asks(&database, 2).await;
    worker.provide_input(answered.id(), "approval", &Approval::default()).await.unwrap();
    eventually("both wait again", async || worker.pending_inputs().await.unwrap().iter().any(|input| input.name == "rush")).await;
    let error = worker.provide_input(answered.id(), "approval", &Approval::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("is decided already (received)"), "{error}");
    worker.provide_input(answered.id(), "rush", &true).await.unwrap();
    assert_eq!(answered.result_within(PATIENCE).await.unwrap(), (Approval::default(), Some(true)));

    clock::advance(&database, days(3)).await;
    let error = worker.provide_input(silent.id(), "approval", &Approval::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("is decided already (timed_out)"), "{error}");
    clock::advance(&database, hours(1)).await;
    assert_eq!(silent.result_within(PATIENCE).await.unwrap(), (Approval { approved: true, ..Approval::default() }, None));
    let error = worker.provide_input(silent.id(), "rush", &true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Finished);
    let nobody = ExecutionId::from(uuid::Uuid::now_v7());
    assert_eq!(worker.provide_input(nobody, "rush", &true).await.unwrap_err().kind(), ErrorKind::NotFound);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_answer_that_comes_before_the_question_is_kept_for_it() {
    let database = support::database().await;
    let client = database.client().await;
    let handle = client.start::<Purchase>(()).await.unwrap();
    let answer = Approval { approved: true, ..Approval::default() };
    client.provide_input(handle.id(), "approval", &answer).await.unwrap();
    let error = client.provide_input(handle.id(), "approval", &answer).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("was given already"), "{error}");
    let worker = database.builder().register(Purchase).start().await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), answer);
    assert_eq!(wait(&worker, handle.id()).await.outcome, Some(WaitOutcome::Received));
    assert_eq!(database.count("select count(*) from durable.mailbox").await, 0);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_early_answer_that_does_not_fit_is_refused_when_the_question_is_asked() {
    let database = support::database().await;
    let client = database.client().await;
    let handle = client.start::<Purchase>(()).await.unwrap();
    // Nobody knows the schema yet.
    client.provide_input(handle.id(), "approval", "yes").by("ada").await.unwrap();
    let worker = database.builder().register(Purchase).start().await.unwrap();
    asks(&database, 1).await;
    assert_eq!(wait(&worker, handle.id()).await.outcome, None);
    let question = worker.pending_inputs().await.unwrap().remove(0);
    let refusal = question.refusal.unwrap();
    assert_eq!((refusal.sent_by.as_deref(), refusal.payload.as_ref().map(Json::as_str)), (Some("ada"), Some("\"yes\"")));
    assert_eq!(refusal.reason, "value: \"yes\" is not of type \"object\"");
    assert_eq!(database.count("select count(*) from durable.mailbox").await, 0);
    let answer = Approval { approved: true, ..Approval::default() };
    client.provide_input(handle.id(), "approval", &answer).await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), answer);
    worker.shutdown().await.unwrap();
}

/// Asks in every form that there is, all at once.
struct Survey;

#[workflow]
impl Survey {
    async fn run(&self, cx: &Context, _: ()) -> Result<String> {
        let manager = async {
            let asked = cx.wait_for_approval("manager").prompt("Buy it?").metadata(&json!({"amount": 90}));
            asked.signed().timeout(days(7)).or_fail().await
        };
        let colour = async { cx.wait_for_choice("colour", ["red", "blue"]).timeout(days(1)).or_fail().await };
        let extras = async { cx.wait_for_choices("extras", ["bell", "lamp"]).timeout(days(2)).or_fail().await };
        let name = async { cx.wait_for_text("name").timeout(days(3)).or_fail().await };
        let size = async { cx.wait_for_number("size").between(1.0..=9.0).timeout(days(4)).or_fail().await };
        let (manager, colour, extras, name, size) = durable::try_join!(manager, colour, extras, name, size).await?;
        let Answer { value, by, .. } = manager;
        Ok(format!("{} by {by:?}: {colour} {extras:?} {name} {size}", value.approved))
    }
}

#[tokio::test]
async fn every_form_is_listed_by_its_deadline_and_refuses_what_does_not_fit_it() {
    let database = support::database().await;
    let now = clock::freeze(&database).await;
    let worker = database.builder().register(Survey).register(Purchase).start().await.unwrap();
    let handle = worker.start::<Survey>(()).await.unwrap();
    let id = handle.id();
    asks(&database, 1).await;
    let pending = worker.pending_inputs().await.unwrap();
    let shown: Vec<(&str, InputForm)> = pending.iter().map(|input| (input.name.as_str(), input.form)).collect();
    use InputForm::{Approval as Approve, Choice, Choices, Number, Text};
    assert_eq!(shown, [("colour", Choice), ("extras", Choices), ("name", Text), ("size", Number), ("manager", Approve)]);
    assert_eq!(*pending[4].metadata.as_ref().unwrap(), json!({"amount": 90}));
    assert!(pending[4].key.ends_with("input manager"), "{}", pending[4].key);

    for (name, value, problem) in [
        ("colour", json!("green"), "value: \"green\" is not one of \"red\""),
        ("extras", json!(["bell", "horn"]), "value[1]: \"horn\" is not one of"),
        ("extras", json!(["bell", "bell"]), "value: [\"bell\",\"bell\"] has non-unique elements"),
        ("name", json!(""), "value: \"\" is shorter than 1 character"),
        ("size", json!(10), "value: 10 is greater than the maximum of 9"),
        ("manager", json!({"approved": "yes"}), "value.approved: \"yes\" is not of type \"boolean\""),
    ] {
        let error = worker.provide_input(id, name, &value).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Payload, "{value}: {error}");
        assert!(error.to_string().contains(problem), "{value}: {error}");
    }
    let early = worker.pending_inputs().due_before(now + days(2)).await.unwrap();
    assert_eq!(early.iter().map(|input| input.name.as_str()).collect::<Vec<_>>(), ["colour"]);
    assert_eq!(worker.pending_inputs().workflow("survey").limit(3).await.unwrap().len(), 3);
    assert!(worker.pending_inputs().workflow("purchase").await.unwrap().is_empty());
    assert_eq!(worker.pending_inputs().execution(id).await.unwrap().len(), pending.len());
    assert!(worker.pending_inputs().execution(uuid::Uuid::nil().into()).await.unwrap().is_empty());
    let mut page = worker.pending_inputs().limit(2).await.unwrap();
    let mut keys: Vec<String> = page.iter().map(|input| input.key.clone()).collect();
    while let Some(cursor) = page.next {
        let cursor = cursor.to_string().parse().unwrap();
        page = worker.pending_inputs().limit(2).after(cursor).await.unwrap();
        keys.extend(page.iter().map(|input| input.key.clone()));
    }
    assert_eq!(keys, pending.iter().map(|input| input.key.clone()).collect::<Vec<_>>(), "page by page as all at once");
    for limit in [0, 1001] {
        let error = worker.pending_inputs().limit(limit).await.unwrap_err();
        assert!(error.to_string().contains("between 1 and 1000"), "{error}");
    }

    for (name, value) in [("colour", json!("red")), ("extras", json!(["lamp"])), ("name", json!("Ada")), ("size", json!(7.5))] {
        worker.provide_input(id, name, &value).await.unwrap();
    }
    worker.provide_input(id, "manager", &json!({"approved": true})).by("grace@example.com").await.unwrap();
    let result = handle.result_within(PATIENCE).await.unwrap();
    assert_eq!(result, r#"true by Some("grace@example.com"): red ["lamp"] Ada 7.5"#);
    let waits = worker.get_execution(id).await.unwrap().waits;
    let manager = waits.iter().find(|wait| wait.name == "manager").unwrap();
    assert_eq!((manager.answered_by.as_deref(), manager.form), (Some("grace@example.com"), Some(Approve)));
    assert_eq!((manager.prompt.as_deref(), manager.resolved_at), (Some("Buy it?"), Some(now)));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn who_answered_is_on_record_also_for_an_answer_before_the_question_and_one_from_psql() {
    let database = support::database().await;
    let client = database.client().await;
    let (early, psql) = (client.start::<Purchase>(()).await.unwrap(), client.start::<Purchase>(()).await.unwrap());
    let answer = Approval { approved: true, ..Approval::default() };
    client.provide_input(early.id(), "approval", &answer).by("ada").await.unwrap();
    database
        .run(&format!(
            r#"select durable.provide_input('{}', 'approval', '{{"approved": true}}', answered_by => 'grace')"#,
            psql.id()
        ))
        .await;
    let worker = database.builder().register(Purchase).start().await.unwrap();
    for (handle, person) in [(early, "ada"), (psql, "grace")] {
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), answer);
        assert_eq!(wait(&worker, handle.id()).await.answered_by.as_deref(), Some(person));
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_answer_by_nobody_or_by_too_long_a_name_is_refused() {
    let database = support::database().await;
    let client = database.client().await;
    let handle = client.start::<Purchase>(()).await.unwrap();
    for person in [String::new(), "a\0b".to_owned(), "x".repeat(1001)] {
        let error = client.provide_input(handle.id(), "approval", &true).by(person).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("who answers input `approval` is named with 1 to 1000 bytes"), "{error}");
    }
    assert_eq!(database.count("select count(*) from durable.mailbox").await, 0);
}

/// Asks for the same thing in two branches.
struct TwoKeys;

#[workflow]
impl TwoKeys {
    async fn run(&self, cx: &Context, _: ()) -> Result<(u8, u8)> {
        let first = async { cx.wait_for_input("key").await };
        let second = async { cx.wait_for_input("key").await };
        durable::try_join!(first, second).await
    }
}

#[tokio::test]
async fn of_two_open_questions_of_one_name_each_gets_an_answer_of_its_own() {
    let database = support::database().await;
    let worker = database.builder().register(TwoKeys).start().await.unwrap();
    let handle = worker.start::<TwoKeys>(()).await.unwrap();
    asks(&database, 1).await;
    let mut keys: Vec<String> = worker.pending_inputs().await.unwrap().into_iter().map(|input| input.key).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["try_join/0/input key", "try_join/1/input key"]);
    for number in [1, 2] {
        worker.provide_input(handle.id(), "key", &number).await.unwrap();
    }
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), (1, 2));
    worker.shutdown().await.unwrap();
}
