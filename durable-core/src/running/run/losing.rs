//! What becomes of the journal of branches that lost, and of the messages they were given.

use std::collections::BTreeMap;

use super::{Run, State};
use crate::model::WaitOutcome;
use crate::plan::journal_key;

impl Run {
    /// Notes that code in that scope was given a message: until it goes on, nobody can tell that the message was used.
    pub(crate) fn give_message(&self, scope: &str, key: &str) {
        self.state().unused.entry(scope.to_owned()).or_default().push(key.to_owned());
    }

    /// Notes that code in that scope goes on to another durable call: what was given to it, around it or below it was used.
    pub(crate) fn use_messages(&self, scope: &str) {
        let mut state = self.state();
        if state.unused.is_empty() {
            return;
        }
        for (end, _) in scope.match_indices('/') {
            state.unused.remove(&scope[..=end]);
        }
        forget_below(&mut state.unused, scope, |_| true);
    }

    /// The waits of the branches that lost, all below `path` but `kept`, that stand open or gave a message that was not used.
    pub(crate) fn unfinished_below(&self, path: &str, kept: &str) -> Vec<String> {
        let lost = |key: &str| key.starts_with(path) && !key[path.len()..].starts_with(kept);
        let state = self.state();
        let open = state.waits.keys().filter(|key| lost(key));
        let known = below(&state.known, path).filter(|(key, known)| lost(key) && known.outcome.is_none()).map(|(key, _)| key);
        let unused = below(&state.unused, path).filter(|(scope, _)| lost(scope)).flat_map(|(_, keys)| keys);
        let mut keys: Vec<String> = open.chain(known).chain(unused).cloned().collect();
        keys.sort_unstable();
        keys
    }

    /// Passes over everything recorded below `path`, except below `kept` in it: those branches lost, and are not run again.
    /// What waits named in `unfinished` have received goes back into the mailbox.
    pub(crate) fn pass_over(&self, path: &str, kept: &str, unfinished: &[String]) {
        let lost = |key: &str| kept.is_empty() || !key[path.len()..].starts_with(kept);
        let mut state = self.state();
        forget_below(&mut state.recorded, path, lost);
        forget_below(&mut state.attempts, path, lost);
        forget_below(&mut state.unused, path, lost);
        for wait in forget_below(&mut state.known, path, lost) {
            // The process that dropped these branches may have died before it said so.
            match wait.outcome {
                None => {
                    state.known_open -= 1;
                    state.orphaned.extend(wait.child_id);
                    state.dropped.insert(wait.key);
                }
                Some(WaitOutcome::Received) if unfinished.contains(&wait.key) => drop(state.dropped.insert(wait.key)),
                Some(_) => {}
            }
        }
    }

    /// Ends waits whose messages were not used, though their futures are gone.
    pub(crate) fn give_back(&self, unfinished: &[String]) {
        self.state().dropped.extend(unfinished.iter().cloned());
    }

    /// Whether anything is recorded below `path` that nobody has asked for yet.
    pub(crate) fn is_recorded_below(&self, path: &str) -> bool {
        self.state().has_below(path)
    }

    /// Whether anything is recorded of the call of that key.
    pub(crate) fn is_recorded(&self, key: &str) -> bool {
        let state = self.state();
        let itself = state.recorded.contains_key(key) || state.attempts.contains_key(key) || state.known.contains_key(key);
        itself || state.has_below(&journal_key::below(key))
    }
}

impl State {
    fn has_below(&self, path: &str) -> bool {
        below(&self.recorded, path).next().is_some()
            || below(&self.attempts, path).next().is_some()
            || below(&self.known, path).next().is_some()
    }
}

fn below<'map, T>(entries: &'map BTreeMap<String, T>, path: &str) -> impl Iterator<Item = (&'map String, &'map T)> {
    entries.range(path.to_owned()..).take_while(move |(key, _)| key.starts_with(path))
}

/// Takes out what stands below the path and is lost.
fn forget_below<T>(entries: &mut BTreeMap<String, T>, path: &str, lost: impl Fn(&str) -> bool) -> Vec<T> {
    let keys: Vec<String> = below(entries, path).map(|(key, _)| key).filter(|key| lost(key)).cloned().collect();
    keys.iter().filter_map(|key| entries.remove(key)).collect()
}
