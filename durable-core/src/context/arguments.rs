//! The digest of a step's arguments, for those that can be serialised.
//!
//! Autoref specialisation finds out which can: `(&Argument(&x)).add_to(…)` resolves to [`DigestSerialized`] where it applies,
//! and one reference later to [`DigestOpaque`].

use serde::Serialize;

use crate::payload::{CalledWith, Digest};
use crate::running::ambient;

/// An argument of a step.
#[derive(Debug)]
pub struct Argument<'a, T: ?Sized>(pub &'a T);

/// Adds an argument that can be serialised.
pub trait DigestSerialized {
    /// Adds it.
    fn add_to(&self, digest: &mut Digest);
}

/// Adds an argument that cannot be serialised.
pub trait DigestOpaque {
    /// Adds it to the text of a report only.
    fn add_to(&self, digest: &mut Digest);
}

impl<T: Serialize + ?Sized> DigestSerialized for Argument<'_, T> {
    fn add_to(&self, digest: &mut Digest) {
        digest.add_argument(self.0);
    }
}

impl<T: ?Sized> DigestOpaque for &Argument<'_, T> {
    fn add_to(&self, digest: &mut Digest) {
        digest.add_opaque();
    }
}

/// The digest of a call's arguments, and in a replay their text; `None` outside an execution, because nothing is recorded there.
pub fn digest(write: impl FnOnce(&mut Digest)) -> Option<CalledWith> {
    let scope = ambient::scope()?;
    let mut digest = scope.run.digest();
    write(&mut digest);
    Some(digest.called_with())
}

/// An argument of a step that may be repeated (it is retried or transactional). Each call of the body gets a clone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` must be `Clone`, because the step may be called again and each call needs its own",
    label = "cannot be given to a second call",
    note = "take `&{Self}`, derive `Clone` for it, or remove `retry(…)` or `transaction` from the step"
)]
pub trait RetryArgument {
    /// Another one for the next attempt.
    #[must_use]
    fn again(&self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Clone> RetryArgument for T {
    fn again(&self) -> Self {
        self.clone()
    }
}
