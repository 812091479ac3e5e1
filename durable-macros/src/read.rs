//! Reads the model: the options of the workflow and of each marked method, with their limits and defaults.

use crate::errors::Errors;
use crate::marker::{self, Marker};
use crate::model::{Compensation, Concurrency, Member, Retry, Step, Workflow, last_word};
use crate::nodes;
use crate::nodes::questions::{self, Question};
use crate::options::{self, Legal, Options};
use crate::parse::{Block, Item, Method};
use crate::schedule;
use proc_macro2::{Span, TokenStream};
use quote::ToTokens as _;
use std::collections::BTreeMap;
use std::time::Duration;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Attribute, Ident, LitStr, Meta, Path, Type, parse_quote};

const WORKFLOW: Legal = Legal {
    taker: "a workflow",
    names: &[
        "name",
        "version",
        "queue",
        "timeout",
        "time_to_live",
        "retention",
        "concurrency_key",
        "limit",
        "tags",
        "schedule",
        "timezone",
        "missed",
        "overlap",
        "jitter",
        "max_failures",
        "open",
        "crate",
    ],
};
const STEP: Legal = Legal {
    taker: "a step",
    names: &[
        "name",
        "was",
        "queue",
        "retry",
        "timeout",
        "compensate",
        "undo_on_failure",
        "transaction",
        "when",
        "each",
        "concurrency",
        "delay",
        "on_failure",
        "ends",
        "archive",
        "history",
        "sets",
    ],
};
const TIMER: Legal =
    Legal { taker: "a timer", names: &["name", "was", "queue", "retry", "timeout", "when", "on_failure", "ends"] };
const INPUT: Legal = Legal { taker: "an input", names: &["name", "was", "optional", "history"] };
const COMPENSATION: Legal = Legal { taker: "a compensation", names: &["name", "retry", "timeout"] };
const RETRY: Legal = Legal { taker: "`retry`", names: &["max_attempts", "backoff", "base", "max", "jitter"] };

/// The database keeps versions as positive 32-bit numbers.
const HIGHEST_VERSION: u32 = i32::MAX.cast_unsigned();
/// The database counts in 32 bits, and no fleet runs more at once.
const HIGHEST_LIMIT: u32 = i32::MAX.cast_unsigned();
/// Two more attempts are enough for a short fault. For a long outage, the user sets more.
const MAX_ATTEMPTS: u32 = 3;
/// More attempts than this would be a loop, not a retry. The attempt counter stays far below its own limit.
const MOST_ATTEMPTS: u32 = 1_000_000;
/// Long enough for a new connection to be made.
const BASE: Duration = Duration::from_secs(1);
/// Long enough to spare a service that is down, and short enough to notice its return on the same day.
const MAX: Duration = Duration::from_secs(3_600);
/// Spreads executions that failed together, and keeps the delay predictable.
const JITTER: f64 = 0.25;

/// Reads the options of the workflow and of each marked method, and sorts the methods by their markers.
pub(crate) fn workflow(options: TokenStream, block: Block, errors: &mut Errors) -> Workflow {
    let mut options = Options::read(&WORKFLOW, options, errors);
    let durable = options.take("crate", |option| options::syntax(option, "a path: `crate = my::durable`"), errors);
    let durable = durable.unwrap_or_else(|| parse_quote!(::durable));
    let name = options.take("name", options::text, errors);
    let version = options.take("version", |option| options::whole_number(option, 1, HIGHEST_VERSION), errors);
    let queue = options.take("queue", options::text, errors);
    let timeout = options.take("timeout", options::duration, errors);
    let time_to_live = options.take("time_to_live", options::duration, errors);
    let retention = options.take("retention", options::duration, errors);
    let schedule = schedule::read(&mut options, errors);
    let marker_paths = marker_paths(&durable, &block.items);
    let mut members: Vec<Member> = block.items.into_iter().map(|item| member(&durable, item, errors)).collect();
    nodes::flows::mark(&mut members);
    Workflow {
        name: name.unwrap_or_else(|| named_after_type(&block.head.self_ty)),
        version: version.unwrap_or(1),
        queue: queue.unwrap_or_else(|| LitStr::new("default", Span::call_site())),
        timeout: timeout.map(|(timeout, _)| timeout),
        time_to_live: time_to_live.map(|(time, _)| time),
        retention: retention.map(|(time, _)| time),
        concurrency: concurrency(&mut options, errors),
        tags: options.take("tags", options::tags, errors).unwrap_or_default(),
        open: options.take("open", options::flag, errors).flatten(),
        schedule,
        head: block.head,
        marker_paths,
        members,
        durable,
    }
}

fn concurrency(options: &mut Options, errors: &mut Errors) -> Concurrency {
    Concurrency {
        key_name: options.name_of("concurrency_key"),
        limit_name: options.name_of("limit"),
        key: options.take("concurrency_key", options::closure, errors),
        limit: options.take("limit", |option| options::whole_number(option, 1, HIGHEST_LIMIT), errors),
    }
}

fn marker_paths(durable: &Path, items: &[Item]) -> Vec<Path> {
    let methods = items.iter().filter_map(|item| match item {
        Item::Method(method) => Some(method),
        _ => None,
    });
    let attributes = methods.flat_map(|method| &method.attributes);
    let markers = attributes.filter(|attribute| marker::of(attribute, durable).is_some());
    let paths: BTreeMap<String, Path> =
        markers.map(|marker| (marker.path().to_token_stream().to_string(), marker.path().clone())).collect();
    paths.into_values().collect()
}

