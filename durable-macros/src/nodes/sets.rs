//! What `sets(…)` of a step means: its rules, its types, and its description.

use super::model::{Graph, Kind, Node};
use crate::errors::Errors;
use crate::options;
use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::ext::IdentExt as _;

/// Each name is that of an input, and is written once.
pub(super) fn name_inputs(graph: &Graph<'_>, node: &Node<'_>, errors: &mut Errors) {
    for (nth, (set, place)) in node.sets.iter().enumerate() {
        let name = set.name.unraw().to_string();
        if node.sets[..nth].iter().any(|(earlier, _)| earlier.name.unraw() == set.name.unraw()) {
            errors.at(&set.name, format!("`{name}` is set twice: an input gets one value"));
            continue;
        }
        match place.map(|place| graph.nodes[place].kind) {
            Some(Kind::Input(_)) => {}
            Some(_) => errors.at(
                &set.name,
                format!("`{name}` is computed, and only inputs can be set: let `{name}` take the value as a parameter"),
            ),
            None => {
                let inputs = graph.nodes.iter().filter(|node| matches!(node.kind, Kind::Input(_)));
                let inputs: Vec<String> = inputs.map(|input| input.ident().unraw().to_string()).collect();
                let names: Vec<&str> = inputs.iter().map(String::as_str).collect();
                let cure = match options::did_you_mean(&name, &names) {
                    guess if guess.is_empty() && !names.is_empty() => format!(": this graph has {}", names.join(", ")),
                    guess => guess,
                };
                errors.at(&set.name, format!("no input is named `{name}`{cure}"));
            }
        }
    }
}

/// The statement that has the compiler compare the result with the types of the inputs, at the return type of the step.
pub(super) fn check(graph: &Graph<'_>, node: &Node<'_>, computed: &TokenStream, span: proc_macro2::Span) -> Option<TokenStream> {
    let types: Vec<TokenStream> = node
        .sets
        .iter()
        .filter_map(|(_, place)| match graph.nodes[(*place)?].kind {
            Kind::Input(input) => Some(input.value()?.to_token_stream()),
            Kind::Step(_) | Kind::Question(_) => None,
        })
        .collect();
    let expected = match types.as_slice() {
        [] => return None,
        [one] => one.clone(),
        several => quote!((#(#several),*)),
    };
    Some(quote_spanned!(span=> let _: fn(#computed) -> #expected = |value| value;))
}

/// The field of the description.
pub(super) fn field(durable: &syn::Path, node: &Node<'_>) -> Option<TokenStream> {
    let targets = node.sets.iter().filter_map(|(set, place)| {
        let (place, silently) = (Literal::usize_unsuffixed((*place)?), set.silently);
        Some(quote!(#durable::__macro::graph::Target { node: #place, silently: #silently }))
    });
    let targets: Vec<TokenStream> = targets.collect();
    (!targets.is_empty()).then(|| quote!(sets: &[#(#targets),*],))
}
