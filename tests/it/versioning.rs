//! Code that changes while executions are under way: `cx.version`, and two versions of a workflow side by side.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use durable::prelude::*;
use durable::{Blocker, ExecutionId};

use crate::support::bodies::Tally;
use crate::support::{self, Database, soon};

/// What the code of one release does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Release {
    /// Asks for no version.
    Before,
    /// Asks for this version.
    Asks(u32),
    /// Does not ask any more, and does what version 1 does.
    After,
}

/// Packs, weighs if the code has that, and waits in between; `turns` times.
struct Ship(Release, Tally);

#[workflow(name = "ship")]
impl Ship {
    async fn run(&self, cx: &Context, turns: u32) -> Result<Vec<u32>> {
        let mut versions = Vec::new();
        for turn in 0..turns {
            self.pack(turn).await?;
            let version = match self.0 {
                Release::Before => 0,
                Release::Asks(newest) => cx.version("weigh", newest).await?,
                Release::After => 1,
            };
            if version > 0 {
                self.weigh(turn).await?;
            }
            versions.push(version);
            cx.wait_for_event::<()>("go").await?;
        }
        Ok(versions)
    }

    #[step]
    async fn pack(&self, turn: u32) -> Result<()> {
        self.1.add(format!("pack {turn}"));
        Ok(())
    }

    #[step]
    async fn weigh(&self, turn: u32) -> Result<()> {
        self.1.add(format!("weigh {turn}"));
        Ok(())
    }
}

async fn release(database: &Database, release: Release, tally: &Tally) -> Durable {
    database.builder().register(Ship(release, tally.clone())).start().await.unwrap()
}

/// The execution waits for the nth time.
async fn waits(database: &Database, id: ExecutionId, nth: i64) {
    let waits = format!(
        "select 1 from durable.executions
         where execution_id = '{id}' and state = 'waiting' and error is null
           and (select count(*) from durable.waits where waits.execution_id = executions.execution_id) = {nth}
           and exists (
             select from durable.waits where waits.execution_id = executions.execution_id and outcome is null
           )"
    );
    database.eventually_value::<i32>(&waits).await;
}

async fn markers(database: &Database) -> Vec<String> {
    database
        .values("select concat_ws(' = ', key, output) from durable.checkpoints where key like '%version %' order by key")
        .await
}

