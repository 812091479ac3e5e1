//! Writes what the engine knows about compensations: a description of each, and for each step how its output is passed on.

use super::{conditions, duration, keys, option, output, owned, placed, retry_literal};
use crate::model::{Compensation, Step, Workflow};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Ident, Type};

/// The user's method as it was written, and the constant that describes it.
pub(super) fn compensation(workflow: &Workflow, compensation: &Compensation) -> TokenStream {
    let (durable, Compensation { method, name, .. }) = (&workflow.durable, compensation);
    let key = keys::of_compensation(workflow, compensation);
    let (conditions, spec_name) = (conditions(&method.attributes), compensation.spec_name());
    let retry = option(compensation.retry.as_ref().map(|retry| retry_literal(durable, retry)));
    let timeout = option(compensation.timeout.map(duration));
    quote! {
        #(#conditions)*
        #[doc(hidden)]
        const #spec_name: #durable::__macro::CompensationSpec = #durable::__macro::CompensationSpec {
            name: #name,
            retry: #retry,
            timeout: #timeout,
        };
        #key
        #method
    }
}

/// The function that gives the step's compensation what the step recorded.
pub(super) fn of_step(workflow: &Workflow, step: &Step) -> TokenStream {
    workflow.compensations_of(step).map(|compensation| undo(&workflow.durable, step, compensation)).collect()
}

fn undo(durable: &syn::Path, step: &Step, compensation: &Compensation) -> TokenStream {
    let (method, undo_name) = (&compensation.method, step.undo_name());
    let conditions = conditions(&step.method.attributes).chain(conditions(&method.attributes));
    let name = method.name();
    let context = method.context().map(|context| quote_spanned!(context.ty.span()=> cx));
    let argument = compensation.argument().map(|argument| read(durable, step, &argument.ty));
    let (cx, recorded) = (name_if_used("cx", context.is_some()), name_if_used("recorded", argument.is_some()));
    let recorded_as = Ident::new("argument", Span::mixed_site());
    let (borrow, reading) = argument.unzip();
    let reading = reading.map(|reading| quote!(let #recorded_as = #reading;));
    let argument = reading.as_ref().map(|_| quote!(#borrow #recorded_as));
    let arguments: Vec<TokenStream> = context.into_iter().chain(argument).collect();
    let own = quote_spanned!(name.span()=> Self::#name(self #(, #arguments)*).await);
    let replaced = |stand_in: &TokenStream| quote!(#stand_in(#(#arguments),*).await);
    let call = keys::replaceable(durable, method, &compensation.key_name(), replaced, own);
    let result = output(&method.signature.output);
    // A compensation that returns no `Result` is reported at the type it returns.
    let undone = {
        let durable = placed(durable, result.span());
        quote_spanned!(result.span()=> #durable::__macro::undone::<#result>)
    };
    // The compiler points here when the future cannot move between threads.
    let future = quote_spanned! {name.span()=>
        ::std::boxed::Box::pin(async move { #reading #undone(#call) })
    };
    quote! {
        #(#conditions)*
        #[doc(hidden)]
        fn #undo_name<'run>(
            &'run self,
            #cx: &'run #durable::__macro::Context,
            #recorded: #durable::__macro::Recorded,
        ) -> #durable::__macro::BoxFuture<'run, #durable::__macro::Result<#durable::__macro::Undone>> {
            #future
        }
    }
}

/// The pattern of a parameter. The compiler warns about a name that is not used.
fn name_if_used(name: &str, used: bool) -> TokenStream {
    if used { Ident::new(name, Span::call_site()).to_token_stream() } else { quote!(_) }
}

/// The expression that reads the compensation's argument. A type that is not the step's output is reported where it was written.
fn read(durable: &syn::Path, step: &Step, written: &Type) -> (Option<syn::Token![&]>, TokenStream) {
    let (borrow, owned) = match written {
        Type::Reference(reference) => (Some(reference.and_token), owned(&reference.elem)),
        written => (None, written.to_token_stream()),
    };
    let (reader, function) = match &step.undo_on_failure {
        Some(_) => (quote!(OptionalCompensationArgument), quote!(read_if_there)),
        None => (quote!(CompensationArgument), quote!(read)),
    };
    let step_output = output(&step.method.signature.output);
    let step_output = {
        let durable = placed(durable, step_output.span());
        quote_spanned!(step_output.span()=> <#step_output as #durable::__macro::StepResult>::Output)
    };
    let durable = placed(durable, written.span());
    (borrow, quote_spanned!(written.span()=> <#owned as #durable::__macro::#reader<#step_output>>::#function(&recorded)?))
}

/// The associated constant that says which compensation undoes which step.
pub(super) fn list(workflow: &Workflow) -> TokenStream {
    let durable = &workflow.durable;
    let entries = workflow.steps().flat_map(|step| {
        workflow.compensations_of(step).map(move |compensation| {
            let conditions = conditions(&step.method.attributes).chain(conditions(&compensation.method.attributes));
            let (name, undo_name, spec_name) = (&step.name, step.undo_name(), compensation.spec_name());
            let undo_on_failure = step.undo_on_failure.is_some();
            quote! {
                #(#conditions)*
                #durable::__macro::Compensation {
                    step: #name,
                    spec: &Self::#spec_name,
                    undo_on_failure: #undo_on_failure,
                    call: Self::#undo_name,
                }
            }
        })
    });
    quote! {
        const COMPENSATIONS: &'static [#durable::__macro::Compensation<Self>] = &[#(#entries),*];
    }
}
