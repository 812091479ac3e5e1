//! A page of a list: its items, and the cursor of the next page.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::str::FromStr;

use chrono::{DateTime, Utc};

use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::model::PendingInput;

/// A page of a list. It can be used as the `Vec` of its items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, C> {
    /// The items of the page, in the order of the list.
    pub items: Vec<T>,
    /// The cursor of the next page, for `.after(…)`; `None` if this is the last page.
    pub next: Option<C>,
}

/// The end of a page of pending inputs, for the next page. It can be written as text and read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputCursor {
    pub(crate) due_at: Option<DateTime<Utc>>,
    pub(crate) execution_id: ExecutionId,
    pub(crate) key: String,
}

impl<T, C> Page<T, C> {
    /// A page of at most `limit` items. `items` has one more if there is another page.
    pub(super) fn cut(mut items: Vec<T>, limit: u32, cursor: impl FnOnce(&T) -> C) -> Self {
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next = items.last().filter(|_| more).map(cursor);
        Self { items, next }
    }
}

impl<T, C> Deref for Page<T, C> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.items
    }
}

impl<T, C> DerefMut for Page<T, C> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.items
    }
}

impl<T, C> IntoIterator for Page<T, C> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'page, T, C> IntoIterator for &'page Page<T, C> {
    type Item = &'page T;
    type IntoIter = std::slice::Iter<'page, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl InputCursor {
    pub(super) fn at(input: &PendingInput) -> Self {
        Self { due_at: input.due_at, execution_id: input.execution_id, key: input.key.clone() }
    }
}

impl fmt::Display for InputCursor {
    /// Keys are in hexadecimal, so that a shell takes the cursor as one word.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.execution_id)?;
        if let Some(due_at) = self.due_at {
            write!(f, "{}", due_at.timestamp_micros())?;
        }
        f.write_str(":")?;
        self.key.bytes().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for InputCursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        read(text).ok_or_else(|| {
            let problem = format!("`{text}` is not a cursor; give the one that the page before ended with");
            Error::of_kind(ErrorKind::Invalid, problem)
        })
    }
}

fn read(text: &str) -> Option<InputCursor> {
    let [id, due_at, key] = text.split(':').collect::<Vec<_>>()[..] else { return None };
    let due_at = match due_at {
        "" => None,
        micros => Some(DateTime::from_timestamp_micros(micros.parse().ok()?)?),
    };
    let digit = |at| key.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    let bytes: Option<Vec<u8>> = (0..key.len()).step_by(2).map(digit).collect();
    Some(InputCursor { due_at, execution_id: id.parse().ok()?, key: String::from_utf8(bytes?).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_of_inputs_reads_back_as_it_was_written() {
        for due_at in [None, DateTime::from_timestamp_micros(-1), DateTime::from_timestamp_micros(1_795_276_800_123_457)] {
            let cursor = InputCursor { due_at, execution_id: ExecutionId::new(), key: "input a b:\u{1b}é#2".to_owned() };
            assert_eq!(cursor.to_string().parse::<InputCursor>().unwrap(), cursor);
            assert!(!cursor.to_string().contains([' ', '\u{1b}']));
        }
    }

    #[test]
    fn what_is_not_a_cursor_of_inputs_is_refused() {
        let id = ExecutionId::new();
        for text in
            ["", "::", &id.to_string(), &format!("{id}:x:00"), &format!("{id}::0"), &format!("{id}::zz"), &format!("{id}::ff")]
        {
            assert_eq!(text.parse::<InputCursor>().unwrap_err().kind(), ErrorKind::Invalid, "{text}");
        }
    }

    #[test]
    fn a_page_has_a_cursor_only_where_there_is_more() {
        assert_eq!(Page::cut(vec![1, 2, 3], 2, |last| *last), Page { items: vec![1, 2], next: Some(2) });
        assert_eq!(Page::cut(vec![1, 2], 2, |last| *last), Page { items: vec![1, 2], next: None });
    }
}
