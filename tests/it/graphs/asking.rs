//! Questions of graphs: asked when what they take is there, answered, timed out, withdrawn and asked anew when it changes.

use durable::prelude::*;
use durable::{Blocker, NodeState, NodeWait, PendingInput, Unmet, ValueState};

use crate::support::crash::{self, CRASHES_AT_ONCE, every_write, killed_in};
use crate::support::process::{Effects, Folder};
use crate::support::proxy::{Fate, Moment, Trap};
use crate::support::{self, Database, clock, eventually, eventually_some, soon};
use futures_util::StreamExt as _;

/// Asks for an exception if the score is low, and writes a letter.
struct Loan;

#[workflow]
impl Loan {
    #[input]
    fn score(&self) -> u32;

    #[input(optional)]
    fn note(&self) -> String;

    #[question(
        prompt = "Grant it below 700?",
        timeout = "3d",
        assignee = "credit",
        when = |score: &u32| *score < 700,
        on_failure = skip
    )]
    fn exception(&self, score: &u32, note: Option<&String>) -> Approval;

    #[output]
    #[step]
    async fn letter(&self, score: &u32, exception: Option<&Approval>) -> Result<String> {
        Ok(match exception {
            Some(Approval { approved: true, .. }) => format!("{score}: an exception"),
            Some(_) => format!("{score}: no"),
            None => format!("{score}: as usual"),
        })
    }
}

/// The open question, once it is about these values.
async fn asked(durable: &Durable, about: &str) -> PendingInput {
    let find = async || {
        let open = durable.pending_inputs().await.unwrap();
        open.iter().find(|question| question.metadata.as_ref().is_some_and(|values| values.as_str() == about)).cloned()
    };
    eventually_some(&format!("a question about {about}"), find).await
}

fn scored(score: u32) -> LoanInputs {
    LoanInputs { score: Some(score), ..LoanInputs::default() }
}

#[tokio::test]
async fn a_question_is_listed_with_what_it_is_about_and_its_answer_is_its_value() {
    let database = support::database().await;
    let now = clock::freeze(&database).await;
    let worker = database.builder().register(Loan).start().await.unwrap();
    let loan = worker.start::<Loan>(LoanInputs { score: Some(650), note: Some("a friend".into()) }).await.unwrap();
    let question = asked(&worker, r#"{"note":"a friend","score":650}"#).await;
    assert_eq!((question.name.as_str(), question.prompt.as_deref()), ("exception", Some("Grant it below 700?")));
    assert_eq!((question.assignee.as_deref(), question.due_at), (Some("credit"), Some(now + days(3))));
    assert_eq!((question.form.as_str(), question.key.as_str()), ("approval", "input exception"));
    clock::quiet(&database).await;
    let why = worker.introspect(loan.id()).await.unwrap();
    let node = |name: &str| why.nodes.iter().find(|node| node.name == name).unwrap();
    assert_eq!((node("exception").is_outstanding, &node("exception").waits_for), (true, &Some(NodeWait::Answer)));
    assert_eq!(node("letter").unmet, [Unmet::NotDecided { of: "exception".to_owned() }]);
    let asks = |blocker: &&Blocker| matches!(blocker, Blocker::Input { name, .. } if name == "exception");
    let blocker = why.blockers.iter().find(asks).unwrap();
    assert_eq!(blocker.command(loan.id()).unwrap(), format!("durable input give {} exception ANSWER", loan.id()));
    assert!(why.to_string().contains("node `exception` is unset; it waits for an answer"), "{why}");

    let wrong = worker.provide_input(loan.id(), "exception", &7).await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Payload);
    let not_an_input = worker.set_inputs(loan.id()).set("exception", &true).await.unwrap_err();
    assert!(not_an_input.to_string().contains("is a question"), "{not_an_input}");
    let answer = Approval { approved: true, comment: None };
    worker.provide_input(loan.id(), "exception", &answer).by("ada").await.unwrap();
    assert_eq!(soon("it ends", loan.result()).await.unwrap(), "650: an exception");
    let by: String = database.value("select answered_by from durable.waits where kind = 'input'").await;
    assert_eq!(by, "ada");
    assert_eq!(worker.value::<Approval>(loan.id(), "exception").await.unwrap().unwrap().value, answer);

    let drawn = worker.graph(loan.id()).await.unwrap();
    let place = drawn.graph.nodes.iter().position(|node| node.name.as_deref() == Some("exception")).unwrap();
    assert_eq!((drawn.graph.nodes[place].kind, drawn.nodes[place].state), (durable::NodeKind::Question, NodeState::Done));
    assert!(drawn.to_mermaid().contains("{{\"question exception"), "{}", drawn.to_mermaid());
}

