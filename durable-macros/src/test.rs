//! `#[durable_test::test]`: a test function that gets a database and a clock of its own.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote};
use syn::ItemFn;
use syn::spanned::Spanned as _;

pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let function: ItemFn = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(_) => {
            let error = syn::Error::new(Span::call_site(), "`#[durable_test::test]` belongs on an async function");
            return with_error(item, &error);
        }
    };
    match refusal(options, &function) {
        Some(error) => with_error(item, &error),
        None => test(&function),
    }
}

fn test(function: &ItemFn) -> TokenStream {
    let (attributes, name, visibility) = (&function.attrs, &function.sig.ident, &function.vis);
    let (signature, body) = (&function.sig, &function.block);
    quote! {
        #[::core::prelude::v1::test]
        #(#attributes)*
        #visibility fn #name() {
            #signature #body
            ::durable_test::run(::core::concat!(::core::module_path!(), "::", ::core::stringify!(#name)), #name);
        }
    }
}

/// Why no test can be made of the function.
fn refusal(options: TokenStream, function: &ItemFn) -> Option<syn::Error> {
    let signature = &function.sig;
    let refuse = |place: Span, message: &str| Some(syn::Error::new(place, message));
    if !options.is_empty() {
        return refuse(options.span(), "`#[durable_test::test]` takes no options");
    }
    if signature.asyncness.is_none() {
        return refuse(signature.fn_token.span, "a test with a database is an `async fn`");
    }
    if !signature.generics.params.is_empty() {
        return refuse(signature.generics.span(), "a test has no generic parameters");
    }
    if signature.inputs.len() != 1 {
        return refuse(signature.ident.span(), "a test with a database takes one argument: `test: durable_test::Test`");
    }
    None
}

/// The item as it was, so that the error is the only one.
fn with_error(item: TokenStream, error: &syn::Error) -> TokenStream {
    let mut tokens = error.to_compile_error();
    item.to_tokens(&mut tokens);
    tokens
}
