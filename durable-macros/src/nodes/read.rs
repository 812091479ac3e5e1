//! Reads what only a graph has: inputs, the output, and the options of nodes.

use super::model::{Input, NodeOptions, When};
use crate::errors::Errors;
use crate::options::{self, Options, Value, Written};
use crate::parse::Method;
use proc_macro2::TokenStream;
use syn::parse::{ParseStream, Parser as _};
use syn::{Attribute, Ident, LitStr, Meta, Pat, PatType, Token, Type};

/// The options of a step that only nodes of a graph have.
pub(crate) const OPTIONS: [&str; 3] = ["when", "on_failure", "ends"];

pub(crate) fn input(method: Method, marker: Attribute, name: LitStr, options: &mut Options, errors: &mut Errors) -> Input {
    Input {
        name,
        was: options.take("was", options::texts, errors).unwrap_or_default(),
        optional: options.take("optional", options::flag, errors).flatten().is_some(),
        method,
        marker,
    }
}

/// The options of a node, and its marker `#[output]`.
pub(crate) fn options(options: &mut Options, output: Option<Attribute>, errors: &mut Errors) -> NodeOptions {
    let written = OPTIONS.iter().filter_map(|name| options.name_of(name)).collect();
    if let Some(marker) = output.as_ref().filter(|marker| !matches!(marker.meta, Meta::Path(_))) {
        errors.at(marker, "`#[output]` takes no options");
    }
    NodeOptions {
        when: options.take("when", when, errors),
        skips_failure: options.take("on_failure", on_failure, errors).unwrap_or(false),
        ends: options.take("ends", options::flag, errors).flatten().is_some(),
        output,
        timer: None,
        written,
    }
}

fn on_failure(option: &Written) -> syn::Result<bool> {
    let form = "`fail` or `skip`";
    let word: Ident = options::syntax(option, form)?;
    match word.to_string().as_str() {
        "fail" => Ok(false),
        "skip" => Ok(true),
        _ => Err(option.wants(form)),
    }
}

/// A closure over nodes, whose body stays unread: `when = |score: &u32| *score >= 700`.
fn when(option: &Written) -> syn::Result<When> {
    let form = "a closure over nodes: `when = |score: &u32| *score >= 700`";
    let Value::Assigned(tokens) = &option.value else { return Err(option.wants(form)) };
    let mut begin = tokens.clone().into_iter();
    if begin.next().is_none_or(|first| first.to_string() != "|") {
        return Err(option.wants(form));
    }
    let condition = condition.parse2(tokens.clone())?;
    if condition.parameters.is_empty() {
        return Err(option.wants("a closure over at least one node: without one, its result could never change"));
    }
    Ok(condition)
}

fn condition(input: ParseStream<'_>) -> syn::Result<When> {
    input.parse::<Token![|]>()?;
    let (mut parameters, mut untyped) = (Vec::new(), None);
    while !input.peek(Token![|]) {
        match parameter(input) {
            Ok(parameter) => parameters.push(parameter),
            Err(error) => combine(&mut untyped, error),
        }
        if !input.peek(Token![|]) {
            input.parse::<Token![,]>()?;
        }
    }
    let end: Token![|] = input.parse()?;
    let output = input.parse::<Option<Token![->]>>()?.map(|_| input.parse()).transpose()?;
    let body: TokenStream = input.parse()?;
    match untyped {
        Some(error) => Err(error),
        None if body.is_empty() => Err(syn::Error::new_spanned(end, "expected the condition behind the parameters")),
        None => Ok(When { parameters, output, body }),
    }
}

fn parameter(input: ParseStream<'_>) -> syn::Result<PatType> {
    let pattern = Pat::parse_single(input)?;
    if !input.peek(Token![:]) {
        let message = "a parameter of `when` needs its type, which says what the condition waits for: write `name: &Type`";
        return Err(syn::Error::new_spanned(pattern, message));
    }
    let (colon_token, ty) = (input.parse()?, input.parse::<Type>()?);
    Ok(PatType { attrs: Vec::new(), pat: Box::new(pattern), colon_token, ty: Box::new(ty) })
}

fn combine(errors: &mut Option<syn::Error>, error: syn::Error) {
    match errors {
        Some(earlier) => earlier.combine(error),
        None => *errors = Some(error),
    }
}
