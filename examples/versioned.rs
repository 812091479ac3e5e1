//! A workflow whose code changes while an execution of it is under way: old executions keep the old way, new ones take the new
//! way.
//!
//! `cargo run --example versioned`
//!
//! The first worker has the code of last week, the second the code of today. The parcel that was under way when the code changed
//! goes on as it began; the next one is weighed.

#![expect(clippy::print_stdout, reason = "an example speaks to the person who runs it")]

#[path = "support/database.rs"]
mod database;

use durable::prelude::*;

/// The code of last week.
mod last_week {
    use durable::prelude::*;

    pub(super) struct Ship;

    #[workflow(name = "ship_parcel", queue = "parcels")]
    impl Ship {
        async fn run(&self, cx: &Context, parcel: u64) -> Result<String> {
            self.pack(parcel).await?;
            let carrier: String = cx.wait_for_event("picked_up").await?;
            Ok(format!("parcel {parcel} left with {carrier}"))
        }

        #[step]
        async fn pack(&self, parcel: u64) -> Result<()> {
            println!("  packed parcel {parcel}");
            Ok(())
        }
    }
}

/// The code of today: parcels are weighed before they leave.
struct Ship;

#[workflow(name = "ship_parcel", queue = "parcels")]
impl Ship {
    async fn run(&self, cx: &Context, parcel: u64) -> Result<String> {
        self.pack(parcel).await?;
        let weight = match cx.version("weigh parcels", 1).await? {
            0 => None,
            _ => Some(self.weigh(parcel).await?),
        };
        let carrier: String = cx.wait_for_event("picked_up").await?;
        Ok(match weight {
            Some(grams) => format!("parcel {parcel} of {grams} g left with {carrier}"),
            None => format!("parcel {parcel} left with {carrier}, and nobody weighed it"),
        })
    }

    #[step]
    async fn pack(&self, parcel: u64) -> Result<()> {
        println!("  packed parcel {parcel}");
        Ok(())
    }

    #[step]
    async fn weigh(&self, parcel: u64) -> Result<u64> {
        println!("  weighed parcel {parcel}");
        Ok(parcel * 10)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let url = database::ready().await?;

    println!("last week's code:");
    let before = Durable::builder().database_url(&url).register(last_week::Ship).start().await?;
    let old = before.start::<last_week::Ship>(41).await?.id();
    until_waiting(&before, old).await?;
    before.shutdown().await?;

    println!("today's code:");
    let durable = Durable::builder().database_url(&url).register(Ship).start().await?;
    let new = durable.start::<Ship>(42).await?.id();
    for id in [old, new] {
        durable.send_event(id, "picked_up", "DHL").await?;
        println!("  {}", durable.handle::<Ship>(id).result().await?);
    }
    durable.shutdown().await
}

async fn until_waiting(durable: &Durable, id: ExecutionId) -> Result<()> {
    while durable.get_execution(id).await?.execution.state != ExecutionState::Waiting {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    Ok(())
}
