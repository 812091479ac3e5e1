//! Each claim of an execution is a span, and each attempt at a step is one inside it.

use std::collections::BTreeSet;

use durable::compensation;
use durable::prelude::*;
use tokio::sync::Notify;

use super::recorder::{EndedSpan, Recorder};
use crate::support::{self, eventually, eventually_some, soon};

static PACKED: Notify = Notify::const_new();

/// Charges at the second attempt, waits for the parcel, and packs it, which cannot be done.
struct Ship;

#[workflow(name = "traced_ship", version = 3)]
impl Ship {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        tracing::info!("shipping");
        self.charge().await?;
        let () = cx.wait_for_event("parcel").await?;
        self.pack().await
    }

    #[step(retry(max_attempts = 2, base = "1ms"), compensate = refund)]
    async fn charge(&self) -> Result<()> {
        tracing::info!("charging");
        if durable::step().attempt() == 1 { Err(Error::new("declined")) } else { Ok(()) }
    }

    #[compensation]
    async fn refund(&self) -> Result<()> {
        tracing::info!("refunding");
        Ok(())
    }

    #[step(transaction)]
    async fn pack(&self, tx: &mut Transaction) -> Result<()> {
        durable::sqlx::query("select 1").execute(&mut **tx).await?;
        tracing::info!("packing");
        Err(Error::permanent("no box"))
    }
}

/// Two branches and a map whose steps take turns.
struct Beside;

#[workflow(name = "traced_beside")]
impl Beside {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        durable::try_join!(self.count("left"), self.measure("right")).await?;
        cx.map(vec![1, 2]).each(|item| self.weigh(item)).await?;
        Ok(())
    }

    #[step]
    async fn count(&self, side: &str) -> Result<()> {
        take_turns(side).await
    }

    #[step]
    async fn measure(&self, side: &str) -> Result<()> {
        take_turns(side).await
    }

    #[step]
    async fn weigh(&self, item: u32) -> Result<()> {
        take_turns(&item.to_string()).await
    }
}

