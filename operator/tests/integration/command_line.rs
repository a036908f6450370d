//! The command line as a person types it, under each name that the program has.

use std::{ffi::OsString, path::Path, process::Command as Process};

use clap_complete::Shell;
use faciliauto_operator::{
    args::{Command, OutputFormat, Program},
    cli::completions::{script, suggestions},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_faciliauto-operator");

fn parse(program: &Program, line: &str) -> Command {
    let words = line.split(' ').map(OsString::from);
    program
        .parse(words)
        .unwrap_or_else(|error| panic!("{line}: {error}"))
        .command
}

/// Prevents: flags that work in kubectl and not in its plugin.
#[test]
fn flags_of_kubectl_are_understood() {
    let status = |line: &str| match parse(&Program::Plugin, line) {
        Command::Status(settings) => settings,
        other => panic!("{other:?}"),
    };
    let all = status("kubectl-faciliauto status -A -o json --context east --kubeconfig /a/b");
    assert!(all.all_namespaces && all.output == OutputFormat::Json);
    assert_eq!(all.cluster.context.as_deref(), Some("east"));
    assert_eq!(all.cluster.kubeconfig.as_deref(), Some(Path::new("/a/b")));
    let one = status("kubectl-faciliauto status producao -n lojas");
    assert_eq!(
        (one.name.as_deref(), one.cluster.namespace.as_deref()),
        (Some("producao"), Some("lojas"))
    );
    for wrong in [
        "status producao -A",
        "status -A -n lojas",
        "diff",
        "completions cmd",
    ] {
        let words = ["x"].into_iter().chain(wrong.split(' ')).map(OsString::from);
        assert!(Program::Plugin.parse(words).is_err(), "{wrong}");
    }
}

/// Prevents: help of the plugin that names a command which is not there.
#[test]
fn plugin_speaks_of_itself_by_its_own_name() {
    for (path, program) in [
        ("/usr/bin/kubectl-faciliauto", Program::Plugin),
        ("kubectl-faciliauto.exe", Program::Plugin),
        ("/usr/bin/kubectl_complete-faciliauto", Program::PluginCompletion),
        ("/faciliauto-operator", Program::Operator),
    ] {
        assert_eq!(Program::of(Path::new(path)), program);
    }
    let help = |program: Program| {
        let words = ["/usr/bin/kubectl-faciliauto", "--help"].map(OsString::from);
        program.parse(words).expect_err("help").to_string()
    };
    let plugin = help(Program::Plugin);
    assert!(plugin.contains("Usage: kubectl faciliauto <COMMAND>"), "{plugin}");
    assert!(!plugin.contains("  run "), "{plugin}");
    assert!(help(Program::Operator).contains("  run "));
}

/// Prevents: a script that completes a command which nobody types.
#[test]
fn completion_scripts_are_for_the_name_of_the_program() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let script = script(shell, Program::Operator.command(), Program::Operator.name());
        assert!(script.contains("faciliauto-operator"), "{shell}");
        assert!(
            script.contains("completions") && script.contains("kubeconfig"),
            "{shell}"
        );
    }
}

/// Prevents: `kubectl faciliauto` followed by a tab offering nothing, or what does not work.
#[test]
fn kubectl_is_told_how_to_complete() {
    let ask = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        suggestions(Program::PluginCompletion.command(), &words)
    };
    assert_eq!(
        ask(&["s"]),
        "status\tShow what became of resources: conditions, objects, pods, events\n:4\n"
    );
    assert_eq!(ask(&["status", "-o", ""]), "tree\njson\n:4\n");
    assert_eq!(ask(&["status", "-o", "j"]), "json\n:4\n");
    assert_eq!(ask(&["diff", "-f", ""]), ":0\n");
    assert_eq!(
        ask(&["status", "--all"]),
        "--all-namespaces\tThose of every namespace\n:4\n"
    );
    assert_eq!(ask(&["completions", "z"]), "zsh\n:4\n");
    let everything = ask(&[]);
    assert!(
        !everything.contains("run\t") && everything.contains("render\t"),
        "{everything}"
    );
}

/// Prevents: a script that takes an error of `diff` for a difference.
#[test]
fn exit_codes_tell_a_failure_from_a_difference() {
    let code = |words: &[&str]| {
        let done = Process::new(PROGRAM)
            .args(words)
            .env("KUBECONFIG", "/nowhere")
            .output()
            .expect("the program runs");
        (
            done.status.code(),
            String::from_utf8_lossy(&done.stderr).into_owned(),
        )
    };
    let (diff, said) = code(&["diff", "-f", "/nowhere.yaml"]);
    assert_eq!(diff, Some(2), "{said}");
    assert!(said.contains("failed to read /nowhere.yaml"), "{said}");
    assert_eq!(code(&["render", "-f", "/nowhere.yaml"]).0, Some(1));
    let (status, said) = code(&["status", "--kubeconfig", "/nowhere"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("failed to read the kubeconfig /nowhere"), "{said}");
}
