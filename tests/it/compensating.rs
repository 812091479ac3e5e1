//! Sagas: what was done is undone, the last first, whatever happens on the way.

mod crashing;
mod forking;
mod interrupting;
mod waiting;

use std::sync::{Arc, Mutex};

use durable::prelude::*;
use durable::{AttemptOutcome, Compensation};
use serde_json::json;

use crate::support::{self, PATIENCE, clock, eventually, soon};

/// What was done and undone, in that order.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn clear(&self) {
        self.0.lock().unwrap().clear();
    }
}

/// Books three things, of which the last fails.
struct BookTrip {
    log: Log,
}

#[workflow]
impl BookTrip {
    async fn run(&self, _cx: &Context, city: String) -> Result<String> {
        let flight = self.book_flight(&city).await?;
        let hotel = self.book_hotel(&city).await?;
        self.charge(&city).await?;
        Ok(format!("{flight} {hotel}"))
    }

    #[step(compensate = cancel_flight)]
    async fn book_flight(&self, city: &str) -> Result<String> {
        Ok(format!("flight to {city}"))
    }

    #[compensation]
    async fn cancel_flight(&self, flight: String) -> Result<()> {
        self.log.add(format!("cancelled {flight}"));
        Ok(())
    }

    #[step(compensate = cancel_hotel)]
    async fn book_hotel(&self, city: &str) -> Result<u32> {
        Ok(u32::try_from(city.len()).unwrap())
    }

    #[compensation]
    async fn cancel_hotel(&self, cx: &Context, room: &u32) -> Result<String> {
        let confirmed: String = cx.wait_for_event("hotel_confirms").await?;
        self.log.add(format!("cancelled room {room}, {confirmed}"));
        Ok(confirmed)
    }

    #[step]
    async fn charge(&self, city: &str) -> Result<()> {
        Err(Error::permanent(format!("no money for {city}")))
    }
}

#[tokio::test]
async fn completed_steps_are_undone_in_reverse_order_with_what_they_returned() {
    let database = support::database().await;
    let log = Log::default();
    let durable = database.builder().register(BookTrip { log: log.clone() }).start().await.unwrap();

    let handle = durable.start::<BookTrip>("Rome".to_owned()).await.unwrap();
    durable.send_event(handle.id(), "hotel_confirms", "by phone").await.unwrap();
    let error = soon("rolled back", handle.result()).await.unwrap_err();

    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Failed, "no money for Rome"));
    assert_eq!(log.all(), ["cancelled room 4, by phone", "cancelled flight to Rome"]);
    let details = durable.get_execution(handle.id()).await.unwrap();
    assert_eq!(details.execution.state, ExecutionState::Compensated);
    assert!(details.execution.output.is_none() && details.execution.finished_at.is_some());
    let [hotel, flight]: &[Compensation] = &details.compensations else { panic!("{:?}", details.compensations) };
    assert_eq!((hotel.step.as_str(), hotel.input.as_ref()), ("step book_hotel", Some(&json!(4).into())));
    assert_eq!((hotel.output.as_ref(), hotel.error.as_ref()), (Some(&json!("by phone").into()), None));
    assert_eq!((flight.step.as_str(), flight.input.as_ref()), ("step book_flight", Some(&json!("flight to Rome").into())));
    durable.shutdown().await.unwrap();
}

/// Three steps with something to undo, and a fourth that fails.
struct Build {
    log: Log,
}

#[workflow]
impl Build {
    async fn run(&self, _cx: &Context, (): ()) -> Result<()> {
        self.dig().await?;
        self.pour().await?;
        self.wall().await?;
        self.roof().await
    }

    #[step(compensate = fill)]
    async fn dig(&self) -> Result<u32> {
        Ok(3)
    }

    /// Succeeds at the third attempt.
    #[compensation(retry(max_attempts = 3, backoff = exponential, base = "1h", max = "1d", jitter = 0.0))]
    async fn fill(&self, depth: u32) -> Result<String> {
        let attempt = durable::step().attempt();
        self.log.add(format!("fill {depth}, attempt {attempt}"));
        if attempt < 3 { Err(Error::new(format!("rain, day {attempt}"))) } else { Ok("level".to_owned()) }
    }

    #[step(compensate = crack)]
    async fn pour(&self) -> Result<String> {
        Ok("concrete".to_owned())
    }

    #[compensation]
    async fn crack(&self, what: &str) -> Result<()> {
        self.log.add(format!("crack {what}"));
        Err(Error::permanent("too hard"))
    }

    #[step(compensate = tear_down)]
    async fn wall(&self) -> Result<()> {
        Ok(())
    }

