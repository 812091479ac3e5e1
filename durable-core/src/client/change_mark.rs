//! Tells a program that shows executions whether there is something new to show.

use super::Durable;
use crate::error::Result;
use crate::store::clock;

/// The state of a database at one moment; see [`Durable::change_mark`]. Two marks are equal if nothing has changed in between.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChangeMark(String);

impl Durable {
    /// A mark that is another one after a change of executions, schedules, queues or the list of workers. It is one short
    /// statement, whatever the size of the database: a program that shows many pages asks for it, and reads the pages again only
    /// if it has changed.
    ///
    /// Steps, waits and new executions are seen at once. If one connection makes several changes within a second, the last of
    /// them may be seen up to ten seconds later, because the server counts them late.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable) -> Result<()> {
    /// let mut shown = durable.change_mark().await?;
    /// loop {
    ///     tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    ///     let mark = durable.change_mark().await?;
    ///     if mark != shown {
    ///         println!("{} executions", durable.list_executions().await?.executions.len());
    ///         shown = mark;
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Unavailable` if the database does not answer in time.
    pub async fn change_mark(&self) -> Result<ChangeMark> {
        self.run("look for changes", |pool| clock::change_mark(self.store(), pool)).await.map(ChangeMark)
    }
}
