//! The workflow: what happens to an order, from its validation to its receipt.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use durable::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::effects::Effects;

/// How long a customer may change their mind before the order is packed: an hour in a shop, seconds here.
const SECOND_THOUGHTS: Duration = seconds(2);

/// An order, as a shop's front end would send it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) number: String,
    pub(crate) customer: String,
    pub(crate) card: String,
    pub(crate) ship_to: String,
    pub(crate) lines: Vec<Line>,
}

/// A product and how many of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) product: String,
    pub(crate) quantity: u64,
    pub(crate) cents: u64,
}

/// Money that the gateway holds for us, or has given us.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Payment {
    pub(crate) id: String,
    pub(crate) cents: u64,
}

/// The event `warehouse_packed`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Packed {
    pub(crate) items: u64,
}

/// A person's answer to `ship_approval`. Its JSON Schema is kept with the question; what does not fit it is refused.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Approval {
    pub(crate) approved: bool,
}

/// How the order ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Receipt {
    Shipped { tracking: String, cents: u64 },
    Refunded { cents: u64 },
}

/// What the steps need.
#[derive(Debug)]
pub(crate) struct ProcessOrder {
    pub(crate) gateway: Gateway,
    pub(crate) effects: Effects,
}

#[workflow(queue = "orders", timeout = "1h")]
impl ProcessOrder {
    async fn run(&self, cx: &Context, order: Order) -> Result<Receipt> {
        let cents = self.validate(&order).await?;
        let hold = self.authorise(&order, cents).await?;
        let payment = self.capture(&order, &hold).await?;
        cx.sleep(SECOND_THOUGHTS).await?;

        let packed: Packed = cx.wait_for_event("warehouse_packed").await?;
        let question = format!("Ship order {} to {}, {}?", order.number, order.customer, order.ship_to);
        let approval: Approval =
            cx.wait_for_input("ship_approval").prompt(question).timeout(minutes(30)).or(Approval { approved: false }).await?;

        if !approval.approved {
            self.refund(&order, &payment).await?;
            return Ok(Receipt::Refunded { cents });
        }
        let tracking = self.ship(&order, &packed).await?;
        Ok(Receipt::Shipped { tracking, cents })
    }

    #[step]
    async fn validate(&self, order: &Order) -> Result<u64> {
        self.effects.note(&order.number, "validate")?;
        let cents = order.lines.iter().map(|line| line.quantity * line.cents).sum();
        if cents == 0 {
            return Err(Error::permanent(format!("order {} asks for nothing", order.number)));
        }
        Ok(cents)
    }

    #[step(retry(max_attempts = 5, base = "500ms"), timeout = "10s")]
    async fn authorise(&self, order: &Order, cents: u64) -> Result<Payment> {
        self.effects.note(&order.number, "authorise")?;
        self.gateway.authorise(&order.card, cents).await
    }

    #[step(retry(max_attempts = 5, base = "500ms"), timeout = "10s")]
    async fn capture(&self, order: &Order, hold: &Payment) -> Result<Payment> {
        self.effects.note(&order.number, "capture")?;
        self.gateway.capture(&order.card, hold).await
    }

    #[step(retry(max_attempts = 5))]
    async fn refund(&self, order: &Order, payment: &Payment) -> Result<()> {
        self.effects.note(&order.number, "refund")?;
        self.gateway.refund(payment).await
    }

    #[step]
    async fn ship(&self, order: &Order, packed: &Packed) -> Result<String> {
        self.effects.note(&order.number, "ship")?;
        let label = durable::step().idempotency_key().simple().to_string();
        Ok(format!("TRK-{}-{}", &label[..8], packed.items))
    }
}

/// A payment service with moods: each card has its own delay, and one card's bank does not answer the first time.
#[derive(Debug)]
pub(crate) struct Gateway {
    delays: HashMap<&'static str, Duration>,
}

impl Gateway {
    pub(crate) fn new() -> Self {
        let delays = [("4242", 60), ("4444", 120), ("0052", 350), ("1117", 500), ("0005", 650)];
        Self { delays: delays.map(|(card, millis)| (card, Duration::from_millis(millis))).into() }
    }

    async fn authorise(&self, card: &str, cents: u64) -> Result<Payment> {
        self.think(card).await;
        if card.ends_with("0341") && durable::step().attempt() == 1 {
            return Err(Error::new("the bank of this card did not answer"));
        }
        Ok(Payment { id: reference("hold"), cents })
    }

    async fn capture(&self, card: &str, hold: &Payment) -> Result<Payment> {
        self.think(card).await;
        Ok(Payment { id: reference("payment"), cents: hold.cents })
    }

    async fn refund(&self, payment: &Payment) -> Result<()> {
        // What a real client would send: the payment, and a key that makes a second call harmless.
        let _request = (&payment.id, payment.cents, durable::step().idempotency_key());
        Ok(())
    }

    async fn think(&self, card: &str) {
        let delay = self.delays.iter().find(|(ending, _)| card.ends_with(**ending)).map_or(seconds(0), |(_, delay)| *delay);
        tokio::time::sleep(delay).await;
    }
}

/// The same at every attempt, so that a payment that was asked for twice is one payment.
fn reference(kind: &str) -> String {
    format!("{kind}-{}", durable::step().idempotency_key().simple())
}
