//! What happens to every request, whatever its route: an id, a line in the log, counters, headers, limits, one
//! form of error, a bound in time, and a panic that stays within its request.
//!
//! ```text
//!   envelope (deadline, containment) ▶ Compress ▶ router
//! ```
//!
//! One layer, because each costs every request two allocations and a turn through the executor.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        Method,
        header::{
            CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
            STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FORWARDED_FOR, X_FRAME_OPTIONS,
        },
    },
    middleware::Next,
    web,
};
use futures::FutureExt;
use prometheus_client::metrics::gauge::Gauge;
use tracing::Instrument;

use crate::{
    cors,
    error::ApiError,
    limits::{self, Class, client_address::Client, gcra::Decision},
    random, routes,
    startup::Shared,
    unpacking,
};

/// A whole stock of a hundred thousand cars is some 6 MiB as gzip: this carries it at 0.5 Mbit/s.
const LONGEST_UPLOAD: Duration = Duration::from_secs(120);

/// What the server itself takes of a head over HTTP/1.1, beyond which it answers 431 before any of this is asked.
const LARGEST_HEAD: usize = 128 << 10;
const MOST_HEADERS: usize = 96;

/// Who has been here over TLS comes back over TLS alone. A year is what browsers ask for to believe it.
const A_YEAR_OF_TLS: &str = "max-age=31536000";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_REQUEST_ID: usize = 128;

/// The id under which a request stands in the log. A value of a header, so that it is copied nowhere.
#[derive(Clone, Debug)]
struct RequestId(HeaderValue);

impl RequestId {
    /// Takes the client's id when it is fit for a log, and makes one otherwise.
    fn of(request: &ServiceRequest) -> Self {
        let fit = |id: &&HeaderValue| {
            let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-:/+=".contains(byte);
            (1..=LONGEST_REQUEST_ID).contains(&id.len()) && id.as_bytes().iter().all(allowed)
        };
        if let Some(given) = request.headers().get(&REQUEST_ID).filter(fit) {
            return Self(given.clone());
        }
        let made = HeaderValue::from_bytes(&random::request_name());
        Self(made.unwrap_or(HeaderValue::from_static("unnamed")))
    }

    fn as_str(&self) -> &str {
        // Letters, digits and signs, whoever made it.
        self.0.to_str().unwrap_or_default()
    }
}

/// Lowers the gauge however the request ends, also when its client goes away.
struct InFlight(Gauge);

