//! Journal keys: a kind, a name and an occurrence inside a scope, such as `step charge` or `step charge#2`. Only this module
//! writes and reads them.

mod place;

use std::borrow::Cow;
use std::collections::HashMap;

pub(crate) use self::place::{are_beside, around, below, branches, comes_after, is_branch, of_attempt, of_branch, segments};
use super::graph;

/// The kind of a step's key; kinds keep a step named `sleep` apart from `cx.sleep`.
pub(crate) const STEP: &str = "step";

/// The kind of the key of work on each of many items.
pub(crate) const MAP: &str = "map";

/// The kind of the key of a call that sets a value.
pub(crate) const SET: &str = "set";

/// The kind of the key of a sleep.
pub(crate) const SLEEP: &str = "sleep";
/// The kind of the key of a wait for an event.
const EVENT: &str = "event";

/// The kind of the key of a question.
pub(crate) const INPUT: &str = "input";

/// The kind of the key of a call that sets a tag.
pub(crate) const TAG: &str = "tag";

/// The kind of the key of the call that continues as new. It is never recorded.
pub(crate) const CONTINUE_AS_NEW: &str = "continue_as_new";

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

    /// Whether the key that was given was not taken.
    pub(crate) fn has_given(&self) -> bool {
        self.given.is_some()
    }

    /// The next key of that kind and name.
    pub(crate) fn next(&mut self, kind: &str, name: &str) -> String {
        if let Some(given) = self.given.take() {
            return given;
        }
        let mut base = self.prefix.clone();
        write_entry(&mut base, kind, name, 1);
        match self.taken.get_mut(&base) {
            Some(occurrence) => {
                *occurrence += 1;
                write_occurrence(&mut base, *occurrence);
            }
            None => drop(self.taken.insert(base.clone(), 1)),
        }
        base
    }
}

/// The key of this occurrence of a kind and name in the outermost scope.
pub(crate) fn occurrence(kind: &str, name: &str, occurrence: u32) -> String {
    occurrence_in("", kind, name, occurrence)
}

/// The key of this occurrence of a kind and name in the scope of that path.
pub(crate) fn occurrence_in(path: &str, kind: &str, name: &str, occurrence: u32) -> String {
    let mut key = path.to_owned();
    write_entry(&mut key, kind, name, occurrence);
    key
}

/// The node of a graph to whose run the key belongs, and the cause of the run: its delay, its step, the items of its list, its
/// question, or the ticks of its timer.
pub(crate) fn run_of_node(key: &str) -> Option<(Cow<'_, str>, u32)> {
    let kind = Entry::read(key.split('/').next().unwrap_or_default()).kind;
    matches!(kind, STEP | ROUTED | MAP | INPUT | SLEEP).then(|| outermost(key))
}

/// A journal key taken apart. This type reads what [`KeySequence`] writes and returns the original name, whatever characters it
/// has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry<'key> {
    /// The path of the scope, with a slash at its end; empty for the scope of `run`.
    scope: &'key str,
    kind: &'key str,
    name: Cow<'key, str>,
    occurrence: u32,
}

impl<'key> Entry<'key> {
    fn read(key: &'key str) -> Self {
        let (scope, entry) = key.split_at(key.rfind('/').map_or(0, |slash| slash + 1));
        let (entry, occurrence) = match entry.split_once('#') {
            Some((entry, occurrence)) => (entry, occurrence.parse().unwrap_or(1)),
            None => (entry, 1),
        };
        let (kind, name) = entry.split_once(' ').unwrap_or((entry, ""));
        Self { scope, kind, name: unescaped(name), occurrence }
    }

    fn write(&self) -> String {
        let mut key = self.scope.to_owned();
        write_entry(&mut key, self.kind, &self.name, self.occurrence);
        key
    }

    /// The name of the step, if this is the entry of a step.
    fn step(self) -> Option<Cow<'key, str>> {
        (self.kind == STEP && !self.name.is_empty()).then_some(self.name)
    }

    /// The name of the step that another execution runs, if this is the entry of such an execution.
    fn routed_step(self) -> Option<Cow<'key, str>> {
        if self.kind != ROUTED {
            return None;
        }
        match self.name {
            Cow::Borrowed(name) => name.strip_prefix(ROUTED_STEP).map(Cow::Borrowed),
            Cow::Owned(name) => name.strip_prefix(ROUTED_STEP).map(|name| Cow::Owned(name.to_owned())),
        }
    }
}

fn write_entry(key: &mut String, kind: &str, name: &str, occurrence: u32) {
    key.push_str(kind);
    if !name.is_empty() {
        key.push(' ');
        key.push_str(&escaped(name));
    }
    if occurrence > 1 {
        write_occurrence(key, occurrence);
    }
}

fn write_occurrence(key: &mut String, occurrence: u32) {
    key.push('#');
    key.push_str(&occurrence.to_string());
}

/// The characters with a meaning in keys, and their escapes in a name. `%` comes first: it begins the others.
const ESCAPES: [(char, &str); 3] = [('%', "%25"), ('#', "%23"), ('/', "%2F")];

