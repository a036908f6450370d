//! Certificates in a folder as Kubernetes mounts a Secret, and a client that trusts one of them alone.

use std::{
    cell::Cell,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
};

use actix_web::web::Bytes;
use http_body_util::Empty;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider, pki_types::CertificateDer};
use tempfile::TempDir;

/// A client of HTTP over TLS.
pub(crate) type TlsClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// A certificate for this machine that rests on nothing but itself.
pub(crate) struct Certificate {
    pub(crate) pem: String,
    pub(crate) key: String,
    trusted: CertificateDer<'static>,
}

impl Certificate {
    pub(crate) fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        Self {
            pem: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
            trusted: made.cert.der().clone(),
        }
    }

    /// A client that trusts no other, in one version of HTTP or the one that both sides like best.
    pub(crate) fn client(&self, http1_only: bool) -> TlsClient {
        let mut trusted = RootCertStore::empty();
        trusted.add(self.trusted.clone()).expect("a certificate");
        let settings = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(trusted)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(settings)
            .https_only();
        let connector = if http1_only {
            connector.enable_http1().build()
        } else {
            connector.enable_all_versions().build()
        };
        Client::builder(TokioExecutor::new()).build(connector)
    }
}

/// A mounted Secret: the files are links through `..data`, which is swapped in one step.
pub(crate) struct MountedPair {
    folder: TempDir,
    swaps: Cell<usize>,
}

impl MountedPair {
    pub(crate) fn new(certificate: &str, key: &str) -> Self {
        let mounted = Self {
            folder: tempfile::tempdir().expect("a folder"),
            swaps: Cell::new(0),
        };
        mounted.swap(certificate, key);
        for name in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(name), mounted.path(name)).expect("a link");
        }
        mounted
    }

    /// Puts other files in place of those that are there.
    pub(crate) fn swap(&self, certificate: &str, key: &str) {
        self.swaps.set(self.swaps.get() + 1);
        let version = format!("..version-{}", self.swaps.get());
        fs::create_dir(self.path(&version)).expect("a folder");
        fs::write(self.path(&version).join("tls.crt"), certificate).expect("a file");
        fs::write(self.path(&version).join("tls.key"), key).expect("a file");
        symlink(&version, self.path("..data_tmp")).expect("a link");
        fs::rename(self.path("..data_tmp"), self.path("..data")).expect("a link");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the program is given.
    pub(crate) fn variables(&self) -> [(&'static str, String); 2] {
        let path = |name| self.path(name).to_str().expect("a path").to_owned();
        [
            ("FACILIAUTO_TLS_CERTIFICATE_FILE", path("tls.crt")),
            ("FACILIAUTO_TLS_KEY_FILE", path("tls.key")),
        ]
    }

    /// The same as flags.
    pub(crate) fn flags(&self) -> [String; 2] {
        let [(_, certificate), (_, key)] = self.variables();
        [
            format!("--tls-certificate-file={certificate}"),
            format!("--tls-key-file={key}"),
        ]
    }
}
