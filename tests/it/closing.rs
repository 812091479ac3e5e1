//! Closing events: a workflow that is about to end takes what was sent to it, and later senders are told so.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use durable::prelude::*;
use durable::{Delivery, WaitOutcome};
use futures_util::future::join_all;
use serde_json::json;
use sqlx::Connection;

use crate::support::{self, Database, PATIENCE, clock, eventually};

const WAITING: &str = "select count(*) from durable.executions where state = 'waiting'";

/// Takes items until it is told to stop, and then those that are left.
struct Basket;

#[workflow]
impl Basket {
    async fn run(&self, cx: &Context, _: ()) -> Result<Vec<u64>> {
        let mut items = Vec::new();
        loop {
            match cx.wait_for_any::<u64>(["item", "stop"]).await? {
                (name, _) if name == "stop" => break,
                (_, item) => items.push(item),
            }
        }
        items.extend(cx.close_events::<u64>("item").await?);
        Ok(items)
    }
}

/// Closes its items as soon as it begins, and stays until it is told to end; says what it took, and how a later wait ended.
struct Shut;

#[workflow]
impl Shut {
    async fn run(&self, cx: &Context, _: ()) -> Result<(Vec<u64>, String)> {
        let taken = cx.close_events("item").await?;
        let late = cx.wait_for_event::<u64>("item").await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Closed);
        let () = cx.wait_for_event("end").await?;
        Ok((taken, late.to_string()))
    }
}

/// Closes its items while another branch waits for one.
struct Divided;

#[workflow]
impl Divided {
    async fn run(&self, cx: &Context, _: ()) -> Result<(Option<ErrorKind>, usize)> {
        let wait = async { Ok::<_, Error>(cx.wait_for_event::<u64>("item").await.err().map(|error| error.kind())) };
        let close = async {
            let () = cx.wait_for_event("close").await?;
            cx.close_events::<u64>("item").await.map(|taken| taken.len())
        };
        durable::join!(wait, close).await
    }
}

/// Closes its items in a branch that loses before its code has seen them, and then waits for one.
struct Undecided;

#[workflow]
impl Undecided {
    async fn run(&self, cx: &Context, _: ()) -> Result<(Vec<u64>, u64)> {
        let go = async { cx.wait_for_event("go").await.map(|()| Vec::new()) };
        let taken = durable::race!(go, async { cx.close_events::<u64>("item").await }).await?;
        Ok((taken, cx.wait_for_event("item").await?))
    }
}

/// Continues as new after it has closed its items, once.
struct Shift;

#[workflow]
impl Shift {
    async fn run(&self, cx: &Context, before: Option<Vec<u64>>) -> Result<(Vec<u64>, Vec<u64>)> {
        if let Some(before) = before {
            let () = cx.wait_for_event("end").await?;
            return Ok((before, cx.close_events("item").await?));
        }
        let () = cx.wait_for_event("next").await?;
        let taken = cx.close_events::<u64>("item").await?;
        cx.continue_as_new(&Some(taken)).await
    }
}

/// Closes its items, and fails until it has been tried often enough.
struct Flaky {
    attempts: Arc<AtomicUsize>,
}

#[workflow]
impl Flaky {
    async fn run(&self, cx: &Context, _: ()) -> Result<Vec<u64>> {
        self.prepare().await?;
        let items = cx.close_events::<u64>("item").await?;
        self.ship().await?;
        let () = cx.wait_for_event("end").await?;
        Ok(items)
    }

    #[step]
    async fn prepare(&self) -> Result<()> {
        Ok(())
    }

    #[step(retry(max_attempts = 1))]
    async fn ship(&self) -> Result<()> {
        if self.attempts.fetch_add(1, Ordering::SeqCst) == 0 { Err(Error::new("the van is full")) } else { Ok(()) }
    }
}

/// Waits for two events in one branch, of which another branch closes one; then waits for the other alone.
struct Partial;

