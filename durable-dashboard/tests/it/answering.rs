//! The inbox, and forms with and without mistakes.

use durable::ExecutionState;

use crate::support::workflows::{Book, worker};
use crate::support::{Site, attributes, database, until};
use durable_dashboard::{Access, Dashboard};

const GOOD: [(&str, &str); 10] = [
    ("v/name", "Ada\u{202e}"),
    ("v/seats", "2"),
    ("v/class", "1"),
    ("v/note", ""),
    ("v/address/zip", "12345"),
    ("v/stops#", "2"),
    ("v/stops/0/city", "Lyon"),
    ("v/stops/1/city", "Köln"),
    ("v/payment:", "1"),
    ("v/payment:1/number", "4111"),
];

/// The form with other values for some fields.
fn form<'form>(changes: &[(&'form str, &'form str)]) -> Vec<(&'form str, &'form str)> {
    let mut form: Vec<_> = GOOD.into_iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name)).collect();
    form.extend(changes);
    form
}

#[tokio::test]
async fn a_question_is_found_in_the_inbox_and_answered_by_its_form() {
    let database = database().await;
    let durable = worker(&database).await;
    let book = durable.start::<Book>("Where to, <Ada>?".to_owned()).await.unwrap();
    until(&durable, book.id(), ExecutionState::Waiting).await;
    let site = Site::of(Dashboard::new(durable.clone()).authorize(|_| Access::operator().by("grace@example.com"))).await;

    let inbox = site.get("/inbox?workflow=book").await.page();
    assert!(inbox.contains("Where to, &lt;Ada&gt;?"), "{inbox}");
    let href = attributes(&inbox, "href").into_iter().find(|href| href.contains("/answer")).unwrap().to_owned();
    assert_eq!(href, format!("executions/{}/answer?key=input+details", book.id()));
    let page = site.get(&format!("/{href}")).await.page();
    for part in [
        "name=\"v/name\"",
        "How many people travel.",
        "from 1",
        "to 9",
        "type=\"radio\" name=\"v/class\"",
        "name=\"v/address/zip\"",
        "^[0-9]{5}$",
        "name=\"v/stops#\"",
        "name=\"add\" value=\"v/stops\"",
        "name=\"v/payment:\" value=\"1\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let twin = site.json("/inbox").await;
    assert_eq!(twin["inputs"][0]["name"], "details", "{twin}");

    let given = site.post(&format!("/{href}"), &GOOD).await;
    assert_eq!(given.location(), "../../inbox?did=answer");
    let details = book.result().await.unwrap();
    assert_eq!((details.name.as_str(), details.seats, details.stops[1].city.as_str()), ("Ada\u{202e}", 2, "Köln"));
    let shown = site.get(&format!("/executions/{}", book.id())).await.page();
    assert!(shown.contains("answered by grace@example.com"), "{shown}");

    let late = site.post(&format!("/{href}"), &GOOD).await.refused(409);
    assert!(late.contains("This question was already answered by grace@example.com."), "{late}");
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn mistakes_are_said_at_their_fields_and_nothing_typed_is_lost() {
    let database = database().await;
    let durable = worker(&database).await;
    let book = durable.start::<Book>("Where to?".to_owned()).await.unwrap();
    until(&durable, book.id(), ExecutionState::Waiting).await;
    let site = Site::local(&durable).await;
    let path = format!("/executions/{}/answer?key=input+details", book.id());

    let typed = form(&[("v/seats", "two"), ("v/payment:", ""), ("v/note", "a <b> & \"c\"")]);
    let page = site.post(&path, &typed).await.refused(422);
    for part in [
        "2 fields need other values.",
        "`two` is not a whole number",
        "Choose one.",
        "value=\"two\"",
        "a &lt;b&gt; &amp; &quot;c&quot;",
        "value=\"12345\"",
        "4111</textarea>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let page = site.post(&path, &form(&[("v/seats", "12"), ("v/address/zip", "1234")])).await.refused(422);
    for part in ["It must be at most 9.", "It must fit the pattern", "value=\"12\"", "value=\"1234\""] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // The mistake stands in the field that has it.
    let zip = page.split("name=\"v/address/zip\"").next().unwrap().rsplit("class=\"field").next().unwrap();
    assert!(zip.starts_with(" wrong") && zip.contains("It must fit the pattern"), "{zip}");

    let page = site.post(&path, &form(&[("add", "v/stops")])).await.page();
    assert!(page.contains("name=\"v/stops#\" value=\"3\"") && page.contains("v/stops/2/city") && page.contains("Köln"), "{page}");
    let page = site.post(&path, &form(&[("remove", "v/stops/0")])).await.page();
    assert!(page.contains("name=\"v/stops#\" value=\"1\"") && page.contains("Köln") && !page.contains("Lyon"), "{page}");

    // The question is still open, and takes a right answer with a name.
    site.post(&path, &form(&[("by", "Ada")])).await.location();
    book.result().await.unwrap();
    let late = site.get(&path).await.refused(409);
    assert!(late.contains("This question was already answered by Ada."), "{late}");
    let unknown = site.get(&format!("/executions/{}/answer?key=input+other", book.id())).await.refused(404);
    assert!(unknown.contains("does not ask `input other`"), "{unknown}");
    durable.shutdown().await.unwrap();
}
