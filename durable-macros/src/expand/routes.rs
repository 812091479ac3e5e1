//! Writes what the engine knows about steps with a queue of their own: how a call is sent there, and how the worker there runs it.

use super::{Parameter, conditions, output, owned, placed, plain_name};
use crate::model::{Step, Workflow};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Ident, LitStr, Pat, Type};

/// The body of the method that callers see: inside an execution it sends the call; outside, it runs the step in place.
pub(super) fn send(durable: &syn::Path, step: &Step, parameters: &[Parameter]) -> TokenStream {
    let (route_name, here_name) = (step.route_name(), step.here_name());
    let receiver = step.method.signature.receiver().map(|receiver| receiver.self_token);
    let idents: Vec<&Ident> = parameters.iter().map(|parameter| &parameter.ident).collect();
    let sent = Ident::new("sent", Span::mixed_site());
    let types = step.arguments().map(|parameter| sent_as(&parameter.ty));
    let written = parameters.iter().zip(names(step)).zip(types).map(|((Parameter { ident, place, .. }, name), sent_as)| {
        // An argument that cannot be sent is reported at the type that the user wrote.
        quote_spanned!(*place=> #sent.add::<#sent_as>(#name, &#ident);)
    });
    let write = if parameters.is_empty() { quote!(|_| {}) } else { quote!(|#sent| { #(#written)* }) };
    let output = output(&step.method.signature.output);
    let routed = quote_spanned!(output.span()=> #durable::__macro::step_routed::<Self, #output>);
    quote! {
        match #routed(&Self::#route_name, #write) {
            ::core::option::Option::Some(step) => step,
            ::core::option::Option::None => #receiver.#here_name(#(#idents),*),
        }
    }
}

/// The constant that says where the step runs, and the function that runs it there.
pub(super) fn of_step(workflow: &Workflow, step: &Step) -> Option<TokenStream> {
    let queue = step.queue.as_ref()?;
    let durable = &workflow.durable;
    let conditions: Vec<_> = conditions(&step.method.attributes).collect();
    let (route_name, spec_name, routed_name) = (step.route_name(), step.spec_name(), step.routed_name());
    let of_step = |step: &LitStr| LitStr::new(&format!("{}::{}", workflow.name.value(), step.value()), step.span());
    let (name, was) = (of_step(&step.name), step.was.iter().map(of_step));
    let run = run(durable, step);
    Some(quote! {
        #(#conditions)*
        #[doc(hidden)]
        const #route_name: #durable::__macro::Route<Self> = #durable::__macro::Route {
            workflow: #name,
            was: &[#(#was),*],
            step: &Self::#spec_name,
            queue: #queue,
            run: Self::#routed_name,
        };
        #(#conditions)*
        #[doc(hidden)]
        #run
    })
}

fn run(durable: &syn::Path, step: &Step) -> TokenStream {
    let (routed_name, here_name) = (step.routed_name(), step.here_name());
    let arguments = Ident::new("arguments", Span::mixed_site());
    let taken = step.arguments().zip(names(step)).enumerate().map(|(place, (parameter, name))| {
        let ident = plain_name(place, &parameter.pat);
        let borrow = if let Type::Reference(reference) = &*parameter.ty { Some(reference.and_token) } else { None };
        let sent_as = sent_as(&parameter.ty);
        let take = quote_spanned!(parameter.ty.span()=> take::<#sent_as>);
        (quote!(let #ident = #arguments.#take(#name)?;), quote!(#borrow #ident))
    });
    let (taken, passed): (Vec<_>, Vec<_>) = taken.unzip();
    let pattern = if taken.is_empty() { quote!(_) } else { quote!(mut #arguments) };
    let result = output(&step.method.signature.output);
    let returned = {
        let durable = placed(durable, result.span());
        quote_spanned!(result.span()=> #durable::__macro::returned::<#result>)
    };
    quote! {
        fn #routed_name<'run>(
            &'run self,
            #pattern: #durable::__macro::Arguments,
        ) -> #durable::__macro::BoxFuture<'run, #durable::__macro::Result<#durable::__macro::Returned>> {
            ::std::boxed::Box::pin(async move {
                #(#taken)*
                #returned(self.#here_name(#(#passed),*).await)
            })
        }
    }
}

/// The type as which the receiving worker reads an argument.
fn sent_as(written: &Type) -> TokenStream {
    match written {
        Type::Reference(reference) => owned(&reference.elem),
        written => written.to_token_stream(),
    }
}

/// The associated constant that lists the routes. If there are none, the trait's default stays.
pub(super) fn list(workflow: &Workflow) -> Option<TokenStream> {
    let durable = &workflow.durable;
    let routed: Vec<&Step> = workflow.steps().filter(|step| step.queue.is_some()).collect();
    let entries = routed.iter().map(|step| {
        let (conditions, route_name) = (conditions(&step.method.attributes), step.route_name());
        quote!(#(#conditions)* Self::#route_name)
    });
    (!routed.is_empty()).then(|| quote!(const ROUTES: &'static [#durable::__macro::Route<Self>] = &[#(#entries),*];))
}

/// The names of the arguments in the message: those of the parameters, or their positions if a parameter is a pattern.
fn names(step: &Step) -> impl Iterator<Item = String> {
    step.arguments().enumerate().map(|(place, parameter)| match &*parameter.pat {
        Pat::Ident(pattern) => pattern.ident.unraw().to_string(),
        _ => place.to_string(),
    })
}
