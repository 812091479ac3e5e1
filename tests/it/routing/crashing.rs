//! A worker killed at every write of a workflow with routed steps: each is done as often as a step in place would be.

use durable::prelude::*;
use futures_util::StreamExt;

use super::POLL;
use crate::support::crash::{self, AtKill, CRASHES_AT_ONCE, every_write, killed_in};
use crate::support::process::{Effects, Folder};
use crate::support::proxy::{Fate, Moment, Trap};
use crate::support::{self, Database};

/// Makes one part here and two elsewhere at once, and puts them together there.
struct Assemble {
    effects: Effects,
}

#[workflow(queue = "hall")]
impl Assemble {
    async fn run(&self, _cx: &Context, name: String) -> Result<String> {
        let frame = self.weld(&name).await?;
        let (left, right) = durable::join!(self.prime("left"), self.polish("right")).await?;
        self.fit(vec![frame, left, right]).await
    }

    #[step]
    async fn weld(&self, name: &str) -> Result<String> {
        self.effects.add("weld");
        Ok(format!("frame of {name}"))
    }

    #[step(queue = "paint shop")]
    async fn prime(&self, side: &str) -> Result<String> {
        self.effects.add("prime");
        Ok(format!("{side} door"))
    }

    #[step(queue = "paint shop")]
    async fn polish(&self, side: &str) -> Result<String> {
        self.effects.add("polish");
        Ok(format!("{side} door"))
    }

    #[step(queue = "paint shop")]
    async fn fit(&self, parts: Vec<String>) -> Result<String> {
        self.effects.add("fit");
        Ok(parts.join(", "))
    }
}

const KEY: &str = "car-1";
const EXECUTIONS: [&str; 4] =
    ["assemble completed", "assemble::fit completed", "assemble::polish completed", "assemble::prime completed"];
/// The keys of all steps, also of those that executions of their own run, and what each does.
const STEPS: [(&str, &str); 4] =
    [("step weld", "weld"), ("join/0/step prime", "prime"), ("join/1/step polish", "polish"), ("step fit", "fit")];

fn builder(url: &str, folder: &Folder) -> durable::Builder {
    let builder = Durable::builder().database_url(url).max_connections(4).poll_interval(POLL);
    builder.register(Assemble { effects: folder.effects() })
}

/// The worker process that is killed: it starts the assembly itself, and works on both queues.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let durable = builder(url, folder).start().await.unwrap();
    durable.start::<Assemble>("car".to_owned()).key(KEY).await.unwrap();
    std::future::pending().await
}

async fn finish_and_check(what: &str, database: &Database, folder: &Folder, kills: &[AtKill]) {
    let car = crash::finish::<Assemble>(what, database, builder(&database.url, folder), ("car".to_owned(), KEY)).await;
    assert_eq!(car.unwrap(), "frame of car, left door, right door", "{what}");
    for (step, effect) in STEPS {
        crash::assert_done_once(what, &folder.effects(), (effect, step), kills);
    }
    let executions: Vec<String> = database.values("select workflow || ' ' || state from durable.executions order by 1").await;
    assert_eq!(executions, EXECUTIONS, "{what}");
}

#[tokio::test]
async fn a_workflow_with_routed_steps_finishes_whenever_its_worker_is_killed() {
    let (database, folder) = (support::database().await, Folder::new());
    let (killed, writes) = killed_in("assembly", &database, &folder, None).await;
    assert!(killed.is_none());
    finish_and_check("that never came", &database, &folder, &[]).await;

    let points = every_write(&writes);
    assert!(points.len() >= 10, "so few writes were seen that the proxy must be out of date: {writes:?}");
    let crashes = futures_util::stream::iter(&points).map(|(statement, nth, moment)| crash_at(statement, *nth, *moment));
    let caught: Vec<bool> = crashes.buffer_unordered(CRASHES_AT_ONCE).collect().await;
    let caught = caught.into_iter().filter(|caught| *caught).count();
    // How many steps one write holds is a matter of chance, so that the last points may not be reached.
    assert!(caught >= points.len() / 2, "only {caught} of {} points were reached", points.len());
}

async fn crash_at(statement: &str, nth: usize, moment: Moment) -> bool {
    let what = format!("{moment:?} {statement} {nth}").to_lowercase();
    let (database, folder) = (support::database().await, Folder::new());
    let trap = Trap { statements: vec![statement.to_owned()], nth, moment, fate: Fate::Held };
    let (killed, _) = killed_in("assembly", &database, &folder, Some(trap)).await;
    finish_and_check(&what, &database, &folder, killed.as_slice()).await;
    killed.is_some()
}
