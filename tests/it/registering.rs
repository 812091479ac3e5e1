//! The registry of workers: who is there, how full they are, and how one is told to claim nothing more.

use std::time::Duration;

use durable::prelude::*;
use durable::{WorkerDetails, WorkerId, WorkerState};

use crate::support::process::{Flag, Folder};
use crate::support::{self, PATIENCE, clock, eventually, soon};

/// Runs until its flag is raised.
struct Shift {
    over: Flag,
    worked_by: &'static str,
}

#[workflow(queue = "shifts")]
impl Shift {
    async fn run(&self, _cx: &Context, (): ()) -> Result<String> {
        self.work().await
    }

    #[step]
    async fn work(&self) -> Result<String> {
        self.over.wait().await;
        Ok(self.worked_by.to_owned())
    }
}

/// Beats every 166 ms: the shortest lease there is.
const LEASE: Duration = Duration::from_millis(500);

fn in_use(worker: &WorkerDetails, queue: &str) -> u32 {
    worker.queues.iter().find(|slots| slots.queue == queue).unwrap().in_use
}

#[tokio::test]
async fn a_worker_is_listed_with_its_release_its_slots_and_how_full_they_are() {
    let (database, folder) = (support::database().await, Folder::new());
    clock::freeze(&database).await;
    let client = database.client().await;
    assert!(client.workers().await.unwrap().is_empty(), "a pure client is no worker");
    let shift = Shift { over: folder.flag("over"), worked_by: "early" };
    let builder = database.builder().version("1.4.2").lease(LEASE).queue("shifts", 3).queue("other", 7);
    let durable = builder.register(shift).start().await.unwrap();

    let workers = client.workers().await.unwrap();
    let [worker] = workers.as_slice() else { panic!("{workers:?}") };
    assert_eq!((worker.state, worker.version.as_deref()), (WorkerState::Active, Some("1.4.2")));
    assert_eq!(worker.process_id, std::process::id().cast_signed());
    assert!(worker.lease_until > worker.started_at);
    let slots: Vec<(&str, u32)> = worker.queues.iter().map(|slots| (slots.queue.as_str(), slots.slots)).collect();
    assert_eq!(slots, [("other", 7), ("shifts", 3)]);

    let handle = client.start::<Shift>(()).await.unwrap();
    eventually("seen at work", async || {
        let worker = &client.workers().await.unwrap()[0];
        (in_use(worker, "shifts"), in_use(worker, "other")) == (1, 0)
    })
    .await;
    folder.flag("over").raise();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "early");
    eventually("seen at rest", async || in_use(&client.workers().await.unwrap()[0], "shifts") == 0).await;
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_deprecated_worker_ends_what_it_runs_and_claims_nothing_more() {
    let (database, folder) = (support::database().await, Folder::new());
    let (early, late) = (folder.flag("early"), folder.flag("late"));
    late.raise();
    let old = database.builder().lease(LEASE).register(Shift { over: early, worked_by: "old" }).start().await.unwrap();
    let under_way = old.start::<Shift>(()).await.unwrap();
    eventually("begun", async || under_way.execution().await.unwrap().state == ExecutionState::Running).await;
    let id = old.workers().await.unwrap()[0].id;

    old.deprecate_worker(id).await.unwrap();
    old.deprecate_worker(id).await.unwrap();

    assert_eq!(old.workers().await.unwrap()[0].state, WorkerState::Deprecated);
    // Whatever is started from here on stays queued, also where it is started.
    let mut queued = Vec::new();
    for _ in 0..20 {
        queued.push(old.start::<Shift>(()).await.unwrap());
    }
    folder.flag("early").raise();
    assert_eq!(under_way.result_within(PATIENCE).await.unwrap(), "old");
    assert_eq!(database.count("select count(*) from durable.executions where state = 'pending' and epoch = 0").await, 20);

    let new = database.builder().register(Shift { over: late, worked_by: "new" }).start().await.unwrap();
    for handle in queued {
        assert_eq!(soon("run by the new worker", handle.result()).await.unwrap(), "new");
    }
    new.shutdown().await.unwrap();
    old.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_deprecated_worker_stays_so_after_its_lease_was_lost() {
    let (database, folder) = (support::database().await, Folder::new());
    let shift = Shift { over: folder.flag("over"), worked_by: "old" };
    let durable = database.builder().lease(LEASE).register(shift).start().await.unwrap();
    let id = durable.workers().await.unwrap()[0].id;
    // Before a heartbeat has told the process.
    database.run("update durable.workers set deprecated_at = durable.now(), lost_at = durable.now()").await;

    eventually("as the worker that follows", async || {
        let youngest = durable.workers().await.unwrap().first().map(|worker| (worker.id, worker.state));
        youngest.is_some_and(|(youngest, state)| youngest != id && state == WorkerState::Deprecated)
    })
    .await;
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_worker_that_is_unknown_or_gone_cannot_be_deprecated() {
    let (database, folder) = (support::database().await, Folder::new());
    let shift = Shift { over: folder.flag("over"), worked_by: "nobody" };
    let durable = database.builder().register(shift).start().await.unwrap();
    let unknown: WorkerId = uuid::Uuid::now_v7().into();
    let error = durable.deprecate_worker(unknown).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains(&format!("there is no worker {unknown}; list them")), "{error}");
    assert_eq!("worker 7".parse::<WorkerId>().unwrap_err().kind(), ErrorKind::Invalid);

    durable.shutdown().await.unwrap();
    // Nobody is left who would clear it away.
    database
        .run(&format!(
            "insert into durable.workers (worker_id, host, process_id, queues, started_at, lease_until, lost_at)
             values ('{unknown}', 'here', 1, '{{shifts}}', durable.now(), durable.now(), durable.now())"
        ))
        .await;
    let client = database.client().await;
    let error = client.deprecate_worker(unknown).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Finished), "{error}");
}
