//! Finds where a workflow's code no longer asks for what its journal recorded, and reports both side by side.

use crate::error::Error;
use crate::model::Outcome;
use crate::payload::CalledWith;
use crate::plan::journal_key;

/// A step that a workflow declares: its name and the names it had before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KnownStep {
    pub(crate) name: &'static str,
    pub(crate) was: &'static [&'static str],
}

/// The key under which the code will ask for what was recorded as `key`; `Err` with a report when it never will.
pub(crate) fn current_key(workflow: &str, steps: &[KnownStep], key: String) -> Result<String, String> {
    let Some(recorded) = journal_key::step_name(&key) else { return Ok(key) };
    if steps.iter().any(|step| step.name == recorded) {
        return Ok(key);
    }
    match steps.iter().find(|step| step.was.contains(&&*recorded)) {
        Some(step) => Ok(journal_key::renamed(&key, step.name)),
        None => Err(unknown_step(workflow, steps, &key, &recorded)),
    }
}

/// As [`current_key`], for a step that an execution of its own runs; its key stays what it is.
pub(crate) fn check_routed(workflow: &str, steps: &[KnownStep], key: &str) -> Result<(), String> {
    match journal_key::routed_step_name(key) {
        Some(recorded) if !steps.iter().any(|step| step.name == recorded || step.was.contains(&&*recorded)) => {
            Err(unknown_step(workflow, steps, key, &recorded))
        }
        _ => Ok(()),
    }
}

/// The report for an argument that does not fit what was sent.
pub(crate) fn other_argument(name: &str, error: &Error) -> String {
    format!(
        "{error}\n  recorded: what it was called with\n  expected: an argument `{name}` of the type it has now\n\
         let the type read what was sent (an `Option` for a new argument), or deploy the code that sent it"
    )
}

fn unknown_step(workflow: &str, steps: &[KnownStep], key: &str, recorded: &str) -> String {
    let known =
        if steps.is_empty() { "none".to_owned() } else { steps.iter().map(|step| step.name).collect::<Vec<_>>().join(", ") };
    format!(
        "the journal has a step that workflow `{workflow}` does not know\n  recorded: {key}\n  expected: one of the steps {known}\n\
         deploy the code that has it, or mark the step that replaced it: #[step(was = \"{recorded}\")]"
    )
}

/// The report for an execution that has a later version of a change than the code knows.
pub(crate) fn newer_version(change: &str, recorded: u32, newest: u32) -> String {
    format!(
        "the execution has a later version of the change `{change}` than this code knows\n  recorded: version {recorded}\n  \
         expected: at most version {newest}\n\
         deploy the code that has version {recorded}, then resume the execution"
    )
}

/// The report for a message that the workflow has used but can no longer read.
pub(crate) fn unreadable(key: &str, problem: &str) -> String {
    format!(
        "what `{key}` received cannot be read any more\n  recorded: a message that an earlier version of the code has used\n  \
         expected: {problem}\n\
         let the type read what was received (an `Option` for a new field), or deploy the code that read it"
    )
}

/// The report for a node that cannot read what it takes.
pub(crate) fn unreadable_node(node: &str, problem: &str) -> String {
    format!(
        "the node `{node}` cannot read what it takes\n  recorded: values of an earlier version of the graph\n  expected: {problem}\n\
         let the type read what was recorded (an `Option` for a new field), or deploy the code that wrote it"
    )
}

/// The report for a step that is called with other arguments than those recorded. Of the recorded arguments only the digest is
/// kept, so the report has the recorded outcome, which often tells the calls apart.
pub(crate) fn other_arguments(key: &str, recorded: u64, outcome: Option<&Outcome>, called: &CalledWith) -> String {
    let came_to = match outcome {
        Some(Outcome::Output(output)) => format!(", output {}", shortened(output.as_str())),
        Some(Outcome::Error(failure)) => format!(", error {}", shortened(&failure.to_string())),
        None => String::new(),
    };
    let with = called.text.as_ref().map_or_else(String::new, |text| format!(": ({text})"));
    format!(
        "step `{key}` is called with other arguments than those recorded\n  recorded: {key}, arguments {recorded:016x}{came_to}\n  \
         expected: {key}, arguments {:016x}{with}\n\
         an earlier call of the same step was inserted or removed, or its arguments depend on something that is not journalled",
        called.digest
    )
}

fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(200)]
}

/// The report for a step whose recorded outcome, its `output` or its `error`, is not of the type it returns now.
pub(crate) fn other_type(key: &str, outcome: &str, recorded: &str, error: &Error) -> String {
    let shown = shortened(recorded);
    format!(
        "step `{key}` returns another type than the one recorded\n  recorded: {key}, {outcome} {shown}\n  expected: {key}, {error}\n\
         let the type read what was recorded (`#[serde(default)]` for a new field), or deploy the code that wrote it"
    )
}

/// The report for entries that the workflow has not asked for by the time it returned.
pub(crate) fn unasked(workflow: &str, keys: &[String]) -> String {
    const SHOWN: usize = 10;
    let mut shown: Vec<&str> = keys.iter().take(SHOWN).map(String::as_str).collect();
    if keys.len() > SHOWN {
        shown.push("…");
    }
    format!(
        "workflow `{workflow}` returned without asking for what its journal recorded\n  recorded: {}\n  expected: nothing more\n\
         a call was removed from `run` while this execution was in flight; deploy the code that has it",
        shown.join(", ")
    )
}

/// The report for durable calls that overlap in one scope.
pub(crate) fn overlap(started: &str, under_way: &str) -> String {
    format!(
        "`{started}` was started while `{under_way}` is under way in the same scope\n  recorded: {under_way}, unfinished\n  \
         expected: {under_way}, finished, before {started}\n\
         the order of overlapping calls is not kept in the journal: await one before the next, or use durable::join!"
    )
}

/// The report for a durable call that was made outside of the branch that awaits it.
pub(crate) fn made_outside(key: &str, under_way: &str) -> String {
    format!(
        "`{key}` was made outside of the branch that awaits it\n  recorded: {under_way}, unfinished\n  \
         expected: {key}, made inside of a branch of {under_way}\n\
         a branch keeps a journal of its own: write the call into the branch, as in durable::join!(self.step(), …)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &[KnownStep] = &[KnownStep { name: "charge", was: &["pay"] }, KnownStep { name: "ship", was: &[] }];

    #[test]
    fn a_renamed_step_is_found_under_its_new_name() {
        assert_eq!(current_key("order", STEPS, "step pay#2".to_owned()), Ok("step charge#2".to_owned()));
        assert_eq!(current_key("order", STEPS, "step ship".to_owned()), Ok("step ship".to_owned()));
        assert_eq!(current_key("order", STEPS, "event paid".to_owned()), Ok("event paid".to_owned()));
    }

    #[test]
    fn a_routed_step_is_known_by_all_its_names() {
        let check = |key| check_routed("order", STEPS, key);
        for known in ["child step charge", "map/1/child step pay#2", "child order", "event refund"] {
            assert_eq!(check(known), Ok(()), "{known}");
        }
        let report = check("child step refund").unwrap_err();
        assert!(report.contains("recorded: child step refund"), "{report}");
    }

    #[test]
    fn an_unknown_step_is_reported_with_both_sides_and_the_cure() {
        let report = current_key("order", STEPS, "step refund".to_owned()).unwrap_err();
        assert!(report.contains("recorded: step refund"), "{report}");
        assert!(report.contains("expected: one of the steps charge, ship"), "{report}");
        assert!(report.contains("#[step(was = \"refund\")]"), "{report}");
    }
}