impl InFlight {
    fn enter(in_flight: &Gauge) -> Self {
        in_flight.inc();
        Self(in_flight.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The layer around everything.
pub(crate) async fn envelope(
    shared: web::Data<Shared>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let _in_flight = InFlight::enter(&shared.metrics.requests_in_flight);
    let id = RequestId::of(&request);
    let method = method_word(request.method());
    let over_tls = request.app_config().secure();
    let route = routes::pattern_of(&request);
    let span = tracing::info_span!("request", request_id = id.as_str());

    let origin = shared.cors_origins.of(request.headers());
    let head_fits = head_fits(&request);
    let limited = limit(&shared, &route, &request, origin.is_some()).await;
    let outcome = match limited {
        Some((_, decision)) if !decision.allowed => Ok(request.error_response(ApiError::TooManyRequests {
            retry_after_seconds: decision.retry_after_seconds(),
        })),
        _ if !head_fits => Ok(request.error_response(ApiError::HeadTooLarge)),
        _ if origin.is_some() && cors::is_preflight(request.method(), request.headers()) => {
            Ok(request.into_response(preflight()))
        }
        _ => {
            let bound = bound_in_time(&shared, &request);
            unpacking::cut(&mut request);
            let answer = answer(next.call(request), bound).instrument(span).await;
            answer.map(|response| response.map_body(|_, body| boxed(body)))
        }
    };
    let (status, answer) = match outcome {
        Ok(response) => {
            let response = as_problem(response, &id);
            (response.status(), Ok(response))
        }
        Err(error) => {
            let response = ApiError::of_error(&error).response(Some(id.as_str()));
            (response.status(), Err(response))
        }
    };
    let took = started.elapsed();
    let (status, microseconds) = (status.as_u16(), took.as_micros() as u64);
    if shared.access_log.takes(status) {
        tracing::info!(
            request_id = id.as_str(),
            method,
            route = &*route,
            status,
            microseconds,
            "request answered"
        );
    }
    shared.metrics.request(method, route, status, took);

    let add_headers = |headers: &mut HeaderMap| {
        add_headers(headers, &id, over_tls);
        shared.cors_origins.add_headers(headers, origin.as_ref());
        if let Some((class, decision)) = &limited {
            limits::add_headers(headers, *class, shared.quotas.of(*class), decision);
        }
    };
    match answer {
        Ok(mut response) => {
            add_headers(response.headers_mut());
            Ok(response)
        }
        // The request went down with the error: what is left is to hand the server a finished answer.
        Err(mut response) => {
            add_headers(response.headers_mut());
            Err(InternalError::from_response("answered with a problem", response).into())
        }
    }
}

/// Counts the request against the limit of its class, where there is one.
///
/// A preflight of an allowed origin is not counted: the page did not ask for it, and it costs what a refusal does.
async fn limit(
    shared: &Shared,
    route: &str,
    request: &ServiceRequest,
    of_allowed_origin: bool,
) -> Option<(Class, Decision)> {
    let decider = shared.limits.as_ref()?;
    let class = Class::of(route)?;
    if of_allowed_origin && cors::is_preflight(request.method(), request.headers()) {
        return None;
    }
    let peer = request.peer_addr().map(|address| address.ip());
    let forwarded_for = request
        .headers()
        .get_all(X_FORWARDED_FOR)
        .map(HeaderValue::as_bytes);
    let client = Client::of(peer, forwarded_for, shared.trusted_hops);
    let decision = decider.decide(class, client).await;
    if !decision.allowed {
        shared.metrics.limited(class);
    }
    Some((class, decision))
}

/// Whether a head is no larger than HTTP/1.1 lets one be. Over HTTP/2 a few KiB on the wire unpack to MiB, and the
/// server bounds none of it but at 16 MiB.
fn head_fits(request: &ServiceRequest) -> bool {
    let address = request.uri().path().len() + request.query_string().len();
    let headers: usize = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    address + headers <= LARGEST_HEAD && request.headers().len() <= MOST_HEADERS
}

fn preflight() -> HttpResponse {
    let mut answer = HttpResponse::NoContent();
    for header in cors::PREFLIGHT {
        answer.append_header(header);
    }
    answer.finish()
}

/// Gives every refusal the one form, whoever made it, with the request's id.
fn as_problem(response: ServiceResponse<BoxBody>, id: &RequestId) -> ServiceResponse<BoxBody> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let error = match response.response().error() {
        Some(error) => ApiError::of_error(error),
        None => ApiError::of_status(status),
    };
    let (request, _) = response.into_parts();
    ServiceResponse::new(request, error.response(Some(id.as_str())))
}

fn add_headers(headers: &mut HeaderMap, id: &RequestId, over_tls: bool) {
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Without TLS browsers ignore it, and a proxy in front that speaks TLS says it for itself.
    if over_tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(A_YEAR_OF_TLS));
    }
    // Answers are data: whoever opens one in a browser runs nothing from it. Only pages say otherwise.
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
        headers.insert(CONTENT_SECURITY_POLICY, nothing);
    }
    headers.insert(REQUEST_ID, id.0.clone());
}

/// Clients can send any word as a method; a label has a closed list.
fn method_word(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}

/// How long a request may take: what takes this long is a body that does not arrive.
fn bound_in_time(shared: &Shared, request: &ServiceRequest) -> Duration {
    let uploads = request.method() == Method::PUT && request.path().ends_with("/stock");
    if uploads {
        LONGEST_UPLOAD.max(shared.longest_request)
    } else {
        shared.longest_request
    }
}

/// The answer, within a bound in time. A panic becomes an error of this request; the worker and its other requests go
/// on.
async fn answer<Answer>(
    answering: impl Future<Output = Result<Answer, Error>>,
    bound: Duration,
) -> Result<Answer, Error> {
    let contained = AssertUnwindSafe(answering).catch_unwind();
    match tokio::time::timeout(bound, contained).await {
        Ok(Ok(answer)) => answer,
        // What happened is in the log already, under this request's id.
        Ok(Err(_)) => Err(ApiError::Internal.into()),
        Err(_) => Err(ApiError::TooSlow.into()),
    }
}

/// A body that is whole stays so, and is sent without being asked for piece by piece.
fn boxed(body: impl MessageBody + 'static) -> BoxBody {
    match body.try_into_bytes() {
        Ok(bytes) => BoxBody::new(bytes),
        Err(body) => body.boxed(),
    }
}

/// The answer of a path to a method that it does not have.
pub(crate) fn method_not_allowed(allow: String) -> Result<HttpResponse, ApiError> {
    Err(ApiError::MethodNotAllowed { allow })
}