#[tokio::test]
async fn a_question_that_need_not_be_asked_is_skipped_and_one_without_an_answer_times_out() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Loan).start().await.unwrap();
    let rich = worker.start::<Loan>(scored(800)).await.unwrap();
    assert_eq!(soon("it ends", rich.result()).await.unwrap(), "800: as usual");
    let poor = worker.start::<Loan>(scored(600)).await.unwrap();
    asked(&worker, r#"{"note":null,"score":600}"#).await;
    clock::advance(&database, days(3)).await;
    assert_eq!(soon("it ends", poor.result()).await.unwrap(), "600: as usual");
    let node = worker.introspect(poor.id()).await.unwrap().nodes.into_iter().find(|node| node.name == "exception").unwrap();
    assert_eq!((node.state, node.error.unwrap().kind), (ValueState::Failed, ErrorKind::TimedOut));
}

/// Must be answered.
struct Strict;

#[workflow]
impl Strict {
    #[output]
    #[question(timeout = "1h")]
    fn answer(&self) -> u32;
}

#[tokio::test]
async fn a_question_that_must_be_answered_fails_the_execution_and_a_retry_asks_again() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Strict).start().await.unwrap();
    let strict = worker.start::<Strict>(StrictInputs::default()).await.unwrap();
    database.eventually_value::<i32>("select 1 from durable.waits where kind = 'input'").await;
    clock::advance(&database, hours(1)).await;
    let failed = soon("it fails", strict.result()).await.unwrap_err();
    assert!(failed.to_string().contains("input `answer` did not come within 3600s"), "{failed}");
    let retried = worker.retry(strict.id()).await.unwrap();
    database.eventually_value::<i32>("select 1 from durable.waits where kind = 'input' and outcome is null").await;
    worker.provide_input(retried, "answer", &7).await.unwrap();
    assert_eq!(soon("the retry ends", worker.handle::<Strict>(retried).result()).await.unwrap(), 7);
}

