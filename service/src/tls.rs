//! TLS for the API: a certificate and its key from two files, which may be replaced while the process runs.
//!
//! A new pair serves the connections that begin after it; a pair that cannot be used, as between the two writes of a
//! replacement, leaves the old one in place.

use std::{
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring::default_provider},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};

/// How soon a changed file is noticed; Kubernetes itself takes up to a minute to change one.
const FILE_CHECK: Duration = Duration::from_secs(2);

/// Where the certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: the server's certificate first, then those that it rests on.
    pub certificate: PathBuf,
    /// PEM: the certificate's private key.
    pub key: PathBuf,
}

/// Why the files cannot be served with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not there, or not for us.
    #[error("failed to read {}", path.display())]
    ReadFile {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It holds no certificate in PEM.
    #[error("failed to find a certificate in {}: it must be PEM, -----BEGIN CERTIFICATE-----", path.display())]
    ParseCertificate {
        /// Which.
        path: PathBuf,
    },
    /// It holds no private key in PEM.
    #[error("failed to find a private key in {}: it must be PEM, -----BEGIN PRIVATE KEY-----", path.display())]
    ParseKey {
        /// Which.
        path: PathBuf,
    },
    /// The key is not that of the certificate, or of a kind that TLS does not use.
    #[error("failed to put the certificate and the key together")]
    Pair(#[source] rustls::Error),
    /// The library refused its settings.
    #[error("failed to set TLS up")]
    Configure(#[source] rustls::Error),
}

/// Tells contents of the two files apart without keeping them.
type Contents = [u8; 32];

/// What the files hold now, as it is read.
struct Read {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Read {
    fn contents(&self) -> Contents {
        let parts = [&self.certificate, &self.key].map(Sha256::digest);
        Sha256::digest(parts.concat()).into()
    }
}

impl TlsFiles {
    fn read(&self) -> Result<Read, TlsError> {
        let read = |path: &PathBuf| {
            fs::read(path).map_err(|source| TlsError::ReadFile {
                path: path.clone(),
                source,
            })
        };
        Ok(Read {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
        })
    }

    fn pair(&self, read: &Read, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let chain = CertificateDer::pem_slice_iter(&read.certificate)
            .collect::<Result<Vec<_>, _>>()
            .ok()
            .filter(|chain| !chain.is_empty())
            .ok_or_else(|| TlsError::ParseCertificate {
                path: self.certificate.clone(),
            })?;
        let key = PrivateKeyDer::from_pem_slice(&read.key).map_err(|_| TlsError::ParseKey {
            path: self.key.clone(),
        })?;
        CertifiedKey::from_der(chain, key, provider).map_err(TlsError::Pair)
    }
}

/// The certificate that new connections are met with.
#[derive(Debug)]
pub(crate) struct Certificates {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<CertifiedKey>,
    /// Looked at last, whether it could be used or not: what is broken is told once.
    seen: Mutex<Option<Contents>>,
}

impl Certificates {
    /// Reads the files for the first time.
    pub(crate) fn read(files: TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(default_provider());
        let read = files.read()?;
        let pair = files.pair(&read, &provider)?;
        Ok(Self {
            files,
            provider,
            current: ArcSwap::from_pointee(pair),
            seen: Mutex::new(Some(read.contents())),
        })
    }

    /// How connections are met: TLS 1.2 and 1.3. The HTTP server adds the protocols it speaks.
    pub(crate) fn server_settings(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let settings = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Configure)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        Ok(settings)
    }

    /// Reads the files again and again.
    pub(crate) async fn keep_current(self: Arc<Self>) {
        loop {
            tokio::time::sleep(FILE_CHECK).await;
            self.look();
        }
    }

    /// Takes what the files hold now, when it is new and can be used.
    fn look(&self) {
        let read = self.files.read();
        let now = read.as_ref().ok().map(Read::contents);
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen == now {
                return;
            }
            *seen = now;
        }
        match read.and_then(|read| self.files.pair(&read, &self.provider)) {
            Ok(pair) => {
                let changed = self.current.load().cert != pair.cert;
                self.current.store(Arc::new(pair));
                if changed {
                    tracing::info!("the certificate has changed: new connections are met with the new one");
                }
            }
            Err(error) => {
                let reason = format!("{:#}", anyhow::Error::from(error));
                tracing::warn!(reason, "the certificate cannot be changed; the old one stays");
            }
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _greeting: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A certificate with its key, as PEM.
    fn made() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["loja.example".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn files(folder: &Path) -> TlsFiles {
        TlsFiles {
            certificate: folder.join("tls.crt"),
            key: folder.join("tls.key"),
        }
    }

    fn write(files: &TlsFiles, certificate: &str, key: &str) {
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, key).unwrap();
    }

    /// Prevents a renewal from being missed, and half of one, or a broken file, from ending TLS for everybody.
    #[test]
    fn only_a_pair_that_belongs_together_replaces_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        let (first, second) = (made(), made());
        write(&files, &first.0, &first.1);
        let certificates = Certificates::read(files.clone()).unwrap();
        let serves = |pem: &str| {
            let wanted = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
            certificates.current.load().cert == [wanted]
        };
        for (certificate, key) in [
            (second.0.as_str(), first.1.as_str()),
            ("", ""),
            ("-----BEGIN CERTIFICATE-----\nAAAA", second.1.as_str()),
            (&second.0, "no key"),
        ] {
            write(&files, certificate, key);
            certificates.look();
            assert!(serves(&first.0), "{certificate} {key}");
        }
        fs::remove_file(&files.key).unwrap();
        certificates.look();
        assert!(serves(&first.0));
        write(&files, &second.0, &second.1);
        certificates.look();
        assert!(serves(&second.0));
        // Back to one that was seen before.
        write(&files, &first.0, &first.1);
        certificates.look();
        assert!(serves(&first.0));
    }

    /// Prevents a person who mixes the files up from being told no more than that TLS failed.
    #[test]
    fn what_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        let (one, other) = (made(), made());
        let refused = |certificate: &str, key: &str| {
            write(&files, certificate, key);
            let error = Certificates::read(files.clone()).expect_err("refused");
            format!("{:#}", anyhow::Error::from(error))
        };
        assert!(refused(&one.1, &one.1).contains("tls.crt: it must be PEM"));
        assert!(refused(&one.0, &one.0).contains("tls.key: it must be PEM"));
        assert!(refused(&one.0, &other.1).contains("failed to put the certificate and the key together: "));
        fs::remove_file(&files.certificate).unwrap();
        let error = Certificates::read(files.clone()).expect_err("refused");
        assert!(error.to_string().contains("failed to read") && error.to_string().contains("tls.crt"));
    }
}
