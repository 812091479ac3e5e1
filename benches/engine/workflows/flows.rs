//! Workflows with branches, items, children, compensations and transactions; their steps do next to nothing.

use durable::prelude::*;
use durable::{Transaction, compensation};

/// Ten branches of one step.
#[derive(Debug)]
pub(crate) struct JoinTen;

#[workflow]
impl JoinTen {
    async fn run(&self, _cx: &Context, number: u64) -> Result<u64> {
        durable::join!(
            self.pass(number),
            self.pass(number),
            self.pass(number),
            self.pass(number),
            self.pass(number),
            self.pass(number),
            self.pass(number),
            self.pass(number),
            self.pass(number),
            self.pass(number),
        )
        .await?;
        Ok(number)
    }

    #[step]
    async fn pass(&self, number: u64) -> Result<u64> {
        Ok(number)
    }
}

/// One step in each iteration; the next iteration continues as new.
#[derive(Debug)]
pub(crate) struct Loop;

#[workflow]
impl Loop {
    async fn run(&self, cx: &Context, left: u64) -> Result<u64> {
        let left = self.pass(left).await?;
        if left == 0 { Ok(left) } else { cx.continue_as_new(&(left - 1)).await }
    }

    #[step]
    async fn pass(&self, number: u64) -> Result<u64> {
        Ok(number)
    }
}

/// One step for each of so many items, and then the event `go`.
#[derive(Debug)]
pub(crate) struct MapItems;

#[workflow]
impl MapItems {
    async fn run(&self, cx: &Context, (items, waits): (u64, bool)) -> Result<u64> {
        let passed = cx.map(0..items).concurrency(100).each(|item| self.pass(item)).await?;
        if waits {
            let () = cx.wait_for_event("go").await?;
        }
        Ok(passed.len() as u64)
    }

    #[step]
    async fn pass(&self, number: u64) -> Result<u64> {
        Ok(number)
    }
}

/// Ten steps that are undone.
#[derive(Debug)]
pub(crate) struct SagaOfTen;

#[workflow]
impl SagaOfTen {
    async fn run(&self, _cx: &Context, number: u64) -> Result<u64> {
        for _ in 0..super::STEPS {
            self.book(number).await?;
        }
        Err(Error::permanent("undo it"))
    }

    #[step(compensate = give_back)]
    async fn book(&self, number: u64) -> Result<u64> {
        Ok(number)
    }

    #[compensation]
    async fn give_back(&self, number: u64) -> Result<u64> {
        Ok(number)
    }
}

/// Children of a [`Parent`].
pub(crate) const CHILDREN: u64 = 100;

/// A hundred children at once, and their outputs.
#[derive(Debug)]
pub(crate) struct Parent;

#[workflow(queue = "parents")]
impl Parent {
    async fn run(&self, cx: &Context, number: u64) -> Result<u64> {
        let outputs = cx.map(0..CHILDREN).concurrency(100).each(|child| cx.child::<OnlyChild>(child)).await?;
        Ok(number + outputs.len() as u64)
    }
}

/// One step.
#[derive(Debug)]
pub(crate) struct OnlyChild;

#[workflow]
impl OnlyChild {
    async fn run(&self, _cx: &Context, number: u64) -> Result<u64> {
        self.pass(number).await
    }

    #[step]
    async fn pass(&self, number: u64) -> Result<u64> {
        Ok(number)
    }
}

/// One step that writes a row of the application's, in one transaction with its checkpoint.
#[derive(Debug)]
pub(crate) struct Deposit;

/// The table that [`Deposit`] writes to.
pub(crate) const DEPOSITS: &str =
    "create table deposits (id bigint generated always as identity primary key, cents bigint not null)";

#[workflow]
impl Deposit {
    async fn run(&self, _cx: &Context, cents: u64) -> Result<u64> {
        self.deposit(cents).await
    }

    #[step(transaction)]
    async fn deposit(&self, tx: &mut Transaction, cents: u64) -> Result<u64> {
        durable::sqlx::query("insert into deposits (cents) values ($1)").bind(cents.cast_signed()).execute(&mut **tx).await?;
        Ok(cents)
    }
}
