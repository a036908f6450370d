//! One restore in which something dies, from its declaration until everything is well again.

use std::{fmt, net::IpAddr, time::Duration};

use faciliauto_service::backup::error::BackupError;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use reqwest::StatusCode;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{
    line::{Held, Verdict},
    moments::{Moment, PHASES, Sign, When},
    processes,
    rig::{Replica, Rig},
    stocks::{Digests, Letter},
};

/// How long a moment may take to come: who died before it, in the case before, may hold the target's lock for three minutes.
const COMES: Duration = Duration::from_secs(300);

/// How long a restore may take to end after something died.
const ENDS: Duration = Duration::from_secs(240);

/// How long Redis is away: whoever uses it notices.
const AWAY: Duration = Duration::from_secs(3);

/// How long replicas may take to show what the store holds, one that was killed and starts again among them.
const SHOWN: Duration = Duration::from_secs(60);

/// How long a write may be refused after the end: replicas that lost Redis find it again.
const WRITABLE: Duration = Duration::from_secs(15);

/// How long one phase of a Job may have ended while the next does not run yet: there is nothing to kill then.
const BETWEEN: Duration = Duration::from_secs(20);

/// Pauses between two looks at a process or a file.
const GLANCE: Duration = Duration::from_millis(2);

/// Between two looks at what the API server has.
const LOOK: Duration = Duration::from_millis(20);

/// Who dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    Job,
    Redis,
    Api,
    Operator,
}

impl fmt::Display for Victim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Job => "job",
            Self::Redis => "redis",
            Self::Api => "api",
            Self::Operator => "operator",
        })
    }
}

/// How a case ended.
pub(crate) struct Outcome {
    pub(crate) name: String,
    /// From the death to the end of the restore.
    pub(crate) took: Duration,
    /// Whether the restore went through.
    pub(crate) is_restored: bool,
    /// What must not be.
    pub(crate) bad: Vec<String>,
}

/// Whom to put a fresh pod in the place of.
enum Killed {
    Nobody,
    Replica(Replica),
    Operator(String),
}

impl Rig {
    /// Runs a case.
    pub(crate) async fn case(&mut self, number: usize, victim: Victim, moment: Moment) -> Outcome {
        // Its process is found by it, on a machine where others may be drilled too.
        let unique = self.sandbox.namespace.rsplit('-').next().unwrap_or_default();
        let (id, from) = (format!("{victim}-{number}-{unique}"), self.current.other());
        let mut bad = Vec::new();
        let replicas = self.replicas().await;
        self.buyers.ask(replicas.iter().map(|replica| replica.address));
        let old = self.digests().await.expect("a store that can be read");
        let states = States {
            old,
            restored: self.restored[from as usize].clone(),
        };
        assert_ne!(states.old, states.restored, "the states differ");

        let held = match moment.when {
            When::At(stop) => Some(self.line.arm(stop)),
            When::Seen(_) => None,
        };
        let name = self.backup(from).to_owned();
        self.declare(&id, &name).await;
        let come = match (held, moment.when) {
            (Some(held), _) => timeout(COMES, held).await.ok().and_then(Result::ok).map(Some),
            (None, When::Seen(sign)) => timeout(COMES, self.see(&id, sign)).await.ok().map(|()| None),
            (None, When::At(_)) => None,
        };
        self.line.disarm();
        let (died, mut killed, mut commands) = (Instant::now(), Killed::Nobody, None);
        match come {
            None => bad.push("its moment never came".to_owned()),
            Some(held) => {
                commands = held.as_ref().map(|held| held.commands);
                let replica = &replicas[number % replicas.len()];
                killed = self
                    .kill(&id, victim, replica, moment, held, &states, &mut bad)
                    .await;
            }
        }
        let is_restored = self.end(&id, from, died, &states, &mut bad).await;
        let took = died.elapsed();
        let attempts = self.attempts(&id).await;
        self.check_use(&id, &replicas, &mut bad).await;
        bad.extend(self.buyers.complaints());
        self.buyers.ask([]);
        match killed {
            Killed::Nobody => {}
            Killed::Replica(replica) => self.renew(&replica).await,
            Killed::Operator(name) => self.renew_operator(&name).await,
        }
        let name = format!("{victim}: {}", moment.name);
        let place = commands.map_or_else(String::new, |commands| format!(" (command {commands})"));
        let state = if is_restored { "restored" } else { "old" };
        eprintln!(
            "    {name}{place}: {state} after {:.1} s{}{}",
            took.as_secs_f64(),
            listed("ended:", &attempts),
            listed("BAD:", &bad)
        );
        Outcome {
            name,
            took,
            is_restored,
            bad,
        }
    }

