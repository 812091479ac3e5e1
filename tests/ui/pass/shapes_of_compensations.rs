//! Every shape that a compensation may have, and every way to name one.

use durable::__macro::{Compensation, Workflow};
use durable::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt::Display;
use std::pin::pin;
use std::task::{Context as Task, Poll, Waker};

#[derive(Serialize, Deserialize)]
struct Payment {
    id: u32,
}

/// An error type of the user's own.
#[derive(Debug, Serialize, Deserialize)]
struct Declined;

impl Display for Declined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("declined")
    }
}

impl std::error::Error for Declined {}

impl From<Error> for Declined {
    fn from(_: Error) -> Self {
        Self
    }
}

struct Shapes<C> {
    client: C,
}

#[workflow]
impl<C: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> Shapes<C> {
    async fn run(&self, _cx: &durable::Context) -> Result<u32> {
        Ok(self.charge(1).await?.id)
    }

    #[step(retry(max_attempts = 3), compensate = refund)]
    async fn charge(&self, id: u32) -> Result<Payment> {
        Ok(Payment { id })
    }

    /// Shares the compensation of the step above, with an error of its own.
    #[step(compensate = refund)]
    async fn charge_again(&self, payment: &Payment) -> Result<Payment, Declined> {
        Ok(Payment { id: payment.id })
    }

    #[compensation(name = "give-back", retry(max_attempts = 5, backoff = constant), timeout = "30s")]
    async fn refund(&self, Payment { id }: Payment) -> Result<u32, Declined> {
        Ok(id)
    }

    #[step(compensate = borrowing)]
    async fn borrowed(&self) -> Result<Payment> {
        Ok(Payment { id: 2 })
    }

    #[compensation]
    async fn borrowing<'a>(&'a self, payment: &'a Payment) -> Result<u32> {
        Ok(payment.id)
    }

    #[step(compensate = text)]
    async fn write(&self) -> Result<String> {
        Ok("text".into())
    }

    #[compensation]
    async fn text(&self, text: &str) -> Result<usize> {
        Ok(text.len())
    }

    #[step(compensate = list)]
    async fn enlist(&self) -> Result<Vec<u32>> {
        Ok(vec![1, 2])
    }

    #[compensation]
    async fn list(&self, list: &[u32]) -> Result<usize> {
        Ok(list.len())
    }

    #[step(compensate = nothing, undo_on_failure)]
    async fn reserve(&self) -> Result<Payment> {
        Ok(Payment { id: 3 })
    }

    #[compensation]
    async fn nothing(&self) -> Result<()> {
        Ok(())
    }

    #[step(compensate = perhaps, undo_on_failure = true)]
    async fn uncertain(&self) -> Result<Payment> {
        Ok(Payment { id: 4 })
    }

    #[step(compensate = perhaps, undo_on_failure = false)]
    async fn certain(&self) -> Result<Payment> {
        Ok(Payment { id: 5 })
    }

    #[compensation]
    async fn perhaps(&self, payment: Option<Payment>) -> Result<Option<u32>> {
        Ok(payment.map(|payment| payment.id))
    }

    #[step(compensate = waiting)]
    async fn associated(&self) -> Result<C> {
        Ok(self.client.clone())
    }

    #[compensation]
    async fn waiting(&self, cx: &durable::Context, client: &C) -> Result<()> {
        let _ = client;
        cx.sleep(days(1)).await
    }

    #[step(compensate = only_waiting)]
    async fn opaque(&self, show: impl Display + Send) -> Result<String> {
        Ok(show.to_string())
    }

    #[durable::compensation]
    async fn only_waiting(&self, cx: &durable::Context) -> Result<()> {
        cx.sleep(days(1)).await
    }

    #[cfg(any())]
    #[step(compensate = absent)]
    async fn missing(&self) -> Result<NoSuchType> {
        Ok(())
    }

    #[cfg(any())]
    #[compensation]
    async fn absent(&self, missing: NoSuchType) -> Result<()> {
        Ok(())
    }

    #[step(name = "either-way", compensate = r#match)]
    async fn r#loop(&self) -> Result<u32> {
        Ok(6)
    }

    #[cfg(any())]
    #[compensation]
    async fn r#match(&self) -> Result<()> {
        Ok(())
    }

    #[cfg(not(any()))]
    #[compensation]
    async fn r#match(&self, n: u32) -> Result<u32> {
        Ok(n)
    }
}

fn described<W: Workflow>() -> Vec<(&'static str, &'static str, bool)> {
    W::COMPENSATIONS.iter().map(|Compensation { step, spec, undo_on_failure, .. }| (*step, spec.name, *undo_on_failure)).collect()
}

fn now<T, E: std::fmt::Debug>(future: impl Future<Output = Result<T, E>> + Send) -> T {
    match pin!(future).poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(output) => output.unwrap(),
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

fn main() {
    // Called from other code, a compensation is the method that was written.
    let shapes = Shapes { client: 7 };
    assert_eq!(now(shapes.refund(Payment { id: 1 })), 1);
    assert_eq!(now(shapes.text("four")), 4);
    assert_eq!(now(shapes.perhaps(None)), None);

    let expected = [
        ("charge", "give-back", false),
        ("charge_again", "give-back", false),
        ("borrowed", "borrowing", false),
        ("write", "text", false),
        ("enlist", "list", false),
        ("reserve", "nothing", true),
        ("uncertain", "perhaps", true),
        ("certain", "perhaps", false),
        ("associated", "waiting", false),
        ("opaque", "only_waiting", false),
        ("either-way", "match", false),
    ];
    assert_eq!(described::<Shapes<u32>>(), expected);
    let steps = <Shapes<u32> as Workflow>::STEPS;
    assert_eq!(steps.iter().filter(|step| step.compensation.is_some()).count(), expected.len());
    let retry = <Shapes<u32> as Workflow>::COMPENSATIONS[0].spec.retry;
    assert_eq!(retry.map(|retry| retry.max_attempts), Some(5));
}
