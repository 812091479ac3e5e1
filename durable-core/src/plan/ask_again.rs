//! Decides what a retry repeats if a question is to be asked again: the question, and all that came of its answer or timeout.

use std::collections::HashSet;

use super::journal_key;
use super::retry_from::{Decisions, Entry};

/// Most keys that an error lists.
const MOST_LISTED: usize = 20;

/// Why no question is meant, as a sentence about the execution.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unclear {
    Unknown(String),
    Several(String),
}

/// The journal key of the question that a person means: a key of the journal, or a name such as `approval` or `approval#2` in any
/// scope.
pub(crate) fn question(journal: &[Entry], text: &str) -> Result<String, Unclear> {
    let mut questions: Vec<&Entry> = journal.iter().filter(|entry| journal_key::question(&entry.key).is_some()).collect();
    questions.sort_by_key(|entry| entry.began);
    let keys: Vec<&str> = questions.iter().map(|entry| entry.key.as_str()).collect();
    let meant: Vec<&str> = match keys.iter().find(|key| **key == text) {
        Some(key) => vec![*key],
        None => keys.iter().copied().filter(|key| is_named(key, text)).collect(),
    };
    let listed = |keys: &[&str]| keys.iter().take(MOST_LISTED).copied().collect::<Vec<_>>().join(", ");
    match meant[..] {
        [key] => Ok(key.to_owned()),
        [] if keys.is_empty() => Err(Unclear::Unknown(format!("has not asked `{text}`: it has asked nothing"))),
        [] => Err(Unclear::Unknown(format!("has not asked `{text}`: it has asked {}", listed(&keys)))),
        _ => Err(Unclear::Several(format!("has asked `{text}` several times; give the key of one: {}", listed(&meant)))),
    }
}

/// Whether the question is called that in its scope; its first occurrence may be called by the name alone.
fn is_named(key: &str, text: &str) -> bool {
    let Some((name, occurrence)) = journal_key::question(key) else { return false };
    (occurrence == 1 && name == text) || text == format!("{name}#{occurrence}")
}

