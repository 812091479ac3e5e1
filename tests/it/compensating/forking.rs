//! Steps of branches, items and children are undone like any other; so are those that were cut off, where they ask for it.

use durable::prelude::*;
use durable::{join, race};

use super::Log;
use crate::support::bodies::Gate;
use crate::support::crash::leases_run_out;
use crate::support::{self, Database, PATIENCE, clock, eventually};

/// Takes parts from the stock in every way there is, and cannot put them together.
#[derive(Clone, Default)]
struct Assemble {
    log: Log,
}

#[workflow]
impl Assemble {
    async fn run(&self, cx: &Context, (): ()) -> Result<()> {
        self.take("frame").await?;
        join!(self.take("left wheel"), async { join!(self.take("rim"), self.take("tyre")).await }).await?;
        cx.map(["chain", "brake", "bell"]).concurrency(2).each(|part| self.take(part)).await?;
        cx.child::<Deliver>("saddle".to_owned()).await?;
        self.take("screw").await?;
        let (taken, missing) = join!(self.take("lamp"), self.look_for("manual")).settled().await;
        taken.and(missing)
    }

    #[step(compensate = put_back)]
    async fn take(&self, part: &str) -> Result<String> {
        self.log.add(format!("took {part}"));
        Ok(part.to_owned())
    }

    #[compensation]
    async fn put_back(&self, part: String) -> Result<()> {
        self.log.add(format!("put back {part}"));
        Ok(())
    }

    #[step]
    async fn look_for(&self, part: &str) -> Result<()> {
        Err(Error::permanent(format!("there is no {part}")))
    }
}

/// A child that takes two parts.
struct Deliver {
    log: Log,
}

#[workflow]
impl Deliver {
    async fn run(&self, _cx: &Context, part: String) -> Result<()> {
        self.fetch(&part).await?;
        self.fetch(&format!("{part} cover")).await?;
        Ok(())
    }

    #[step(compensate = bring_back)]
    async fn fetch(&self, part: &str) -> Result<String> {
        self.log.add(format!("took {part}"));
        Ok(part.to_owned())
    }

    #[compensation]
    async fn bring_back(&self, part: String) -> Result<()> {
        self.log.add(format!("put back {part}"));
        Ok(())
    }
}

#[tokio::test]
async fn steps_of_branches_items_and_children_are_undone_in_reverse_order_of_their_completion() {
    let database = support::database().await;
    let assemble = Assemble::default();
    let deliver = Deliver { log: assemble.log.clone() };
    let durable = database.builder().register(assemble.clone()).register(deliver).start().await.unwrap();

    let handle = durable.start::<Assemble>(()).await.unwrap();
    let error = handle.result_within(PATIENCE).await.unwrap_err();

    assert_eq!(error.to_string(), "there is no manual");
    assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Compensated);
    let lines = assemble.log.all();
    let taken: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("took ")).collect();
    let mut put_back: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("put back ")).collect();
    put_back.reverse();
    assert_eq!(taken.len(), 11, "{lines:?}");
    assert_eq!(put_back, taken);
    assert!(lines[taken.len()..].iter().all(|line| line.starts_with("put back")), "{lines:?}");
    let details = durable.get_execution(handle.id()).await.unwrap();
    let steps: Vec<&str> = details.compensations.iter().map(|compensation| compensation.step.as_str()).collect();
    assert_eq!(steps[0], "join#2/0/step take");
    assert!(steps.contains(&"join/1/join/1/step take") && steps.contains(&"map/2/step take"), "{steps:?}");
    durable.shutdown().await.unwrap();
}

/// Orders something, which leaves traces even when it fails.
#[derive(Clone)]
struct Order {
    log: Log,
    gate: Gate,
}

#[workflow(timeout = "1d")]
impl Order {
    async fn run(&self, cx: &Context, how: String) -> Result<()> {
        self.note().await?;
        match how.as_str() {
            "lost" => {
                let won: String = race!(
                    async {
                        self.tidy().await?;
                        self.hang(&how).await
                    },
                    async {
                        self.quick().await?;
                        cx.wait_for_event::<()>("win").await?;
                        Ok::<_, Error>("the event".to_owned())
                    },
                )
                .await?;
                assert_eq!(won, "the event");
                Err(Error::permanent("lost"))
            }
            "fails" => self.fail().await,
            _ => self.hang(&how).await.map(drop),
        }
    }

    #[step(compensate = erase)]
    async fn note(&self) -> Result<u32> {
        Ok(1)
    }

    #[compensation]
    async fn erase(&self, note: u32) -> Result<()> {
        self.log.add(format!("erased {note}"));
        Ok(())
    }

    #[step(compensate = untidy)]
    async fn tidy(&self) -> Result<u32> {
        Ok(2)
    }