#[tokio::test]
async fn a_question_is_withdrawn_and_asked_anew_when_what_it_takes_changes_and_stays_when_that_is_equal() {
    let database = support::database().await;
    let worker = database.builder().register(Loan).start().await.unwrap();
    let loan = worker.start::<Loan>(scored(600)).await.unwrap();
    let first = asked(&worker, r#"{"note":null,"score":600}"#).await;
    worker.set_inputs(loan.id()).set("score", &600).await.unwrap();
    worker.set_inputs(loan.id()).set("note", "new").await.unwrap();
    let second = asked(&worker, r#"{"note":"new","score":600}"#).await;
    assert_eq!((first.key.as_str(), second.key.as_str()), ("input exception", "input exception#2"));
    let first: String = database.value("select outcome from durable.waits where key = 'input exception'").await;
    assert_eq!((first.as_str(), worker.pending_inputs().await.unwrap().iter().count()), ("cancelled", 1));
    worker.set_inputs(loan.id()).set("score", &700).await.unwrap();
    assert_eq!(soon("it ends", loan.result()).await.unwrap(), "700: as usual");
    let open = "select count(*) from durable.waits where kind = 'input' and outcome is null";
    assert_eq!(database.count(open).await, 0);
}

#[tokio::test]
async fn an_answer_that_comes_after_the_change_does_not_answer_the_new_question() {
    let database = support::database().await;
    let worker = database.builder().register(Loan).start().await.unwrap();
    let id = worker.start::<Loan>(scored(600)).await.unwrap().id();
    asked(&worker, r#"{"note":null,"score":600}"#).await;
    database.eventually_value::<i32>("select 1 from durable.executions where state = 'waiting'").await;
    worker.shutdown().await.unwrap();
    let client = database.client().await;
    client.set_inputs(id).set("score", &100).await.unwrap();
    client.provide_input(id, "exception", &Approval { approved: true, comment: None }).await.unwrap();

    let worker = database.builder().register(Loan).start().await.unwrap();
    asked(&worker, r#"{"note":null,"score":100}"#).await;
    let kept: String = database.value("select outcome from durable.waits where key = 'input exception'").await;
    assert_eq!((kept.as_str(), database.count("select count(*) from durable.mailbox").await), ("received", 0));
    worker.provide_input(id, "exception", &Approval::default()).await.unwrap();
    assert_eq!(soon("it ends", worker.handle::<Loan>(id).result()).await.unwrap(), "100: no");
}

/// The question under a new name.
struct Renamed;

#[workflow(name = "strict")]
impl Renamed {
    #[output]
    #[question(was = "answer", timeout = "1h")]
    fn reply(&self) -> u32;
}

#[tokio::test]
async fn a_question_that_was_renamed_is_asked_anew_and_is_answered_under_either_name() {
    for name in ["reply", "answer"] {
        let database = support::database().await;
        let old = database.builder().register(Strict).start().await.unwrap();
        let id = old.start::<Strict>(StrictInputs::default()).await.unwrap().id();
        database.eventually_value::<i32>("select 1 from durable.waits where kind = 'input'").await;
        database.eventually_value::<i32>("select 1 from durable.executions where state = 'waiting'").await;
        old.shutdown().await.unwrap();
        let worker = database.builder().register(Renamed).start().await.unwrap();
        // Any claim has the new code look at the execution.
        database.run("update durable.executions set wake_at = durable.now()").await;
        database.eventually_value::<i32>("select 1 from durable.waits where name = 'reply' and outcome is null").await;
        assert_eq!(worker.pending_inputs().await.unwrap().iter().count(), 1);
        worker.provide_input(id, name, &7).await.unwrap();
        assert_eq!(soon("it ends", worker.handle::<Renamed>(id).result()).await.unwrap(), 7);
    }
}

/// Leaves a trace of each letter.
struct Traced(Effects);

#[workflow]
impl Traced {
    #[input]
    fn score(&self) -> u32;

    #[question]
    fn exception(&self, score: &u32) -> bool;

    #[output]
    #[step]
    async fn letter(&self, score: &u32, exception: bool) -> Result<String> {
        let letter = format!("{score} {exception}");
        self.0.add(&letter);
        Ok(letter)
    }
}

const KEY: &str = "traced-1";

fn builder(url: &str, effects: Effects) -> durable::Builder {
    let builder = Durable::builder().database_url(url).max_connections(4).register(Traced(effects));
    builder.poll_interval(std::time::Duration::from_millis(200))
}

/// Starts the graph, lets its question be asked, changes what it is about, and answers the second question. What an earlier worker
/// has done is not done again.
async fn ask_twice(durable: &Durable) {
    let inputs = TracedInputs { score: Some(1) };
    let id = durable.start::<Traced>(inputs).key(KEY).await.unwrap().id();
    let is_over = async || durable.get_execution(id).await.unwrap().execution.state.is_finished();
    let open = async || durable.pending_inputs().await.unwrap().iter().map(about).next();
    eventually("a question is asked", async || is_over().await || open().await.is_some()).await;
    match durable.set_inputs(id).set("score", &2).await {
        Ok(()) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::Finished, "{error}"),
    }
    let about_two = Some(r#"{"score":2}"#.to_owned());
    eventually("the second question is asked", async || is_over().await || open().await == about_two).await;
    match durable.provide_input(id, "exception", &true).await {
        Ok(_) => {}
        Err(error) => assert!(matches!(error.kind(), ErrorKind::Finished | ErrorKind::Conflict), "{error}"),
    }
}

fn about(question: &PendingInput) -> String {
    question.metadata.as_ref().map(|values| values.as_str().to_owned()).unwrap_or_default()
}

/// The worker process that is killed.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let durable = builder(url, folder.effects()).start().await.unwrap();
    ask_twice(&durable).await;
    std::future::pending().await
}

async fn finish_and_check(what: &str, database: &Database, folder: &Folder) {
    crash::leases_run_out(database).await;
    let worker = builder(&database.url, folder.effects()).start().await.unwrap();
    ask_twice(&worker).await;
    let traced = worker.start::<Traced>(TracedInputs { score: Some(1) }).key(KEY).await.unwrap();
    assert_eq!(soon(&format!("finished after a crash {what}"), traced.result()).await.unwrap(), "2 true", "{what}");
    let questions: Vec<String> = database
        .values("select concat_ws(' ', outcome, metadata) from durable.waits where kind = 'input' order by ordinal")
        .await;
    assert_eq!(questions.last().unwrap(), r#"received {"score":2}"#, "{what}: {questions:?}");
    assert!(questions.iter().rev().skip(1).all(|question| question.starts_with("cancelled")), "{what}: {questions:?}");
    assert!(folder.effects().all().iter().all(|letter| letter == "2 true"), "{what}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_question_is_answered_once_and_about_the_last_values_whenever_its_worker_is_killed() {
    let (database, folder) = (support::database().await, Folder::new());
    let (killed, writes) = killed_in("asked_twice", &database, &folder, None).await;
    assert!(killed.is_none());
    finish_and_check("that never came", &database, &folder).await;

    let points = every_write(&writes);
    let crashes = futures_util::stream::iter(points.clone()).map(async |(statement, nth, moment): (&str, usize, Moment)| {
        let what = format!("{moment:?} {statement} {nth}").to_lowercase();
        let (database, folder) = (support::database().await, Folder::new());
        let trap = Trap { statements: vec![statement.to_owned()], nth, moment, fate: Fate::Held };
        let (killed, _) = killed_in("asked_twice", &database, &folder, Some(trap)).await;
        finish_and_check(&what, &database, &folder).await;
        killed.is_some()
    });
    let caught: Vec<bool> = crashes.buffer_unordered(CRASHES_AT_ONCE).collect().await;
    let caught = caught.into_iter().filter(|caught| *caught).count();
    assert!(caught >= points.len() / 2, "only {caught} of {} points were reached", points.len());
}
