//! An observer that logs.

use super::{
    Consent, ExecutionCompleted, ExecutionFailed, ExecutionStarted, InputAnswered, Observer, RollbackBegan, ScheduleFired,
    StepBegins, StepEnded, StepRecorded, WaitBegan,
};

/// Logs everything through `tracing`: the start and completion of executions and the firing of schedules at level `INFO`; steps,
/// waits and answers at `DEBUG`; failures and rollbacks at `WARN`.
///
/// ```no_run
/// # async fn example(url: &str) -> durable::Result<()> {
/// let durable = durable::Durable::builder().database_url(url).observe(durable::LogObserver).start().await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct LogObserver;

/// Logs with the fields of the execution before the others.
macro_rules! log {
    ($level:ident, $about:expr, $($rest:tt)+) => {
        tracing::$level!(
            execution_id = %$about.execution.id,
            workflow = $about.execution.workflow,
            version = $about.execution.version,
            $($rest)+
        )
    };
}

impl Observer for LogObserver {
    fn on_start(&self, started: &ExecutionStarted) {
        log!(info, started, "an execution begins");
    }

    fn before_step(&self, step: &StepBegins) -> Consent {
        log!(debug, step, step = step.key, attempt = step.attempt, direction = %step.direction, "a step begins");
        Consent::Proceed
    }

    fn after_step(&self, step: &StepEnded) {
        let StepEnded { key, attempt, direction, took, .. } = step;
        let retry_at = step.retry_at.map(tracing::field::display);
        match &step.error {
            None => log!(debug, step, step = key, attempt, %direction, ?took, "a step succeeded"),
            Some(error) => {
                let error = format!("{error:#}");
                log!(warn, step, step = key, attempt, %direction, ?took, error, retry_at, "a step failed");
            }
        }
    }

    fn on_checkpoint(&self, checkpoint: &StepRecorded) {
        let StepRecorded { key, attempt, direction, .. } = checkpoint;
        log!(debug, checkpoint, step = key, attempt, %direction, "a step is on record");
    }

    fn on_wait(&self, wait: &WaitBegan) {
        let due_at = wait.due_at.map(tracing::field::display);
        log!(debug, wait, wait = wait.key, kind = wait.kind.as_str(), names = ?wait.names, due_at, "an execution waits");
    }

    fn on_rollback(&self, rollback: &RollbackBegan) {
        log!(warn, rollback, reason = format!("{:#}", rollback.reason), "an execution is rolled back");
    }

    fn on_complete(&self, completed: &ExecutionCompleted) {
        log!(info, completed, "an execution completed");
    }

    fn on_failure(&self, failed: &ExecutionFailed) {
        log!(warn, failed, state = %failed.state, error = format!("{:#}", failed.error), "an execution failed");
    }

    fn on_firing(&self, firing: &ScheduleFired) {
        let ScheduleFired { schedule, due_at, outcome, execution_id } = firing;
        let execution_id = execution_id.map(tracing::field::display);
        tracing::info!(schedule, %due_at, ?outcome, execution_id, "a schedule was due");
    }

    fn on_answer(&self, answer: &InputAnswered) {
        let InputAnswered { execution_id, name, answered_by } = answer;
        tracing::debug!(%execution_id, input = name, answered_by, "an answer was given");
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use chrono::DateTime;
    use tracing_subscriber::fmt::MakeWriter;

    use super::super::{Direction, ObservedExecution};
    use super::*;
    use crate::error::Error;
    use crate::ids::ExecutionId;
    use crate::model::{ExecutionState, FiringOutcome, WaitKind};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Log {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    /// The lines that are logged, without their times, targets and executions.
    fn logged(call: impl FnOnce()) -> Vec<String> {
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(log.clone())
            .without_time()
            .with_target(false)
            .with_ansi(false)
            .finish();
        tracing::subscriber::with_default(subscriber, call);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn everything_is_logged_with_its_fields_at_its_level() {
        let execution = ObservedExecution { id: ExecutionId::new(), workflow: "order".to_owned(), version: 2 };
        let of = format!("execution_id={} workflow=\"order\" version=2", execution.id);
        let error = || Error::new("no").failure().clone();
        let (key, direction, took) = ("step pay".to_owned(), Direction::Forward, Duration::from_secs(1));
        let ended = |error| StepEnded {
            execution: execution.clone(),
            key: key.clone(),
            attempt: 1,
            direction,
            took,
            error,
            retry_at: None,
        };
        let lines = logged(|| {
            LogObserver.on_start(&ExecutionStarted { execution: execution.clone() });
            let step = StepBegins { execution: execution.clone(), key: key.clone(), attempt: 1, direction };
            assert_eq!(LogObserver.before_step(&step), Consent::Proceed);
            LogObserver.after_step(&ended(None));
            LogObserver.after_step(&ended(Some(error())));
            let recorded = StepRecorded { execution: execution.clone(), key: key.clone(), attempt: 1, direction, error: None };
            LogObserver.on_checkpoint(&recorded);
            let (key, kind, names) = ("event paid".to_owned(), WaitKind::Event, vec!["paid".to_owned()]);
            LogObserver.on_wait(&WaitBegan { execution: execution.clone(), key, kind, names, due_at: None });
            LogObserver.on_rollback(&RollbackBegan { execution: execution.clone(), reason: error() });
            LogObserver.on_complete(&ExecutionCompleted { execution: execution.clone() });
            let state = ExecutionState::Failed;
            LogObserver.on_failure(&ExecutionFailed { execution: execution.clone(), state, error: error() });
            let (due_at, outcome) = (DateTime::UNIX_EPOCH, FiringOutcome::Skipped);
            LogObserver.on_firing(&ScheduleFired { schedule: "nightly".to_owned(), due_at, outcome, execution_id: None });
            let (name, answered_by) = ("approval".to_owned(), Some("ada".to_owned()));
            LogObserver.on_answer(&InputAnswered { execution_id: execution.id, name, answered_by });
        });
        let expected = [
            format!("INFO an execution begins {of}"),
            format!("DEBUG a step begins {of} step=\"step pay\" attempt=1 direction=forward"),
            format!("DEBUG a step succeeded {of} step=\"step pay\" attempt=1 direction=forward took=1s"),
            format!("WARN a step failed {of} step=\"step pay\" attempt=1 direction=forward took=1s error=\"no\""),
            format!("DEBUG a step is on record {of} step=\"step pay\" attempt=1 direction=forward"),
            format!("DEBUG an execution waits {of} wait=\"event paid\" kind=\"event\" names=[\"paid\"]"),
            format!("WARN an execution is rolled back {of} reason=\"no\""),
            format!("INFO an execution completed {of}"),
            format!("WARN an execution failed {of} state=failed error=\"no\""),
            "INFO a schedule was due schedule=\"nightly\" due_at=1970-01-01 00:00:00 UTC outcome=Skipped".to_owned(),
            format!("DEBUG an answer was given execution_id={} input=\"approval\" answered_by=\"ada\"", execution.id),
        ];
        assert_eq!(lines, expected);
    }
}
