//! Collects every mistake, so that the user sees all of them at once.

use proc_macro2::TokenStream;
use quote::ToTokens;
use std::fmt::Display;

/// The mistakes found so far. It must be read with [`Errors::into_tokens`]: a mistake that is not read would let a wrong workflow compile.
#[derive(Default)]
pub(crate) struct Errors {
    found: Vec<syn::Error>,
    read: bool,
}

impl Errors {
    /// Records a mistake at the given tokens.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Records a mistake that has its place already.
    pub(crate) fn push(&mut self, error: syn::Error) {
        self.found.push(error);
    }

    /// Whether no mistake was found so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Records the mistake in a result, if there is one.
    pub(crate) fn unless<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// One `compile_error!` per mistake, or `None` when there was none.
    pub(crate) fn into_tokens(mut self) -> Option<TokenStream> {
        self.read = true;
        let found = self.found.iter().map(syn::Error::to_compile_error);
        (!self.found.is_empty()).then(|| found.collect())
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        // A second panic while unwinding would abort the compiler and hide the first.
        assert!(self.read || std::thread::panicking(), "mistakes were collected but never reported");
    }
}

#[cfg(test)]
mod tests {
    use super::Errors;
    use quote::quote;

    #[test]
    fn every_mistake_is_reported_in_the_order_found() {
        let mut errors = Errors::default();
        errors.at(quote!(one), "first");
        errors.at(quote!(two), "second");
        let tokens = errors.into_tokens().unwrap().to_string();
        assert!(tokens.find("first").unwrap() < tokens.find("second").unwrap(), "{tokens}");
    }

    #[test]
    fn mistakes_nobody_reads_are_noticed() {
        let unread = std::panic::catch_unwind(|| drop(Errors::default()));
        assert!(unread.is_err());
    }
}
