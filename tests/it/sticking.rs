//! Code that does not return to the runtime: it is named, nothing else is lost, and the process still shuts down on a signal.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use durable::prelude::*;
use durable::{WorkerDetails, WorkerState};
use tokio::sync::mpsc;

use crate::support::process::{Effects, Folder, Process};
use crate::support::{self, Database, eventually, soon};

/// How long a runtime may be silent before it is reported.
const LEASE: Duration = Duration::from_secs(1);

/// Blocks its thread until a gate opens, or returns at once.
struct Block {
    began: mpsc::UnboundedSender<()>,
    gate: Arc<(Mutex<bool>, Condvar)>,
}

#[workflow]
impl Block {
    async fn run(&self, _cx: &Context, blocks: bool) -> Result<String> {
        if blocks {
            self.began.send(()).ok();
            let (open, opened) = &*self.gate;
            let open = open.lock().unwrap();
            drop(opened.wait_while(open, |open| !*open).unwrap());
        }
        Ok("through".to_owned())
    }
}

/// Blocks its thread for ever.
struct Hang {
    effects: Effects,
}

#[workflow]
impl Hang {
    async fn run(&self, _cx: &Context) -> Result<()> {
        self.effects.add("hangs");
        loop {
            std::thread::park();
        }
    }
}

/// A worker process with two threads that works until SIGTERM, and has a second for its shutdown.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let builder = Durable::builder().database_url(url).max_connections(4).register(Hang { effects: folder.effects() });
    builder.start().await.unwrap().run_until_signal_within(Duration::from_secs(1)).await.unwrap();
}

struct Blocked {
    database: Database,
    client: Durable,
    gate: Arc<(Mutex<bool>, Condvar)>,
    begun: mpsc::UnboundedReceiver<()>,
    runtime: tokio::runtime::Runtime,
    engine: Durable,
}

impl Blocked {
    /// A worker on a runtime of its own with so many threads.
    async fn with_threads(threads: usize) -> Self {
        let database = support::database().await;
        support::clock::freeze(&database).await;
        let (began, begun) = mpsc::unbounded_channel();
        let gate = Arc::<(Mutex<bool>, Condvar)>::default();
        let builder = database.builder().lease(LEASE).register(Block { began, gate: gate.clone() });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap();
        let engine = runtime.spawn(builder.start()).await.unwrap().unwrap();
        Self { client: database.client().await, database, gate, begun, runtime, engine }
    }

    async fn worker(&self) -> WorkerDetails {
        self.client.workers().await.unwrap().remove(0)
    }

    async fn findings(&self) -> String {
        let findings = Durable::builder().database_url(&self.database.url).examine().await.unwrap();
        findings.iter().map(|finding| format!("{}\n", finding.problem)).collect()
    }

    async fn open_and_end(self) {
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
        eventually("all is well again", async || {
            let worker = self.worker().await;
            worker.unresponsive_since.is_none() && worker.stuck_executions.is_empty()
        })
        .await;
        let Self { engine, runtime, .. } = self;
        runtime.spawn(async move { engine.shutdown().await }).await.unwrap().unwrap();
        runtime.shutdown_background();
    }
}

#[tokio::test]
async fn a_runtime_that_does_not_answer_is_reported_and_its_worker_keeps_the_lease() {
    let mut blocked = Blocked::with_threads(1).await;
    let handle = blocked.client.start::<Block>(true).await.unwrap();
    soon("blocked", blocked.begun.recv()).await.unwrap();
    eventually("reported", async || {
        let worker = blocked.worker().await;
        worker.unresponsive_since.is_some() && worker.stuck_executions == [handle.id()]
    })
    .await;
    assert_eq!(blocked.worker().await.state, WorkerState::Active);
    let findings = blocked.findings().await;
    assert!(findings.contains("has not answered since"), "{findings}");
    assert!(findings.contains(&format!("the code of execution {} does not return", handle.id())), "{findings}");
    blocked.open_and_end().await;
}

#[tokio::test]
async fn an_execution_that_does_not_return_is_named_while_the_others_go_on() {
    let mut blocked = Blocked::with_threads(2).await;
    let stuck = blocked.client.start::<Block>(true).await.unwrap();
    soon("blocked", blocked.begun.recv()).await.unwrap();
    eventually("reported", async || blocked.worker().await.stuck_executions == [stuck.id()]).await;
    let other = blocked.client.start::<Block>(false).await.unwrap();
    assert_eq!(soon("its end", other.result()).await.unwrap(), "through");
    assert_eq!(blocked.worker().await.unresponsive_since, None);
    assert!(!blocked.findings().await.contains("has not answered"));
    blocked.open_and_end().await;
}

#[tokio::test]
async fn a_process_whose_runtime_is_blocked_ends_when_it_is_told_to() {
    let (mut process, _database, _folder) = hanging(2).await;
    process.signal("TERM");
    let code = support::eventually_some("ended", async || process.code()).await;
    assert_eq!(code, 70);
}

#[tokio::test]
async fn a_process_with_one_blocked_thread_says_farewell_and_ends_when_it_is_told_to() {
    let (mut process, database, _folder) = hanging(1).await;
    process.signal("TERM");
    let code = support::eventually_some("ended", async || process.code()).await;
    assert_eq!(code, 70);
    let left = "select count(*) from durable.workers where lost_at is null";
    assert_eq!(database.count(left).await, 0, "the worker did not say farewell");
}

/// A worker process in which so many executions hang.
async fn hanging(executions: usize) -> (Process, Database, Folder) {
    let database = support::database().await;
    let folder = Folder::new();
    let client = database.client().await;
    let process = Process::start("hanging", &database.url, &folder);
    for _ in 0..executions {
        client.start::<Hang>(()).await.unwrap();
    }
    eventually("all hang", async || folder.effects().count("hangs") == executions).await;
    (process, database, folder)
}

#[tokio::test]
async fn an_engine_whose_runtime_has_ended_answers_every_call_with_an_error() {
    let blocked = Blocked::with_threads(1).await;
    let handle = blocked.engine.start::<Block>(false).await.unwrap();
    assert_eq!(soon("its end", handle.result()).await.unwrap(), "through");
    let Blocked { engine, runtime, .. } = blocked;
    tokio::task::spawn_blocking(move || drop(runtime)).await.unwrap();
    let id = handle.id();
    let errors = [
        soon("an answer", engine.start::<Block>(false)).await.map(drop).unwrap_err(),
        soon("an answer", engine.get_execution(id)).await.map(drop).unwrap_err(),
        soon("an answer", engine.list_executions()).await.map(drop).unwrap_err(),
        soon("an answer", engine.send_event(id, "late", &())).await.unwrap_err(),
        soon("an answer", engine.workers()).await.map(drop).unwrap_err(),
        soon("an answer", handle.result()).await.map(drop).unwrap_err(),
        soon("an answer", engine.shutdown()).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    soon("an answer", engine.shutdown()).await.unwrap();
}
