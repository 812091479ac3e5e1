//! Writes how many executions with the same key may run at once.

use super::{option, placed};
use crate::model::Workflow;
use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::spanned::Spanned as _;

/// The constant and the method that limit executions with the same key. Without a key, the trait's defaults stay.
pub(super) fn items(workflow: &Workflow) -> (Option<TokenStream>, Option<TokenStream>) {
    let limit = workflow.concurrency.limit.map(|limit| {
        let limit = option(Some(Literal::u32_unsuffixed(limit).to_token_stream()));
        quote!(const LIMIT: ::core::option::Option<u32> = #limit;)
    });
    let concurrency_key = workflow.concurrency.key.as_ref().map(|key| {
        // A closure that does not take the input is reported where it was written.
        let durable = placed(&workflow.durable, key.span());
        let call = quote_spanned!(key.span()=> #durable::__macro::concurrency_key(input, #key));
        quote! {
            fn concurrency_key(input: &Self::Input) -> ::core::option::Option<::std::string::String> {
                #call
            }
        }
    });
    (limit, concurrency_key)
}
