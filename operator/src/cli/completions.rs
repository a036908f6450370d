//! Completion of command lines: scripts for shells, and the answers that kubectl asks a plugin for.

use clap::{Arg, Command};
use clap_complete::Shell;

/// Prints the script that teaches a shell to complete `program`.
///
/// # Errors
/// When standard output cannot be written.
pub fn print(shell: Shell, command: Command, program: &str) -> anyhow::Result<()> {
    super::print(&script(shell, command, program))
}

/// The script that teaches a shell to complete `program`.
pub fn script(shell: Shell, mut command: Command, program: &str) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, program, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// What kubectl should do with the answer: nothing but offer it.
const NO_FILES: &str = ":4";
/// What kubectl should do with the answer: offer files, too.
const FILES: &str = ":0";

/// Answers `kubectl faciliauto … TAB`: kubectl runs the program `kubectl_complete-faciliauto` with the
/// words so far, the last of which is being typed, and reads a suggestion a line, then a directive.
///
/// # Errors
/// When standard output cannot be written.
pub fn answer_kubectl(command: Command, words: &[String]) -> anyhow::Result<()> {
    super::print(&suggestions(command, words))
}

/// The answer to kubectl.
pub fn suggestions(mut command: Command, words: &[String]) -> String {
    command.build();
    let (typed, before) = match words.split_last() {
        Some((typed, before)) => (typed.as_str(), before),
        None => ("", words),
    };
    let mut current = &command;
    for word in before {
        if let Some(subcommand) = current.find_subcommand(word) {
            current = subcommand;
        }
    }
    let mut lines: Vec<String> = Vec::new();
    let mut offer = |word: String, help: Option<String>| {
        if word.starts_with(typed) {
            lines.push(match help {
                Some(help) => format!("{word}\t{help}"),
                None => word,
            });
        }
    };
    let mut directive = NO_FILES;
    if let Some(option) = before.last().and_then(|word| option(current, word)) {
        for value in option.get_possible_values() {
            offer(value.get_name().to_owned(), None);
        }
        if option.get_possible_values().is_empty() && takes_a_file(option) {
            directive = FILES;
        }
    } else if typed.starts_with('-') {
        for option in current.get_arguments().filter(|option| !option.is_hide_set()) {
            if let Some(long) = option.get_long() {
                offer(format!("--{long}"), first_line(option.get_help()));
            }
        }
    } else {
        for subcommand in current
            .get_subcommands()
            .filter(|subcommand| !subcommand.is_hide_set())
        {
            offer(
                subcommand.get_name().to_owned(),
                first_line(subcommand.get_about()),
            );
        }
        for positional in current.get_positionals() {
            for value in positional.get_possible_values() {
                offer(value.get_name().to_owned(), None);
            }
        }
    }
    lines.push(directive.to_owned());
    lines.join("\n") + "\n"
}

/// The option that `word` is, if a value must follow it.
fn option<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|option| {
        let long = option.get_long().is_some_and(|long| word == format!("--{long}"));
        let short = option
            .get_short()
            .is_some_and(|short| word == format!("-{short}"));
        (long || short) && option.get_action().takes_values()
    })
}

fn takes_a_file(option: &Arg) -> bool {
    matches!(
        option.get_value_hint(),
        clap::ValueHint::FilePath | clap::ValueHint::AnyPath
    )
}

fn first_line(help: Option<&clap::builder::StyledStr>) -> Option<String> {
    Some(help?.to_string().lines().next()?.to_owned())
}
