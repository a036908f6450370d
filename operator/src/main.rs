//! `faciliauto-operator`: parse, set up, run, report.

use std::process::ExitCode;

use clap::Parser;
use faciliauto_operator::{
    args::{Arguments, Command},
    cli, controller, http, telemetry,
};

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Run(settings) => {
            telemetry::install(&settings.log_level, settings.log_format);
            controller::run_process(settings)
        }
        Command::Crd => cli::crd::print(),
        Command::Render(settings) => cli::render::print(&settings),
        Command::Healthcheck(settings) => http::healthcheck(settings.listen),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            telemetry::report(&error);
            ExitCode::FAILURE
        }
    }
}
