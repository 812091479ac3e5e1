//! Odd values: values that no execution can use are refused at once, by the client and the SQL functions alike.

use std::time::Duration;

use durable::chrono::{DateTime, Utc};
use durable::prelude::*;
use serde_json::value::RawValue;
use sqlx::types::Uuid;

use crate::support::{self, Database, PATIENCE, clock, eventually};

/// Sleeps for the longest duration.
struct Ages;

#[workflow]
impl Ages {
    async fn run(&self, cx: &Context, how: String) -> Result<String> {
        match how.as_str() {
            "for ever" => cx.sleep(Duration::MAX).await?,
            "for very long" => cx.sleep(days(100_000_000)).await?,
            "until the end" => cx.sleep_until(DateTime::<Utc>::MAX_UTC).await?,
            "since the beginning" => cx.sleep_until(DateTime::<Utc>::MIN_UTC).await?,
            "for a minute" => cx.sleep(minutes(1)).await?,
            "for a message" => return cx.wait_for_event("message").timeout(Duration::MAX).or_fail().await,
            _ => return self.try_in_ages().await,
        }
        Ok(how)
    }

    #[step(retry(max_attempts = 2))]
    async fn try_in_ages(&self) -> Result<String> {
        Err(Error::retry_after(Duration::MAX, "not in this age"))
    }
}

#[tokio::test]
async fn a_wait_for_longer_than_all_time_never_ends_and_stops_no_other() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Ages).start().await.unwrap();
    let waits = ["for ever", "for very long", "until the end", "for a message", "for an attempt"];
    for how in waits {
        worker.start::<Ages>(how.to_owned()).await.unwrap();
    }
    let waiting = "select count(*) from durable.executions where state = 'waiting'";
    eventually("all wait", async || database.count(waiting).await == 5).await;
    for how in ["since the beginning", "for a minute"] {
        let handle = worker.start::<Ages>(how.to_owned()).await.unwrap();
        if how == "for a minute" {
            eventually("it waits", async || database.count(waiting).await == 6).await;
            clock::turn(&database, minutes(2)).await;
        }
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), how);
    }
    clock::turn(&database, days(365_000)).await;
    assert_eq!(database.count(waiting).await, 5);
    worker.shutdown().await.unwrap();
}

/// Whether a SQL function accepts it. A refusal must have one of our codes and a hint.
async fn verb_takes(database: &Database, sql: &str, text: Option<&str>) -> bool {
    let asked = sqlx::query_scalar::<_, Uuid>(sqlx::AssertSqlSafe(sql.to_owned())).bind(text).fetch_one(database.pool()).await;
    let Err(error) = asked else { return true };
    let error = error.into_database_error().unwrap();
    let error = error.downcast_ref::<sqlx::postgres::PgDatabaseError>();
    assert!(matches!(error.code(), "UD422" | "UD413"), "{sql}: {} {}", error.code(), error.message());
    assert!(error.hint().is_some(), "{sql}: {}", error.message());
    false
}

