//! Judges answers by the JSON Schema of their question.

use std::sync::Arc;

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind};
use serde_json::Value;

/// How deep a schema is searched for contradictions. A deeper schema is accepted, and its answers are judged as they come.
const DEEPEST: usize = 16;

/// Longest value that a message quotes, in bytes of JSON.
const QUOTED: usize = 80;

/// The JSON Schema of a question, ready to judge answers.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    validator: Arc<Validator>,
}

impl Question {
    /// Reads a schema; `Err` says why no value can answer the question of that name.
    pub(crate) fn new(name: &str, schema: &Value) -> Result<Self, String> {
        // Nothing is fetched: the crate is built without that feature, and `offline` makes sure.
        let validator = jsonschema::options()
            .offline()
            .should_validate_formats(true)
            .build(schema)
            .map_err(|error| format!("the schema of input `{name}` is not valid: {}", described(&error, "schema", schema)))?;
        if let Some(reason) = unanswerable(schema, &validator) {
            return Err(format!("no value fits the schema of input `{name}`: {reason}"));
        }
        Ok(Self { validator: Arc::new(validator) })
    }

    /// Why the answer does not fit, with the place that is wrong; `None` if it fits.
    pub(crate) fn mismatch(&self, answer: &str) -> Option<String> {
        match serde_json::from_str::<Value>(answer) {
            Ok(value) => self.validator.validate(&value).err().map(|error| described(&error, "value", &value)),
            Err(error) => Some(format!("value cannot be read: {error}")),
        }
    }
}

/// The mistake, after its place in `root`.
fn described(error: &ValidationError<'_>, name: &str, root: &Value) -> String {
    let error = closest(error);
    let (mut place, mut at) = (name.to_owned(), Some(root));
    for segment in error.instance_path().as_str().split('/').skip(1) {
        let segment = segment.replace("~1", "/").replace("~0", "~");
        if let Some(Value::Array(items)) = at {
            place.push_str(&format!("[{segment}]"));
            at = segment.parse().ok().and_then(|index: usize| items.get(index));
        } else {
            place.push('.');
            place.push_str(&segment);
            at = at.and_then(|object| object.get(&segment));
        }
    }
    if error.instance().to_string().len() > QUOTED {
        format!("{place}: {}", error.masked_with("the value"))
    } else {
        format!("{place}: {error}")
    }
}

/// Among alternatives that all fail, the error of the alternative that matched deepest.
fn closest<'a, 'i>(error: &'a ValidationError<'i>) -> &'a ValidationError<'i> {
    let (ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context }) = error.kind() else {
        return error;
    };
    let depth = |error: &ValidationError<'_>| error.instance_path().as_str().matches('/').count();
    let deepest = context.iter().flatten().map(closest).max_by_key(|error| depth(error));
    deepest.filter(|inner| depth(inner) > depth(error)).unwrap_or(error)
}

/// Why no value fits the schema, if that can be seen.
fn unanswerable(schema: &Value, validator: &Validator) -> Option<String> {
    let allowed = match (schema.get("enum"), schema.get("const")) {
        (Some(Value::Array(values)), _) => Some(values.as_slice()),
        (_, Some(value)) => Some(std::slice::from_ref(value)),
        _ => None,
    };
    match allowed {
        Some(values) if !values.iter().any(|value| validator.is_valid(value)) => {
            Some("none of the values that it allows fits it".to_owned())
        }
        _ => excludes_everything(schema, schema, 0),
    }
}

