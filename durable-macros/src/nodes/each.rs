//! `each(item in list)`: a step that runs for each item of a list. How it is written, its rules, and how it is called.

use super::expand::{decode, owned_or_borrowed, value_of};
use super::model::{Graph, Node};
use super::policy::Wrapper;
use crate::errors::Errors;
use crate::expand::{output, placed};
use crate::model::Step;
use crate::options::{Value, Written};
use proc_macro2::{Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::spanned::Spanned as _;
use syn::{Ident, Token};

/// The option as it was written.
pub(crate) struct Each {
    /// The name of the parameter that takes an item.
    pub(crate) item: Ident,
    /// The name of the node whose value is the list.
    pub(crate) list: Ident,
}

pub(super) fn read(option: &Written) -> syn::Result<Each> {
    let form = "an item and the node with the list: `each(item in list)`";
    let Value::Listed(tokens) = &option.value else { return Err(option.wants(form)) };
    let each = |input: ParseStream<'_>| {
        let item = input.parse()?;
        input.parse::<Token![in]>()?;
        Ok(Each { item, list: input.parse()? })
    };
    each.parse2(tokens.clone()).map_err(|_| option.wants(form))
}

/// The rules of the options of one node.
pub(super) fn check(graph: &Graph<'_>, node: &Node<'_>, errors: &mut Errors) {
    let Some(options) = node.options() else { return };
    let is_written = |name: &str| options.written.iter().find(|written| *written == name);
    if let (Some(concurrency), None) = (is_written("concurrency"), is_written("each")) {
        errors.at(
            concurrency,
            "`concurrency` says how many items of a list are worked on at once: add `each(item in list)`, or limit the queue of the \
             step instead",
        );
    }
    let Some(Each { item, list }) = &options.each else { return };
    let name = item.unraw();
    if graph.nodes.iter().any(|other| other.ident().unraw() == name) {
        errors.at(
            item,
            format!(
                "a node is named `{name}`, so a parameter of that name could mean it or the item: give the item another name"
            ),
        );
    } else if !node.takes.iter().any(|parameter| parameter.taking.wrapper == Wrapper::Item) {
        errors
            .at(item, format!("no parameter takes the item: name a parameter `{name}`, or take all of `{list}` without `each`"));
    }
}

/// The code that calls the step for each item of its list. The values of other nodes are read once.
pub(super) fn calls(durable: &syn::Path, graph: &Graph<'_>, node: &Node<'_>, step: &Step) -> TokenStream {
    let (mut reads, mut bindings, mut arguments) = (Vec::new(), Vec::new(), Vec::new());
    for (place, parameter) in node.takes.iter().enumerate() {
        let Some(taken) = parameter.node else { continue };
        let span = parameter.written.ty.span();
        let argument = format_ident!("argument_{place}", span = span);
        if parameter.taking.wrapper == Wrapper::Item {
            reads.push(items(durable, &graph.nodes[taken], step, place));
            let item = item_at(span);
            bindings.push(owned_or_borrowed(parameter, &argument, &quote!(#item), &quote_spanned!(span=> &#item)));
        } else {
            let value = format_ident!("value_{place}", span = span);
            let read = decode(durable, place, parameter, &graph.nodes[taken]);
            reads.push(quote!(let #value = &#read;));
            let placed = placed(durable, span);
            let own = quote_spanned!(span=> #placed::__macro::graph::SharedArgument::for_item(#value));
            bindings.push(owned_or_borrowed(parameter, &argument, &own, &quote!(#value)));
        }
        arguments.push(argument);
    }
    let (name, result) = (node.ident(), output(&step.method.signature.output));
    let concurrency = match step.node.concurrency {
        Some(concurrency) => Literal::u32_unsuffixed(concurrency).to_token_stream(),
        None => quote!(#durable::__macro::graph::DEFAULT_CONCURRENCY),
    };
    let computed = {
        let durable = placed(durable, result.span());
        quote_spanned!(result.span()=> #durable::__macro::graph::computed::<#result>)
    };
    // Everything that the compiler says of a type that is not a list belongs there.
    let place = place_of_list(step);
    let (item, each) = (item_at(place), placed(durable, place));
    let each = quote_spanned!(place=> #each::__macro::graph::each);
    let code = quote_spanned! {ours_at(name.span())=>
        move |#item| async move {
            #(#bindings)*
            #computed(Self::#name(self, #(#arguments),*).await)
        }
    };
    quote_spanned!(place=> #(#reads)* #each(items, #concurrency, #code).await)
}

/// The name of an item in the code, with this place in messages.
fn item_at(place: Span) -> Ident {
    Ident::new("item", ours_at(place))
}

/// This place, for names of ours: those of the user may come from another macro, which does not see them.
fn ours_at(place: Span) -> Span {
    Span::call_site().located_at(place)
}

fn place_of_list(step: &Step) -> Span {
    step.node.each.as_ref().map_or_else(Span::call_site, |each| ours_at(each.list.span()))
}

/// Takes the list apart. A type that is not a list is reported where the list is named.
fn items(durable: &syn::Path, list: &Node<'_>, step: &Step, place: usize) -> TokenStream {
    let span = place_of_list(step);
    let list_type = at(value_of(durable, list), span);
    let (durable, name, place) = (placed(durable, span), list.name(), Literal::usize_unsuffixed(place));
    let read = quote_spanned!(span=> #durable::__macro::graph::items::<#list_type>);
    quote_spanned!(span=> let items = #read(taken, #place, #name)?;)
}

/// The same tokens, as if they had been written in this place.
fn at(tokens: TokenStream, place: Span) -> TokenStream {
    let moved = tokens.into_iter().map(|mut tree| {
        if let TokenTree::Group(group) = &tree {
            let inner = at(group.stream(), place);
            tree = proc_macro2::Group::new(group.delimiter(), inner).into();
        }
        tree.set_span(tree.span().located_at(place));
        tree
    });
    moved.collect()
}
