//! The JSON Schema of a Rust type.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::json;

/// The JSON Schema of `T`.
pub(crate) fn schema_of<T: JsonSchema>() -> serde_json::Value {
    let bounded = RecursiveTransform(bound_integer);
    SchemaSettings::draft2020_12().with_transform(bounded).into_generator().into_root_schema_for::<T>().to_value()
}

/// Adds the range of a Rust integer; `schemars` only names the type.
fn bound_integer(schema: &mut schemars::Schema) {
    let bounds = match schema.get("format").and_then(serde_json::Value::as_str) {
        Some("int32") => (json!(i32::MIN), json!(i32::MAX)),
        Some("int64" | "int") => (json!(i64::MIN), json!(i64::MAX)),
        Some("uint32") => (json!(0), json!(u32::MAX)),
        Some("uint64" | "uint") => (json!(0), json!(u64::MAX)),
        // Smaller integers have bounds already, and most readers cannot read bounds of 128 bits.
        _ => return,
    };
    for (keyword, bound) in [("minimum", bounds.0), ("maximum", bounds.1)] {
        if schema.get(keyword).is_none() {
            schema.insert(keyword.to_owned(), bound);
        }
    }
}
