//! Reads what only a graph has: inputs, the output, and the options of nodes.

use super::each;
use super::model::{Input, NodeOptions, SetInput, When};
use crate::errors::Errors;
use crate::options::{self, Options, Value, Written};
use crate::parse::Method;
use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Attribute, Ident, LitStr, Meta, Pat, PatType, Token, Type, parenthesized, token};

/// The options of a step that only nodes of a graph have.
pub(crate) const OPTIONS: [&str; 9] =
    ["when", "each", "concurrency", "delay", "on_failure", "ends", "archive", "history", "sets"];

/// More would be no limit: a list has fewer items.
const HIGHEST_CONCURRENCY: u32 = 100_000;

/// The most values that a history keeps: enough for people, and read at once.
const LONGEST_HISTORY: u32 = 10_000;

pub(crate) fn input(method: Method, marker: Attribute, name: LitStr, options: &mut Options, errors: &mut Errors) -> Input {
    Input {
        name,
        was: options.take("was", options::texts, errors).unwrap_or_default(),
        optional: options.take("optional", options::flag, errors).flatten().is_some(),
        history: options.take("history", history, errors).unwrap_or(0),
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
        each: options.take("each", each::read, errors),
        concurrency: options.take("concurrency", |option| options::whole_number(option, 1, HIGHEST_CONCURRENCY), errors),
        delay: options.take("delay", options::duration, errors).map(|(delay, _)| delay),
        skips_failure: options.take("on_failure", on_failure, errors).unwrap_or(false),
        ends: options.take("ends", options::flag, errors).flatten().is_some(),
        archives: options.take("archive", options::flag, errors).flatten().is_some(),
        history: options.take("history", history, errors).unwrap_or(0),
        sets: options.take("sets", sets, errors).unwrap_or_default(),
        output,
        timer: None,
        flow: false,
        written,
    }
}

fn history(option: &Written) -> syn::Result<u32> {
    options::whole_number(option, 1, LONGEST_HISTORY)
}

/// Inputs: `sets(score, silently(ssn))`.
fn sets(option: &Written) -> syn::Result<Vec<SetInput>> {
    let form = "the inputs that get the result: `sets(score)`, `sets(score, rating)`, `sets(silently(ssn))`";
    match &option.value {
        Value::Listed(list) if !list.is_empty() => {
            let inputs = Punctuated::<SetInput, Token![,]>::parse_terminated.parse2(list.clone());
            Ok(inputs.map_err(|_| option.wants(form))?.into_iter().collect())
        }
        _ => Err(option.wants(form)),
    }
}

impl Parse for SetInput {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name: Ident = input.parse()?;
        if name != "silently" || !input.peek(token::Paren) {
            return Ok(Self { name, silently: false });
        }
        let inside;
        parenthesized!(inside in input);
        let name = inside.parse()?;
        if inside.is_empty() { Ok(Self { name, silently: true }) } else { Err(inside.error("expected one input")) }
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
