//! Keeps what buyers did for ninety days and no longer, and generations for as long as somebody needs them. Of all
//! replicas that share a store, one does it each hour; a process with a store of its own does it for itself.

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
    match state.take_housekeeping_turn().await {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        Err(error) => {
            // Into a store that is not open a restore may have died as well. It has no turns, and seldom lasts.
            if matches!(error, StateError::NotOpen) {
                sweep(state).await;
            }
            return Err(error);
        }
    }
    sweep(state).await;
    // A day so early that there is none before it has nothing to forget either.
    let Ok(first_kept) = state.today().await?.checked_sub(DAYS_KEPT.days()) else {
        return Ok(Some(0));
    };
    state.forget_before(first_kept).await.map(Some)
}

/// What a restore left, and what nobody can go back to any more. That it failed is no reason not to forget.
async fn sweep(state: &dyn State) {
    match state.sweep_generations().await {
        Ok(0) => {}
        Ok(generations) => tracing::info!(generations, "dropped generations that nobody needs"),
        Err(error) => tracing::warn!(%error, "failed to drop generations that nobody needs"),
    }
}
