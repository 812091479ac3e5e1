//! The ledger that is Postgres, on a server that the first of these tests starts.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use durable_migrate::SchemaName;
use durable_postgres::{Cluster, ClusterOptions, Lifetime};
use sqlx::Postgres;
use tokio::sync::{OnceCell, mpsc, watch};
use tokio::time::Instant;

use super::{CancelledChildren, Claim, Done, EndedEarly, HOUR, Held, Notified, OnRecord, World};
use crate::clock;
use crate::error::{Failure, Result};
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::Outcome;
use crate::payload::Payload;
use crate::plan::start_options::CheckedStart;
use crate::running::lanes::Lanes;
use crate::running::ledger::{Here, Ledger};
use crate::store::attempts::Attempts;
use crate::store::executions::KnownWorkflows;
use crate::store::messages::Message;
use crate::store::parks::Parks;
use crate::store::saves::{Save, Saves, Written};
use crate::store::starts::{NewExecution, StartOutcome};
use crate::store::transactions::Transactions;
use crate::store::workers::NewWorker;
use crate::store::{self, Address, Batch, Lane, Session, Store};

/// The workflow of every execution here.
const WORKFLOW: &str = "contract";

pub(super) struct InPostgres {
    store: Store,
    ledger: Lanes,
}

/// The address of a migrated database that these tests share: every execution is in a queue of its own.
async fn database() -> &'static str {
    static SERVER: OnceCell<(Cluster, String)> = OnceCell::const_new();
    let server = SERVER.get_or_init(|| async {
        let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let options = ClusterOptions {
            in_memory: true,
            name: "contract".to_owned(),
            lifetime: Lifetime::Temporary,
            settings: vec![setting("fsync", "off"), setting("synchronous_commit", "off"), setting("max_connections", "200")],
            ..ClusterOptions::default()
        };
        let started = tokio::task::spawn_blocking(|| Cluster::start(options)).await.expect("starting does not panic");
        let cluster = started.expect("the server starts");
        let url = cluster.url();
        durable_migrate::migrate(&url, &SchemaName::default()).await.expect("the schema is created");
        (cluster, url)
    });
    &server.await.1
}

impl World for InPostgres {
    type Sending = sqlx::Transaction<'static, Postgres>;

    async fn new() -> Self {
        let address = Address::parse(database().await).expect("the server gives a url");
        let store = Store::new(&address, SchemaName::default(), 4);
        let lease = watch::Sender::new(Instant::now());
        let (news, _) = mpsc::unbounded_channel();
        let session = || Session::passing(store.clone());
        let ledger = Lanes {
            saves: Lane::open(Arc::new(Saves), session()),
            parks: Lane::open(Arc::new(Parks), session()),
            attempts: Lane::open(Arc::new(Attempts), session()),
            transactions: Transactions::new(store.clone(), 1),
            store: store.clone(),
            lease: lease.subscribe(),
            news,
            here: Here::default(),
        };
        Self { store, ledger }
    }

    fn ledger(&self) -> &dyn Ledger {
        &self.ledger
    }

    async fn answer<T>(&self, asked: impl Future<Output = T>) -> T {
        asked.await
    }

    async fn now(&self) -> DateTime<Utc> {
        store::clock::read(&self.store, &self.store.pool).await.unwrap().database
    }

    async fn add_worker(&self) -> WorkerId {
        let id = WorkerId::new();
        let worker = NewWorker {
            id,
            host: "here",
            version: None,
            lease: HOUR,
            slots: &[],
            workflows: &[],
            deprecated: false,
            follows: None,
        };
        store::workers::register(&self.store, &self.store.pool, &worker).await.unwrap();
        id
    }

    async fn declare_lost(&self, worker: WorkerId) {
        let mut connection = self.store.pool.acquire().await.unwrap();
        // The lease ends now, and a moment later it is over.
        while store::workers::beat(&self.store, &mut connection, worker, std::time::Duration::ZERO, &[], (None, &[]))
            .await
            .unwrap()
            .held
        {
            store::workers::expire(&self.store, &self.store.pool, clock::LAST).await.unwrap();
        }
    }

    async fn rescue(&self, _worker: WorkerId) {
        store::executions::rescue(&self.store, &self.store.pool, 1000).await.unwrap();
    }

    async fn start(&self, worker: WorkerId) -> Held {
        let id = ExecutionId::new();
        let new = NewExecution {
            id,
            workflow: WORKFLOW.to_owned(),
            version: 1,
            input: Payload::null(),
            timeout: None,
            options: CheckedStart { queue: id.to_string(), ..CheckedStart::default() },
            trace_context: None,
            hand_off: Some(worker),
        };
        let started = store::starts::create(&self.store, &self.store.pool, &[&new]).await.unwrap();
        assert_eq!(started[0].how, StartOutcome::Claimed);
        Held { worker, id, epoch: Epoch::FIRST }
    }

