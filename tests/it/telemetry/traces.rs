//! Traces cross the borders of processes: an execution is a part of its starter's trace, on whatever worker it runs.

use std::sync::{Arc, Mutex};

use durable::prelude::*;
use durable::telemetry::{OpenTelemetry, TraceContext};
use durable::{Builder, ExecutionId};
use opentelemetry::trace::{SpanId, TracerProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Instrument};
use tracing_subscriber::layer::SubscriberExt;

use crate::support::process::{Effects, Folder, Process};
use crate::support::{self, Database, eventually, eventually_some, soon};

const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Spans as they are exported.
#[derive(Debug, Clone, Default)]
struct Exported {
    spans: Arc<Mutex<Vec<SpanData>>>,
    /// Where each is written down, too: its trace and its name.
    file: Option<Effects>,
}

impl Exported {
    fn dispatch(&self) -> Dispatch {
        let provider = SdkTracerProvider::builder().with_simple_exporter(self.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("tests"));
        Dispatch::new(tracing_subscriber::registry().with(layer))
    }

    /// Exports what is traced on this thread while the guard lives.
    fn install(&self) -> DefaultGuard {
        tracing::dispatcher::set_default(&self.dispatch())
    }

    fn named(&self, name: &str) -> Vec<SpanData> {
        self.spans.lock().unwrap().iter().filter(|span| span.name == name).cloned().collect()
    }

    async fn eventually_named(&self, name: &str, count: usize) -> Vec<SpanData> {
        eventually_some(name, async || Some(self.named(name)).filter(|spans| spans.len() == count)).await
    }
}

impl SpanExporter for Exported {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        for span in &batch {
            self.file.iter().for_each(|file| file.add(&format!("{} {}", span.span_context.trace_id(), span.name)));
        }
        self.spans.lock().unwrap().extend(batch);
        Ok(())
    }
}

/// Is told twice to go on, and says in which trace its second step is.
struct Errand {
    /// Raised once the second step is under way; it does not end as long as it should hang.
    hangs: Option<support::process::Flag>,
}

#[workflow(name = "traced_errand")]
impl Errand {
    async fn run(&self, cx: &Context, waits: bool) -> Result<Option<String>> {
        self.leave().await?;
        if waits {
            let () = cx.wait_for_event("go on").await?;
        }
        self.arrive().await
    }

    #[step]
    async fn leave(&self) -> Result<()> {
        Ok(())
    }

    #[step]
    async fn arrive(&self) -> Result<Option<String>> {
        if let Some(hangs) = &self.hangs {
            hangs.raise();
            std::future::pending().await
        }
        Ok(durable::step().trace_context().map(|context| context.to_string()))
    }
}

/// Has a child.
struct Parent;

#[workflow(name = "traced_parent")]
impl Parent {
    async fn run(&self, cx: &Context, _: ()) -> Result<Option<String>> {
        cx.child::<Errand>(false).await
    }
}

/// Fails.
struct Hopeless;

#[workflow(name = "traced_hopeless")]
impl Hopeless {
    async fn run(&self, _cx: &Context, _: ()) -> Result<()> {
        Err(Error::permanent("as always"))
    }
}

fn errand() -> Errand {
    Errand { hangs: None }
}

/// The worker process that is killed: it exports its spans into a file, and hangs in the second step.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let exported = Exported { file: Some(folder.effects()), ..Exported::default() };
    tracing::dispatcher::set_global_default(exported.dispatch()).unwrap();
    let workflow = Errand { hangs: Some(folder.flag("hangs")) };
    let builder = Durable::builder().database_url(url).max_connections(4).lease(seconds(1)).telemetry(OpenTelemetry);
    let _engine = builder.register(workflow).start().await.unwrap();
    std::future::pending().await
}

fn builder(database: &Database) -> Builder {
    database.builder().lease(seconds(1)).telemetry(OpenTelemetry)
}

fn digits(id: ExecutionId) -> String {
    id.as_uuid().simple().to_string()
}

