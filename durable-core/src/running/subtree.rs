//! The entries of a sorted map whose keys begin with a path: what belongs to one branch, one attempt or one call.

use std::collections::BTreeMap;

pub(super) fn below<'map, T>(entries: &'map BTreeMap<String, T>, path: &str) -> impl Iterator<Item = (&'map String, &'map T)> {
    entries.range(path.to_owned()..).take_while(move |(key, _)| key.starts_with(path))
}

pub(super) fn has_below<T>(entries: &BTreeMap<String, T>, path: &str) -> bool {
    below(entries, path).next().is_some()
}

/// Removes the entries below the path that are lost, and returns them.
pub(super) fn remove_below<T>(entries: &mut BTreeMap<String, T>, path: &str, lost: impl Fn(&str) -> bool) -> Vec<T> {
    let keys: Vec<String> = below(entries, path).map(|(key, _)| key).filter(|key| lost(key)).cloned().collect();
    keys.iter().filter_map(|key| entries.remove(key)).collect()
}

/// Selects what a fork at `path` passes over: everything, or everything outside the branch `kept`.
pub(super) fn outside<'path>(path: &'path str, kept: &'path str) -> impl Fn(&str) -> bool + 'path {
    move |key| kept.is_empty() || !key[path.len()..].starts_with(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_branches_that_lost_are_removed() {
        let keys = ["join", "join/0/step a", "join/1/step b", "join/10/step c", "map/0/step d"];
        let mut entries: BTreeMap<String, ()> = keys.iter().map(|key| ((*key).to_owned(), ())).collect();
        assert_eq!(remove_below(&mut entries, "join/", outside("join/", "1/")).len(), 2);
        assert_eq!(entries.keys().collect::<Vec<_>>(), ["join", "join/1/step b", "map/0/step d"]);
        assert!(has_below(&entries, "join/") && !has_below(&entries, "join/0/"));
    }
}
