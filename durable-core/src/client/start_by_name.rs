//! Starts executions of workflows whose code is in another program: by name and version, with the input as it is.

use std::future::IntoFuture;

use serde::Serialize;

use super::Durable;
use super::set_inputs::judge_inputs;
use super::start::{Definition, Start};
use crate::context::step::BoxFuture;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::model::Tags;
use crate::payload;

/// The queue of a start by name that gives none; it is also that of workflows that name none.
const QUEUE: &str = "default";

/// Longest name of a workflow, in characters; as the macro has it.
const LONGEST_NAME: usize = 100;

/// A workflow that is known only by its name.
#[derive(Debug)]
pub enum ByName {}

/// A start by name; await it. See [`Durable::start_by_name`].
pub type StartByName<'durable> = Start<'durable, ByName>;

impl Start<'_, ByName> {
    /// The version of the workflow; 1 by default.
    pub fn version(mut self, version: u32) -> Self {
        self.definition().version = version;
        self
    }
}

impl<'durable> IntoFuture for Start<'durable, ByName> {
    type Output = Result<ExecutionId>;
    type IntoFuture = BoxFuture<'durable, Result<ExecutionId>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (durable, new) = (self.durable(), self.into_new()?);
            let workflow = &new.workflow;
            if workflow.is_empty() || workflow.chars().count() > LONGEST_NAME || workflow.contains(char::is_control) {
                let problem =
                    format!("a workflow is named with 1 to {LONGEST_NAME} characters, none of them a control character");
                return Err(Error::of_kind(ErrorKind::Invalid, problem));
            }
            if let Some(door) = durable.registered_door(workflow, new.version.cast_unsigned()) {
                judge_inputs(&door, &new)?;
            }
            let started = durable.start_checked(vec![new]).await?;
            started.first().map(|started| started.id).ok_or_else(|| Error::new("a start returned nothing"))
        })
    }
}

impl Durable {
    /// Starts an execution of a workflow by its name, for programs that do not have its code. The input is taken as it is; if it
    /// does not decode, the workflow fails. Await the returned builder, after options such as `.queue("orders")`.
    ///
    /// ```no_run
    /// # async fn example(durable: &durable::Durable) -> durable::Result<()> {
    /// let id = durable.start_by_name("process_order", &42).queue("orders").key("order-42").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`start`](Self::start); `Invalid` for a name or a version that no workflow can have. If the workflow is a graph that is
    /// registered in this process, also `Invalid` for an unknown input, and `Payload` for a value that does not fit.
    pub fn start_by_name<T: Serialize + ?Sized>(&self, workflow: impl Into<String>, input: &T) -> StartByName<'_> {
        let workflow = workflow.into();
        let input = payload::encode(format_args!("the input of workflow `{workflow}`"), input);
        let definition = Definition {
            workflow,
            version: 1,
            queue: QUEUE,
            timeout: None,
            concurrency_key: None,
            time_to_live: None,
            tags: Tags::new(),
        };
        Start::new(self, definition, input)
    }
}
