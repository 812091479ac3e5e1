//! Writes the code of a correct workflow: names, literals and calls into `__macro`, which decides what happens at run time.

mod compensations;
mod concurrency;
mod keys;
mod routes;
mod schedule;
mod tags;

use crate::graph;
use crate::lifetimes::{self, Names};
use crate::marker;
use crate::model::{Form, Member, Retry, Step, Workflow};
use crate::nodes;
use crate::parse::Method;
use proc_macro2::{Literal, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use std::time::Duration;
use syn::spanned::Spanned as _;
use syn::visit_mut::VisitMut as _;
use syn::{Attribute, FnArg, GenericParam, Generics, Ident, Meta, Pat, Receiver, ReceiverKind, ReturnType, Type, parse_quote};

/// The user's impl block with durable steps, and the description that the engine reads.
pub(crate) fn workflow(workflow: &Workflow, form: &Form<'_>) -> TokenStream {
    let members = workflow.members.iter().map(|member| match member {
        Member::Step(step) => durable_step(workflow, step),
        Member::Compensation(compensation) => compensations::compensation(workflow, compensation),
        Member::Run(method) | Member::Plain(method) => method.to_token_stream(),
        Member::Unreadable { tokens, .. } | Member::Untouched(tokens) => tokens.clone(),
        Member::Input(_) | Member::Question(_) | Member::UnreadableRun => TokenStream::new(),
    });
    let (nodes, items) = match form {
        Form::Flow(_) => (None, None),
        Form::Graph(graph) => (Some(nodes::expand::members(workflow, graph)), Some(nodes::expand::items(workflow))),
    };
    let block = impl_block(workflow, members.chain(nodes).collect());
    let description = description(workflow, form);
    let mention = marker::mention(&workflow.marker_paths);
    quote! {
        #block
        #description
        #items
        #mention
    }
}

/// The user's impl block around other members.
pub(crate) fn impl_block(workflow: &Workflow, members: TokenStream) -> TokenStream {
    let head = &workflow.head;
    let (attributes, unsafety, self_type) = (&head.attrs, &head.unsafety, &head.self_ty);
    let (impl_token, generics, conditions) = (head.impl_token, &head.generics, &head.generics.where_clause);
    let braces = quote_spanned!(head.brace_token.span.join()=> { #members });
    quote! { #(#attributes)* #unsafety #impl_token #generics #self_type #conditions #braces }
}

fn durable_step(workflow: &Workflow, step: &Step) -> TokenStream {
    let spec = spec(workflow, step);
    let key = keys::of_step(workflow, step);
    let front = front(&workflow.durable, step);
    let body = body(step);
    let route = routes::of_step(workflow, step);
    let undo = compensations::of_step(workflow, step);
    quote! {
        #spec
        #key
        #front
        #body
        #route
        #undo
    }
}

/// The constant that describes a step to the engine.
fn spec(workflow: &Workflow, step: &Step) -> TokenStream {
    let durable = &workflow.durable;
    let (conditions, spec_name) = (conditions(&step.method.attributes), step.spec_name());
    let (workflow_name, name, was) = (&workflow.name, &step.name, &step.was);
    let retry = option(step.retry.as_ref().map(|retry| retry_literal(durable, retry)));
    let timeout = option(step.timeout.map(duration));
    let compensation = workflow.compensations_of(step).next().map(|compensation| &compensation.name);
    let compensation = option(compensation.map(ToTokens::to_token_stream));
    let undo_on_failure = step.undo_on_failure.is_some();
    quote! {
        #(#conditions)*
        #[doc(hidden)]
        const #spec_name: #durable::__macro::StepSpec = #durable::__macro::StepSpec {
            workflow: #workflow_name,
            name: #name,
            is_compensation: false,
            was: &[#(#was),*],
            retry: #retry,
            timeout: #timeout,
            compensation: #compensation,
            undo_on_failure: #undo_on_failure,
        };
    }
}

fn retry_literal(durable: &syn::Path, retry: &Retry) -> TokenStream {
    let (max_attempts, jitter) = (Literal::u32_unsuffixed(retry.max_attempts), Literal::f64_unsuffixed(retry.jitter));
    let backoff = Ident::new(retry.backoff, Span::call_site());
    let (base, max) = (duration(retry.base), duration(retry.max));
    quote! {
        #durable::__macro::Retry {
            max_attempts: #max_attempts,
            backoff: #durable::__macro::Backoff::#backoff,
            base: #base,
            max: #max,
            jitter: #jitter,
        }
    }
}

/// The method that callers see: it journals the call instead of running it.
fn front(durable: &syn::Path, step: &Step) -> TokenStream {
    let Method { attributes, visibility, signature, .. } = &step.method;
    let (fn_token, name, output) = (signature.fn_token, &signature.ident, output(&signature.output));
    let mut names = Names::default();
    let receiver = signature.receiver().map(|receiver| named_receiver(receiver, &mut names));
    let parameters: Vec<Parameter> =
        step.arguments().enumerate().map(|(place, parameter)| Parameter::of(place, parameter, &mut names)).collect();
    let (generics, conditions) = front_generics(&signature.generics, &names);
    let (idents, types): (Vec<_>, Vec<_>) = parameters.iter().map(|parameter| (&parameter.ident, &parameter.ty)).unzip();
    let digest = digest(durable, &parameters);
    let run = start(durable, step, &parameters);
    let future_life = lifetimes::of_step();
    let method = |name: &Ident, body: TokenStream| {
        quote! {
            #fn_token #name #generics (#receiver, #(#idents: #types),*) -> #durable::__macro::Step<#future_life, #output>
            #conditions
            {
                #body
            }
        }
    };
    let on_front = attributes.iter().filter_map(on_front);
    let here = quote!(#digest #run);
    if step.queue.is_none() {
        let front = method(name, here);
        return quote!(#(#on_front)* #visibility #front);
    }
    let front = method(name, routes::send(durable, step, &parameters));
    let here = method(&step.here_name(), here);
    let on_here = attributes.iter().filter(|attribute| !is_for_callers(&attribute.meta)).filter_map(self::on_front);
    quote! {
        #(#on_front)*
        #visibility #front
        #(#on_here)*
        #[doc(hidden)]
        #here
    }
}

/// A parameter under a plain name, with every lifetime written out.
struct Parameter {
    ident: Ident,
    ty: Type,
    /// Where the user wrote the type.
    place: Span,
}

impl Parameter {
    fn of(place: usize, written: &syn::PatType, names: &mut Names) -> Self {
        let mut ty = (*written.ty).clone();
        names.visit_type_mut(&mut ty);
        Self { ident: plain_name(place, &written.pat), ty, place: written.ty.span() }
    }
}

fn plain_name(place: usize, pattern: &Pat) -> Ident {
    match pattern {
        Pat::Ident(pattern) if pattern.subpat.is_none() => pattern.ident.clone(),
        // The body destructures the pattern. Until then the value needs a name that the user cannot have used.
        _ => format_ident!("argument_{place}", span = Span::mixed_site()),
    }
}

fn named_receiver(receiver: &Receiver, names: &mut Names) -> FnArg {
    let mut receiver = receiver.clone();
    receiver.attrs.clear();
    match &mut receiver.kind {
        ReceiverKind::Reference(_, lifetime @ None, _) => *lifetime = Some(names.next()),
        ReceiverKind::Reference(_, Some(lifetime), _) => names.visit_lifetime_mut(lifetime),
        ReceiverKind::Typed(_, ty) => names.visit_type_mut(ty),
        _ => {}
    }
    FnArg::Receiver(receiver)
}

/// The user's generics, the named lifetimes, and the bound that all of them outlive the future.
fn front_generics(written: &Generics, names: &Names) -> (Generics, Option<syn::WhereClause>) {
    let mut generics = written.clone();
    let future_life = lifetimes::of_step();
    let conditions = &mut generics.where_clause.get_or_insert_with(|| parse_quote!(where)).predicates;
    conditions.extend(names.given.iter().map(|lifetime| -> syn::WherePredicate { parse_quote!(#lifetime: #future_life) }));
    for parameter in &mut generics.params {
        // Beside the user's own bounds: a linter objects to bounds in two places.
        match parameter {
            GenericParam::Lifetime(life) if !life.bounds.is_empty() => life.bounds.push(future_life.clone()),
            GenericParam::Lifetime(life) => {
                let lifetime = &life.lifetime;
                conditions.push(parse_quote!(#lifetime: #future_life));
            }
            GenericParam::Type(ty) if !ty.bounds.is_empty() => ty.bounds.push(parse_quote!(#future_life)),
            GenericParam::Type(ty) => {
                let ident = &ty.ident;
                conditions.push(parse_quote!(#ident: #future_life));
            }
            GenericParam::Const(_) => {}
        }
    }
    for (place, lifetime) in std::iter::once(&future_life).chain(&names.given).enumerate() {
        generics.params.insert(place, parse_quote!(#lifetime));
    }
    let conditions = generics.where_clause.take();
    (generics, conditions)
}

/// The statement that computes the digest of the arguments, by which a replay with other arguments is noticed.
fn digest(durable: &syn::Path, parameters: &[Parameter]) -> TokenStream {
    let digest = digest_variable();
    if parameters.is_empty() {
        return quote! { let #digest = #durable::__macro::digest(|_| {}); };
    }
    let arguments = parameters.iter().map(|parameter| &parameter.ident);
    quote! {
        let #digest = #durable::__macro::digest(|#digest| {
            use #durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            #((&#durable::__macro::Argument(&#arguments)).add_to(#digest);)*
        });
    }
}

/// A name that no argument of the user can have.
fn digest_variable() -> Ident {
    Ident::new("digest", Span::mixed_site())
}

/// The call that passes the step to the engine.
fn start(durable: &syn::Path, step: &Step, parameters: &[Parameter]) -> TokenStream {
    let signature = &step.method.signature;
    let (spec_name, digest) = (step.spec_name(), digest_variable());
    let output = output(&signature.output);
    let transaction = step.transaction_parameter().map(|_| transaction_variable());
    let future = call(durable, step, parameters);
    // A transactional step is repeated after an outage or a conflict, even if it has one attempt.
    let (function, body) = if step.retry.is_some() || transaction.is_some() {
        let copies = parameters.iter().map(|Parameter { ident, place, .. }| {
            let copy = quote_spanned!(*place=> #durable::__macro::RetryArgument::again(&#ident));
            quote!(let #ident = #copy;)
        });
        ("step_retried", quote!(move |#transaction| { #(#copies)* #future }))
    } else {
        ("step_once", quote!(move |#transaction| #future))
    };
    let function = if step.node.flow { function.replace("step_", "flow_") } else { function.to_owned() };
    let function = match transaction {
        Some(_) => format_ident!("{function}_in_transaction"),
        None => Ident::new(&function, Span::call_site()),
    };
    // An output that is no `Result`, or cannot be stored, is reported at the type that the user wrote.
    let function = quote_spanned!(output.span()=> #durable::__macro::#function::<#output, _>);
    quote!(#function(&Self::#spec_name, #digest, #body))
}

/// The future of one call of the body. A transactional step returns the transaction with the result; the engine commits it or
/// not.
fn call(durable: &syn::Path, step: &Step, parameters: &[Parameter]) -> TokenStream {
    let signature = &step.method.signature;
    let body_name = step.body_name();
    let receiver = signature.receiver().map(|receiver| receiver.self_token);
    let arguments: Vec<&Ident> = parameters.iter().map(|parameter| &parameter.ident).collect();
    let turbofish = turbofish(&signature.generics);
    // The compiler points at the step's name when the body's future cannot move between threads.
    let place = signature.ident.span();
    let Some(parameter) = step.transaction_parameter() else {
        let own = quote_spanned!(place=> ::std::boxed::Box::pin(#receiver.#body_name #turbofish (#(#arguments),*)));
        let replaced = |stand_in: &TokenStream| quote!(#stand_in(#(#arguments),*));
        return keys::replaceable(durable, &step.method, &step.key_name(), replaced, own);
    };
    let (transaction, result) = (transaction_variable(), Ident::new("result", Span::mixed_site()));
    // A type that is not `Transaction` is reported where it was written.
    let place_of_type = parameter.ty.span();
    let lent = Ident::new("transaction", Span::mixed_site().located_at(place_of_type));
    let lent = quote_spanned!(place_of_type=> &mut #lent);
    let run = |body: TokenStream| {
        quote_spanned! {place=>
            ::std::boxed::Box::pin(async move {
                let mut #transaction = #transaction;
                let #result = #body(#lent, #(#arguments),*).await;
                (#transaction, #result)
            })
        }
    };
    let own = run(quote!(#receiver.#body_name #turbofish));
    keys::replaceable(durable, &step.method, &step.key_name(), |stand_in| run(stand_in.clone()), own)
}

/// A name that no argument of the user can have, like `digest`.
fn transaction_variable() -> Ident {
    Ident::new("transaction", Span::mixed_site())
}

/// The type and const arguments, which the parameters alone may not determine.
fn turbofish(generics: &Generics) -> Option<TokenStream> {
    let arguments = generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Lifetime(_) => None,
        GenericParam::Type(ty) => Some(&ty.ident),
        GenericParam::Const(constant) => Some(&constant.ident),
    });
    let arguments: Vec<&Ident> = arguments.collect();
    (!arguments.is_empty()).then(|| quote!(::<#(#arguments),*>))
}

/// The user's method, under the name that the engine calls.
fn body(step: &Step) -> TokenStream {
    let mut method = step.method.clone();
    method.attributes.retain(|attribute| !is_for_callers(&attribute.meta));
    method.visibility = syn::Visibility::Inherited;
    method.signature.ident = step.body_name();
    quote! {
        #[doc(hidden)]
        #method
    }
}

/// The attributes that the method for callers keeps: conditions, documentation and lint levels.
fn on_front(attribute: &Attribute) -> Option<TokenStream> {
    let meta = &attribute.meta;
    if let Meta::List(list) = meta
        && list.path.is_ident("expect")
    {
        // The expectation is met once, in the body; here the lint is only kept quiet.
        let lints = &list.tokens;
        return Some(quote!(#[allow(#lints)]));
    }
    let lint_level = ["allow", "warn", "deny", "forbid", "cfg"].iter().any(|name| meta.path().is_ident(name));
    (lint_level || is_for_callers(meta)).then(|| attribute.to_token_stream())
}

/// Whether an attribute is only for callers and readers.
fn is_for_callers(meta: &Meta) -> bool {
    match meta {
        Meta::List(list) if list.path.is_ident("cfg_attr") => {
            let parts = list.parse_args_with(syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated);
            parts.is_ok_and(|parts| parts.iter().skip(1).any(is_for_callers))
        }
        meta => ["doc", "deprecated", "must_use"].iter().any(|name| meta.path().is_ident(name)),
    }
}

/// `impl Workflow`: what the engine knows about the type.
fn description(workflow: &Workflow, form: &Form<'_>) -> TokenStream {
    let Workflow { durable, name, queue, head, .. } = workflow;
    let version = Literal::u32_unsuffixed(workflow.version);
    let conditions = conditions(&head.attrs);
    let (generics, _, where_clause) = head.generics.split_for_impl();
    let self_type = &head.self_ty;
    let timeout = option(workflow.timeout.map(duration));
    let time = |name: &str, time: Option<Duration>| {
        let (name, time) = (Ident::new(name, Span::call_site()), option(Some(duration(time?))));
        Some(quote!(const #name: ::core::option::Option<::core::time::Duration> = #time;))
    };
    let (time_to_live, retention) = (time("TIME_TO_LIVE", workflow.time_to_live), time("RETENTION", workflow.retention));
    let (limit, concurrency_key) = concurrency::items(workflow);
    let tags = tags::method(workflow);
    let (input, output, graph, execute) = match form {
        Form::Flow(run) => (input_type(run), output_type(durable, run), graph::constant(workflow, run), execute(durable, run)),
        Form::Graph(graph) => (
            nodes::inputs_type(workflow),
            nodes::expand::output_type(workflow, graph.output()),
            Some(nodes::expand::constant(workflow)),
            nodes::expand::execute(workflow),
        ),
    };
    let schedule = schedule::constant(workflow, &input);
    let specs = workflow.steps().map(|step| {
        let (conditions, spec_name) = (self::conditions(&step.method.attributes), step.spec_name());
        quote!(#(#conditions)* Self::#spec_name)
    });
    let routes = routes::list(workflow);
    let compensations = compensations::list(workflow);
    quote! {
        #(#conditions)*
        impl #generics #durable::__macro::Workflow for #self_type #where_clause {
            type Input = #input;
            #output
            const NAME: &'static str = #name;
            const VERSION: u32 = #version;
            const QUEUE: &'static str = #queue;
            const TIMEOUT: ::core::option::Option<::core::time::Duration> = #timeout;
            #time_to_live
            #retention
            #limit
            #schedule
            const STEPS: &'static [#durable::__macro::StepSpec] = &[#(#specs),*];
            #routes
            #compensations
            #graph
            #concurrency_key
            #tags

            #execute
        }
    }
}

/// The type of the input that clients give.
pub(crate) fn input_type(run: &Method) -> TokenStream {
    run.input().map_or_else(|| quote!(()), |input| input.to_token_stream())
}

/// The associated type of the result that clients get. A `run` that returns no `Result` is reported at its return type.
pub(crate) fn output_type(durable: &syn::Path, run: &Method) -> TokenStream {
    let output = output(&run.signature.output);
    let durable = placed(durable, output.span());
    quote_spanned!(output.span()=> type Output = <#output as #durable::__macro::RunResult>::Output;)
}

/// The method that runs an execution.
///
/// All tokens that depend on the output have the span of the return type of `run`, because the compiler reports a type that is
/// not a `Result` once per place. A future that cannot move between threads is reported at the name of `run`.
fn execute(durable: &syn::Path, run: &Method) -> TokenStream {
    let output = output(&run.signature.output);
    let placed = placed(durable, output.span());
    let context = run.parameters().next().map(|context| quote_spanned!(context.ty.span()=> cx));
    let (input, pass_input) = match run.input() {
        Some(_) => (quote!(input), quote!(, input)),
        None => (quote!(_), TokenStream::new()),
    };
    let future = quote_spanned!(output.span()=> #placed::__macro::BoxFuture<'run, #placed::__macro::Result<Self::Output>>);
    let result = quote_spanned! {output.span()=>
        <#output as #placed::__macro::RunResult>::into_result(Self::run(self, #context #pass_input).await)
    };
    let body = quote_spanned!(run.name().span()=> ::std::boxed::Box::pin(async move { #result }));
    quote_spanned! {output.span()=>
        fn execute<'run>(&'run self, cx: &'run #placed::__macro::Context, #input: Self::Input) -> #future {
            #body
        }
    }
}

/// The path of our crate with the span of the user's tokens: the compiler reports a path with two spans at neither of them.
pub(crate) fn placed(durable: &syn::Path, place: Span) -> TokenStream {
    let tokens = durable.to_token_stream().into_iter().map(|mut tree| {
        tree.set_span(place);
        tree
    });
    tokens.collect()
}

/// The `cfg`s among the attributes: what replaces the item exists under the same conditions.
pub(crate) fn conditions(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"))
}

/// The type that a method returns.
pub(crate) fn output(written: &ReturnType) -> TokenStream {
    match written {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => ty.to_token_stream(),
    }
}

/// The type that a borrow of `borrowed` is made from.
fn owned(borrowed: &Type) -> TokenStream {
    match borrowed {
        Type::Path(path) if path.path.is_ident("str") => quote_spanned!(borrowed.span()=> ::std::string::String),
        Type::Slice(slice) => {
            let item = &slice.elem;
            quote_spanned!(borrowed.span()=> ::std::vec::Vec<#item>)
        }
        borrowed => borrowed.to_token_stream(),
    }
}

pub(crate) fn option(value: Option<TokenStream>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

pub(crate) fn duration(duration: Duration) -> TokenStream {
    let seconds = Literal::u64_unsuffixed(duration.as_secs());
    match duration.subsec_millis() {
        0 => quote!(::core::time::Duration::from_secs(#seconds)),
        milliseconds => {
            let nanoseconds = Literal::u32_unsuffixed(milliseconds * 1_000_000);
            quote!(::core::time::Duration::new(#seconds, #nanoseconds))
        }
    }
}
