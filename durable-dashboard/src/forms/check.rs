//! Finds what does not fit a schema, with the same library that the engine checks answers with.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::{Mistake, ROOT};

/// Most mistakes that are shown.
const MOST: usize = 50;

/// Longest value that a message quotes, in bytes of JSON.
const QUOTED: usize = 80;

/// What does not fit; empty for a schema that cannot be read, which the engine judges.
pub(super) fn mistakes(schema: &Value, json: &str) -> Vec<Mistake> {
    let Ok(value) = serde_json::from_str::<Value>(json) else { return Vec::new() };
    let Ok(validator) = jsonschema::options().offline().should_validate_formats(true).build(schema) else { return Vec::new() };
    validator.iter_errors(&value).take(MOST).map(|error| mistake(&error)).collect()
}

fn mistake(error: &ValidationError<'_>) -> Mistake {
    let error = closest(error);
    let place = error.instance_path().as_str().replace("~1", "/").replace("~0", "~");
    let mut name = format!("{ROOT}{place}");
    let text = match error.kind() {
        ValidationErrorKind::Required { property } => {
            name.push('/');
            name.push_str(property.as_str().unwrap_or_default());
            "This is required.".to_owned()
        }
        ValidationErrorKind::Pattern { pattern } => format!("It must fit the pattern {pattern}."),
        ValidationErrorKind::Format { format } => format!("It is not of the format {format}."),
        ValidationErrorKind::MinLength { limit } => format!("It must have at least {limit} characters."),
        ValidationErrorKind::MaxLength { limit } => format!("It must have at most {limit} characters."),
        ValidationErrorKind::Minimum { limit } => format!("It must be at least {limit}."),
        ValidationErrorKind::Maximum { limit } => format!("It must be at most {limit}."),
        ValidationErrorKind::MinItems { limit } => format!("It must have at least {limit} items."),
        ValidationErrorKind::MaxItems { limit } => format!("It must have at most {limit} items."),
        _ if error.instance().to_string().len() > QUOTED => format!("{}.", error.masked_with("the value")),
        _ => format!("{error}."),
    };
    Mistake { name, text }
}

/// Among alternatives that all fail, the error of the alternative that fits best.
fn closest<'a, 'i>(error: &'a ValidationError<'i>) -> &'a ValidationError<'i> {
    let (ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context }) = error.kind() else {
        return error;
    };
    let depth = |error: &ValidationError<'_>| error.instance_path().as_str().matches('/').count();
    let deepest = context.iter().flatten().map(closest).max_by_key(|error| depth(error));
    deepest.filter(|inner| depth(inner) > depth(error)).unwrap_or(error)
}
