//! Forms for questions: from the JSON Schema to fields, and from what was typed to JSON.
//!
//! `shape` reads a schema, `posted` holds what was typed, `read` makes JSON of it, `check` finds what does not fit, and `view`
//! writes the fields. JSON is made as text, so that a number has the digits that were typed.

mod check;
mod posted;
mod read;
mod shape;
mod view;

use durable::Json;

pub(crate) use posted::Posted;
pub(crate) use view::Field;

use shape::Node;

/// The form of one question.
#[derive(Debug)]
pub(crate) struct Form {
    root: Node,
    schema: serde_json::Value,
}

/// What is wrong with a form, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The name of the field.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// The name of the field for the whole answer; the names of all others begin with it.
const ROOT: &str = "v";

impl Form {
    /// The form for a schema; without one, a field for JSON.
    pub(crate) fn new(schema: Option<&Json>) -> Self {
        let schema =
            schema.and_then(|schema| serde_json::from_str(schema.as_str()).ok()).unwrap_or(serde_json::Value::Bool(true));
        Self { root: Node::read(&schema), schema }
    }

    /// The fields as they are first shown: with the defaults of the schema.
    pub(crate) fn defaults(&self) -> Posted {
        let mut posted = Posted::default();
        self.root.fill_defaults(ROOT, &mut posted);
        posted
    }