/// A name as it is written in a key: no name of an event or a map reads like a scope or an occurrence.
fn escaped(name: &str) -> Cow<'_, str> {
    if !name.contains(ESCAPES.map(|(character, _)| character)) {
        return name.into();
    }
    ESCAPES.iter().fold(name.to_owned(), |name, (character, escape)| name.replace(*character, escape)).into()
}

/// The name that [`escaped`] was given: undoes the replacements in reverse order.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    ESCAPES.iter().rev().fold(text.to_owned(), |text, (character, escape)| text.replace(escape, &character.to_string())).into()
}

/// The kind of the key of the version of a change.
const VERSION: &str = "version";

/// The key of the version that a change has in the scope of that path. It is the same however often the code asks there.
pub(crate) fn version(path: &str, change: &str) -> String {
    let mut key = path.to_owned();
    write_entry(&mut key, VERSION, change, 1);
    key
}

/// Whether the key is that of the version of a change.
pub(crate) fn is_version(key: &str) -> bool {
    Entry::read(key).kind == VERSION
}

/// The scope of everything that undoes something.
pub(crate) const UNDO: &str = "undo/";

/// The key of what undoes the entry of that key.
pub(crate) fn undo(key: &str) -> String {
    format!("{UNDO}{key}")
}

/// `Some(true)` if a compensation makes the call of that key; otherwise `None`.
pub(crate) fn by_compensation(key: &str) -> Option<bool> {
    key.starts_with(UNDO).then_some(true)
}

/// Whether the key is that of a call that sets a value or a tag.
pub(crate) fn sets_value(key: &str) -> bool {
    matches!(Entry::read(key).kind, SET | TAG)
}

/// The name and the occurrence of a question to a person; `None` for any other key, and if a compensation asks.
pub(crate) fn question(key: &str) -> Option<(Cow<'_, str>, u32)> {
    let Entry { kind, name, occurrence, .. } = Entry::read(key);
    (kind == INPUT && !key.starts_with(UNDO)).then_some((name, occurrence))
}

/// The name of the node of a graph whose delay the key belongs to; `None` for the key of anything else, such as a sleep in a flow,
/// which has no name.
pub(crate) fn delayed_node(key: &str) -> Option<Cow<'_, str>> {
    let Entry { scope, kind, name, .. } = Entry::read(key);
    (kind == SLEEP && scope.is_empty() && !name.is_empty()).then_some(name)
}

/// The name and the occurrence of the outermost call that a key belongs to. A step that runs in another queue is a step.
pub(crate) fn outermost(key: &str) -> (Cow<'_, str>, u32) {
    let entry = Entry::read(key.split('/').next().unwrap_or_default());
    let occurrence = entry.occurrence;
    let name = entry.name.clone();
    (entry.routed_step().unwrap_or(name), occurrence)
}

/// The name of the step that a key belongs to; `None` for the key of anything else.
pub(crate) fn step_name(key: &str) -> Option<Cow<'_, str>> {
    Entry::read(key).step()
}

/// The step, wait or compensation that a key belongs to, whatever its scope and occurrence: `step charge` for
/// `join/0/step charge#2`. `None` for the key of a decision or a value.
pub(crate) fn node(key: &str, is_wait: bool) -> Option<String> {
    let entry = Entry::read(key);
    let undoes = if key.starts_with(UNDO) { "undo " } else { "" };
    if let Some(step) = Entry::read(key).routed_step() {
        return Some(format!("{undoes}{STEP} {step}"));
    }
    // A graph waits for the next change all the time: the wait says nothing about what the graph has come to.
    let is_for_changes = entry.kind == EVENT && entry.name == graph::CHANGES;
    if is_for_changes || !is_wait && entry.kind != STEP {
        return None;
    }
    let mut node = format!("{undoes}{}", entry.kind);
    if !entry.name.is_empty() {
        node.push(' ');
        node.push_str(&entry.name);
    }
    Some(node)
}

/// The key with the step's name replaced; for a step that was renamed.
pub(crate) fn renamed(key: &str, name: &str) -> String {
    Entry { kind: STEP, name: name.into(), ..Entry::read(key) }.write()
}

/// The kind of the entry of a step that runs in another queue. Its name is the step's name after the kind of steps. Names of
/// workflows contain no space, so no child that a user starts has such a key.
const ROUTED: &str = "child";

/// The prefix of the step's name in the entry of an execution that runs the step.
const ROUTED_STEP: &str = "step ";

/// The key of the execution that runs the step of that key in another queue.
pub(crate) fn routed(key: &str) -> String {
    let entry = Entry::read(key);
    let name = format!("{ROUTED_STEP}{}", entry.name).into();
    Entry { kind: ROUTED, name, ..entry }.write()
}

/// The name of the step that an execution runs in another queue; `None` for the key of anything else.
pub(crate) fn routed_step_name(key: &str) -> Option<Cow<'_, str>> {
    Entry::read(key).routed_step()
}

