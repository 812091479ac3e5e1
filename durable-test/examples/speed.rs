//! How long tests take: `cargo run --release -p durable-test --example speed [TESTS]`
//!
//! First a workflow of thirty days alone, then so many tests of it at once (200 by default), on as many threads.

#![expect(clippy::print_stdout, reason = "an example speaks to the person who runs it")]

use std::sync::Mutex;
use std::time::{Duration, Instant};

use durable::prelude::*;
use durable_test::Test;

/// How often the workflow runs alone.
const ALONE: usize = 20;

/// A trial of a month, with a reminder after three weeks.
struct Trial;

#[workflow]
impl Trial {
    async fn run(&self, cx: &Context, customer: String) -> Result<String> {
        self.write(&customer).await?;
        cx.sleep(days(21)).await?;
        self.write(&customer).await?;
        cx.sleep(days(9)).await?;
        self.charge(&customer).await
    }

    #[step]
    async fn write(&self, customer: &str) -> Result<usize> {
        Ok(customer.len())
    }

    #[step]
    async fn charge(&self, customer: &str) -> Result<String> {
        Ok(format!("payment of {customer}"))
    }
}

/// How long a test took.
#[derive(Debug, Default, Clone, Copy)]
struct Times {
    /// With its database.
    whole: Duration,
    /// The first execution, on sessions that prepare their statements.
    first: Duration,
    /// The second execution.
    second: Duration,
}

/// Runs one test with two executions.
fn test() -> Times {
    let (began, times) = (Instant::now(), Mutex::new(Times::default()));
    durable_test::run("speed", |test: Test| {
        let times = &times;
        async move {
            test.worker().register(Trial).start().await?;
            let (first, second) = (month(&test).await?, month(&test).await?);
            if let Ok(mut times) = times.lock() {
                *times = Times { first, second, ..Times::default() };
            }
            Ok::<(), Error>(())
        }
    });
    Times { whole: began.elapsed(), ..times.into_inner().unwrap_or_default() }
}

/// Lets a trial pass; returns how long that took.
async fn month(test: &Test) -> Result<Duration> {
    let began = Instant::now();
    let trial = test.start::<Trial>("ada".to_owned()).await?;
    assert_eq!(trial.result().await?, "payment of ada");
    Ok(began.elapsed())
}

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    if let (Some(median), Some(longest)) = (times.get(times.len() / 2), times.last()) {
        println!("{what}: median {median:.1?}, longest {longest:.1?}");
    }
}

fn main() {
    let tests = std::env::args().nth(1).and_then(|tests| tests.parse().ok()).unwrap_or(200);
    let began = Instant::now();
    test();
    println!("the first test, which finds or starts the server: {:.1?}", began.elapsed());

    let times: Vec<Times> = (0..ALONE).map(|_| test()).collect();
    show("thirty days, the first execution of a test", times.iter().map(|times| times.first).collect());
    show("thirty days, the second execution of a test", times.iter().map(|times| times.second).collect());
    show("a test of sixty days, with its database", times.iter().map(|times| times.whole).collect());

    let began = Instant::now();
    std::thread::scope(|scope| {
        (0..tests).for_each(|_| {
            scope.spawn(test);
        });
    });
    println!("{tests} tests at once: {:.1?} in all", began.elapsed());
}
