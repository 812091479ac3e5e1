//! Holding: an execution has one claim at work in a process, whatever the order in which it hears of parkings, claims and losses.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use durable::observer::{ExecutionStarted, Observer};
use durable::prelude::*;

use crate::support::bodies::{Gate, Tally};
use crate::support::proxy::{Fate, Moment, Passage, Proxy, Trap};
use crate::support::{self, Database, eventually, soon};

/// So long that nothing is compared with the database in a test.
const LONG_LEASE: Duration = Duration::from_secs(600);

/// Writes that wait for the lock which the test has.
const HELD_UP: &str = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";

/// A step, a wait and another step; both may have to stand at a gate.
struct Errand {
    tally: Tally,
    gate: Option<Gate>,
}

impl Errand {
    fn counting(tally: &Tally) -> Self {
        Self { tally: tally.clone(), gate: None }
    }

    async fn call(&self, step: &str) {
        self.tally.add(step);
        if let Some(gate) = &self.gate {
            gate.pass().await;
        }
    }
}

#[workflow]
impl Errand {
    async fn run(&self, cx: &Context, (): ()) -> Result<u32> {
        let fetched = self.fetch().await?;
        let more: u32 = cx.wait_for_event("more").await?;
        self.add(fetched, more).await
    }

    #[step]
    async fn fetch(&self) -> Result<u32> {
        self.call("fetch").await;
        Ok(2)
    }

    #[step]
    async fn add(&self, fetched: u32, more: u32) -> Result<u32> {
        self.call("add").await;
        Ok(fetched + more)
    }
}

/// Two steps at once, each at a gate of its own; the first attempt of the slow one fails.
#[derive(Clone)]
struct Both {
    tally: Tally,
    quick_gate: Gate,
    slow_gate: Gate,
}

impl Both {
    fn new() -> Self {
        Self { tally: Tally::default(), quick_gate: Gate::closed(), slow_gate: Gate::closed() }
    }

    async fn until_begun(&self) {
        self.quick_gate.until_inside(1).await;
        self.slow_gate.until_inside(1).await;
    }
}

#[workflow]
impl Both {
    async fn run(&self, _cx: &Context, (): ()) -> Result<u32> {
        let (quick, slow) = durable::join!(self.quick(), self.slow()).await?;
        Ok(quick + slow)
    }

    #[step(compensate = undo_quick)]
    async fn quick(&self) -> Result<u32> {
        self.tally.add("quick");
        self.quick_gate.pass().await;
        Ok(2)
    }

    #[compensation]
    async fn undo_quick(&self, quick: u32) -> Result<()> {
        self.tally.add(format!("undo {quick}"));
        Ok(())
    }

    #[step(retry(max_attempts = 20, backoff = constant, base = "1ms", jitter = 0.0))]
    async fn slow(&self) -> Result<u32> {
        self.slow_gate.pass().await;
        match durable::step().attempt() {
            1 => Err(Error::new("not at the first attempt")),
            _ => Ok(40),
        }
    }
}

/// Counts the executions that begin.
#[derive(Clone, Default)]
struct Begun(Arc<AtomicUsize>);

