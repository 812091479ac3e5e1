//! Mistyping: a message under a name that nothing waits for is kept, and its sender and the operators can see that.

use durable::prelude::*;
use durable::{Delivery, Severity, Subject, WaitKind};
use sqlx::Executor;

use crate::support::{self, Database, PATIENCE, clock, eventually};

/// Waits for a payment, and asks for an address.
struct Order;

#[workflow]
impl Order {
    async fn run(&self, cx: &Context, _: ()) -> Result<String> {
        let paid = async { cx.wait_for_any::<u32>(["paid", "waived"]).await };
        let address = async { cx.wait_for_text("address").await };
        let (_, address) = durable::try_join!(paid, address).await?;
        Ok(address)
    }
}

async fn waiting(database: &Database) {
    eventually("it waits", async || database.count("select count(*) from durable.executions where state = 'waiting'").await == 1)
        .await;
}

#[tokio::test]
async fn a_message_says_whether_a_wait_has_got_it() {
    let database = support::database().await;
    let worker = database.builder().register(Order).start().await.unwrap();
    let handle = worker.start::<Order>(()).await.unwrap();
    let id = handle.id();
    waiting(&database).await;
    let kept = worker.send_event(id, "payed", &1).await.unwrap();
    assert_eq!(kept, Delivery::Kept { open: vec!["paid".to_owned(), "waived".to_owned()] });
    assert!(kept.is_kept());
    let kept = worker.provide_input(id, "adress", "Oslo").by("ada").await.unwrap();
    assert_eq!(kept, Delivery::Kept { open: vec!["address".to_owned()] });
    let mut connection = database.pool().acquire().await.unwrap();
    connection.execute("begin").await.unwrap();
    assert!(worker.send_event_within(&mut connection, id, "Paid", &1).await.unwrap().is_kept());
    connection.execute("rollback").await.unwrap();

    let mailbox = worker.get_execution(id).await.unwrap().mailbox;
    let shown: Vec<_> =
        mailbox.iter().map(|kept| (kept.kind, kept.name.as_str(), kept.payload.as_str(), kept.sent_by.as_deref())).collect();
    assert_eq!(shown, [(WaitKind::Event, "payed", "1", None), (WaitKind::Input, "adress", "\"Oslo\"", Some("ada"))]);

    assert_eq!(worker.send_event(id, "waived", &1).await.unwrap(), Delivery::Delivered);
    assert_eq!(worker.provide_input(id, "address", "Oslo").await.unwrap(), Delivery::Delivered);
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "Oslo");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn psql_is_told_which_names_are_open() {
    let database = support::database().await;
    let worker = database.builder().register(Order).start().await.unwrap();
    let id = worker.start::<Order>(()).await.unwrap().id();
    waiting(&database).await;
    let told: String = database
        .value(&format!("select outcome || ': ' || open_names::text from durable.send_event('{id}', 'payed', '1')"))
        .await;
    assert_eq!(told, "kept: {paid,waived}");
    let told: Option<String> =
        database.value(&format!("select open_names::text from durable.send_event('{id}', 'paid', '1')")).await;
    assert_eq!(told, None);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_message_that_nothing_has_waited_for_in_an_hour_is_a_finding() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Order).start().await.unwrap();
    let id = worker.start::<Order>(()).await.unwrap().id();
    waiting(&database).await;
    worker.send_event(id, "payed", &1).await.unwrap();
    let about_mailboxes = async || {
        let findings = database.builder().examine().await.unwrap();
        findings.into_iter().filter(|finding| finding.about == Subject::Mailboxes).collect::<Vec<_>>()
    };
    assert_eq!(about_mailboxes().await, []);
    clock::turn(&database, minutes(61)).await;
    let findings = about_mailboxes().await;
    let [finding] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!(finding.severity, Severity::Warning);
    for part in [id.to_string().as_str(), "`payed`", "it waits for `paid`, `waived`, `address`"] {
        assert!(finding.problem.contains(part), "{finding}");
    }
    worker.cancel(id, "mistyped").await.unwrap();
    assert_eq!(about_mailboxes().await, []);
    worker.shutdown().await.unwrap();
}
