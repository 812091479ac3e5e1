//! The macros for branches; each branch is evaluated in a scope of its own, when it is first polled.

/// Runs branches at once, all to their end; gives the values of all, or the first error in the order written.
///
/// A branch is a call of a step or a wait, or an `async` block with several. Each has journal entries of its own, so it does not
/// matter which is faster: after a crash every branch goes on where it was. `join!(…).settled()` gives the `Result` of each branch.
///
/// ```no_run
/// # use durable::prelude::*;
/// # struct Ship;
/// # #[workflow] impl Ship {
/// async fn run(&self, cx: &Context, order: u64) -> Result<String> {
///     let (label, ()) = durable::join!(self.print_label(order), async {
///         cx.sleep(minutes(5)).await?;
///         self.notify(order).await
///     })
///     .await?;
///     Ok(label)
/// }
/// # #[step] async fn print_label(&self, order: u64) -> Result<String> { Ok(order.to_string()) }
/// # #[step] async fn notify(&self, _order: u64) -> Result<()> { Ok(()) }
/// # }
/// ```
#[macro_export]
macro_rules! join {
    ($($branch:expr),+ $(,)?) => {
        $crate::__macro::join(($(async { ($branch).await },)+))
    };
}

/// Runs branches at once until one fails: the others are then dropped, their steps under way are told so (see
/// [`StepHandle::cancelled`](crate::context::StepHandle::cancelled)) and recorded as cut off, and the error is returned.
///
/// Which branch failed first is recorded, so a replay fails with the same error.
#[macro_export]
macro_rules! try_join {
    ($($branch:expr),+ $(,)?) => {
        $crate::__macro::try_join(($(async { ($branch).await },)+))
    };
}

/// Runs branches at once until one ends, with a value or with an error, and gives what it returned; all return the same type.
///
/// The winner is recorded, so a replay has the same one. The others are dropped: their steps under way are recorded as cut off.
/// An event that a loser has received stays for a later wait, unless the loser had gone on to another step or wait: then it was
/// used.
///
/// ```no_run
/// # use durable::prelude::*;
/// # async fn example(cx: &Context) -> Result<()> {
/// let paid: bool = durable::race!(
///     async {
///         let _receipt: String = cx.wait_for_event("paid").await?;
///         Ok::<_, Error>(true)
///     },
///     async {
///         cx.sleep(days(3)).await?;
///         Ok(false)
///     },
/// )
/// .await?;
/// # Ok(()) }
/// ```
#[macro_export]
macro_rules! race {
    ($first:expr $(, $other:expr)* $(,)?) => {
        $crate::__macro::race(async { ($first).await })$(.or(async { ($other).await }))*
    };
}
