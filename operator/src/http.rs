//! `/livez`, `/readyz` and `/metrics`, and the health check of the container image.

use std::{
    convert::Infallible,
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::registry::Registry;
use tokio::{net::TcpListener, sync::Semaphore};

use crate::{health::Health, metrics};

/// Open connections at most: probes and one or two scrapers use a handful.
const CONNECTIONS: usize = 64;

/// Longest time for a request's head to arrive; a client that sends nothing must not hold a place.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers on `listener` until the process ends.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    listener: TcpListener,
    health: Arc<Health>,
    registry: Arc<Registry>,
) -> anyhow::Result<()> {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = places
            .clone()
            .acquire_owned()
            .await
            .context("failed to wait for a free place")?;
        let (stream, _) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // A connection that was reset before it was accepted, or no file handles for a moment.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (health, registry) = (health.clone(), registry.clone());
        tokio::spawn(async move {
            let _place = place;
            let answer = service_fn(move |request: Request<Incoming>| {
                let response = respond(request.method(), request.uri().path(), &health, &registry);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), answer);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended badly");
            }
        });
    }
}

fn respond(method: &Method, path: &str, health: &Health, registry: &Registry) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
    }
    match path {
        "/livez" => match health.stalled() {
            stalled if stalled.is_empty() => text(StatusCode::OK, "alive\n".to_owned()),
            stalled => {
                let names = stalled.join(", ");
                text(
                    StatusCode::SERVICE_UNAVAILABLE,
                    format!("not attempted for too long: {names}\n"),
                )
            }
        },
        "/readyz" if health.is_ready() => text(StatusCode::OK, "ready\n".to_owned()),
        "/readyz" => text(
            StatusCode::SERVICE_UNAVAILABLE,
            "the first lists are not complete yet\n".to_owned(),
        ),
        "/metrics" => match metrics::exposition(registry) {
            Ok(exposition) => typed(StatusCode::OK, metrics::CONTENT_TYPE, exposition),
            Err(_) => text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the metrics cannot be written\n".to_owned(),
            ),
        },
        _ => text(StatusCode::NOT_FOUND, "/livez, /readyz, /metrics\n".to_owned()),
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    typed(status, "text/plain; charset=utf-8", body)
}

fn typed(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(content_type),
    );
    response
}

/// Asks the operator that listens on this machine at `listen` whether it is alive.
///
/// # Errors
/// When it does not answer, or answers anything but 200.
pub fn healthcheck(listen: SocketAddr) -> anyhow::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let host = match listen.ip() {
        address if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        address => address,
    };
    let address = SocketAddr::new(host, listen.port());
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)
        .with_context(|| format!("failed to reach the operator at {address}"))?;
    stream
        .set_read_timeout(Some(PATIENCE))
        .context("failed to bound the wait for an answer")?;
    stream
        .write_all(format!("GET /livez HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
        .context("failed to ask the operator")?;
    let mut answer = [0; 64];
    let length = stream
        .read(&mut answer)
        .context("failed to hear the operator's answer")?;
    let answer = String::from_utf8_lossy(&answer[..length]);
    let Some(status) = answer.split_whitespace().nth(1) else {
        bail!("the operator gave no HTTP answer")
    };
    if status != "200" {
        bail!("the operator at {address} says {status}: its log tells why");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    /// Prevents: an operator whose watch or lease task hangs, and whose pod the kubelet leaves alone.
    #[tokio::test(start_paused = true)]
    async fn livez_fails_when_a_watch_or_the_lease_is_silent() {
        let health = Health::new([("pods".to_owned(), crate::area::Area::Everywhere)]);
        let registry = Registry::default();
        let ask = || respond(&Method::GET, "/livez", &health, &registry);
        assert_eq!(ask().status(), StatusCode::OK);
        tokio::time::advance(Duration::from_secs(3600)).await;
        let answer = ask();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(body, "not attempted for too long: pods, leases\n");
    }
}
