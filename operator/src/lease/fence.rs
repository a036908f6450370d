//! The fence around the API server: without a valid term no write leaves the process, and one that is
//! on its way is dropped when the term ends.
//!
//! It stands beneath everything else in the client, retries included, so that no code can write
//! without it: events, statuses and children alike.

use std::task::{Context, Poll};

use futures::{
    FutureExt,
    future::{self, BoxFuture},
};
use http::{Method, Request};
use kube::client::Body;
use tower::{BoxError, Layer, Service};

use super::Leadership;

/// Why a write was not sent, or its answer not awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotLeading {
    /// This process did not lead when it wanted to write.
    #[error("this operator does not lead, so it writes nothing")]
    Refused,
    /// Its term ended during the write, which may or may not have taken effect.
    #[error("this operator ceased to lead while it was writing")]
    Dropped,
}

/// Puts a fence around a service; none without a leadership.
#[derive(Clone, Debug)]
pub struct FenceLayer(pub Option<Leadership>);

impl<S> Layer<S> for FenceLayer {
    type Service = Fence<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Fence {
            inner,
            leadership: self.0.clone(),
        }
    }
}

/// See [`FenceLayer`].
#[derive(Clone, Debug)]
pub struct Fence<S> {
    inner: S,
    leadership: Option<Leadership>,
}

impl<S> Service<Request<Body>> for Fence<S>
where
    S: Service<Request<Body>, Error = BoxError>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        let Some(leadership) = self.leadership.as_ref().filter(|_| !reads) else {
            return self.inner.call(request).boxed();
        };
        let Some(held) = leadership.held() else {
            return future::ready(Err(NotLeading::Refused.into())).boxed();
        };
        let call = self.inner.call(request);
        async move {
            tokio::select! {
                biased;
                answer = call => answer,
                () = held.lost() => Err(NotLeading::Dropped.into()),
            }
        }
        .boxed()
    }
}
