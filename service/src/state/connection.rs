//! Where the shared store is and how it is entered. Settings hold where secrets lie; secrets are read from
//! there when the connection is made.

use std::{fmt, fs, path::PathBuf, time::Duration};

use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, TlsCertificates,
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
};

use crate::trust::{self, Authorities, TrustError};

/// How soon a changed secret is noticed; reading two small files costs nothing.
const SECRETS_CHECK: Duration = Duration::from_secs(2);

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text in.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// Where the URL comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UrlSource {
    /// Given outright; it may hold a password.
    Given(Secret),
    /// A file holds it.
    File(PathBuf),
}

/// A shared store, as set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// Where it is.
    pub url: UrlSource,
    /// A file that holds the password, in place of the one in the URL.
    pub password_file: Option<PathBuf>,
    /// A file with certificate authorities that are trusted beside the system's, for `rediss://`.
    pub trust_ca_file: Option<PathBuf>,
    /// What every key and channel begins with.
    pub key_prefix: String,
}

/// Why a connection could not even be described.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// A file with a secret cannot be read.
    #[error("failed to read {}", path.display())]
    ReadFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The URL cannot be used. The URL itself stays out of the message, since it may hold a password.
    #[error("failed to parse the Redis URL: {reason}")]
    ParseUrl {
        /// What is wrong with it.
        reason: String,
    },
    /// The authorities cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// The secrets of a connection, and what it trusts, as they were at one moment; compared, never printed.
#[derive(Debug, PartialEq, Eq)]
pub struct Secrets {
    url: Secret,
    password: Option<Secret>,
    authorities: Option<Vec<u8>>,
}

impl ConnectionSettings {
    /// What the files hold now.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn secrets(&self) -> Result<Secrets, ConnectionError> {
        Ok(Secrets {
            url: match &self.url {
                UrlSource::Given(url) => url.clone(),
                UrlSource::File(path) => read_secret(path)?,
            },
            password: self.password_file.as_ref().map(read_secret).transpose()?,
            authorities: self.trust_ca_file.as_deref().map(trust::read).transpose()?,
        })
    }

    /// Waits until the files hold something else than `known`: a password can be changed while the process
    /// runs, and a pod can be given the old one at first. A file that is away meanwhile is no change.
    pub async fn secrets_changed(&self, known: &Secrets) {
        loop {
            tokio::time::sleep(SECRETS_CHECK).await;
            if self.secrets().is_ok_and(|now| now != *known) {
                return;
            }
        }
    }

    /// Reads the files and describes the connection.
    ///
    /// # Errors
    /// A file that cannot be read, or a URL that cannot be used.
    pub fn resolve(&self) -> Result<ConnectionInfo, ConnectionError> {
        self.describe(&self.secrets()?)
    }

    /// As [`Self::resolve`], with secrets that were read before.
    ///
    /// # Errors
    /// A URL that cannot be used.
    pub fn describe(&self, secrets: &Secrets) -> Result<ConnectionInfo, ConnectionError> {
        let info =
            secrets
                .url
                .reveal()
                .into_connection_info()
                .map_err(|error| ConnectionError::ParseUrl {
                    reason: error
                        .detail()
                        .unwrap_or("it must look like redis://USER@HOST:PORT")
                        .to_owned(),
                })?;
        // A peer that vanished without a word is noticed within seconds, not by the kernel's two hours.
        let tcp = TcpSettings::default()
            .set_nodelay(true)
            .set_keepalive(TcpKeepalive::new().with_time(Duration::from_secs(15)))
            .set_user_timeout(Duration::from_secs(5));
        let mut entry = info.redis_settings().clone().set_skip_set_lib_name();
        if let Some(password) = &secrets.password {
            entry = entry.set_password(password.reveal());
        }
        let info = info.set_tcp_settings(tcp).set_redis_settings(entry);
        match (&self.trust_ca_file, &secrets.authorities) {
            (Some(path), Some(text)) if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) => {
                let bundle = Authorities::parse(path, text)?.with_those_of_the_system();
                let certificates = TlsCertificates {
                    client_tls: None,
                    root_cert: Some(bundle),
                };
                let client = Client::build_with_tls(info, certificates);
                let client = client.map_err(|error| ConnectionError::ParseUrl {
                    reason: error.to_string(),
                })?;
                Ok(client.get_connection_info().clone())
            }
            _ => Ok(info),
        }
    }
}

/// Files from a Secret often end in a line break that is no part of the secret.
fn read_secret(path: &PathBuf) -> Result<Secret, ConnectionError> {
    let text = fs::read_to_string(path).map_err(|source| ConnectionError::ReadFile {
        path: path.clone(),
        source,
    })?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents a password file, written by an editor that ends lines, from locking the service out.
    #[test]
    fn the_password_of_the_file_replaces_that_of_the_url() {
        let folder = tempfile::tempdir().unwrap();
        let (url, password) = (folder.path().join("url"), folder.path().join("password"));
        fs::write(&url, "redis://api:old@localhost:6380/2\n").unwrap();
        fs::write(&password, "new\n").unwrap();
        let settings = ConnectionSettings {
            url: UrlSource::File(url),
            password_file: Some(password),
            trust_ca_file: None,
            key_prefix: "p".to_owned(),
        };
        let info = settings.resolve().unwrap();
        let entry = info.redis_settings();
        assert_eq!(
            (entry.username(), entry.password(), entry.db()),
            (Some("api"), Some("new"), 2)
        );
        assert_eq!(info.addr().to_string(), "localhost:6380");
    }

    /// Prevents an unusable URL from being logged with the password in it.
    #[test]
    fn a_bad_url_is_refused_without_repeating_it() {
        let settings = ConnectionSettings {
            url: UrlSource::Given(Secret::new("http://api:hunter2@localhost".to_owned())),
            password_file: None,
            trust_ca_file: None,
            key_prefix: "p".to_owned(),
        };
        let message = settings.resolve().expect_err("refused").to_string();
        assert!(!message.contains("hunter2"), "{message}");
    }
}
