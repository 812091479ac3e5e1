//! Gathering: the first of several events, or all of them, or what came in time; none is lost to it, and none is taken too much.

use std::collections::BTreeMap;

use durable::Received;
use durable::prelude::*;
use futures_util::future::join_all;

use crate::support::{self, Database, PATIENCE, clock, eventually};

const NAMES: [&str; 3] = ["a", "b", "c"];

async fn until_waiting(database: &Database, executions: i64) {
    let waiting = "select count(*) from durable.executions where state = 'waiting'";
    eventually("all wait", async || database.count(waiting).await == executions).await;
}

/// Takes so many events, of any of three names.
struct Any;

#[workflow]
impl Any {
    async fn run(&self, cx: &Context, events: usize) -> Result<Vec<(String, u32)>> {
        let mut taken = Vec::new();
        for _ in 0..events {
            taken.push(cx.wait_for_any::<u32>(NAMES).await?);
        }
        Ok(taken)
    }
}

/// Takes one of two events, then the other, then gives up on a third.
struct FirstOfTwo;

#[workflow]
impl FirstOfTwo {
    async fn run(&self, cx: &Context, _: ()) -> Result<(String, u32, Option<(String, u32)>, (String, u32))> {
        let (first, _): (String, u32) = cx.wait_for_any(["a", "b"]).await?;
        let second: u32 = cx.wait_for_event(if first == "a" { "b" } else { "a" }).await?;
        let third = cx.wait_for_any(["a", "b"]).timeout(minutes(1)).await?;
        let last = cx.wait_for_any(["a", "b"]).timeout(minutes(1)).or(("none".to_owned(), 0)).await?;
        Ok((first, second, third, last))
    }
}

