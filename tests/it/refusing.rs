//! Refusing: if the database refuses a record, the step fails with the database's message and is not run again.

use durable::prelude::*;
use durable::race;

use crate::support::bodies::Tally;
use crate::support::{self, Database, PATIENCE};

/// Makes the database refuse rows of a table that meet the condition.
async fn refuse(database: &Database, table: &str, event: &str, condition: &str) {
    database
        .run(&format!(
            "create or replace function public.refuse() returns trigger language plpgsql as $$
             begin raise exception 'over quota in %', tg_table_name; end $$;
             create trigger refuse before {event} on durable.{table} for each row when ({condition})
             execute function public.refuse()"
        ))
        .await;
}

const FORBIDDEN_OUTPUT: &str = "new.output::text like '%forbidden%'";

/// Runs a step for each word of its input, and continues after a failed step.
struct Errands(Tally);

#[workflow]
impl Errands {
    async fn run(&self, cx: &Context, words: Vec<String>) -> Result<Vec<String>> {
        let mut done = Vec::new();
        for word in words {
            match self.errand(word).await {
                Ok(said) => {
                    cx.now().await?;
                    done.push(said);
                }
                Err(error) => done.push(format!("not done: {error}")),
            }
        }
        Ok(done)
    }

    #[step]
    async fn errand(&self, word: String) -> Result<String> {
        self.0.add(&word);
        Ok(word)
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[tokio::test]
async fn a_step_whose_outcome_the_database_refuses_is_done_once_and_fails_with_what_it_said() {
    let database = support::database().await;
    refuse(&database, "checkpoints", "insert", FORBIDDEN_OUTPUT).await;
    let tally = Tally::default();
    let worker = database.builder().register(Errands(tally.clone())).start().await.unwrap();
    let handle = worker.start::<Errands>(words(&["milk", "forbidden", "bread"])).await.unwrap();
    let done = handle.result_within(PATIENCE).await.unwrap();
    assert_eq!((done[0].as_str(), done[2].as_str()), ("milk", "bread"));
    assert!(done[1].starts_with("not done: ") && done[1].contains("over quota in checkpoints"), "{}", done[1]);
    assert_eq!(tally.all().into_values().collect::<Vec<_>>(), [1, 1, 1]);
    let steps = worker.get_execution(handle.id()).await.unwrap().steps;
    let failure = steps[2].error.as_ref().unwrap();
    assert_eq!((steps[2].key.as_str(), failure.kind), ("step errand#2", ErrorKind::Database));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_last_step_whose_outcome_is_refused_together_with_the_end_of_its_execution_fails() {
    let database = support::database().await;
    refuse(&database, "checkpoints", "insert", FORBIDDEN_OUTPUT).await;
    let tally = Tally::default();
    let worker = database.builder().register(Last(tally.clone())).start().await.unwrap();
    let error = worker.start::<Last>(()).await.unwrap().result_within(PATIENCE).await.unwrap_err();
    assert!(error.to_string().contains("over quota"), "{error}");
    assert_eq!(tally.count("last"), 1);
    worker.shutdown().await.unwrap();
}

struct Last(Tally);

#[workflow]
impl Last {
    async fn run(&self, _cx: &Context, (): ()) -> Result<usize> {
        Ok(self.last().await?.len())
    }

    #[step]
    async fn last(&self) -> Result<String> {
        self.0.add("last");
        Ok("forbidden".to_owned())
    }
}

#[tokio::test]
async fn executions_whose_outcomes_are_written_together_with_a_refused_one_complete() {
    let database = support::database().await;
    refuse(&database, "checkpoints", "insert", FORBIDDEN_OUTPUT).await;
    let tally = Tally::default();
    let worker = database.builder().register(Errands(tally.clone())).start().await.unwrap();
    let mut handles = Vec::new();
    for number in 0..20 {
        let word = if number % 5 == 0 { format!("forbidden {number}") } else { format!("errand {number}") };
        handles.push(worker.start::<Errands>(vec![word]).await.unwrap());
    }
    let mut refused = 0;
    for handle in handles {
        let done = handle.result_within(PATIENCE).await.unwrap();
        refused += usize::from(done[0].starts_with("not done"));
    }
    assert_eq!((refused, tally.all().values().sum::<usize>()), (4, 20));
    worker.shutdown().await.unwrap();
}

/// Two branches: the outcome of one is refused while the other is under way.
struct Beside(Tally);

#[workflow]
impl Beside {
    async fn run(&self, _cx: &Context, (): ()) -> Result<String> {
        let (one, other) = durable::join!(
            async {
                let Ok(one) = self.say("forbidden").await else { return Ok("refused".to_owned()) };
                self.say(&one).await
            },
            async {
                let other = self.say("allowed").await?;
                self.say(&format!("{other}, too")).await
            }
        )
        .await?;
        Ok(format!("{one}; {other}"))
    }

    #[step]
    async fn say(&self, word: &str) -> Result<String> {
        self.0.add(word);
        tokio::task::yield_now().await;
        Ok(word.to_owned())
    }
}

#[tokio::test]
async fn steps_of_other_branches_are_kept_when_an_outcome_is_refused() {
    let database = support::database().await;
    refuse(&database, "checkpoints", "insert", FORBIDDEN_OUTPUT).await;
    let tally = Tally::default();
    let worker = database.builder().register(Beside(tally.clone())).start().await.unwrap();
    let said = worker.start::<Beside>(()).await.unwrap().result_within(PATIENCE).await.unwrap();
    assert_eq!(said, "refused; allowed, too");
    assert_eq!(
        tally.all().into_iter().collect::<Vec<_>>(),
        [("allowed", 1), ("allowed, too", 1), ("forbidden", 1)].map(|(word, count)| (word.to_owned(), count))
    );
    worker.shutdown().await.unwrap();
}

/// Books a room and returns what the input says; on request, retries a step or runs two branches.
#[derive(Clone)]
struct Booking(Tally);

#[workflow]
impl Booking {
    async fn run(&self, cx: &Context, plan: String) -> Result<String> {
        let room = self.book().await?;
        match plan.as_str() {
            "race" => race!(self.ask("hotel"), async { cx.wait_for_event::<String>("answer").await }).await,
            "wait" => cx.wait_for_event::<String>("answer").await,
            "flaky" => self.flaky().await,
            "careful" => self.careful().await,
            "fail" => Err(Error::permanent("no money")),
            _ => Ok(format!("{plan} in {room}")),
        }
    }

    #[step(compensate = cancel)]
    async fn book(&self) -> Result<u32> {
        self.0.add("book");
        Ok(4)
    }

    #[compensation]
    async fn cancel(&self, room: u32) -> Result<String> {
        self.0.add(format!("cancel {room}"));
        Ok("confirmed".to_owned())
    }

    #[step]
    async fn ask(&self, whom: &str) -> Result<String> {
        self.0.add("ask");
        Ok(whom.to_owned())
    }

    #[step(retry(max_attempts = 5, base = "1ms", max = "1ms"))]
    async fn flaky(&self) -> Result<String> {
        self.0.add("flaky");
        Err(Error::new("the line is busy"))
    }

    #[step(compensate = forget, undo_on_failure)]
    async fn careful(&self) -> Result<String> {
        self.0.add("careful");
        Ok("done".to_owned())
    }

    #[compensation]
    async fn forget(&self) -> Result<()> {
        self.0.add("forget");
        Ok(())
    }
}

/// Runs a booking to its end; returns its state and error.
async fn ends(database: &Database, tally: &Tally, plan: &str) -> (ExecutionState, String) {
    let worker = database.builder().register(Booking(tally.clone())).start().await.unwrap();
    let handle = worker.start::<Booking>(plan.to_owned()).await.unwrap();
    let error = handle.result_within(PATIENCE).await.unwrap_err();
    let execution = worker.get_execution(handle.id()).await.unwrap().execution;
    worker.shutdown().await.unwrap();
    (execution.state, error.to_string())
}

#[tokio::test]
async fn an_execution_whose_output_the_database_refuses_fails_and_is_rolled_back() {
    let database = support::database().await;
    refuse(&database, "executions", "update", FORBIDDEN_OUTPUT).await;
    let tally = Tally::default();
    let (state, error) = ends(&database, &tally, "forbidden").await;
    assert_eq!(state, ExecutionState::Compensated);
    assert!(error.contains("over quota in executions"), "{error}");
    assert_eq!((tally.count("book"), tally.count("cancel 4")), (1, 1));
}

#[tokio::test]
async fn a_step_whose_attempts_the_database_refuses_fails_and_is_not_retried() {
    let database = support::database().await;
    refuse(&database, "attempts", "insert", "new.key like 'step flaky%'").await;
    let tally = Tally::default();
    let (state, error) = ends(&database, &tally, "flaky").await;
    assert_eq!((state, tally.count("flaky"), tally.count("cancel 4")), (ExecutionState::Compensated, 1, 1));
    assert!(error.contains("over quota in attempts"), "{error}");
}

#[tokio::test]
async fn a_step_that_must_be_on_record_before_it_runs_does_not_run_when_the_database_refuses_that() {
    let database = support::database().await;
    refuse(&database, "attempts", "insert", "new.key like 'step careful%'").await;
    let tally = Tally::default();
    let (state, error) = ends(&database, &tally, "careful").await;
    assert_eq!((state, tally.count("careful"), tally.count("cancel 4")), (ExecutionState::Compensated, 0, 1));
    assert!(error.contains("over quota in attempts"), "{error}");
}

#[tokio::test]
async fn an_execution_whose_race_the_database_refuses_to_decide_fails_and_repeats_nothing() {
    let database = support::database().await;
    refuse(&database, "checkpoints", "insert", "new.key = 'race'").await;
    let tally = Tally::default();
    let (state, error) = ends(&database, &tally, "race").await;
    assert_eq!((state, tally.count("book"), tally.count("ask")), (ExecutionState::Compensated, 1, 1));
    assert!(error.contains("over quota in checkpoints"), "{error}");
}

#[tokio::test]
async fn an_execution_whose_wait_the_database_refuses_fails_and_repeats_nothing() {
    let database = support::database().await;
    refuse(&database, "waits", "insert", "true").await;
    let tally = Tally::default();
    let (state, error) = ends(&database, &tally, "wait").await;
    assert_eq!((state, tally.count("book"), tally.count("cancel 4")), (ExecutionState::Compensated, 1, 1));
    assert!(error.contains("over quota in waits"), "{error}");
}

#[tokio::test]
async fn a_compensation_whose_outcome_the_database_refuses_is_done_once_and_fails() {
    let database = support::database().await;
    refuse(&database, "checkpoints", "insert", "new.output::text like '%confirmed%'").await;
    let tally = Tally::default();
    let (state, error) = ends(&database, &tally, "fail").await;
    assert_eq!((state, tally.count("cancel 4")), (ExecutionState::CompensationFailed, 1));
    assert!(error.contains("no money"), "{error}");
}

#[tokio::test]
async fn an_execution_fails_when_no_outcome_of_a_step_can_be_recorded_at_all() {
    let database = support::database().await;
    refuse(&database, "checkpoints", "insert", "true").await;
    let tally = Tally::default();
    let worker = database.builder().register(Errands(tally.clone())).start().await.unwrap();
    let handle = worker.start::<Errands>(words(&["milk", "bread"])).await.unwrap();
    let error = handle.result_within(PATIENCE).await.unwrap_err();
    assert!(error.to_string().contains("over quota in checkpoints"), "{error}");
    assert_eq!((tally.count("milk"), tally.count("bread")), (1, 0));
    let execution = worker.get_execution(handle.id()).await.unwrap().execution;
    assert_eq!(execution.state, ExecutionState::Failed);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_execution_is_stopped_when_no_end_of_it_can_be_recorded() {
    let database = support::database().await;
    refuse(&database, "executions", "update", "new.finished_at is not null").await;
    let tally = Tally::default();
    let worker = database.builder().register(Errands(tally.clone())).start().await.unwrap();
    let id = worker.start::<Errands>(words(&["milk"])).await.unwrap().id();
    let stopped = support::eventually_some("it is stopped", async || {
        let execution = worker.get_execution(id).await.unwrap().execution;
        execution.error.map(|error| (execution.state, error.to_string()))
    });
    let (state, error) = stopped.await;
    assert_eq!((state, tally.count("milk")), (ExecutionState::Stopped, 1));
    assert!(error.contains("over quota in executions"), "{error}");

    database.run("drop trigger refuse on durable.executions").await;
    worker.resume(id).await.unwrap();
    assert_eq!(worker.handle::<Errands>(id).result_within(PATIENCE).await.unwrap(), ["milk"]);
    assert_eq!(tally.count("milk"), 1);
    worker.shutdown().await.unwrap();
}

/// Sends its step to another queue.
struct Sent(Tally);

#[workflow(queue = "shop")]
impl Sent {
    async fn run(&self, _cx: &Context, (): ()) -> Result<String> {
        Ok(self.bake().await.unwrap_err().to_string())
    }

    #[step(queue = "cellar")]
    async fn bake(&self) -> Result<String> {
        self.0.add("bake");
        Ok("forbidden".to_owned())
    }
}

#[tokio::test]
async fn a_step_in_another_queue_whose_outcome_the_database_refuses_is_done_once_and_fails() {
    let database = support::database().await;
    refuse(&database, "executions", "update", FORBIDDEN_OUTPUT).await;
    let tally = Tally::default();
    let worker = database.builder().queue("shop", 2).queue("cellar", 2).register(Sent(tally.clone())).start().await.unwrap();
    let said = worker.start::<Sent>(()).await.unwrap().result_within(PATIENCE).await.unwrap();
    assert!(said.contains("over quota in executions"), "{said}");
    assert_eq!(tally.count("bake"), 1);
    worker.shutdown().await.unwrap();
}

/// Writes a row in its step's transaction, which a constraint refuses at the commit.
struct Ledger(Tally);

#[workflow]
impl Ledger {
    async fn run(&self, _cx: &Context, cents: i64) -> Result<String> {
        Ok(self.enter(cents).await.unwrap_err().to_string())
    }

    #[step(transaction)]
    async fn enter(&self, tx: &mut durable::Transaction, cents: i64) -> Result<()> {
        self.0.add("enter");
        durable::sqlx::query("insert into ledger values ($1)").bind(cents).execute(&mut **tx).await?;
        Ok(())
    }
}

#[tokio::test]
async fn a_transactional_step_whose_commit_the_database_refuses_fails_and_leaves_nothing() {
    let database = support::database().await;
    database
        .run(
            "create table ledger (cents bigint);
             create function over() returns trigger language plpgsql as $$ begin raise exception 'over quota'; end $$;
             create constraint trigger quota after insert on ledger deferrable initially deferred
             for each row execute function over()",
        )
        .await;
    let tally = Tally::default();
    let worker = database.builder().register(Ledger(tally.clone())).start().await.unwrap();
    let said = worker.start::<Ledger>(7).await.unwrap().result_within(PATIENCE).await.unwrap();
    assert!(said.contains("over quota"), "{said}");
    assert_eq!((tally.count("enter"), database.count("select count(*) from ledger").await), (1, 0));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_start_that_the_database_refuses_fails_alone_and_with_what_it_said() {
    let database = support::database().await;
    refuse(&database, "executions", "insert", "new.input::text like '%forbidden%'").await;
    let tally = Tally::default();
    let worker = database.builder().register(Errands(tally.clone())).start().await.unwrap();
    let start = |word: &str| worker.start::<Errands>(words(&[word])).into_future();
    let (milk, refused, bread) = tokio::join!(start("milk"), start("forbidden"), start("bread"));
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Database);
    assert!(error.to_string().contains("over quota in executions"), "{error}");
    for handle in [milk.unwrap(), bread.unwrap()] {
        handle.result_within(PATIENCE).await.unwrap();
    }
    worker.shutdown().await.unwrap();
}
