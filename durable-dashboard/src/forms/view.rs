//! Writes the fields of a form, with what was typed and what is wrong with it.

use askama::Template;

use super::Mistake;
use super::posted::Posted;
use super::shape::{Node, Property, Shape, Text};
use crate::text;

/// A field, with those inside it.
#[derive(Debug, Template)]
#[template(path = "field.html")]
pub(crate) struct Field {
    name: String,
    label: String,
    description: Option<String>,
    is_required: bool,
    /// What is wrong.
    mistakes: Vec<String>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Group(Vec<Field>),
    Line {
        kind: &'static str,
        mode: &'static str,
        value: String,
        least: Option<String>,
        most: Option<String>,
        pattern: Option<String>,
    },
    Area {
        value: String,
        is_json: bool,
    },
    Constant(String),
    /// Each with its label, its description, its value, and whether it is chosen.
    Radios(Vec<Pick>),
    Select(Vec<Pick>),
    Checks(Vec<Pick>),
    OneOf(Vec<Alternative>),
    List(Vec<Field>),
    Optional {
        is_given: bool,
        inner: Box<Field>,
    },
}

/// Something that can be chosen.
#[derive(Debug)]
struct Pick {
    value: String,
    label: String,
    description: Option<String>,
    is_chosen: bool,
}

#[derive(Debug)]
struct Alternative {
    number: usize,
    label: String,
    description: Option<String>,
    is_chosen: bool,
    inner: Field,
}

/// More options than these are in a list to open.
const MOST_RADIOS: usize = 7;

impl Field {
    /// The id of the field; names have characters that an id may not have.
    fn id(&self) -> String {
        text::exact(&self.name.replace(char::is_whitespace, "_"))
    }

    fn exact(&self, text: &str) -> String {
        text::exact(text)
    }

    /// Whether its label stands before a group of fields.
    fn is_group(&self) -> bool {
        !matches!(self.kind, Kind::Line { .. } | Kind::Area { .. } | Kind::Select(_) | Kind::Constant(_))
    }
}

/// What is around the place that is viewed.
struct View<'form> {
    posted: &'form Posted,
}

pub(super) fn view(root: &Node, name: &str, posted: &Posted, mistakes: &[Mistake]) -> Field {
    let label = root.title.clone().unwrap_or_else(|| "Answer".to_owned());
    let mut field = View { posted }.field(root, name, label, true);
    for mistake in mistakes {
        place(&mut field, mistake);
    }
    field
}

/// Puts a mistake at its field, or at the field around its place; false if it is not inside this field.
fn place(field: &mut Field, mistake: &Mistake) -> bool {
    let rest = mistake.name.strip_prefix(&field.name);
    // The fields of an alternative have its number in their names; a place in a value has not.
    let is_inside = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':']));
    if !is_inside {
        return false;
    }
    let within = match &mut field.kind {
        Kind::Group(fields) | Kind::List(fields) => fields.iter_mut().any(|field| place(field, mistake)),
        Kind::Optional { inner, .. } => place(inner, mistake),
        Kind::OneOf(alternatives) => alternatives.iter_mut().filter(|alternative| alternative.is_chosen).any(|alternative| {
            let own = alternative.inner.name.clone();
            let inside = match mistake.name.strip_prefix(&field.name) {
                Some(rest) if rest.starts_with('/') => format!("{own}{rest}"),
                _ => mistake.name.clone(),
            };
            inside != field.name && place(&mut alternative.inner, &Mistake { name: inside, text: mistake.text.clone() })
        }),
        _ => false,
    };
    if !within {
        field.mistakes.push(mistake.text.clone());
    }
    true
}

