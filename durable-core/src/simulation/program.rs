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
    Child(ChildPart),
    /// Closes the events of a name.
    Close(&'static str),
    /// Asks for the version of a change.
    Version,
    /// Continues as new with this program; the last part of a program.
    Continue(usize),
}

/// A call of a child.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChildPart {
    pub(super) how: ChildCall,
    /// The number of its program, which no other call has.
    pub(super) program: usize,
    /// Another execution may have the key.
    pub(super) key: Option<&'static str>,
    /// Whether its failure ends the code around it.
    pub(super) must_succeed: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum ChildCall {
    Awaited,
    AwaitedFor(Duration),
    Started,
    Detached,
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

/// The keys of children: few, so that some are taken.
const KEYS: [&str; 3] = ["one", "two", "three"];

/// The programs of a simulated world by their numbers: the input of an execution is the number of its program.
#[derive(Debug)]
pub(super) struct Programs(Vec<Vec<Part>>);

/// How deep a program may be nested.
#[derive(Debug, Clone, Copy)]
pub(super) struct Depth {
    /// Branches in branches.
    pub(super) branches: u32,
    /// Children of children.
    pub(super) generations: u32,
}

impl Programs {
    /// The program of the children that compensations start.
    pub(super) const OF_COMPENSATIONS: usize = 0;

    pub(super) fn new() -> Self {
        let takes = Duration::from_secs(1);
        Self(vec![vec![Part::Step(StepPart { kind: StepKind::Once, failing: 0, takes, must_succeed: true })]])
    }

    pub(super) fn get(&self, number: usize) -> &[Part] {
        self.0.get(number).map_or(&[], Vec::as_slice)
    }

    /// All programs, by their numbers.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &[Part])> {
        self.0.iter().map(Vec::as_slice).enumerate()
    }

    /// Adds a random program of at most so many parts, and the programs of its children; returns its number.
    pub(super) fn add(&mut self, random: &mut Random, parts: u64, depth: Depth) -> usize {
        let mut program = self.random(random, parts, depth);
        if random.one_in(6) {
            let below = Depth { branches: 1, generations: depth.generations.min(1) };
            program.push(Part::Continue(self.add(random, 2, below)));
        }
        self.0.push(program);
        self.0.len() - 1
    }

    fn random(&mut self, random: &mut Random, parts: u64, depth: Depth) -> Vec<Part> {
        (0..=random.below(parts)).map(|_| self.random_part(random, depth)).collect()
    }

    fn random_part(&mut self, random: &mut Random, depth: Depth) -> Part {
        if depth.generations > 0 && random.one_in(5) {
            return Part::Child(self.random_child(random, depth.generations - 1));
        }
        let flat = 16;
        let below = Depth { branches: depth.branches.saturating_sub(1), ..depth };
        match random.below(if depth.branches == 0 { flat } else { flat + 5 }) {
            0..=5 => Part::Step(random_step(random)),
            6 => Part::Sleep(random_time(random)),
            7 | 8 => Part::Event(EVENTS[random.index(EVENTS.len())]),
            9 => Part::TimedEvent(EVENTS[random.index(EVENTS.len())], random_time(random)),
            10 | 11 => Part::Input(QUESTIONS[random.index(QUESTIONS.len())]),
            12 => Part::TimedInput(QUESTIONS[random.index(QUESTIONS.len())], random_time(random)),
            13 => Part::TimedTopic(TOPICS[random.index(TOPICS.len())], random_time(random)),
            14 => Part::Version,
            15 => Part::Close(EVENTS[random.index(EVENTS.len())]),
            16 => Part::Join(self.random(random, 2, below), self.random(random, 2, below)),
            17 => {
                let flat = Depth { branches: 0, ..depth };
                let items = (0..=random.below(3)).map(|_| self.random(random, 1, flat)).collect();
                Part::Map(items, 1 + random.index(3))
            }
            // A crash may come before the message, and cut the step off.
            18 => Part::Race(vec![Part::Event(EVENTS[0])], vec![Part::Step(slow_step_to_undo(random))]),
            _ => Part::Race(self.random(random, 2, below), self.random(random, 2, below)),
        }
    }

    fn random_child(&mut self, random: &mut Random, generations: u32) -> ChildPart {
        let program = self.add(random, 2, Depth { branches: 1, generations });
        let how = match random.below(8) {
            0..=4 => ChildCall::Awaited,
            5 => ChildCall::AwaitedFor(random_time(random)),
            6 => ChildCall::Started,
            _ => ChildCall::Detached,
        };
        let key = if random.one_in(6) { random.one_of(&KEYS) } else { None };
        ChildPart { how, program, key, must_succeed: random.one_in(3) }
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

fn slow_step_to_undo(random: &mut Random) -> StepPart {
    let takes = Duration::from_millis(1000 + random.below(3000));
    StepPart { kind: StepKind::AlwaysUndone, failing: 0, takes, must_succeed: false }
}

fn random_time(random: &mut Random) -> Duration {
    Duration::from_millis(random.below(20_000))
}
