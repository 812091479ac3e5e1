//! What the steps of a fleet did to the world, line by line, and whether that could be.

use std::collections::{BTreeMap, BTreeSet};

use super::STAGES;
use crate::support::process::Effects;

/// What a step writes down when it is called.
pub(super) fn line(step: &str, number: u32, process: u32) -> String {
    format!("{number} {step} {process}")
}

/// One call of a step.
struct Call {
    number: u32,
    stage: usize,
    step: String,
    process: u32,
}

/// Every call of every step, in the order in which they were made.
pub(super) struct Ledger {
    calls: Vec<Call>,
    /// Processes that were frozen for longer than their lease: one that wakes up may end the line it was writing.
    frozen: BTreeSet<u32>,
}

impl Ledger {
    pub(super) fn read(effects: &Effects, frozen: &[u32]) -> Self {
        let calls = effects.all().iter().map(|line| read(line)).collect();
        Self { calls, frozen: frozen.iter().copied().collect() }
    }

    /// Calls of a step that was on record: after a step of a later stage had begun. None, if all is well.
    pub(super) fn violations(&self) -> Vec<String> {
        let mut reached: BTreeMap<u32, usize> = BTreeMap::new();
        let mut violations = Vec::new();
        for call in self.calls.iter().filter(|call| !self.frozen.contains(&call.process)) {
            let reached = reached.entry(call.number).or_default();
            if call.stage < *reached {
                violations.push(format!("`{} {}` was called again after `{}`", call.step, call.number, STAGES[*reached][0]));
            }
            *reached = call.stage.max(*reached);
        }
        violations
    }

    #[cfg(test)]
    fn of(lines: &[&str]) -> Self {
        Self { calls: lines.iter().map(|line| read(line)).collect(), frozen: BTreeSet::new() }
    }
}

fn read(line: &str) -> Call {
    let parts: Vec<&str> = line.split(' ').collect();
    let [number, step, process] = parts[..] else { panic!("a torn line: {line}") };
    let stage = STAGES.iter().position(|stage| stage.contains(&step)).unwrap();
    Call { number: number.parse().unwrap(), stage, step: step.to_owned(), process: process.parse().unwrap() }
}

#[test]
fn a_step_that_is_called_again_after_the_next_has_begun_is_noticed() {
    let interrupted = ["7 weigh 1", "7 weigh 2", "7 pack 2", "7 label 2", "7 pack 3", "7 ship 3", "7 ship 4", "8 weigh 4"];
    assert!(Ledger::of(&interrupted).violations().is_empty());
    let repeated = ["7 weigh 1", "7 pack 1", "7 weigh 2"];
    assert_eq!(Ledger::of(&repeated).violations(), ["`weigh 7` was called again after `pack`"]);
}
