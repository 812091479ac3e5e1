//! Gathers what attempts at steps log, within limits, and hands it over to be kept.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level};

use super::metrics;
use crate::ids::{Epoch, ExecutionId};

/// Most lines of an attempt.
const MOST_LINES: usize = 1000;

/// Most bytes of an attempt's lines: messages, targets and fields.
const MOST_BYTES: usize = 64 * 1024;

/// Most bytes of one line's message, and of one field.
const LONGEST: usize = 8 * 1024;

/// Most logs of attempts that wait to be kept. Further ones are dropped and counted: no step waits for its log.
pub(crate) const BACKLOG: usize = 10_000;

/// Most bytes of them together.
const BACKLOG_BYTES: usize = 32 * 1024 * 1024;

/// The field that is the message of an event.
const MESSAGE: &str = "message";

/// Whether the application has a layer that gathers what steps log. Without it nothing is gathered.
static LAYERED: AtomicBool = AtomicBool::new(false);

/// Notes that the application's subscriber has the layer.
pub(crate) fn note_layer() {
    LAYERED.store(true, Ordering::Relaxed);
}

/// From which level on steps are logged.
#[derive(Debug, Clone)]
pub(crate) struct Levels {
    pub(crate) usual: LevelFilter,
    pub(crate) by_workflow: HashMap<String, LevelFilter>,
}

impl Default for Levels {
    fn default() -> Self {
        Self { usual: LevelFilter::INFO, by_workflow: HashMap::new() }
    }
}

/// Where the logs of attempts go.
#[derive(Debug, Clone)]
pub(crate) struct StepLogs {
    levels: Arc<Levels>,
    logs: mpsc::Sender<AttemptLog>,
    /// The bytes of the logs that wait to be kept.
    waiting: Arc<AtomicUsize>,
}

/// What one attempt has logged.
#[derive(Debug)]
pub(crate) struct AttemptLog {
    pub(crate) execution_id: ExecutionId,
    pub(crate) epoch: Epoch,
    pub(crate) key: String,
    pub(crate) attempt: u32,
    pub(crate) lines: Vec<LoggedLine>,
    pub(crate) left_out: u32,
    pub(crate) bytes: usize,
    waiting: Arc<AtomicUsize>,
}

/// A line of an attempt's log.
#[derive(Debug)]
pub(crate) struct LoggedLine {
    pub(crate) at: Instant,
    pub(crate) level: Level,
    pub(crate) target: &'static str,
    pub(crate) message: String,
    /// The other fields as a JSON object; empty if there are none.
    pub(crate) fields: String,
    pub(crate) cut: bool,
}

/// Gathers the log of an attempt under way. When it is dropped, the log is handed over.
#[derive(Debug)]
pub(crate) struct Recorder {
    level: LevelFilter,
    log: Mutex<AttemptLog>,
    logs: mpsc::Sender<AttemptLog>,
}

impl StepLogs {
    pub(crate) fn new(levels: Levels) -> (Self, mpsc::Receiver<AttemptLog>) {
        let (logs, kept) = mpsc::channel(BACKLOG);
        (Self { levels: Arc::new(levels), logs, waiting: Arc::default() }, kept)
    }

    /// From which level on steps of the workflow are logged; `OFF` if nothing is.
    pub(super) fn level_of(&self, workflow: &str) -> LevelFilter {
        if !LAYERED.load(Ordering::Relaxed) {
            return LevelFilter::OFF;
        }
        self.levels.by_workflow.get(workflow).copied().unwrap_or(self.levels.usual)
    }

    /// Gathers the log of an attempt, from that level on.
    pub(super) fn recorder(&self, level: LevelFilter, (id, epoch): (ExecutionId, Epoch), key: &str, attempt: u32) -> Recorder {
        let log = AttemptLog {
            execution_id: id,
            epoch,
            key: key.to_owned(),
            attempt,
            lines: Vec::new(),
            left_out: 0,
            bytes: 0,
            waiting: self.waiting.clone(),
        };
        Recorder { level, log: Mutex::new(log), logs: self.logs.clone() }
    }
}