/// The keys of what is repeated with the question: its reminders, what the workflow did after it, and the decisions that depended
/// on it. What branches beside it did is kept, unless one of them won a race against the question.
pub(crate) fn repeated(journal: &[Entry], decisions: &Decisions, question: &str) -> HashSet<String> {
    let Some(asked) = journal.iter().find(|entry| entry.key == question) else { return HashSet::new() };
    let reminders = journal_key::below(question);
    let follows = |entry: &&Entry| {
        entry.key.starts_with(&reminders) || (entry.began > asked.began && journal_key::comes_after(&entry.key, question))
    };
    let mut repeated: HashSet<String> = journal.iter().filter(follows).map(|entry| entry.key.clone()).collect();
    repeated.insert(question.to_owned());
    for (call, own) in journal_key::branches(question) {
        let Some(decided) = decisions.get(call) else { continue };
        repeated.insert(call.to_owned());
        let depends = |entry: &&Entry| {
            let branch = journal_key::branches(&entry.key).find(|(around, _)| *around == call).map(|(_, branch)| branch);
            match branch {
                Some(branch) if branch != own && *decided == own => entry.failed,
                Some(branch) if branch != own => entry.ended.is_none_or(|ended| ended > asked.began),
                _ => false,
            }
        };
        repeated.extend(journal.iter().filter(depends).map(|entry| entry.key.clone()));
    }
    repeated
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    /// Calls with the ordinals of their beginning and their end; a `!` marks a failure.
    fn journal(calls: &[(&str, i64, i64)]) -> Vec<Entry> {
        let at = DateTime::UNIX_EPOCH;
        let entry = |&(key, began, ended): &(&str, i64, i64)| {
            let (key, failed) = key.strip_suffix('!').map_or((key, false), |key| (key, true));
            Entry { key: key.to_owned(), began, ended: Some(ended), started_at: at, ended_at: Some(at), failed }
        };
        calls.iter().map(entry).collect()
    }

    fn repeated_of(calls: &[(&str, i64, i64)], decisions: &[(&str, usize)], question: &str) -> Vec<String> {
        let decisions = decisions.iter().map(|(call, branch)| ((*call).to_owned(), *branch)).collect();
        let mut keys: Vec<String> = repeated(&journal(calls), &decisions, question).into_iter().collect();
        keys.sort();
        keys
    }

    #[test]
    fn what_came_of_an_answer_is_repeated_and_what_came_before_the_question_is_kept() {
        let calls = [
            ("step quote", 1, 1),
            ("input approval", 2, 5),
            ("input approval/sleep!", 3, 6),
            ("input approval/step remind", 4, 4),
            ("set status", 7, 7),
            ("step ship!", 8, 8),
        ];
        let expected = ["input approval", "input approval/sleep", "input approval/step remind", "set status", "step ship"];
        assert_eq!(repeated_of(&calls, &[], "input approval"), expected);
    }

    #[test]
    fn what_a_branch_beside_the_question_did_is_kept_and_what_came_after_both_is_not() {
        let calls =
            [("join/0/input approval", 1, 4), ("join/1/step pack", 2, 2), ("join/0/step note", 5, 5), ("step ship!", 6, 6)];
        let expected = ["join/0/input approval", "join/0/step note", "step ship"];
        assert_eq!(repeated_of(&calls, &[], "join/0/input approval"), expected);
    }

    #[test]
    fn a_race_that_the_question_has_won_or_lost_is_run_again() {
        let won = [("race/0/input approval", 1, 3), ("race/1/sleep!", 2, 5), ("race", 4, 4), ("step ship!", 6, 6)];
        let expected = ["race", "race/0/input approval", "race/1/sleep", "step ship"];
        assert_eq!(repeated_of(&won, &[("race", 0)], "race/0/input approval"), expected);
        let lost = [("race/1/step pack", 1, 1), ("race/0/input approval!", 2, 6), ("race/1/sleep", 3, 4), ("race", 5, 5)];
        let expected = ["race", "race/0/input approval", "race/1/sleep"];
        assert_eq!(repeated_of(&lost, &[("race", 1)], "race/0/input approval"), expected);
    }

    #[test]
    fn a_question_is_meant_by_its_name_or_its_key() {
        let journal = journal(&[
            ("input approval", 1, 2),
            ("input approval#2", 3, 4),
            ("join/0/input name", 5, 6),
            ("join/1/input name", 7, 8),
            ("step approval", 9, 9),
            ("undo/step approval/input why", 10, 10),
        ]);
        let meant = |text: &str| question(&journal, text);
        assert_eq!(meant("approval").unwrap(), "input approval");
        assert_eq!(meant("approval#2").unwrap(), "input approval#2");
        assert_eq!(meant("join/1/input name").unwrap(), "join/1/input name");
        let several = "has asked `name` several times; give the key of one: join/0/input name, join/1/input name";
        assert_eq!(meant("name"), Err(Unclear::Several(several.to_owned())));
        let unknown = "has not asked `why`: it has asked input approval, input approval#2, join/0/input name, join/1/input name";
        assert_eq!(meant("why"), Err(Unclear::Unknown(unknown.to_owned())));
        let escaped = self::journal(&[("input pay 50%25", 1, 2), ("race/0/input a%2Fb#2", 3, 4), ("input c%23", 5, 6)]);
        for (text, key) in [("pay 50%", "input pay 50%25"), ("a/b#2", "race/0/input a%2Fb#2"), ("c#", "input c%23")] {
            assert_eq!(question(&escaped, text).unwrap(), key);
        }
        let nothing = "has not asked `why`: it has asked nothing";
        assert_eq!(question(&[], "why"), Err(Unclear::Unknown(nothing.to_owned())));
    }
}
