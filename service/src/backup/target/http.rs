//! HTTP for S3-compatible storage: the same TLS as everywhere else, and authorities of one's own beside the system's.

use std::{error::Error, fmt, io, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, Client, connect::HttpConnector as TcpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
        HttpResponseBody, HttpService,
    },
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::trust::{self, Authorities};

/// How long a server may take to let us in.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a request may take to its first answer, with the sending of a part over a slow line.
const ANSWER: Duration = Duration::from_secs(120);

/// How long the rest of an answer may pause.
const PAUSE: Duration = Duration::from_secs(30);

/// How long a connection that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(20);

/// Makes clients; all of them share their connections.
#[derive(Clone)]
pub struct Connector(Client<HttpsConnector<TcpConnector>, HttpRequestBody>);

impl Connector {
    /// With the system's authorities and those of a file.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        match ca_file {
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
            Some(path) => {
                let text = trust::read(path).map_err(|error| with_cause(&error))?;
                let authorities = Authorities::parse(path, &text).map_err(|error| error.to_string())?;
                let bundle = authorities.with_those_of_the_system();
                roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&bundle).flatten());
            }
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("failed to set TLS up: {error}"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = TcpConnector::new();
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self(
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .build(connector),
        ))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Connector")
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answered = tokio::time::timeout(ANSWER, self.0.request(request)).await;
        let response = answered.map_err(|_| late())?.map_err(refused)?;
        let (parts, body) = response.into_parts();
        Ok(HttpResponse::from_parts(
            parts,
            HttpResponseBody::new(StreamBody::new(Box::pin(frames(body)))),
        ))
    }
}

fn frames(body: Incoming) -> impl futures::Stream<Item = Result<Frame<Bytes>, HttpError>> + Send + Sync {
    let frames = futures::stream::unfold(Some(body), |body| async move {
        let mut body = body?;
        match tokio::time::timeout(PAUSE, body.frame()).await {
            Err(_) => Some((Err(late()), None)),
            Ok(None) => None,
            Ok(Some(Ok(frame))) => Some((Ok(frame), Some(body))),
            Ok(Some(Err(error))) => Some((Err(HttpError::new(HttpErrorKind::Interrupted, error)), None)),
        }
    });
    // After an answer that was cut off it is asked for more, and must not panic.
    frames.fuse()
}

fn late() -> HttpError {
    let error = io::Error::new(io::ErrorKind::TimedOut, "the server took too long");
    HttpError::new(HttpErrorKind::Timeout, error)
}

fn refused(error: legacy::Error) -> HttpError {
    // The error itself says only that there was one.
    let kind = if error.is_connect() {
        HttpErrorKind::Connect
    } else {
        HttpErrorKind::Request
    };
    HttpError::new(kind, io::Error::other(with_cause(&error)))
}

/// An error with what lies behind it.
pub(super) fn with_cause(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
