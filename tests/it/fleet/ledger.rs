//! What the steps of a fleet did to the world, line by line, and whether that could be.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::process::Effects;

/// Steps in the order in which they are on record before the next begins: those of one stage run side by side.
const STAGES: [&[&str]; 4] = [&["weigh"], &["stamp"], &["pack", "label"], &["ship"]];

/// Stands in the ledger where the database died: what was not flushed is forgotten, and may be done again.
pub(super) const CRASH: &str = "the database died";

/// What a step writes down when it is called.
pub(super) fn line(step: &str, number: u32, process: u32) -> String {
    format!("{number} {step} {process}")
}

/// Whether a process has begun to pack something that is not shipped.
pub(super) fn is_packing(effects: &Effects, process: u32) -> bool {
    let lines = effects.all();
    let calls = read(lines.iter().map(String::as_str));
    let shipped: BTreeSet<u32> = calls.iter().filter(|call| call.step == "ship").map(|call| call.number).collect();
    calls.iter().any(|call| call.step == "pack" && call.process == process && !shipped.contains(&call.number))
}

/// How many steps a process has called.
pub(super) fn calls_of(effects: &Effects, process: u32) -> usize {
    let lines = effects.all();
    read(lines.iter().map(String::as_str)).iter().filter(|call| call.process == process).count()
}

/// One call of a step.
#[derive(Debug, Clone)]
struct Call {
    number: u32,
    stage: usize,
    step: String,
    process: u32,
    /// How often the database had died.
    crashes: usize,
}

/// Every call of every step, in the order in which they were made.
pub(super) struct Ledger {
    calls: Vec<Call>,
    /// Processes that were frozen for longer than their lease: one that wakes up may end the line it was writing.
    frozen: BTreeSet<u32>,
    /// Processes that were killed or declared lost: what they had called may be called again.
    lost: BTreeSet<u32>,
}

impl Ledger {
    pub(super) fn read(effects: &Effects, frozen: BTreeSet<u32>, lost: BTreeSet<u32>) -> Self {
        let lines = effects.all();
        Self { calls: read(lines.iter().map(String::as_str)), frozen, lost }
    }

    /// What no execution could have called. None, if all is well.
    pub(super) fn violations(&self) -> Vec<String> {
        let mut violations = self.calls_of_what_was_on_record();
        violations.extend(self.calls_without_a_cause());
        violations
    }

    /// Calls of a step after a step of a later stage had begun.
    fn calls_of_what_was_on_record(&self) -> Vec<String> {
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

    /// Calls of a step that another had called, though neither of the two was killed or declared lost, and no crash had made
    /// anything forgotten.
    fn calls_without_a_cause(&self) -> Vec<String> {
        let mut earlier: BTreeMap<(u32, &str), &Call> = BTreeMap::new();
        let mut violations = Vec::new();
        for call in &self.calls {
            let before = earlier.insert((call.number, &call.step), call);
            let lives = |call: &Call| !self.lost.contains(&call.process);
            if let Some(before) = before.filter(|before| before.crashes == call.crashes && lives(before) && lives(call)) {
                violations.push(format!(
                    "`{} {}` was called by process {} though process {} had called it, and lived",
                    call.step, call.number, call.process, before.process
                ));
            }
        }
        violations
    }
}

fn read<'line>(lines: impl Iterator<Item = &'line str>) -> Vec<Call> {
    let mut crashes = 0;
    let mut calls = Vec::new();
    for line in lines {
        if line == CRASH {
            crashes += 1;
            continue;
        }
        let parts: Vec<&str> = line.split(' ').collect();
        let [number, step, process] = parts[..] else { panic!("a torn line: {line}") };
        let stage = STAGES.iter().position(|stage| stage.contains(&step)).unwrap();
        let (number, process) = (number.parse().unwrap(), process.parse().unwrap());
        calls.push(Call { number, stage, step: step.to_owned(), process, crashes });
    }
    calls
}

#[cfg(test)]
fn violations(lines: &[&str], lost: &[u32]) -> Vec<String> {
    let lost: BTreeSet<u32> = lost.iter().copied().collect();
    Ledger { calls: read(lines.iter().copied()), frozen: BTreeSet::new(), lost }.violations()
}

#[test]
fn a_step_that_is_called_again_after_the_next_has_begun_is_noticed() {
    let interrupted = ["7 weigh 1", "7 weigh 2", "7 pack 2", "7 label 2", "7 pack 3", "7 ship 3", "7 ship 4", "8 weigh 4"];
    assert!(violations(&interrupted, &[1, 2, 3]).is_empty());
    let repeated = ["7 weigh 1", "7 pack 1", "7 weigh 2"];
    assert_eq!(violations(&repeated, &[1]), ["`weigh 7` was called again after `pack`"]);
}

#[test]
fn a_step_that_is_called_again_though_its_worker_lives_is_noticed() {
    let again = ["7 weigh 1", "7 weigh 2"];
    let complaint = "`weigh 7` was called by process 2 though process 1 had called it, and lived";
    assert_eq!(violations(&again, &[]), [complaint]);
    assert_eq!(violations(&again, &[3]), [complaint]);
    assert!(violations(&again, &[1]).is_empty());
    assert!(violations(&again, &[2]).is_empty());
    assert!(violations(&["7 weigh 1", CRASH, "7 weigh 2"], &[]).is_empty());
}
