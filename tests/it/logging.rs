//! Logs of steps: each attempt's own lines, within limits, and never in the way of an execution.

use std::time::Duration;

use durable::prelude::*;
use durable::{Builder, StepLog, StepLogLayer};
use tracing_subscriber::prelude::*;

use crate::support::bodies::Gate;
use crate::support::proxy::{Fate, Moment, Proxy, Trap};
use crate::support::{self, Database, soon};

/// An engine whose steps are logged: the test's subscriber has the layer, as that of an application.
fn logged(database: &Database) -> Builder {
    database.builder()
}

/// Has the events of this thread gathered while the guard lives. Tests run on one thread each.
fn gathering() -> tracing::subscriber::DefaultGuard {
    tracing_subscriber::registry().with(StepLogLayer::new()).set_default()
}

/// Fetches several pages at once; the second page fails at first.
struct Crawl(Gate);

#[workflow(name = "crawl")]
impl Crawl {
    async fn run(&self, cx: &Context, pages: u32) -> Result<()> {
        tracing::info!("run itself is not logged");
        cx.map(1..=pages).concurrency(8).each(|page| self.fetch(page)).await.map(drop)
    }

    #[step(retry(max_attempts = 2, base = "1ms"))]
    async fn fetch(&self, page: u32) -> Result<()> {
        tracing::info!(page, ratio = 0.5, name = "Ada\u{0}", "fetching");
        self.0.pass().await;
        if page == 2 && durable::step().attempt() == 1 {
            tracing::warn!(error = %Error::new("busy"), "the server is busy");
            return Err(Error::new("busy"));
        }
        tracing::debug!(?page, "done");
        tracing::info!(target: "crawl::pages", "fetched");
        Ok(())
    }
}

/// The log of one attempt as lines of text.
fn told(log: &StepLog) -> Vec<String> {
    let line = |line: &durable::LogLine| {
        let fields = line.fields.as_ref().map(|fields| format!(" {fields}")).unwrap_or_default();
        format!("{} {} {}{fields}", line.level, line.target, line.message)
    };
    log.lines.iter().map(line).collect()
}

#[tokio::test]
async fn each_attempt_has_its_own_lines_also_under_concurrency() {
    let (database, gate, _layer) = (support::database().await, Gate::closed(), gathering());
    let durable = logged(&database).register(Crawl(gate.clone())).start().await.unwrap();
    let crawl = durable.start::<Crawl>(3).await.unwrap();
    // All three are under way at once, and their lines are mixed.
    soon("all pages are being fetched", gate.until_inside(3)).await;
    gate.let_pass(4);
    soon("the end", crawl.result()).await.unwrap();
    durable.shutdown().await.unwrap();

    let client = database.client().await;
    let logs = client.step_logs(crawl.id()).await.unwrap();
    let mut seen: Vec<(String, u32, Vec<String>)> = logs.iter().map(|log| (log.key.clone(), log.attempt, told(log))).collect();
    seen.sort();
    let fetching = |page: u32| format!("info it::logging fetching {{\"page\":{page},\"ratio\":0.5,\"name\":\"Ada\u{fffd}\"}}");
    let fetched = || "info crawl::pages fetched".to_owned();
    let busy = "warn it::logging the server is busy {\"error\":\"busy\"}".to_owned();
    let key = |page: u32| format!("map/{}/step fetch", page - 1);
    assert_eq!(
        seen,
        [
            (key(1), 1, vec![fetching(1), fetched()]),
            (key(2), 1, vec![fetching(2), busy]),
            (key(2), 2, vec![fetching(2), fetched()]),
            (key(3), 1, vec![fetching(3), fetched()]),
        ]
    );
    assert!(logs.iter().all(|log| log.left_out == 0 && log.lines.iter().all(|line| !line.cut)));
}

/// Says more than is kept.
struct Chatty;

#[workflow(name = "chatty")]
impl Chatty {
    async fn run(&self, _cx: &Context, lines: usize) -> Result<()> {
        self.talk(lines).await
    }

