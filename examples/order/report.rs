//! What the example prints at the end: every step with its attempts, and the proof.

use std::collections::HashMap;

use durable::prelude::*;
use durable::{AttemptOutcome, ExecutionDetails, Step};

use crate::effects::Effect;

/// An order's execution, as its journal showed it when the first worker was dead and when all was over.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) order: String,
    pub(crate) at_the_kill: ExecutionDetails,
    pub(crate) at_the_end: ExecutionDetails,
}

/// How often a step's body began, and how often the journal says why.
#[derive(Debug)]
struct Tally {
    completed_before_the_kill: bool,
    /// Beginnings on the worker that was killed.
    before: usize,
    /// Those of them whose end was not committed when it was killed.
    cut_off: usize,
    /// Beginnings on the worker that took over.
    after: usize,
    /// Failed attempts in the journal.
    failed: usize,
}

/// Prints a row for each step: its attempts, how often its body began on which worker, and what went wrong on the way.
pub(crate) fn print_steps(stories: &[Story], effects: &[Effect], killed: &str) {
    println!("\n{:<11}{:<11}{:<10}{:<15}{:<15}went wrong on the way", "order", "step", "attempts", "on worker 1", "on worker 2");
    for story in stories {
        for (nth, step) in story.at_the_end.steps.iter().enumerate() {
            let tally = tally(story, step, effects, killed);
            let order = if nth == 0 { story.order.as_str() } else { "" };
            let before = if tally.cut_off > 0 { format!("{} (cut off)", tally.before) } else { times(tally.before) };
            let (attempts, after) = (step.attempts.len(), times(tally.after));
            let row = format!("{order:<11}{:<11}{attempts:<10}{before:<15}{after:<15}{}", name(step), errors(step));
            println!("{}", row.trim_end());
        }
    }
}

/// Prints the proof; an error when the file contradicts the journal.
pub(crate) fn print_proof(stories: &[Story], effects: &[Effect], killed: &str) -> Result<()> {
    let tallies: Vec<Tally> =
        stories.iter().flat_map(|story| story.at_the_end.steps.iter().map(|step| tally(story, step, effects, killed))).collect();
    let before: Vec<&Tally> = tallies.iter().filter(|tally| tally.completed_before_the_kill).collect();
    let again: usize = before.iter().map(|tally| tally.after).sum();
    let cut_off: usize = tallies.iter().map(|tally| tally.cut_off).sum();
    let (began, completed) = (effects.len(), tallies.len());
    let failed = began.saturating_sub(completed + cut_off);

    println!("\nThe proof, from a file to which the body of a step adds a line each time it begins:");
    println!("  {:>2} steps had completed when {killed} was killed; begun again after that: {again}", before.len());
    println!("  {cut_off:>2} had begun and their end was not committed; those began again (a step runs at least once)");
    println!(
        "  {completed:>2} are completed now, after {began} beginnings: {completed} completed, {cut_off} cut off, {failed} failed and retried"
    );

    // Every beginning must have one end: the one that completed its step, a failure in the journal, or the kill.
    let contradicted = tallies.iter().any(|tally| tally.before + tally.after > 1 + tally.cut_off + tally.failed);
    if again > 0 || contradicted {
        return Err(Error::new("a completed step ran twice: the effects file contradicts the journal"));
    }
    Ok(())
}

fn tally(story: &Story, step: &Step, effects: &[Effect], killed: &str) -> Tally {
    let of_this_step = |effect: &&Effect| effect.order == story.order && effect.step == name(step);
    let (before, after): (Vec<_>, Vec<_>) = effects.iter().filter(of_this_step).partition(|effect| effect.worker == killed);
    let then = story.at_the_kill.steps.iter().find(|then| then.key == step.key);
    let ended = then.map_or(0, |then| then.attempts.iter().filter(|attempt| attempt.finished_at.is_some()).count());
    Tally {
        completed_before_the_kill: then.is_some_and(|then| then.output.is_some()),
        before: before.len(),
        // A commit may have been on its way when the journal was read: what nobody began again was not cut off.
        cut_off: if after.is_empty() { 0 } else { before.len().saturating_sub(ended) },
        after: after.len(),
        failed: step.attempts.iter().filter(|attempt| attempt.outcome == AttemptOutcome::Failed).count(),
    }
}

fn times(count: usize) -> String {
    if count == 0 { "-".to_owned() } else { count.to_string() }
}

/// `authorise` of the journal key `step authorise`.
fn name(step: &Step) -> &str {
    step.key.strip_prefix("step ").unwrap_or(&step.key)
}

/// What failed attempts said.
fn errors(step: &Step) -> String {
    let failed = step.attempts.iter().filter_map(|attempt| attempt.error.as_ref().map(|error| (attempt.number, error)));
    failed.map(|(number, error)| format!("{number}: {error}")).collect::<Vec<_>>().join("; ")
}

/// How many steps of each name are completed, in the order they run, such as `validate 6, authorise 3`.
pub(crate) fn completed_steps(executions: &[ExecutionDetails]) -> String {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for step in executions.iter().flat_map(|execution| &execution.steps).filter(|step| step.output.is_some()) {
        *counts.entry(name(step)).or_default() += 1;
    }
    ["validate", "authorise", "capture", "ship", "refund"]
        .iter()
        .filter_map(|step| counts.get(step).map(|count| format!("{step} {count}")))
        .collect::<Vec<_>>()
        .join(", ")
}
