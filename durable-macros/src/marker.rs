//! The markers `#[step]`, `#[input]`, `#[output]`, `#[question]`, `#[timer]` and `#[compensation]`: which attribute is one, and what they say outside a workflow.

use crate::fallback;
use crate::parse::Method;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote};
use syn::{Attribute, Ident, Path};

/// What a marker says about its method.
#[derive(Clone, Copy)]
pub(crate) enum Marker {
    Step,
    Input,
    Output,
    Question,
    Timer,
    Compensation,
}

/// The marker that this attribute is, if it is one: written alone, or below the path of the `durable` crate.
pub(crate) fn of(attribute: &Attribute, durable: &Path) -> Option<Marker> {
    let path = attribute.path();
    let marker = match path.segments.last()?.ident.to_string().as_str() {
        "step" => Marker::Step,
        "input" => Marker::Input,
        "output" => Marker::Output,
        "question" => Marker::Question,
        "timer" => Marker::Timer,
        "compensation" => Marker::Compensation,
        _ => return None,
    };
    let ours = durable.segments.iter().zip(&path.segments).all(|(ours, theirs)| ours.ident == theirs.ident);
    (path.segments.len() == 1 || ours).then_some(marker)
}

/// The option of a marker whose method was expanded already.
const CONSUMED: &str = "__consumed";

/// Tokens that use the markers once more, as they were written: otherwise the compiler would call their imports unused, and would
/// accept them without an import.
pub(crate) fn mention(paths: &[Path]) -> TokenStream {
    let consumed = Ident::new(CONSUMED, Span::call_site());
    quote! {
        #(
            #[#paths(#consumed)]
            const _: () = ();
        )*
    }
}

/// What a marker expands to when the compiler meets it itself.
pub(crate) fn expand(name: &str, options: &TokenStream, item: TokenStream) -> TokenStream {
    if options.to_string() == CONSUMED { TokenStream::new() } else { misplaced(name, item) }
}

fn misplaced(name: &str, item: TokenStream) -> TokenStream {
    // Inside a workflow a marker stays in place only if its method's signature could not be read: then the signature is the mistake.
    let unreadable = syn::parse2::<Method>(item.clone()).err().filter(|_| starts_like_a_method(&item));
    let misplaced = || {
        syn::Error::new(Span::call_site(), format!("`#[{name}]` belongs on a method inside an impl block marked `#[workflow]`"))
    };
    fallback::leave_alone(item, &unreadable.unwrap_or_else(misplaced))
}

fn starts_like_a_method(item: &TokenStream) -> bool {
    item.to_token_stream().into_iter().any(|tree| tree.to_string() == "fn")
}