impl Recorder {
    /// Adds a line, unless its level is too low or the log is full.
    pub(crate) fn record(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        if self.level < *metadata.level() {
            return;
        }
        if self.log().is_full() {
            return self.log().leave_out();
        }
        let mut line = LoggedLine {
            at: Instant::now(),
            level: *metadata.level(),
            target: metadata.target(),
            message: String::new(),
            fields: String::new(),
            cut: false,
        };
        event.record(&mut line);
        line.close();
        self.log().add(line);
    }

    fn log(&self) -> MutexGuard<'_, AttemptLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AttemptLog {
    /// Notes that the log waits no longer.
    pub(crate) fn taken(&self) {
        self.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
    }

    fn is_full(&self) -> bool {
        self.lines.len() >= MOST_LINES || self.bytes >= MOST_BYTES
    }

    fn leave_out(&mut self) {
        self.left_out = self.left_out.saturating_add(1);
    }

    fn add(&mut self, line: LoggedLine) {
        self.bytes += line.size();
        self.lines.push(line);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let log = self.log.get_mut().unwrap_or_else(PoisonError::into_inner);
        if log.lines.is_empty() {
            return;
        }
        let (bytes, waiting) = (log.bytes, log.waiting.clone());
        let empty = AttemptLog { lines: Vec::new(), key: String::new(), waiting: Arc::default(), ..*log };
        let log = std::mem::replace(log, empty);
        let fits = waiting.fetch_add(bytes, Ordering::Relaxed) + bytes <= BACKLOG_BYTES;
        if !fits || self.logs.try_send(log).is_err() {
            waiting.fetch_sub(bytes, Ordering::Relaxed);
            metrics::step_logs_dropped(1);
        }
    }
}

impl LoggedLine {
    fn size(&self) -> usize {
        self.target.len() + self.message.len() + self.fields.len()
    }

    /// Adds a field that is not the message.
    fn add(&mut self, field: &Field, value: impl Serialize) {
        self.fields.push(if self.fields.is_empty() { '{' } else { ',' });
        self.push(field.name());
        self.fields.push(':');
        self.push(value);
    }

    fn push(&mut self, value: impl Serialize) {
        // Texts and numbers always encode.
        self.fields.push_str(&serde_json::to_string(&value).unwrap_or_else(|_| "null".to_owned()));
    }

    fn add_text(&mut self, field: &Field, text: &str) {
        let kept = &text[..text.floor_char_boundary(LONGEST)];
        self.cut |= kept.len() < text.len();
        // Postgres holds no NUL.
        let kept = if kept.contains('\0') { Cow::Owned(kept.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(kept) };
        if field.name() == MESSAGE { self.message = kept.into_owned() } else { self.add(field, kept) }
    }

    /// Adds a value that may be the message.
    fn add_value(&mut self, field: &Field, value: impl Serialize + ToString) {
        if field.name() == MESSAGE { self.message = value.to_string() } else { self.add(field, value) }
    }

    fn close(&mut self) {
        if !self.fields.is_empty() {
            self.fields.push('}');
        }
    }
}

impl Visit for LoggedLine {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Limited { text: String::new(), is_over: false };
        // It fails where the limit is reached, and what is there until then is kept.
        let _ = fmt::write(&mut text, format_args!("{value:?}"));
        self.cut |= text.is_over;
        self.add_text(field, &text.text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add_text(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add_value(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add_value(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add_value(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // NaN and infinity are no JSON numbers.
        if value.is_finite() { self.add_value(field, value) } else { self.add_value(field, value.to_string()) }
    }
}

/// Text that ends at a limit: a value of a gigabyte is not written out to be cut.
struct Limited {
    text: String,
    is_over: bool,
}

impl fmt::Write for Limited {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LONGEST - self.text.len();
        let fits = text.floor_char_boundary(room);
        self.text.push_str(&text[..fits]);
        if fits < text.len() {
            self.is_over = true;
            return Err(fmt::Error);
        }
        Ok(())
    }
}
