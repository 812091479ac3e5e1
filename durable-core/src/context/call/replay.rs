//! The recorded outcome of a call, as its caller gets it.

use serde_json::value::RawValue;

use super::Call;
use crate::context::result::{StepError, StepResult};
use crate::error::Failure;
use crate::model::{Checkpoint, Outcome};
use crate::payload;
use crate::plan::divergence;
use crate::running::hold::Verdict;

impl Call {
    /// The recorded result, if this call is the one that was recorded.
    pub(super) async fn replay<R: StepResult>(&self, recorded: Checkpoint) -> R {
        if let (Some(before), Some(now)) = (recorded.digest, &self.arguments)
            && before != now.digest
        {
            let report = divergence::other_arguments(&self.key, before, Some(&recorded.outcome), now);
            return self.run.stop(Verdict::Diverged(report)).await;
        }
        let output = match recorded.outcome {
            Outcome::Error(failure) => return self.recorded_error(*failure).await,
            Outcome::Output(output) => output,
        };
        match payload::decode(format!("the recorded output of `{}`", self.key), output.as_str()) {
            Ok(value) => R::from_result(Ok(value)),
            Err(error) => {
                let report = divergence::other_type(&self.key, "output", output.as_str(), &error);
                self.run.stop(Verdict::Diverged(report)).await
            }
        }
    }

    /// The recorded error as the caller gets it.
    pub(super) async fn recorded_error<R: StepResult>(&self, failure: Failure) -> R {
        let value = failure.value.clone();
        match R::Error::from_record(failure) {
            Ok(error) => R::from_result(Err(error)),
            Err(error) => {
                let recorded = value.as_deref().map_or("null", RawValue::get);
                self.run.stop(Verdict::Diverged(divergence::other_type(&self.key, "error", recorded, &error))).await
            }
        }
    }
}
