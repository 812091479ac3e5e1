//! Reads the options between an attribute's parentheses, and keeps reading after a mistake.

use crate::duration;
use crate::errors::Errors;
use crate::model::{Tag, TagValue};
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use std::time::Duration;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Ident, Lit, LitStr, Token};

/// The legal options of an attribute. Messages name them.
pub(crate) struct Legal {
    /// Who takes the options: "a step", "a workflow", "`retry`".
    pub(crate) taker: &'static str,
    pub(crate) names: &'static [&'static str],
}

/// Options as they were written, each known to be legal and written once.
pub(crate) struct Options {
    found: Vec<Written>,
}

/// One option: its name and the tokens behind it.
pub(crate) struct Written {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

/// What follows an option's name.
pub(crate) enum Value {
    Nothing,
    Assigned(TokenStream),
    Listed(TokenStream),
}

impl Options {
    /// Splits `tokens` into options; reports the unknown, the repeated and the malformed ones and drops them.
    pub(crate) fn read(legal: &Legal, tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut found: Vec<Written> = Vec::new();
        for part in split_at_commas(tokens) {
            let Some(option) = errors.unless(syn::parse2::<Written>(part)) else { continue };
            if !legal.names.iter().any(|name| option.name == name) {
                errors.at(&option.name, unknown(legal, &option.name));
            } else if found.iter().any(|earlier| earlier.name == option.name) {
                errors.at(&option.name, format!("`{}` is given twice: keep one", option.name));
            } else {
                found.push(option);
            }
        }
        Self { found }
    }

    /// Whether the option was written, even with a mistake.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.name_of(name).is_some()
    }

    /// The option's name at its place, even if its value has a mistake.
    pub(crate) fn name_of(&self, name: &str) -> Option<Ident> {
        self.found.iter().map(|option| &option.name).find(|written| *written == name).cloned()
    }

    /// The name of an option, where it was written.
    pub(crate) fn name(&self, name: &str) -> Option<Ident> {
        self.found.iter().find(|option| option.name == name).map(|option| option.name.clone())
    }

    /// The value of an option as `read` understands it; `None` when it was left out or is wrong, which is then reported.
    pub(crate) fn take<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Written) -> syn::Result<T>,
        errors: &mut Errors,
    ) -> Option<T> {
        let place = self.found.iter().position(|option| option.name == name)?;
        let option = self.found.swap_remove(place);
        errors.unless(read(&option))
    }
}

impl Parse for Written {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input
            .call(Ident::parse_any)
            .map_err(|error| syn::Error::new(error.span(), "expected an option, such as `name = \"…\"`"))?;
        let value = if input.is_empty() {
            Value::Nothing
        } else if input.peek(syn::token::Paren) {
            let list;
            syn::parenthesized!(list in input);
            Value::Listed(list.parse()?)
        } else {
            input.parse::<Token![=]>()?;
            Value::Assigned(input.parse()?)
        };
        if !input.is_empty() {
            return Err(input.error("expected a comma before the next option"));
        }
        Ok(Self { name, value })
    }
}

impl Written {
    /// The mistake "this option wants to be written differently", at the value or, without one, at the name.
    pub(crate) fn wants(&self, form: &str) -> syn::Error {
        let message = format!("`{}` takes {form}", self.name);
        match &self.value {
            Value::Assigned(tokens) | Value::Listed(tokens) if !tokens.is_empty() => syn::Error::new_spanned(tokens, message),
            _ => syn::Error::new(self.name.span(), message),
        }
    }

    fn assigned<T: Parse>(&self, form: &str) -> syn::Result<T> {
        match &self.value {
            Value::Assigned(tokens) => syn::parse2(tokens.clone()).map_err(|_| self.wants(form)),
            _ => Err(self.wants(form)),
        }
    }
}

/// A text: `name = "charge"`.
pub(crate) fn text(option: &Written) -> syn::Result<LitStr> {
    option.assigned(&format!("a text: `{} = \"…\"`", option.name))
}

/// One text or several: `was = "a"`, `was("a", "b")`.
pub(crate) fn texts(option: &Written) -> syn::Result<Vec<LitStr>> {
    match &option.value {
        Value::Listed(list) if !list.is_empty() => {
            let texts = Punctuated::<LitStr, Token![,]>::parse_terminated.parse2(list.clone());
            let texts = texts.map_err(|_| option.wants(&format!("texts: `{}(\"…\", \"…\")`", option.name)))?;
            Ok(texts.into_iter().collect())
        }
        _ => Ok(vec![text(option)?]),
    }
}

/// A whole number in the given bounds: `version = 2`.
pub(crate) fn whole_number(option: &Written, least: u32, most: u32) -> syn::Result<u32> {
    let form = format!("a whole number from {least} to {most}");
    let number: syn::LitInt = option.assigned(&form)?;
    number.base10_parse().ok().filter(|number| (least..=most).contains(number)).ok_or_else(|| option.wants(&form))
}

/// A part of the whole, from 0 to 1: `jitter = 0.25`.
pub(crate) fn fraction(option: &Written) -> syn::Result<f64> {
    let form = "a number from 0 to 1, such as `0.25`";
    let number = match option.assigned(form)? {
        Lit::Float(number) => number.base10_parse::<f64>().ok(),
        Lit::Int(number) => number.base10_parse::<u32>().ok().map(f64::from),
        _ => None,
    };
    number.filter(|number| (0.0..=1.0).contains(number)).ok_or_else(|| option.wants(form))
}

