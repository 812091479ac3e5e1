//! Reads the schedule of a workflow. The rule is read by the grammar that the engine uses, so a rule that the engine would refuse is an error
//! at its token. Unknown time zones are found when the worker starts.

use crate::duration;
use crate::errors::Errors;
use crate::options::{self, Options, Written};
use durable_rule::Rule;
use proc_macro2::Ident;
use std::time::Duration;
use syn::parse::{Parse, ParseStream};
use syn::{LitStr, Token};

/// The options of a schedule, besides its rule.
const DETAILS: [&str; 5] = ["timezone", "missed", "overlap", "jitter", "max_failures"];
/// The schedule on which a workflow starts.
pub(crate) struct Schedule {
    pub(crate) rule: LitStr,
    pub(crate) timezone: Option<LitStr>,
    pub(crate) missed: Missed,
    /// The policy, as the runtime spells it.
    pub(crate) overlap: &'static str,
    pub(crate) jitter: Duration,
    pub(crate) max_failures: Option<u32>,
}

/// What becomes of missed due times.
pub(crate) enum Missed {
    /// A policy, as the runtime spells it.
    Policy(&'static str),
    Window(Duration),
}

/// Reads the schedule, if there is one. Options of a schedule without a schedule are reported.
pub(crate) fn read(options: &mut Options, errors: &mut Errors) -> Option<Schedule> {
    if !options.has("schedule") {
        for detail in DETAILS.iter().filter_map(|name| options.name(name)) {
            let message = format!(
                "`{detail}` is said of a schedule, and there is none: write `schedule = \"0 9 * * *\"`, too, or remove it"
            );
            errors.at(detail, message);
        }
        return None;
    }
    let rule = options.take("schedule", rule, errors);
    let timezone = options.take("timezone", timezone, errors);
    let missed = options.take("missed", missed, errors);
    let overlap = options.take("overlap", overlap, errors);
    let jitter = options.take("jitter", options::duration, errors);
    let max_failures = options.take("max_failures", |option| options::whole_number(option, 1, u32::MAX / 2), errors);
    Some(Schedule {
        rule: rule?,
        timezone,
        missed: missed.unwrap_or(Missed::Policy("One")),
        overlap: overlap.unwrap_or("Allow"),
        jitter: jitter.map_or(Duration::ZERO, |(jitter, _)| jitter),
        max_failures,
    })
}

fn rule(option: &Written) -> syn::Result<LitStr> {
    let text = options::text(option)?;
    Rule::read(&text.value()).map_err(|refusal| syn::Error::new(text.span(), refusal))?;
    Ok(text)
}

fn timezone(option: &Written) -> syn::Result<LitStr> {
    let text = options::text(option)?;
    let name = text.value();
    let in_names = |letter: char| letter.is_ascii_alphanumeric() || "/_-+".contains(letter);
    if name.is_empty() || !name.chars().all(in_names) {
        let problem = format!("`{name}` is no time zone: write a name of the IANA database, such as `Europe/Berlin` or `UTC`");
        return Err(syn::Error::new(text.span(), problem));
    }
    Ok(text)
}

fn overlap(option: &Written) -> syn::Result<&'static str> {
    let form = "`allow`, `skip`, `queue` or `cancel`";
    let word: Ident = options::syntax(option, form)?;
    match word.to_string().as_str() {
        "allow" => Ok("Allow"),
        "skip" => Ok("Skip"),
        "queue" => Ok("Queue"),
        "cancel" => Ok("Cancel"),
        _ => Err(option.wants(form)),
    }
}

fn missed(option: &Written) -> syn::Result<Missed> {
    let form = "`skip`, `one`, `all` or `window(\"2h\")`";
    let Policy { word, window } = options::syntax(option, form)?;
    match (word.to_string().as_str(), window) {
        ("skip", None) => Ok(Missed::Policy("Skip")),
        ("one", None) => Ok(Missed::Policy("One")),
        ("all", None) => Ok(Missed::Policy("All")),
        ("window", Some(window)) => match duration::parse(&window.value()) {
            Ok(duration) => Ok(Missed::Window(duration)),
            Err(problem) => Err(syn::Error::new(window.span(), problem)),
        },
        _ => Err(option.wants(form)),
    }
}

/// A word, and perhaps a text in parentheses.
struct Policy {
    word: Ident,
    window: Option<LitStr>,
}

impl Parse for Policy {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let word = input.parse()?;
        if !input.peek(syn::token::Paren) {
            return Ok(Self { word, window: None });
        }
        let list;
        syn::parenthesized!(list in input);
        let window = Some(list.parse()?);
        list.parse::<Option<Token![,]>>()?;
        Ok(Self { word, window })
    }
}
