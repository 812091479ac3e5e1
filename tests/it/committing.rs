//! Answers that the database sent and nobody received: whether a statement was committed is unknown, and it must not matter.

use std::task::Poll;

use durable::prelude::*;
use durable::sqlx::{Connection, PgConnection};

use crate::crashing::{self, ORDER, ProcessOrder, RECEIPT};
use crate::support::process::Folder;
use crate::support::proxy::{Fate, Moment, Proxy, Trap};
use crate::support::{self, Database, eventually, soon};

/// A connection is cut before, or after, the database has committed the statement.
const MOMENTS: [Moment; 2] = [Moment::Before, Moment::After];

fn cut(statement: &'static str, nth: usize, moment: Moment) -> Trap {
    Trap { statements: vec![statement.to_owned()], nth, moment, fate: Fate::Cut }
}

/// An engine whose every connection goes through the proxy.
async fn behind(proxy: &Proxy, folder: &Folder) -> Durable {
    let builder = Durable::builder().database_url(proxy.url()).max_connections(6);
    let builder = builder.poll_interval(std::time::Duration::from_millis(200));
    builder.register(ProcessOrder { effects: folder.effects() }).start().await.unwrap()
}

#[tokio::test]
async fn an_order_is_processed_once_whichever_answer_is_lost() {
    let statements = [
        ("executions/start", 1),
        ("executions/save", 1),
        ("executions/save", 2),
        ("executions/finish", 1),
        ("executions/park", 1),
        ("executions/park", 2),
        ("executions/wake", 1),
        ("executions/wake", 2),
        ("executions/claim", 1),
        ("executions/claim", 2),
        ("attempts/record", 1),
        ("waits/send_event", 1),
        ("waits/provide_input", 1),
        ("workers/beat", 1),
    ];
    for (statement, nth) in statements {
        for moment in MOMENTS {
            let what = format!("{moment:?} {statement} {nth}").to_lowercase();
            let database = support::database().await;
            let folder = Folder::new();
            let proxy = Proxy::before(&database).await;
            let durable = behind(&proxy, &folder).await;
            proxy.set(cut(statement, nth, moment));

            let world = crashing::outside_world(&database, durable.clone());
            let handle = durable.start::<ProcessOrder>(ORDER).await.unwrap();
            let receipt = soon(&format!("finished although cut {what}"), handle.result()).await.unwrap();
            world.await.unwrap();

            assert_eq!(receipt, RECEIPT, "{what}");
            assert!(proxy.has_caught() || statement == "workers/beat", "{what} never came");
            assert_eq!(folder.effects().all(), ["authorized", "captured", "receipt sent"], "{what}");
            crashing::check_journal(&what, &database).await;
            durable.shutdown().await.unwrap();
        }
    }
}

#[tokio::test]
async fn many_are_started_once_and_cancelled_once_when_the_answer_is_lost() {
    for moment in MOMENTS {
        let database = support::database().await;
        let folder = Folder::new();
        let proxy = Proxy::before(&database).await;
        let client = Durable::builder().database_url(proxy.url()).start().await.unwrap();

        proxy.set(cut("executions/start", 1, moment));
        let handles = client.start_many::<ProcessOrder>(vec![ORDER; 5]).await.unwrap();
        assert!(proxy.has_caught());
        let mut started: Vec<uuid::Uuid> = database.values("select execution_id from durable.executions order by 1").await;
        started.dedup();
        let mut returned: Vec<uuid::Uuid> = handles.iter().map(|handle| handle.id().as_uuid()).collect();
        returned.sort_unstable();
        assert_eq!(started, returned, "{moment:?}");

        proxy.set(cut("executions/start", 1, moment));
        let first = client.start::<ProcessOrder>(ORDER).key("one").await.unwrap();
        assert!(proxy.has_caught());
        assert_eq!(client.start::<ProcessOrder>(ORDER).key("one").await.unwrap().id(), first.id());

        proxy.set(cut("executions/cancel", 1, moment));
        client.cancel(first.id(), "no longer wanted").await.unwrap();
        assert!(proxy.has_caught());
        assert_eq!(first.execution().await.unwrap().state, ExecutionState::Cancelled);
        assert!(folder.effects().all().is_empty());
    }
}

