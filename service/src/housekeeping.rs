//! Keeps what buyers did for ninety days and no longer. Of all replicas that share a store, one does it each hour;
//! a process with a store of its own does it for itself.

use std::{sync::Arc, time::Duration};

use jiff::ToSpan;
use tokio::time::sleep;

use crate::{
    state::{State, StateError},
    store::Store,
};

/// What the privacy notice promises.
const DAYS_KEPT: i64 = 90;

/// How often a replica asks whether it is its turn: how late a turn may be that somebody else did not take.
const ASK_EVERY: Duration = Duration::from_secs(300);

/// Keeps house until dropped, whichever connection is the current one.
pub(crate) async fn keep(store: Arc<Store>) {
    loop {
        let state = store.current();
        match take_turn(&*state).await {
            Ok(None) | Err(StateError::NotOpen) => {}
            Ok(Some(events)) => {
                tracing::info!(events, days_kept = DAYS_KEPT, "forgot what buyers did long ago")
            }
            Err(error) => tracing::warn!(%error, "failed to forget what buyers did long ago"),
        }
        sleep(ASK_EVERY).await;
    }
}

/// Keeps house once if it is the caller's turn, and says how many events are gone.
///
/// # Errors
/// The store's. The turn is taken then: another comes in an hour.
pub async fn take_turn(state: &dyn State) -> Result<Option<usize>, StateError> {
    if !state.take_housekeeping_turn().await? {
        return Ok(None);
    }
    // A day so early that there is none before it has nothing to forget either.
    let Ok(first_kept) = state.today().await?.checked_sub(DAYS_KEPT.days()) else {
        return Ok(Some(0));
    };
    state.forget_before(first_kept).await.map(Some)
}
