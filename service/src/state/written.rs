//! What a store has written and not yet promised to keep.

use std::fmt;

use futures::future::{BoxFuture, FutureExt, ready};

use super::StateError;

/// The outcome of a durable write, given out only once the store keeps it through a loss of power, as far as
/// the store can tell.
///
/// Writing and confirming are two steps, so that a writer lets the next one begin meanwhile: a disk that is
/// synced once a second would otherwise take one write a second.
#[must_use = "what is written is acknowledged only after `confirmed`"]
pub struct Written<T> {
    outcome: T,
    confirmation: BoxFuture<'static, Result<(), StateError>>,
}

impl<T> Written<T> {
    /// An outcome with what tells whether it is kept.
    pub fn new(outcome: T, confirmation: BoxFuture<'static, Result<(), StateError>>) -> Self {
        Self {
            outcome,
            confirmation,
        }
    }

    /// An outcome that needs no confirmation: nothing was written, or the store keeps nothing anyway.
    pub fn as_it_is(outcome: T) -> Self {
        Self::new(outcome, ready(Ok(())).boxed())
    }

    /// Waits until the store keeps it.
    ///
    /// # Errors
    /// [`StateError::Reach`] when that is not known in time: it may be written or not.
    pub async fn confirmed(self) -> Result<T, StateError> {
        self.confirmation.await?;
        Ok(self.outcome)
    }

    /// The same, with an outcome that may not be to be had.
    ///
    /// # Errors
    /// Those of the change.
    pub fn try_map<U, E>(self, change: impl FnOnce(T) -> Result<U, E>) -> Result<Written<U>, E> {
        Ok(Written::new(change(self.outcome)?, self.confirmation))
    }

    /// The same, with another outcome.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Written<U> {
        Written::new(change(self.outcome), self.confirmation)
    }
}

impl<T: fmt::Debug> fmt::Debug for Written<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Written").field(&self.outcome).finish()
    }
}
