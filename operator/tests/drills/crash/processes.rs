//! Processes of pods: on the node that this machine is, a container is a process like any other.

use std::{fs, path::PathBuf, process::Command};

/// Processes of the program of a restore, whichever phase it is in.
pub(crate) fn of_restore(id: &str) -> Vec<u32> {
    matching(|process| {
        let line = read(process, "cmdline");
        let words: Vec<&str> = line.split('\0').collect();
        words.contains(&"restore") && words.contains(&id)
    })
}

/// Processes of our own programs in a pod, by the pod's uid; what holds the pod's namespaces is none of them.
pub(crate) fn of_pod(uid: &str) -> Vec<u32> {
    matching(|process| {
        read(process, "cgroup").contains(&format!("pod{uid}"))
            && read(process, "cmdline").contains("faciliauto")
    })
}

/// Ends them without a chance to say anything. Gives how many there were.
pub(crate) fn kill(processes: &[u32]) -> usize {
    let killed = processes.iter().filter(|process| {
        let sent = Command::new("kill")
            .args(["-KILL", &process.to_string()])
            .output();
        sent.expect("kill runs").status.success()
    });
    killed.count()
}

fn matching(wanted: impl Fn(u32) -> bool) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("processes").flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|process| wanted(*process))
        .collect()
}

/// Empty for one that has just ended.
fn read(process: u32, file: &str) -> String {
    let path = PathBuf::from(format!("/proc/{process}/{file}"));
    fs::read(path).map_or_else(
        |_| String::new(),
        |text| String::from_utf8_lossy(&text).into_owned(),
    )
}
