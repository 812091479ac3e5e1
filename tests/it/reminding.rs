//! Reminding: a question that stays open reminds at its period, until it is answered or its time is over, each time once.

use durable::prelude::*;

use crate::support::bodies::{Gate, Tally};
use crate::support::{self, PATIENCE, clock, eventually};

/// Asks for an approval within six hours, and reminds every hour; then it takes an hour to act on it.
#[derive(Clone)]
struct Expense {
    tally: Tally,
    gate: Gate,
    /// Whether reminders wait at the gate.
    slow: bool,
}

impl Expense {
    fn new(slow: bool) -> Self {
        Self { tally: Tally::default(), gate: Gate::closed(), slow }
    }
}

#[workflow]
impl Expense {
    async fn run(&self, cx: &Context, _: ()) -> Result<bool> {
        let mut reminders = 0;
        let question = cx.wait_for_approval("manager").prompt("Approve it?").reminder(hours(1), || {
            reminders += 1;
            self.remind(reminders)
        });
        let answer = question.timeout(hours(6)).or_fail().await?;
        cx.sleep(hours(1)).await?;
        self.pay(answer.approved).await
    }

    #[step]
    async fn remind(&self, number: u32) -> Result<()> {
        self.tally.add(format!("reminder {number}"));
        if self.slow {
            self.gate.pass().await;
        }
        // One that fails does not keep the next from coming.
        if number == 2 { Err(Error::permanent("the mail was returned")) } else { Ok(()) }
    }

    #[step]
    async fn pay(&self, approved: bool) -> Result<bool> {
        self.tally.add("pay");
        Ok(approved)
    }
}

fn once(labels: &[&str]) -> std::collections::BTreeMap<String, usize> {
    labels.iter().map(|label| ((*label).to_owned(), 1)).collect()
}

#[tokio::test]
async fn a_question_reminds_each_period_until_it_is_answered_and_no_replay_reminds_again() {
    for cached in [0, 100] {
        let database = support::database().await;
        clock::freeze(&database).await;
        let expense = Expense::new(false);
        let worker = database.builder().cached_executions(cached).register(expense.clone()).start().await.unwrap();
        let handle = worker.start::<Expense>(()).await.unwrap();
        clock::advance(&database, minutes(59)).await;
        assert!(expense.tally.all().is_empty(), "not yet");
        clock::advance(&database, minutes(1) + hours(2) + minutes(30)).await;
        assert_eq!(expense.tally.all(), once(&["reminder 1", "reminder 2", "reminder 3"]));
        assert_eq!(worker.pending_inputs().await.unwrap().len(), 1, "the question stands all the while");

        worker.provide_input(handle.id(), "manager", &serde_json::json!({"approved": true})).await.unwrap();
        clock::advance(&database, hours(9)).await;
        assert!(handle.result_within(PATIENCE).await.unwrap());
        assert_eq!(expense.tally.all(), once(&["reminder 1", "reminder 2", "reminder 3", "pay"]));
        let keys: Vec<String> = database.values("select key from durable.checkpoints where key like 'input%' order by key").await;
        assert_eq!(keys, ["step remind", "step remind#2", "step remind#3"].map(|key| format!("input manager/{key}")));
        assert_eq!(database.count("select count(*) from durable.waits where outcome is null").await, 0);
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn reminders_go_on_after_a_restart_where_they_were() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let expense = Expense::new(false);
    let builder = || database.builder().register(expense.clone());
    let worker = builder().start().await.unwrap();
    let handle = worker.start::<Expense>(()).await.unwrap();
    clock::advance(&database, hours(1) + minutes(30)).await;
    worker.shutdown().await.unwrap();
    assert_eq!(expense.tally.all(), once(&["reminder 1"]));

    // Its second hour is over while nobody is there: one reminder, and the next an hour after it.
    clock::turn(&database, hours(1)).await;
    let worker = builder().start().await.unwrap();
    clock::advance(&database, minutes(59)).await;
    assert_eq!(expense.tally.all(), once(&["reminder 1", "reminder 2"]));
    clock::advance(&database, minutes(1)).await;
    assert_eq!(expense.tally.all(), once(&["reminder 1", "reminder 2", "reminder 3"]));
    worker.cancel(handle.id(), "seen enough").await.unwrap();
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_deadline_ends_the_reminders_and_fails_what_was_told_to_fail() {
    for cached in [0, 100] {
        let database = support::database().await;
        clock::freeze(&database).await;
        let expense = Expense::new(false);
        let worker = database.builder().cached_executions(cached).register(expense.clone()).start().await.unwrap();
        let handle = worker.start::<Expense>(()).await.unwrap();
        clock::advance(&database, days(1)).await;
        let error = handle.result_within(PATIENCE).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::TimedOut, "input `manager` did not come within 21600s")
        );
        // The last would have been due together with the deadline.
        assert!((5..=6).contains(&expense.tally.all().len()), "{:?}", expense.tally.all());
        assert!(expense.tally.all().values().all(|times| *times == 1));
        assert_eq!(database.count("select count(*) from durable.waits where outcome is null").await, 0);
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_does_not_wait_for_a_reminder_that_is_under_way() {
    for cached in [0, 100] {
        let database = support::database().await;
        clock::freeze(&database).await;
        let expense = Expense::new(true);
        let worker = database.builder().cached_executions(cached).register(expense.clone()).start().await.unwrap();
        let handle = worker.start::<Expense>(()).await.unwrap();
        clock::quiet(&database).await;
        clock::turn(&database, hours(1)).await;
        expense.gate.until_inside(1).await;
        worker.provide_input(handle.id(), "manager", &serde_json::json!({"approved": false})).await.unwrap();
        eventually("the reminder was dropped", async || expense.gate.inside() == 0).await;
        clock::advance(&database, hours(1)).await;
        assert!(!handle.result_within(PATIENCE).await.unwrap());
        assert_eq!(expense.tally.all(), once(&["reminder 1", "pay"]));
        let details = worker.get_execution(handle.id()).await.unwrap();
        let reminder = details.steps.iter().find(|step| step.key == "input manager/step remind").unwrap();
        assert_eq!(reminder.error.as_ref().unwrap().kind, ErrorKind::Cancelled);
        worker.shutdown().await.unwrap();
    }
}

/// Reminds without a pause.
struct Pestering;

#[workflow]
impl Pestering {
    async fn run(&self, cx: &Context, _: ()) -> Result<bool> {
        cx.wait_for_input("answer").reminder(seconds(0), || async { Ok::<_, Error>(()) }).await
    }
}

#[tokio::test]
async fn reminders_without_a_pause_are_refused() {
    let database = support::database().await;
    let worker = database.builder().register(Pestering).start().await.unwrap();
    let error = worker.start::<Pestering>(()).await.unwrap().result_within(PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("input `answer` reminds without a pause: give more than zero"), "{error}");
    worker.shutdown().await.unwrap();
}