    async fn claim(&self, id: ExecutionId, worker: WorkerId) -> Option<Claim> {
        let known = KnownWorkflows {
            names: vec![WORKFLOW.to_owned()],
            versions: vec![1],
            timeouts: vec![None],
            labels: vec![format!("{WORKFLOW}@1")],
            key_limits: vec![None],
        };
        let mut connection = self.store.pool.acquire().await.unwrap();
        let claim = store::executions::claim(&self.store, &mut connection, worker, &id.to_string(), 1, &known).await.unwrap();
        let claimed = claim.executions.into_iter().next()?;
        let held = Held { worker, id: claimed.id, epoch: claimed.epoch };
        Some(Claim { held, claims: claimed.claims, resolved: claimed.resolved.unwrap_or_default() })
    }

    async fn offer(&self, id: ExecutionId, name: &str, value: u64) -> bool {
        let message = Message::new(id, name, Payload(value.to_string().into()));
        let sent = store::messages::send_event(&self.store, &self.store.pool, &message).await;
        let refusal = sent.err().map(|error| error.into_database_error().unwrap().code().unwrap().into_owned());
        assert!(refusal.as_deref().is_none_or(|code| code == "UD411"), "{refusal:?}");
        refusal.is_none()
    }

    async fn change(&self, id: ExecutionId, value: u64) -> bool {
        let message = Message::new(id, "", Payload(value.to_string().into()));
        let sent = store::messages::send_change(&self.store, &self.store.pool, &message, None, true).await;
        let refusal = sent.err().map(|error| error.into_database_error().unwrap().code().unwrap().into_owned());
        assert!(refusal.as_deref().is_none_or(|code| code == "UD410"), "{refusal:?}");
        refusal.is_none()
    }

    async fn begin_to_send(&self, id: ExecutionId, name: &str, value: u64) -> Self::Sending {
        let mut transaction = self.store.pool.begin_with("begin").await.unwrap();
        let message = Message::new(id, name, Payload(value.to_string().into()));
        store::messages::send_event(&self.store, &mut *transaction, &message).await.unwrap();
        transaction
    }

    async fn finish(&self, sending: Self::Sending) {
        sending.commit().await.unwrap();
    }

    async fn save_again(&self, save: Save) -> Written {
        let mut connection = self.store.pool.acquire().await.unwrap();
        Saves.flush(&self.store, &mut connection, &[save], true).await.unwrap()[0]
    }

    async fn save_unwritable(&self, save: Save) -> Result<Written> {
        let mut checkpoints = save.checkpoints.to_vec();
        // A column of JSON does not take it.
        checkpoints[0].outcome = Outcome::Output(Payload("{".into()));
        self.save(Save { checkpoints: checkpoints.into(), ..save }).await
    }

    async fn exists(&self, id: ExecutionId) -> bool {
        store::look::details(&self.store, &self.store.pool, id).await.unwrap().is_some()
    }

    async fn notify_parent(&self, child: ExecutionId) -> Notified {
        let mut notified = store::parents::notify(&self.store, &self.store.pool, &[child]).await.unwrap();
        notified.remove(&child).unwrap_or(Notified::NotAwaited)
    }

    async fn end_early(&self, id: ExecutionId, done: Done) -> Vec<EndedEarly> {
        store::families::cancel(&self.store, &self.store.pool, id, "by request", done).await.unwrap()
    }

    async fn begin_rollback(&self, held: Held, cause: &Failure) -> Option<Vec<EndedEarly>> {
        let held = (held.id, held.worker, held.epoch);
        store::executions::begin_rollback(&self.store, &self.store.pool, held, cause).await.unwrap()
    }

    async fn cancel_children(&self, children: &[ExecutionId]) -> CancelledChildren {
        store::families::cancel_children(&self.store, &self.store.pool, children, "by request").await.unwrap()
    }

    async fn cancel_orphans(&self) {
        store::families::cancel_orphans(&self.store, &self.store.pool, 1000).await.unwrap();
    }

    async fn on_record(&self, id: ExecutionId) -> OnRecord {
        let details = store::look::details(&self.store, &self.store.pool, id).await.unwrap().expect("the execution exists");
        let journal =
            store::journal::load(&self.store, &mut self.store.pool.acquire().await.unwrap(), &[id]).await.unwrap().remove(&id);
        OnRecord {
            state: details.execution.state,
            input: details.execution.continued_with.unwrap_or(details.execution.input).to_string(),
            output: details.execution.output.map(|output| output.to_string()),
            journal: journal.map(|journal| journal.unwrap()).unwrap_or_default(),
            mailbox: details.mailbox.iter().map(|message| message.payload.to_string()).collect(),
            refusals: details.refusals.len(),
        }
    }
}
