//! Expands the tags that a workflow makes from its input.

use super::placed;
use crate::model::{Tag, TagValue, Workflow};
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;

/// The method that makes the tags of an execution from its input. Without tags, the trait's default stays.
pub(super) fn method(workflow: &Workflow) -> Option<TokenStream> {
    let tags = workflow.tags.iter().map(|Tag { name, value }| {
        let name = name.unraw().to_string();
        match value {
            TagValue::Text(text) => quote!((#name, ::std::string::String::from(#text))),
            TagValue::Made(closure) => {
                // As for the concurrency key.
                let durable = placed(&workflow.durable, closure.span());
                let call = quote_spanned!(closure.span()=> #durable::__macro::tag(input, #closure));
                quote!((#name, #call))
            }
        }
    });
    let input = if workflow.tags.iter().any(|tag| matches!(tag.value, TagValue::Made(_))) { quote!(input) } else { quote!(_) };
    (!workflow.tags.is_empty()).then(|| {
        quote! {
            fn tags(#input: &Self::Input) -> ::std::vec::Vec<(&'static str, ::std::string::String)> {
                ::std::vec![#(#tags),*]
            }
        }
    })
}