#[workflow]
impl Partial {
    async fn run(&self, cx: &Context, _: ()) -> Result<(String, u64)> {
        let both = async { Ok::<_, Error>(cx.wait_for_all::<u64>(["a", "b"]).await.unwrap_err()) };
        let close = async {
            let () = cx.wait_for_event("close").await?;
            cx.close_events::<u64>("b").await
        };
        let (error, _) = durable::join!(both, close).await?;
        assert_eq!(error.kind(), ErrorKind::Closed);
        Ok((error.to_string(), cx.wait_for_event("a").await?))
    }
}

/// Waits for any of two events that it has closed.
struct Either;

#[workflow]
impl Either {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        cx.close_events::<u64>("a").await?;
        cx.close_events::<u64>("b").await?;
        cx.wait_for_any::<u64>(["a", "b"]).await.map(drop)
    }
}

async fn until_closed(database: &Database, id: ExecutionId) {
    let closed = format!("select count(*) from durable.closed_events where execution_id = '{id}'");
    eventually("its items are closed", async || database.count(&closed).await == 1).await;
}

#[tokio::test]
async fn a_workflow_that_closes_its_events_gets_all_that_was_sent_and_later_senders_are_refused() {
    let database = support::database().await;
    let client = database.client().await;
    let handle = client.start::<Shut>(()).await.unwrap();
    for item in [1, 2, 3] {
        client.send_event(handle.id(), "item", &item).await.unwrap();
    }
    let worker = database.builder().cached_executions(0).register(Shut).start().await.unwrap();
    until_closed(&database, handle.id()).await;

    let refused = client.send_event(handle.id(), "item", &4).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed);
    let expected = format!("execution {} takes no more events `item`: its workflow has closed them", handle.id());
    assert!(refused.to_string().contains(&expected), "{refused}");
    let by_sql = sqlx::query("select durable.send_event($1, 'item', '5')").bind(handle.id().as_uuid());
    let by_sql = by_sql.execute(database.pool()).await.unwrap_err().into_database_error().unwrap();
    assert_eq!(by_sql.code().as_deref(), Some("UD411"));
    let mut connection = database.pool().acquire().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let within = client.send_event_within(&mut transaction, handle.id(), "item", &6).await.unwrap_err();
    assert_eq!(within.kind(), ErrorKind::Closed);
    transaction.rollback().await.unwrap();
    assert!(matches!(client.send_event(handle.id(), "other", &7).await.unwrap(), Delivery::Kept { .. }), "it is another name");

    client.send_event(handle.id(), "end", &()).await.unwrap();
    let (taken, late) = handle.result_within(PATIENCE).await.unwrap();
    assert_eq!(taken, [1, 2, 3]);
    assert!(late.contains("event `item` cannot come: the workflow has closed it with cx.close_events"), "{late}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_message_that_a_close_has_taken_is_acknowledged_when_it_is_sent_again() {
    let database = support::database().await;
    let worker = database.builder().register(Shut).start().await.unwrap();
    let client = database.client().await;
    worker.queue("default").pause().await.unwrap();
    let handle = client.start::<Shut>(()).await.unwrap();
    let send = async || {
        let sent = "select outcome from durable.send_event($1, 'item', '1', '0198f000-0000-7000-8000-000000000001')";
        sqlx::query_scalar::<_, String>(sent).bind(handle.id().as_uuid()).fetch_one(database.pool()).await.unwrap()
    };
    assert_eq!(send().await, "kept");
    worker.queue("default").resume().await.unwrap();
    until_closed(&database, handle.id()).await;
    assert_eq!(send().await, "repeated");
    client.send_event(handle.id(), "end", &()).await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap().0, [1]);
    worker.shutdown().await.unwrap();
}