#[tokio::test]
async fn an_execution_is_one_trace_with_its_starter_also_where_its_worker_is_killed() {
    let (database, folder) = (support::database().await, Folder::new());
    let exported = Exported { file: Some(folder.effects()), ..Exported::default() };
    let _guard = exported.install();
    let client = builder(&database).start().await.unwrap();
    let request = tracing::info_span!("request");
    let handle = client.start::<Errand>(false).into_future().instrument(request.clone()).await.unwrap();
    drop(request);
    let mut process = Process::start("traced", &database.url, &folder);
    eventually("in the second step", async || folder.flag("hangs").is_up()).await;
    process.kill();
    let survivor = builder(&database).register(errand()).start().await.unwrap();
    let context = soon("its end", handle.result()).await.unwrap().unwrap();

    let request = exported.eventually_named("request", 1).await.remove(0).span_context;
    let trace = request.trace_id().to_string();
    let claim = exported.eventually_named("workflow traced_errand", 1).await.remove(0);
    assert_eq!((claim.parent_span_id, claim.parent_span_is_remote), (request.span_id(), true));
    let arrived = exported.named("step arrive").remove(0);
    assert_eq!(arrived.parent_span_id, claim.span_context.span_id());
    let expected = format!("00-{trace}-{}-01", arrived.span_context.span_id());
    assert_eq!(context, expected, "a step knows where it stands");
    let spans = ["request", "step leave", "step arrive", "workflow traced_errand"].map(|name| format!("{trace} {name}"));
    let mut in_order = folder.effects().all();
    in_order.retain(|line| !line.ends_with("step arrive") || line.starts_with(&trace));
    assert_eq!(in_order, spans, "in two processes");
    survivor.shutdown().await.unwrap();
    client.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_execution_whose_starter_was_in_no_trace_is_a_trace_of_its_own_on_every_worker() {
    let database = support::database().await;
    let exported = Exported::default();
    let _guard = exported.install();
    let first = builder(&database).register(errand()).start().await.unwrap();
    let id: uuid::Uuid = database.value("select durable.start('traced_errand', 'true')").await;
    exported.eventually_named("workflow traced_errand", 1).await;
    first.shutdown().await.unwrap();
    let second = builder(&database).register(errand()).start().await.unwrap();
    second.send_event(id.into(), "go on", &()).await.unwrap();
    let claims = exported.eventually_named("workflow traced_errand", 2).await;
    let traces: Vec<String> = claims.iter().map(|claim| claim.span_context.trace_id().to_string()).collect();
    assert_eq!(traces, [digits(id.into()), digits(id.into())]);
    assert!(claims.iter().all(|claim| claim.links.is_empty()), "what another process claimed nobody knows here");
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_claim_is_linked_to_the_one_before_it() {
    let database = support::database().await;
    let exported = Exported::default();
    let _guard = exported.install();
    let engine = builder(&database).register(errand()).start().await.unwrap();
    let handle = engine.start::<Errand>(true).await.unwrap();
    exported.eventually_named("workflow traced_errand", 1).await;
    engine.send_event(handle.id(), "go on", &()).await.unwrap();
    let claims = exported.eventually_named("workflow traced_errand", 2).await;
    let linked: Vec<SpanId> = claims[1].links.iter().map(|link| link.span_context.span_id()).collect();
    assert_eq!(linked, [claims[0].span_context.span_id()]);
    assert_eq!(claims[0].parent_span_id, claims[1].parent_span_id);
    engine.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_child_continues_the_trace_of_its_parent() {
    let database = support::database().await;
    let exported = Exported::default();
    let _guard = exported.install();
    let engine = builder(&database).register(Parent).register(errand()).start().await.unwrap();
    let caller = TraceContext::new(CALLER, Some("vendor=7")).unwrap();
    let handle = engine.start::<Parent>(()).trace_context(caller.clone()).await.unwrap();
    let context: TraceContext = soon("its end", handle.result()).await.unwrap().unwrap().parse().unwrap();
    assert_eq!((context.trace_id(), context.tracestate()), (caller.trace_id(), Some("vendor=7")));
    let child = exported.eventually_named("workflow traced_errand", 1).await.remove(0);
    let parents = exported.eventually_named("workflow traced_parent", 2).await;
    assert_eq!(child.parent_span_id, parents[0].span_context.span_id());
    assert_eq!(parents[0].parent_span_id.to_string(), "00f067aa0ba902b7");
    engine.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_retry_is_a_trace_of_its_own_with_a_link_to_where_the_first_was_started() {
    let database = support::database().await;
    let exported = Exported::default();
    let _guard = exported.install();
    let engine = builder(&database).register(Hopeless).start().await.unwrap();
    let caller = TraceContext::new(CALLER, None).unwrap();
    let first = engine.start::<Hopeless>(()).trace_context(caller).await.unwrap();
    assert!(soon("its end", first.result()).await.is_err());
    let again = engine.retry(first.id()).await.unwrap();
    let claim = exported.eventually_named("workflow traced_hopeless", 2).await.remove(1);
    assert_eq!(claim.span_context.trace_id().to_string(), digits(again));
    let linked: Vec<String> = claim.links.iter().map(|link| link.span_context.span_id().to_string()).collect();
    assert_eq!(linked, ["00f067aa0ba902b7"]);
    engine.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_context_is_passed_on_unchanged_where_nobody_traces() {
    let database = support::database().await;
    let engine = database.builder().register(Parent).register(errand()).start().await.unwrap();
    let start = format!("select durable.start('traced_parent', trace_context => '{CALLER} vendor=7')");
    let id: uuid::Uuid = database.value(&start).await;
    let context = soon("its end", engine.handle::<Parent>(id.into()).result()).await.unwrap();
    assert_eq!(context.unwrap(), format!("{CALLER} vendor=7"));
    let untraced = engine.start::<Parent>(()).await.unwrap();
    assert_eq!(soon("its end", untraced.result()).await.unwrap(), None);
    let stored = database.count("select count(*) from durable.executions where trace_context is not null").await;
    assert_eq!(stored, 2, "the first parent and its child");
    engine.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_start_in_sql_with_a_context_that_is_none_is_refused() {
    let database = support::database().await;
    let hostile = ["nonsense", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", "", &format!("{CALLER} a=\n")];
    for context in hostile {
        let start = durable::sqlx::query("select durable.start('traced_parent', trace_context => $1)").bind(context);
        let error = start.execute(database.pool()).await.unwrap_err();
        assert!(error.to_string().contains("a trace context that is none"), "{error}");
    }
    assert_eq!(database.count("select count(*) from durable.executions").await, 0);
}
