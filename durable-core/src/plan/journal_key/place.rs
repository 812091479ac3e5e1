//! Where entries stand to each other: in which scopes, branches and attempts, and which comes after which.

use super::UNDO;

/// The paths of a scope and of the scopes around it, from the innermost out.
pub(crate) fn around(path: &str) -> impl Iterator<Item = &str> {
    let slashes = path.rmatch_indices('/').map(|(at, _)| &path[..=at]);
    slashes.chain([""])
}

/// Whether an entry recorded after another shows that the code went on after that other: it is in the same scope or an outer
/// one, not in a sibling branch, and belongs to another call. Calls in one scope come one after another.
pub(crate) fn comes_after(later: &str, key: &str) -> bool {
    // A rollback keeps the entries that it undoes, and never asks for them.
    if key.starts_with(UNDO) && !later.starts_with(UNDO) {
        return false;
    }
    let common = key.bytes().zip(later.bytes()).take_while(|(one, two)| one == two).count();
    let level = key[..common].rfind('/').map_or(0, |slash| slash + 1);
    let segment = |text: &str| text[level..].split('/').next().unwrap_or_default().to_owned();
    let (around, theirs) = (segment(key), segment(later));
    // Reminders of a wait, and other entries of its call or the outer call.
    if around == theirs {
        return false;
    }
    // A later attempt goes on from an earlier one.
    match (attempt_of(&around), attempt_of(&theirs)) {
        (Some(one), Some(other)) => return other > one,
        (Some(_), None) => return false,
        _ => {}
    }
    let scope = key[..level].trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let is_part = scope == "all" || scope.starts_with("all#");
    !(is_part || is_branch(&around) && is_branch(&theirs))
}

/// Whether two keys are in different branches of one call, so that neither entry can depend on the other.
pub(crate) fn are_beside(one: &str, other: &str) -> bool {
    // Names have no slash in them, and no name is a number: where the keys part is a branch of each, or is not.
    let parted = one.split('/').zip(other.split('/')).find(|(one, other)| one != other);
    parted.is_some_and(|(one, other)| is_branch(one) && is_branch(other))
}

/// The branches in which the entry is, from the outermost: the key of each call, and the number of the branch.
pub(crate) fn branches(key: &str) -> impl Iterator<Item = (&str, usize)> {
    let slashes = key.match_indices('/').map(|(at, _)| at);
    slashes.filter_map(move |at| {
        let branch = key[at + 1..].split('/').next().filter(|segment| is_branch(segment))?;
        Some((&key[..at], branch.parse().ok()?))
    })
}

/// The parts of a key from the outermost in: the path of the scope, which is empty or ends with a slash, and the part in it.
pub(crate) fn segments(key: &str) -> impl Iterator<Item = (&str, &str)> {
    let starts = [0].into_iter().chain(key.match_indices('/').map(|(at, _)| at + 1));
    starts.map(|start| (&key[..start], key[start..].split('/').next().unwrap_or_default()))
}

/// Whether this part of a key is the number of a branch.
pub(crate) fn is_branch(segment: &str) -> bool {
    !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit())
}

/// The number of the attempt after the first one whose scope has this name; the first has no scope of its own.
fn attempt_of(segment: &str) -> Option<u32> {
    segment.strip_prefix("attempt ")?.parse().ok()
}

/// The prefix of the keys of durable calls that an attempt at this entry makes.
pub(crate) fn of_attempt(key: &str, attempt: u32) -> String {
    if attempt == 1 { below(key) } else { format!("{key}/attempt {attempt}/") }
}

/// The prefix of the keys of a scope below this entry.
pub(crate) fn below(key: &str) -> String {
    format!("{key}/")
}

/// The prefix of the keys of a branch of this entry.
pub(crate) fn of_branch(key: &str, branch: usize) -> String {
    format!("{key}/{branch}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_has_gone_on_from_a_wait_when_something_later_is_recorded_in_no_branch_beside_it() {
        let waits = "join/0/input name";
        for later in ["step pay", "join/0/step pay", "join/0/input name#2", "join#2/1/step pay"] {
            assert!(comes_after(later, waits), "{later}");
        }
        for other in ["join/1/step pay", "join", "join/0/input name/sleep", "join/0/input name/step remind"] {
            assert!(!comes_after(other, waits), "{other}");
        }
        assert!(!comes_after("all/event b", "all/event a"));
        assert!(comes_after("step pay", "all/event a"));
        assert!(!comes_after("map rows/31/step b", "map rows/3/event a"));
        assert!(comes_after("event ab", "event a"));
        assert!(!comes_after("step send", "undo/step pay/event a"));
        assert!(comes_after("undo/step pack", "undo/step pay/event a"));
    }

    #[test]
    fn entries_are_beside_each_other_in_different_branches_of_one_call() {
        for (one, other) in [("join/0/step a", "join/1/step a"), ("map a/2/race/0/x", "map a/10/race/0/x")] {
            assert!(are_beside(one, other) && are_beside(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("step a", "step b"),
            ("join", "join/0/step a"),
            ("join/0/step a", "join/0/step b"),
            ("join/0/step a", "join#2/1/step a"),
            ("join/0/step a", "join/step a"),
            ("step a", "step a"),
        ] {
            assert!(!are_beside(one, other) && !are_beside(other, one), "{one} {other}");
        }
    }

    #[test]
    fn the_branches_of_an_entry_are_told_from_the_outermost_in() {
        let of = |key| branches(key).collect::<Vec<_>>();
        assert_eq!(of("map a/12/race#2/0/step b"), [("map a", 12), ("map a/12/race#2", 0)]);
        assert_eq!(of("step a/attempt 2/step b"), []);
        assert_eq!(of("join/3"), [("join", 3)]);
        assert_eq!(of("event 1%2F2"), []);
    }

    #[test]
    fn an_entry_comes_after_another_of_the_same_scope_or_of_one_inside() {
        for (later, key) in [("now", "step a"), ("step a#2", "step a"), ("race/0/now", "race/0/step a"), ("now", "race/0/step a")]
        {
            assert!(comes_after(later, key), "{later} {key}");
        }
        for (other, key) in
            [("race", "race/0/step a"), ("race/1/now", "race/0/step a"), ("map a/2/step b", "map a/1/race/0/step a")]
        {
            assert!(!comes_after(other, key), "{other} {key}");
        }
        assert!(comes_after("race#2/0/now", "race/0/step a"));
        assert!(comes_after("map a/1/now", "map a/1/race/0/step a"));
    }
}
