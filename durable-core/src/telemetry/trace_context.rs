//! A trace context as W3C Trace Context writes it: it is stored with an execution and passed on.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;

/// Length of a `traceparent` of version 00.
const TRACEPARENT: usize = 55;

/// Longest `tracestate`, in bytes: what the standard asks every program to pass on.
const LONGEST_STATE: usize = 512;

/// A place in a trace, as [W3C Trace Context](https://www.w3.org/TR/trace-context/) writes it: the headers `traceparent` and
/// `tracestate`. As text, the two with a space between them.
///
/// ```
/// use durable::telemetry::TraceContext;
///
/// let caller = TraceContext::new("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Some("vendor=7"))?;
/// assert_eq!(caller.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
/// assert!(TraceContext::new("4bf92f3577b34da6a3ce929d0e0e4736", None).is_err());
/// # Ok::<(), durable::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    traceparent: String,
    tracestate: Option<String>,
}

impl TraceContext {
    /// The place that these headers name. What a later version of the standard adds to `traceparent` is left out.
    ///
    /// # Errors
    /// `Invalid` for a `traceparent` that names no place, and for a `tracestate` over 512 bytes or with other characters than
    /// printable ASCII.
    pub fn new(traceparent: &str, tracestate: Option<&str>) -> Result<Self> {
        let known = known_part(traceparent).ok_or_else(|| {
            let shown: String = traceparent.chars().take(2 * TRACEPARENT).collect();
            let message =
                format!("`{shown}` is no traceparent; it looks like 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
            Error::of_kind(ErrorKind::Invalid, message)
        })?;
        let tracestate = tracestate.map(str::trim).filter(|state| !state.is_empty());
        let storable = |state: &str| state.len() <= LONGEST_STATE && state.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if !tracestate.is_none_or(storable) {
            let message =
                format!("a tracestate has up to {LONGEST_STATE} bytes of printable ASCII; leave it out, or cut its last entries");
            return Err(Error::of_kind(ErrorKind::Invalid, message));
        }
        Ok(Self { traceparent: format!("00{known}"), tracestate: tracestate.map(str::to_owned) })
    }

    /// The header `traceparent`.
    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    /// The header `tracestate`, if there is one.
    pub fn tracestate(&self) -> Option<&str> {
        self.tracestate.as_deref()
    }

    /// The id of the trace, 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        self.traceparent.split('-').nth(1).unwrap_or_default()
    }

    /// The trace of an execution whose starter was in none: its id is the execution's, so that every worker comes to the same.
    pub(crate) fn of_execution(id: ExecutionId) -> Self {
        let digits = id.as_uuid().simple().to_string();
        Self { traceparent: format!("00-{digits}-{}-01", &digits[16..]), tracestate: None }
    }
}

/// A `traceparent` from its first dash on, without what later versions may add.
fn known_part(traceparent: &str) -> Option<&str> {
    let (known, rest) = traceparent.split_at_checked(TRACEPARENT)?;
    let mut parts = known.split('-');
    let mut digits = |count| parts.next().filter(|part| part.len() == count && part.bytes().all(is_digit));
    let (version, trace, span, _flags) = (digits(2)?, digits(32)?, digits(16)?, digits(2)?);
    let names_a_place = version != "ff" && [trace, span].iter().all(|id| id.bytes().any(|digit| digit != b'0'));
    (names_a_place && if version == "00" { rest.is_empty() } else { rest.is_empty() || rest.starts_with('-') })
        .then_some(&known[2..])
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.traceparent)?;
        self.tracestate.iter().try_for_each(|state| write!(f, " {state}"))
    }
}

impl FromStr for TraceContext {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(' ') {
            Some((traceparent, tracestate)) => Self::new(traceparent, Some(tracestate)),
            None => Self::new(text, None),
        }
    }
}

impl Serialize for TraceContext {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_context_reads_back_from_its_text() {
        for (text, state) in [(PLACE.to_owned(), None), (format!("{PLACE} a=1, b=2"), Some("a=1, b=2"))] {
            let context: TraceContext = text.parse().unwrap();
            assert_eq!((context.traceparent(), context.tracestate()), (PLACE, state));
            assert_eq!(context.to_string(), text);
        }
    }

    #[test]
    fn what_a_later_version_adds_is_left_out() {
        let later = PLACE.replacen("00-", "01-", 1);
        for later in [later.clone(), format!("{later}-more")] {
            assert_eq!(TraceContext::new(&later, None).unwrap().traceparent(), PLACE);
        }
    }

    #[test]
    fn what_names_no_place_is_refused_and_said_to_be() {
        let refused = [
            "".to_owned(),
            format!("{PLACE}-more"),
            format!("{PLACE}0"),
            PLACE.to_uppercase(),
            PLACE.replacen("00-", "ff-", 1),
            PLACE.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            PLACE.replace("00f067aa0ba902b7", &"0".repeat(16)),
            PLACE.replace('-', "_"),
            "ü".repeat(TRACEPARENT),
        ];
        for traceparent in refused {
            let error = TraceContext::new(&traceparent, None).unwrap_err();
            assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains("it looks like 00-"), "{error}");
        }
        for state in ["a=\nb".to_owned(), "a=ü".to_owned(), "a".repeat(LONGEST_STATE + 1)] {
            assert!(TraceContext::new(PLACE, Some(&state)).unwrap_err().to_string().contains("512 bytes"));
        }
    }

    #[test]
    fn an_execution_whose_starter_was_in_no_trace_is_one_of_its_own_id() {
        let id = ExecutionId::new();
        let context = TraceContext::of_execution(id);
        assert_eq!(context.trace_id(), id.as_uuid().simple().to_string());
        assert_eq!(context.to_string().parse::<TraceContext>().unwrap(), context);
    }
}
