//! Rollbacks: what a routed step did is undone where it was done.

use std::sync::{Arc, Mutex};

use durable::compensation;
use durable::prelude::*;

use crate::support::bodies::Gate;
use crate::support::{self, PATIENCE, eventually, soon};

/// Rents machines, and gives them back.
#[derive(Clone)]
struct Rent {
    place: &'static str,
    log: Arc<Mutex<Vec<String>>>,
    gate: Gate,
    doorbell: Gate,
}

impl Rent {
    fn log(&self, what: &str) {
        self.log.lock().unwrap().push(format!("{what} at the {}", self.place));
    }
}

#[workflow(queue = "office")]
impl Rent {
    async fn run(&self, cx: &Context, how: String) -> Result<u32> {
        self.sign().await?;
        let number = self.fetch(&how).await?;
        if how == "careless" {
            // Nobody waits for what it does.
            let _ = self.crash().await;
            return Err(Error::permanent("no licence"));
        }
        if how == "impatient" {
            durable::race!(self.hammer(), self.wait_outside()).await?;
            return Ok(number);
        }
        if how == "patient" {
            cx.wait_for_event::<()>("enough").await?;
        }
        Err(Error::permanent(format!("machine {number} is too loud")))
    }

    #[step(compensate = terminate)]
    async fn sign(&self) -> Result<()> {
        self.log("signed");
        Ok(())
    }

    #[compensation]
    async fn terminate(&self) -> Result<()> {
        self.log("terminated");
        Ok(())
    }

    #[step(queue = "yard", compensate = return_it)]
    async fn fetch(&self, how: &str) -> Result<u32> {
        if how == "slow" {
            self.gate.pass().await;
        }
        self.log("fetched");
        Ok(7)
    }

    #[compensation]
    async fn return_it(&self, number: u32) -> Result<()> {
        self.log(&format!("returned {number}"));
        Ok(())
    }

    #[step(queue = "yard", compensate = sweep, undo_on_failure)]
    async fn crash(&self) -> Result<()> {
        self.log("crashed");
        Err(Error::permanent("into the fence"))
    }

    #[step(queue = "yard", compensate = sweep, undo_on_failure)]
    async fn hammer(&self) -> Result<()> {
        self.log("hammering");
        self.gate.pass().await;
        Ok(())
    }

    #[step]
    async fn wait_outside(&self) -> Result<()> {
        self.doorbell.pass().await;
        Ok(())
    }

    #[compensation]
    async fn sweep(&self, _done: Option<()>) -> Result<()> {
        self.log("swept");
        Ok(())
    }
}

struct Firm {
    rent: Rent,
    office: Durable,
    yard: Durable,
}

impl Firm {
    async fn new(database: &support::Database) -> Self {
        let rent = Rent { place: "office", log: Arc::default(), gate: Gate::closed(), doorbell: Gate::closed() };
        let worker = async |place| {
            let rent = Rent { place, ..rent.clone() };
            database.builder().register(rent).queue(place, 10).start().await.unwrap()
        };
        let (office, yard) = (worker("office").await, worker("yard").await);
        Self { rent, office, yard }
    }

    async fn start(&self, how: &str) -> ExecutionHandle<Rent> {
        self.office.start::<Rent>(how.to_owned()).await.unwrap()
    }

    async fn close(self) -> Vec<String> {
        self.office.shutdown().await.unwrap();
        self.yard.shutdown().await.unwrap();
        self.rent.log.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn what_a_routed_step_did_is_undone_on_a_worker_of_its_queue_in_its_turn() {
    let database = support::database().await;
    let firm = Firm::new(&database).await;
    let handle = firm.start("quick").await;
    let error = soon("rolled back", handle.result()).await.unwrap_err();
    assert_eq!(error.to_string(), "machine 7 is too loud");
    assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Compensated);
    let log = ["signed at the office", "fetched at the yard", "returned 7 at the yard", "terminated at the office"];
    assert_eq!(firm.close().await, log);
}

#[tokio::test]
async fn a_routed_step_that_failed_and_may_have_done_something_is_undone_at_once() {
    let database = support::database().await;
    let firm = Firm::new(&database).await;
    let handle = firm.start("careless").await;
    let error = soon("rolled back", handle.result()).await.unwrap_err();
    assert_eq!(error.to_string(), "no licence");
    let log = [
        "signed at the office",
        "fetched at the yard",
        "crashed at the yard",
        "swept at the yard",
        "returned 7 at the yard",
        "terminated at the office",
    ];
    assert_eq!(firm.close().await, log);
}

#[tokio::test]
async fn a_routed_step_that_was_under_way_at_a_rollback_is_stopped_and_leaves_nothing() {
    let database = support::database().await;
    let firm = Firm::new(&database).await;
    let handle = firm.start("slow").await;
    firm.rent.gate.until_inside(1).await;
    firm.office.rollback(handle.id(), "enough").await.unwrap();
    soon("rolled back", handle.result()).await.unwrap_err();
    assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Compensated);
    firm.rent.gate.until_inside(0).await;
    let unfinished = "select count(*) from durable.executions where finished_at is null";
    eventually("nothing goes on", async || database.count(unfinished).await == 0).await;
    assert_eq!(firm.close().await, ["signed at the office", "terminated at the office"]);
}