impl Observer for Begun {
    fn on_start(&self, _: &ExecutionStarted) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Begun {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// An engine behind a proxy, whose execution has been parked without having heard of it.
async fn parked_and_not_told(database: &Database, lease: Duration) -> (Proxy, Durable, ExecutionHandle<Errand>, Tally) {
    let proxy = Proxy::before(database).await;
    let park = vec!["executions/park".to_owned()];
    proxy.set(Trap { statements: park, nth: 1, moment: Moment::After, fate: Fate::Held });
    let tally = Tally::default();
    let builder = database.builder().database_url(proxy.url()).max_connections(8).lease(lease);
    let durable = builder.register(Errand::counting(&tally)).start().await.unwrap();
    let handle = durable.start::<Errand>(()).await.unwrap();
    proxy.caught().await;
    (proxy, durable, handle, tally)
}

/// The same, after it was woken and claimed again.
async fn claimed_before_it_heard_of_its_parking(
    database: &Database,
    lease: Duration,
) -> (Proxy, Durable, ExecutionHandle<Errand>, Tally) {
    let (proxy, durable, handle, tally) = parked_and_not_told(database, lease).await;
    database.client().await.send_event(handle.id(), "more", &40).await.unwrap();
    eventually("claimed again", async || database.count(HELD).await == 2).await;
    (proxy, durable, handle, tally)
}

async fn compared_twice(proxy: &Proxy) {
    let compared = proxy.answered("executions/stray");
    eventually("compared with the database, twice", async || proxy.answered("executions/stray") >= compared + 2).await;
}

/// The epoch of what is running.
const HELD: &str = "select coalesce(max(epoch), 0)::bigint from durable.executions where state = 'running'";

/// The execution went on where it was.
async fn check_errand(handle: &ExecutionHandle<Errand>, tally: &Tally) {
    assert_eq!(soon("finished", handle.result()).await.unwrap(), 42);
    assert_eq!((tally.count("fetch"), tally.count("add")), (1, 1));
}

/// Nobody has claimed it more often than that.
async fn check_second_epoch(database: &Database) {
    assert_eq!(database.value::<i32>("select epoch from durable.executions").await, 2);
}

#[tokio::test]
async fn a_claim_whose_answer_comes_before_that_to_the_parking_goes_on_in_memory_after_it() {
    let database = support::database().await;
    let (proxy, durable, handle, tally) = claimed_before_it_heard_of_its_parking(&database, LONG_LEASE).await;
    assert_eq!(tally.count("add"), 0, "two claims of an execution were at work");
    proxy.release();
    check_errand(&handle, &tally).await;
    check_second_epoch(&database).await;
    assert!(!proxy.seen().contains(&"checkpoints/load".to_owned()), "its journal was read again");
    durable.shutdown().await.unwrap();
}

/// The database says that nobody holds what is parked, before the process knows it: that is no loss.
#[tokio::test]
async fn what_is_being_parked_is_not_taken_for_lost() {
    let database = support::database().await;
    let (proxy, durable, handle, tally) = parked_and_not_told(&database, Duration::from_secs(1)).await;
    compared_twice(&proxy).await;
    proxy.release();
    durable.send_event(handle.id(), "more", &40).await.unwrap();
    check_errand(&handle, &tally).await;
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_was_parked_and_claimed_again_meanwhile_is_not_taken_for_lost() {
    let database = support::database().await;
    let (proxy, durable, handle, tally) = claimed_before_it_heard_of_its_parking(&database, Duration::from_secs(1)).await;
    compared_twice(&proxy).await;
    proxy.release();
    check_errand(&handle, &tally).await;
    check_second_epoch(&database).await;
    durable.shutdown().await.unwrap();
}

/// The question is asked before the execution rests, and answered when it runs again.
#[tokio::test]
async fn what_the_database_says_of_one_claim_does_not_concern_the_next() {
    let database = support::database().await;
    let proxy = Proxy::before(&database).await;
    let (tally, gate) = (Tally::default(), Gate::closed());
    let workflow = Errand { gate: Some(gate.clone()), ..Errand::counting(&tally) };
    let builder = database.builder().database_url(proxy.url()).max_connections(8).lease(Duration::from_secs(1));
    let durable = builder.register(workflow).start().await.unwrap();
    let handle = durable.start::<Errand>(()).await.unwrap();
    gate.until_inside(1).await;
    let compare = vec!["executions/stray".to_owned()];
    proxy.set(Trap { statements: compare, nth: 1, moment: Moment::Before, fate: Fate::Held });
    proxy.caught().await;
    gate.let_pass(1);
    let resting = "select count(*) from durable.executions where state = 'waiting'";
    eventually("at rest", async || database.count(resting).await == 1).await;
    database.client().await.send_event(handle.id(), "more", &40).await.unwrap();
    gate.until_inside(1).await;

    proxy.release();
    eventually("acted upon", async || proxy.answered("executions/stray") >= 2).await;
    gate.let_pass(1);
    check_errand(&handle, &tally).await;
    check_second_epoch(&database).await;
    durable.shutdown().await.unwrap();
}

/// Nobody has heard of the claim, nor yet of the parking before it: the execution is known here at an earlier epoch.
#[tokio::test]
async fn a_claim_whose_answer_is_lost_before_the_parking_is_heard_of_is_made_up_for() {
    let database = support::database().await;
    let proxy = Proxy::before(&database).await;
    let park = vec!["executions/park".to_owned()];
    proxy.set(Trap { statements: park, nth: 1, moment: Moment::After, fate: Fate::Held });
    let tally = Tally::default();
    let builder = database.builder().database_url(proxy.url()).max_connections(8).lease(LONG_LEASE);
    // Claims nothing but what it is told of.
    let builder = builder.poll_interval(LONG_LEASE).register(Errand::counting(&tally));
    let durable = builder.start().await.unwrap();
    let handle = durable.start::<Errand>(()).await.unwrap();
    proxy.caught().await;
    proxy.set(Trap { statements: vec!["executions/claim".to_owned()], nth: 1, moment: Moment::After, fate: Fate::Cut });
    let client = database.client().await;
    client.send_event(handle.id(), "more", &40).await.unwrap();
    // What it has to tell is told by then.
    client.shutdown().await.unwrap();
    eventually("claimed anew", async || proxy.answered("executions/held") > 0).await;
    proxy.release();
    check_errand(&handle, &tally).await;
    durable.shutdown().await.unwrap();
}

/// A run of this worker was taken back, so the worker asks the database what it holds.
#[tokio::test]
async fn an_execution_that_is_started_while_the_worker_asks_what_it_holds_begins_once() {
    let database = support::database().await;
    let proxy = Proxy::before(&database).await;
    let (tally, gate) = (Tally::default(), Gate::closed());
    let errand = Errand { tally: tally.clone(), gate: Some(gate.clone()) };
    let builder = database.builder().database_url(proxy.url()).max_connections(8).lease(LONG_LEASE);
    let durable = builder.register(errand).start().await.unwrap();
    let taken_back = durable.start::<Errand>(()).await.unwrap();
    gate.until_inside(1).await;
    let ask = vec!["executions/held".to_owned()];
    proxy.set(Trap { statements: ask, nth: 1, moment: Moment::Before, fate: Fate::Held });
    durable.rollback(taken_back.id(), "so that the worker asks").await.unwrap();
    proxy.caught().await;

    let handle = durable.start::<Errand>(()).await.unwrap();
    let answered = proxy.answered("executions/held");
    proxy.release();
    eventually("asked", async || proxy.answered("executions/held") > answered).await;
    eventually("begun", async || tally.count("fetch") >= 2).await;
    gate.let_pass(4);
    durable.send_event(handle.id(), "more", &40).await.unwrap();
    assert_eq!(soon("the result", handle.result()).await.unwrap(), 42);
    assert_eq!(tally.count("fetch"), 2, "once in each execution");
    durable.shutdown().await.unwrap();
}

/// It is written again, and refused: the execution has been claimed since.
#[tokio::test]
async fn a_parking_whose_answer_is_lost_for_good_lets_the_claim_after_it_begin() {
    let database = support::database().await;
    let (proxy, durable, handle, tally) = claimed_before_it_heard_of_its_parking(&database, LONG_LEASE).await;
    // The answer to the claim may be lost, too: then there is a third.
    proxy.pass(Passage::Refused);
    proxy.pass(Passage::Open);
    proxy.release();
    check_errand(&handle, &tally).await;
    durable.shutdown().await.unwrap();
}

/// The first claim of an execution is committed, and nobody hears of it.
#[tokio::test]
async fn the_beginning_of_an_execution_is_told_though_the_answer_to_its_claim_was_lost() {
    let database = support::database().await;
    let client = database.client().await;
    let handle = client.start::<Errand>(()).await.unwrap();
    client.send_event(handle.id(), "more", &40).await.unwrap();
    let proxy = Proxy::before(&database).await;
    proxy.set(Trap { statements: vec!["executions/claim".to_owned()], nth: 1, moment: Moment::After, fate: Fate::Cut });
    let (tally, begun) = (Tally::default(), Begun::default());
    let builder = database.builder().database_url(proxy.url()).lease(LONG_LEASE).observe(begun.clone());
    let durable = builder.register(Errand::counting(&tally)).start().await.unwrap();
    check_errand(&handle, &tally).await;
    check_second_epoch(&database).await;
    eventually("told", async || begun.count() > 0).await;
    durable.shutdown().await.unwrap();
    assert_eq!(begun.count(), 1);
}

/// The claim is committed after its connection was cut, and after what this worker holds was compared with the database.
#[tokio::test]
async fn a_claim_that_is_committed_when_nobody_waits_for_it_any_more_is_made_up_for() {
    let database = support::database().await;
    let lock = hold_up(&database, "update on durable.executions", "old.state = 'pending' and new.state = 'running'").await;
    let client = database.client().await;
    let handle = client.start::<Errand>(()).await.unwrap();
    client.send_event(handle.id(), "more", &40).await.unwrap();

    let (proxy, tally) = (Proxy::before(&database).await, Tally::default());
    let builder = database.builder().database_url(proxy.url()).lease(Duration::from_secs(6));
    let durable = builder.register(Errand::counting(&tally)).start().await.unwrap();
    eventually("the claim is held up", async || database.count(HELD_UP).await == 1).await;
    proxy.pass(Passage::Refused);
    proxy.pass(Passage::Open);
    eventually("compared", async || proxy.answered("executions/held") > 0).await;
    let_go(lock).await;
    check_errand(&handle, &tally).await;
    durable.shutdown().await.unwrap();
}

/// A connection that has the lock for which every checkpoint of `quick` waits, in the database and under its claim.
async fn hold_up_the_checkpoint_of_quick(database: &Database) -> sqlx::pool::PoolConnection<sqlx::Postgres> {
    hold_up(database, "insert on durable.checkpoints", "new.key like '%quick' and new.key not like 'undo%'").await
}

/// A connection that holds the lock that such a change of a row needs. The change asks for it again and again, because no
/// statement of the engine waits long for a lock.
async fn hold_up(database: &Database, change: &str, which: &str) -> sqlx::pool::PoolConnection<sqlx::Postgres> {
    database
        .run(&format!(
            "create function hold_up() returns trigger language plpgsql as $$
             begin
                 while not pg_try_advisory_xact_lock(7) loop perform pg_sleep(0.01); end loop;
                 return new;
             end $$;
             create trigger hold_up before {change} for each row when ({which}) execute function hold_up()"
        ))
        .await;
    let mut lock = database.pool().acquire().await.unwrap();
    sqlx::query("select pg_advisory_lock(7)").execute(&mut *lock).await.unwrap();
    lock
}

async fn let_go(mut lock: sqlx::pool::PoolConnection<sqlx::Postgres>) {
    sqlx::query("select pg_advisory_unlock(7)").execute(&mut *lock).await.unwrap();
}

/// One write of a run is under way when another is refused, which fails a step and the execution.
#[tokio::test]
async fn an_execution_whose_attempt_is_refused_ends_once_what_is_being_written_is_on_record() {
    let database = support::database().await;
    database
        .run(
            "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no room for it'; end $$;
             create trigger refuse before insert on durable.attempts for each row execute function refuse()",
        )
        .await;
    let lock = hold_up_the_checkpoint_of_quick(&database).await;
    let proxy = Proxy::before(&database).await;
    let (both, begun) = (Both::new(), Begun::default());
    let builder = database.builder().database_url(proxy.url()).max_connections(8).lease(Duration::from_secs(1));
    let durable = builder.observe(begun.clone()).register(both.clone()).start().await.unwrap();
    let handle = durable.start::<Both>(()).await.unwrap();
    both.until_begun().await;
    both.quick_gate.let_pass(1);
    eventually("its checkpoint is under way", async || database.count(HELD_UP).await == 1).await;
    both.slow_gate.let_pass(1);
    eventually("its attempt is refused", async || proxy.answered("attempts/record") == 1).await;
    let compared = proxy.answered("executions/stray");
    eventually("compared with the database, twice", async || proxy.answered("executions/stray") >= compared + 2).await;
    assert_eq!(database.count(HELD).await, 1, "it ended with a write on its way");

    let_go(lock).await;
    let error = soon("ended", handle.result()).await.unwrap_err();
    assert!(error.to_string().contains("no room for it"), "{error}");
    assert_eq!((both.tally.count("quick"), both.tally.count("undo 2")), (1, 1), "what was on record is undone");
    durable.shutdown().await.unwrap();
    assert_eq!(begun.count(), 1, "an execution begins once");
}

/// As above, the other way round: an attempt is being recorded when a checkpoint is refused.
#[tokio::test]
async fn an_execution_whose_checkpoints_are_refused_fails_and_repeats_nothing() {
    let database = support::database().await;
    database
        .run(
            "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no room for it'; end $$;
             create trigger refuse before insert on durable.checkpoints for each row execute function refuse()",
        )
        .await;
    let proxy = Proxy::before(&database).await;
    let attempt = vec!["attempts/record".to_owned()];
    proxy.set(Trap { statements: attempt, nth: 1, moment: Moment::Before, fate: Fate::Held });
    let both = Both::new();
    let builder = database.builder().database_url(proxy.url()).max_connections(8).lease(Duration::from_secs(1));
    let durable = builder.register(both.clone()).start().await.unwrap();
    let handle = durable.start::<Both>(()).await.unwrap();
    both.until_begun().await;
    both.slow_gate.let_pass(1);
    proxy.caught().await;
    both.quick_gate.let_pass(1);
    let error = soon("ended", handle.result()).await.unwrap_err();
    assert!(error.to_string().contains("no room for it"), "{error}");
    proxy.release();
    assert_eq!(both.tally.count("quick"), 1, "what it did stands");
    durable.shutdown().await.unwrap();
}

/// A write is under way when the execution is called off and comes back to the same worker.
#[tokio::test]
async fn what_is_being_written_when_an_execution_is_rolled_back_is_undone() {
    let database = support::database().await;
    let lock = hold_up_the_checkpoint_of_quick(&database).await;
    let both = Both::new();
    let builder = database.builder().max_connections(8).lease(LONG_LEASE);
    let durable = builder.register(both.clone()).start().await.unwrap();
    let handle = durable.start::<Both>(()).await.unwrap();
    both.until_begun().await;
    both.quick_gate.let_pass(1);
    eventually("its checkpoint is under way", async || database.count(HELD_UP).await == 1).await;
    database.client().await.rollback(handle.id(), "no longer wanted").await.unwrap();
    eventually("claimed to be undone", async || database.count(HELD).await == 3).await;

    let_go(lock).await;
    let error = soon("rolled back", handle.result()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RolledBack, "{error}");
    assert_eq!((both.tally.count("quick"), both.tally.count("undo 2")), (1, 1));
    durable.shutdown().await.unwrap();
}

/// Panics when it is dropped.
struct Fragile;

impl Drop for Fragile {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("it broke");
        }
    }
}

/// Holds something fragile while a step is under way.
struct Carries {
    tally: Tally,
    gate: Gate,
}

#[workflow]
impl Carries {
    async fn run(&self, _cx: &Context, (): ()) -> Result<()> {
        self.lift().await?;
        let _load = Fragile;
        self.carry().await
    }

    #[step(compensate = put_down)]
    async fn lift(&self) -> Result<()> {
        Ok(())
    }

    #[compensation]
    async fn put_down(&self) -> Result<()> {
        self.tally.add("put down");
        Ok(())
    }

    #[step]
    async fn carry(&self) -> Result<()> {
        self.gate.pass().await;
        Ok(())
    }
}

#[tokio::test]
async fn code_that_panics_when_it_is_dropped_keeps_no_later_claim_waiting() {
    let database = support::database().await;
    let (tally, gate) = (Tally::default(), Gate::closed());
    let carries = Carries { tally: tally.clone(), gate: gate.clone() };
    let durable = database.builder().lease(LONG_LEASE).register(carries).start().await.unwrap();
    let handle = durable.start::<Carries>(()).await.unwrap();
    gate.until_inside(1).await;

    durable.rollback(handle.id(), "enough").await.unwrap();
    soon("rolled back", handle.result()).await.unwrap_err();
    assert_eq!(tally.count("put down"), 1);
    durable.shutdown().await.unwrap();
}
