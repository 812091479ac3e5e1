//! Bodies that are replaced: of steps of every shape, and of compensations.

use std::borrow::Cow;

use durable::prelude::*;
use durable_test::{Test, body, step};

use crate::workflows::{Calls, Order, Payment, ProcessOrder, order};

#[durable_test::test]
async fn only_the_body_is_replaced(test: Test) -> Result<()> {
    let (real, replaced) = (Calls::default(), Calls::default());
    let counted = replaced.clone();
    let charge = body!(ProcessOrder::charge, move |order: &Order| {
        counted.note();
        let attempt = durable::step().attempt();
        async move { if attempt == 1 { Err(Error::new("no bank")) } else { Ok(Payment { id: format!("{} cents", order.cents) }) } }
    });
    test.worker().register(ProcessOrder { real: real.clone() }).replace(charge).start().await?;
    let execution = test.start::<ProcessOrder>(order()).await?;
    test.advance(seconds(5)).await?;
    execution.assert_waiting_for(["sleep"]).await?;
    execution.assert_attempts(step!(ProcessOrder::charge), 2).await?;
    assert_eq!((real.count(), replaced.count()), (0, 2));
    let details = execution.details().await?;
    assert!(details.steps[0].output.as_ref().unwrap().to_string().contains("1999 cents"), "{details:?}");
    Ok(())
}

#[durable_test::test]
async fn a_compensation_can_be_replaced(test: Test) -> Result<()> {
    let real = Calls::default();
    let refund = body!(ProcessOrder::refund, |payment| async move {
        if payment.id == "real payment of 1999 cents" { Ok(()) } else { Err(Error::permanent("another payment")) }
    });
    test.worker()
        .register(ProcessOrder { real: real.clone() })
        .replace(refund)
        .fail(step!(ProcessOrder::refund), 2, "no bank")
        .start()
        .await?;
    let execution = test.start::<ProcessOrder>(order()).await?;
    execution.until_waiting_for("sleep").await?;
    test.client().cancel(execution.id(), "changed their mind").compensate().await?;
    let error = execution.result().await.unwrap_err();
    assert!(error.to_string().contains("changed their mind"), "{error}");
    execution.assert_compensated(["step charge"]).await?;
    execution.assert_attempts(step!(ProcessOrder::refund), 3).await?;
    assert_eq!(real.count(), 1, "only the charge is real");
    Ok(())
}

/// Steps of every shape.
struct Shapes;

#[workflow]
impl Shapes {
    async fn run(&self, cx: &Context, number: i64) -> Result<Vec<String>> {
        let nothing = self.nothing().await?;
        let texts = self.borrows("text", &[1, 2], Cow::Borrowed("cow")).await?;
        let written = self.written(number, "row").await?;
        let elsewhere = self.elsewhere(&number).await?;
        let generic = self.generic(number).await?;
        let (left, right) = durable::join!(self.nothing(), Other.foreign(&number)).await?;
        let _ = cx.now().await?;
        Ok(vec![nothing, texts, written, elsewhere, generic, left, right])
    }

    #[step]
    async fn nothing(&self) -> Result<String> {
        Ok("real".to_owned())
    }

    #[step]
    async fn borrows(&self, text: &str, numbers: &[u32], cow: Cow<'_, str>) -> Result<String> {
        Ok(format!("real {text} {numbers:?} {cow}"))
    }

    #[step(transaction)]
    async fn written(&self, tx: &mut Transaction, number: i64, text: &str) -> Result<String> {
        let rows: i64 = durable::sqlx::query_scalar("select count(*) from written").fetch_one(&mut **tx).await?;
        Ok(format!("real {rows} {number} {text}"))
    }

    #[step(queue = "elsewhere")]
    async fn elsewhere(&self, number: &i64) -> Result<String> {
        Ok(format!("real {number}"))
    }

    #[step]
    async fn generic<T: ToString + Send + Sync + serde::Serialize>(&self, value: T) -> Result<String> {
        // Outside the journal, because it is called in the body of a step.
        let inner = self.nothing().await?;
        Ok(format!("generic {} {inner}", value.to_string()))
    }
}

/// A workflow whose step is called by another.
struct Other;

#[workflow]
impl Other {
    async fn run(&self, _cx: &Context, number: i64) -> Result<String> {
        self.foreign(&number).await
    }

    #[step]
    async fn foreign(&self, number: &i64) -> Result<String> {
        Ok(format!("real {number}"))
    }
}

#[durable_test::test]
async fn steps_of_every_shape_can_be_replaced(test: Test) -> Result<()> {
    durable::sqlx::query("create table written (number bigint)").execute(test.pool()).await?;
    test.worker()
        .register(Shapes)
        .replace(body!(Shapes::nothing, || async { Ok("new".to_owned()) }))
        .replace(body!(Shapes::borrows, |text, numbers, cow| {
            // A new body borrows from references only.
            let cow = cow.into_owned();
            async move { Ok(format!("new {text} {} {cow}", numbers.len())) }
        }))
        .replace(body!(Shapes::written, |tx, number, text| async move {
            let insert = "insert into written values ($1) returning number";
            let written: i64 = durable::sqlx::query_scalar(insert).bind(number).fetch_one(&mut **tx).await?;
            Ok(format!("new {written} {text}"))
        }))
        .replace(body!(Shapes::elsewhere, async |number| Ok(format!("new {number}"))))
        .replace(body!(Other::foreign, |number: &i64| async move { Ok(format!("foreign {number}")) }))
        .start()
        .await?;
    let execution = test.start::<Shapes>(7).await?;
    let expected = ["new", "new text 2 cow", "new 7 row", "new 7", "generic 7 new", "new", "foreign 7"];
    assert_eq!(execution.result().await?, expected);
    let rows: i64 = durable::sqlx::query_scalar("select count(*) from written").fetch_one(test.pool()).await?;
    assert_eq!(rows, 1);
    execution.assert_attempts(step!(Shapes::generic), 1).await?;
    execution.assert_attempts(step!(Other::foreign), 1).await?;
    execution.assert_attempts(step!(Shapes::nothing), 2).await
}

#[durable_test::test]
async fn without_a_replacement_the_real_bodies_run(test: Test) -> Result<()> {
    durable::sqlx::query("create table written (number bigint)").execute(test.pool()).await?;
    test.worker().register(Shapes).start().await?;
    let expected = ["real", "real text [1, 2] cow", "real 0 7 row", "real 7", "generic 7 real", "real", "real 7"];
    assert_eq!(test.start::<Shapes>(7).await?.result().await?, expected);
    Ok(())
}

/// A workflow with a type parameter.
struct Shop<G> {
    gateway: G,
}

trait Gateway: Send + Sync + 'static {
    fn name(&self) -> &'static str;
}

struct Real;

impl Gateway for Real {
    fn name(&self) -> &'static str {
        "real"
    }
}

#[workflow]
impl<G: Gateway> Shop<G> {
    async fn run(&self, _cx: &Context, _input: ()) -> Result<String> {
        self.pay().await
    }

    #[step]
    async fn pay(&self) -> Result<String> {
        Ok(self.gateway.name().to_owned())
    }
}

#[durable_test::test]
async fn a_step_of_a_generic_workflow_can_be_replaced(test: Test) -> Result<()> {
    let pay = body!(Shop::<Real>::pay, || async { Ok("new".to_owned()) });
    test.worker().register(Shop { gateway: Real }).replace(pay).start().await?;
    assert_eq!(test.start::<Shop<Real>>(()).await?.result().await?, "new");
    Ok(())
}