#[tokio::test]
async fn a_routed_step_that_was_begun_and_lost_its_race_is_undone_at_once() {
    let database = support::database().await;
    let firm = Firm::new(&database).await;
    let handle = firm.start("impatient").await;
    firm.rent.gate.until_inside(1).await;
    firm.rent.doorbell.let_pass(1);
    assert_eq!(soon("the race", handle.result()).await.unwrap(), 7);
    let unfinished = "select count(*) from durable.executions where finished_at is null";
    eventually("nothing goes on", async || database.count(unfinished).await == 0).await;
    let log = ["signed at the office", "fetched at the yard", "hammering at the yard", "swept at the yard"];
    assert_eq!(firm.close().await, log);
}

#[tokio::test]
async fn a_routed_step_that_kills_its_workers_is_undone_where_it_asks_for_that() {
    let database = support::database().await;
    let firm = Firm::new(&database).await;
    let handle = firm.start("impatient").await;
    firm.rent.gate.until_inside(1).await;
    let poison = "select durable.poison(worker_id, execution_id, epoch, durable.failure('poisoned', 'enough'))
                  from durable.executions where workflow = 'rent::hammer'";
    database.run(poison).await;
    let error = soon("given up", handle.result()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Poisoned);
    let log = firm.close().await;
    let undone = ["swept at the yard", "returned 7 at the yard", "terminated at the office"];
    assert_eq!(log[log.len() - 3..], undone, "{log:?}");
}

/// The same, after the yard was moved to the harbour.
struct Moved(Rent);

#[workflow(name = "rent", queue = "office")]
impl Moved {
    async fn run(&self, cx: &Context, how: String) -> Result<u32> {
        self.sign().await?;
        let number = self.fetch(&how).await?;
        cx.wait_for_event::<()>("enough").await?;
        Err(Error::permanent(format!("machine {number} is too far away")))
    }

    #[step(compensate = terminate)]
    async fn sign(&self) -> Result<()> {
        self.0.log("signed");
        Ok(())
    }

    #[compensation]
    async fn terminate(&self) -> Result<()> {
        self.0.log("terminated");
        Ok(())
    }

    #[step(queue = "harbour", compensate = return_it)]
    async fn fetch(&self, _how: &str) -> Result<u32> {
        self.0.log("fetched");
        Ok(7)
    }

    #[compensation]
    async fn return_it(&self, number: u32) -> Result<()> {
        self.0.log(&format!("returned {number}"));
        Ok(())
    }
}

#[tokio::test]
async fn what_a_routed_step_did_is_undone_in_the_queue_that_the_step_has_by_then() {
    let database = support::database().await;
    let rent = Rent { place: "old yard", log: Arc::default(), gate: Gate::closed(), doorbell: Gate::closed() };
    let old = database.builder().register(rent.clone()).start().await.unwrap();
    let handle = old.start::<Rent>("patient".to_owned()).await.unwrap();
    let waiting = "select count(*) from durable.waits where kind = 'event' and outcome is null";
    eventually("it waits", async || database.count(waiting).await == 1).await;
    old.shutdown().await.unwrap();

    let new = database.builder().register(Moved(Rent { place: "harbour", ..rent.clone() })).start().await.unwrap();
    new.send_event(handle.id(), "enough", &()).await.unwrap();
    new.handle::<Moved>(handle.id()).result_within(PATIENCE).await.unwrap_err();
    let log = ["signed at the old yard", "fetched at the old yard", "returned 7 at the harbour", "terminated at the harbour"];
    assert_eq!(*rent.log.lock().unwrap(), log);
    new.shutdown().await.unwrap();
}
