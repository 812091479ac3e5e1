//! The workflows that the tests of the kit test.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use durable::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) number: u64,
    pub(crate) cents: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Payment {
    pub(crate) id: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Approval {
    pub(crate) approved: bool,
}

/// How often bodies were called.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls(Arc<AtomicU32>);

impl Calls {
    pub(crate) fn note(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Waits a month, asks a person, and ships.
#[derive(Debug, Default)]
pub(crate) struct ProcessOrder {
    /// How often a real body of `charge` or `ship` was called.
    pub(crate) real: Calls,
}

#[workflow]
impl ProcessOrder {
    async fn run(&self, cx: &Context, order: Order) -> Result<String> {
        let payment = self.charge(&order).await?;
        cx.sleep(days(30)).await?;
        let approval: Approval = cx.wait_for_input("ship_approval").await?;
        if !approval.approved {
            return Err(Error::permanent("not approved"));
        }
        self.ship(&order, payment).await
    }

    #[step(retry(max_attempts = 3, base = "1s"), timeout = "30s", compensate = refund)]
    pub(crate) async fn charge(&self, order: &Order) -> Result<Payment> {
        self.real.note();
        Ok(Payment { id: format!("real payment of {} cents", order.cents) })
    }

    #[step(retry(max_attempts = 5, base = "1m", max = "1d"))]
    pub(crate) async fn ship(&self, order: &Order, payment: Payment) -> Result<String> {
        self.real.note();
        Ok(format!("order {} shipped for {}", order.number, payment.id))
    }

    #[compensation(retry(max_attempts = 3, base = "1h"))]
    pub(crate) async fn refund(&self, payment: &Payment) -> Result<()> {
        self.real.note();
        Err(Error::new(format!("{} cannot be refunded", payment.id)))
    }
}

pub(crate) fn order() -> Order {
    Order { number: 7, cents: 1999 }
}
