//! Which fields a JSON Schema needs. It knows what schemars writes; anything else is a field for JSON.

use serde_json::{Map, Value};

use super::posted::Posted;

/// How deep a schema is followed: one that refers to itself has no end.
const DEEPEST: usize = 8;

/// A place of the schema.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) default: Option<Value>,
    pub(super) shape: Shape,
}

/// What is typed there.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    Object(Vec<Property>),
    Text(Text),
    Number {
        is_integer: bool,
        least: Option<String>,
        most: Option<String>,
    },
    Boolean,
    /// There is nothing to type.
    Constant(Value),
    Choice(Vec<Choice>),
    /// One of several shapes, each with its label.
    OneOf(Vec<(String, Node)>),
    List {
        item: Box<Node>,
        least: usize,
    },
    /// Any number of several values.
    Several(Vec<Choice>),
    /// It may be null.
    Optional(Box<Node>),
    Json,
}

#[derive(Debug, Clone)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) is_required: bool,
    pub(super) node: Node,
}

#[derive(Debug, Clone)]
pub(super) struct Text {
    /// The type of the HTML field.
    pub(super) kind: &'static str,
    pub(super) least: Option<u64>,
    pub(super) most: Option<u64>,
    pub(super) pattern: Option<String>,
    pub(super) is_long: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub(super) value: Value,
    pub(super) label: String,
    pub(super) description: Option<String>,
}

impl Node {
    pub(super) fn read(schema: &Value) -> Self {
        Reader { root: schema }.node(schema, 0)
    }

    /// Fills the fields of this place with the defaults of the schema.
    pub(super) fn fill_defaults(&self, name: &str, posted: &mut Posted) {
        if let Some(default) = &self.default {
            self.fill(name, default, posted);
            return;
        }
        match &self.shape {
            Shape::Object(properties) => {
                for property in properties {
                    property.node.fill_defaults(&format!("{name}/{}", property.name), posted);
                }
            }
            Shape::Optional(inner) => inner.fill_defaults(name, posted),
            Shape::List { least, .. } => posted.set(format!("{name}#"), least.to_string()),
            _ => {}
        }
    }

    /// Fills the fields of this place with a value.
    fn fill(&self, name: &str, value: &Value, posted: &mut Posted) {
        if self.has_fields() {
            posted.set(format!("{name}?"), "on");
        }
        let place = |choices: &[Choice], value: &Value| choices.iter().position(|choice| choice.value == *value);
        match (&self.shape, value) {
            (Shape::Optional(_), Value::Null) => {}
            (Shape::Optional(inner), value) => inner.fill(name, value, posted),
            (Shape::Object(properties), Value::Object(members)) => {
                for property in properties {
                    if let Some(value) = members.get(&property.name) {
                        property.node.fill(&format!("{name}/{}", property.name), value, posted);
                    }
                }
            }
            (Shape::List { item, .. }, Value::Array(items)) => {
                posted.set(format!("{name}#"), items.len().to_string());
                for (number, value) in items.iter().enumerate() {
                    item.fill(&format!("{name}/{number}"), value, posted);
                }
            }
            (Shape::Several(choices), Value::Array(items)) => {
                for number in items.iter().filter_map(|value| place(choices, value)) {
                    posted.add(name, number.to_string());
                }
            }
            (Shape::Choice(choices), value) => {
                if let Some(number) = place(choices, value) {
                    posted.set(name, number.to_string());
                }
            }
            (Shape::Text(_), Value::String(text)) => posted.set(name, text),
            (Shape::Number { .. } | Shape::Boolean | Shape::Json, value) => posted.set(name, value.to_string()),
            _ => {}
        }
    }

    /// Whether an empty field cannot say that nothing is given.
    pub(super) fn has_fields(&self) -> bool {
        matches!(self.shape, Shape::Object(_) | Shape::OneOf(_) | Shape::List { .. } | Shape::Several(_))
    }

