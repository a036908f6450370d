//! Bounds work that keeps a processor busy: so much at once, so much waiting, and no more.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, time::timeout};

use crate::error::ApiError;

/// Waiting requests for each one that runs. At a millisecond apiece that is a short queue; a longer one
/// would only be answered after its client gave up.
const WAITING_FOR_EACH: usize = 64;

/// How long a request waits for its turn.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Lets a bounded number of pieces of work through.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    /// Running and waiting.
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Gate {
    /// Lets `at_once` through at a time.
    #[must_use]
    pub(crate) fn new(at_once: usize) -> Self {
        Self {
            admitted: Arc::new(Semaphore::new(at_once * (1 + WAITING_FOR_EACH))),
            running: Arc::new(Semaphore::new(at_once)),
        }
    }

    /// Runs work on a thread that may be kept busy.
    ///
    /// # Errors
    /// [`ApiError::Busy`] when too many wait or the turn does not come in time, [`ApiError::Internal`] when
    /// the work panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let _admission = self.admitted.try_acquire().map_err(|_| ApiError::Busy)?;
        let turn = timeout(LONGEST_WAIT, Arc::clone(&self.running).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(ApiError::Busy);
        };
        let span = tracing::Span::current();
        // The turn ends with the work, not with the request: a client that goes away frees no processor.
        let work = move || {
            let _turn = turn;
            span.in_scope(work)
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| ApiError::Internal)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Prevents a burst of questionnaires from queueing without end: beyond the bound the answer is "busy".
    #[tokio::test]
    async fn what_exceeds_the_queue_is_refused_at_once() {
        let gate = Gate::new(1);
        let (release, held) = mpsc::channel::<()>();
        let running = tokio::spawn({
            let gate = gate.clone();
            async move { gate.run(move || held.recv().is_ok()).await }
        });
        let waiting: Vec<_> = (0..WAITING_FOR_EACH)
            .map(|_| {
                let gate = gate.clone();
                tokio::spawn(async move { gate.run(|| ()).await })
            })
            .collect();
        while gate.admitted.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(gate.run(|| ()).await, Err(ApiError::Busy));
        let answer = ApiError::Busy.response(None);
        let retry_after = answer.headers().get("retry-after").map(|value| value.as_bytes());
        assert_eq!((answer.status().as_u16(), retry_after), (503, Some(&b"1"[..])));
        release.send(()).unwrap();
        assert_eq!(running.await.unwrap(), Ok(true));
        for request in waiting {
            assert_eq!(request.await.unwrap(), Ok(()));
        }
        assert_eq!(gate.run(|| 7).await, Ok(7), "free again");
    }

    /// Prevents a panic in the engine from taking the worker's answers with it, or from leaking a turn.
    #[tokio::test]
    async fn a_panic_is_an_internal_error_and_gives_its_turn_back() {
        let gate = Gate::new(1);
        assert_eq!(
            gate.run(|| panic!("on purpose")).await,
            Err::<(), _>(ApiError::Internal)
        );
        assert_eq!(gate.run(|| 7).await, Ok(7));
    }
}
