//! Walks a value once: finds what JSON could not carry, and digests the rest.
//!
//! The digest tells one value from another across processes and releases, by its JSON: a struct and a map with the same members have
//! the same digest. It sees the order of sequences and tuples, but not that of maps and hash sets, which have none. It does not see
//! members that are empty (`null`, `false`, zero, an empty text, list or object), so that adding a field with an empty default does
//! not change it.

use std::fmt::{self, Display};

use serde::ser::{self, Serialize};

/// Deepest nesting that serde_json reads back: it gives up at 128 levels.
const DEEPEST: usize = 126;

/// Most bytes of an argument in a report.
const SHOWN_OF_ARGUMENT: usize = 200;

/// The digest of a step's arguments, in the order they are added. Empty options at its end do not change it, so that a step may get
/// one more while its calls are on record.
#[derive(Debug, Default)]
pub struct Digest {
    value: u64,
    /// Arguments without a digest since then.
    empty: u32,
    /// The arguments as text, if a report may need them.
    text: Option<String>,
}

/// The arguments of a call.
#[derive(Debug)]
pub struct CalledWith {
    pub(crate) digest: u64,
    /// The beginning of each as JSON, in a replay: for the report if they are not the recorded ones.
    pub(crate) text: Option<String>,
}

impl Digest {
    /// One that keeps the beginning of each argument as text.
    pub(crate) fn with_text() -> Self {
        Self { text: Some(String::new()), ..Self::default() }
    }

    /// Adds an argument.
    pub(crate) fn add_argument<T: Serialize + ?Sized>(&mut self, argument: &T) {
        self.add(digest(argument));
        self.add_text(|| shown_as_json(argument));
    }

    /// Adds an argument that has no digest.
    pub(crate) fn add_opaque(&mut self) {
        self.add_text(|| "…".to_owned());
    }

    fn add_text(&mut self, argument: impl FnOnce() -> String) {
        if let Some(text) = &mut self.text {
            if !text.is_empty() {
                text.push_str(", ");
            }
            text.push_str(&argument());
        }
    }

    pub(super) fn add(&mut self, argument: u64) {
        if argument == 0 {
            self.empty += 1;
            return;
        }
        for _ in 0..std::mem::take(&mut self.empty) {
            self.mix_in(0);
        }
        self.mix_in(argument);
    }

    fn mix_in(&mut self, argument: u64) {
        self.value = mix(self.value.rotate_left(17) ^ argument);
    }

    pub(crate) fn called_with(self) -> CalledWith {
        CalledWith { digest: self.value, text: self.text }
    }
}

/// A value as JSON, as far as a report shows it.
fn shown_as_json<T: Serialize + ?Sized>(value: &T) -> String {
    let mut text = Beginning::default();
    // It fails when there is more than is shown, and never writes the rest.
    let whole = serde_json::to_writer(&mut text, value).is_ok();
    let mut shown = String::from_utf8_lossy(&text.0).into_owned();
    if !whole {
        shown.truncate(shown.floor_char_boundary(SHOWN_OF_ARGUMENT));
        shown.push('…');
    }
    shown
}

/// Takes the first bytes, and refuses more.
#[derive(Default)]
struct Beginning(Vec<u8>);

