//! A node that is a flow: what its code asks the engine for.

use crate::context::door::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::running::ambient;

/// The `cx` of a node. What it does is journalled below the key of the node's run.
///
/// # Errors
/// `Invalid` outside an execution.
pub fn context() -> Result<Context> {
    let scope = ambient::scope();
    let scope = scope.ok_or_else(|| Error::of_kind(ErrorKind::Invalid, "a node of a graph runs outside an execution"))?;
    Ok(Context::of_node(scope))
}
