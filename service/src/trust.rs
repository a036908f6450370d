//! Certificate authorities that are trusted beside those of the system, for servers inside a network that has
//! authorities of its own.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// Why a file with authorities cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// It cannot be read.
    #[error("failed to read the certificate authorities from {}", path.display())]
    ReadFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds none, or something that is none.
    #[error("failed to use the certificate authorities in {}: {reason}; it must hold certificates as PEM", path.display())]
    Parse {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// What the file at `path` holds.
///
/// # Errors
/// A file that cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, TrustError> {
    fs::read(path).map_err(|source| TrustError::ReadFile {
        path: path.to_owned(),
        source,
    })
}

/// Authorities as they were read from a file at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// Reads certificates, PEM, from what the file at `path` holds. Each must be one that others can rest on.
    ///
    /// # Errors
    /// No certificate, or one that cannot be trusted.
    pub fn parse(path: &Path, text: &[u8]) -> Result<Self, TrustError> {
        let refused = |reason: String| TrustError::Parse {
            path: path.to_owned(),
            reason,
        };
        let found = CertificateDer::pem_slice_iter(text)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| refused(error.to_string()))?;
        if found.is_empty() {
            return Err(refused("there is no certificate in it".to_owned()));
        }
        let mut store = RootCertStore::empty();
        for certificate in &found {
            store
                .add(certificate.clone())
                .map_err(|error| refused(error.to_string()))?;
        }
        Ok(Self(found))
    }

    /// These and the system's together, PEM. A system without any has none to add.
    #[must_use]
    pub fn with_those_of_the_system(&self) -> Vec<u8> {
        let system = rustls_native_certs::load_native_certs().certs;
        let mut store = RootCertStore::empty();
        let mut text = String::new();
        for certificate in system.iter().chain(&self.0) {
            // One that cannot be used would make the whole bundle unusable.
            if store.add(certificate.clone()).is_ok() {
                text.push_str(&pem(certificate));
            }
        }
        text.into_bytes()
    }
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let encoded = BASE64_STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents a company's own authority from being lost on its way to the client, or taking the place of the
    /// system's.
    #[test]
    fn authorities_of_a_file_come_beside_those_of_the_system() {
        let made = rcgen::generate_simple_self_signed(["redis.example".to_owned()]).unwrap();
        let text = format!("# ours\n{}", made.cert.pem());
        let authorities = Authorities::parse(Path::new("ca.crt"), text.as_bytes()).unwrap();
        let bundle = authorities.with_those_of_the_system();
        let found: Vec<_> = CertificateDer::pem_slice_iter(&bundle)
            .map(Result::unwrap)
            .collect();
        let system = rustls_native_certs::load_native_certs().certs.len();
        assert!(found.contains(made.cert.der()));
        assert!(found.len() > system / 2, "{} of {system}", found.len());
    }

    /// Prevents a ConfigMap with the wrong content from being taken for no authorities at all.
    #[test]
    fn what_holds_no_authority_is_refused() {
        for content in [
            "",
            "redis",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            let parsed = Authorities::parse(Path::new("ca.crt"), content.as_bytes());
            let message = parsed.expect_err("refused").to_string();
            assert!(
                message.contains("ca.crt") && message.contains("PEM"),
                "{content:?}: {message}"
            );
        }
    }
}