    #[step]
    async fn talk(&self, lines: usize) -> Result<()> {
        tracing::info!(blob = "b".repeat(1_000_000), "{}", "m".repeat(1_000_000));
        for line in 0..lines {
            tracing::info!(line, "more");
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_log_is_cut_where_it_is_too_long_and_says_so() {
    let (database, _layer) = (support::database().await, gathering());
    let durable = logged(&database).register(Chatty).start().await.unwrap();
    let chatty = durable.start::<Chatty>(5000).await.unwrap();
    soon("the end", chatty.result()).await.unwrap();
    durable.shutdown().await.unwrap();
    let logs = database.client().await.step_logs(chatty.id()).await.unwrap();
    let [log] = &logs[..] else { panic!("{} logs", logs.len()) };
    assert_eq!((log.lines.len(), log.left_out), (1000, 4001));
    let first = &log.lines[0];
    assert!(first.cut && first.message == "m".repeat(8 * 1024));
    assert!(!log.lines[1].cut);
}

#[tokio::test]
async fn the_level_is_set_for_all_workflows_and_for_one() {
    let (database, _layer) = (support::database().await, gathering());
    let gate = Gate::closed();
    gate.let_pass(100);
    let levels = [
        (logged(&database).step_log_level(tracing::Level::DEBUG), 3),
        (logged(&database).step_log_level(tracing::Level::WARN), 0),
        (logged(&database).step_log_level(tracing::level_filters::LevelFilter::OFF), 0),
        (logged(&database).step_log_level(tracing::Level::ERROR).step_log_level_of("crawl", tracing::Level::DEBUG), 3),
    ];
    for (builder, lines) in levels {
        let durable = builder.register(Crawl(gate.clone())).start().await.unwrap();
        let crawl = durable.start::<Crawl>(1).await.unwrap();
        soon("the end", crawl.result()).await.unwrap();
        durable.shutdown().await.unwrap();
        let logs = database.client().await.step_logs(crawl.id()).await.unwrap();
        assert_eq!(logs.iter().map(|log| log.lines.len()).sum::<usize>(), lines);
    }
}

#[tokio::test]
async fn no_execution_waits_for_a_log_that_cannot_be_kept() {
    let (database, _layer) = (support::database().await, gathering());
    let proxy = Proxy::before(&database).await;
    proxy.set(Trap { statements: vec!["step_logs/save".to_owned()], nth: 1, moment: Moment::Before, fate: Fate::Held });
    let durable = Database::at(proxy.url().to_owned()).builder().register(Chatty).start().await.unwrap();
    for lines in 0..20 {
        soon("the end", durable.start::<Chatty>(lines).await.unwrap().result()).await.unwrap();
    }
    assert_eq!(proxy.caught().await, "step_logs/save");
    proxy.release();
    durable.shutdown().await.unwrap();
    assert_eq!(database.count("select count(*) from durable.step_logs").await, 20);
}

#[tokio::test]
async fn logs_go_with_their_execution_and_an_unknown_execution_is_an_error() {
    let (database, _layer) = (support::database().await, gathering());
    let durable = logged(&database).register(Chatty).start().await.unwrap();
    let chatty = durable.start::<Chatty>(1).await.unwrap();
    soon("the end", chatty.result()).await.unwrap();
    durable.shutdown().await.unwrap();
    let client = database.client().await;
    assert_eq!(client.step_logs(chatty.id()).await.unwrap().len(), 1);
    database.run("update durable.clock set ahead_by = interval '2 days'").await;
    client.prune(Duration::from_secs(86_400)).await.unwrap();
    assert_eq!(database.count("select count(*) from durable.step_logs").await, 0);
    assert_eq!(client.step_logs(chatty.id()).await.unwrap_err().kind(), durable::ErrorKind::NotFound);
}

/// Logs while it is written out, as a client may that counts its calls.
struct Loud;

impl std::fmt::Debug for Loud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        tracing::info!("written out");
        f.write_str("loud")
    }
}

struct Echo;

#[workflow]
impl Echo {
    async fn run(&self, _cx: &Context, _: ()) -> Result<()> {
        self.shout().await
    }

    #[step]
    async fn shout(&self) -> Result<()> {
        tracing::info!(field = ?Loud, "shouting");
        Ok(())
    }
}

#[tokio::test]
async fn a_field_that_logs_while_it_is_written_out_hangs_nothing() {
    let (database, _layer) = (support::database().await, gathering());
    let durable = logged(&database).register(Echo).start().await.unwrap();
    let echo = durable.start::<Echo>(()).await.unwrap();
    soon("the end", echo.result()).await.unwrap();
    durable.shutdown().await.unwrap();
    let logs = database.client().await.step_logs(echo.id()).await.unwrap();
    let last = logs[0].lines.last().unwrap();
    assert_eq!((last.message.as_str(), last.fields.as_ref().unwrap().as_str()), ("shouting", r#"{"field":"loud"}"#));
}
