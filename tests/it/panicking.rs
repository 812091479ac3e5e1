//! Panicking: a panic is an error with message and place; it ends nothing but its own attempt.

use durable::prelude::*;

use crate::support::{self, PATIENCE};

struct Clumsy;

#[workflow]
impl Clumsy {
    async fn run(&self, _cx: &Context, how: String) -> Result<u32> {
        if how == "in run" {
            panic!("run fell over");
        }
        self.stumble(how).await
    }

    #[step(retry(max_attempts = 2, backoff = constant, base = "1ms"))]
    async fn stumble(&self, how: String) -> Result<u32> {
        let attempt = durable::step().attempt();
        match how.as_str() {
            "text" => panic!("fell over"),
            "formatted" => panic!("fell over at attempt {attempt}"),
            "value" => std::panic::panic_any(7),
            "later" => {
                tokio::task::yield_now().await;
                panic!("fell over later");
            }
            "nul" => panic!("fell\0over"),
            "index" => Ok([1, 2, 3][how.len()]),
            "once" if attempt == 1 => panic!("only once"),
            _ => Ok(attempt),
        }
    }
}

#[tokio::test]
async fn a_panic_fails_the_execution_with_its_message_and_place() {
    let database = support::database().await;
    let worker = database.builder().register(Clumsy).start().await.unwrap();
    for (how, message) in [
        ("text", "panicked: fell over"),
        ("formatted", "panicked: fell over at attempt 2"),
        ("value", "panicked: with a value that is no text"),
        ("later", "panicked: fell over later"),
        ("nul", "panicked: fell\u{fffd}over"),
        ("index", "panicked: index out of bounds: the len is 3 but the index is 5"),
        ("in run", "panicked: run fell over"),
    ] {
        let handle = worker.start::<Clumsy>(how.to_owned()).await.unwrap();
        let error = handle.result_within(PATIENCE).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panicked, "{how}: {error}");
        assert_eq!(error.failure().message, message);
        let place = error.failure().place.as_deref().unwrap();
        assert!(place.contains("panicking.rs:"), "{place}");
        let attempts = worker.get_execution(handle.id()).await.unwrap().steps.first().map_or(0, |step| step.attempts.len());
        assert_eq!(attempts, if how == "in run" { 0 } else { 2 }, "a panic of a step is tried again like any error");
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_step_that_panicked_once_succeeds_at_its_next_attempt() {
    let database = support::database().await;
    let worker = database.builder().register(Clumsy).start().await.unwrap();
    let handle = worker.start::<Clumsy>("once".to_owned()).await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), 2);
    let details = worker.get_execution(handle.id()).await.unwrap();
    let failure = details.steps[0].attempts[0].error.clone().unwrap();
    assert_eq!((failure.kind, failure.message.as_str()), (ErrorKind::Panicked, "panicked: only once"));
    worker.shutdown().await.unwrap();
}
