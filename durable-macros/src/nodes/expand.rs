//! Writes what the engine knows about a graph: its nodes with their edges, and for each step how it is called with what it takes.

use super::model::{Graph, Kind, Node, Parameter, When};
use super::policy::Wrapper;
use super::{each, inputs, questions, sets};
use crate::expand::{duration, output, placed};
use crate::model::{Step, Workflow};
use proc_macro2::{Delimiter, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::visit_mut::VisitMut;
use syn::{Ident, Lifetime, Type};

/// The members of the impl block that describe and call the nodes.
pub(crate) fn members(workflow: &Workflow, graph: &Graph<'_>) -> TokenStream {
    let computed = graph.nodes.iter().filter_map(|node| Some((node, node.options()?)));
    let calls = computed.map(|(node, options)| {
        let run = match node.kind {
            Kind::Input(_) => None,
            Kind::Step(step) => Some(run(workflow, graph, node, step)),
            Kind::Question(question) => Some(questions::ask(workflow, graph, node, question)),
        };
        let when = options.when.as_ref().map(|when| condition(workflow, graph, node, when));
        quote!(#run #when)
    });
    let description = description(workflow, graph);
    quote!(#(#calls)* #description)
}

/// What stands beside the impl block.
pub(crate) fn items(workflow: &Workflow) -> TokenStream {
    inputs::definition(workflow)
}

/// The associated constant of the trait.
pub(crate) fn constant(workflow: &Workflow) -> TokenStream {
    let durable = &workflow.durable;
    quote! {
        const GRAPH: ::core::option::Option<&'static #durable::__macro::graph::Graph<Self>> =
            ::core::option::Option::Some(Self::__GRAPH);
    }
}

/// The associated type of the result: that of the output, or an object of the leaves.
pub(crate) fn output_type(workflow: &Workflow, output: Option<&Node<'_>>) -> TokenStream {
    let durable = &workflow.durable;
    let output = output.map_or_else(|| quote!(#durable::__macro::Json), |node| value_of(durable, node));
    quote!(type Output = #output;)
}

/// The method that runs an execution.
pub(crate) fn execute(workflow: &Workflow) -> TokenStream {
    let durable = &workflow.durable;
    quote! {
        fn execute<'run>(
            &'run self,
            cx: &'run #durable::__macro::Context,
            inputs: Self::Input,
        ) -> #durable::__macro::BoxFuture<'run, #durable::__macro::Result<Self::Output>> {
            ::std::boxed::Box::pin(#durable::__macro::graph::drive(self, cx, inputs, Self::__GRAPH))
        }
    }
}

fn description(workflow: &Workflow, graph: &Graph<'_>) -> TokenStream {
    let (durable, open) = (&workflow.durable, workflow.open.is_some());
    let nodes = graph.nodes.iter().map(|node| node_literal(workflow, node));
    quote! {
        #[doc(hidden)]
        const __GRAPH: &'static #durable::__macro::graph::Graph<Self> =
            &#durable::__macro::graph::Graph { nodes: &[#(#nodes),*], open: #open };
    }
}

/// The description of a node. Whatever is as in a plain step is left to `PLAIN`.
fn node_literal(workflow: &Workflow, node: &Node<'_>) -> TokenStream {
    let durable = &workflow.durable;
    let spec = node_spec(durable, node);
    let code = match node.kind {
        Kind::Step(_) | Kind::Question(_) => {
            let (run, when) = (node.run_name(), node.when_name());
            let has_condition = node.options().and_then(|options| options.when.as_ref());
            let when = has_condition.map(|_| quote!(when: ::core::option::Option::Some(Self::#when),));
            quote!(run: ::core::option::Option::Some(Self::#run), #when)
        }
        Kind::Input(input) => {
            let ty = input.value();
            quote! {
                schema: {
                    use #durable::__macro::graph::WithoutSchema as _;
                    #durable::__macro::graph::Schema::<#ty>::MAKE
                },
                check: ::core::option::Option::Some(#durable::__macro::graph::check::<#ty>),
            }
        }
    };
    quote!(#durable::__macro::graph::Node { spec: #spec, #code ..#durable::__macro::graph::Node::PLAIN })
}

fn node_spec(durable: &syn::Path, node: &Node<'_>) -> TokenStream {
    let name = node.name();
    let was = list("was", node.was().iter().map(ToTokens::to_token_stream));
    let takes = list("takes", edges(durable, &node.takes));
    let when = list("when", edges(durable, &node.when));
    let history = (node.history() > 0).then(|| {
        let history = Literal::u32_unsuffixed(node.history());
        quote!(history: #history,)
    });
    let sets = sets::field(durable, node);
    let kind = match node.kind {
        Kind::Input(input) => {
            let optional = input.optional;
            Some(quote!(Input { optional: #optional }))
        }
        Kind::Question(_) => Some(quote!(Question)),
        Kind::Step(step) if step.node.timer.is_some() => Some(quote!(Timer)),
        Kind::Step(step) => step.node.flow.then(|| quote!(Flow)),
    };
    let kind = kind.map(|kind| quote!(kind: #durable::__macro::graph::NodeKind::#kind,));
    let options = node.options().map(|options| {
        let skips = options.skips_failure.then(|| quote!(on_failure: #durable::__macro::graph::OnFailure::Skip,));
        let is_output = options.output.is_some().then(|| quote!(is_output: true,));
        let ends = (options.ends || options.archives).then(|| quote!(ends: true,));
        let archives = options.archives.then(|| quote!(archives: true,));
        let delay = options.delay.map(|delay| {
            let delay = duration(delay);
            quote!(delay: ::core::option::Option::Some(#delay),)
        });
        quote!(#delay #skips #is_output #ends #archives)
    });
    quote! {
        #durable::__macro::graph::NodeSpec {
            name: #name,
            #was
            #takes
            #when
            #kind
            #options
            #sets
            #history
            ..#durable::__macro::graph::NodeSpec::PLAIN
        }
    }
}

/// The field with this list, unless the list is empty.
fn list(field: &str, entries: impl Iterator<Item = TokenStream>) -> Option<TokenStream> {
    let (field, mut entries) = (Ident::new(field, Span::call_site()), entries.peekable());
    entries.peek().is_some().then(|| quote!(#field: &[#(#entries),*],))
}

fn edges<'a>(durable: &'a syn::Path, parameters: &'a [Parameter<'_>]) -> impl Iterator<Item = TokenStream> + 'a {
    let edges = parameters.iter().filter_map(|parameter| Some((Literal::usize_unsuffixed(parameter.node?), parameter)));
    edges.map(move |(node, parameter)| {
        let policy = Ident::new(parameter.taking.wrapper.policy(), Span::call_site());
        quote! {
            #durable::__macro::graph::Edge { node: #node, policy: #durable::__macro::graph::Policy::#policy }
        }
    })
}

/// The function that calls the step with what it takes.
fn run(workflow: &Workflow, graph: &Graph<'_>, node: &Node<'_>, step: &Step) -> TokenStream {
    let (durable, run_name, name) = (&workflow.durable, node.run_name(), node.ident());
    let (taken, code) = if step.node.each.is_some() {
        (quote!(taken), each::calls(durable, graph, node, step))
    } else {
        let (taken, bound, arguments) = bound(durable, graph, &node.takes);
        let result = output(&step.method.signature.output);
        let computed = {
            let durable = placed(durable, result.span());
            let computed = Ident::new(if step.node.timer.is_some() { "due" } else { "computed" }, result.span());
            quote_spanned!(result.span()=> #durable::__macro::graph::#computed::<#result>)
        };
        let (context, cx) = match step.method.context().filter(|_| step.node.flow) {
            Some(context) => {
                let make = quote!(let cx = #durable::__macro::graph::context()?;);
                (Some(make), Some(quote_spanned!(context.ty.span()=> &cx,)))
            }
            None => (None, None),
        };
        (taken, quote_spanned!(name.span()=> #(#bound)* #context #computed(Self::#name(self, #cx #(#arguments),*).await)))
    };
    let sets = sets::check(graph, node, &value_of_step(durable, step), output(&step.method.signature.output).span());
    // The compiler points here when the future cannot move between threads.
    let future = quote_spanned!(name.span()=> ::std::boxed::Box::pin(async move { #sets #code }));
    quote! {
        #[doc(hidden)]
        fn #run_name<'run>(
            &'run self,
            #taken: &'run #durable::__macro::graph::Taken,
        ) -> #durable::__macro::BoxFuture<'run, #durable::__macro::Result<#durable::__macro::graph::Computed>> {
            #future
        }
    }
}

/// The function that evaluates the condition with what it takes, and the function that holds the condition.
fn condition(workflow: &Workflow, graph: &Graph<'_>, node: &Node<'_>, when: &When) -> TokenStream {
    let (durable, when_name, condition_name) = (&workflow.durable, node.when_name(), node.condition_name());
    let (taken, bound, arguments) = bound(durable, graph, &node.when);
    let (parameters, body) = (&when.parameters, in_braces(&when.body));
    let output = when.output.as_ref().map_or_else(|| quote!(bool), ToTokens::to_token_stream);
    // A condition that says it is no `bool` is reported where it says so.
    let named = Ident::new(&condition_name.to_string(), output.span());
    let decide = quote_spanned!(output.span()=> let decision: bool = Self::#named(#(#arguments),*););
    let decision = Ident::new("decision", output.span());
    quote! {
        #[doc(hidden)]
        fn #when_name(#taken: &#durable::__macro::graph::Taken) -> #durable::__macro::Result<bool> {
            #(#bound)*
            #decide
            ::core::result::Result::Ok(#decision)
        }
        #[doc(hidden)]
        fn #condition_name(#(#parameters),*) -> #output #body
    }
}

/// The body of a closure as that of a function.
fn in_braces(written: &TokenStream) -> TokenStream {
    let mut trees = written.clone().into_iter();
    match (trees.next(), trees.next()) {
        (Some(TokenTree::Group(block)), None) if block.delimiter() == Delimiter::Brace => written.clone(),
        _ => quote!({ #written }),
    }
}

/// The name of the parameter with the values, the statements that bind them, and the names to which they are bound. No code of
/// the user is near, so the names are free.
pub(super) fn bound(
    durable: &syn::Path,
    graph: &Graph<'_>,
    parameters: &[Parameter<'_>],
) -> (TokenStream, Vec<TokenStream>, Vec<Ident>) {
    let (mut statements, mut names) = (Vec::new(), Vec::new());
    for (place, parameter) in parameters.iter().enumerate() {
        let Some(node) = parameter.node else { continue };
        let name = format_ident!("argument_{place}", span = parameter.written.ty.span());
        statements.push(bind(durable, place, parameter, &graph.nodes[node], &name));
        names.push(name);
    }
    let taken = if parameters.is_empty() { quote!(_) } else { quote!(taken) };
    (taken, statements, names)
}

/// Decodes a value as the type that its own node says, and binds it with the type that the parameter says: if they differ, the
/// compiler reports it at the parameter's type.
fn bind(durable: &syn::Path, place: usize, parameter: &Parameter<'_>, producer: &Node<'_>, name: &Ident) -> TokenStream {
    let span = parameter.written.ty.span();
    let read = decode(durable, place, parameter, producer);
    let value = format_ident!("value_{place}", span = span);
    let borrowed = match parameter.taking.wrapper {
        Wrapper::Nothing => quote_spanned!(span=> &#value),
        _ => value.to_token_stream(),
    };
    let bind = owned_or_borrowed(parameter, name, &value.to_token_stream(), &borrowed);
    quote!(let #value = #read; #bind)
}

/// Reads a value as the type that its own node says, inside of what the parameter says is around it.
pub(super) fn decode(durable: &syn::Path, place: usize, parameter: &Parameter<'_>, producer: &Node<'_>) -> TokenStream {
    let (produced, name) = (value_of(durable, producer), producer.name());
    let reader = Ident::new(parameter.taking.wrapper.reader(), Span::call_site());
    let place = Literal::usize_unsuffixed(place);
    quote!(taken.#reader::<#produced>(#place, #name)?)
}

/// Binds a value with the type of the parameter: as it is, or as a reference to what is inside of it.
pub(super) fn owned_or_borrowed(
    parameter: &Parameter<'_>,
    name: &Ident,
    owned: &TokenStream,
    borrowed: &TokenStream,
) -> TokenStream {
    let span = parameter.written.ty.span();
    let written = without_lifetimes(&parameter.written.ty);
    match (parameter.taking.borrowed(), parameter.taking.wrapper) {
        (None, _) => quote_spanned!(span=> let #name: #written = #owned;),
        (Some(_), Wrapper::Nothing | Wrapper::Item) => quote_spanned!(span=> let #name: #written = #borrowed;),
        (Some(reference), _) => {
            let reference = without_lifetimes(&Type::Reference(reference.clone()));
            quote_spanned!(span=> let #name: #written = #borrowed.as_ref().map(|value| -> #reference { value });)
        }
    }
}

/// The type of a node's value.
pub(super) fn value_of(durable: &syn::Path, node: &Node<'_>) -> TokenStream {
    match node.kind {
        Kind::Input(input) => input.value().to_token_stream(),
        Kind::Step(step) if step.node.timer.is_some() => quote!(#durable::__macro::graph::Time),
        Kind::Step(step) => value_of_step(durable, step),
        Kind::Question(question) => question.answer().to_token_stream(),
    }
}

/// The type of a step's value: what it computes, or a list of that if it runs for each item of one.
fn value_of_step(durable: &syn::Path, step: &Step) -> TokenStream {
    let computed = computed_type(durable, step);
    match step.node.each {
        Some(_) => quote_spanned!(computed.span()=> ::std::vec::Vec<#computed>),
        None => computed,
    }
}

/// The type of what a step computes.
fn computed_type(durable: &syn::Path, step: &Step) -> TokenStream {
    let output = output(&step.method.signature.output);
    let durable = placed(durable, output.span());
    quote_spanned!(output.span()=> <#output as #durable::__macro::StepResult>::Output)
}

/// The type with every lifetime left to the compiler: those of the method have no names here.
fn without_lifetimes(written: &Type) -> Type {
    struct Unnamed;
    impl VisitMut for Unnamed {
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            *lifetime = Lifetime::new("'_", lifetime.span());
        }
        fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}
        fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut syn::ParenthesizedGenericArguments) {}
    }
    let mut ty = written.clone();
    Unnamed.visit_type_mut(&mut ty);
    ty
}