#[tokio::test]
async fn the_first_of_several_events_is_taken_with_its_name_and_the_other_stays_for_a_later_wait() {
    for (sent_before, cached) in [(true, 100), (false, 100), (true, 0), (false, 0)] {
        let database = support::database().await;
        clock::freeze(&database).await;
        let client = database.client().await;
        let handle = client.start::<FirstOfTwo>(()).await.unwrap();
        let send = async || {
            for (name, number) in [("b", 1), ("a", 2)] {
                client.send_event(handle.id(), name, &number).await.unwrap();
            }
        };
        if sent_before {
            send().await;
        }
        let worker = database.builder().cached_executions(cached).register(FirstOfTwo).start().await.unwrap();
        until_waiting(&database, 1).await;
        if !sent_before {
            send().await;
        }
        clock::advance(&database, minutes(2)).await;
        let result = handle.result_within(PATIENCE).await.unwrap();
        assert_eq!(result, ("b".to_owned(), 2, None, ("none".to_owned(), 0)));
        assert_eq!(database.count("select count(*) from durable.mailbox").await, 0);
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_for_any_loses_no_event_however_senders_race() {
    const EXECUTIONS: usize = 16;
    const EACH: u32 = 10;
    let database = support::database().await;
    let workers = [
        database.builder().cached_executions(0).register(Any).start().await.unwrap(),
        database.builder().cached_executions(4).register(Any).start().await.unwrap(),
    ];
    let events = NAMES.len() * EACH as usize;
    let handles = workers[0].start_many::<Any>(vec![events; EXECUTIONS]).await.unwrap();
    let senders = handles.iter().flat_map(|handle| NAMES.map(|name| (handle.id(), name)));
    join_all(senders.enumerate().map(|(number, (id, name))| {
        let sender = workers[number % 2].clone();
        tokio::spawn(async move {
            for event in 0..EACH {
                sender.send_event(id, name, &event).await.unwrap();
            }
        })
    }))
    .await;
    for handle in &handles {
        let mut taken: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (name, number) in handle.result_within(PATIENCE).await.unwrap() {
            taken.entry(name).or_default().push(number);
        }
        let all: Vec<u32> = (0..EACH).collect();
        assert_eq!(taken, NAMES.map(|name| (name.to_owned(), all.clone())).into(), "of one name, in the order sent");
    }
    assert_eq!(database.count("select count(*) from durable.mailbox").await, 0);
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
}

type Votes = BTreeMap<String, Received<Option<u32>>>;

/// Waits for all three, for an hour at most if told so; then it takes what comes late.
struct All;

#[workflow]
impl All {
    async fn run(&self, cx: &Context, timed: bool) -> Result<(Votes, Option<u32>)> {
        if timed {
            let votes = cx.wait_for_all::<Option<u32>>(NAMES).timeout(hours(1)).await?;
            let late = cx.wait_for_event("c").timeout(hours(1)).await?;
            return Ok((votes, late));
        }
        let votes = cx.wait_for_all::<Option<u32>>(NAMES).await?;
        Ok((votes.into_iter().map(|(name, vote)| (name, Received::InTime(vote))).collect(), None))
    }
}

fn votes(votes: [Received<Option<u32>>; 3]) -> Votes {
    NAMES.map(str::to_owned).into_iter().zip(votes).collect()
}

#[tokio::test]
async fn all_of_several_events_are_waited_for_and_taken_by_name_one_each() {
    for cached in [0, 100] {
        let database = support::database().await;
        let worker = database.builder().cached_executions(cached).register(All).start().await.unwrap();
        let handle = worker.start::<All>(false).await.unwrap();
        until_waiting(&database, 1).await;
        // The second `b` is not for this wait.
        for (name, number) in [("c", Some(3)), ("b", None), ("b", Some(9)), ("a", Some(1))] {
            worker.send_event(handle.id(), name, &number).await.unwrap();
        }
        let (all, _) = handle.result_within(PATIENCE).await.unwrap();
        let null_is_a_payload = Received::InTime(None);
        assert_eq!(all, votes([Received::InTime(Some(1)), null_is_a_payload, Received::InTime(Some(3))]));
        assert_eq!(database.values::<String>("select payload::text from durable.mailbox").await, ["9"]);
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn when_time_is_over_each_name_has_a_status_and_what_comes_late_is_kept() {
    for cached in [0, 100] {
        let database = support::database().await;
        clock::freeze(&database).await;
        let worker = database.builder().cached_executions(cached).register(All).start().await.unwrap();
        let handle = worker.start::<All>(true).await.unwrap();
        until_waiting(&database, 1).await;
        worker.send_event(handle.id(), "b", &2).await.unwrap();
        clock::advance(&database, hours(1)).await;
        worker.send_event(handle.id(), "a", &1).await.unwrap();
        worker.send_event(handle.id(), "c", &3).await.unwrap();
        let (in_time, late) = handle.result_within(PATIENCE).await.unwrap();
        assert_eq!(in_time, votes([Received::TimedOut, Received::InTime(Some(2)), Received::TimedOut]));
        assert_eq!(late, Some(3));
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_events_that_race_the_timeout_are_in_time_or_kept() {
    const EXECUTIONS: usize = 50;
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().cached_executions(0).register(All).start().await.unwrap();
    let handles = worker.start_many::<All>(vec![true; EXECUTIONS]).await.unwrap();
    until_waiting(&database, 50).await;
    let send = join_all(handles.iter().flat_map(|handle| NAMES.map(|name| worker.send_event(handle.id(), name, &7))));
    let (_, sent) = tokio::join!(clock::turn(&database, hours(1)), send);
    sent.into_iter().for_each(|sent| drop(sent.unwrap()));
    clock::advance(&database, hours(1)).await;
    let mut in_time = 0;
    for handle in &handles {
        let (votes, late) = handle.result_within(PATIENCE).await.unwrap();
        in_time += votes.values().filter(|vote| **vote == Received::InTime(Some(7))).count() + usize::from(late.is_some());
    }
    let kept = usize::try_from(database.count("select count(*) from durable.mailbox").await).unwrap();
    assert_eq!(in_time + kept, EXECUTIONS * NAMES.len());
    worker.shutdown().await.unwrap();
}

/// Waits for what cannot be waited for.
struct Misnamed;

#[workflow]
impl Misnamed {
    async fn run(&self, cx: &Context, what: String) -> Result<()> {
        let long = "n".repeat(201);
        match what.as_str() {
            "event" => cx.wait_for_event("").await,
            "topic" => cx.wait_for_topic("").await,
            "input" => cx.wait_for_input("").await,
            "long event" => cx.wait_for_event(&long).await,
            "long input" => cx.wait_for_input(&long).await,
            "any of none" => cx.wait_for_any::<()>(Vec::<String>::new()).await.map(drop),
            "any of unnamed" => cx.wait_for_any::<()>(["a", ""]).await.map(drop),
            "any of long" => cx.wait_for_any::<()>(["a", &long]).await.map(drop),
            "all of none" => cx.wait_for_all::<()>(Vec::<String>::new()).await.map(drop),
            "all of unnamed" => cx.wait_for_all::<()>(["a", ""]).await.map(drop),
            "all of one" => cx.wait_for_all::<()>(["a", "a"]).timeout(hours(1)).await.map(drop),
            "no choice" => cx.wait_for_choice("colour", Vec::<String>::new()).await.map(drop),
            "no choices" => cx.wait_for_choices("colours", Vec::<String>::new()).await.map(drop),
            "no number" => cx.wait_for_number("size").between(2.0..=1.0).await.map(drop),
            "endless numbers" => cx.wait_for_number("size").between(0.0..=f64::INFINITY).await.map(drop),
            _ => cx.wait_for_event("paid").correlation("order-42").await,
        }
    }
}

#[tokio::test]
async fn a_wait_that_makes_no_sense_is_refused_where_it_is_called_and_nothing_is_registered() {
    let database = support::database().await;
    let worker = database.builder().register(Misnamed).start().await.unwrap();
    for (what, problem) in [
        ("event", "this wait needs the name of its event"),
        ("topic", "this wait needs the name of its topic"),
        ("input", "this wait needs the name of its input"),
        ("long event", "the name of this event has 201 bytes, over the limit of 200"),
        ("long input", "the name of this input has 201 bytes, over the limit of 200"),
        ("any of none", "wait_for_any needs at least one name"),
        ("any of unnamed", "this wait needs the name of its event"),
        ("any of long", "the name of this event has 201 bytes, over the limit of 200"),
        ("all of none", "wait_for_all needs at least one name, and each once"),
        ("all of unnamed", "this wait needs the name of its event"),
        ("all of one", "wait_for_all needs at least one name, and each once"),
        ("no choice", "input `colour` offers no choices: give at least one"),
        ("no choices", "input `colours` offers no choices: give at least one"),
        ("no number", "no number is between 2 and 1"),
        ("endless numbers", "no number is between 0 and inf"),
        ("correlated event", "a correlation belongs to a topic: use cx.wait_for_topic(…)"),
    ] {
        let handle = worker.start::<Misnamed>(what.to_owned()).await.unwrap();
        let error = handle.result_within(PATIENCE).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Invalid, problem), "{what}");
    }
    assert_eq!(database.count("select count(*) from durable.waits").await, 0);
    worker.shutdown().await.unwrap();
}

/// Waits twice for a name, and then for names that look like its keys.
struct Lookalikes;

#[workflow]
impl Lookalikes {
    async fn run(&self, cx: &Context, _: ()) -> Result<Vec<String>> {
        let mut taken = Vec::new();
        for name in ["paid", "paid", "paid#2", "join/0/event paid", "paid%232"] {
            taken.push(cx.wait_for_event(name).await?);
        }
        let (inner,) = durable::join!(cx.wait_for_event::<String>("paid")).await?;
        taken.push(inner);
        Ok(taken)
    }
}

#[tokio::test]
async fn a_name_that_reads_like_a_journal_key_gets_an_event_of_its_own() {
    for cached in [0, 100] {
        let database = support::database().await;
        let worker = database.builder().cached_executions(cached).register(Lookalikes).start().await.unwrap();
        let handle = worker.start::<Lookalikes>(()).await.unwrap();
        for (name, payload) in
            [("paid%232", "e"), ("join/0/event paid", "d"), ("paid#2", "c"), ("paid", "a"), ("paid", "b"), ("paid", "f")]
        {
            worker.send_event(handle.id(), name, payload).await.unwrap();
        }
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), ["a", "b", "c", "d", "e", "f"]);
        assert_eq!(database.count("select count(distinct key) from durable.waits").await, 6);
        worker.shutdown().await.unwrap();
    }
}