fn excludes_everything(schema: &Value, root: &Value, depth: usize) -> Option<String> {
    const BOUNDS: [(&str, &str); 4] =
        [("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems"), ("minProperties", "maxProperties")];
    if depth > DEEPEST {
        return None;
    }
    let Value::Object(keywords) = schema else {
        return (schema == &Value::Bool(false)).then(|| "it allows nothing".to_owned());
    };
    if keywords.get("enum").and_then(Value::as_array).is_some_and(Vec::is_empty) {
        return Some("it allows one of no values".to_owned());
    }
    let number = |keyword| keywords.get(keyword).and_then(Value::as_f64);
    for (least, most) in BOUNDS {
        if let (Some(low), Some(high)) = (number(least), number(most))
            && low > high
        {
            return Some(format!("its `{least}` {low} is over its `{most}` {high}"));
        }
    }
    let inside = |part: &Value| excludes_everything(part, root, depth + 1);
    let list = |keyword| keywords.get(keyword).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if let Some(Value::String(reference)) = keywords.get("$ref")
        && let Some(target) = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer))
        && let Some(reason) = inside(target)
    {
        return Some(reason);
    }
    for name in list("required").iter().filter_map(Value::as_str) {
        if let Some(reason) = keywords.get("properties").and_then(|properties| properties.get(name)).and_then(inside) {
            return Some(format!("`{name}`: {reason}"));
        }
    }
    if let Some(reason) = list("allOf").iter().find_map(inside) {
        return Some(reason);
    }
    ["anyOf", "oneOf"].into_iter().find_map(|keyword| {
        let alternatives = list(keyword);
        let mut reasons = alternatives.iter().map(inside).collect::<Option<Vec<_>>>()?;
        reasons.pop()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mismatch(schema: &Value, answer: &str) -> Option<String> {
        Question::new("x", schema).unwrap().mismatch(answer)
    }

    fn refusal(schema: &Value) -> Option<String> {
        Question::new("x", schema).err()
    }

    #[test]
    fn a_mismatch_names_its_place() {
        let schema = json!({
            "type": "object",
            "properties": {"notes": {"items": {"oneOf": [
                {"const": "urgent"},
                {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
            ]}}},
        });
        let told = mismatch(&schema, r#"{"notes": ["urgent", {"text": 7}]}"#).unwrap();
        assert_eq!(told, r#"value.notes[1].text: 7 is not of type "string""#);
        let told = mismatch(&schema, r#"{"notes": ["soon"]}"#).unwrap();
        assert!(told.starts_with("value.notes[0]: "), "{told}");
        assert_eq!(mismatch(&schema, r#"{"notes": []}"#), None);
        let told = mismatch(&json!({"additionalProperties": {"type": "string"}}), r#"{"1": 1}"#).unwrap();
        assert_eq!(told, r#"value.1: 1 is not of type "string""#);
    }

    #[test]
    fn what_is_no_value_of_json_does_not_fit() {
        assert!(mismatch(&json!({}), "1e400").unwrap().contains("out of range"));
        assert_eq!(mismatch(&json!({}), "340282366920938463463374607431768211455"), None);
    }

    #[test]
    fn a_long_value_is_not_quoted() {
        let told = mismatch(&json!({"type": "integer"}), &format!("{:?}", "x".repeat(1000))).unwrap();
        assert_eq!(told, r#"value: the value is not of type "integer""#);
    }

    #[test]
    fn formats_count() {
        assert!(mismatch(&json!({"type": "string", "format": "date"}), r#""2026-02-30""#).is_some());
        assert!(mismatch(&json!({"type": "string", "format": "uuid"}), r#""not-a-uuid""#).is_some());
        assert_eq!(mismatch(&json!({"type": "integer", "format": "uint32"}), "7"), None);
    }

    #[test]
    fn a_schema_that_no_value_fits_is_refused() {
        for schema in [
            json!(false),
            json!({"enum": []}),
            json!({"type": "integer", "enum": ["one"]}),
            json!({"minimum": 7, "maximum": 6}),
            json!({"allOf": [{}, false]}),
            json!({"anyOf": [false, {"$ref": "#/$defs/never"}], "$defs": {"never": {"enum": []}}}),
            json!({"properties": {"a": {"minLength": 2, "maxLength": 1}}, "required": ["a"]}),
        ] {
            let told = refusal(&schema).unwrap();
            assert!(told.starts_with("no value fits the schema of input `x`: "), "{schema}: {told}");
        }
        for schema in [json!({"pattern": "(["}), json!({"type": "text"}), json!({"$ref": "https://example.com/a.json"})] {
            let told = refusal(&schema).unwrap();
            assert!(told.starts_with("the schema of input `x` is not valid: "), "{schema}: {told}");
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_is_taken() {
        let tree = json!({"$ref": "#/$defs/tree", "$defs": {"tree": {
            "type": "object", "properties": {"left": {"$ref": "#/$defs/tree"}}
        }}});
        assert_eq!(mismatch(&tree, r#"{"left": {"left": {}}}"#), None);
        assert_eq!(mismatch(&tree, r#"{"left": {"left": 1}}"#).unwrap(), r#"value.left.left: 1 is not of type "object""#);
    }
}