    /// The answer as JSON, or what is wrong with it.
    pub(crate) fn read(&self, posted: &Posted) -> Result<String, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let json = read::read(&self.root, ROOT, posted, &mut mistakes).unwrap_or_else(|| "null".to_owned());
        if mistakes.is_empty() {
            mistakes = check::mistakes(&self.schema, &json);
        }
        if mistakes.is_empty() { Ok(json) } else { Err(mistakes) }
    }

    /// The fields with what was typed and what is wrong with it. Mistakes at places that have no field are at the field around them.
    pub(crate) fn view(&self, posted: &Posted, mistakes: &[Mistake]) -> Field {
        view::view(&self.root, ROOT, posted, mistakes)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn form(schema: Value) -> Form {
        Form::new(Some(&Json::from(schema)))
    }

    fn typed(pairs: &[(&str, &str)]) -> Posted {
        Posted::of(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn a_number_keeps_the_digits_that_were_typed() {
        let form =
            form(json!({"type": "object", "properties": {"n": {"type": "integer"}, "f": {"type": "number"}}, "required": ["n"]}));
        assert_eq!(
            form.read(&typed(&[("v/n", " 9007199254740993 "), ("v/f", "1.10")])).unwrap(),
            r#"{"f":1.10,"n":9007199254740993}"#
        );
        assert_eq!(form.read(&typed(&[("v/n", "7"), ("v/f", "")])).unwrap(), r#"{"n":7}"#);
        let mistakes = form.read(&typed(&[("v/n", ""), ("v/f", "1,5")])).unwrap_err();
        let named: Vec<&str> = mistakes.iter().map(|mistake| mistake.name.as_str()).collect();
        assert_eq!(named, ["v/f", "v/n"]);
        assert!(mistakes[0].text.contains("1.5"), "{}", mistakes[0].text);
    }

    #[test]
    fn what_the_schema_refuses_is_said_at_its_field() {
        let form = form(json!({
            "type": "object",
            "properties": {
                "mail": {"type": "string", "format": "email"},
                "seats": {"type": "integer", "minimum": 1, "maximum": 4},
                "address": {"$ref": "#/$defs/address"},
            },
            "required": ["mail", "seats", "address"],
            "$defs": {"address": {"type": "object", "properties": {"zip": {"type": "string", "pattern": "^[0-9]{5}$"}}, "required": ["zip"]}},
        }));
        let posted = typed(&[("v/mail", "ada"), ("v/seats", "9"), ("v/address/zip", "123")]);
        let mistakes = form.read(&posted).unwrap_err();
        let mut named: Vec<&str> = mistakes.iter().map(|mistake| mistake.name.as_str()).collect();
        named.sort_unstable();
        assert_eq!(named, ["v/address/zip", "v/mail", "v/seats"]);
        let html = form.view(&posted, &mistakes).to_string();
        for part in ["value=\"ada\"", "value=\"9\"", "value=\"123\""] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }

    #[test]
    fn optional_fields_are_left_out_and_nullable_ones_are_null() {
        let form = form(json!({
            "type": "object",
            "properties": {
                "note": {"type": ["string", "null"]},
                "must": {"type": ["integer", "null"]},
                "place": {"anyOf": [{"$ref": "#/$defs/place"}, {"type": "null"}]},
            },
            "required": ["must"],
            "$defs": {"place": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
        }));
        assert_eq!(form.read(&typed(&[])).unwrap(), r#"{"must":null}"#);
        let given = typed(&[("v/note", "hm"), ("v/must", "3"), ("v/place?", "on"), ("v/place/city", "Lyon")]);
        assert_eq!(form.read(&given).unwrap(), r#"{"must":3,"note":"hm","place":{"city":"Lyon"}}"#);
    }

    #[test]
    fn enums_and_tagged_enums_are_chosen() {
        let form = form(json!({
            "type": "object",
            "properties": {
                "size": {"oneOf": [{"const": "s", "description": "small"}, {"const": "l"}]},
                "pay": {"oneOf": [
                    {"type": "object", "properties": {"type": {"type": "string", "const": "cash"}}, "required": ["type"]},
                    {"type": "object", "properties": {"type": {"type": "string", "const": "card"}, "number": {"type": "string"}},
                     "required": ["type", "number"]},
                ]},
            },
            "required": ["size", "pay"],
        }));
        let posted = typed(&[("v/size", "1"), ("v/pay:", "1"), ("v/pay:1/number", "42")]);
        assert_eq!(form.read(&posted).unwrap(), r#"{"pay":{"number":"42","type":"card"},"size":"l"}"#);
        let html = form.view(&posted, &[]).to_string();
        assert!(html.contains("small") && html.contains("cash") && html.contains("card"), "{html}");
        let named: Vec<String> = form.read(&typed(&[])).unwrap_err().into_iter().map(|mistake| mistake.name).collect();
        assert_eq!(named, ["v/pay", "v/size"]);
    }

    #[test]
    fn a_list_grows_and_shrinks_and_keeps_what_was_typed() {
        let form = form(
            json!({"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}, "required": ["sku"]}}),
        );
        let mut posted = typed(&[("v#", "2"), ("v/0/sku", "a"), ("v/1/sku", "b"), ("add", "v")]);
        assert!(posted.change_lists());
        assert_eq!(posted.count("v"), 3);
        let mut posted = typed(&[("v#", "2"), ("v/0/sku", "a"), ("v/1/sku", "b"), ("remove", "v/0")]);
        assert!(posted.change_lists());
        assert_eq!(form.read(&posted).unwrap(), r#"[{"sku":"b"}]"#);
        assert!(!posted.change_lists());
    }

    #[test]
    fn defaults_are_filled_in() {
        let form = form(json!({
            "type": "object",
            "properties": {
                "seats": {"type": "integer", "default": 2},
                "names": {"type": "array", "items": {"type": "string"}, "default": ["a", "b"]},
                "yes": {"type": "boolean", "default": true},
            },
        }));
        assert_eq!(form.read(&form.defaults()).unwrap(), r#"{"names":["a","b"],"seats":2,"yes":true}"#);
    }

    #[test]
    fn what_has_no_field_of_its_own_is_typed_as_json() {
        for schema in [
            json!(true),
            json!({"type": "object", "additionalProperties": {"type": "integer"}}),
            json!({"not": {"type": "null"}}),
        ] {
            let form = form(schema);
            assert_eq!(form.read(&typed(&[("v", r#" {"a": 9007199254740993} "#)])).unwrap(), r#"{"a": 9007199254740993}"#);
            assert_eq!(form.read(&typed(&[("v", "{")])).unwrap_err()[0].name, "v");
        }
        let endless = form(
            json!({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/tree"}}, "required": ["left"]}}}),
        );
        assert!(endless.view(&Posted::default(), &[]).to_string().contains("<textarea"));
    }

    #[test]
    fn what_was_typed_is_escaped_and_not_changed() {
        let form = form(json!({"type": "string"}));
        let posted = typed(&[("v", "\u{202e}</textarea><script>")]);
        let html = form.view(&posted, &[]).to_string();
        assert!(html.contains("\u{202e}&lt;/textarea&gt;&lt;script&gt;"), "{html}");
        assert_eq!(form.read(&posted).unwrap(), "\"\u{202e}</textarea><script>\"");
    }
}
