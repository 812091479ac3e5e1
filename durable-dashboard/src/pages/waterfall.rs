//! What an execution did, in the order of time, as rows with bars.

use durable::chrono::{DateTime, Utc};
use durable::{Attempt, AttemptOutcome, ExecutionDetails, Failure, Json, Wait, WaitKind, WaitOutcome};

/// The width of all bars together; bars are drawn in these units.
const WIDTH: f64 = 1000.0;

/// The least width of a bar that can be seen.
const LEAST: f64 = 3.0;

/// A stretch without any event is drawn no longer than this many times the median stretch.
const LONGEST: f64 = 20.0;

/// An attempt, or a wait.
#[derive(Debug)]
pub(super) struct Entry<'details> {
    /// Its journal key.
    pub(super) key: String,
    /// 0 for a wait.
    pub(super) attempt: u32,
    /// The class of its bar.
    pub(super) class: &'static str,
    /// How it is or ended, in words.
    pub(super) state: String,
    pub(super) began: DateTime<Utc>,
    pub(super) ended: Option<DateTime<Utc>>,
    /// When the attempt before ended: between the two, the step waited to be tried again.
    pub(super) backs_off_since: Option<DateTime<Utc>>,
    pub(super) value: Option<&'details Json>,
    pub(super) error: Option<&'details Failure>,
    /// The child that it waits for.
    pub(super) child: Option<String>,
}

/// Places on the axis: times to units, with long gaps cut short.
#[derive(Debug)]
pub(super) struct Axis {
    /// Times, and where they are.
    points: Vec<(DateTime<Utc>, f64)>,
    pub(super) is_cut: bool,
}

/// Everything that has a beginning, the earliest first.
pub(super) fn entries(details: &ExecutionDetails) -> Vec<Entry<'_>> {
    let mut entries = Vec::new();
    for step in &details.steps {
        attempts(&mut entries, step.key.clone(), &step.attempts, step.output.as_ref());
    }
    for undone in &details.compensations {
        attempts(&mut entries, format!("undo {}", undone.step), &undone.attempts, undone.output.as_ref());
    }
    entries.extend(details.waits.iter().map(wait));
    // By key, too, so that a page begins at the same entry each time.
    entries.sort_by(|a, b| (a.began, &a.key, a.attempt).cmp(&(b.began, &b.key, b.attempt)));
    entries
}

fn attempts<'details>(
    entries: &mut Vec<Entry<'details>>,
    key: String,
    attempts: &'details [Attempt],
    output: Option<&'details Json>,
) {
    let mut before = None;
    for attempt in attempts {
        let (class, state) = match attempt.outcome {
            AttemptOutcome::Running => ("running", "runs"),
            AttemptOutcome::Completed => ("completed", "completed"),
            AttemptOutcome::Failed => ("failed", "failed"),
        };
        entries.push(Entry {
            key: key.clone(),
            attempt: attempt.number,
            class,
            state: if attempt.number > 1 { format!("{state}, attempt {}", attempt.number) } else { state.to_owned() },
            began: attempt.started_at,
            ended: attempt.finished_at,
            backs_off_since: before,
            value: output.filter(|_| attempt.outcome == AttemptOutcome::Completed),
            error: attempt.error.as_ref(),
            child: None,
        });
        before = attempt.finished_at;
    }
}

fn wait(wait: &Wait) -> Entry<'_> {
    let state = match wait.outcome {
        None => "waits".to_owned(),
        Some(WaitOutcome::Elapsed) => "is over".to_owned(),
        Some(WaitOutcome::Received) => match &wait.answered_by {
            Some(person) => format!("answered by {person}"),
            None if wait.kind == WaitKind::Child => "has ended".to_owned(),
            None => "received".to_owned(),
        },
        Some(WaitOutcome::TimedOut) => "timed out".to_owned(),
        Some(WaitOutcome::Cancelled) => "cancelled".to_owned(),
        Some(WaitOutcome::Closed) => "closed".to_owned(),
    };
    Entry {
        key: wait.key.clone(),
        attempt: 0,
        class: if wait.outcome.is_none() { "waiting" } else { "waited" },
        state,
        began: wait.started_at,
        ended: wait.resolved_at,
        backs_off_since: None,
        value: wait.payload.as_ref(),
        error: None,
        child: wait.child_id.map(|child| child.to_string()),
    }
}