/// The kind and the name in one part of a key. A step that runs in another queue is a step.
pub(crate) fn kind_and_name(part: &str) -> (&str, Cow<'_, str>) {
    let entry = Entry::read(part);
    match entry.clone().routed_step() {
        Some(step) => (STEP, step),
        None => (entry.kind, entry.name),
    }
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
    fn a_node_is_a_step_or_a_wait_in_any_scope_and_occurrence() {
        let node = |key| super::node(key, false);
        assert_eq!(node("join/0/step charge#2").as_deref(), Some("step charge"));
        assert_eq!(node("undo/step charge").as_deref(), Some("undo step charge"));
        assert_eq!(node("child step render#3").as_deref(), Some("step render"));
        assert_eq!(node("set progress"), None);
        assert_eq!(node("race"), None);
        assert_eq!(super::node("map rows/3/event paid%2Flate#4", true).as_deref(), Some("event paid/late"));
        assert_eq!(super::node("sleep#9", true).as_deref(), Some("sleep"));
    }

    #[test]
    fn the_delay_of_a_node_is_no_other_sleep() {
        assert_eq!(delayed_node(&occurrence(SLEEP, "letter", 7)).as_deref(), Some("letter"));
        for other in ["sleep", "sleep#2", "step letter", "event letter", "map read/0/sleep letter"] {
            assert_eq!(delayed_node(other), None, "{other}");
        }
    }

    #[test]
    fn the_step_name_is_found_in_any_scope() {
        assert_eq!(step_name("step charge#2").as_deref(), Some("charge"));
        assert_eq!(step_name("map enrich/17/step lookup").as_deref(), Some("lookup"));
        assert_eq!(step_name("event paid"), None);
        assert_eq!(step_name("sleep#2"), None);
    }

    #[test]
    fn the_outermost_call_of_a_key_is_found_at_any_depth() {
        for (key, expected) in [
            ("step train#3/map a/17/sleep#2", ("train", 3)),
            ("child step train#4", ("train", 4)),
            ("input a%2Fb", ("a/b", 1)),
            ("sleep", ("", 1)),
        ] {
            let (name, occurrence) = outermost(key);
            assert_eq!((&*name, occurrence), expected, "{key}");
        }
    }

    #[test]
    fn the_version_of_a_change_has_one_key_in_a_scope_and_is_found_from_inside() {
        assert_eq!(version("map a/3/", "new/rates#2"), "map a/3/version new%2Frates%232");
        assert!(is_version("version x") && is_version("join/0/version x") && !is_version("step version x"));
        assert_eq!(around("map a/3/join/0/").collect::<Vec<_>>(), ["map a/3/join/0/", "map a/3/join/", "map a/3/", "map a/", ""]);
        assert_eq!(around("").collect::<Vec<_>>(), [""]);
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
        assert_eq!(routed_step_name("map/17/child step train#2").as_deref(), Some("train"));
        assert_eq!((routed_step_name("step train"), routed_step_name("child train")), (None, None));
    }

    #[test]
    fn a_key_that_was_given_comes_next_and_once() {
        let mut keys = KeySequence::default();
        keys.give("map/3/step train#2".to_owned());
        assert_eq!(keys.next(STEP, "train"), "map/3/step train#2");
        assert_eq!(keys.next(STEP, "train"), "step train");
    }

    /// Writes a name into keys of every shape, reads each back, and renames it.
    fn assert_read_back(name: &str) {
        for scope in ["", "undo/", "map a%2Fb#2/17/", "step a/attempt 2/"] {
            let mut keys = KeySequence::within(scope);
            for occurrence in 1..=2 {
                let key = keys.next(STEP, name);
                let entry = Entry::read(&key);
                assert_eq!(entry, Entry { scope, kind: STEP, name: name.into(), occurrence }, "{key}");
                assert_eq!(entry.write(), key);
                assert_eq!(step_name(&key).as_deref(), Some(name), "{key}");
                assert_eq!(routed_step_name(&routed(&key)).as_deref(), Some(name), "{key}");
                assert_eq!((step_name(&routed(&key)), routed_step_name(&key)), (None, None), "{key}");
                assert_eq!(step_name(&undo(&key)).as_deref(), Some(name), "{key}");
                let elsewhere = renamed(&key, "other");
                assert_eq!(step_name(&elsewhere).as_deref(), Some("other"));
                assert_eq!(renamed(&elsewhere, name), key);
            }
        }
    }

    #[test]
    fn every_character_in_a_name_is_read_back() {
        for character in '\0'..=char::MAX {
            let name = format!("a{character}");
            let key = KeySequence::default().next(STEP, &name);
            assert_eq!(step_name(&key).as_deref(), Some(name.as_str()));
        }
    }

    #[test]
    fn what_is_written_for_a_character_is_also_a_name() {
        for name in ["50%off", "%", "%%", "%25", "%2525", "%2F", "%23%", "#", "#2", "a#2", "/", "a/step b", " ", " a ", "step a"]
        {
            assert_read_back(name);
        }
    }

    proptest::proptest! {
        #[test]
        fn every_name_is_read_back(name in "([%#/ 25F3a]|\\PC){1,12}") {
            assert_read_back(&name);
        }
    }
}