    /// Kills, and looks at what is there at that moment.
    #[allow(clippy::too_many_arguments, reason = "a moment has all of these")]
    async fn kill(
        &mut self,
        id: &str,
        victim: Victim,
        replica: &Replica,
        moment: Moment,
        held: Option<Held>,
        states: &States,
        bad: &mut Vec<String>,
    ) -> Killed {
        let release = |held: Option<Held>, verdict| {
            if let Some(held) = held {
                held.release(verdict);
            }
        };
        let (number, killed) = match victim {
            Victim::Job => {
                // Whoever has said that all is done may be gone before the signal comes.
                let may_be_over = matches!(moment.when, When::Seen(Sign::NotedAsDone));
                let between = if may_be_over { Duration::ZERO } else { BETWEEN };
                let number = kill_job(id, between).await;
                release(held, Verdict::Cut);
                states.check("right after", self.digests().await, bad);
                (number.max(usize::from(may_be_over)), Killed::Nobody)
            }
            Victim::Redis => {
                self.server.kill();
                release(held, Verdict::Cut);
                sleep(AWAY).await;
                self.server.start_again();
                states.check("once Redis was back", self.digests().await, bad);
                (1, Killed::Nobody)
            }
            Victim::Api => {
                self.buyers.excuse(replica.address);
                let number = processes::kill(&processes::of_pod(&replica.uid));
                states.check("right after", self.digests().await, bad);
                release(held, Verdict::GoOn);
                (number, Killed::Replica(replica.clone()))
            }
            Victim::Operator => {
                let pod = self.leading_operator().await;
                let uid = pod.uid().unwrap_or_default();
                let number = processes::kill(&processes::of_pod(&uid));
                states.check("right after", self.digests().await, bad);
                release(held, Verdict::GoOn);
                (number, Killed::Operator(pod.name_any()))
            }
        };
        if number == 0 {
            bad.push("there was nothing to kill".to_owned());
        }
        killed
    }

    /// Waits for the end of the restore, and looks at what is there then. Tells whether it went through.
    async fn end(
        &mut self,
        id: &str,
        from: Letter,
        died: Instant,
        states: &States,
        bad: &mut Vec<String>,
    ) -> bool {
        let ended = async {
            loop {
                if let Some(status) = self.status(id).await
                    && let Some(phase @ ("Succeeded" | "Failed")) = status["phase"].as_str()
                {
                    return (phase == "Succeeded", status["message"].to_string());
                }
                sleep(LOOK).await;
            }
        };
        let ended = timeout_at(died + ENDS, ended).await;
        let found = self.digests().await;
        let (is_restored, expected) = match ended {
            Ok((true, _)) => (true, Some(&states.restored)),
            Ok((false, message)) => {
                eprintln!("    {id} failed: {message}");
                (false, Some(&states.old))
            }
            Err(_) => {
                bad.push(format!(
                    "it did not end within {ENDS:?}: {:?}",
                    self.status(id).await
                ));
                states.check("in the end", found, bad);
                return false;
            }
        };
        match found {
            Ok(found) if Some(&found) == expected => {}
            Ok(found) => bad.push(format!(
                "in the end the store holds {}",
                states.name(&found).unwrap_or("a mixture")
            )),
            Err(error) => bad.push(format!("in the end the store cannot be read: {error}")),
        }
        if is_restored {
            self.current = from;
        }
        is_restored
    }