impl View<'_> {
    fn field(&self, node: &Node, name: &str, label: String, is_required: bool) -> Field {
        let (is_nullable, inner) = match &node.shape {
            Shape::Optional(inner) => (true, &**inner),
            _ => (false, node),
        };
        let is_required = is_required && !is_nullable;
        let field = |label, description, kind| Field {
            name: name.to_owned(),
            label,
            description,
            is_required,
            mistakes: Vec::new(),
            kind,
        };
        if is_required || !inner.has_fields() {
            return field(label, node.description.clone(), self.kind(inner, name, is_required));
        }
        // What has fields of its own is given if its box is checked; then they are required.
        let inside = Field { is_required: true, ..field(String::new(), None, self.kind(inner, name, true)) };
        let kind = Kind::Optional { is_given: self.posted.knows(&format!("{name}?")), inner: Box::new(inside) };
        field(label, node.description.clone(), kind)
    }

    fn kind(&self, node: &Node, name: &str, is_required: bool) -> Kind {
        let value = self.posted.get(name);
        let option = |number: String, label: &str, description: &Option<String>, is_chosen| Pick {
            value: number,
            label: label.to_owned(),
            description: description.clone(),
            is_chosen,
        };
        match &node.shape {
            Shape::Object(properties) => Kind::Group(properties.iter().map(|property| self.property(property, name)).collect()),
            Shape::Text(Text { is_long: true, .. }) => Kind::Area { value: value.to_owned(), is_json: false },
            Shape::Text(Text { kind, least, most, pattern, .. }) => Kind::Line {
                kind,
                mode: "text",
                value: value.to_owned(),
                least: least.map(|least| least.to_string()),
                most: most.map(|most| most.to_string()),
                pattern: pattern.clone(),
            },
            // A field of the type `number` would change the digits.
            Shape::Number { is_integer, least, most } => Kind::Line {
                kind: "text",
                mode: if *is_integer { "numeric" } else { "decimal" },
                value: value.to_owned(),
                least: least.clone(),
                most: most.clone(),
                pattern: None,
            },
            Shape::Boolean => {
                let mut options = vec![
                    option("true".to_owned(), "Yes", &None, value == "true"),
                    option("false".to_owned(), "No", &None, value == "false"),
                ];
                if !is_required {
                    options.push(option(String::new(), "Not given", &None, value.is_empty()));
                }
                Kind::Radios(options)
            }
            Shape::Constant(value) => Kind::Constant(value.to_string()),
            Shape::Choice(choices) => {
                let choices = choices.iter().enumerate();
                let mut options: Vec<Pick> = choices
                    .map(|(number, choice)| {
                        let number = number.to_string();
                        let is_chosen = number == value;
                        option(number, &choice.label, &choice.description, is_chosen)
                    })
                    .collect();
                let is_short = options.len() <= MOST_RADIOS;
                if !is_required || !is_short {
                    options.insert(
                        0,
                        option(String::new(), if is_required { "Choose one" } else { "Not given" }, &None, value.is_empty()),
                    );
                }
                if is_short { Kind::Radios(options) } else { Kind::Select(options) }
            }
            Shape::Several(choices) => {
                let choices = choices.iter().enumerate();
                let check = |(number, choice): (usize, &super::shape::Choice)| {
                    let number = number.to_string();
                    let is_chosen = self.posted.has(name, &number);
                    option(number, &choice.label, &choice.description, is_chosen)
                };
                Kind::Checks(choices.map(check).collect())
            }
            Shape::OneOf(alternatives) => {
                let chosen = self.posted.get(&format!("{name}:"));
                let alternative = |(number, (label, node)): (usize, &(String, Node))| Alternative {
                    number,
                    label: label.clone(),
                    description: node.description.clone(),
                    is_chosen: chosen == number.to_string(),
                    inner: Field { description: None, ..self.field(node, &format!("{name}:{number}"), String::new(), true) },
                };
                Kind::OneOf(alternatives.iter().enumerate().map(alternative).collect())
            }
            Shape::List { item, .. } => {
                let count = self.posted.count(name);
                let item = |number: usize| self.field(item, &format!("{name}/{number}"), (number + 1).to_string(), true);
                Kind::List((0..count).map(item).collect())
            }
            Shape::Optional(inner) => self.kind(inner, name, false),
            Shape::Json => Kind::Area { value: value.to_owned(), is_json: true },
        }
    }

    fn property(&self, Property { name, is_required, node }: &Property, around: &str) -> Field {
        let label = node.title.clone().unwrap_or_else(|| label(name));
        self.field(node, &format!("{around}/{name}"), label, *is_required)
    }
}

/// The name of a property as a label: `first_name` is `First name`.
fn label(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}", letters.as_str().replace('_', " "))
}
