//! The store that requests write to, which may be entered anew while the process runs.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;

use crate::state::State;

/// Holds the current connection.
pub(crate) struct Store(ArcSwap<Arc<dyn State>>);

impl Store {
    pub(crate) fn new(state: Arc<dyn State>) -> Self {
        Self(ArcSwap::from_pointee(state))
    }

    /// The connection as it is now.
    pub(crate) fn current(&self) -> Arc<dyn State> {
        Arc::clone(&self.0.load())
    }

    /// Uses another from now on; work in progress ends on the old one.
    pub(crate) fn switch(&self, state: Arc<dyn State>) {
        self.0.store(Arc::new(state));
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Store")
    }
}