    fn is_null(&self) -> bool {
        matches!(&self.shape, Shape::Constant(Value::Null))
    }
}

/// Reads a schema; references are looked up in its root.
struct Reader<'schema> {
    root: &'schema Value,
}

impl<'schema> Reader<'schema> {
    fn node(&self, schema: &'schema Value, depth: usize) -> Node {
        let Value::Object(keywords) = schema else { return plain(Shape::Json) };
        let text = |keyword| keywords.get(keyword).and_then(Value::as_str).map(str::to_owned);
        let (mut title, mut description) = (text("title"), text("description"));
        let mut default = keywords.get("default").cloned();
        let shape = match keywords.get("$ref").and_then(Value::as_str) {
            Some(reference) => match self.target(reference) {
                Some(target) if depth < DEEPEST => {
                    let target = self.node(target, depth + 1);
                    title = title.or(target.title);
                    description = description.or(target.description);
                    default = default.or(target.default);
                    target.shape
                }
                _ => Shape::Json,
            },
            None => self.shape(keywords, depth),
        };
        Node { title, description, default, shape }
    }

    fn target(&self, reference: &str) -> Option<&'schema Value> {
        reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer))
    }

    fn shape(&self, keywords: &'schema Map<String, Value>, depth: usize) -> Shape {
        // A rule that no field shows is still checked; a rule about the shape itself is not understood.
        const UNKNOWN: [&str; 8] =
            ["allOf", "not", "if", "patternProperties", "prefixItems", "contains", "dependentSchemas", "propertyNames"];
        if depth >= DEEPEST || UNKNOWN.iter().any(|keyword| keywords.contains_key(*keyword)) {
            return Shape::Json;
        }
        if let Some(value) = keywords.get("const") {
            return Shape::Constant(value.clone());
        }
        if let Some(Value::Array(values)) = keywords.get("enum") {
            let (nulls, values): (Vec<&Value>, Vec<&Value>) = values.iter().partition(|value| value.is_null());
            let choice = Shape::Choice(values.into_iter().map(|value| choice(value, None, None)).collect());
            return if nulls.is_empty() { choice } else { optional(plain(choice)) };
        }
        if let Some(Value::Array(alternatives)) = keywords.get("oneOf").or_else(|| keywords.get("anyOf")) {
            return self.alternatives(alternatives, depth);
        }
        match keywords.get("type") {
            Some(Value::String(kind)) => self.typed(kind, keywords, depth),
            Some(Value::Array(kinds)) => {
                let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
                match kinds[..] {
                    [kind, "null"] | ["null", kind] => optional(plain(self.typed(kind, keywords, depth))),
                    [kind] => self.typed(kind, keywords, depth),
                    _ => Shape::Json,
                }
            }
            _ if keywords.contains_key("properties") => self.typed("object", keywords, depth),
            _ => Shape::Json,
        }
    }

    fn alternatives(&self, alternatives: &'schema [Value], depth: usize) -> Shape {
        let mut nodes: Vec<Node> = alternatives.iter().map(|alternative| self.node(alternative, depth + 1)).collect();
        let before = nodes.len();
        nodes.retain(|node| !node.is_null());
        let is_optional = nodes.len() < before;
        let is_constant = |node: &Node| matches!(node.shape, Shape::Constant(_));
        let shape = if nodes.is_empty() {
            Shape::Json
        } else if nodes.len() == 1 {
            nodes.swap_remove(0).shape
        } else if nodes.iter().all(|node| is_constant(node) || matches!(node.shape, Shape::Choice(_))) {
            Shape::Choice(nodes.into_iter().flat_map(choices).collect())
        } else {
            let label = |(number, node): (usize, Node)| (label(&node).unwrap_or_else(|| format!("Option {}", number + 1)), node);
            Shape::OneOf(nodes.into_iter().enumerate().map(label).collect())
        };
        if is_optional { optional(plain(shape)) } else { shape }
    }

    fn typed(&self, kind: &str, keywords: &'schema Map<String, Value>, depth: usize) -> Shape {
        match kind {
            "object" => self.object(keywords, depth),
            "array" => self.list(keywords, depth),
            "string" => text(keywords),
            "integer" | "number" => {
                let bound = |inclusive: &str| keywords.get(inclusive).filter(|bound| bound.is_number()).map(ToString::to_string);
                Shape::Number { is_integer: kind == "integer", least: bound("minimum"), most: bound("maximum") }
            }
            "boolean" => Shape::Boolean,
            "null" => Shape::Constant(Value::Null),
            _ => Shape::Json,
        }
    }

    fn object(&self, keywords: &'schema Map<String, Value>, depth: usize) -> Shape {
        let Some(Value::Object(properties)) = keywords.get("properties") else { return Shape::Json };
        if properties.is_empty() || keywords.get("additionalProperties").is_some_and(Value::is_object) {
            return Shape::Json;
        }
        let required = keywords.get("required").and_then(Value::as_array);
        let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|known| known == name));
        let property = |(name, schema): (&String, &'schema Value)| Property {
            name: name.clone(),
            is_required: is_required(name),
            node: self.node(schema, depth + 1),
        };
        Shape::Object(properties.iter().map(property).collect())
    }

    fn list(&self, keywords: &'schema Map<String, Value>, depth: usize) -> Shape {
        let Some(items) = keywords.get("items") else { return Shape::Json };
        let item = self.node(items, depth + 1);
        let is_unique = keywords.get("uniqueItems") == Some(&Value::Bool(true));
        match item.shape {
            Shape::Choice(choices) if is_unique => Shape::Several(choices),
            _ => {
                let least = keywords.get("minItems").and_then(Value::as_u64).unwrap_or(0).min(20);
                Shape::List { item: Box::new(item), least: usize::try_from(least).unwrap_or(0) }
            }
        }
    }
}