/// The answer of paths that do not exist.
pub(crate) async fn route_not_found() -> Result<HttpResponse, ApiError> {
    Err(ApiError::RouteNotFound)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{ErrorKind, Read, Write},
        net::{TcpListener, TcpStream},
        time::{Duration, Instant},
    };

    use actix_web::HttpServer;
    use reqwest::{Client, Response};

    use super::*;
    use crate::startup::{self, Shared};

    async fn panics() -> HttpResponse {
        panic!("a secret of the inside")
    }

    async fn never_answers() -> HttpResponse {
        std::future::pending().await
    }

    /// Every layer around two routes that go wrong, on one worker.
    fn serve() -> (String, web::Data<Shared>) {
        let shared = web::Data::new(Shared {
            longest_request: Duration::from_millis(200),
            ..Shared::without_catalogue(1)
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let inside = shared.clone();
        let server = HttpServer::new(move || {
            startup::app(inside.clone(), |config| {
                config
                    .route("/panics", web::get().to(panics))
                    .route("/slow/{id}", web::get().to(never_answers));
            })
        });
        tokio::spawn(
            server
                .workers(1)
                .disable_signals()
                .listen(listener)
                .unwrap()
                .run(),
        );
        (address, shared)
    }

    async fn problem_of(response: Response, status: u16) -> serde_json::Value {
        assert_eq!(response.status(), status);
        let headers = response.headers().clone();
        assert_eq!(headers["content-type"], "application/problem+json");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        let problem: serde_json::Value = response.json().await.unwrap();
        assert_eq!(problem["request_id"], headers["x-request-id"].to_str().unwrap());
        problem
    }

    /// Prevents a panic from dropping the connection without an answer, from telling a client about the
    /// inside, or from taking the worker with it.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_panic_is_answered_and_the_worker_goes_on() {
        let (address, shared) = serve();
        let client = Client::new();
        for round in 1..=3 {
            let problem =
                problem_of(client.get(format!("{address}/panics")).send().await.unwrap(), 500).await;
            assert!(!problem.to_string().contains("secret"), "{problem}");
            assert_eq!(
                client
                    .get(format!("{address}/livez"))
                    .send()
                    .await
                    .unwrap()
                    .status(),
                200,
                "{round}"
            );
        }
        assert_eq!(shared.metrics.requests_in_flight.get(), 0);
    }

    /// Prevents a request from taking a place for ever.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_request_that_takes_too_long_is_ended() {
        let (address, shared) = serve();
        problem_of(
            Client::new()
                .get(format!("{address}/slow/1"))
                .send()
                .await
                .unwrap(),
            408,
        )
        .await;
        assert_eq!(shared.metrics.requests_in_flight.get(), 0);
    }

    /// Prevents a client that sends its body a byte at a time from keeping a place for as long as it likes: every byte comes
    /// in time, and the whole does not.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_body_that_dribbles_is_ended() {
        let (address, shared) = serve();
        let address = address.trim_start_matches("http://").to_owned();
        let dribbling = tokio::task::spawn_blocking(move || {
            let mut connection = TcpStream::connect(address).unwrap();
            let every = Duration::from_millis(20);
            connection.set_read_timeout(Some(every)).unwrap();
            let head = "POST /feedback HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                        content-length: 60000\r\n\r\n{";
            connection.write_all(head.as_bytes()).unwrap();
            let begun = Instant::now();
            let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
            while begun.elapsed() < Duration::from_secs(20) {
                match connection.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => answer.extend_from_slice(&buffer[..count]),
                    Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                        if connection.write_all(b" ").is_err() {
                            break;
                        }
                    }
                    Err(_) => break,
                }
            }
            (String::from_utf8(answer).unwrap(), begun.elapsed())
        });
        let (answer, took) = dribbling.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(
            answer.contains("urn:problem-type:faciliauto:too-slow"),
            "{answer}"
        );
        // The bound is 200 ms, and two seconds more until the connection of whoever reads no answer ends.
        assert!(took < Duration::from_secs(6), "{took:?}");
        assert_eq!(shared.metrics.requests_in_flight.get(), 0);
    }

    /// Prevents a large stock on a slow line from being cut off, and any other body from being waited for as long.
    #[test]
    fn only_a_stock_may_take_long() {
        let shared = Shared::without_catalogue(1);
        let bound = |method: Method, path: &str| {
            let request = actix_web::test::TestRequest::default().method(method).uri(path);
            bound_in_time(&shared, &request.to_srv_request())
        };
        let stock = "/api/dealerships/a/stock";
        assert_eq!(bound(Method::PUT, stock), LONGEST_UPLOAD);
        for (method, path) in [
            (Method::GET, stock),
            (Method::PUT, "/api/dealerships/a"),
            (Method::POST, "/recommend"),
            (Method::PATCH, "/api/dealerships/a/cars/stock"),
        ] {
            assert_eq!(bound(method, path), shared.longest_request, "{path}");
        }
    }

    /// Prevents a client that went away from being counted as in flight for ever.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_that_goes_away_is_in_flight_no_more() {
        let (address, shared) = serve();
        let asking = Client::builder()
            .timeout(Duration::from_millis(50))
            .build()
            .unwrap();
        assert!(asking.get(format!("{address}/slow/1")).send().await.is_err());
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(shared.metrics.requests_in_flight.get(), 0);
    }
}
