//! A loop whose worker is killed before and after each of its writes.

use std::time::Duration;

use durable::prelude::*;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

use super::ROWS;
use crate::support::crash::{self, AtKill, CRASHES_AT_ONCE, every_write, killed_in};
use crate::support::process::{Effects, Folder};
use crate::support::proxy::{Fate, Moment, Trap};
use crate::support::{self, Database};

const READINGS: u32 = 3;
const KEY: &str = "meter-1";

/// Takes one reading in each iteration, and says how many it has taken; waits in between.
struct Meter(Effects);

/// What one iteration hands to the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Reading {
    taken: u32,
    of: u32,
}

#[workflow(timeout = "1h")]
impl Meter {
    async fn run(&self, cx: &Context, reading: Reading) -> Result<u32> {
        if reading.taken == reading.of {
            return Ok(reading.taken);
        }
        let taken = self.take(reading.taken + 1).await?;
        cx.set("taken", &taken).await?;
        cx.sleep(Duration::from_millis(1)).await?;
        self.store(taken).await?;
        cx.continue_as_new(&Reading { taken, ..reading }).await
    }

    #[step]
    async fn take(&self, nth: u32) -> Result<u32> {
        self.0.add(&format!("take {nth}"));
        Ok(nth)
    }

    #[step]
    async fn store(&self, nth: u32) -> Result<()> {
        self.0.add(&format!("store {nth}"));
        Ok(())
    }
}

const FIRST: Reading = Reading { taken: 0, of: READINGS };

/// The worker process that is killed: it starts the meter itself, and works on it.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let durable = Database::at(url.to_owned()).builder().register(Meter(folder.effects())).start().await.unwrap();
    durable.start::<Meter>(FIRST).key(KEY).await.unwrap();
    std::future::pending().await
}

async fn finish_and_check(what: &str, database: &Database, folder: &Folder, kill: Option<&AtKill>) {
    let effects = folder.effects();
    let worker = database.builder().register(Meter(effects.clone()));
    let result = crash::finish::<Meter>(what, database, worker, (FIRST, KEY)).await;
    assert_eq!(result.unwrap(), READINGS, "{what}");
    let row: String = database.value("select concat_ws(' ', continuations, count(*) over ()) from durable.executions").await;
    assert_eq!(row, format!("{READINGS} 1"), "{what}");
    assert_eq!(database.count(ROWS).await, 0, "{what}");
    let values: Vec<String> = database.values("select concat_ws(' ', revision, value) from durable.execution_values").await;
    assert_eq!(values, [format!("{READINGS} {READINGS}")], "{what}");
    for nth in 1..=READINGS {
        // The step that ran when the worker was killed may have to run again; no other step does.
        let done = effects.count(&format!("take {nth}")) + effects.count(&format!("store {nth}"));
        assert!((2..=3).contains(&done), "{what}: {:?}", effects.all());
    }
    let again = effects.all().len() - 2 * READINGS as usize;
    assert!(again <= usize::from(kill.is_some()), "{what}: {:?}", effects.all());
}

#[tokio::test]
async fn a_loop_goes_on_once_whenever_its_worker_is_killed() {
    let (database, folder) = (support::database().await, Folder::new());
    let (killed, writes) = killed_in("meter", &database, &folder, None).await;
    assert!(killed.is_none());
    finish_and_check("that never came", &database, &folder, None).await;
    let continuations = writes.iter().filter(|statement| *statement == "executions/continue_as_new").count();
    assert_eq!(continuations, READINGS as usize, "one statement each: {writes:?}");

    let points = every_write(&writes);
    let crashes = futures_util::stream::iter(points.clone()).map(async |(statement, nth, moment): (&str, usize, Moment)| {
        let what = format!("{moment:?} {statement} {nth}").to_lowercase();
        let (database, folder) = (support::database().await, Folder::new());
        let trap = Trap { statements: vec![statement.to_owned()], nth, moment, fate: Fate::Held };
        let (killed, _) = killed_in("meter", &database, &folder, Some(trap)).await;
        finish_and_check(&what, &database, &folder, killed.as_ref()).await;
        killed.is_some()
    });
    let caught: Vec<bool> = crashes.buffer_unordered(CRASHES_AT_ONCE).collect().await;
    let caught = caught.into_iter().filter(|caught| *caught).count();
    assert!(caught >= points.len() / 2, "only {caught} of {} points were reached", points.len());
}
