//! Keying: records are found again, whatever characters a name has.

use durable::prelude::*;

use crate::support::bodies::Tally;
use crate::support::{self, Database, PATIENCE, clock};

/// Halves a price, waits, and fails on request; every step has a name with characters that journal keys escape.
struct Sale(Tally);

#[workflow(name = "sale", queue = "shop")]
impl Sale {
    async fn run(&self, cx: &Context, fails: bool) -> Result<String> {
        let price = self.discount(100).await?;
        let tag = self.print(price).await?;
        cx.sleep(hours(1)).await?;
        if fails {
            return Err(Error::permanent("the shop is closed"));
        }
        Ok(tag)
    }

    #[step(name = "50%off", compensate = restore)]
    async fn discount(&self, cents: u64) -> Result<u64> {
        self.0.add("discount");
        Ok(cents / 2)
    }

    #[compensation]
    async fn restore(&self, cents: u64) -> Result<()> {
        self.0.add(format!("restore {cents}"));
        Ok(())
    }

    #[step(name = "tag%2F%", queue = "printer", compensate = shred)]
    async fn print(&self, cents: u64) -> Result<String> {
        self.0.add("print");
        Ok(format!("{cents} cents"))
    }

    #[compensation]
    async fn shred(&self, tag: String) -> Result<()> {
        self.0.add(format!("shred {tag}"));
        Ok(())
    }
}

/// As `Sale`, with other names for the same steps.
struct Renamed(Tally);

#[workflow(name = "sale", queue = "shop")]
impl Renamed {
    async fn run(&self, cx: &Context, _fails: bool) -> Result<String> {
        let price = self.discount(100).await?;
        let tag = self.print(price).await?;
        cx.sleep(hours(1)).await?;
        Ok(format!("{tag}, renamed"))
    }

    #[step(name = "half%price%25", was = "50%off")]
    async fn discount(&self, cents: u64) -> Result<u64> {
        self.0.add("discount again");
        Ok(cents / 2)
    }

    #[step(name = "%tag", was = "tag%2F%", queue = "printer")]
    async fn print(&self, cents: u64) -> Result<String> {
        self.0.add("print again");
        Ok(format!("{cents} cents"))
    }
}

/// An execution that sleeps with both steps recorded, in no worker's memory.
async fn asleep(database: &Database, fails: bool) -> (ExecutionId, Tally) {
    clock::freeze(database).await;
    let tally = Tally::default();
    let worker = database.builder().queue("shop", 2).queue("printer", 2).register(Sale(tally.clone())).start().await.unwrap();
    let id = worker.start::<Sale>(fails).await.unwrap().id();
    database.eventually_value::<i32>("select 1 from durable.waits where kind = 'sleep'").await;
    worker.shutdown().await.unwrap();
    (id, tally)
}

#[tokio::test]
async fn a_step_with_any_character_in_its_name_is_replayed() {
    let database = support::database().await;
    let (id, tally) = asleep(&database, false).await;
    let worker = database.builder().queue("shop", 2).queue("printer", 2).register(Sale(tally.clone())).start().await.unwrap();
    clock::advance(&database, hours(1)).await;
    let result = worker.handle::<Sale>(id).result_within(PATIENCE).await.unwrap();
    assert_eq!((result.as_str(), tally.count("discount"), tally.count("print")), ("50 cents", 1, 1));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_step_with_any_character_in_its_name_is_undone() {
    let database = support::database().await;
    let (id, tally) = asleep(&database, true).await;
    let worker = database.builder().queue("shop", 2).queue("printer", 2).register(Sale(tally.clone())).start().await.unwrap();
    clock::advance(&database, hours(1)).await;
    let error = worker.handle::<Sale>(id).result_within(PATIENCE).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Failed, "the shop is closed"));
    assert_eq!((tally.count("shred 50 cents"), tally.count("restore 50")), (1, 1));
    let details = worker.get_execution(id).await.unwrap();
    assert_eq!(details.execution.state, ExecutionState::Compensated);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_step_is_renamed_from_and_to_a_name_with_any_character() {
    let database = support::database().await;
    let (id, tally) = asleep(&database, false).await;
    let worker = database.builder().queue("shop", 2).queue("printer", 2).register(Renamed(tally.clone())).start().await.unwrap();
    clock::advance(&database, hours(1)).await;
    let result = worker.handle::<Renamed>(id).result_within(PATIENCE).await.unwrap();
    assert_eq!(result, "50 cents, renamed");
    assert_eq!((tally.count("discount again"), tally.count("print again")), (0, 0));
    worker.shutdown().await.unwrap();
}
