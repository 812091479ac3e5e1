//! Generated values of the kinds that JSON changes, rounds or refuses.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use durable::schemars::{JsonSchema, Schema, SchemaGenerator};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde::{Deserialize, Serialize};

/// A value of one of these kinds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Odd {
    Signed(i128),
    Unsigned(u128),
    Integers(i8, u16, i32, u64, i64),
    Double(f64),
    Doubles(Vec<f64>),
    Single(f32),
    Character(char),
    Text(String),
    Bytes(Vec<u8>),
    Duration(Duration),
    Time(DateTime<Utc>),
    Numbered(BTreeMap<i64, f32>),
    Wide(BTreeMap<u128, i128>),
    Flags(BTreeMap<bool, char>),
    // JSON loses part of these.
    Unit(Option<()>),
    Nested(Option<Option<Option<u8>>>),
    Json(Option<serde_json::Value>),
    Tagged(Tagged),
    Adjacent(Adjacent),
    Untagged(Untagged),
    Flattened(Flattened),
    Skipped(Skipped),
    Seconds(Seconds),
    // JSON has no such keys.
    Tuples(BTreeMap<(i8, i8), u8>),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub(crate) enum Tagged {
    Empty,
    Whole { number: u64, nested: Option<Option<bool>> },
    Wide { number: u128 },
    Real { number: f64, single: f32 },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", content = "content")]
pub(crate) enum Adjacent {
    Empty,
    Wide(u128),
    Real(f64, Option<()>),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Untagged {
    Small(u8),
    Wide(i128),
    Real(f64),
    Text(String),
    Nothing(()),
    Whole { number: u32 },
    Loose { number: f64 },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Flattened {
    direct: f64,
    #[serde(flatten)]
    tagged: Tagged,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Skipped {
    kept: u8,
    #[serde(skip)]
    skipped: u8,
    #[serde(default, skip_serializing_if = "is_even")]
    odd: u8,
    #[serde(skip_deserializing)]
    shown: u8,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Seconds {
    #[serde(with = "chrono::serde::ts_seconds")]
    at: DateTime<Utc>,
    #[serde(with = "chrono::serde::ts_milliseconds_option")]
    until: Option<DateTime<Utc>>,
}

/// Many values; a question for them takes any answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Odds(pub(crate) Vec<Odd>);

impl JsonSchema for Odds {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Odds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        true.into()
    }
}

fn is_even(number: &u8) -> bool {
    number.is_multiple_of(2)
}

impl Odd {
    /// Whether JSON keeps every bit of it, if JSON accepts it.
    pub(crate) fn is_exact(&self) -> bool {
        matches!(
            self,
            Self::Signed(_)
                | Self::Unsigned(_)
                | Self::Integers(..)
                | Self::Double(_)
                | Self::Doubles(_)
                | Self::Single(_)
                | Self::Character(_)
                | Self::Text(_)
                | Self::Bytes(_)
                | Self::Duration(_)
                | Self::Time(_)
                | Self::Numbered(_)
                | Self::Wide(_)
                | Self::Flags(_)
        )
    }

    /// Whether it can be recorded, and what was read back can be recorded again.
    pub(crate) fn can_be_recorded(&self) -> bool {
        self.recorded().is_some_and(|read| read.recorded().is_some())
    }

    /// The value read back, if JSON and Postgres hold it and it decodes.
    fn recorded(&self) -> Option<Self> {
        let shown = format!("{self:?}");
        let text = serde_json::to_string(self).ok()?;
        let can_be_held = !["NaN", "inf"].iter().any(|number| shown.contains(number)) && !text.contains("\\u0000");
        serde_json::from_str(&text).ok().filter(|_| can_be_held)
    }

    /// Whether it can be recorded at all.
    pub(crate) fn is_refused(&self) -> bool {
        self.recorded().is_none()
    }
}

/// The same values at every run of the tests.
pub(crate) fn generated(count: usize) -> Vec<Odd> {
    let mut runner = TestRunner::deterministic();
    let any = odd();
    (0..count).map(|_| any.new_tree(&mut runner).unwrap().current()).collect()
}

fn odd() -> impl Strategy<Value = Odd> {
    let double = || proptest::num::f64::ANY;
    let single = || proptest::num::f32::NORMAL | proptest::num::f32::SUBNORMAL | proptest::num::f32::ZERO;
    let finite = || proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO;
    let text = || "[a-z\u{0}-\u{20}\"\\\\ü€😀]{0,6}";
    let seconds = || (-10_000_000_000_i64..10_000_000_000, 0..1_000_000_000_u32);
    let time = move || seconds().prop_filter_map("a time", |(seconds, nanos)| DateTime::from_timestamp(seconds, nanos));
    prop_oneof![
        any::<i128>().prop_map(Odd::Signed),
        any::<u128>().prop_map(Odd::Unsigned),
        any::<(i8, u16, i32, u64, i64)>().prop_map(|(a, b, c, d, e)| Odd::Integers(a, b, c, d, e)),
        double().prop_map(Odd::Double),
        finite().prop_map(Odd::Double),
        proptest::collection::vec(finite(), 0..5).prop_map(Odd::Doubles),
        single().prop_map(Odd::Single),
        any::<char>().prop_map(Odd::Character),
        text().prop_map(Odd::Text),
        proptest::collection::vec(any::<u8>(), 0..5).prop_map(Odd::Bytes),
        any::<(u64, u32)>().prop_map(|(seconds, nanos)| Odd::Duration(Duration::new(seconds / 2, nanos))),
        time().prop_map(Odd::Time),
        proptest::collection::btree_map(any::<i64>(), single(), 0..4).prop_map(Odd::Numbered),
        proptest::collection::btree_map(any::<u128>(), any::<i128>(), 0..4).prop_map(Odd::Wide),
        proptest::collection::btree_map(any::<bool>(), any::<char>(), 0..3).prop_map(Odd::Flags),
        any::<Option<()>>().prop_map(Odd::Unit),
        any::<Option<Option<Option<u8>>>>().prop_map(Odd::Nested),
        proptest::option::of(json()).prop_map(Odd::Json),
        tagged().prop_map(Odd::Tagged),
        prop_oneof![
            Just(Adjacent::Empty),
            any::<u128>().prop_map(Adjacent::Wide),
            (finite(), any::<Option<()>>()).prop_map(|(number, unit)| Adjacent::Real(number, unit)),
        ]
        .prop_map(Odd::Adjacent),
        untagged().prop_map(Odd::Untagged),
        (finite(), tagged(), proptest::collection::btree_map("[a-c]{4}", json(), 0..3))
            .prop_map(|(direct, tagged, rest)| Odd::Flattened(Flattened { direct, tagged, rest })),
        any::<(u8, u8, u8, u8)>().prop_map(|(kept, skipped, odd, shown)| Odd::Skipped(Skipped { kept, skipped, odd, shown })),
        (time(), proptest::option::of(time())).prop_map(|(at, until)| Odd::Seconds(Seconds { at, until })),
        proptest::collection::btree_map(any::<(i8, i8)>(), any::<u8>(), 0..2).prop_map(Odd::Tuples),
    ]
}

fn tagged() -> impl Strategy<Value = Tagged> {
    let finite = || proptest::num::f64::NORMAL | proptest::num::f64::ZERO;
    prop_oneof![
        Just(Tagged::Empty),
        any::<(u64, Option<Option<bool>>)>().prop_map(|(number, nested)| Tagged::Whole { number, nested }),
        any::<u128>().prop_map(|number| Tagged::Wide { number }),
        (finite(), proptest::num::f32::NORMAL).prop_map(|(number, single)| Tagged::Real { number, single }),
    ]
}

fn untagged() -> impl Strategy<Value = Untagged> {
    let finite = || proptest::num::f64::NORMAL | proptest::num::f64::ZERO;
    prop_oneof![
        any::<u8>().prop_map(Untagged::Small),
        any::<i128>().prop_map(Untagged::Wide),
        (-300_i128..300).prop_map(Untagged::Wide),
        finite().prop_map(Untagged::Real),
        "[a-z]{0,3}".prop_map(Untagged::Text),
        Just(Untagged::Nothing(())),
        any::<u32>().prop_map(|number| Untagged::Whole { number }),
        finite().prop_map(|number| Untagged::Loose { number }),
    ]
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let finite = || proptest::num::f64::NORMAL | proptest::num::f64::ZERO;
    prop_oneof![
        Just(serde_json::Value::Null),
        any::<u64>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        finite().prop_map(serde_json::Value::from),
        "[a-z]{0,3}".prop_map(serde_json::Value::from),
        proptest::collection::vec(finite(), 0..3).prop_map(serde_json::Value::from),
    ]
}
