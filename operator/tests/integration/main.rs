//! Tests of the operator from outside, without a cluster: generated files are fresh, what is built
//! passes the rules of a cluster, and reconciling converges against an API server in memory.

mod backups;
mod command_line;
mod contract;
mod convergence;
mod diff;
mod documents;
mod fake_api;
mod fields;
mod golden;
mod harness;
mod lease;
mod manifests;
mod network;
mod passwords;
mod paused;
mod prometheus;
mod promtool;
mod redis_server;
mod restricted;
mod rollout;
mod situations;
mod status;
mod surroundings;
mod upgrade;
mod volumes;
mod workloads;
