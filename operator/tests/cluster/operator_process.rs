//! An operator that runs as a process of this machine, in the place of the installed ones.

use std::{
    env,
    process::{Child, Command, Stdio},
};

use crate::harness::OPERATOR_NAMESPACE;

/// Killed when dropped, without a chance to tidy up.
pub(crate) struct OperatorProcess(Child);

impl OperatorProcess {
    /// Starts one, with more arguments than it needs anyway. The installed operators must be gone.
    pub(crate) fn start(more: &[&str]) -> Self {
        let log = env::temp_dir().join("faciliauto-operator-cluster-tests.log");
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .expect("a log file");
        let child = Command::new(env!("CARGO_BIN_EXE_faciliauto-operator"))
            .args(["run", "--listen", "127.0.0.1:0"])
            // One name for all of them: a restart goes on with the lease of the one that was killed.
            .args([
                "--identity",
                "cluster-tests",
                "--lease-namespace",
                OPERATOR_NAMESPACE,
            ])
            .args(more)
            .stdout(Stdio::from(log.try_clone().expect("a second handle")))
            .stderr(Stdio::from(log))
            .spawn()
            .expect("the operator starts");
        Self(child)
    }

    /// Kills it and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.0.kill().expect("SIGKILL");
        self.0.wait().expect("the process is gone");
    }
}

impl Drop for OperatorProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
