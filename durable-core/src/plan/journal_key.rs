//! Journal keys: a kind, a name and an occurrence inside a scope, such as `step charge` or `step charge#2`.

use std::borrow::Cow;
use std::collections::HashMap;

/// The kind of a step's key; kinds keep a step named `sleep` apart from `cx.sleep`.
pub(crate) const STEP: &str = "step";

/// Longest key, in bytes: Postgres indexes entries of up to a third of a page, in which the execution's id stands, too.
pub(crate) const LONGEST: usize = 2000;

/// Why nothing can be journalled under that key.
pub(crate) fn too_long(key: &str) -> String {
    let shown = &key[..key.floor_char_boundary(100)];
    format!(
        "the journal key `{shown}…` has {} bytes, over the limit of {LONGEST}: nest branches less deeply, or give shorter names",
        key.len()
    )
}

/// Hands out the keys of one scope, in the order the workflow's code asks for them.
#[derive(Debug, Default)]
pub(crate) struct KeySequence {
    prefix: String,
    taken: HashMap<String, u32>,
}

impl KeySequence {
    /// Keys that begin with `prefix`: nothing, or the scope's path with a slash at its end.
    pub(crate) fn within(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), taken: HashMap::new() }
    }

    /// The next key of that kind and name.
    pub(crate) fn next(&mut self, kind: &str, name: &str) -> String {
        let prefix = &self.prefix;
        let base = if name.is_empty() { format!("{prefix}{kind}") } else { format!("{prefix}{kind} {}", escaped(name)) };
        let occurrence = self.taken.entry(base.clone()).or_default();
        *occurrence += 1;
        if *occurrence == 1 { base } else { format!("{base}#{occurrence}") }
    }
}

/// A name as it stands in a key: no name of an event or a map reads like a scope or an occurrence.
fn escaped(name: &str) -> Cow<'_, str> {
    if name.contains(['%', '#', '/']) {
        name.replace('%', "%25").replace('#', "%23").replace('/', "%2F").into()
    } else {
        name.into()
    }
}

/// The scope of everything that undoes something.
pub(crate) const UNDO: &str = "undo/";

/// The key of what undoes the entry of that key.
pub(crate) fn undo(key: &str) -> String {
    format!("{UNDO}{key}")
}

/// The name of the step that a key belongs to; `None` where it is no step's.
pub(crate) fn step_name(key: &str) -> Option<&str> {
    let entry = key.rsplit_once('/').map_or(key, |(_, entry)| entry);
    let name = entry.strip_prefix(STEP)?.strip_prefix(' ')?;
    Some(name.split_once('#').map_or(name, |(name, _)| name))
}

/// The key with the step's name replaced; for a step that was renamed.
pub(crate) fn renamed(key: &str, name: &str) -> String {
    let (scope, entry) = key.rsplit_once('/').map_or(("", key), |(scope, entry)| (scope, entry));
    let occurrence = entry.find('#').map_or("", |at| &entry[at..]);
    let joint = if scope.is_empty() { "" } else { "/" };
    format!("{scope}{joint}{STEP} {name}{occurrence}")
}

/// The key of the execution that runs the step of that key in another queue.
pub(crate) fn child(key: &str) -> String {
    let (scope, entry) = key.rsplit_once('/').map_or(("", key), |(scope, entry)| (scope, entry));
    let joint = if scope.is_empty() { "" } else { "/" };
    // Names of workflows have no space in them: no child of the user's own has this key.
    format!("{scope}{joint}child {entry}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_count_occurrences_by_kind_and_name() {
        let mut keys = KeySequence::default();
        assert_eq!(keys.next(STEP, "charge"), "step charge");
        assert_eq!(keys.next("sleep", ""), "sleep");
        assert_eq!(keys.next(STEP, "charge"), "step charge#2");
        assert_eq!(keys.next(STEP, "sleep"), "step sleep");
        assert_eq!(keys.next("sleep", ""), "sleep#2");
    }

    #[test]
    fn no_name_reads_like_another_key() {
        let mut keys = KeySequence::default();
        let taken = ["paid", "paid", "paid#2", "paid%232", "1/step charge"].map(|name| keys.next("event", name));
        assert_eq!(taken, ["event paid", "event paid#2", "event paid%232", "event paid%25232", "event 1%2Fstep charge"]);
    }

    #[test]
    fn the_step_name_is_found_in_any_scope() {
        assert_eq!(step_name("step charge#2"), Some("charge"));
        assert_eq!(step_name("map enrich/17/step lookup"), Some("lookup"));
        assert_eq!(step_name("event paid"), None);
        assert_eq!(step_name("sleep#2"), None);
    }

    #[test]
    fn renaming_keeps_scope_and_occurrence() {
        assert_eq!(renamed("map enrich/17/step lookup#3", "find"), "map enrich/17/step find#3");
        assert_eq!(renamed("step pay", "charge"), "step charge");
    }

    #[test]
    fn the_execution_that_runs_a_step_elsewhere_stands_beside_it_in_its_scope() {
        assert_eq!(child("map/17/step train#2"), "map/17/child step train#2");
        assert_eq!(child("step train"), "child step train");
        assert_eq!(step_name(&child("step train")), None);
    }
}
