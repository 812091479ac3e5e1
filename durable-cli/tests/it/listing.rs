//! Listing: every filter, every format, page by page.

use serde_json::{Value, json};

use crate::support::{self, Database};

/// Three executions: one that failed, one that waits, one that is paused in a queue of its own.
async fn three(database: &Database) -> [String; 3] {
    let start = async |arguments: &[&str]| {
        let arguments = [&["execution", "start", "journey", "-o", "ids"], arguments].concat();
        database.durable(&arguments).await.done().trim().to_owned()
    };
    let failed = start(&["--input", "\"nobody\"", "--key", "first"]).await;
    let waiting = start(&["--input", "\"Ada\"", "--tag", "tenant=acme", "--tag", "channel=web"]).await;
    let worker = database.worker().await;
    support::eventually("one has failed, one waits", async || {
        database.value::<i64>("select count(*) from durable.executions where state in ('failed', 'waiting')").await == 2
    })
    .await;
    worker.shutdown().await.unwrap();
    let paused = start(&["--queue", "rare"]).await;
    database.durable(&["execution", "pause", &paused]).await.done();
    [failed, waiting, paused]
}

#[tokio::test]
async fn a_list_has_what_passes_every_filter_the_newest_first() {
    let database = support::database().await;
    let [failed, waiting, paused] = &three(&database).await;
    let tomorrow = "2100-01-01";
    for (filters, expected) in [
        (vec![], vec![paused, waiting, failed]),
        (vec!["--state", "failed,waiting"], vec![waiting, failed]),
        (vec!["--state", "paused", "--state", "failed"], vec![paused, failed]),
        (vec!["--workflow", "journey", "--queue", "rare"], vec![paused]),
        (vec!["--workflow", "journey", "--version", "1", "--queue", "rare"], vec![paused]),
        (vec!["--workflow", "journey", "--version", "2"], vec![]),
        (vec!["--key", "first"], vec![failed]),
        (vec!["--tag", "tenant=acme"], vec![waiting]),
        (vec!["--tag", "tenant=acme", "--tag", "channel=web", "--state", "waiting"], vec![waiting]),
        (vec!["--tag", "tenant=acme", "--tag", "channel=app"], vec![]),
        (vec!["--key", "' or true --"], vec![]),
        (vec!["--state", "paused"], vec![paused]),
        (vec!["--state", "pending"], vec![]),
        (vec!["--id", waiting], vec![waiting]),
        (vec!["--id", &waiting[..1]], vec![paused, waiting, failed]),
        (vec!["--id", "ffff"], vec![]),
        (vec!["--from", tomorrow], vec![]),
        (vec!["--before", tomorrow], vec![paused, waiting, failed]),
        (vec!["--parent", waiting], vec![]),
        (vec!["--limit", "2"], vec![paused, waiting]),
        (vec!["--after", waiting], vec![failed]),
        (vec!["--sort", "created", "--ascending"], vec![failed, waiting, paused]),
        (vec!["--sort", "priority"], vec![paused, waiting, failed]),
        (vec!["--sort", "finished", "--limit", "1"], vec![failed]),
    ] {
        let printed = database.durable(&[&["execution", "list", "-o", "ids"], filters.as_slice()].concat()).await.done();
        assert_eq!(printed.lines().collect::<Vec<_>>(), expected, "{filters:?}");
    }
    let page = database.durable(&["execution", "list", "--limit", "2", "-o", "ids"]).await;
    assert_eq!(page.err, format!("there are more: --after={waiting}\n"));
    let page =
        database.durable(&["execution", "list", "--limit", "1", "--state", "failed,waiting", "--total", "-o", "ids"]).await;
    assert_eq!(page.err, format!("there are more: --after={waiting}\n2 in all\n"));
    let page = database.durable(&["execution", "list", "--sort", "priority", "--limit", "2", "-o", "ids"]).await;
    let cursor = page.err.trim().strip_prefix("there are more: --after=").unwrap();
    let rest = database.durable(&["execution", "list", "--sort", "priority", "--after", cursor, "-o", "ids"]).await.done();
    assert_eq!(rest.trim(), failed);
}

