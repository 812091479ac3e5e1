//! A question to a person: an expense that a manager approves, with a reminder and a deadline.
//!
//! `cargo run --example expense`
//!
//! Nobody needs to be at the keyboard: the program is the manager, too. Two expenses are handed in; the manager answers the first
//! one after a reminder, and never the second. In a company the reminder would come after a day and the deadline after a week, and
//! nothing else would change: an execution that waits is a row in the database.

#![expect(clippy::print_stdout, reason = "an example speaks to the person who runs it")]

#[path = "support/database.rs"]
mod database;
#[path = "support/person.rs"]
mod person;

use std::time::Duration;

use durable::Approval;
use durable::prelude::*;
use serde::{Deserialize, Serialize};

/// After how long without an answer, and how often, the manager is reminded.
const REMINDER: Duration = seconds(1);

/// How long the manager has.
const DEADLINE: Duration = seconds(4);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Expense {
    employee: String,
    euros: u32,
    what: String,
}

struct ReimburseExpense;

#[workflow(queue = "expenses")]
impl ReimburseExpense {
    async fn run(&self, cx: &Context, expense: Expense) -> Result<String> {
        let answer = cx
            .wait_for_approval("manager")
            .prompt(format!("Reimburse {} with {} € for {}?", expense.employee, expense.euros, expense.what))
            .metadata(&expense)
            .reminder(REMINDER, || self.remind(&expense))
            .signed()
            .timeout(DEADLINE)
            .await?;

        // The answer or the deadline: one of them has won, and a replay finds the same winner.
        let Some(answer) = answer else {
            return Ok(format!("nobody decided within {DEADLINE:?}"));
        };
        let manager = answer.by.unwrap_or_else(|| "somebody".to_owned());
        if !answer.value.approved {
            return Ok(format!("{manager} declined: {}", answer.value.comment.unwrap_or_default()));
        }
        let transfer = self.pay(&expense).await?;
        Ok(format!("{manager} approved, {} € are on their way ({transfer})", expense.euros))
    }

    #[step]
    async fn remind(&self, expense: &Expense) -> Result<()> {
        println!("  reminder to the manager: {}'s {} € are still to be decided", expense.employee, expense.euros);
        Ok(())
    }

    #[step(retry(max_attempts = 3))]
    async fn pay(&self, expense: &Expense) -> Result<String> {
        println!("  paying {} € to {}", expense.euros, expense.employee);
        let reference = durable::step().idempotency_key().simple().to_string();
        Ok(format!("transfer {}", &reference[..8]))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let url = database::ready().await?;
    let durable = Durable::builder().database_url(&url).register(ReimburseExpense).start().await?;
    let train = hand_in(&durable, "Ada", 84, "a train to Lyon").await?;
    let chair = hand_in(&durable, "Charles", 1450, "a golden chair").await?;

    let question = person::sees(&durable, train.id()).await?;
    println!("The manager finds a question: {}", question.prompt.unwrap_or_default());
    until_reminded(&durable, train.id()).await?;

    // What does not fit is refused, and the question stays open.
    let refused = durable.provide_input(train.id(), &question.name, "fine with me").await;
    if let Err(error) = refused {
        println!("The manager answers \"fine with me\", which is no decision: {error}");
    }
    let approved = Approval { approved: true, comment: None };
    durable.provide_input(train.id(), &question.name, &approved).by("Grace").await?;

    println!("Ada's train: {}", train.result().await?);
    println!("Charles's chair: {}", chair.result().await?);
    durable.shutdown().await
}

async fn hand_in(durable: &Durable, employee: &str, euros: u32, what: &str) -> Result<ExecutionHandle<ReimburseExpense>> {
    println!("{employee} hands in {euros} € for {what}");
    let expense = Expense { employee: employee.to_owned(), euros, what: what.to_owned() };
    durable.start::<ReimburseExpense>(expense).await
}

/// Returns when the journal has a reminder.
async fn until_reminded(durable: &Durable, id: ExecutionId) -> Result<()> {
    while !durable.get_execution(id).await?.steps.iter().any(|step| step.output.is_some()) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
