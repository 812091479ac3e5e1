//! Finds the body that replaces a step's own body in a test.

use std::sync::Arc;

use crate::running::ambient;
use crate::testing::StepKey;

/// The body that replaces this one in the engine that runs the calling code; `None` if a test has replaced nothing, and outside
/// an execution.
pub fn stand_in<W: 'static, B: ?Sized + Send + Sync + 'static>(key: &StepKey<W, B>) -> Option<Arc<Box<B>>> {
    ambient::doubles()?.body(key)
}
