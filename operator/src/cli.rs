//! The command line over the same builders. Each verb reads, hands what it read to a pure function that
//! draws the answer, and prints it.

pub mod backup;
pub mod completions;
pub mod crd;
pub mod declared;
pub mod diff;
pub mod rbac;
pub mod render;
pub mod restore;
pub mod status;
pub mod terminal;

use std::{future::Future, io::Write};

use anyhow::Context as _;

/// Prints `text` as it is.
///
/// # Errors
/// When standard output cannot be written; that its reader has gone, as in `… | head`, is none.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("failed to write to standard output")
        }
        _ => Ok(()),
    }
}

/// Tells a person something that is no part of the answer.
pub(crate) fn note(text: &str) {
    // Nothing is left to tell it to when standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Runs a command that talks to a cluster.
pub(crate) fn talk<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    // One provider of cryptography in the whole tree; a second call would mean it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?
        .block_on(command)
}