impl Axis {
    /// An axis for these entries, from the start of the execution to its end or to now.
    pub(super) fn new(start: DateTime<Utc>, end: DateTime<Utc>, entries: &[Entry<'_>]) -> Self {
        let mut times: Vec<_> = entries.iter().flat_map(|entry| [Some(entry.began), entry.ended]).flatten().collect();
        times.extend([start, end]);
        times.sort_unstable();
        times.dedup();
        let micros = |pair: &[DateTime<Utc>]| (pair[1] - pair[0]).num_microseconds().unwrap_or(i64::MAX) as f64;
        let lengths: Vec<f64> = times.windows(2).map(micros).collect();
        let mut sorted = lengths.clone();
        sorted.sort_by(f64::total_cmp);
        let longest = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0) * LONGEST;
        let is_cut = lengths.iter().any(|length| *length > longest);
        let all: f64 = lengths.iter().map(|length| length.min(longest)).sum();
        let mut place = 0.0;
        let mut points = vec![(times[0], 0.0)];
        for (at, length) in times[1..].iter().zip(&lengths) {
            place += length.min(longest) / all.max(1.0) * WIDTH;
            points.push((*at, place));
        }
        Self { points, is_cut }
    }

    /// Where a time is.
    fn place(&self, at: DateTime<Utc>) -> f64 {
        let next = self.points.partition_point(|(time, _)| *time < at);
        match (next.checked_sub(1).and_then(|before| self.points.get(before)), self.points.get(next)) {
            (_, Some((time, place))) if *time == at => *place,
            (Some((from, low)), Some((to, high))) => {
                let part = |span: durable::chrono::TimeDelta| span.num_microseconds().unwrap_or(i64::MAX) as f64;
                low + (high - low) * part(at - *from) / part(*to - *from)
            }
            (Some((_, last)), None) => *last,
            (None, _) => 0.0,
        }
    }

    /// The beginning and the width of a bar.
    pub(super) fn bar(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> (u32, u32) {
        let from = self.place(from).min(WIDTH - LEAST);
        let width = (self.place(to) - from).max(LEAST);
        (from.round() as u32, width.round() as u32)
    }
}

#[cfg(test)]
mod tests {
    use durable::chrono::TimeDelta;

    use super::*;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(millis)
    }

    #[test]
    fn a_day_of_sleep_leaves_room_for_the_steps() {
        let entry = |key: &str, from, to| Entry {
            key: key.to_owned(),
            attempt: 1,
            class: "completed",
            state: String::new(),
            began: at(from),
            ended: Some(at(to)),
            backs_off_since: None,
            value: None,
            error: None,
            child: None,
        };
        let day = 86_400_000;
        let entries = [entry("step a", 0, 10), entry("step b", 10, 20), entry("step c", 20, 30), entry("step d", day, day + 10)];
        let axis = Axis::new(at(0), at(day + 10), &entries);
        assert!(axis.is_cut);
        assert_eq!(axis.bar(at(0), at(10)), (0, 42));
        assert_eq!(axis.bar(at(day), at(day + 10)), (958, 42));
        assert_eq!(axis.bar(at(day + 10), at(day + 10)), (997, 3), "a bar that takes no time is still seen");
    }

    #[test]
    fn an_execution_without_entries_has_an_axis() {
        let axis = Axis::new(at(5), at(5), &[]);
        assert_eq!(axis.bar(at(5), at(9)), (0, 3));
    }
}
