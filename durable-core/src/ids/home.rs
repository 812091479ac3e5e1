//! The number of a home, which is part of an execution's id.

use std::fmt;

use uuid::Uuid;

use crate::error::{Error, ErrorKind};

/// The number of a home: a complete schema in one database, in which an execution lives with its children, waits and messages.
///
/// Each [`ExecutionId`](super::ExecutionId) carries the number of its home in twelve bits. There is one home so far, number 0; the
/// numbers above it are reserved for installations that spread over several databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Home(u16);

impl Home {
    /// The number of homes that an id can tell apart: 4096. Numbers are below it.
    pub const COUNT: u16 = 1 << 12;

    /// The number, from 0 to 4095.
    pub fn number(self) -> u16 {
        self.0
    }

    /// Reads the last twelve bits of an id.
    pub(super) fn of(id: Uuid) -> Self {
        let [.., high, low] = id.into_bytes();
        Self(u16::from_be_bytes([high & 0x0f, low]))
    }

    /// Writes this number into the last twelve bits of an id.
    pub(super) fn mark(self, id: Uuid) -> Uuid {
        let mut bytes = id.into_bytes();
        let [.., high, low] = &mut bytes;
        let [home_high, home_low] = self.0.to_be_bytes();
        *high = *high & 0xf0 | home_high;
        *low = home_low;
        Uuid::from_bytes(bytes)
    }
}

impl TryFrom<u16> for Home {
    type Error = Error;

    fn try_from(number: u16) -> Result<Self, Error> {
        if number < Self::COUNT {
            return Ok(Self(number));
        }
        let problem = format!("{number} is not the number of a home; give 0 to {}", Self::COUNT - 1);
        Err(Error::of_kind(ErrorKind::Invalid, problem))
    }
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn homes() -> impl Strategy<Value = Home> {
        (0..Home::COUNT).prop_map(Home)
    }

    fn uuids() -> impl Strategy<Value = Uuid> {
        any::<u128>().prop_map(Uuid::from_u128)
    }

    proptest! {
        #[test]
        fn an_id_gives_back_the_home_it_was_marked_with(id in uuids(), home in homes()) {
            prop_assert_eq!(Home::of(home.mark(id)), home);
        }

        #[test]
        fn a_mark_changes_the_last_three_hexadecimal_digits_and_nothing_else(id in uuids(), home in homes()) {
            let (before, after) = (id.simple().to_string(), home.mark(id).simple().to_string());
            prop_assert_eq!(after, format!("{}{:03x}", &before[..29], home.number()));
        }

        #[test]
        fn ids_that_differ_before_the_home_keep_their_order(one in uuids(), other in uuids(), home in homes(), away in homes()) {
            prop_assume!(one.as_u128() >> 12 != other.as_u128() >> 12);
            prop_assert_eq!(home.mark(one).cmp(&away.mark(other)), one.cmp(&other));
        }

        #[test]
        fn a_number_is_refused_if_it_does_not_fit(number in any::<u16>()) {
            prop_assert_eq!(Home::try_from(number).is_ok(), number < 4096);
        }
    }

    #[test]
    fn the_message_about_a_number_that_does_not_fit_says_which_do() {
        let message = Home::try_from(4096).unwrap_err().to_string();
        assert!(message.contains("4096 is not the number of a home; give 0 to 4095"), "{message}");
    }
}
