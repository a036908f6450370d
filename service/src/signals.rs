//! When the process is told to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Resolves on the first SIGTERM (Kubernetes) or SIGINT (a person). A second one ends the process at once:
/// whoever asks twice does not want to wait for the drain.
///
/// # Errors
/// The system's, when signals cannot be listened to.
pub fn stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let signal = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal, "told to stop");
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::warn!("told to stop twice: ending at once");
            std::process::exit(1);
        });
    })
}
