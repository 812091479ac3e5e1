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
    /// What the next key is, where that is settled.
    given: Option<String>,
}

impl KeySequence {
    /// Keys that begin with `prefix`: nothing, or the scope's path with a slash at its end.
    pub(crate) fn within(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), taken: HashMap::new(), given: None }
    }

    /// Hands out this key next.
    pub(crate) fn give(&mut self, key: String) {
        self.given = Some(key);
    }

    /// The next key of that kind and name.
    pub(crate) fn next(&mut self, kind: &str, name: &str) -> String {
        if let Some(given) = self.given.take() {
            return given;
        }
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

/// What stands before a step's entry where an execution of its own runs it. Names of workflows have no space in them: no child of the
/// user's has such a key. The SQL knows it, too.
const ROUTED: &str = "child ";

/// Whether code that has recorded something under `other` has gone on from the wait under `wait`: it comes later, and not in a
/// branch beside.
pub(crate) fn comes_after(wait: &str, other: &str) -> bool {
    // A rollback leaves what it undoes where it is, and never asks for it.
    if wait.starts_with(UNDO) && !other.starts_with(UNDO) {
        return false;
    }
    let common = wait.bytes().zip(other.bytes()).take_while(|(one, two)| one == two).count();
    let level = wait[..common].rfind('/').map_or(0, |slash| slash + 1);
    let segment = |key: &str| key[level..].split('/').next().unwrap_or_default().to_owned();
    let (around, theirs) = (segment(wait), segment(other));
    // Reminders of the wait, and what else its call or the one around it has recorded.
    if around == theirs {
        return false;
    }
    let is_branch = |segment: &str| segment.bytes().all(|byte| byte.is_ascii_digit());
    let scope = wait[..level].trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let is_part = scope == "all" || scope.starts_with("all#");
    !is_part && !(is_branch(&around) && is_branch(&theirs))
}

/// The key of the execution that runs the step of that key in another queue.
pub(crate) fn routed(key: &str) -> String {
    let entry = key.rfind('/').map_or(0, |slash| slash + 1);
    format!("{}{ROUTED}{}", &key[..entry], &key[entry..])
}

/// The name of the step that an execution runs in another queue; `None` for the key of anything else.
pub(crate) fn routed_step_name(key: &str) -> Option<&str> {
    let entry = key.rsplit_once('/').map_or(key, |(_, entry)| entry);
    step_name(entry.strip_prefix(ROUTED)?)
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
    fn code_has_gone_on_from_a_wait_when_something_later_is_recorded_in_no_branch_beside_it() {
        let waits = "join/0/input name";
        for later in ["step pay", "join/0/step pay", "join/0/input name#2", "join#2/1/step pay"] {
            assert!(comes_after(waits, later), "{later}");
        }
        for other in ["join/1/step pay", "join", "join/0/input name/sleep", "join/0/input name/step remind"] {
            assert!(!comes_after(waits, other), "{other}");
        }
        assert!(!comes_after("all/event a", "all/event b"));
        assert!(comes_after("all/event a", "step pay"));
        assert!(!comes_after("map rows/3/event a", "map rows/31/step b"));
        assert!(comes_after("event a", "event ab"));
        assert!(!comes_after("undo/step pay/event a", "step send"));
        assert!(comes_after("undo/step pay/event a", "undo/step pack"));
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
        assert_eq!(routed("map/17/step train#2"), "map/17/child step train#2");
        assert_eq!(routed("step train"), "child step train");
        assert_eq!(step_name("child step train"), None);
        assert_eq!(routed_step_name("map/17/child step train#2"), Some("train"));
        assert_eq!((routed_step_name("step train"), routed_step_name("child train")), (None, None));
    }

    #[test]
    fn a_key_that_was_given_comes_next_and_once() {
        let mut keys = KeySequence::default();
        keys.give("map/3/step train#2".to_owned());
        assert_eq!(keys.next(STEP, "train"), "map/3/step train#2");
        assert_eq!(keys.next(STEP, "train"), "step train");
    }
}
