//! Whatever takes part in a restore is killed at every step of it: the program of its Job, Redis, a replica of the API, the
//! operator that leads. What is there then is what was there before or what was restored, and all of it ends by itself.
//!
//! ```text
//!   API, API ──┐              stops at a step, and something is killed there
//!              ├──▶ line ──▶ redis-server, a process of this machine
//!   Job ───────┘
//! ```
//!
//! Nothing is killed after a time: the line between pods and Redis holds a command, or its answer, until somebody is dead;
//! where no command is near, the death follows what is to be seen, a process, a note at the target, or the status.
//!
//! Who dies is tried at the same time for Job, Redis and API, on a system each, and by itself for the operator, which all
//! systems share. `FACILIAUTO_DRILL_ONLY='redis: |switched'` runs only the cases with one of these in their name.

use std::{
    env,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{FutureExt, future::join_all};

use crate::{
    figures::bench,
    harness::{Sandbox, eventually, in_sandbox},
};

use self::{
    case::{Outcome, Victim},
    moments::Moment,
    rig::Rig,
    stocks::Letter,
};

mod buyers;
mod case;
mod line;
mod moments;
mod processes;
mod rig;
mod server;
mod steps;
mod stocks;

/// Runs only cases with this in their name, or one of several that are parted by `|`.
const ONLY: &str = "FACILIAUTO_DRILL_ONLY";

/// How long a restore may take in which nothing dies.
const UNDISTURBED: Duration = Duration::from_secs(120);

/// Prevents a death in the middle of a restore from leaving a mixture, nothing at all, or something that waits for a person.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_dies_in_a_restore_leaves_the_old_or_the_restored_state() {
    let outcomes: Arc<Mutex<Vec<Outcome>>> = Arc::default();
    for victims in [
        vec![Victim::Job, Victim::Redis, Victim::Api],
        vec![Victim::Operator],
    ] {
        // One that panics does not keep the others from ending and tidying up.
        let lanes = victims
            .into_iter()
            .map(|victim| AssertUnwindSafe(lane(victim, Arc::clone(&outcomes))).catch_unwind());
        if let Some(panic) = join_all(lanes).await.into_iter().find_map(Result::err) {
            std::panic::resume_unwind(panic);
        }
    }
    let outcomes = outcomes.lock().expect("a lock");
    let bad: Vec<&Outcome> = outcomes
        .iter()
        .filter(|outcome| !outcome.bad.is_empty())
        .collect();
    let longest = outcomes
        .iter()
        .map(|outcome| outcome.took)
        .max()
        .unwrap_or(Duration::ZERO);
    let restored = outcomes.iter().filter(|outcome| outcome.is_restored).count();
    bench("drill.crash.cases", outcomes.len(), "count");
    bench("drill.crash.bad", bad.len(), "count");
    bench("drill.crash.restored", restored, "count");
    bench(
        "drill.crash.longest_s",
        format!("{:.1}", longest.as_secs_f64()),
        "s",
    );
    for outcome in &bad {
        eprintln!("bad: {}: {}", outcome.name, outcome.bad.join("; "));
    }
    assert!(!outcomes.is_empty(), "no case has that in its name");
    assert!(bad.is_empty(), "{} cases are bad", bad.len());
}

/// All cases of one victim, one after the other, on a system of their own.
async fn lane(victim: Victim, outcomes: Arc<Mutex<Vec<Outcome>>>) {
    let mut moments = moments::of_all();
    if victim == Victim::Operator {
        moments.extend(moments::of_the_operator());
    }
    let only = env::var(ONLY).unwrap_or_default();
    moments.retain(|moment| {
        let name = format!("{victim}: {}", moment.name);
        only.split('|').any(|part| name.contains(part))
    });
    if moments.is_empty() {
        return;
    }
    in_sandbox(&format!("drill-crash-{victim}"), |sandbox| {
        run(sandbox, victim, moments, outcomes)
    })
    .await;
}

async fn run(sandbox: Sandbox, victim: Victim, moments: Vec<Moment>, outcomes: Arc<Mutex<Vec<Outcome>>>) {
    let mut rig = Rig::furnish(sandbox).await;
    rig.learn().await;
    for (number, moment) in moments.into_iter().enumerate() {
        let outcome = rig.case(number, victim, moment).await;
        outcomes.lock().expect("a lock").push(outcome);
    }
    eprintln!("    {victim}: buyers asked for {} lists", rig.buyers.asked());
}

impl Rig {
    /// Restores each state once, undisturbed: its ledgers take away what must not come back, and what is there then is what
    /// a restore leaves.
    async fn learn(&mut self) {
        for letter in [Letter::A, Letter::B] {
            let id = format!("undisturbed-{}", letter.text());
            let name = self.backup(letter).to_owned();
            self.declare(&id, &name).await;
            eventually("an undisturbed restore", UNDISTURBED, || async {
                (self.status(&id).await?["phase"] == "Succeeded").then_some(())
            })
            .await;
            let restored = self.digests().await.expect("a store that can be read");
            stocks::assert_is_of_backup(&restored, &self.restored[letter as usize]);
            self.restored[letter as usize] = restored;
            self.current = letter;
        }
    }
}
