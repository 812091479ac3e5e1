//! Text that others wrote is shown in its cell: it moves no cursor and breaks no row, and programs get it unchanged.

use durable::Durable;
use serde_json::json;

use crate::support;

/// A line break, a colour, and the other direction.
const ODD: &str = "first\nsecond\u{1b}[31m\u{202e}";
const SHOWN: &str = r"first\nsecond\u{1b}[31m\u{202e}";

fn disturbs(text: &str) -> bool {
    text.chars().any(|letter| letter != '\n' && (letter.is_control() || letter == '\u{202e}'))
}

#[tokio::test]
async fn keys_and_names_with_control_characters_stay_in_their_rows() {
    let database = support::database().await;
    let client = Durable::builder().database_url(&database.url).start().await.unwrap();
    let id = client.start_by_name("journey", "Ada").key("odd").await.unwrap().to_string();
    // Neither the client nor a verb accepts such a key or name; rows that hold one are shown all the same.
    database.run(&format!("update durable.executions set key = '{ODD}'")).await;
    let table = database.durable(&["execution", "list"]).await.done();
    assert_eq!((table.lines().count(), table.contains(SHOWN), disturbs(&table)), (2, true, false), "{table}");
    let whole = database.durable(&["execution", "get", &id]).await.done();
    assert_eq!((whole.contains(SHOWN), disturbs(&whole)), (true, false), "{whole}");
    assert_eq!(database.durable(&["execution", "list", "-o", "json"]).await.json()[0]["key"], json!(ODD));
    client.cancel(id.parse().unwrap(), ODD).await.unwrap();
    for command in [&["execution", "list"][..], &["execution", "get", &id], &["execution", "logs", &id]] {
        let shown = database.durable(command).await.done();
        assert!(!disturbs(&shown), "{command:?}: {shown}");
    }

    client.schedule_workflow("odd", "journey", "@daily", "Ada").await.unwrap();
    database.run(&format!("update durable.schedules set schedule = '{ODD}'")).await;
    assert_eq!(database.durable(&["schedule", "list"]).await.done().lines().count(), 2);
    assert_eq!(database.durable(&["schedule", "list", "-o", "ids"]).await.done(), format!("{SHOWN}\n"));
    assert_eq!(database.durable(&["schedule", "disable", ODD]).await.done(), format!("disabled {SHOWN}\n"));
    let complaint = database.durable(&["schedule", "get", "red\u{1b}[31m"]).await.refused(4);
    assert!(complaint.contains(r"red\u{1b}[31m") && !disturbs(&complaint), "{complaint}");
}

#[tokio::test]
async fn a_list_of_schedules_or_inputs_that_is_cut_says_where_it_goes_on() {
    let database = support::database().await;
    let worker = database.worker().await;
    for name in ["a", "b c", "d"] {
        worker.schedule_workflow(name, "journey", "@daily", "Ada").await.unwrap();
    }
    let page = database.durable(&["schedule", "list", "--limit", "2", "-o", "ids"]).await;
    assert_eq!((page.out.as_str(), page.err.as_str()), ("a\nb c\n", "there are more: --after='b c'\n"));
    let page = database.durable(&["schedule", "list", "--after", "b c", "-o", "ids"]).await;
    assert_eq!((page.out.as_str(), page.err.as_str()), ("d\n", ""));

    let backfill = ["schedule", "backfill", "a", "--from", "2025-01-01", "--to", "2025-01-04"];
    assert_eq!(database.durable(&backfill).await.done(), "fired for 3 due times\n");
    let page = database.durable(&["schedule", "firings", "a", "--limit", "2"]).await;
    assert_eq!(page.err, "there are more: --before=2025-01-02T00:00:00+00:00\n");
    let rest = database.durable(&["schedule", "firings", "a", "--before", "2025-01-02T00:00:00Z"]).await;
    assert_eq!((rest.out.lines().count(), rest.err.as_str()), (2, ""));

    support::eventually("all three ask", async || worker.pending_inputs().await.unwrap().len() == 3).await;
    let mut seen = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut command = vec!["input", "list", "--limit", "1", "-o", "ids"];
        command.extend(after.iter().flat_map(|cursor| ["--after", cursor.as_str()]));
        let page = database.durable(&command).await;
        seen.push(page.out.clone());
        match page.err.trim().strip_prefix("there are more: --after=") {
            Some(cursor) => after = Some(cursor.to_owned()),
            None => break,
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 3, "{seen:?}");
    worker.shutdown().await.unwrap();
}
