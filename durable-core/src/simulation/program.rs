//! The random workflows of a simulation, as data: what they are made of, and how likely each part is.

use std::time::Duration;

use super::random::Random;

/// The names of the events that workflows wait for and clients send.
pub(super) const EVENTS: [&str; 2] = ["paid", "sent"];

/// The names of the questions that workflows ask and people answer.
pub(super) const QUESTIONS: [&str; 2] = ["amount", "count"];

/// The topics that workflows wait for and clients publish to.
pub(super) const TOPICS: [&str; 1] = ["rates"];

/// One part of a workflow.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Step(StepPart),
    Sleep(Duration),
    Event(&'static str),
    TimedEvent(&'static str, Duration),
    Input(&'static str),
    TimedInput(&'static str, Duration),
    TimedTopic(&'static str, Duration),
    Join(Vec<Part>, Vec<Part>),
    Race(Vec<Part>, Vec<Part>),
    /// Several items, so many of them at once.
    Map(Vec<Vec<Part>>, usize),
}

/// A call of a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct StepPart {
    pub(super) kind: StepKind,
    /// So many attempts fail.
    pub(super) failing: u32,
    pub(super) takes: Duration,
    /// Whether its failure ends the code around it.
    pub(super) must_succeed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepKind {
    /// Never retried.
    Once,
    /// Retried after a pause in memory.
    Soon,
    /// Retried after a pause that parks.
    Later,
    /// Writes in a transaction.
    InTransaction,
    /// Undone by a rollback if it has completed.
    Undoable,
    /// Undone by a rollback even if it has failed or was cut off.
    AlwaysUndone,
}

const KINDS: [StepKind; 6] =
    [StepKind::Once, StepKind::Soon, StepKind::Later, StepKind::InTransaction, StepKind::Undoable, StepKind::AlwaysUndone];

/// A random workflow of at most so many parts, nested at most so deep.
pub(super) fn random(random: &mut Random, parts: u64, depth: u32) -> Vec<Part> {
    (0..=random.below(parts)).map(|_| random_part(random, depth)).collect()
}

fn random_part(random: &mut Random, depth: u32) -> Part {
    let flat = 14;
    match random.below(if depth == 0 { flat } else { flat + 5 }) {
        0..=5 => Part::Step(random_step(random)),
        6 => Part::Sleep(random_time(random)),
        7 | 8 => Part::Event(EVENTS[random.index(EVENTS.len())]),
        9 => Part::TimedEvent(EVENTS[random.index(EVENTS.len())], random_time(random)),
        10 | 11 => Part::Input(QUESTIONS[random.index(QUESTIONS.len())]),
        12 => Part::TimedInput(QUESTIONS[random.index(QUESTIONS.len())], random_time(random)),
        13 => Part::TimedTopic(TOPICS[random.index(TOPICS.len())], random_time(random)),
        14 => Part::Join(self::random(random, 2, depth - 1), self::random(random, 2, depth - 1)),
        15 => {
            let items = (0..=random.below(3)).map(|_| self::random(random, 1, 0)).collect();
            Part::Map(items, 1 + random.index(3))
        }
        _ => Part::Race(self::random(random, 2, depth - 1), self::random(random, 2, depth - 1)),
    }
}

fn random_step(random: &mut Random) -> StepPart {
    StepPart {
        kind: KINDS[random.index(KINDS.len())],
        failing: if random.one_in(3) { 2 + u32::from(random.one_in(3)) } else { 0 },
        takes: if random.one_in(3) { Duration::from_millis(100 * random.below(30)) } else { Duration::ZERO },
        must_succeed: random.one_in(3),
    }
}

fn random_time(random: &mut Random) -> Duration {
    Duration::from_millis(random.below(20_000))
}