    #[compensation]
    async fn untidy(&self, room: u32) -> Result<()> {
        self.log.add(format!("untidied {room}"));
        Ok(())
    }

    #[step]
    async fn quick(&self) -> Result<()> {
        Ok(())
    }

    #[step(compensate = recall, undo_on_failure)]
    async fn hang(&self, how: &str) -> Result<String> {
        // Only once it has been polled again does the engine have its timers set.
        tokio::task::yield_now().await;
        self.gate.pass().await;
        Ok(how.to_owned())
    }

    #[compensation]
    async fn recall(&self, order: Option<String>) -> Result<()> {
        self.log.add(format!("recalled {order:?}"));
        Ok(())
    }

    #[step(compensate = clean_up, undo_on_failure, retry(max_attempts = 2, backoff = constant, base = "1ms"))]
    async fn fail(&self) -> Result<()> {
        Err(Error::new("half done"))
    }

    #[compensation]
    async fn clean_up(&self) -> Result<()> {
        self.log.add("cleaned up");
        Ok(())
    }
}

impl Order {
    fn new() -> Self {
        Self { log: Log::default(), gate: Gate::closed() }
    }
}

async fn assert_undone(handle: &ExecutionHandle<Order>, order: &Order, kind: ErrorKind, log: &[&str]) {
    let error = handle.result_within(PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Compensated);
    assert_eq!(order.log.all(), log);
    order.log.clear();
}

#[tokio::test]
async fn a_step_that_failed_or_was_cut_off_is_undone_itself_where_it_asks_for_that() {
    let database = support::database().await;
    let order = Order::new();
    let durable = database.builder().register(order.clone()).start().await.unwrap();
    let start = async |how: &str| durable.start::<Order>(how.to_owned()).await.unwrap();

    let handle = start("fails").await;
    assert_undone(&handle, &order, ErrorKind::Failed, &["cleaned up", "erased 1"]).await;
    let details = durable.get_execution(handle.id()).await.unwrap();
    let clean_up = &details.compensations[0];
    assert_eq!((clean_up.step.as_str(), clean_up.input.as_ref()), ("step fail", None));

    clock::freeze(&database).await;
    let handle = start("rolled back").await;
    order.gate.until_inside(1).await;
    durable.rollback(handle.id(), "enough").await.unwrap();
    assert_undone(&handle, &order, ErrorKind::RolledBack, &["recalled None", "erased 1"]).await;
    order.gate.until_inside(0).await;

    let handle = start("timed out").await;
    order.gate.until_inside(1).await;
    clock::turn(&database, days(1)).await;
    assert_undone(&handle, &order, ErrorKind::TimedOut, &["recalled None", "erased 1"]).await;
    order.gate.until_inside(0).await;

    let handle = start("lost").await;
    order.gate.until_inside(1).await;
    durable.send_event(handle.id(), "win", &()).await.unwrap();
    assert_undone(&handle, &order, ErrorKind::Failed, &["recalled None", "untidied 2", "erased 1"]).await;
    durable.shutdown().await.unwrap();
}

async fn die(durable: Durable, database: &Database) {
    drop(durable);
    leases_run_out(database).await;
}

#[tokio::test]
async fn a_step_that_a_crash_cut_off_is_undone_where_it_asks_for_that() {
    let database = support::database().await;
    let order = Order::new();
    let first = database.builder().register(order.clone()).start().await.unwrap();
    let id = first.start::<Order>("cut off by a crash".to_owned()).await.unwrap().id();
    order.gate.until_inside(1).await;
    die(first, &database).await;
    order.gate.until_inside(0).await;
    // Rolled back before anybody has taken it over.
    database.client().await.rollback(id, "enough").await.unwrap();

    let second = database.builder().register(order.clone()).start().await.unwrap();
    assert_undone(&second.handle(id), &order, ErrorKind::RolledBack, &["recalled None", "erased 1"]).await;
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_race_that_was_lost_before_a_crash_is_undone_after_it_with_what_its_steps_returned() {
    let database = support::database().await;
    let order = Order::new();
    let first = database.builder().register(order.clone()).start().await.unwrap();
    let id = first.start::<Order>("lost".to_owned()).await.unwrap().id();
    order.gate.until_inside(1).await;
    let asked = "select count(*) from durable.waits where outcome is null";
    eventually("the event is waited for", async || database.count(asked).await == 1).await;
    die(first, &database).await;
    order.gate.until_inside(0).await;
    database.client().await.send_event(id, "win", &()).await.unwrap();

    let second = database.builder().register(order.clone()).start().await.unwrap();
    assert_undone(&second.handle(id), &order, ErrorKind::Failed, &["recalled None", "untidied 2", "erased 1"]).await;
    second.shutdown().await.unwrap();
}
