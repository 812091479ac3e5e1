//! What a fleet does: parcels of which all need a label from elsewhere and some a stamp, stamps that are limited, a tick each second,
//! and cargo that is large.

use std::time::Duration;

use durable::QueueLimits;
use durable::chrono::{DateTime, Utc};
use durable::join;
use durable::prelude::*;

use super::ledger;
use crate::support::process::{Effects, Folder};

/// Short, so that who was killed is soon replaced, and who froze is declared lost.
const LEASE: Duration = Duration::from_secs(1);

/// How long a process that shuts down waits for its steps: some take longer.
const HASTE: Duration = Duration::from_millis(4);

/// The queue that is limited.
pub(super) const STAMPS: &str = "stamps";

/// Stamps at once, over the whole fleet.
pub(super) const STAMPS_AT_ONCE: u32 = 5;

/// Stamps that may begin in [`STAMP_PERIOD`].
pub(super) const STAMPS_IN_PERIOD: u32 = 40;

/// See [`STAMPS_IN_PERIOD`].
pub(super) const STAMP_PERIOD: Duration = Duration::from_millis(500);

/// Shops that stamps are bought in, one at a time in each.
const SHOPS: u32 = 11;

/// Weighs, waits for what belongs to its number, packs and has a label printed side by side, ships.
pub(super) struct Parcel {
    effects: Effects,
}

impl Parcel {
    fn note(&self, what: &str, number: u32) {
        self.effects.add(&ledger::line(what, number, std::process::id()));
    }
}

#[workflow(queue = "parcels")]
impl Parcel {
    async fn run(&self, cx: &Context, number: u32) -> Result<u32> {
        let weight = self.weigh(number).await?;
        let paid: u32 = match number % 3 {
            0 => {
                cx.sleep(Duration::from_millis(20)).await?;
                number
            }
            1 => cx.wait_for_event("paid").await?,
            _ => cx.child::<Stamp>(number).await?,
        };
        let (packed, labelled) = join!(self.pack(number), self.label(number)).await?;
        self.ship(number).await?;
        Ok(weight + paid + packed + labelled)
    }

    #[step]
    async fn weigh(&self, number: u32) -> Result<u32> {
        self.note("weigh", number);
        Ok(1)
    }

    #[step]
    async fn pack(&self, number: u32) -> Result<u32> {
        self.note("pack", number);
        // Takes its time, so that whoever is killed or frozen is in the middle of something.
        tokio::time::sleep(Duration::from_millis(u64::from(number % 10))).await;
        Ok(1)
    }

    #[step(queue = "labels")]
    async fn label(&self, number: u32) -> Result<u32> {
        self.note("label", number);
        Ok(1)
    }

    #[step]
    async fn ship(&self, number: u32) -> Result<()> {
        self.note("ship", number);
        Ok(())
    }
}

/// What parcels of every third number ask another execution for.
struct Stamp {
    effects: Effects,
}

#[workflow(queue = "stamps", concurrency_key = |number: &u32| format!("shop {}", number % SHOPS), limit = 1)]
impl Stamp {
    async fn run(&self, _cx: &Context, number: u32) -> Result<u32> {
        self.stamp(number).await
    }

    #[step]
    async fn stamp(&self, number: u32) -> Result<u32> {
        self.effects.add(&ledger::line("stamp", number, std::process::id()));
        Ok(number)
    }
}

/// Returns as many bytes as its input says.
struct Cargo;

#[workflow(queue = "cargo")]
impl Cargo {
    async fn run(&self, _cx: &Context, bytes: u32) -> Result<String> {
        self.load(bytes).await
    }

    #[step]
    async fn load(&self, bytes: u32) -> Result<String> {
        Ok("x".repeat(bytes as usize))
    }
}

/// Is started each second, and made up for where nobody was there to do so.
struct Tick;

#[workflow(queue = "ticks", schedule = "every 1s", missed = all)]
impl Tick {
    async fn run(&self, cx: &Context, (): ()) -> Result<Option<DateTime<Utc>>> {
        self.note(cx.scheduled_for()).await
    }

    #[step]
    async fn note(&self, due: Option<DateTime<Utc>>) -> Result<Option<DateTime<Utc>>> {
        Ok(due)
    }
}

/// A worker process of the fleet.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let limits = QueueLimits::default().concurrency(STAMPS_AT_ONCE).rate(STAMPS_IN_PERIOD, STAMP_PERIOD);
    let builder = Durable::builder().database_url(url).max_connections(5).lease(LEASE).max_claims(1000);
    let builder = builder.register(Parcel { effects: folder.effects() }).register(Stamp { effects: folder.effects() });
    let builder = builder.register(Tick).register(Cargo).queue_limits(STAMPS, limits);
    let durable = builder.poll_interval(Duration::from_millis(100)).start().await.unwrap();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
    terminate.recv().await;
    durable.shutdown_within(HASTE).await.unwrap();
}