#[tokio::test]
async fn a_list_is_a_table_for_people_and_json_for_programs() {
    let database = support::database().await;
    assert_eq!(database.durable(&["execution", "list"]).await.done(), "none\n");
    assert_eq!(database.durable(&["execution", "list", "-o", "json"]).await.json(), json!([]));
    assert_eq!(database.durable(&["execution", "list", "-o", "ids"]).await.done(), "");
    let [failed, _, paused] = &three(&database).await;
    let table = database.durable(&["execution", "list"]).await.done();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("ID ") && lines[0].ends_with("ERROR"), "{table}");
    assert!(lines[1].starts_with(paused.as_str()) && lines[1].contains(" paused "), "{table}");
    assert!(lines[3].starts_with(failed.as_str()) && lines[3].ends_with("nobody travels"), "{table}");
    let list = database.durable(&["execution", "list", "-o", "json"]).await.json();
    let states: Vec<&Value> = list.as_array().unwrap().iter().map(|execution| &execution["state"]).collect();
    assert_eq!(states, ["paused", "waiting", "failed"]);
    assert_eq!(list[2]["error"]["message"], "nobody travels");
}

#[tokio::test]
async fn a_filter_that_makes_no_sense_is_wrong_usage() {
    let database = support::database().await;
    for (filter, message) in [
        (["--state", "done"], "`done` is no execution state; the states are pending, running"),
        (["--parent", "order-42"], "`order-42` is no execution id"),
        (["--id", "order"], "no execution id begins with `order`"),
        (["--from", "yesterday"], "`yesterday` is not a time"),
        (["--sort", "size"], "executions are not sorted by `size`; choose from created, started"),
        (["--sort", "priority; drop table executions"], "executions are not sorted by"),
        (["--after", "order-42:priority"], "`order-42:priority` is no cursor"),
        (["--limit", "0"], "a limit of 0 is not between 1 and 1000"),
    ] {
        let complaint = database.durable(&["execution", "list", filter[0], filter[1]]).await.refused(2);
        assert!(complaint.contains(message), "{filter:?}: {complaint}");
    }
}

#[tokio::test]
async fn workers_are_listed_while_they_live() {
    let database = support::database().await;
    let worker = database.worker().await;
    let list = database.durable(&["worker", "list", "-o", "json"]).await.json();
    // How many slots are in use depends on whether a claim is under way.
    let queue = &list[0]["queues"][0];
    assert_eq!((&queue["queue"], &queue["slots"]), (&json!("default"), &json!(100)));
    assert_eq!((&list[0]["process_id"], &list[0]["workflows"]), (&json!(std::process::id()), &json!(["journey@1"])));
    let table = database.durable(&["worker", "list"]).await.done();
    assert!(table.lines().nth(1).unwrap().contains(" active "), "{table}");
    let id = list[0]["id"].as_str().unwrap();
    assert_eq!(database.durable(&["worker", "deprecate", id]).await.done(), format!("deprecated {id}\n"));
    assert_eq!(database.durable(&["worker", "list", "-o", "json"]).await.json()[0]["state"], "deprecated");
    let complaint = database.durable(&["worker", "deprecate", "nobody"]).await.refused(2);
    assert!(complaint.contains("nobody"), "{complaint}");
    database.durable(&["worker", "deprecate", &uuid::Uuid::now_v7().to_string()]).await.refused(4);
    worker.shutdown().await.unwrap();
    support::eventually("it is gone, or lost", async || {
        let list = database.durable(&["worker", "list", "-o", "json"]).await.json();
        list.as_array().unwrap().iter().all(|worker| worker["state"] == "lost")
    })
    .await;
}

#[tokio::test]
async fn queues_are_limited_paused_drained_and_listed() {
    let database = support::database().await;
    assert_eq!(database.durable(&["queue", "list"]).await.done(), "none\n");
    let limits = ["queue", "limits", "mails", "--concurrency", "20", "--rate", "100/1m"];
    assert_eq!(database.durable(&limits).await.done(), "limited mails\n");
    assert_eq!(database.durable(&["queue", "pause", "mails"]).await.done(), "paused mails\n");
    database.durable(&["execution", "start", "journey", "--queue", "mails"]).await.done();
    let list = database.durable(&["queue", "list", "-o", "json"]).await.json();
    assert_eq!(
        (&list[0]["name"], &list[0]["pending"], &list[0]["limits"]["concurrency"]),
        (&json!("mails"), &json!(1), &json!(20))
    );
    let table = database.durable(&["queue", "list"]).await.done();
    assert!(table.lines().nth(1).unwrap().contains("100/60s"), "{table}");
    assert_eq!(database.durable(&["queue", "drain", "mails", "--timeout", "1s", "-o", "ids"]).await.done(), "mails\n");
    assert_eq!(database.durable(&["queue", "resume", "mails"]).await.done(), "resumed mails\n");
    assert!(database.durable(&["queue", "list", "-o", "json"]).await.json()[0]["paused_at"].is_null());
    for (arguments, message) in [
        (&["limits", "mails", "--concurrency", "0"][..], "has a concurrency of 0; give at least 1"),
        (&["limits", "mails", "--rate", "often"], "`often` is no rate"),
        (&["pause", ""], "a queue needs a name"),
    ] {
        let complaint = database.durable(&[&["queue"], arguments].concat()).await.refused(2);
        assert!(complaint.contains(message), "{complaint}");
    }
}

