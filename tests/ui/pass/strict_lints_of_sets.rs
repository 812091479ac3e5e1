//! Steps that set inputs, histories and archives raise no warning, however strict their crate is.
#![deny(warnings, missing_docs, unused, clippy::all, clippy::pedantic)]
#![deny(clippy::missing_docs_in_private_items, clippy::allow_attributes, clippy::absolute_paths)]
#![deny(single_use_lifetimes, unused_qualifications, unused_lifetimes, elided_lifetimes_in_paths)]
#![deny(missing_debug_implementations, unreachable_pub)]

use durable::prelude::*;

/// A person's file.
#[derive(Debug)]
struct File;

#[workflow(open)]
impl File {
    #[input]
    fn name(&self) -> String;

    #[input(history = 3)]
    fn first(&self) -> String;

    #[input(optional, history = 3)]
    fn words(&self) -> Vec<String>;

    #[input]
    fn secret(&self) -> String;

    /// Splits the name.
    #[step(sets(first, words), history = 2)]
    #[expect(clippy::unused_async, reason = "the sample has nothing to wait for")]
    async fn split(&self, name: &str) -> Result<(String, Vec<String>)> {
        Ok((name.to_owned(), name.split(' ').map(str::to_owned).collect()))
    }

    /// Hides the secret.
    #[step(sets(silently(secret)))]
    #[expect(clippy::unused_async, reason = "the sample has nothing to wait for")]
    async fn hide(&self, secret: &str) -> Result<String> {
        Ok("*".repeat(secret.len()))
    }

    /// Files it away.
    #[step(archive, when = |first: &str| first.is_empty())]
    #[expect(clippy::unused_async, reason = "the sample has nothing to wait for")]
    async fn forget(&self, first: &str) -> Result<usize> {
        Ok(first.len())
    }
}

/// Takes a workflow's inputs, so that the description is used.
fn takes_inputs_of<W: durable::Workflow>(_inputs: &W::Input) {}

/// The inputs show themselves.
pub(crate) fn main() {
    let inputs = FileInputs { name: Some("Ada".into()), ..FileInputs::default() };
    takes_inputs_of::<File>(&inputs);
    assert_eq!(format!("{inputs:?}"), r#"FileInputs {"name":"Ada"}"#);
}