async fn take_turns(who: &str) -> Result<()> {
    for turn in 1..=3 {
        tracing::info!("{who} {turn}");
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Drops the slower of two steps.
struct Hurry;

#[workflow(name = "traced_hurry")]
impl Hurry {
    async fn run(&self, _cx: &Context, _: ()) -> Result<()> {
        durable::race!(self.fast(), self.slow()).await
    }

    #[step]
    async fn fast(&self) -> Result<()> {
        PACKED.notified().await;
        Ok(())
    }

    #[step]
    async fn slow(&self) -> Result<()> {
        PACKED.notify_one();
        std::future::pending().await
    }
}

/// Loses its execution while its only step runs.
struct Robbed {
    database: durable::sqlx::PgPool,
}

#[workflow(name = "traced_robbed")]
impl Robbed {
    async fn run(&self, _cx: &Context, _: ()) -> Result<()> {
        self.be_robbed().await
    }

    #[step]
    async fn be_robbed(&self) -> Result<()> {
        durable::sqlx::query("update durable.executions set state = 'pending', worker_id = null where epoch = 1")
            .execute(&self.database)
            .await?;
        Ok(())
    }
}

fn outline(spans: &[EndedSpan]) -> Vec<(&str, &str)> {
    spans.iter().map(|span| (span.name(), &span["durable.outcome"])).collect()
}

#[tokio::test]
async fn a_claim_is_a_span_and_so_is_every_attempt_in_it() {
    let database = support::database().await;
    let recorder = Recorder::default();
    let _guard = recorder.install();
    let engine = database.builder().register(Ship).start().await.unwrap();
    let handle = engine.start::<Ship>(()).await.unwrap();
    eventually("parked", async || recorder.named("workflow traced_ship").len() == 1).await;
    engine.send_event(handle.id(), "parcel", &()).await.unwrap();
    assert!(soon("its end", handle.result()).await.is_err());
    let ended = eventually_some("both claims", async || Some(recorder.ended()).filter(|ended| ended.len() == 6)).await;

    let expected = [
        ("step charge", "retried"),
        ("step charge", "completed"),
        ("workflow traced_ship", "parked"),
        ("step pack", "failed"),
        ("step refund", "completed"),
        ("workflow traced_ship", "compensated"),
    ];
    assert_eq!(outline(&ended), expected);
    for span in &ended {
        assert_eq!(&span["durable.execution_id"], handle.id().to_string());
        assert_eq!((&span["durable.workflow"], &span["durable.version"]), ("traced_ship", "3"));
    }
    let steps: Vec<&EndedSpan> = ended.iter().filter(|span| span.has("durable.step")).collect();
    assert!(steps.iter().all(|span| span.parent.as_deref() == Some("workflow traced_ship")), "{steps:?}");
    let claims: Vec<&EndedSpan> = ended.iter().filter(|span| !span.has("durable.step")).collect();
    assert_eq!((&claims[0]["durable.epoch"], &claims[1]["durable.epoch"]), ("1", "2"));
    assert!(claims.iter().all(|span| span.parent.is_none() && &span["durable.queue"] == "default"));
    assert_eq!(claims[0].messages, ["shipping"]);

    assert_eq!((&ended[0]["durable.attempt"], &ended[1]["durable.attempt"]), ("1", "2"));
    assert_eq!((&ended[0]["error.type"], &ended[0]["otel.status_description"]), ("failed", "declined"));
    assert_eq!(ended[1].messages, ["charging"]);
    assert_eq!((&ended[3]["durable.key"], &ended[3]["durable.direction"]), ("step pack", "forward"));
    assert_eq!(ended[3].messages, ["packing"]);
    assert_eq!((&ended[4]["durable.key"], &ended[4]["durable.direction"]), ("undo/step charge", "rollback"));
    assert_eq!(ended[4].messages, ["refunding"]);
    assert_eq!((&ended[5]["otel.status_code"], &ended[5]["otel.status_description"]), ("ERROR", "no box"));
    engine.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_guide_lists_every_field_of_either_span_and_no_other() {
    let database = support::database().await;
    let recorder = Recorder::default();
    let _guard = recorder.install();
    let engine = database.builder().register(Beside).start().await.unwrap();
    soon("its end", engine.start::<Beside>(()).await.unwrap().result()).await.unwrap();
    engine.shutdown().await.unwrap();
    let guide = include_str!("../../../src/guide/telemetry.md");
    let table = guide.split("| field | of | what |").nth(1).unwrap().split("\n\n").next().unwrap();
    let listed = |span: &str| {
        let of_span = |cells: &Vec<&str>| cells.len() > 2 && (cells[2].contains("both") || cells[2].contains(span));
        let rows = table.lines().map(|row| row.split('|').collect()).filter(of_span);
        let names =
            rows.flat_map(|cells| cells[1].split(", ").map(|name| name.trim_matches([' ', '`']).to_owned()).collect::<Vec<_>>());
        names.collect::<BTreeSet<String>>()
    };
    for span in ["workflow", "step"] {
        let declared = recorder.ended().into_iter().find(|ended| ended.span == span).unwrap().declared;
        assert_eq!(declared.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), listed(span), "{span}");
    }
}

#[tokio::test]
async fn what_a_step_logs_stands_in_its_own_span_while_others_run_in_between() {
    let database = support::database().await;
    let recorder = Recorder::default();
    let _guard = recorder.install();
    let engine = database.builder().register(Beside).start().await.unwrap();
    soon("its end", engine.start::<Beside>(()).await.unwrap().result()).await.unwrap();
    let logged = |span: &EndedSpan| span.messages.clone();
    assert_eq!(logged(&recorder.named("step count")[0]), ["left 1", "left 2", "left 3"]);
    assert_eq!(logged(&recorder.named("step measure")[0]), ["right 1", "right 2", "right 3"]);
    let weighed = recorder.named("step weigh");
    assert_eq!(weighed.len(), 2);
    for span in &weighed {
        let item = if &span["durable.key"] == "map/0/step weigh" { 1 } else { 2 };
        assert_eq!(logged(span), [1, 2, 3].map(|turn| format!("{item} {turn}")));
    }
    engine.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_step_that_is_cut_off_ends_its_span() {
    let database = support::database().await;
    let recorder = Recorder::default();
    let _guard = recorder.install();
    let engine = database.builder().register(Hurry).start().await.unwrap();
    soon("its end", engine.start::<Hurry>(()).await.unwrap().result()).await.unwrap();
    let ends = ["step fast", "step slow"].map(|step| recorder.named(step)[0]["durable.outcome"].to_owned());
    assert_eq!(ends, ["completed", "cut_off"]);
    engine.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_claim_whose_end_is_refused_is_lost() {
    let database = support::database().await;
    let recorder = Recorder::default();
    let _guard = recorder.install();
    let engine = database.builder().register(Robbed { database: database.pool().clone() }).start().await.unwrap();
    engine.start::<Robbed>(()).await.unwrap();
    let claim = eventually_some("the claim", async || recorder.named("workflow traced_robbed").into_iter().next()).await;
    assert_eq!((&claim["durable.epoch"], &claim["durable.outcome"]), ("1", "lost"));
    engine.shutdown().await.unwrap();
}
