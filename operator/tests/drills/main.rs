//! Drills on a real cluster: systems of full size, under load, that are backed up, lost, restored and killed.
//!
//! `make drill-backup`, `make drill-restore` and `make drill-crash` bring up cluster and operator as `make test-cluster`
//! does and run one module each; none of it is part of a plain `cargo test`. Figures are printed as
//! `BENCH <name> <value> <unit>`, progress goes to standard error, and a bound that is missed is a test that fails.
//!
//! Pods are asked at their own addresses and volumes are read where the node has them: load through the API server's
//! proxy would measure the proxy. So drills run on the node of the local cluster.

// Printing figures is what a drill is for.
#![allow(clippy::print_stdout)]

mod archive;
mod backup;
mod compare;
mod crash;
mod damage;
mod elsewhere;
#[path = "../../../service/tests/load/figures.rs"]
mod figures;
#[path = "../cluster/harness.rs"]
#[allow(dead_code, reason = "drills need less of it than the tests do")]
mod harness;
#[path = "../../../service/tests/load/journal.rs"]
mod load;
mod past;
#[path = "../../../service/tests/load/protocol.rs"]
mod protocol;
mod restore;
mod stock;
mod system;
mod traffic;
mod watch;
