//! The edits of a retry and of a fork.

use clap::Args;
use durable::Fork;
use serde_json::value::RawValue;

use crate::failure::Failure;
use crate::value;

#[derive(Debug, Args)]
pub(crate) struct Edits {
    /// Another input, as JSON: the text itself, `@file`, or `-` for standard input; needs --reason
    #[arg(long, value_name = "JSON", requires = "reason")]
    input: Option<String>,
    /// The output of a step, which then does not run, as charge='"receipt 7"' or charge#2=@file; may be given several times;
    /// needs --reason
    #[arg(long, value_parser = result, value_name = "STEP=JSON", requires = "reason")]
    result: Vec<(String, String)>,
    /// Why the input or an output is given, for the record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who gives it, for the record
    #[arg(long, value_name = "PERSON")]
    by: Option<String>,
}

/// The edits with their JSON.
pub(crate) struct ReadEdits<'edits> {
    input: Option<Box<RawValue>>,
    outputs: Vec<(&'edits str, Box<RawValue>)>,
    reason: Option<&'edits str>,
    by: Option<&'edits str>,
}

/// A step and the text of its output.
fn result(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((step, output)) if !step.is_empty() => Ok((step.to_owned(), output.to_owned())),
        _ => Err(format!("`{text}` is not an output of a step; write the step and JSON, as in charge='\"receipt 7\"'")),
    }
}

impl Edits {
    pub(crate) fn read(&self) -> Result<ReadEdits<'_>, Failure> {
        let mut outputs = Vec::with_capacity(self.result.len());
        for (step, text) in &self.result {
            outputs.push((step.as_str(), value::json(text)?));
        }
        Ok(ReadEdits {
            input: self.input.as_deref().map(value::json).transpose()?,
            outputs,
            reason: self.reason.as_deref(),
            by: self.by.as_deref(),
        })
    }
}

impl ReadEdits<'_> {
    /// The retry or the fork with these edits.
    pub(crate) fn apply<'durable>(&self, mut fork: Fork<'durable>) -> Fork<'durable> {
        if let Some(input) = &self.input {
            fork = fork.input(input);
        }
        for (step, output) in &self.outputs {
            fork = fork.output(*step, output);
        }
        if let Some(reason) = self.reason {
            fork = fork.reason(reason);
        }
        if let Some(by) = self.by {
            fork = fork.by(by);
        }
        fork
    }
}
