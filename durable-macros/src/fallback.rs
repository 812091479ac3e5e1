//! What a workflow with mistakes expands to: the mistakes, the user's block without our attributes, and a stand-in for
//! the description, so that callers and editors keep working and no second error follows from the first.

use crate::check;
use crate::expand;
use crate::marker;
use crate::model::{self, Form, Member, Workflow};
use crate::nodes;
use crate::parse::Method;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use std::borrow::Cow;
use syn::{FnArg, Ident, ReturnType};

/// The mistake, and the item exactly as it was written.
pub(crate) fn leave_alone(item: TokenStream, mistake: &syn::Error) -> TokenStream {
    let mut tokens = mistake.to_compile_error();
    tokens.extend(item);
    tokens
}

/// The mistakes, the block with plain methods, and the stand-in.
pub(crate) fn workflow(workflow: &Workflow, errors: Option<TokenStream>) -> TokenStream {
    let mut seen = Vec::new();
    let members = workflow.members.iter().map(|member| match member {
        Member::Run(method) => plain_method(method, &mut seen),
        Member::Step(step) => plain_method(&without_transaction(&step.method), &mut seen),
        Member::Compensation(compensation) => plain_method(&compensation.method, &mut seen),
        Member::Plain(method) => method.to_token_stream(),
        Member::Unreadable { tokens, .. } | Member::Untouched(tokens) => tokens.clone(),
        Member::Input(_) | Member::Question(_) | Member::UnreadableRun => TokenStream::new(),
    });
    let block = expand::impl_block(workflow, members.collect());
    let stand_in = stand_in(workflow);
    let mention = marker::mention(&workflow.marker_paths);
    quote! {
        #errors
        #block
        #stand_in
        #mention
    }
}

/// The method as written, unless the compiler would report what we have reported already: a second one of its name, or a missing body.
fn plain_method(method: &Method, seen: &mut Vec<Ident>) -> TokenStream {
    let repeated = !method.is_conditional() && seen.contains(method.name());
    let bodiless = matches!(method.body, TokenTree::Punct(_));
    seen.push(method.name().clone());
    if repeated || bodiless { TokenStream::new() } else { method.to_token_stream() }
}

/// The method as its callers see it: they give it no transaction.
fn without_transaction(method: &Method) -> Cow<'_, Method> {
    let is_transaction = |input: &FnArg| matches!(input, FnArg::Typed(parameter) if model::is_transaction(&parameter.ty));
    let TokenTree::Group(body) = &method.body else { return Cow::Borrowed(method) };
    if !method.signature.inputs.iter().any(is_transaction) {
        return Cow::Borrowed(method);
    }
    let (transactions, others): (Vec<FnArg>, Vec<FnArg>) = method.signature.inputs.iter().cloned().partition(is_transaction);
    // It is never run, and must not look as if what follows could not be.
    let nothing = quote!(::core::option::Option::None.unwrap());
    let statements = body.stream();
    let mut without = Group::new(Delimiter::Brace, quote!(#(let #transactions = #nothing;)* #statements));
    without.set_span(body.span());
    let mut plain = method.clone();
    plain.signature.inputs = others.into_iter().collect();
    plain.body = without.into();
    Cow::Owned(plain)
}

fn stand_in(workflow: &Workflow) -> TokenStream {
    if check::borrows(workflow) {
        // No description is possible for a type that does not live as long as its worker.
        return TokenStream::new();
    }
    let Workflow { durable, name, version, queue, head, .. } = workflow;
    let conditions = expand::conditions(&head.attrs);
    let (generics, _, where_clause) = head.generics.split_for_impl();
    let self_type = &head.self_ty;
    let (input, output, items) = match workflow.form() {
        Some(Form::Graph(graph)) => {
            let output = graph.output().filter(|node| returns_an_output(node.method()));
            (nodes::inputs_type(workflow), nodes::expand::output_type(workflow, output), Some(nodes::expand::items(workflow)))
        }
        Some(Form::Flow(run)) => {
            let input = if run.input().is_none_or(check::can_be_input) { expand::input_type(run) } else { quote!(()) };
            let output = if returns_an_output(run) { expand::output_type(durable, run) } else { no_output() };
            (input, output, None)
        }
        None => (quote!(()), no_output(), None),
    };
    quote! {
        #items
        #(#conditions)*
        impl #generics #durable::__macro::Workflow for #self_type #where_clause {
            type Input = #input;
            #output
            const NAME: &'static str = #name;
            const VERSION: u32 = #version;
            const QUEUE: &'static str = #queue;
            const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::None;
            const STEPS: &'static [#durable::__macro::StepSpec] = &[];
            const COMPENSATIONS: &'static [#durable::__macro::Compensation<Self>] = &[];

            fn execute<'run>(
                &'run self,
                _: &'run #durable::__macro::Context,
                _: Self::Input,
            ) -> #durable::__macro::BoxFuture<'run, #durable::__macro::Result<Self::Output>> {
                ::core::unreachable!()
            }
        }
    }
}

fn no_output() -> TokenStream {
    quote!(
        type Output = ();
    )
}

fn returns_an_output(method: &Method) -> bool {
    matches!(&method.signature.output, ReturnType::Type(_, ty) if check::can_be_output(ty))
}
