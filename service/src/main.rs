//! Parse, set up, run, report.

use std::process::ExitCode;

use faciliauto_service::{
    cli,
    clock::Clock,
    configuration::{Command, Settings},
    memory::Mimalloc,
    signals,
    startup::Application,
    telemetry,
};

#[global_allocator]
static ALLOCATOR: Mimalloc = Mimalloc;

fn main() -> ExitCode {
    // Variables that are no text cannot be ours.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let settings = match Settings::parse(std::env::args_os(), environment) {
        Ok(settings) => settings,
        Err(error) => error.exit(),
    };
    let outcome = match settings.command.clone() {
        Command::Backup(command) => {
            match in_runtime(async { Ok(cli::backup::run(&settings, &command).await) }) {
                Ok(code) => return code,
                Err(error) => Err(error),
            }
        }
        Command::Healthcheck => cli::healthcheck::run(settings.local_address(), settings.tls.is_some())
            .map_err(anyhow::Error::from),
        Command::Import(source) => in_runtime(cli::import::run(&settings, &source)),
        Command::SyncUsers(source) => in_runtime(cli::acl_sync::run(&settings, &source)),
        Command::Schema(which) => cli::schema::run(which).map_err(anyhow::Error::from),
        Command::Serve => in_runtime(serve(settings)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("faciliauto-service: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn in_runtime<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    // Requests run on threads of the HTTP server; this one follows the store and waits for signals.
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?
        .block_on(work)
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    telemetry::start(settings.log_level, std::io::stdout);
    for name in &settings.unknown_variables {
        tracing::warn!(name, "an unknown variable begins like ours and is ignored");
    }
    let stop = signals::stop()?;
    let application = Application::build(settings, Clock::system()).await?;
    tracing::info!(
        address = %application.address()?,
        tls = application.serves_tls(),
        metrics_address = %application.metrics_address()?,
        version = env!("CARGO_PKG_VERSION"),
        "serving"
    );
    application.run(stop).await?;
    tracing::info!("stopped");
    Ok(())
}