impl std::io::Write for Beginning {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() > SHOWN_OF_ARGUMENT {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        self.0.extend_from_slice(&bytes[..bytes.len().min(SHOWN_OF_ARGUMENT + 1)]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Says why a value could not be stored, if so.
pub(super) fn check<T: Serialize + ?Sized>(value: &T) -> Result<(), Refusal> {
    value.serialize(Inspector::new::<T>(0)).map(drop)
}

/// The digest of a value; zero for one that cannot be serialised at all.
pub(super) fn digest<T: Serialize + ?Sized>(value: &T) -> u64 {
    value.serialize(Inspector::new::<T>(0)).unwrap_or(0)
}

/// What JSON could not carry, and where it stands.
#[derive(Debug)]
pub(super) struct Refusal {
    path: String,
    reason: String,
}

impl Refusal {
    fn new(reason: impl Into<String>) -> Self {
        Self { path: String::new(), reason: reason.into() }
    }

    fn in_field(mut self, name: &str) -> Self {
        let joint = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{name}{joint}{}", self.path);
        self
    }

    fn at_index(mut self, index: usize) -> Self {
        let joint = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("[{index}]{joint}{}", self.path);
        self
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.path.is_empty() { "it" } else { &self.path };
        write!(f, "{place} {}", self.reason)
    }
}

impl std::error::Error for Refusal {}

impl ser::Error for Refusal {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}

/// A serializer that writes nothing; its output is the digest.
#[derive(Clone, Copy)]
struct Inspector {
    depth: usize,
    /// Whether the value is a hash set: its elements come in another order each time.
    unordered: bool,
}

/// The digest of a compound value as its parts come in.
struct Parts {
    depth: usize,
    unordered: bool,
    sum: u64,
    count: usize,
    key: u64,
}

/// The name under which serde_json writes text that is JSON already.
const RAW: &str = "$serde_json::private::RawValue";

/// Whether values of this type are hash sets, which serde does not tell from lists.
fn is_hash_set<T: ?Sized>() -> bool {
    let mut name = std::any::type_name::<T>();
    let around = ["&", "mut ", "alloc::boxed::Box<", "alloc::sync::Arc<", "alloc::rc::Rc<"];
    while let Some(inner) = around.iter().find_map(|around| name.strip_prefix(around)) {
        name = inner;
    }
    name.split('<').next().is_some_and(|name| name.ends_with("::HashSet"))
}

impl Inspector {
    /// For a value of this type.
    fn new<T: ?Sized>(depth: usize) -> Self {
        Self { depth, unordered: is_hash_set::<T>() }
    }

    fn parts(self) -> Result<Parts, Refusal> {
        if self.depth >= DEEPEST {
            return Err(Refusal::new(format!("is nested over {DEEPEST} levels deep, and could not be decoded again")));
        }
        Ok(Parts { depth: self.depth + 1, unordered: self.unordered, sum: 0, count: 0, key: 0 })
    }

    /// Looks into text that is JSON already, as into the value it stands for.
    fn raw<T: Serialize + ?Sized>(self, text: &T) -> Result<u64, Refusal> {
        let read = |error: serde_json::Error| Refusal::new(format!("is JSON that does not decode: {error}"));
        let text: String = serde_json::to_value(text).and_then(serde_json::from_value).map_err(read)?;
        let value: serde_json::Value = serde_json::from_str(&text).map_err(read)?;
        value.serialize(self)
    }
}

impl Parts {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
        let index = self.count;
        self.count += 1;
        let digest = value.serialize(Inspector::new::<T>(self.depth)).map_err(|refusal| refusal.at_index(index))?;
        self.sum = if self.unordered { self.sum } else { mix(self.sum) }.wrapping_add(mix(digest));
        Ok(())
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Refusal> {
        let digest = value.serialize(Inspector::new::<T>(self.depth)).map_err(|refusal| refusal.in_field(name))?;
        self.pair(text(name), digest);
        Ok(())
    }

    fn pair(&mut self, key: u64, value: u64) {
        if value != EMPTY {
            self.sum = self.sum.wrapping_add(mix(key ^ mix(value)));
        }
    }

    fn end(self) -> Result<u64, Refusal> {
        let is_empty = self.sum == 0 && self.count == 0;
        Ok(if is_empty { EMPTY } else { mix(self.sum ^ 0x5eed) })
    }
}

/// The digest of a member that counts as absent in a struct or map: `null`, `false`, zero, and empty texts, lists and objects.
const EMPTY: u64 = 0;

fn text(text: &str) -> u64 {
    if text.is_empty() { EMPTY } else { mix(bytes(text.as_bytes())) }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// FNV-1a, 64 bits (RFC 9923).
fn bytes(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

macro_rules! integers {
    ($($method:ident $type:ty),*) => {
        $(fn $method(self, value: $type) -> Result<u64, Refusal> {
            Ok(if value == 0 { EMPTY } else { mix(value as u64 ^ 0x1a7e) })
        })*
    };
}

impl ser::Serializer for Inspector {
    type Ok = u64;
    type Error = Refusal;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Fields;
    type SerializeStructVariant = Parts;

    integers!(
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64, serialize_i128 i128,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64, serialize_u128 u128
    );

    fn serialize_bool(self, value: bool) -> Result<u64, Refusal> {
        Ok(if value { mix(3) } else { EMPTY })
    }

    fn serialize_f32(self, value: f32) -> Result<u64, Refusal> {
        self.serialize_f64(f64::from(value))
    }

    fn serialize_f64(self, value: f64) -> Result<u64, Refusal> {
        if value.is_finite() {
            Ok(if value.to_bits() == 0 { EMPTY } else { mix(value.to_bits()) })
        } else {
            Err(Refusal::new(format!("is {value}, which JSON cannot hold")))
        }
    }

    fn serialize_char(self, value: char) -> Result<u64, Refusal> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<u64, Refusal> {
        if value.contains('\0') {
            return Err(Refusal::new("contains the character \\u0000, which Postgres cannot hold"));
        }
        Ok(text(value))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<u64, Refusal> {
        Ok(if value.is_empty() { EMPTY } else { mix(bytes(value)) })
    }

    fn serialize_none(self) -> Result<u64, Refusal> {
        Ok(EMPTY)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<u64, Refusal> {
        value.serialize(Self::new::<T>(self.depth))
    }

    fn serialize_unit(self) -> Result<u64, Refusal> {
        Ok(EMPTY)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<u64, Refusal> {
        Ok(EMPTY)
    }

    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Result<u64, Refusal> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Result<u64, Refusal> {
        value.serialize(Self::new::<T>(self.depth))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<u64, Refusal> {
        let mut parts = self.parts()?;
        parts.field(variant, value)?;
        Ok(mix(bytes(variant.as_bytes()) ^ parts.end()?))
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Parts, Refusal> {
        self.parts()
    }

    fn serialize_tuple(self, _len: usize) -> Result<Parts, Refusal> {
        self.parts()
    }

    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<Parts, Refusal> {
        self.parts()
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Parts, Refusal> {
        variant_parts(self, variant)
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Parts, Refusal> {
        self.parts()
    }

    fn serialize_struct(self, name: &'static str, _len: usize) -> Result<Fields, Refusal> {
        if name == RAW { Ok(Fields::Raw(self, EMPTY)) } else { self.parts().map(Fields::Named) }
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Parts, Refusal> {
        variant_parts(self, variant)
    }
}

/// The parts of `{"Variant": …}`: one level for the object, one for what the variant holds.
fn variant_parts(inspector: Inspector, variant: &'static str) -> Result<Parts, Refusal> {
    let mut parts = Inspector { depth: inspector.parts()?.depth, unordered: false }.parts()?;
    parts.sum = bytes(variant.as_bytes());
    Ok(parts)
}

macro_rules! sequences {
    ($($trait:ident $method:ident),*) => {
        $(impl ser::$trait for Parts {
            type Ok = u64;
            type Error = Refusal;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
                self.element(value)
            }

            fn end(self) -> Result<u64, Refusal> {
                Self::end(self)
            }
        })*
    };
}

sequences!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

/// The fields of a struct, or what serde_json writes like one: text that is JSON already, with its digest.
enum Fields {
    Named(Parts),
    Raw(Inspector, u64),
}

impl ser::SerializeStruct for Fields {
    type Ok = u64;
    type Error = Refusal;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Refusal> {
        match self {
            Self::Named(parts) => parts.field(name, value)?,
            Self::Raw(inspector, digest) => *digest = inspector.raw(value)?,
        }
        Ok(())
    }

    fn end(self) -> Result<u64, Refusal> {
        match self {
            Self::Named(parts) => parts.end(),
            Self::Raw(_, digest) => Ok(digest),
        }
    }
}

impl ser::SerializeStructVariant for Parts {
    type Ok = u64;
    type Error = Refusal;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Refusal> {
        self.field(name, value)
    }

    fn end(self) -> Result<u64, Refusal> {
        Self::end(self)
    }
}

impl ser::SerializeMap for Parts {
    type Ok = u64;
    type Error = Refusal;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refusal> {
        self.key = key.serialize(Inspector::new::<T>(self.depth)).map_err(|refusal| refusal.in_field("a key"))?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refusal> {
        let digest = value.serialize(Inspector::new::<T>(self.depth)).map_err(|refusal| refusal.in_field("a value"))?;
        self.pair(self.key, digest);
        Ok(())
    }

    fn end(self) -> Result<u64, Refusal> {
        Self::end(self)
    }
}
