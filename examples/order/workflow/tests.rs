//! The workflow of an order, tested with `durable-test`: `cargo test --example order`.

use durable_test::{Due, Moment, Test, body, step};

use super::*;
use crate::effects::EffectsFile;

fn order() -> Order {
    let lines = vec![Line { product: "a kettle".to_owned(), quantity: 2, cents: 1999 }];
    let [number, customer, card, ship_to] = ["7", "Ada", "4242", "London"].map(str::to_owned);
    Order { number, customer, card, ship_to, lines }
}

/// A file for the effects of one test, and a workflow that writes to it.
fn shop(test: &str) -> Result<(EffectsFile, ProcessOrder)> {
    let file = EffectsFile::create(&format!("{test}-{}", std::process::id()))?;
    let effects = Effects::of_worker("test", file.path());
    Ok((file, ProcessOrder { gateway: Gateway::new(), effects }))
}

fn effects(file: &EffectsFile) -> Result<Vec<String>> {
    Ok(file.read()?.into_iter().map(|effect| effect.step).collect())
}

#[durable_test::test]
async fn an_order_is_shipped_when_it_is_packed_and_approved(test: Test) -> Result<()> {
    let (file, workflow) = shop("shipped")?;
    test.worker().register(workflow).fail(step!(ProcessOrder::authorise), 2, "no bank").start().await?;
    let execution = test.start::<ProcessOrder>(order()).await?;
    test.advance(minutes(1)).await?;
    execution.assert_waiting_for(["event warehouse_packed"]).await?;
    execution.send("warehouse_packed", &Packed { items: 2 }).await?;
    execution.answer("ship_approval", &Approval { approved: true }).await?;
    let Receipt::Shipped { tracking, cents } = execution.result().await? else { panic!("{}", execution.describe().await) };
    assert!(tracking.starts_with("TRK-") && tracking.ends_with("-2"), "{tracking}");
    assert_eq!(cents, 3998);
    execution.assert_attempts(step!(ProcessOrder::authorise), 3).await?;
    assert_eq!(effects(&file)?, ["validate", "authorise", "capture", "ship"]);
    Ok(())
}

#[durable_test::test]
async fn an_order_that_is_not_approved_in_half_an_hour_is_refunded(test: Test) -> Result<()> {
    let (_file, workflow) = shop("refunded")?;
    test.worker()
        .register(workflow)
        .replace(body!(ProcessOrder::refund, |_, payment: &Payment| async move {
            if payment.cents == 3998 { Ok(()) } else { Err(Error::permanent("another amount")) }
        }))
        .start()
        .await?;
    let execution = test.start::<ProcessOrder>(order()).await?;
    execution.send("warehouse_packed", &Packed { items: 2 }).await?;
    let advanced = test.advance(minutes(29)).await?;
    execution.assert_waiting_for(["input ship_approval"]).await?;
    assert_eq!(advanced.fired.iter().map(|fired| fired.kind).collect::<Vec<_>>(), [Due::Sleep]);
    assert!(matches!(execution.result().await?, Receipt::Refunded { cents: 3998 }));
    Ok(())
}

#[durable_test::test]
async fn a_worker_that_dies_behind_the_capture_captures_again_under_the_same_key(test: Test) -> Result<()> {
    let (file, workflow) = shop("captured")?;
    test.worker().register(workflow).start().await?;
    let crash = test.crash_at(step!(ProcessOrder::capture), Moment::AfterBody);
    let execution = test.start::<ProcessOrder>(order()).await?;
    crash.happened().await?;
    execution.until_waiting_for("sleep").await?;
    assert_eq!(effects(&file)?, ["validate", "authorise", "capture", "capture"]);
    execution.assert_journal(["step validate", "step authorise", "step capture", "sleep"]).await
}

#[test]
fn the_graph_of_an_order_has_a_way_to_each_receipt() {
    let graph = ProcessOrder::graph().to_mermaid();
    assert_eq!(
        graph,
        "flowchart TD
  n0([\"start\"])
  n1[\"validate\"]
  n2[\"authorise\"]
  n3[\"capture\"]
  n4{{\"sleep SECOND_THOUGHTS\"}}
  n5{{\"event warehouse_packed\"}}
  n6{{\"input ship_approval\"}}
  n7{\"!approval.approved\"}
  n8[\"refund\"]
  n9[\"ship\"]
  n10([\"end\"])
  n0 --> n1
  n1 --> n2
  n2 --> n3
  n3 --> n4
  n4 --> n5
  n5 --> n6
  n6 --> n7
  n7 -->|\"if\"| n8
  n7 -->|\"else\"| n9
  n8 --> n10
  n9 --> n10
  classDef opaque stroke-dasharray:4 3
"
    );
}