fn plain(shape: Shape) -> Node {
    Node { title: None, description: None, default: None, shape }
}

/// What may be null. For what is typed as JSON, null is typed as well.
fn optional(node: Node) -> Shape {
    match node.shape {
        Shape::Json => Shape::Json,
        Shape::Optional(_) => node.shape,
        _ => Shape::Optional(Box::new(node)),
    }
}

fn choice(value: &Value, title: Option<String>, description: Option<String>) -> Choice {
    let label = title.unwrap_or_else(|| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    Choice { value: value.clone(), label, description }
}

fn choices(node: Node) -> Vec<Choice> {
    match node.shape {
        Shape::Constant(value) => vec![choice(&value, node.title, node.description)],
        Shape::Choice(choices) => choices,
        _ => Vec::new(),
    }
}

/// What tells one alternative from another: its title, its tag, or the one property that it has.
fn label(node: &Node) -> Option<String> {
    if node.title.is_some() {
        return node.title.clone();
    }
    match &node.shape {
        Shape::Constant(value) => value.as_str().map(str::to_owned),
        Shape::Object(properties) => {
            let tag = properties.iter().find_map(|property| match &property.node.shape {
                Shape::Constant(Value::String(tag)) => Some(tag.clone()),
                _ => None,
            });
            let only = || if let [only] = &properties[..] { Some(only.name.clone()) } else { None };
            tag.or_else(only)
        }
        _ => None,
    }
}

fn text(keywords: &Map<String, Value>) -> Shape {
    let number = |keyword| keywords.get(keyword).and_then(Value::as_u64);
    let kind = match keywords.get("format").and_then(Value::as_str) {
        Some("date") => "date",
        Some("email") => "email",
        Some("uri") => "url",
        Some("password") => "password",
        _ => "text",
    };
    let most = number("maxLength");
    let pattern = keywords.get("pattern").and_then(Value::as_str).map(str::to_owned);
    let is_long = kind == "text" && pattern.is_none() && !keywords.contains_key("format") && most.is_none_or(|most| most > 200);
    Shape::Text(Text { kind, least: number("minLength"), most, pattern, is_long })
}
