//! Introspecting: why an execution does not continue, as data, as a sentence, and with the command that ends it.

use durable::prelude::*;
use durable::{Blocker, QueueLimits};

use crate::support::bodies::Gate;
use crate::support::{self, Database, soon};

/// Waits as its input says.
struct Waits;

#[workflow]
impl Waits {
    async fn run(&self, cx: &Context, how: String) -> Result<()> {
        match how.as_str() {
            "sleep" => cx.sleep(days(1)).await,
            "event" => cx.wait_for_event("bob's note").await,
            "any" => cx.wait_for_any::<()>(["yes", "no"]).await.map(drop),
            "input" => cx.wait_for_text("name").prompt("Who?").timeout(days(2)).or_fail().await.map(drop),
            "topic" => cx.wait_for_topic("news").correlation("order-42").await,
            "child" => cx.child::<Waits>("sleep".to_owned()).await,
            _ => self.fail().await,
        }
    }

    #[step(retry(max_attempts = 3, base = "1h", jitter = 0.0))]
    async fn fail(&self) -> Result<()> {
        Err(Error::new("the line is busy"))
    }
}

/// The only blocker of an execution that is parked or was never begun.
async fn only_blocker(durable: &Durable, id: ExecutionId) -> Blocker {
    let mut blockers = durable.introspect(id).await.unwrap().blockers;
    assert_eq!(blockers.len(), 1, "{blockers:?}");
    blockers.remove(0)
}

async fn parked(database: &Database, id: ExecutionId) {
    let waits = format!("select 1 from durable.executions where execution_id = '{id}' and state = 'waiting'");
    database.eventually_value::<i32>(&waits).await;
}

#[tokio::test]
async fn every_kind_of_wait_is_named_with_the_command_that_ends_it() {
    let database = support::database().await;
    let durable = database.builder().register(Waits).start().await.unwrap();
    let cases = [
        ("sleep", "`sleep` sleeps (waiting since ", None),
        ("event", "event `bob's note` must be sent (waiting since ", Some(r#"durable event send ID "bob's note" PAYLOAD"#)),
        ("any", "one of the events `yes`, `no` must be sent (waiting since ", Some("durable event send ID yes PAYLOAD")),
        ("input", "input `name` must be given: Who? (waiting since ", Some("durable input give ID name ANSWER")),
        (
            "topic",
            "something must be published to `news` about `order-42` (waiting since ",
            Some("durable event publish news PAYLOAD --correlation order-42"),
        ),
        ("fail", "`step fail` is to be tried again after attempt 1 failed: the line is busy", None),
    ];
    for (how, sentence, command) in cases {
        let id = durable.start::<Waits>(how.to_owned()).await.unwrap().id();
        parked(&database, id).await;
        let blocker = only_blocker(&durable, id).await;
        assert!(blocker.to_string().starts_with(sentence), "{blocker}");
        assert_eq!(blocker.command(id), command.map(|command| command.replace("ID", &id.to_string())));
    }

    let parent = durable.start::<Waits>("child".to_owned()).await.unwrap().id();
    parked(&database, parent).await;
    let blocker = only_blocker(&durable, parent).await;
    let Blocker::Child { child: Some(child), .. } = &blocker else { panic!("{blocker:?}") };
    assert!(blocker.to_string().starts_with(&format!("child {child} must end")), "{blocker}");
    assert_eq!(blocker.command(parent), Some(format!("durable execution get {child}")));

    let why = durable.introspect(parent).await.unwrap();
    let text = why.to_string();
    assert!(text.starts_with(&format!("execution {parent} of `waits` version 1 is waiting; it began at ")), "{text}");
    assert!(text.ends_with(&format!("\n  durable execution get {child}")), "{text}");

    durable.pause(parent).await.unwrap();
    let why = durable.introspect(parent).await.unwrap();
    assert!(matches!(&why.blockers[..], [Blocker::Paused { .. }, Blocker::Child { .. }]), "{:?}", why.blockers);
    assert_eq!(why.blockers[0].command(parent), Some(format!("durable execution resume {parent}")));
    durable.cancel(parent, "over").await.unwrap();
    assert!(durable.introspect(parent).await.unwrap().blockers.is_empty());
    durable.shutdown().await.unwrap();
}

/// Stands at a gate.
struct Busy(Gate);

#[workflow(queue = "narrow")]
impl Busy {
    async fn run(&self, _cx: &Context, _: ()) -> Result<()> {
        self.stand().await
    }

    #[step]
    async fn stand(&self) -> Result<()> {
        self.0.pass().await;
        Ok(())
    }
}

#[tokio::test]
async fn what_keeps_a_pending_execution_from_a_worker_is_named() {
    let (database, gate) = (support::database().await, Gate::closed());
    let client = database.client().await;
    let first = client.start::<Busy>(()).await.unwrap();
    let blocker = only_blocker(&client, first.id()).await;
    assert_eq!(blocker.to_string(), "no live worker claims from its queue `narrow`: start one");

    let worker = database.builder().register(Busy(gate.clone())).start().await.unwrap();
    let narrow = client.queue("narrow");
    soon("the first runs", gate.until_inside(1)).await;
    assert!(client.introspect(first.id()).await.unwrap().blockers.is_empty(), "it runs");
    narrow.set_limits(QueueLimits::default().concurrency(1)).await.unwrap();
    let second = client.start::<Busy>(()).await.unwrap();
    let blocker = only_blocker(&client, second.id()).await;
    assert!(matches!(&blocker, Blocker::QueueFull { running: 1, concurrency: 1, .. }), "{blocker:?}");

    narrow.pause().await.unwrap();
    let blockers = client.introspect(second.id()).await.unwrap().blockers;
    assert!(matches!(&blockers[..], [Blocker::QueuePaused { .. }, Blocker::QueueFull { .. }]), "{blockers:?}");
    assert_eq!(blockers[0].command(second.id()), Some("durable queue resume narrow".to_owned()));
    narrow.resume().await.unwrap();
    narrow.set_limits(QueueLimits::default()).await.unwrap();

    let unknown = client.start_by_name("elsewhere", &()).queue("narrow").version(3).await.unwrap();
    let blocker = only_blocker(&client, unknown).await;
    let sentence = "no live worker on queue `narrow` knows workflow `elsewhere` version 3: start one that does";
    assert_eq!(blocker.to_string(), sentence);
    let later = client.start::<Busy>(()).delay(days(1)).await.unwrap();
    assert!(matches!(only_blocker(&client, later.id()).await, Blocker::StartsLater { .. }));

    gate.let_pass(2);
    soon("the second ends", second.result()).await.unwrap();
    worker.shutdown().await.unwrap();
    let error = client.introspect(uuid::Uuid::now_v7().into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