/// Senders in Rust, in SQL, and in transactions of their own that hold a message for a while, race the close.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_is_both_acknowledged_and_not_returned_however_senders_race_a_close() {
    const BASKETS: usize = 32;
    const ITEMS: u64 = 24;
    let database = support::database().await;
    let workers = [
        database.builder().cached_executions(0).register(Basket).start().await.unwrap(),
        database.builder().cached_executions(16).register(Basket).start().await.unwrap(),
    ];
    let client = database.client().await;
    let handles = client.start_many::<Basket>(vec![(); BASKETS]).await.unwrap();
    let sent = handles.iter().enumerate().map(|(number, handle)| {
        let (client, id, database) = (client.clone(), handle.id(), &database);
        let stopping = client.clone();
        let stop = async move {
            // Among its items, at another place for each basket.
            let taken = format!("select count(*) from durable.waits where execution_id = '{id}'");
            eventually("it has taken some", async || database.count(&taken).await > i64::try_from(number % 6).unwrap()).await;
            stopping.send_event(id, "stop", &0).await.unwrap();
        };
        let offer = move |item: u64| {
            let client = client.clone();
            async move {
                let isolation = match item % 4 {
                    0 => return client.send_event(id, "item", &item).await.map(drop).map_err(|error| error.kind()),
                    1 => "begin",
                    2 => "begin isolation level repeatable read",
                    _ => "begin isolation level serializable",
                };
                let mut connection = database.pool().acquire().await.unwrap();
                let mut transaction = connection.begin_with(isolation).await.unwrap();
                let _: i64 = sqlx::query_scalar(WAITING).fetch_one(&mut *transaction).await.unwrap();
                tokio::task::yield_now().await;
                let sent = client.send_event_within(&mut transaction, id, "item", &item).await;
                match sent {
                    Ok(_) => transaction.commit().await.map_err(|_| ErrorKind::Database),
                    // A strict transaction may have to be repeated: then nothing was acknowledged.
                    Err(error) if item % 4 > 1 && error.kind() == ErrorKind::Unavailable => Err(ErrorKind::Database),
                    Err(error) => Err(error.kind()),
                }
            }
        };
        async move {
            let items = async {
                let mut acknowledged = Vec::new();
                for item in 0..ITEMS {
                    match offer(item).await {
                        Ok(()) => acknowledged.push(item),
                        Err(kind) => {
                            assert!(matches!(kind, ErrorKind::Closed | ErrorKind::Finished | ErrorKind::Database), "{kind:?}")
                        }
                    }
                }
                acknowledged
            };
            tokio::join!(items, stop).0
        }
    });
    let acknowledged = join_all(sent).await;
    for (handle, acknowledged) in handles.iter().zip(&acknowledged) {
        let mut items = handle.result_within(PATIENCE).await.unwrap();
        items.sort_unstable();
        assert_eq!(&items, acknowledged, "{}", handle.id());
    }
    assert!(acknowledged.iter().any(|items| items.len() < usize::try_from(ITEMS).unwrap()), "no sender came too late");
    assert_eq!(database.count("select count(*) from durable.mailbox").await, 0);
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_transaction_that_cannot_see_the_close_is_refused() {
    let database = support::database().await;
    let client = database.client().await;
    for begin in ["begin isolation level repeatable read", "begin isolation level serializable"] {
        let handle = client.start::<Shut>(()).await.unwrap();
        let mut connection = database.pool().acquire().await.unwrap();
        let mut transaction = connection.begin_with(begin).await.unwrap();
        let closed = format!("select count(*) from durable.closed_events where execution_id = '{}'", handle.id());
        let before: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(closed)).fetch_one(&mut *transaction).await.unwrap();
        let worker = database.builder().register(Shut).start().await.unwrap();
        until_closed(&database, handle.id()).await;
        let refused = client.send_event_within(&mut transaction, handle.id(), "item", &7).await.unwrap_err();
        assert_eq!((refused.kind(), before), (ErrorKind::Closed, 0), "{begin}: {refused}");
        transaction.rollback().await.unwrap();
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_strict_transaction_sends_what_is_open_and_leaves_nothing_behind() {
    let database = support::database().await;
    let client = database.client().await;
    let handle = client.start::<Basket>(()).await.unwrap();
    let mut connection = database.pool().acquire().await.unwrap();
    let mut transaction = connection.begin_with("begin isolation level repeatable read").await.unwrap();
    for item in [1, 2] {
        client.send_event_within(&mut transaction, handle.id(), "item", &item).await.unwrap();
    }
    transaction.commit().await.unwrap();
    assert_eq!(database.count("select count(*) from durable.closed_events").await, 0);
    client.send_event(handle.id(), "stop", &0).await.unwrap();
    let worker = database.builder().register(Basket).start().await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), [1, 2]);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_close_ends_the_wait_of_another_branch() {
    let database = support::database().await;
    let worker = database.builder().cached_executions(0).register(Divided).start().await.unwrap();
    let handle = worker.start::<Divided>(()).await.unwrap();
    eventually("it waits", async || database.count(WAITING).await == 1).await;
    worker.send_event(handle.id(), "close", &()).await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), (Some(ErrorKind::Closed), 0));
    let waits = worker.get_execution(handle.id()).await.unwrap().waits;
    assert!(waits.iter().any(|wait| wait.outcome == Some(WaitOutcome::Closed)), "{waits:?}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_refused_by_the_close_and_the_others_are_returned() {
    let database = support::database().await;
    let client = database.client().await;
    let handle = client.start::<Shut>(()).await.unwrap();
    for item in [json!(1), json!("two"), json!(3), json!([])] {
        client.send_event(handle.id(), "item", &item).await.unwrap();
    }
    let worker = database.builder().cached_executions(0).register(Shut).start().await.unwrap();
    client.send_event(handle.id(), "end", &()).await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap().0, [1, 3]);
    let refusals = client.get_execution(handle.id()).await.unwrap().refusals;
    let mut refused: Vec<String> = refusals.iter().map(|refusal| refusal.payload.as_ref().unwrap().to_string()).collect();
    refused.sort();
    assert_eq!(refused, [r#""two""#, "[]"]);
    assert!(refusals.iter().all(|refusal| refusal.key == "close item" && refusal.name == "item"), "{refusals:?}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn many_large_events_are_returned_in_order() {
    const ITEMS: usize = 9;
    let database = support::database().await;
    let client = database.client().await;
    let handle = client.start::<Heavy>(()).await.unwrap();
    for item in 0..ITEMS {
        client.send_event(handle.id(), "item", &format!("{item}{}", "x".repeat(1_500_000))).await.unwrap();
    }
    let worker = database.builder().cached_executions(0).register(Heavy).start().await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), (0..ITEMS).map(|item| item.to_string()).collect::<Vec<_>>());
    let parts = client.get_execution(handle.id()).await.unwrap().waits;
    let keys: Vec<&str> = parts.iter().map(|wait| wait.key.as_str()).collect();
    assert_eq!(keys[..3], ["close item", "close item/more", "close item/more#2"]);
    assert!(parts.iter().all(|wait| wait.payload.as_ref().unwrap().as_str().len() < 5_000_000));
    worker.shutdown().await.unwrap();
}