#[tokio::test]
async fn an_execution_that_has_passed_a_change_keeps_the_old_way_and_a_new_one_takes_the_new_way() {
    let (database, tally) = (support::database().await, Tally::default());
    let before = release(&database, Release::Before, &tally).await;
    let old = before.start::<Ship>(3).await.unwrap().id();
    waits(&database, old, 1).await;
    before.shutdown().await.unwrap();

    let asks = release(&database, Release::Asks(1), &tally).await;
    let new = asks.start::<Ship>(2).await.unwrap().id();
    waits(&database, new, 1).await;
    asks.send_event(old, "go", &()).await.unwrap();
    waits(&database, old, 2).await;
    asks.shutdown().await.unwrap();

    // A replay gives the same answers, also in turns that come only now, and in later code.
    let asks = release(&database, Release::Asks(2), &tally).await;
    for id in [old, old, new, new] {
        asks.send_event(id, "go", &()).await.unwrap();
    }
    assert_eq!(soon("the old one", asks.handle::<Ship>(old).result()).await.unwrap(), [0, 0, 0]);
    assert_eq!(soon("the new one", asks.handle::<Ship>(new).result()).await.unwrap(), [1, 1]);
    let newest = asks.start::<Ship>(1).await.unwrap();
    asks.send_event(newest.id(), "go", &()).await.unwrap();
    assert_eq!(soon("the newest", newest.result()).await.unwrap(), [2]);
    assert_eq!(markers(&database).await, ["version weigh = 1", "version weigh = 2"]);
    asks.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_version_that_the_code_no_longer_asks_for_does_no_harm() {
    let (database, tally) = (support::database().await, Tally::default());
    let asks = release(&database, Release::Asks(1), &tally).await;
    let new = asks.start::<Ship>(1).await.unwrap().id();
    waits(&database, new, 1).await;
    asks.shutdown().await.unwrap();
    let after = release(&database, Release::After, &tally).await;
    after.send_event(new, "go", &()).await.unwrap();
    assert_eq!(soon("the end", after.handle::<Ship>(new).result()).await.unwrap(), [1]);
    assert_eq!((tally.count("pack 0"), tally.count("weigh 0")), (1, 1));
    after.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_execution_with_a_later_version_than_the_code_is_stopped_and_goes_on_with_later_code() {
    let (database, tally) = (support::database().await, Tally::default());
    let later = release(&database, Release::Asks(2), &tally).await;
    let new = later.start::<Ship>(1).await.unwrap().id();
    waits(&database, new, 1).await;
    later.shutdown().await.unwrap();

    let earlier = release(&database, Release::Asks(1), &tally).await;
    earlier.send_event(new, "go", &()).await.unwrap();
    let stopped = "select error ->> 'message' from durable.executions where state = 'waiting' and error is not null";
    let report: String = database.eventually_value(stopped).await;
    for part in ["later version of the change `weigh`", "recorded: version 2", "at most version 1", "deploy the code"] {
        assert!(report.contains(part), "{report}");
    }
    earlier.shutdown().await.unwrap();

    let later = release(&database, Release::Asks(2), &tally).await;
    later.resume(new).await.unwrap();
    assert_eq!(soon("the end", later.handle::<Ship>(new).result()).await.unwrap(), [2]);
    later.shutdown().await.unwrap();
}

/// Asks before its branches, in each of them, and afterwards; the code from before the change asks nowhere.
struct Fleet(bool);

#[workflow(name = "fleet")]
impl Fleet {
    async fn run(&self, cx: &Context, _: ()) -> Result<Vec<u32>> {
        let (one, other) = durable::join!(self.branch(cx, 1, false), self.branch(cx, 2, true)).await?;
        let after = self.ask(cx, "branches").await?;
        let outer = self.ask(cx, "outer").await?;
        let inner = cx.map([1_u32, 2]).each(|_| self.ask(cx, "outer")).await?;
        cx.wait_for_event::<()>("go").await?;
        let late = self.ask(cx, "late").await?;
        Ok([vec![one, other, after, outer], inner, vec![late]].concat())
    }

    #[step]
    async fn sail(&self, _ship: u32) -> Result<()> {
        Ok(())
    }
}

impl Fleet {
    async fn ask(&self, cx: &Context, change: &str) -> Result<u32> {
        if self.0 { cx.version(change, 1).await } else { Ok(0) }
    }

    async fn branch(&self, cx: &Context, ship: u32, waits: bool) -> Result<u32> {
        self.sail(ship).await?;
        let version = self.ask(cx, "branches").await?;
        if waits {
            cx.wait_for_event::<()>("wind").await?;
        }
        self.sail(ship + 10).await?;
        Ok(version)
    }
}

#[tokio::test]
async fn each_branch_is_asked_for_what_it_has_passed_itself() {
    let database = support::database().await;
    let before = database.builder().register(Fleet(false)).start().await.unwrap();
    let old = before.start::<Fleet>(()).await.unwrap().id();
    // One branch is at its end, the other one waits for wind.
    waits(&database, old, 1).await;
    before.shutdown().await.unwrap();

    let asks = database.builder().register(Fleet(true)).start().await.unwrap();
    let new = asks.start::<Fleet>(()).await.unwrap().id();
    for id in [old, new] {
        asks.send_event(id, "wind", &()).await.unwrap();
        waits(&database, id, 2).await;
    }
    asks.shutdown().await.unwrap();
    let asks = database.builder().register(Fleet(true)).start().await.unwrap();
    for id in [old, new] {
        asks.send_event(id, "go", &()).await.unwrap();
    }
    // Both branches had passed the change; what comes after them had not.
    let versions = soon("the old one", asks.handle::<Fleet>(old).result()).await.unwrap();
    assert_eq!(versions, [0, 0, 1, 1, 1, 1, 1]);
    let versions = soon("the new one", asks.handle::<Fleet>(new).result()).await.unwrap();
    assert_eq!(versions, [1, 1, 1, 1, 1, 1, 1]);
    let expected = [
        "join/0/version branches = 1",
        "join/1/version branches = 1",
        "version branches = 1",
        "version branches = 1",
        "version late = 1",
        "version late = 1",
        "version outer = 1",
        "version outer = 1",
    ];
    assert_eq!(markers(&database).await, expected, "the branches of the map have the answer from before the map");
    asks.shutdown().await.unwrap();
}

/// Asks for versions that make no sense.
struct Senseless;

#[workflow]
impl Senseless {
    async fn run(&self, cx: &Context, _: ()) -> Result<Vec<String>> {
        let told = [cx.version("", 1).await, cx.version("x", 0).await, cx.version(&"x".repeat(300), 1).await];
        Ok(told.into_iter().map(|told| told.unwrap_err().to_string()).collect())
    }
}

#[tokio::test]
async fn a_version_without_a_name_or_a_number_is_refused() {
    let database = support::database().await;
    let worker = database.builder().register(Senseless).start().await.unwrap();
    let told = soon("the end", worker.start::<Senseless>(()).await.unwrap().result()).await.unwrap();
    assert!(told[0].contains("1 to 200 bytes") && told[2].contains("1 to 200 bytes"), "{told:?}");
    assert!(told[1].contains("versions of a change start at 1"), "{told:?}");
    worker.shutdown().await.unwrap();
}

mod first {
    use durable::prelude::*;

    pub(super) struct Invoice;

    #[workflow(name = "invoice", version = 1)]
    impl Invoice {
        async fn run(&self, cx: &Context, number: u32) -> Result<String> {
            self.write(number).await?;
            cx.wait_for_event::<()>("sent").await?;
            Ok(format!("invoice {number} on paper"))
        }

        #[step]
        async fn write(&self, _number: u32) -> Result<()> {
            Ok(())
        }
    }
}

mod second {
    use durable::prelude::*;

    pub(super) struct Invoice;

    #[workflow(name = "invoice", version = 2)]
    impl Invoice {
        async fn run(&self, _cx: &Context, number: u32) -> Result<String> {
            self.mail(number).await
        }

        #[step]
        async fn mail(&self, number: u32) -> Result<String> {
            Ok(format!("invoice {number} by mail"))
        }
    }
}

#[tokio::test]
async fn executions_finish_on_their_version_while_new_starts_use_the_next() {
    let database = support::database().await;
    let old_release = database.builder().register(first::Invoice).start().await.unwrap();
    let old = old_release.start::<first::Invoice>(1).await.unwrap().id();
    waits(&database, old, 1).await;
    old_release.shutdown().await.unwrap();

    // A worker with only the next version leaves the execution alone, and says so.
    let only_next = database.builder().register(second::Invoice).start().await.unwrap();
    only_next.send_event(old, "sent", &()).await.unwrap();
    let new = only_next.start::<second::Invoice>(2).await.unwrap();
    assert_eq!(soon("the new one", new.result()).await.unwrap(), "invoice 2 by mail");
    let introspection = only_next.introspect(old).await.unwrap();
    assert_eq!(introspection.details.execution.state, ExecutionState::Pending);
    let said: Vec<String> = introspection.blockers.iter().map(Blocker::to_string).collect();
    assert!(said.iter().any(|said| said.contains("invoice") && said.contains("version 1")), "{said:?}");
    only_next.shutdown().await.unwrap();

    let both = database.builder().register(first::Invoice).register(second::Invoice).start().await.unwrap();
    assert_eq!(soon("the old one", both.handle::<first::Invoice>(old).result()).await.unwrap(), "invoice 1 on paper");
    let (one, other) = (both.start::<first::Invoice>(3).await.unwrap(), both.start::<second::Invoice>(4).await.unwrap());
    both.send_event(one.id(), "sent", &()).await.unwrap();
    assert_eq!(soon("the first", one.result()).await.unwrap(), "invoice 3 on paper");
    assert_eq!(soon("the second", other.result()).await.unwrap(), "invoice 4 by mail");
    both.shutdown().await.unwrap();
}

/// Calls a service; after a failure, asks which version of the code for failures applies.
struct Call(Arc<AtomicBool>);

#[workflow]
impl Call {
    async fn run(&self, cx: &Context, _: ()) -> Result<u32> {
        let Err(error) = self.call().await else { return Ok(200) };
        if cx.version("apologize", 1).await? > 0 { Err(Error::permanent("sorry")) } else { Err(error) }
    }

    #[step]
    async fn call(&self) -> Result<()> {
        if self.0.load(Ordering::SeqCst) { Ok(()) } else { Err(Error::permanent("the service is down")) }
    }
}

#[tokio::test]
async fn a_retry_repeats_a_failure_after_which_the_workflow_only_asked_for_a_version() {
    let (database, works) = (support::database().await, Arc::new(AtomicBool::new(false)));
    let worker = database.builder().register(Call(works.clone())).start().await.unwrap();
    let failed = worker.start::<Call>(()).await.unwrap();
    let error = soon("the failure", failed.result()).await.unwrap_err();
    assert!(error.to_string().contains("sorry"), "{error}");
    assert_eq!(markers(&database).await, ["version apologize = 1"]);

    works.store(true, Ordering::SeqCst);
    let retry = worker.retry(failed.id()).await.unwrap();
    assert_eq!(soon("the end", worker.handle::<Call>(retry).result()).await.unwrap(), 200);
    worker.shutdown().await.unwrap();
}