#[tokio::test]
async fn an_event_or_answer_sent_twice_by_the_network_counts_once() {
    for moment in MOMENTS {
        let database = support::database().await;
        let proxy = Proxy::before(&database).await;
        let client = Durable::builder().database_url(proxy.url()).start().await.unwrap();
        let id = client.start::<ProcessOrder>(ORDER).await.unwrap().id();

        proxy.set(cut("waits/send_event", 1, moment));
        client.send_event(id, "picked_up", "DHL").await.unwrap();
        assert!(proxy.has_caught());
        proxy.set(cut("waits/provide_input", 1, moment));
        client.provide_input(id, "approval", &true).await.unwrap();
        assert!(proxy.has_caught());

        let kept: Vec<String> = database.values("select kind || ' ' || payload from durable.mailbox order by arrival").await;
        assert_eq!(kept, [r#"event "DHL""#, "input true"], "{moment:?}");
    }
}

/// Polls a future so many times at most, then drops it; whether it had finished by then.
pub(crate) async fn polled<T>(future: impl Future<Output = T>, mut times: usize) -> bool {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(move |cx| {
        if times == 0 {
            return Poll::Ready(false);
        }
        times -= 1;
        future.as_mut().poll(cx).map(|_| true)
    })
    .await
}

/// Drops the call after its first poll, after its second, and so on until it finishes before it is dropped.
async fn drop_at_every_poll<T>(what: &str, database: &Database, mut call: impl AsyncFnMut() -> T) {
    for times in 1.. {
        let finished = polled(call(), times).await;
        assert!(times < 1000, "{what} takes a thousand polls");
        if finished {
            break;
        }
    }
    let open = "select count(*) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null";
    eventually(&format!("no transaction is left open by {what}"), async || database.count(open).await == 0).await;
}

#[tokio::test]
async fn calls_that_are_dropped_half_way_leave_no_transaction_open() {
    let database = support::database().await;
    let client = Durable::builder().database_url(&database.url).max_connections(2).start().await.unwrap();
    let handle = client.start::<ProcessOrder>(ORDER).await.unwrap();
    let id = handle.id();

    drop_at_every_poll("start", &database, async || client.start::<ProcessOrder>(ORDER).await.map(drop)).await;
    drop_at_every_poll("start_many", &database, async || client.start_many::<ProcessOrder>([ORDER, ORDER]).await.map(drop)).await;
    drop_at_every_poll("send_event", &database, async || client.send_event(id, "picked_up", "DHL").await).await;
    drop_at_every_poll("provide_input", &database, async || client.provide_input(id, "approval", &true).await).await;
    drop_at_every_poll("get_execution", &database, async || client.get_execution(id).await.map(drop)).await;
    drop_at_every_poll("list_executions", &database, async || client.list_executions().await.map(drop)).await;
    drop_at_every_poll("pending_inputs", &database, async || client.pending_inputs().await.map(drop)).await;
    drop_at_every_poll("cancel", &database, async || client.cancel(id, "enough").await).await;
    drop_at_every_poll("result", &database, async || handle.result().await.map(drop)).await;

    // And the connections that those calls had in hand are as good as new.
    for _ in 0..10 {
        client.get_execution(id).await.unwrap();
    }
}

#[tokio::test]
async fn a_start_that_nobody_waits_for_any_more_happens_whole_or_not_at_all() {
    let database = support::database().await;
    let folder = Folder::new();
    let durable = database.builder().register(ProcessOrder { effects: folder.effects() }).start().await.unwrap();
    for times in 1..20 {
        polled(async { durable.start::<ProcessOrder>(ORDER).await }, times).await;
    }
    let last = durable.start::<ProcessOrder>(ORDER).await.unwrap();
    let waiting = "select count(*) from durable.executions where state <> 'waiting'";
    eventually("taken up, all of them", async || database.count(waiting).await == 0).await;

    let started = usize::try_from(database.count("select count(*) from durable.executions").await).unwrap();
    assert!(last.execution().await.is_ok());
    assert_eq!(folder.effects().count("captured"), started);
    durable.shutdown().await.unwrap();
}

/// Its second step counts what the first has left in the database.
struct Counting {
    url: String,
}

#[workflow]
impl Counting {
    async fn run(&self, _cx: &Context, _input: ()) -> Result<i64> {
        self.first().await?;
        self.committed_so_far().await
    }

    #[step]
    async fn first(&self) -> Result<()> {
        Ok(())
    }

    #[step]
    async fn committed_so_far(&self) -> Result<i64> {
        let id = durable::step().execution_id().unwrap().as_uuid();
        let url = self.url.clone();
        // Asked while this body is polled for the first time: the run cannot write anything meanwhile.
        Ok(std::thread::spawn(move || checkpoints_of(&url, id)).join().unwrap())
    }
}

/// How many checkpoints an execution has, asked on a connection and a runtime of its own.
fn checkpoints_of(url: &str, id: uuid::Uuid) -> i64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let count = "select count(*) from durable.checkpoints where execution_id = $1";
        durable::sqlx::query_scalar(count).bind(id).fetch_one(&mut connection).await.unwrap()
    })
}

#[tokio::test]
async fn a_step_begins_only_when_the_checkpoint_of_the_one_before_is_committed() {
    let database = support::database().await;
    let durable = database.builder().register(Counting { url: database.url.clone() }).start().await.unwrap();
    let handle = durable.start::<Counting>(()).await.unwrap();
    assert_eq!(soon("the result", handle.result()).await.unwrap(), 1);
    durable.shutdown().await.unwrap();
}
