//! Whose turn it is to write for a dealership.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, Weak},
};

use tokio::sync::{Mutex, OwnedMutexGuard};

/// Lets the writes of one dealership through one by one. Those of others do not wait for them: a sale must not stand in
/// a queue behind another dealer's large stock.
#[derive(Debug, Default)]
pub(super) struct Turns(std::sync::Mutex<HashMap<String, Weak<Mutex<()>>>>);

impl Turns {
    /// Waits for the turn, which ends when what is given is dropped.
    pub(super) async fn of(&self, dealership: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Nothing is kept of those for whom nobody writes.
            turns.retain(|_, turn| turn.strong_count() > 0);
            let known = turns.get(dealership).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let turn = Arc::default();
                turns.insert(dealership.to_owned(), Arc::downgrade(&turn));
                turn
            })
        };
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// Prevents two writes of one dealership at once, a dealer from waiting for another, and names from piling up.
    #[tokio::test]
    async fn only_writes_of_one_dealership_wait_for_each_other() {
        let turns = Turns::default();
        let first = turns.of("a").await;
        assert!(turns.of("a").now_or_never().is_none());
        let other = turns.of("b").now_or_never();
        assert!(other.is_some());
        drop(first);
        assert!(turns.of("a").now_or_never().is_some());
        drop(other);
        let _ = turns.of("c").await;
        assert_eq!(turns.0.lock().unwrap().len(), 1);
    }
}
