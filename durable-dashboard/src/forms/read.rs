//! Makes JSON of what was typed. It finds what has no JSON at all; `check` finds what does not fit the schema.

use serde_json::Value;
use serde_json::value::RawValue;

use super::Mistake;
use super::posted::Posted;
use super::shape::{Node, Property, Shape};

/// The JSON of this place; `None` if nothing was given there.
pub(super) fn read(node: &Node, name: &str, posted: &Posted, mistakes: &mut Vec<Mistake>) -> Option<String> {
    let typed = posted.get(name);
    let mut wrong = |text: String| {
        mistakes.push(Mistake { name: name.to_owned(), text });
        None
    };
    match &node.shape {
        Shape::Constant(value) => Some(value.to_string()),
        Shape::Text(_) => Some(string(typed)),
        Shape::Number { is_integer, .. } => match (number(typed), typed.trim()) {
            (Some(number), _) => Some(number.to_owned()),
            (None, "") => wrong("Give a number.".to_owned()),
            (None, _) if *is_integer => wrong(format!("`{typed}` is not a whole number. Write it as 42 or -3.")),
            (None, _) => wrong(format!("`{typed}` is not a number. Write it as 42 or 1.5.")),
        },
        Shape::Boolean => match typed {
            "true" | "false" => Some(typed.to_owned()),
            _ => wrong("Choose yes or no.".to_owned()),
        },
        Shape::Choice(choices) => match typed.parse().ok().and_then(|number: usize| choices.get(number)) {
            Some(choice) => Some(choice.value.to_string()),
            None => wrong("Choose one.".to_owned()),
        },
        Shape::Several(choices) => {
            let chosen = choices.iter().enumerate().filter(|(number, _)| posted.has(name, &number.to_string()));
            Some(list(chosen.map(|(_, choice)| choice.value.to_string())))
        }
        Shape::OneOf(alternatives) => {
            let chosen = posted.get(&format!("{name}:")).parse().ok();
            match chosen.and_then(|number: usize| Some((number, alternatives.get(number)?))) {
                Some((number, (_, node))) => read(node, &format!("{name}:{number}"), posted, mistakes),
                None => wrong("Choose one.".to_owned()),
            }
        }
        Shape::List { item, .. } => {
            let item = |number| read(item, &format!("{name}/{number}"), posted, mistakes).unwrap_or_else(|| "null".to_owned());
            Some(list((0..posted.count(name)).map(item)))
        }
        Shape::Object(properties) => {
            let member = |property: &Property| {
                let value = member(property, &format!("{name}/{}", property.name), posted, mistakes)?;
                Some(format!("{}:{value}", string(&property.name)))
            };
            Some(format!("{{{}}}", properties.iter().filter_map(member).collect::<Vec<_>>().join(",")))
        }
        Shape::Optional(inner) if is_given(inner, name, posted) => read(inner, name, posted, mistakes),
        Shape::Optional(_) => Some("null".to_owned()),
        Shape::Json => match RawValue::from_string(typed.trim().to_owned()) {
            Ok(value) => Some(value.get().to_owned()),
            Err(_) if typed.trim().is_empty() => wrong("Give a value as JSON, such as 42, \"text\" or {\"a\": 1}.".to_owned()),
            Err(error) => wrong(format!("This is not JSON: {error}. Text is written in quotes.")),
        },
    }
}

/// The value of a property; `None` if it is left out.
fn member(property: &Property, name: &str, posted: &Posted, mistakes: &mut Vec<Mistake>) -> Option<String> {
    let Property { is_required, node, .. } = property;
    let is_given = match &node.shape {
        Shape::Optional(inner) => is_given(inner, name, posted),
        _ => *is_required || is_given(node, name, posted),
    };
    match &node.shape {
        _ if is_given => read(node, name, posted, mistakes),
        Shape::Optional(_) if *is_required => Some("null".to_owned()),
        _ => None,
    }
}

/// Whether something was given at a place that may be left out.
fn is_given(node: &Node, name: &str, posted: &Posted) -> bool {
    match &node.shape {
        _ if node.has_fields() => posted.knows(&format!("{name}?")),
        Shape::Constant(_) => true,
        Shape::Optional(inner) => is_given(inner, name, posted),
        _ => !posted.get(name).trim().is_empty(),
    }
}

fn string(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// The text of a number, if it is one in JSON.
fn number(typed: &str) -> Option<&str> {
    let typed = typed.trim();
    let begins = typed.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    (begins && serde_json::from_str::<&RawValue>(typed).is_ok()).then_some(typed)
}