    /// Takes too long at the first attempt.
    #[compensation(timeout = "30m", retry(max_attempts = 2, backoff = constant, base = "1ms"))]
    async fn tear_down(&self) -> Result<u32> {
        let attempt = durable::step().attempt();
        // Only once it has been polled again does the engine have its timers set.
        tokio::task::yield_now().await;
        self.log.add(format!("tear down, attempt {attempt}"));
        if attempt == 1 {
            std::future::pending::<()>().await;
        }
        Ok(attempt)
    }

    #[step]
    async fn roof(&self) -> Result<()> {
        Err(Error::permanent("no tiles"))
    }
}

#[tokio::test]
async fn a_compensation_is_timed_and_retried_as_a_step_is_and_one_that_fails_does_not_stop_the_others() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let log = Log::default();
    let durable = database.builder().register(Build { log: log.clone() }).start().await.unwrap();
    let handle = durable.start::<Build>(()).await.unwrap();

    eventually("the wall is torn down", async || log.all() == ["tear down, attempt 1"]).await;
    assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Compensating);
    clock::turn(&database, minutes(30)).await;
    eventually("the first attempt has timed out", async || {
        database.count("select count(*) from durable.attempts where retry_at > durable.now()").await == 1
    })
    .await;
    clock::turn(&database, seconds(1)).await;
    eventually("the hole is filled", async || log.all().last().unwrap() == "fill 3, attempt 1").await;
    clock::quiet(&database).await;
    for (hours_later, filled) in [(1, 2), (2, 3)] {
        let before = log.all().len();
        clock::advance(&database, hours(hours_later) - seconds(1)).await;
        assert_eq!(log.all().len(), before, "attempt {filled} came too soon");
        clock::advance(&database, seconds(1)).await;
        assert_eq!(log.all()[before..], [format!("fill 3, attempt {filled}")]);
    }
    let error = handle.result_within(PATIENCE).await.unwrap_err();

    assert_eq!(error.to_string(), "no tiles");
    let causes = &error.failure().causes;
    assert!(causes.iter().any(|cause| cause.contains("`step pour` could not be undone: too hard")), "{causes:?}");
    let details = durable.get_execution(handle.id()).await.unwrap();
    assert_eq!(details.execution.state, ExecutionState::CompensationFailed);
    let [wall, pour, dig]: &[Compensation] = &details.compensations else { panic!("{:?}", details.compensations) };
    assert_eq!((wall.step.as_str(), wall.output.as_ref()), ("step wall", Some(&json!(2).into())));
    let timed_out = &wall.attempts[0];
    assert_eq!((timed_out.outcome, timed_out.error.as_ref().unwrap().kind), (AttemptOutcome::Failed, ErrorKind::TimedOut));
    assert_eq!(
        (pour.step.as_str(), pour.input.as_ref(), pour.output.as_ref()),
        ("step pour", Some(&json!("concrete").into()), None)
    );
    assert_eq!((pour.error.as_ref().unwrap().message.as_str(), pour.attempts.len()), ("too hard", 1));
    assert_eq!(
        (dig.step.as_str(), dig.input.as_ref(), dig.output.as_ref()),
        ("step dig", Some(&json!(3).into()), Some(&json!("level").into()))
    );
    assert_eq!(dig.attempts.len(), 3);
    durable.shutdown().await.unwrap();
}

/// Fails with nothing to undo.
struct Fail;

#[workflow(timeout = "1h")]
impl Fail {
    async fn run(&self, cx: &Context, how: String) -> Result<()> {
        match how.as_str() {
            "in time" => Err(Error::permanent("in time")),
            _ => cx.wait_for_event("never").await,
        }
    }
}

#[tokio::test]
async fn where_there_is_nothing_to_undo_an_execution_ends_as_what_happened_to_it() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let durable = database.builder().register(Fail).start().await.unwrap();
    for (how, state, kind) in [
        ("in time", ExecutionState::Failed, ErrorKind::Failed),
        ("too late", ExecutionState::Failed, ErrorKind::TimedOut),
        ("cancelled", ExecutionState::Cancelled, ErrorKind::Cancelled),
        ("rolled back", ExecutionState::Compensated, ErrorKind::RolledBack),
    ] {
        let handle = durable.start::<Fail>(how.to_owned()).await.unwrap();
        clock::quiet(&database).await;
        match how {
            "too late" => clock::advance(&database, hours(1)).await,
            "cancelled" => durable.cancel(handle.id(), how).compensate().await.unwrap(),
            "rolled back" => durable.rollback(handle.id(), how).await.unwrap(),
            _ => {}
        }
        let error = handle.result_within(PATIENCE).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{how}: {error}");
        let details = durable.get_execution(handle.id()).await.unwrap();
        assert_eq!(details.execution.state, state, "{how}");
        assert!(details.compensations.is_empty(), "{how}");
    }
    durable.shutdown().await.unwrap();
}
