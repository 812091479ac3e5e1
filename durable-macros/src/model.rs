//! What the user meant: a workflow with its `run`, its steps and their options, each value with the place it was written at.

use crate::errors::Errors;
use crate::marker::{self, Marker};
use crate::options::{self, Legal, Options};
use crate::parse::{Block, Item, Method};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident};
use std::collections::BTreeMap;
use std::time::Duration;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{FnArg, Ident, ItemImpl, LitStr, Meta, Path, Type, parse_quote};

const WORKFLOW: Legal = Legal { taker: "a workflow", names: &["name", "version", "queue", "timeout", "crate"] };
const STEP: Legal = Legal { taker: "a step", names: &["name", "was", "retry", "timeout"] };
const RETRY: Legal = Legal { taker: "`retry`", names: &["max_attempts", "backoff", "base", "max", "jitter"] };

/// The database keeps versions as positive 32-bit numbers.
const HIGHEST_VERSION: u32 = i32::MAX.cast_unsigned();
/// Two more tries outlive a hiccup; whoever wants to wait out an outage says so.
const MAX_ATTEMPTS: u32 = 3;
/// Beyond this it is no retry but a loop, and the attempt counter stays far from its own limit.
const MOST_ATTEMPTS: u32 = 1_000_000;
/// Long enough for a connection to be made anew.
const BASE: Duration = Duration::from_secs(1);
/// Long enough to spare a service which is down, short enough that its return is noticed the same day.
const MAX: Duration = Duration::from_secs(3_600);
/// Spreads executions that failed together without making the delay hard to foresee.
const JITTER: f64 = 0.25;

/// A workflow as it was written.
pub(crate) struct Workflow {
    /// The path of the `durable` crate.
    pub(crate) durable: Path,
    pub(crate) name: LitStr,
    pub(crate) version: u32,
    pub(crate) queue: LitStr,
    pub(crate) timeout: Option<Duration>,
    /// The impl block without its items.
    pub(crate) head: ItemImpl,
    pub(crate) members: Vec<Member>,
    /// The paths that `#[step]` was written as, each once.
    pub(crate) step_paths: Vec<Path>,
}

/// One item of the impl block, in the order written.
pub(crate) enum Member {
    Run(Method),
    Step(Step),
    /// A method with a marker that has no meaning yet, without the marker.
    Reserved(Method),
    /// A `run` whose signature has a mistake, which is reported.
    UnreadableRun,
    Untouched(TokenStream),
}

/// A method marked `#[step]`, without the marker.
pub(crate) struct Step {
    pub(crate) method: Method,
    pub(crate) name: LitStr,
    pub(crate) was: Vec<LitStr>,
    pub(crate) retry: Option<Retry>,
    pub(crate) timeout: Option<Duration>,
}

/// How a step is tried again.
pub(crate) struct Retry {
    pub(crate) max_attempts: u32,
    /// The name of the kind of backoff, as the runtime spells it.
    pub(crate) backoff: &'static str,
    pub(crate) base: Duration,
    pub(crate) max: Duration,
    pub(crate) jitter: f64,
    /// Where to point when `base` and `max` contradict each other.
    pub(crate) base_or_max: Span,
}

impl Workflow {
    pub(crate) fn run(&self) -> Option<&Method> {
        self.runs().next()
    }

    pub(crate) fn runs(&self) -> impl Iterator<Item = &Method> {
        self.members.iter().filter_map(|member| match member {
            Member::Run(run) => Some(run),
            _ => None,
        })
    }

    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.members.iter().filter_map(|member| match member {
            Member::Step(step) => Some(step),
            _ => None,
        })
    }

    /// The name of the type: `ProcessOrder`.
    pub(crate) fn type_name(&self) -> Option<&Ident> {
        last_word(&self.head.self_ty)
    }
}

impl Method {
    pub(crate) fn name(&self) -> &Ident {
        &self.signature.ident
    }

    pub(crate) fn is_conditional(&self) -> bool {
        self.attributes.iter().any(|attribute| attribute.path().is_ident("cfg"))
    }

