//! A transactional step: money that moves exactly once, because the rows and the journal are committed together.
//!
//! `cargo run --example transfer`
//!
//! A step runs at least once: should the process die between what it did and the record of it, it runs again. Where what it does is
//! SQL in the database that has the schema `durable`, there need be nothing in between. The accounts of this example live in a
//! schema of their own, which is dropped at the end.

#![expect(clippy::print_stdout, reason = "an example speaks to the person who runs it")]

#[path = "support/database.rs"]
mod database;

use durable::prelude::*;
use durable::sqlx::{self, PgPool};
use serde::{Deserialize, Serialize};

const ACCOUNTS: &str = "
    drop schema if exists example_transfer cascade;
    create schema example_transfer;
    create table example_transfer.accounts (owner text primary key, cents bigint not null);
    insert into example_transfer.accounts values ('Ada', 10000), ('Grace', 0);";

const DEBIT: &str = "update example_transfer.accounts set cents = cents - $2 where owner = $1 and cents >= $2 returning cents";
const CREDIT: &str = "update example_transfer.accounts set cents = cents + $2 where owner = $1";

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    from: String,
    to: String,
    cents: i64,
}

struct TransferMoney;

#[workflow(queue = "transfers")]
impl TransferMoney {
    async fn run(&self, _cx: &Context, order: Order) -> Result<i64> {
        let left = self.transfer(order.clone()).await?;
        self.write_to(&order.from, left).await?;
        Ok(left)
    }

    /// Whoever calls it leaves `tx` out: the engine begins the transaction, and commits it with what this returns.
    #[step(transaction, retry(max_attempts = 3, base = "200ms"))]
    async fn transfer(&self, tx: &mut Transaction, order: Order) -> Result<i64> {
        let left: Option<i64> = sqlx::query_scalar(DEBIT).bind(&order.from).bind(order.cents).fetch_optional(&mut **tx).await?;
        let left = left.ok_or_else(|| Error::permanent(format!("{} does not have that much", order.from)))?;
        println!("  took {} cents from {}", order.cents, order.from);
        if durable::step().attempt() == 1 {
            println!("  something fails: the first half is rolled back, and the step is tried again");
            return Err(Error::new("something failed half-way"));
        }
        sqlx::query(CREDIT).bind(&order.to).bind(order.cents).execute(&mut **tx).await?;
        println!("  gave {} cents to {}", order.cents, order.to);
        Ok(left)
    }

    /// A letter can be in no transaction, so this is an ordinary step.
    #[step(retry(max_attempts = 3))]
    async fn write_to(&self, owner: &str, left: i64) -> Result<()> {
        println!("  wrote to {owner}: {left} cents are left");
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let url = database::ready().await?;
    let pool = PgPool::connect(&url).await?;
    sqlx::raw_sql(ACCOUNTS).execute(&pool).await?;
    let durable = Durable::builder().database_url(&url).register(TransferMoney).start().await?;

    for cents in [2_500, 1_000_000] {
        println!("{cents} cents from Ada to Grace:");
        let order = Order { from: "Ada".to_owned(), to: "Grace".to_owned(), cents };
        let transfer = durable.start::<TransferMoney>(order).await?;
        match transfer.result().await {
            Ok(_) => println!("  rows and checkpoint are of one transaction: {}", are_of_one(&pool, transfer.id()).await?),
            Err(error) => println!("  refused: {error}"),
        }
        let balances = "select owner, cents from example_transfer.accounts order by owner";
        let balances: Vec<(String, i64)> = sqlx::query_as(balances).fetch_all(&pool).await?;
        println!("  balances: {balances:?}");
    }
    sqlx::raw_sql("drop schema example_transfer cascade").execute(&pool).await?;
    durable.shutdown().await
}

/// Postgres marks each row with the transaction that wrote it, so whether two were written together can be seen.
async fn are_of_one(pool: &PgPool, id: ExecutionId) -> Result<bool> {
    let query = "select count(*) = 2 from example_transfer.accounts join durable.checkpoints on accounts.xmin = checkpoints.xmin
                 where execution_id::text = $1 and key = 'step transfer'";
    Ok(sqlx::query_scalar(query).bind(id.to_string()).fetch_one(pool).await?)
}
