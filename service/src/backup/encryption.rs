//! Encryption of archives, as age does it: files that other programs for age read too.
//!
//! A backup is encrypted to its recipients and, while it is made, to a key of the run as well, which never leaves the
//! process: with it the backup is read back from the target and proven, and then nobody has it any more.

use std::{
    fmt, fs,
    io::{self, BufReader, Read, Write},
    path::Path,
    sync::Arc,
};

use age::{
    DecryptError, Decryptor, Encryptor, Identity, Recipient,
    stream::{StreamReader, StreamWriter},
    x25519,
};

/// Whom a backup is encrypted to.
#[derive(Clone)]
pub struct Seal {
    recipients: Vec<x25519::Recipient>,
    of_the_run: Arc<x25519::Identity>,
}

impl Seal {
    /// Reads recipients `age1…`; `None` when there are none.
    ///
    /// # Errors
    /// A text that is no recipient.
    pub fn to(recipients: &[String]) -> Result<Option<Self>, String> {
        let parsed: Result<Vec<x25519::Recipient>, String> = recipients
            .iter()
            .map(|text| {
                text.trim().parse().map_err(|reason| {
                    let shown: String = text.chars().take(16).collect();
                    format!("{shown:?}… is no recipient: {reason}; it must begin with age1, as age-keygen prints it")
                })
            })
            .collect();
        let recipients = parsed?;
        Ok((!recipients.is_empty()).then(|| Self {
            recipients,
            of_the_run: Arc::new(x25519::Identity::generate()),
        }))
    }

    /// Who they are, without the key of the run.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.recipients.iter().map(ToString::to_string).collect()
    }

    /// The key of the run.
    #[must_use]
    pub fn keys(&self) -> Keys {
        Keys(vec![Arc::clone(&self.of_the_run)])
    }

    pub(super) fn wrap<W: Write>(&self, output: W) -> io::Result<StreamWriter<W>> {
        let of_the_run = self.of_the_run.to_public();
        let all = self.recipients.iter().chain([&of_the_run]);
        Encryptor::with_recipients(all.map(|recipient| recipient as &dyn Recipient))
            .map_err(io::Error::other)?
            .wrap_output(output)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Seal").field(&self.names()).finish()
    }
}

/// What encrypted backups are read with.
#[derive(Clone, Default)]
pub struct Keys(Vec<Arc<x25519::Identity>>);

impl Keys {
    /// Reads a file of identities as `age-keygen` writes it.
    ///
    /// # Errors
    /// A file that cannot be read, or holds no identity.
    pub fn read(path: &Path) -> Result<Self, String> {
        let place = path.display();
        let text = fs::read_to_string(path).map_err(|error| format!("failed to read {place}: {error}"))?;
        let lines = text.lines().map(str::trim);
        let keys: Result<Vec<_>, String> = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| {
                let parsed: Result<x25519::Identity, _> = line.parse();
                // The line itself may be a secret.
                parsed.map(Arc::new).map_err(|reason| {
                    format!("{place} holds a line that is no identity: {reason}; it must begin with AGE-SECRET-KEY-1")
                })
            })
            .collect();
        match keys? {
            keys if keys.is_empty() => Err(format!(
                "{place} holds no identity; it must have a line AGE-SECRET-KEY-1…, as age-keygen writes it"
            )),
            keys => Ok(Self(keys)),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn unwrap_input<R: Read>(&self, input: R) -> Result<StreamReader<BufReader<R>>, DecryptError> {
        let identities = self.0.iter().map(|identity| identity.as_ref() as &dyn Identity);
        Decryptor::new_buffered(BufReader::new(input))?.decrypt(identities)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Keys({})", self.0.len())
    }
}
