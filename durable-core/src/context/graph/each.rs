//! A step that runs for each item of a list: the list is taken apart, its items are worked on as by `cx.map`, and their values become
//! one list.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use serde::de::DeserializeOwned;

use crate::context::map::Map;
use crate::context::nodes::node::Computed;
use crate::context::nodes::taken::Taken;
use crate::error::{Error, ErrorKind, Result};
use crate::payload::{self, Json};
use crate::plan::journal_key;
use crate::running::ambient;

pub use crate::context::map::DEFAULT_CONCURRENCY;

/// Most items of one list. Each has an entry in the journal, and a worker that takes over reads them all at once.
const MOST_ITEMS: usize = 100_000;

/// A type whose JSON is a list.
#[diagnostic::on_unimplemented(
    message = "`each` runs the step for each item of a list, and `{Self}` is not a list",
    label = "is not a list",
    note = "`each` takes a `Vec`, a `VecDeque`, a `BTreeSet`, a boxed slice, or `Json` that is a list when the graph runs"
)]
pub trait List {
    /// The type of an item.
    type Item: DeserializeOwned + Send;
}

impl<T: DeserializeOwned + Send> List for Vec<T> {
    type Item = T;
}

impl<T: DeserializeOwned + Send> List for VecDeque<T> {
    type Item = T;
}

impl<T: DeserializeOwned + Send> List for BTreeSet<T> {
    type Item = T;
}

impl<T: DeserializeOwned + Send> List for Box<[T]> {
    type Item = T;
}

impl List for Json {
    type Item = Self;
}

impl List for serde_json::Value {
    type Item = Self;
}

/// An argument that the runs for all items share, and that each takes by value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` must be `Clone`, because the step runs for each item and each run needs its own",
    label = "cannot be given to a second run",
    note = "take `&{Self}`, or derive `Clone` for it"
)]
pub trait SharedArgument {
    /// Another one for the next run.
    #[must_use]
    fn for_item(&self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Clone> SharedArgument for T {
    fn for_item(&self) -> Self {
        self.clone()
    }
}

/// The items of a list, or why there are none.
pub struct Items<T>(Result<Vec<T>>);

/// The items of the list at this place. A node without a value, because it was skipped, has no items.
///
/// # Errors
/// `Payload` if an item does not decode. A value that is not a list, or a list with too many items, fails the node, in [`each`].
pub fn items<L: List>(taken: &Taken, place: usize, name: &str) -> Result<Items<L::Item>> {
    let Some(value) = taken.json(place) else { return Ok(Items(Ok(Vec::new()))) };
    if let Some(other) = other_than_a_list(value.as_str()) {
        let problem = format!("`each` runs a step for each item of `{name}`, whose value is {other} and not a list");
        return Ok(Items(Err(Error::of_kind(ErrorKind::Payload, problem).into_permanent())));
    }
    let items: Vec<L::Item> = payload::decode(format_args!("the value of `{name}`"), value.as_str())?;
    if items.len() > MOST_ITEMS {
        let problem = format!(
            "`each` would run a step for each of the {} items of `{name}`, over the limit of {MOST_ITEMS}: put several into each item, \
             or start an execution for each part of the list",
            items.len()
        );
        return Ok(Items(Err(Error::of_kind(ErrorKind::Invalid, problem).into_permanent())));
    }
    Ok(Items(Ok(items)))
}

/// What a JSON value is, unless it is a list.
fn other_than_a_list(json: &str) -> Option<&'static str> {
    match json.trim_start().as_bytes().first()? {
        b'[' => None,
        b'{' => Some("an object"),
        b'"' => Some("a text"),
        b't' | b'f' => Some("a boolean"),
        b'n' => Some("null"),
        _ => Some("a number"),
    }
}

/// Works on each item, so many at once, and gives the list of their values in the order of the items. It takes the key that the node
/// was given, so its branches are journalled below that key.
///
/// # Errors
/// The first failure, which ends the others.
pub async fn each<'run, T, F, Run>(items: Items<T>, concurrency: usize, work: F) -> Result<Computed>
where
    T: Send + 'run,
    F: FnMut(T) -> Run + Send + 'run,
    Run: Future<Output = Result<Computed>> + Send + 'run,
{
    match items.0 {
        Ok(items) => {
            // Boxed: a map moves its items, also if their type must not be moved.
            let items = Box::new(items.into_iter());
            Computed::of_items(&Map::new(items).concurrency(concurrency).each(work).await?)
        }
        Err(refused) => {
            // The values could be read, so it is the node that fails: it has begun.
            if let Some(scope) = ambient::scope() {
                scope.next_key(journal_key::MAP, "");
            }
            Err(refused)
        }
    }
}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Items").field(&self.0.as_ref().map(Vec::len)).finish()
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::context::nodes::taken::Slot;
    use crate::payload::Payload;

    fn taken(json: &str) -> Taken {
        let (value, set_at) = (Payload(json.into()), DateTime::UNIX_EPOCH);
        Taken::new(vec![Slot::Ready { value, revision: 1, set_at, metadata: None, stale: false }])
    }

    fn refusal<L: List>(json: &str) -> Error {
        items::<L>(&taken(json), 0, "rows").unwrap().0.err().expect("a refusal")
    }

    #[test]
    fn a_list_is_taken_apart_and_a_node_without_a_value_has_no_items() {
        assert_eq!(items::<Vec<u32>>(&taken(" [1, 2]"), 0, "rows").unwrap().0.unwrap(), [1, 2]);
        assert_eq!(items::<Json>(&taken("[1, {}]"), 0, "rows").unwrap().0.unwrap()[1].as_str(), "{}");
        let skipped = Taken::new(vec![Slot::Skipped]);
        assert!(items::<Vec<u32>>(&skipped, 0, "rows").unwrap().0.unwrap().is_empty());
    }

    #[test]
    fn a_value_that_is_not_a_list_is_refused_with_its_type() {
        for (json, is) in [("{}", "an object"), (" \"a\"", "a text"), ("-1", "a number"), ("true", "a boolean"), ("null", "null")]
        {
            let error = refusal::<Json>(json);
            let expected = format!("`each` runs a step for each item of `rows`, whose value is {is} and not a list");
            assert_eq!((error.kind(), error.to_string()), (ErrorKind::Payload, expected));
        }
    }

    #[test]
    fn too_many_items_are_refused_with_the_limit() {
        let list = |items: usize| format!("[{}0]", "0,".repeat(items - 1));
        assert_eq!(items::<Vec<u8>>(&taken(&list(MOST_ITEMS)), 0, "rows").unwrap().0.unwrap().len(), MOST_ITEMS);
        let error = refusal::<Vec<u8>>(&list(MOST_ITEMS + 1));
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("100001 items of `rows`, over the limit of 100000"), "{error}");
    }

    #[test]
    fn an_item_of_another_type_does_not_decode() {
        let error = items::<Vec<u32>>(&taken(r#"[1, "two"]"#), 0, "rows").unwrap_err();
        assert!(error.to_string().starts_with("the value of `rows` does not decode"), "{error}");
    }
}
