//! `faciliauto-operator`: parse, set up, run, report. Also the kubectl plugin, by the name it is called.

use std::{env, ffi::OsString, path::Path, process::ExitCode};

use faciliauto_operator::{
    args::{Command, Program},
    cli, controller, http, telemetry,
};

fn main() -> ExitCode {
    let words: Vec<OsString> = env::args_os().collect();
    let program = words
        .first()
        .map_or(Program::Operator, |path| Program::of(Path::new(path)));
    if program == Program::PluginCompletion {
        let words: Vec<String> = words
            .iter()
            .skip(1)
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        return report(cli::completions::answer_kubectl(program.command(), &words), 1);
    }
    let arguments = match program.parse(words) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    match arguments.command {
        Command::Run(settings) => {
            telemetry::install(&settings.log_level, settings.log_format);
            report(controller::run_process(settings), 1)
        }
        Command::Crd(settings) => report(cli::crd::print(&settings), 1),
        Command::Rbac(settings) => report(cli::rbac::print(&settings), 1),
        Command::Render(settings) => report(cli::render::print(&settings), 1),
        Command::Diff(settings) => match cli::diff::print(&settings) {
            Ok(code) => code,
            // 1 says that there are differences.
            Err(error) => report(Err(error), 2),
        },
        Command::Status(settings) => report(cli::status::print(&settings), 1),
        Command::Backup(settings) => report(cli::backup::print(&settings), 1),
        Command::Restore(settings) => report(cli::restore::print(&settings), 1),
        Command::Completions(settings) => {
            let name = program.name();
            report(
                cli::completions::print(settings.shell, program.command(), name),
                1,
            )
        }
        Command::Healthcheck(settings) => report(http::healthcheck(settings.listen), 1),
    }
}

/// Exits with `code` after a failure, whose reason it tells.
fn report(outcome: anyhow::Result<()>, code: u8) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            telemetry::report(&error);
            ExitCode::from(code)
        }
    }
}
