//! A fence that is held: renewed in the background, and noticed when it is lost.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinHandle};

use crate::{
    backup::error::BackupError,
    state::{
        State, StateError,
        generations::{FENCE_LASTS, Fence, RENEW_EVERY},
    },
};

/// How soon a store that did not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Holds writes back until it is dropped, and a while longer unless somebody lowers it.
pub(super) struct Fencing {
    fence: Fence,
    renewal: JoinHandle<()>,
    lost: watch::Receiver<Option<String>>,
}

impl Fencing {
    pub(super) async fn raise(state: Arc<dyn State>, id: &str) -> Result<Self, BackupError> {
        let fence = state.raise_fence(id).await?;
        Ok(Self::held(state, fence))
    }

    /// Goes on with one of another process; `None` when it is not up any more.
    pub(super) async fn resume(state: Arc<dyn State>, fence: Fence) -> Result<Option<Self>, BackupError> {
        match state.renew_fence(&fence).await {
            Ok(fence) => Ok(Some(Self::held(state, fence))),
            Err(StateError::FenceLost) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn held(state: Arc<dyn State>, fence: Fence) -> Self {
        let (tell, lost) = watch::channel(None);
        let renewal = tokio::spawn(keep(state, fence.clone(), tell));
        Self { fence, renewal, lost }
    }

    pub(super) fn fence(&self) -> &Fence {
        &self.fence
    }

    /// Does the work unless the fence is lost meanwhile.
    pub(super) async fn during<T>(
        &self,
        work: impl Future<Output = Result<T, BackupError>>,
    ) -> Result<T, BackupError> {
        let mut lost = self.lost.clone();
        let is_lost = async {
            match lost.wait_for(Option::is_some).await {
                Ok(reason) => reason.clone().unwrap_or_default(),
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            outcome = work => outcome,
            reason = is_lost => Err(BackupError::Other(format!(
                "writes are not held back any more ({reason}); nothing was switched: start again"
            ))),
        }
    }
}

impl Drop for Fencing {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

/// Until it is lost. The fence lasts a while without, so a store that is away for a moment loses nothing.
async fn keep(state: Arc<dyn State>, mut fence: Fence, tell: watch::Sender<Option<String>>) {
    let mut renewed = Instant::now();
    let mut pause = RENEW_EVERY;
    loop {
        tokio::time::sleep(pause).await;
        match state.renew_fence(&fence).await {
            Ok(next) => {
                fence = next;
                renewed = Instant::now();
                pause = RENEW_EVERY;
            }
            Err(error @ StateError::FenceLost) => {
                tell.send_replace(Some(error.to_string()));
                return;
            }
            Err(_) if renewed.elapsed() < FENCE_LASTS => pause = ASK_AGAIN,
            Err(error) => {
                tell.send_replace(Some(error.to_string()));
                return;
            }
        }
    }
}
