//! A loop that may go on for ever: an account that takes deposits, under one id, with a journal that stays small.
//!
//! `cargo run --example endless_loop`
//!
//! Each iteration takes one event and continues as new with the next balance. The execution keeps its id, its mailbox and the
//! values that it sets, and begins with an empty journal: after a year, a crash costs no more than on the first day.

#![expect(clippy::print_stdout, reason = "an example speaks to the person who runs it")]

#[path = "support/database.rs"]
mod database;

use durable::prelude::*;
use serde::{Deserialize, Serialize};

/// What one iteration hands to the next.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Account {
    owner: String,
    cents: i64,
}

struct KeepAccount;

#[workflow(queue = "accounts")]
impl KeepAccount {
    async fn run(&self, cx: &Context, account: Account) -> Result<Account> {
        let deposit: i64 = cx.wait_for_event("deposit").await?;
        if deposit == 0 {
            // Zero closes the account, so that this example ends.
            return Ok(account);
        }
        self.confirm(&account.owner, deposit).await?;
        let cents = account.cents + deposit;
        cx.set("balance", &cents).metadata("cents").await?;
        cx.continue_as_new(&Account { cents, ..account }).await
    }

    #[step(retry(max_attempts = 3))]
    async fn confirm(&self, owner: &str, deposit: i64) -> Result<()> {
        println!("  dear {owner}, we have received {deposit} cents");
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let url = database::ready().await?;
    let durable = Durable::builder().database_url(&url).register(KeepAccount).start().await?;
    let account = durable.start::<KeepAccount>(Account { owner: "Ada".to_owned(), cents: 0 }).await?;
    println!("execution {} keeps an account", account.id());

    for deposit in [1_999, 500, 2_500, 1, 0] {
        durable.send_event(account.id(), "deposit", &deposit).await?;
    }
    let id = account.id();
    let closed = account.result().await?;

    let details = durable.get_execution(id).await?;
    println!("closed with {} cents, after {} continuations under one id", closed.cents, details.execution.continuations);
    println!("its journal has {} steps and {} waits", details.steps.len(), details.waits.len());
    if let Some(balance) = durable.value::<i64>(id, "balance").await? {
        println!("its balance was set {} times", balance.revision);
    }
    durable.shutdown().await
}