    /// The parameters behind `self`.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &syn::PatType> {
        self.signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(parameter) => Some(parameter),
            FnArg::Receiver(_) => None,
        })
    }

    /// The type of the input that `run` takes behind `cx`.
    pub(crate) fn input(&self) -> Option<&Type> {
        self.parameters().nth(1).map(|parameter| &*parameter.ty)
    }
}

/// Reads the options of the workflow and of each step, and sorts the methods by their markers.
pub(crate) fn read(options: TokenStream, block: Block, errors: &mut Errors) -> Workflow {
    let mut options = Options::read(&WORKFLOW, options, errors);
    let durable = options.take("crate", |option| options::syntax(option, "a path: `crate = my::durable`"), errors);
    let durable = durable.unwrap_or_else(|| parse_quote!(::durable));
    let name = options.take("name", options::text, errors);
    let version = options.take("version", |option| options::whole_number(option, 1, HIGHEST_VERSION), errors);
    let queue = options.take("queue", options::text, errors);
    let timeout = options.take("timeout", options::duration, errors);
    Workflow {
        name: name.unwrap_or_else(|| named_after_type(&block.head.self_ty)),
        version: version.unwrap_or(1),
        queue: queue.unwrap_or_else(|| LitStr::new("default", Span::call_site())),
        timeout: timeout.map(|(timeout, _)| timeout),
        head: block.head,
        step_paths: step_paths(&durable, &block.items),
        members: block.items.into_iter().map(|item| member(&durable, item, errors)).collect(),
        durable,
    }
}

fn step_paths(durable: &Path, items: &[Item]) -> Vec<Path> {
    let methods = items.iter().filter_map(|item| match item {
        Item::Method(method) => Some(method),
        _ => None,
    });
    let attributes = methods.flat_map(|method| &method.attributes);
    let steps = attributes.filter(|attribute| matches!(marker::of(attribute, durable), Some(Marker::Step)));
    let paths: BTreeMap<String, Path> =
        steps.map(|step| (step.path().to_token_stream().to_string(), step.path().clone())).collect();
    paths.into_values().collect()
}

fn named_after_type(ty: &Type) -> LitStr {
    let name = last_word(ty).map(|word| snake_case(&word.unraw().to_string()));
    LitStr::new(&name.unwrap_or_default(), ty.span())
}

/// `ProcessOrder` of `orders::ProcessOrder<C>`.
fn last_word(ty: &Type) -> Option<&Ident> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| &segment.ident),
        _ => None,
    }
}

