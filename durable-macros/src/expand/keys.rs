//! Writes the keys of steps and compensations: their names, with the type of the closure that may replace the body in a test.

use super::{is_for_callers, on_front, output};
use crate::lifetimes::{self, Names};
use crate::model::{self, Compensation, Step, Workflow};
use crate::parse::Method;
use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::visit_mut::VisitMut as _;
use syn::{Ident, LitStr, Type, parse_quote};

/// The function that returns the key of a step, for `step!` and for the method that callers see.
pub(super) fn of_step(workflow: &Workflow, step: &Step) -> TokenStream {
    key(workflow, &step.method, &step.name, &step.key_name(), "step")
}

pub(super) fn of_compensation(workflow: &Workflow, compensation: &Compensation) -> TokenStream {
    key(workflow, &compensation.method, &compensation.name, &compensation.key_name(), "compensation")
}

fn key(workflow: &Workflow, method: &Method, name: &LitStr, key_name: &Ident, kind: &str) -> TokenStream {
    let (durable, workflow_name, visibility) = (&workflow.durable, &workflow.name, &method.visibility);
    let kind = Ident::new(kind, proc_macro2::Span::call_site());
    let body = replacement(durable, method);
    let attributes = method.attributes.iter().filter(|attribute| !is_for_callers(&attribute.meta)).filter_map(on_front);
    quote! {
        #(#attributes)*
        #[doc(hidden)]
        #visibility fn #key_name() -> #durable::__macro::StepKey<Self, #body> {
            #durable::__macro::StepKey::#kind(#workflow_name, #name)
        }
    }
}

/// The type of the closure that may replace the body: it takes what the method takes behind `self`, and its future may borrow
/// from those arguments that are references.
fn replacement(durable: &syn::Path, method: &Method) -> TokenStream {
    if !can_be_replaced(method) {
        return quote!(#durable::__macro::GenericStepsCannotBeReplaced);
    }
    let mut names = Names::default();
    let mut borrows = false;
    let mut types = Vec::new();
    for parameter in method.parameters() {
        let mut ty = (*parameter.ty).clone();
        if let Type::Reference(reference) = &mut ty
            && reference.lifetime.as_ref().is_none_or(|lifetime| lifetime.ident == "_")
        {
            borrows = true;
            reference.lifetime = Some(lifetimes::of_step());
            if model::is_transaction(&parameter.ty) {
                // A type that only has this name is reported once, where the body is called.
                *reference.elem = parse_quote!(#durable::Transaction);
            }
        }
        names.visit_type_mut(&mut ty);
        types.push(ty);
    }
    let (life, binder) = if borrows { (lifetimes::of_step(), Some(lifetimes::of_step())) } else { (lifetimes::of_all(), None) };
    let binder: Vec<_> = binder.into_iter().chain(names.given).collect();
    let binder = (!binder.is_empty()).then(|| quote!(for<#(#binder),*>));
    let output = output(&method.signature.output);
    quote! {
        dyn #binder ::core::ops::Fn(#(#types),*) -> #durable::__macro::BoxFuture<#life, #output>
            + ::core::marker::Send + ::core::marker::Sync
    }
}

/// Whether the types of the parameters can stand outside the signature.
pub(super) fn can_be_replaced(method: &Method) -> bool {
    method.signature.generics.params.is_empty() && !method.parameters().any(|parameter| lifetimes::has_opaque(&parameter.ty))
}

/// The future of a body: of the closure that replaces it in a test, or else of the method's own body.
pub(super) fn replaceable(
    durable: &syn::Path,
    method: &Method,
    key_name: &Ident,
    replaced: impl FnOnce(&TokenStream) -> TokenStream,
    own: TokenStream,
) -> TokenStream {
    if !can_be_replaced(method) {
        return own;
    }
    let stand_in = Ident::new("stand_in", proc_macro2::Span::mixed_site());
    let replaced = replaced(&stand_in.to_token_stream());
    quote! {
        match #durable::__macro::stand_in(&Self::#key_name()) {
            ::core::option::Option::Some(#stand_in) => #replaced,
            ::core::option::Option::None => #own,
        }
    }
}