fn named_after_type(ty: &Type) -> LitStr {
    let name = last_word(ty).map(|word| snake_case(&word.unraw().to_string()));
    LitStr::new(&name.unwrap_or_default(), ty.span())
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
        // Only the macro calls `run`, so leaving it out causes no second error.
        Item::Unreadable { name, error, .. } if name == "run" => {
            errors.push(error);
            Member::UnreadableRun
        }
        // The marker stays in place: if the compiler accepts what this macro could not read, the marker reports it.
        Item::Unreadable { name, tokens, .. } => Member::Unreadable { name, tokens },
        Item::Other(tokens) => Member::Untouched(tokens),
    }
}

fn method_member(durable: &Path, mut method: Method, errors: &mut Errors) -> Member {
    let (mut markers, mut outputs) = (Vec::new(), Vec::new());
    method.attributes.retain(|attribute| match marker::of(attribute, durable) {
        Some(Marker::Output) => {
            outputs.push(attribute.clone());
            false
        }
        Some(marker) => {
            markers.push((marker, attribute.clone()));
            false
        }
        None => true,
    });
    for extra in markers.iter().skip(1).map(|(_, marker)| marker).chain(outputs.iter().skip(1)) {
        errors.at(extra, "a method has one marker: remove this one");
    }
    let first = markers.into_iter().next();
    let mut output = outputs.into_iter().next();
    if let Some(output) = output.take_if(|_| !matches!(first, Some((Marker::Step | Marker::Question | Marker::Timer, _)))) {
        errors.at(output, "`#[output]` says which step computes the output of a graph: mark the method `#[step]`, too");
    }
    if method.name() == "run" {
        if let Some((_, marker)) = first {
            errors
                .at(marker, "`run` is the workflow itself and cannot be marked: name the step differently, or remove the marker");
        }
        return Member::Run(method);
    }
    match first {
        None => Member::Plain(method),
        Some((Marker::Step | Marker::Output, marker)) => Member::Step(step(method, marker.meta, &STEP, output, errors)),
        Some((Marker::Timer, marker)) => {
            let mut timer = step(method, marker.meta.clone(), &TIMER, output, errors);
            timer.node.timer = Some(marker);
            Member::Step(timer)
        }
        Some((Marker::Compensation, marker)) => Member::Compensation(compensation(method, marker.meta, errors)),
        Some((Marker::Question, marker)) => {
            let mut options = options_of(marker.meta.clone(), &questions::OPTIONS, "question", errors);
            let name = name_of(&method, &mut options, errors);
            Member::Question(Question::read((method, marker), name, output, &mut options, errors))
        }
        Some((Marker::Input, marker)) => {
            let mut options = options_of(marker.meta.clone(), &INPUT, "input", errors);
            let name = name_of(&method, &mut options, errors);
            Member::Input(nodes::read::input(method, marker, name, &mut options, errors))
        }
    }
}

fn step(method: Method, marker: Meta, legal: &Legal, output: Option<Attribute>, errors: &mut Errors) -> Step {
    let mut options = options_of(marker, legal, if legal.taker == TIMER.taker { "timer" } else { "step" }, errors);
    let names_compensation = options.has("compensate");
    let compensate = options.take("compensate", compensate, errors);
    let undo_on_failure = options.take("undo_on_failure", options::flag, errors).flatten();
    let transaction = options.has("transaction");
    let not_in_one = matches!(options.take("transaction", options::flag, errors), Some(None));
    Step {
        name: name_of(&method, &mut options, errors),
        was: options.take("was", options::texts, errors).unwrap_or_default(),
        queue: options.take("queue", options::text, errors),
        timeout: options.take("timeout", options::duration, errors).map(|(timeout, _)| timeout),
        retry: options.take("retry", retry_tokens, errors).map(|tokens| retry(tokens, errors)),
        // A mistake in `compensate` is reported already, and once is enough.
        undo_on_failure: undo_on_failure.filter(|_| compensate.is_some() || !names_compensation),
        compensate,
        // Also if the option has a mistake, which is reported already.
        transaction: transaction && !not_in_one,
        node: Box::new(nodes::read::options(&mut options, output, errors)),
        method,
    }
}

fn compensation(method: Method, marker: Meta, errors: &mut Errors) -> Compensation {
    let mut options = options_of(marker, &COMPENSATION, "compensation", errors);
    Compensation {
        name: name_of(&method, &mut options, errors),
        timeout: options.take("timeout", options::duration, errors).map(|(timeout, _)| timeout),
        retry: options.take("retry", retry_tokens, errors).map(|tokens| retry(tokens, errors)),
        method,
    }
}

fn options_of(marker: Meta, legal: &Legal, name: &str, errors: &mut Errors) -> Options {
    let tokens = match marker {
        Meta::Path(_) => TokenStream::new(),
        Meta::List(list) => list.tokens,
        Meta::NameValue(pair) => {
            errors.at(pair, format!("options of {} stand in parentheses: `#[{name}(name = \"…\")]`", legal.taker));
            TokenStream::new()
        }
    };
    Options::read(legal, tokens, errors)
}

fn name_of(method: &Method, options: &mut Options, errors: &mut Errors) -> LitStr {
    let ident = method.name();
    let named_after_method = || LitStr::new(&ident.unraw().to_string(), ident.span());
    options.take("name", options::text, errors).unwrap_or_else(named_after_method)
}

fn compensate(option: &options::Written) -> syn::Result<Ident> {
    options::syntax(option, "the name of a method marked `#[compensation]`, without quotes: `compensate = refund`")
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
