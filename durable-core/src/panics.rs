//! Panics, of user code and of the engine's own tasks, as errors with message and place.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use futures_util::FutureExt;

use crate::error::{ErrorKind, Failure};

thread_local! {
    /// The panic hook leaves the place of a panic in it, for `catch`.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Calls a function; a panic becomes a failure.
pub(crate) fn catch<T>(call: impl FnOnce() -> T) -> Result<T, Box<Failure>> {
    panic::catch_unwind(AssertUnwindSafe(call)).map_err(|payload| failure_of(&*payload))
}

/// Polls a future to its end; a panic becomes a failure.
pub(crate) fn catch_in<F: Future>(future: F) -> impl Future<Output = Result<F::Output, Box<Failure>>> {
    // No async function: it would keep the future twice, as its argument and while it is polled.
    AssertUnwindSafe(future).catch_unwind().map(|caught| caught.map_err(|payload| failure_of(&*payload)))
}

/// Lets the panic hook note where a panic happened; the earlier hook still runs.
pub(crate) fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let place = info.location().map(ToString::to_string);
            // A panic while the thread ends finds the slot gone, and no one to read it.
            let _ = PLACE.try_with(|slot| *slot.borrow_mut() = place);
            before(info);
        }));
    });
}

fn failure_of(payload: &(dyn Any + Send)) -> Box<Failure> {
    let place = PLACE.with(|place| place.borrow_mut().take());
    Box::new(Failure { place, ..Failure::new(ErrorKind::Panicked, format!("panicked: {}", message(payload))) })
}

fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("with a value that is no text")
}