#[tokio::test]
async fn client_and_verb_agree_on_every_payload() {
    let database = support::database().await;
    let client = database.client().await;
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let objects = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    let digits = |count: usize| format!("1{}", "0".repeat(count));
    let good = [
        "null".to_owned(),
        "-0.0".to_owned(),
        r#""\ud83d\ude00""#.to_owned(),
        r#""\\ud800 \\u0000""#.to_owned(),
        "1e308".to_owned(),
        "-1e308".to_owned(),
        "1.7976931348623157e308".to_owned(),
        "1e-400".to_owned(),
        "18446744073709551616".to_owned(),
        digits(308),
        "0e999".to_owned(),
        r#""1e400 2e999""#.to_owned(),
        nested(126),
        objects(126),
        format!("[{}1]", "{},".repeat(200)),
        format!(r#""{}""#, "[".repeat(300)),
        format!(r#"{{"{}\\u0000": 1}}"#, "a".repeat(2000)),
        r#"{"a": 1, "a": 2}"#.to_owned(),
    ];
    let bad = [
        r#""\ud800""#.to_owned(),
        r#""\udc00\ud800""#.to_owned(),
        r#"{"\ud800 ": 1}"#.to_owned(),
        r#""\u0000""#.to_owned(),
        r#"[{"a\u0000": [1]}]"#.to_owned(),
        r#""\\\u0000""#.to_owned(),
        "1e400".to_owned(),
        "-1e400".to_owned(),
        r#"{"a": [0, 1e999999]}"#.to_owned(),
        digits(309),
        digits(140_000),
        "1.8e308".to_owned(),
        format!("{}e100", digits(250)),
        nested(127),
        objects(127),
        format!("[{}]", nested(126)),
    ];
    for (payload, is_good) in good.iter().map(|good| (good, true)).chain(bad.iter().map(|bad| (bad, false))) {
        let shown: String = payload.chars().take(40).collect();
        let raw = RawValue::from_string(payload.clone()).unwrap();
        assert_eq!(client.start_by_name("echo", &raw).await.is_ok(), is_good, "the client and {shown}");
        assert_eq!(
            verb_takes(&database, "select durable.start('echo', $1::json)", Some(payload)).await,
            is_good,
            "the verb and {shown}"
        );
    }
    let listed = client.list_executions().limit(1000).await.unwrap().executions;
    assert_eq!(listed.len(), good.len() * 2);
    assert!(listed.iter().all(|execution| execution.unreadable.is_none()), "{listed:?}");
}

#[tokio::test]
async fn client_and_verb_agree_on_every_name_and_key() {
    let database = support::database().await;
    let client = database.client().await;
    let long = |length: usize| "ä".repeat(length / 2);
    let names = [
        ("a".to_owned(), true),
        ("50%off".to_owned(), true),
        ("a b\u{a0}c'\"$1\\".to_owned(), true),
        (long(1000), true),
        ("\u{2028}".to_owned(), true),
        (String::new(), false),
        (long(1002), false),
        ("a\nb".to_owned(), false),
        ("\u{1b}[31m".to_owned(), false),
        ("\u{7f}".to_owned(), false),
        ("\u{85}".to_owned(), false),
        ("\t".to_owned(), false),
    ];
    for (at, (name, is_good)) in names.iter().enumerate() {
        let input = at;
        let start = || client.start_by_name("echo", &input);
        let by_client = [
            ("queue", start().queue(name).await),
            ("key", start().key(name).await),
            ("concurrency_key", start().concurrency_key(name).await),
            ("deduplication_key", start().deduplication_key(name).await),
            ("debounce_key", start().debounce(name.as_str(), seconds(1)).await),
        ];
        for (option, started) in by_client {
            assert_eq!(started.is_ok(), *is_good, "the client, {option} and {name:?}");
            let more = if option == "debounce_key" { ", debounce => '1 s'" } else { "" };
            let sql = format!("select durable.start('echo', '{at}', {option} => $1{more})");
            assert_eq!(verb_takes(&database, &sql, Some(name)).await, *is_good, "the verb, {option} and {name:?}");
        }
        let published = client.publish("news", &1).key(format!("{at}{name}")).correlation(name).await.is_ok();
        assert_eq!(published, *is_good && name.len() < 999, "the client and a correlation of {name:?}");
        let sql = "select gen_random_uuid() from durable.publish('news', correlation => $1)";
        assert_eq!(verb_takes(&database, sql, Some(name)).await, *is_good, "the verb and a correlation of {name:?}");
        let limits = client.queue(name).set_limits(durable::QueueLimits::default().concurrency(1)).await.is_ok();
        assert_eq!(limits, *is_good, "the client and limits of {name:?}");
    }
    for sql in [
        "select durable.start(null)",
        "select durable.start('echo', queue => null)",
        "select durable.start('echo', priority => null)",
        "select durable.start('echo', priority => 32768)",
        "select durable.start('echo', version => 0)",
        "select durable.start('echo', version => null)",
        "select durable.start(repeat('x', 101))",
        "select gen_random_uuid() from durable.send_event(gen_random_uuid(), repeat('x', 1001))",
        "select gen_random_uuid() from durable.provide_input(gen_random_uuid(), E'\\n', '1')",
        "select gen_random_uuid() from durable.publish(null)",
        "select gen_random_uuid() from (select durable.pause_queue(null)) as paused",
        "select gen_random_uuid() from (select durable.delete_queue(null)) as gone",
        "select gen_random_uuid() from (select durable.set_queue_limits('q', rate => 1, rate_period => '178000000 years')) as limited",
        "select durable.trigger_schedule(null)",
        "select id from durable.retry(gen_random_uuid(), version => 0)",
        "select id from durable.fork(gen_random_uuid(), null)",
        "select gen_random_uuid() from (select durable.backfill_schedule('s', 1, array['infinity'::timestamptz])) as filled",
    ] {
        assert!(!verb_takes(&database, sql, None).await, "{sql}");
    }
}

#[tokio::test]
async fn client_and_verb_agree_on_every_time() {
    let database = support::database().await;
    let client = database.client().await;
    let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    for (sql, at, is_good) in [
        ("'infinity'", DateTime::<Utc>::MAX_UTC, false),
        ("'290000-01-01'", DateTime::<Utc>::MAX_UTC, false),
        ("'10000-01-01 00:00:00+00'", time("+10000-01-01T00:00:00Z"), false),
        ("'9999-12-31 23:59:59+00'", time("9999-12-31T23:59:59Z"), true),
        ("'0001-01-01 00:00:00+00'", time("0001-01-01T00:00:00Z"), true),
        ("'-infinity'", DateTime::<Utc>::MIN_UTC, true),
    ] {
        assert_eq!(client.start_by_name("echo", &1).at(at).await.is_ok(), is_good, "the client and {at}");
        let verb = format!("select durable.start('echo', start_at => {sql})");
        assert_eq!(verb_takes(&database, &verb, None).await, is_good, "{verb}");
    }
    let years = |years: u64| Duration::from_secs(years * 31_557_600);
    for (sql, length, may_delay, may_live) in [
        ("'100 years'", years(100), true, true),
        ("'101 years'", years(101), true, false),
        ("'1000 years'", years(1000), true, false),
        ("'1001 years'", years(1001), false, false),
        ("'178000000 years'", Duration::MAX, false, false),
    ] {
        let start = || client.start_by_name("echo", &1);
        assert_eq!(start().delay(length).await.is_ok(), may_delay, "the client and a delay of {length:?}");
        assert_eq!(start().time_to_live(length).await.is_ok(), may_live, "the client and a time to live of {length:?}");
        assert_eq!(
            start().debounce(format!("{length:?}"), length).await.is_ok(),
            may_delay,
            "the client and a period of {length:?}"
        );
        for (option, is_good) in [("delay", may_delay), ("time_to_live", may_live), ("debounce_key => 'k', debounce", may_delay)]
        {
            let verb = format!("select durable.start('echo', {option} => {sql})");
            assert_eq!(verb_takes(&database, &verb, None).await, is_good, "{verb}");
        }
    }
    let listed = client.list_executions().limit(1000).await.unwrap().executions;
    assert!(listed.iter().all(|execution| execution.unreadable.is_none()), "{listed:?}");
}

/// Each option alone and with each other option, as the client and the verb take it.
#[tokio::test]
async fn client_and_verb_agree_on_which_options_a_start_may_have_together() {
    const NONE: &str = "none";
    let database = support::database().await;
    let client = database.client().await;
    let time = "2030-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap();
    let debounces = [NONE, "debounce_key => 'd'", "debounce => '0 s'", "debounce => '5 s'"];
    let limits = [NONE, "debounce_at_most => '4 s'", "debounce_at_most => '5 s'"];
    let others = [NONE, "key => 'k'", "deduplication_key => 'k'", "start_at => '2030-01-01 00:00:00+00'", "delay => '1 s'"];
    for (debounce, limit, other) in
        debounces.iter().flat_map(|debounce| limits.iter().flat_map(move |limit| others.map(|other| (*debounce, *limit, other))))
    {
        // A key without a period is what only the verb can be given.
        let given_key = if debounce.starts_with("debounce =>") { ", debounce_key => 'd'" } else { "" };
        let options: Vec<&str> = [debounce, limit, other].into_iter().filter(|option| *option != NONE).collect();
        let options = options.iter().map(|option| format!(", {option}")).collect::<String>();
        let verb = format!("select durable.start('echo', '1'{options}{given_key})");
        let taken = verb_takes(&database, &verb, None).await;
        let mut start = client.start_by_name("echo", &1);
        start = match debounce {
            "debounce => '0 s'" => start.debounce("d", Duration::ZERO),
            "debounce => '5 s'" => start.debounce("d", seconds(5)),
            NONE => start,
            _ => {
                assert!(!taken, "{verb}");
                continue;
            }
        };
        start = match limit {
            "debounce_at_most => '4 s'" => start.debounce_at_most(seconds(4)),
            "debounce_at_most => '5 s'" => start.debounce_at_most(seconds(5)),
            _ => start,
        };
        start = match other {
            "key => 'k'" => start.key("k"),
            "deduplication_key => 'k'" => start.deduplication_key("k"),
            "delay => '1 s'" => start.delay(seconds(1)),
            NONE => start,
            _ => start.at(time),
        };
        assert_eq!(start.await.is_ok(), taken, "{verb}");
    }
}
