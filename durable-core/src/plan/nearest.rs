//! Finds the names that a mistyped name may mean.

/// The names near to what was typed, the nearest first: up to `most` names that differ in at most a third of their letters, or that
/// contain what was typed.
pub(crate) fn nearest<'names>(typed: &str, names: &[&'names str], most: usize) -> Vec<&'names str> {
    let near = |name: &&'names str| {
        let distance = distance(typed, name);
        let contains = !typed.is_empty() && name.contains(typed);
        (contains || 3 * distance <= name.chars().count().max(3)).then_some((distance, *name))
    };
    let mut found: Vec<(usize, &str)> = names.iter().filter_map(near).collect();
    found.sort_unstable();
    found.into_iter().take(most).map(|(_, name)| name).collect()
}

/// How many letters must be inserted, removed or replaced to turn one text into the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (place, letter) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], place + 1);
        for (column, same) in other.iter().map(|other| *other == letter).enumerate() {
            let replaced = diagonal + usize::from(!same);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_come_first_and_far_ones_not_at_all() {
        let names = ["process_order", "process_orders", "order", "newsletter"];
        assert_eq!(nearest("proces_order", &names, 3), ["process_order", "process_orders"]);
        assert_eq!(nearest("news", &names, 3), ["newsletter"]);
        assert_eq!(nearest("zebra", &names, 3), [""; 0]);
    }

    #[test]
    fn a_distance_counts_letters() {
        for (one, other, letters) in [("", "abc", 3), ("kitten", "sitting", 3), ("same", "same", 0), ("äb", "ab", 1)] {
            assert_eq!((distance(one, other), distance(other, one)), (letters, letters), "{one} {other}");
        }
    }
}
