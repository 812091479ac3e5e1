//! The tags of an execution, and their limits: a list can be filtered by tags. `durable.check_tags` has the same limits.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::error::{Error, ErrorKind, Result};

/// The tags of an execution: values by name.
pub(crate) type Tags = BTreeMap<String, String>;

/// Most tags of an execution. Each is a row with two index entries.
pub(crate) const MOST_TAGS: usize = 32;

/// Longest name of a tag, in bytes.
const LONGEST_NAME: usize = 100;

/// Longest value of a tag, in bytes. With its name it fits into an index entry.
const LONGEST_VALUE: usize = 500;

/// A tag to be written together with the checkpoint of the call that sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewTag {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl NewTag {
    /// The tag, if an execution may have it.
    pub(crate) fn checked(name: &str, value: String) -> Result<Self> {
        check("an execution", name, &value)?;
        Ok(Self { name: name.to_owned(), value })
    }

    /// Its size in a statement, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.name.len() + self.value.len()
    }
}

/// The tags, if an execution may have them; `of` names what is tagged in errors.
pub(crate) fn checked_tags(of: impl Display, tags: Tags) -> Result<Tags> {
    for (name, value) in &tags {
        check(&of, name, value)?;
    }
    if tags.len() > MOST_TAGS {
        return Err(too_many(of, tags.len()));
    }
    Ok(tags)
}

/// The error for what would have so many tags.
pub(crate) fn too_many(of: impl Display, tags: usize) -> Error {
    invalid(format!("{of} would have {tags} tags, over the limit of {MOST_TAGS}; put what nobody searches for into the input"))
}

fn check(of: impl Display, name: &str, value: &str) -> Result<()> {
    if name.is_empty() || name.len() > LONGEST_NAME || name.contains(char::is_control) {
        let shown = &name[..name.floor_char_boundary(LONGEST_NAME)];
        return Err(invalid(format!(
            "the tag {shown:?} of {of} has a name of {} bytes; give 1 to {LONGEST_NAME} bytes without control characters",
            name.len()
        )));
    }
    if value.is_empty() || value.len() > LONGEST_VALUE || value.contains(char::is_control) {
        return Err(invalid(format!(
            "the tag `{name}` of {of} has a value of {} bytes; give 1 to {LONGEST_VALUE} bytes without control characters",
            value.len()
        )));
    }
    Ok(())
}

fn invalid(problem: String) -> Error {
    Error::of_kind(ErrorKind::Invalid, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(tags: impl IntoIterator<Item = (String, String)>) -> Result<Tags> {
        checked_tags("an execution", tags.into_iter().collect())
    }

    #[test]
    fn tags_up_to_their_limits_are_accepted() {
        let most = (0..MOST_TAGS).map(|nth| (format!("{nth:0>LONGEST_NAME$}"), "é".repeat(LONGEST_VALUE / 2)));
        assert_eq!(tags(most).unwrap().len(), MOST_TAGS);
    }

    #[test]
    fn a_tag_over_a_limit_is_refused_with_its_name_and_the_limit() {
        for (name, value, expected) in [
            ("", "acme", "1 to 100 bytes"),
            ("ten\nant", "acme", "\"ten\\nant\""),
            (&"n".repeat(101), "acme", "a name of 101 bytes"),
            ("tenant", "", "the tag `tenant` of an execution has a value of 0 bytes"),
            ("tenant", "a\u{1b}", "without control characters"),
            ("tenant", &"v".repeat(501), "give 1 to 500 bytes"),
        ] {
            let error = tags([(name.to_owned(), value.to_owned())]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(expected), "{error}");
        }
        let error = tags((0..=MOST_TAGS).map(|nth| (nth.to_string(), "x".to_owned()))).unwrap_err();
        assert!(error.to_string().contains("33 tags, over the limit of 32"), "{error}");
    }
}