    /// All replicas show what the store holds, and take what buyers write.
    async fn check_use(&self, id: &str, replicas: &[Replica], bad: &mut Vec<String>) {
        let shown = async {
            while !self.buyers.all_see(self.current) {
                sleep(LOOK).await;
            }
        };
        if timeout(SHOWN, shown).await.is_err() {
            bad.push(format!("not every replica shows it within {SHOWN:?}"));
        }
        for Replica { address, .. } in replicas {
            if let Err(last) = self.write(id, *address).await {
                bad.push(format!("{address} takes no writes within {WRITABLE:?}: {last:?}"));
            }
        }
    }

    async fn write(&self, id: &str, replica: IpAddr) -> Result<(), Option<StatusCode>> {
        let begun = Instant::now();
        loop {
            let status = self
                .buyers
                .like(replica, &format!("after {id}"), &self.current.car())
                .await;
            if status == Some(StatusCode::CREATED) {
                return Ok(());
            }
            if begun.elapsed() > WRITABLE {
                return Err(status);
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits until there is something to be seen.
    async fn see(&self, id: &str, sign: Sign) {
        let note = self.folder.join(format!("restores/{id}.json"));
        let is_noted = |text: &str| std::fs::read_to_string(&note).is_ok_and(|note| note.contains(text));
        loop {
            let is_seen = match sign {
                Sign::Declared => true,
                Sign::ProcessRuns => !processes::of_restore(id).is_empty(),
                Sign::Noted => is_noted("\"begun_at\""),
                Sign::NotedAsDone => is_noted("\"finished_at\": \""),
                Sign::JobIsMade => self.job(id).await.is_some(),
                Sign::JobIsComplete => self.job(id).await.as_ref().is_some_and(is_complete),
                Sign::Phase(phase) => {
                    let status = self.status(id).await.unwrap_or_default();
                    let place = |phase: &str| PHASES.iter().position(|one| *one == phase);
                    status["phase"].as_str().and_then(place) >= place(phase)
                }
            };
            if is_seen {
                return;
            }
            let is_near = matches!(sign, Sign::ProcessRuns | Sign::Noted | Sign::NotedAsDone);
            sleep(if is_near { GLANCE } else { LOOK }).await;
        }
    }
}

/// Kills the program of a restore's Job that runs, or else the one that runs next. Answers how many processes that were.
async fn kill_job(id: &str, between: Duration) -> usize {
    let begun = Instant::now();
    loop {
        let number = processes::kill(&processes::of_restore(id));
        if number > 0 || begun.elapsed() >= between {
            return number;
        }
        sleep(GLANCE).await;
    }
}

fn is_complete(job: &Job) -> bool {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition.type_ == "Complete" && condition.status == "True")
}

fn listed(what: &str, lines: &[String]) -> String {
    lines
        .iter()
        .map(|line| format!("\n        {what} {line}"))
        .collect()
}

/// What a store may hold in a case.
struct States {
    old: Digests,
    restored: Digests,
}

impl States {
    fn name(&self, found: &Digests) -> Option<&'static str> {
        if *found == self.old {
            return Some("the old state");
        }
        (*found == self.restored).then_some("the restored state")
    }

    /// Either of the two, whatever the moment.
    fn check(&self, when: &str, found: Result<Digests, BackupError>, bad: &mut Vec<String>) {
        match found {
            Ok(found) if self.name(&found).is_some() => {}
            Ok(found) => bad.push(format!("{when} the store holds a mixture: {found:?}")),
            Err(error) => bad.push(format!("{when} the store cannot be read: {error}")),
        }
    }
}
