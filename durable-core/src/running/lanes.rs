//! The Postgres ledger: each kind of write goes through its lane, which writes for many executions at once.

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::BoxFuture;
use super::hold::Hold;
use super::ledger::{FamilyNews, Here, Ledger};
use crate::error::Result;
use crate::ids::{ExecutionId, Home};
use crate::model::{ExecutionValue, StoredNode, Tags};
use crate::store::attempts::{AttemptRecord, Attempts};
use crate::store::continuations::{self, Continuation, Continued};
use crate::store::parks::{Park, ParkOutcome, Parks};
use crate::store::saves::{Save, Saves, Written};
use crate::store::transactions::{Commit, Committed, Open, Transactions};
use crate::store::{self, Lane, Patience, Store, archives, tags, values};

/// What the runs of a process write to and read from.
#[derive(Debug)]
pub(crate) struct Lanes {
    pub(crate) saves: Lane<Saves>,
    pub(crate) parks: Lane<Parks>,
    pub(crate) attempts: Lane<Attempts>,
    pub(crate) transactions: Transactions,
    pub(crate) store: Store,
    pub(crate) lease: watch::Receiver<Instant>,
    pub(crate) news: mpsc::UnboundedSender<FamilyNews>,
    pub(crate) here: Here,
}

impl Ledger for Lanes {
    fn save(&self, save: Save) -> BoxFuture<'static, Result<Written>> {
        Box::pin(self.saves.submit(save))
    }

    fn park<'park>(
        &'park self,
        park: &'park Park,
        given_up: &'park (dyn Fn() -> bool + Send + Sync),
    ) -> BoxFuture<'park, Result<ParkOutcome>> {
        Box::pin(self.parks.write_when_free(park, given_up))
    }

    fn record_attempt(&self, record: AttemptRecord) -> BoxFuture<'static, Result<Written>> {
        Box::pin(self.attempts.submit(record))
    }

    fn read_value(&self, id: ExecutionId, name: &str) -> BoxFuture<'static, Result<Option<ExecutionValue>>> {
        let (store, name) = (self.store.clone(), name.to_owned());
        Box::pin(async move {
            let read = || values::get(&store, &store.pool, id, &name);
            store::run("read a value", Patience::Endless, read).await
        })
    }

    fn read_nodes(&self, id: ExecutionId) -> BoxFuture<'static, Result<Vec<StoredNode>>> {
        let store = self.store.clone();
        Box::pin(async move { store::run("read nodes", Patience::Endless, || values::nodes(&store, &store.pool, id)).await })
    }

    fn archive(&self, id: ExecutionId, Hold { worker, epoch }: Hold) -> BoxFuture<'static, Result<()>> {
        let store = self.store.clone();
        Box::pin(async move {
            let archive = || archives::archive_own(&store, &store.pool, worker, id, epoch);
            store::run("archive an execution", Patience::Endless, archive).await
        })
    }

    fn continue_as_new<'next>(&'next self, continuation: &'next Continuation) -> BoxFuture<'next, Result<Continued>> {
        let store = &self.store;
        Box::pin(async move {
            let begin = || continuations::continue_as_new(store, &store.pool, continuation);
            let begun = store::run("continue an execution as new", Patience::Endless, begin).await;
            store.watched.note([continuation.id]);
            begun
        })
    }

    fn read_tags(&self, id: ExecutionId) -> BoxFuture<'static, Result<Tags>> {
        let store = self.store.clone();
        Box::pin(async move { store::run("read tags", Patience::Endless, || tags::get(&store, &store.pool, id)).await })
    }

    fn begin(&self) -> BoxFuture<'_, Result<Open>> {
        Box::pin(self.transactions.begin())
    }

    fn commit<'commit>(&'commit self, transaction: Open, commit: &'commit Commit) -> BoxFuture<'commit, Result<Committed>> {
        Box::pin(self.transactions.commit(transaction, commit))
    }

    fn lease(&self) -> &watch::Receiver<Instant> {
        &self.lease
    }

    fn tell(&self, news: FamilyNews) {
        // An engine that shuts down has no receiver any more; other processes find the children by polling.
        let _ = self.news.send(news);
    }

    fn new_id(&self, home: Home) -> ExecutionId {
        ExecutionId::new_in(home)
    }

    fn here(&self) -> &Here {
        &self.here
    }
}