/// Closes items that are large, and returns how each begins.
struct Heavy;

#[workflow]
impl Heavy {
    async fn run(&self, cx: &Context, _: ()) -> Result<Vec<String>> {
        let items = cx.close_events::<String>("item").await?;
        Ok(items.into_iter().map(|item| item.trim_end_matches('x').to_owned()).collect())
    }
}

#[tokio::test]
async fn a_close_in_a_branch_that_loses_is_undone_and_its_messages_stay() {
    let database = support::database().await;
    let client = database.client().await;
    let handle = client.start::<Undecided>(()).await.unwrap();
    client.send_event(handle.id(), "item", &1).await.unwrap();
    client.send_event(handle.id(), "go", &()).await.unwrap();
    // Both branches are over at once, and the first of them wins.
    let worker = database.builder().cached_executions(0).register(Undecided).start().await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), (vec![], 1));
    assert_eq!(database.count("select count(*) from durable.closed_events").await, 0);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_came_for_a_wait_for_all_stays_if_another_of_its_events_is_closed() {
    for cached in [0, 100] {
        let database = support::database().await;
        let worker = database.builder().cached_executions(cached).register(Partial).start().await.unwrap();
        let handle = worker.start::<Partial>(()).await.unwrap();
        worker.send_event(handle.id(), "a", &1).await.unwrap();
        eventually("one of the events was taken", async || {
            let taken = "select count(*) from durable.waits where key = 'join/0/all/event a' and outcome = 'received'";
            database.count(taken).await == 1 && database.count(WAITING).await == 1
        })
        .await;
        worker.send_event(handle.id(), "a", &2).await.unwrap();
        worker.send_event(handle.id(), "close", &()).await.unwrap();
        let (error, first) = handle.result_within(PATIENCE).await.unwrap();
        assert!(error.contains("not all of the events `a`, `b` can come: the workflow has closed one of them"), "{error}");
        assert_eq!(first, 1);
        let kept = worker.get_execution(handle.id()).await.unwrap().mailbox;
        assert_eq!(kept.iter().map(|message| message.name.as_str()).collect::<Vec<_>>(), ["a"]);
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_wait_for_any_of_closed_events_names_them() {
    let database = support::database().await;
    let worker = database.builder().register(Either).start().await.unwrap();
    let error = worker.start::<Either>(()).await.unwrap().result_within(PATIENCE).await.unwrap_err();
    assert!(error.to_string().contains("event `a` or `b` cannot come"), "{error}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_next_iteration_takes_events_again() {
    let database = support::database().await;
    let worker = database.builder().cached_executions(0).register(Shift).start().await.unwrap();
    let handle = worker.start::<Shift>(None).await.unwrap();
    worker.send_event(handle.id(), "item", &1).await.unwrap();
    worker.send_event(handle.id(), "next", &()).await.unwrap();
    eventually("it has continued", async || {
        database.count("select count(*) from durable.executions where continuations = 1 and state = 'waiting'").await == 1
    })
    .await;
    worker.send_event(handle.id(), "item", &2).await.unwrap();
    worker.send_event(handle.id(), "end", &()).await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), (vec![1], vec![2]));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_retry_keeps_what_was_closed_and_a_fork_from_before_opens_it() {
    let database = support::database().await;
    let worker = database.builder().cached_executions(0).register(Flaky { attempts: Arc::default() }).start().await.unwrap();
    worker.queue("default").pause().await.unwrap();
    let handle = worker.start::<Flaky>(()).await.unwrap();
    worker.send_event(handle.id(), "item", &1).await.unwrap();
    worker.queue("default").resume().await.unwrap();
    handle.result_within(PATIENCE).await.unwrap_err();

    let retry = worker.retry(handle.id()).await.unwrap();
    let refused = worker.send_event(retry, "item", &2).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Closed);
    worker.send_event(retry, "end", &()).await.unwrap();
    assert_eq!(worker.handle::<Flaky>(retry).result_within(PATIENCE).await.unwrap(), [1]);

    worker.queue("default").pause().await.unwrap();
    let fork = worker.fork(handle.id(), "close item").await.unwrap();
    worker.send_event(fork, "item", &3).await.unwrap();
    worker.send_event(fork, "end", &()).await.unwrap();
    worker.queue("default").resume().await.unwrap();
    assert_eq!(worker.handle::<Flaky>(fork).result_within(PATIENCE).await.unwrap(), [3]);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_end_that_leaves_messages_says_how_many() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let client = database.client().await;
    let handle = client.start::<Basket>(()).await.unwrap();
    for (name, number) in [("item", 1), ("note", 2), ("note", 3), ("stop", 0), ("item", 4)] {
        client.send_event(handle.id(), name, &number).await.unwrap();
    }
    let worker = database.builder().register(Basket).start().await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), [1, 4]);
    let why = client.introspect(handle.id()).await.unwrap();
    let unread: Vec<&str> = why.details.mailbox.iter().map(|message| message.name.as_str()).collect();
    assert_eq!(unread, ["note", "note"]);
    assert!(why.to_string().contains("\n- 2 acknowledged messages were never read: event `note` (2)"), "{why}");
    worker.shutdown().await.unwrap();
}
