//! Words of the commands that people paste into a shell: the names in them were chosen by other programs.

use std::borrow::Cow;

/// The text as one word, in quotes if it needs them.
pub(crate) fn word(text: &str) -> Cow<'_, str> {
    // Only a text with NUL cannot be quoted, and Postgres holds none.
    shlex::try_quote(text).unwrap_or(Cow::Borrowed(text))
}