/// `ProcessOrder` → `process_order`, `HTTPCheck` → `http_check`, `Order2Ship` → `order2_ship`.
fn snake_case(camel_case: &str) -> String {
    let letters: Vec<char> = camel_case.chars().collect();
    let mut snake_case = String::new();
    for (place, letter) in letters.iter().enumerate() {
        let after_word = place > 0 && !letters[place - 1].is_uppercase() && letters[place - 1] != '_';
        let before_word =
            place > 0 && letters[place - 1].is_uppercase() && letters.get(place + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && (after_word || before_word) {
            snake_case.push('_');
        }
        snake_case.extend(letter.to_lowercase());
    }
    snake_case
}

fn member(durable: &Path, item: Item, errors: &mut Errors) -> Member {
    match item {
        Item::Method(method) => method_member(durable, *method, errors),
        // Nobody but the macro calls `run`, so leaving it out costs no second error.
        Item::Unreadable { name, error, .. } if name == "run" => {
            errors.push(error);
            Member::UnreadableRun
        }
        // A marker stays where it is: should the compiler accept what we could not read, the marker reports it.
        Item::Unreadable { tokens, .. } | Item::Other(tokens) => Member::Untouched(tokens),
    }
}

fn method_member(durable: &Path, mut method: Method, errors: &mut Errors) -> Member {
    let mut markers = Vec::new();
    method.attributes.retain(|attribute| match marker::of(attribute, durable) {
        Some(marker) => {
            markers.push((marker, attribute.clone()));
            false
        }
        None => true,
    });
    for (_, extra) in markers.iter().skip(1) {
        errors.at(extra, "a method has one marker: remove this one");
    }
    let first = markers.into_iter().next();
    if method.name() == "run" {
        if let Some((_, marker)) = first {
            errors
                .at(marker, "`run` is the workflow itself and cannot be marked: name the step differently, or remove the marker");
        }
        return Member::Run(method);
    }
    match first {
        None => Member::Untouched(method.into_token_stream()),
        Some((Marker::Step, marker)) => Member::Step(step(method, marker.meta, errors)),
        Some((Marker::Input | Marker::Compensation, marker)) => {
            errors.at(marker, "this marker has no meaning in this release: a method of a workflow is `run`, is marked `#[step]`, or is left alone");
            Member::Reserved(method)
        }
    }
}

fn step(method: Method, marker: Meta, errors: &mut Errors) -> Step {
    let tokens = match marker {
        Meta::Path(_) => TokenStream::new(),
        Meta::List(list) => list.tokens,
        Meta::NameValue(pair) => {
            errors.at(pair, "options of a step stand in parentheses: `#[step(name = \"…\")]`");
            TokenStream::new()
        }
    };
    let mut options = Options::read(&STEP, tokens, errors);
    let ident = method.name();
    Step {
        name: options
            .take("name", options::text, errors)
            .unwrap_or_else(|| LitStr::new(&ident.unraw().to_string(), ident.span())),
        was: options.take("was", options::texts, errors).unwrap_or_default(),
        timeout: options.take("timeout", options::duration, errors).map(|(timeout, _)| timeout),
        retry: options.take("retry", retry_tokens, errors).map(|tokens| retry(tokens, errors)),
        method,
    }
}

fn retry_tokens(option: &options::Written) -> syn::Result<TokenStream> {
    match &option.value {
        options::Value::Nothing => Ok(TokenStream::new()),
        options::Value::Listed(tokens) => Ok(tokens.clone()),
        options::Value::Assigned(_) => Err(option.wants("its own options in parentheses: `retry(max_attempts = 5)`")),
    }
}

fn retry(tokens: TokenStream, errors: &mut Errors) -> Retry {
    let mut options = Options::read(&RETRY, tokens, errors);
    let base = options.take("base", options::duration, errors);
    let max = options.take("max", options::duration, errors);
    Retry {
        max_attempts: options
            .take("max_attempts", |option| options::whole_number(option, 1, MOST_ATTEMPTS), errors)
            .unwrap_or(MAX_ATTEMPTS),
        backoff: options.take("backoff", backoff, errors).unwrap_or("Exponential"),
        base: base.map_or(BASE, |(base, _)| base),
        max: max.map_or(MAX, |(max, _)| max),
        jitter: options.take("jitter", options::fraction, errors).unwrap_or(JITTER),
        base_or_max: base.or(max).map_or_else(Span::call_site, |(_, span)| span),
    }
}

fn backoff(option: &options::Written) -> syn::Result<&'static str> {
    let form = "`exponential`, `linear` or `constant`";
    let word: Ident = options::syntax(option, form)?;
    match word.to_string().as_str() {
        "exponential" => Ok("Exponential"),
        "linear" => Ok("Linear"),
        "constant" => Ok("Constant"),
        _ => Err(option.wants(form)),
    }
}

impl Step {
    /// The method that holds the user's body: `__step_charge`.
    pub(crate) fn body_name(&self) -> Ident {
        format_ident!("__step_{}", self.method.name().unraw(), span = Span::call_site())
    }

    /// The constant that describes the step: `__STEP_CHARGE`.
    pub(crate) fn spec_name(&self) -> Ident {
        let name = self.method.name().unraw().to_string().to_uppercase();
        format_ident!("__STEP_{name}", span = Span::call_site())
    }
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn a_type_name_becomes_snake_case() {
        for (camel_case, expected) in [
            ("ProcessOrder", "process_order"),
            ("Order", "order"),
            ("HTTPCheck", "http_check"),
            ("CheckHTTP", "check_http"),
            ("Order2Ship", "order2_ship"),
            ("Already_Snake", "already_snake"),
            ("A", "a"),
            ("ÜberOrder", "über_order"),
        ] {
            assert_eq!(snake_case(camel_case), expected);
        }
    }
}
