//! Tests on a real cluster: a real API server, real pods, the operator as `manifests/install`
//! installs it. `make test-cluster` brings all of that up and runs them; they are no part of a plain
//! `cargo test`.
//!
//! Every test has a namespace of its own, which enforces the *restricted* pod security standard, and
//! a resource named `faciliauto` in it: service links of that name would poison our own settings.

// What was measured and seen is part of the report.
#![allow(clippy::print_stdout)]

mod alone;
#[path = "../drills/archive.rs"]
#[allow(dead_code, reason = "tests need less of it than the drills do")]
mod archive;
mod backup;
mod bring_up;
mod command_line;
mod deletion;
mod drift;
mod handover;
mod harness;
mod into_nothing;
mod operator_process;
mod password;
mod paused;
mod redis;
mod redis_client;
mod refusal;
mod rollout;
mod shell;
mod storage_server;
mod surroundings;
mod unwell;
mod volume;
