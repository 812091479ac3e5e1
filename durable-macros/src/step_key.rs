//! The macros by which a test names a step, and replaces its body.

use crate::model;
use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::parse::{Parse, ParseStream};
use syn::{Expr, ExprClosure, ExprPath, ReturnType, Token};

/// `ProcessOrder::charge`
struct StepPath(ExprPath);

/// `ProcessOrder::charge, |order| async move { … }`
struct Replacement {
    step: StepPath,
    body: ExprClosure,
}

pub(crate) fn key(path: TokenStream) -> TokenStream {
    match syn::parse2::<StepPath>(path) {
        Ok(StepPath(path)) => quote!(#path()),
        Err(error) => error.into_compile_error(),
    }
}

pub(crate) fn replacement(input: TokenStream) -> TokenStream {
    let Replacement { step: StepPath(path), mut body } = match syn::parse2(input) {
        Ok(replacement) => replacement,
        Err(error) => return error.into_compile_error(),
    };
    let future = body.body.to_token_stream();
    // The type of an async closure's future does not say that it may move between threads; the type of an async block does.
    let future = if body.asyncness.take().is_some() { quote!(async move { #future }) } else { future };
    // The engine calls the body once for each attempt, and knows the type of what it returns.
    body.output = ReturnType::Default;
    *body.body = Expr::Verbatim(quote!(::std::boxed::Box::pin(#future)));
    quote!(#path().replace(::std::boxed::Box::new(#body)))
}

impl Parse for StepPath {
    /// The path of the function that returns the key of the step.
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut path: ExprPath = input.parse()?;
        let refusal =
            syn::Error::new_spanned(&path, "a step is named by its workflow and its method, as in `ProcessOrder::charge`");
        if path.path.segments.len() < 2 && path.qself.is_none() {
            return Err(refusal);
        }
        let Some(method) = path.path.segments.last_mut() else { return Err(refusal) };
        method.ident = model::key_name(&method.ident);
        Ok(Self(path))
    }
}

impl Parse for Replacement {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let step = input.parse()?;
        input.parse::<Token![,]>()?;
        let body = match input.parse()? {
            Expr::Closure(body) => body,
            other => {
                let message = "the new body of a step is a closure that returns a future: `|order| async move { … }`";
                return Err(syn::Error::new_spanned(other, message));
            }
        };
        input.parse::<Option<Token![,]>>()?;
        Ok(Self { step, body })
    }
}