#[tokio::test]
async fn figures_are_shown_for_each_step_and_wait() {
    let database = support::database().await;
    three(&database).await;
    let printed = database.durable(&["execution", "analytics", "--state", "failed,waiting"]).await.done();
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines[0].contains("STEP OR WAIT") && lines[0].contains("TIME TO REACH"), "{printed}");
    assert!(lines.iter().any(|line| line.contains("journey") && line.contains("1 waiting, 1 failed")), "{printed}");
    assert!(lines.iter().any(|line| line.contains("step pack") && line.contains("100 %")), "{printed}");
    assert!(lines.iter().any(|line| line.contains("input place") && line.contains("50 %")), "{printed}");

    let json: Value = serde_json::from_str(&database.durable(&["execution", "analytics", "-o", "json"]).await.done()).unwrap();
    assert_eq!(
        (&json[0]["workflow"], &json[0]["executions"], &json[0]["states"]["failed"]),
        (&json!("journey"), &json!(3), &json!(1))
    );
    let tagged = database.durable(&["execution", "analytics", "--tag", "tenant=acme", "-o", "json"]).await.done();
    let tagged: Value = serde_json::from_str(&tagged).unwrap();
    assert_eq!(tagged[0]["executions"], json!(1));
}

#[tokio::test]
async fn an_archived_execution_is_listed_only_if_it_is_asked_for() {
    let database = support::database().await;
    let [failed, waiting, paused] = &three(&database).await;
    let archived = database.durable(&["execution", "archive", failed, waiting]).await.done();
    assert_eq!(archived, format!("archived {failed}\narchived {waiting}\n"));
    let list = async |arguments: &[&str]| {
        let arguments = [&["execution", "list", "-o", "ids"], arguments].concat();
        database.durable(&arguments).await.done()
    };
    assert_eq!(list(&[]).await, format!("{paused}\n"));
    assert_eq!(list(&["--only-archived"]).await, format!("{waiting}\n{failed}\n"));
    assert_eq!(list(&["--include-archived"]).await, format!("{paused}\n{waiting}\n{failed}\n"));
    assert!(database.durable(&["execution", "get", failed]).await.done().contains("archived"));
    let shown = database.durable(&["execution", "unarchive", failed]).await.done();
    assert_eq!(shown, format!("unarchived {failed}\n"));
    assert_eq!(list(&[]).await, format!("{paused}\n{failed}\n"));
}

#[tokio::test]
async fn the_history_of_a_node_is_shown_newest_first() {
    let database = support::database().await;
    let id = database.durable(&["execution", "start", "loan", "-o", "ids"]).await.done();
    let id = id.trim();
    let fill = format!(
        "with filled as (
             insert into durable.node_history (execution_id, set_at, revision, name, value, metadata)
             select '{id}', durable.now(), n, 'income', to_json(n * 100), case n when 3 then '\"by phone\"' end::json
             from generate_series(1, 3) as n
             returning revision
         )
         select count(*) from filled"
    );
    assert_eq!(database.value::<i64>(&fill).await, 3);
    let shown = database.durable(&["execution", "history", id, "income"]).await.done();
    let places = ["300", "200", "100"].map(|value| shown.find(value).unwrap_or_else(|| panic!("{shown}")));
    assert!(places.is_sorted() && shown.contains("by phone"), "{shown}");
    let ids = database.durable(&["execution", "history", id, "income", "-o", "ids"]).await.done();
    assert_eq!(ids, "3\n2\n1\n");
    let none = database.durable(&["execution", "history", id, "other"]).await.done();
    assert_eq!(none, "none\n");
}