/// An option that is set by being there: `undo_on_failure`, also `undo_on_failure = true`. Its name comes back if it is set.
pub(crate) fn flag(option: &Written) -> syn::Result<Option<Ident>> {
    let set = match &option.value {
        Value::Nothing => true,
        _ => option.assigned::<syn::LitBool>(&format!("no value: write `{}`, or leave it out", option.name))?.value,
    };
    Ok(set.then(|| option.name.clone()))
}

/// Tags: `tags(tenant = |order: &Order| order.tenant.clone(), team = "payments")`.
pub(crate) fn tags(option: &Written) -> syn::Result<Vec<Tag>> {
    let Value::Listed(list) = &option.value else {
        return Err(option.wants("a list: `tags(tenant = |input: &…| …, team = \"…\")`"));
    };
    let mut tags: Vec<Tag> = Vec::new();
    for part in split_at_commas(list.clone()) {
        let written: Written = syn::parse2(part)?;
        let name = written.name.clone();
        if tags.iter().any(|earlier| earlier.name == name) {
            return Err(syn::Error::new(name.span(), format!("the tag `{name}` is given twice: keep one")));
        }
        let value = match text(&written) {
            Ok(text) => TagValue::Text(text),
            Err(_) => TagValue::Made(
                closure(&written)
                    .map_err(|_| written.wants(&format!("a text or a closure: `{name} = \"…\"`, `{name} = |input: &…| …`")))?,
            ),
        };
        tags.push(Tag { name, value });
    }
    if tags.is_empty() {
        return Err(option.wants("at least one tag: `tags(tenant = |input: &…| …)`"));
    }
    Ok(tags)
}

/// A closure: `concurrency_key = |order: &Order| order.customer.to_string()`. Its body stays unread.
pub(crate) fn closure(option: &Written) -> syn::Result<TokenStream> {
    let form = format!("a closure: `{} = |input: &…| …`", option.name);
    let tokens: TokenStream = option.assigned(&form)?;
    let begins_like_one = match tokens.clone().into_iter().next() {
        Some(TokenTree::Punct(mark)) => mark.as_char() == '|',
        _ => false,
    };
    if begins_like_one { Ok(tokens) } else { Err(option.wants(&form)) }
}

/// A duration in quotes: `timeout = "30s"`. The tokens come back too, so that later rules can point at them.
pub(crate) fn duration(option: &Written) -> syn::Result<(Duration, Span)> {
    let form = format!("a duration in quotes: {}", duration::EXAMPLES);
    match option.assigned(&form)? {
        Lit::Str(text) => match duration::parse(&text.value()) {
            Ok(duration) => Ok((duration, text.span())),
            Err(message) => Err(syn::Error::new(text.span(), message)),
        },
        Lit::Int(bare) => Err(syn::Error::new(
            bare.span(),
            match bare.suffix() {
                "" => format!("`{bare}` has no unit: write `\"{bare}s\"` for seconds, or another of ms, s, m, h, d, w"),
                _ => format!("a duration stands in quotes: write `\"{bare}\"`"),
            },
        )),
        _ => Err(option.wants(&form)),
    }
}

/// Reads `tokens` as a `T`, or asks for `form`.
pub(crate) fn syntax<T: Parse>(option: &Written, form: &str) -> syn::Result<T> {
    option.assigned(form)
}

/// The options one by one; a comma between the parameters of a closure separates nothing.
fn split_at_commas(tokens: TokenStream) -> Vec<TokenStream> {
    let mut parts = vec![TokenStream::new()];
    let mut among_parameters = false;
    for tree in tokens {
        match &tree {
            TokenTree::Punct(mark) if mark.as_char() == ',' && !among_parameters => parts.push(TokenStream::new()),
            _ => {
                among_parameters ^= matches!(&tree, TokenTree::Punct(mark) if mark.as_char() == '|');
                if let Some(part) = parts.last_mut() {
                    tree.to_tokens(part);
                }
            }
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn unknown(legal: &Legal, name: &Ident) -> String {
    let list = legal.names.join(", ");
    format!("unknown option `{name}`: {} takes {list}{}", legal.taker, did_you_mean(&name.to_string(), legal.names))
}

/// The end of a message about an unknown name: the legal name that was probably meant, if there is one.
pub(crate) fn did_you_mean(written: &str, legal: &[&str]) -> String {
    closest(written, legal).map_or(String::new(), |legal| format!("; did you mean `{legal}`?"))
}

/// The legal name nearest to `written`: at most half of its letters may differ.
fn closest<'name>(written: &str, legal: &[&'name str]) -> Option<&'name str> {
    let distances = legal.iter().map(|name| (edits_between(written, name), *name));
    let (edits, name) = distances.min_by_key(|(edits, _)| *edits)?;
    (edits * 2 <= written.len().max(name.len())).then_some(name)
}

/// How many letters must be put in, taken out or replaced to make one word of the other.
fn edits_between(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (taken, letter) in from.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], taken + 1);
        for (put, wanted) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(letter != wanted);
            diagonal = row[put + 1];
            row[put + 1] = replaced.min(diagonal + 1).min(row[put] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn near_misses_find_the_legal_name_and_far_ones_find_none() {
        let legal = ["name", "was", "retry", "timeout"];
        assert_eq!(closest("retries", &legal), Some("retry"));
        assert_eq!(closest("time_out", &legal), Some("timeout"));
        assert_eq!(closest("nmae", &legal), Some("name"));
        assert_eq!(closest("transaction", &legal), None);
        assert_eq!(closest("queue", &legal), None);
        assert_eq!(closest("que", &["version", "queue"]), Some("queue"));
    }
}
