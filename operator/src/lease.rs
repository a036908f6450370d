//! Leader election over a Lease: of several operator processes at most one acts.
//!
//! ```text
//!   Candidate ──renews──▶ Lease            one task, one record on the API server
//!       │
//!       └─ term, valid until ──▶ Leadership ──▶ fence: no write leaves without a valid term
//!                                          └──▶ lead:  looks run within a term, and end with it
//! ```
//!
//! A term is valid until a moment of our own clock, counted from before the request that renewed it,
//! and each renewal moves that moment. So a process that is cut off, or whose election task is stuck,
//! ceases to lead by itself, `Timing::duration - Timing::renew_deadline` before anybody else may begin;
//! what it had sent by then is on its way for no longer than that.
//!
//! No crate fits: those that exist compare other machines' clocks, or write the record without the
//! version at which they read it, so that two candidates can both believe that they hold it.

pub mod fence;
pub mod record;

use std::{future::Future, sync::Arc, time::Duration};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    backoff::jitter,
    health::Health,
    lease::record::{Sighting, Verdict},
    names,
};

/// The times of an election.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// A lease that nobody has touched for this long is free.
    pub duration: Duration,
    /// A leader that could not renew for this long stops to act.
    pub renew_deadline: Duration,
    /// Pause between two renewals.
    pub renew_every: Duration,
    /// Pause between two looks at a lease that somebody else holds, and after an attempt that failed:
    /// half of the two seconds in which a planned change of leader is to be over, and less.
    pub ask_every: Duration,
    /// Longest time that one request may take. Two attempts that hang still leave time for a third; and
    /// an API server that takes nearly as long for each of two requests does not keep anybody from leading.
    pub request: Duration,
}

impl Timing {
    /// The times that Kubernetes's own components use, but for the pauses, which are shorter.
    pub const DEFAULT: Self = Self {
        duration: Duration::from_secs(15),
        renew_deadline: Duration::from_secs(10),
        renew_every: Duration::from_secs(2),
        ask_every: Duration::from_millis(800),
        request: Duration::from_secs(3),
    };

    /// Without an attempt for this long, the election is stuck: three times the longest attempt, which
    /// is three requests, and the pause before it.
    pub const fn longest_silence(&self) -> Duration {
        Duration::from_secs(3 * (self.renew_every.as_secs() + 3 * self.request.as_secs()))
    }
}

/// Why an attempt to take or renew the lease failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lease could not be read.
    #[error("failed to read the Lease {name}")]
    Read {
        /// The Lease.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// The lease could not be written.
    #[error("failed to write the Lease {name}")]
    Write {
        /// The Lease.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
}

/// One stretch of leading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Term {
    number: u64,
    until: Instant,
}

/// Whether this process leads. Clones say the same.
#[derive(Clone, Debug)]
pub struct Leadership(watch::Receiver<Option<Term>>);

impl Leadership {
    /// The current term, if this process leads. Without its election task it does not.
    pub fn held(&self) -> Option<Held> {
        if self.0.has_changed().is_err() {
            return None;
        }
        let term = (*self.0.borrow()).filter(|term| Instant::now() < term.until)?;
        Some(Held {
            terms: self.0.clone(),
            number: term.number,
        })
    }

    /// Whether this process leads.
    pub fn is_held(&self) -> bool {
        self.held().is_some()
    }

    /// Waits until this process leads.
    pub async fn gained(&self) -> Held {
        let mut terms = self.0.clone();
        loop {
            terms.mark_unchanged();
            if let Some(held) = self.held() {
                return held;
            }
            if terms.changed().await.is_err() {
                // The election has ended for good; whoever supervises it knows.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// A term, and the right to act that goes with it.
#[derive(Clone, Debug)]
pub struct Held {
    terms: watch::Receiver<Option<Term>>,
    number: u64,
}

impl Held {
    /// Until when the term is valid, as far as is known now.
    fn until(&self) -> Option<Instant> {
        let term = (*self.terms.borrow()).filter(|term| term.number == self.number);
        term.map(|term| term.until)
            .filter(|until| Instant::now() < *until && self.terms.has_changed().is_ok())
    }

    /// Waits until the term is over, be it that nobody renews it any more.
    pub async fn lost(&self) {
        let mut terms = self.terms.clone();
        loop {
            terms.mark_unchanged();
            let Some(until) = self.until() else { return };
            tokio::select! {
                changed = terms.changed() => if changed.is_err() { return },
                () = sleep_until(until) => {}
            }
        }
    }
}

/// What came of an attempt.
enum Standing {
    /// Ours, by a request that was sent at this moment.
    Held(Instant),
    HeldByOther(String),
    /// Somebody else wrote the lease at the same moment; who, the next attempt tells.
    Contended,
}

/// Takes part in the election.
pub struct Candidate {
    leases: Api<Lease>,
    name: String,
    identity: String,
    timing: Timing,
    /// For the times that the record shows to people; nothing is decided by them.
    clock: fn() -> Timestamp,
    health: Arc<Health>,
    terms: watch::Sender<Option<Term>>,
    number: u64,
    /// The lease as this process last wrote it.
    written: Option<Lease>,
    seen: Option<Sighting>,
    /// When nothing of a term that was cut short can be on its way any more.
    settled: Option<Instant>,
}

impl Candidate {
    /// A candidate named `identity` for the lease of the operators in `namespace`. The client must not
    /// be fenced by the leadership that comes out.
    pub fn new(
        client: Client,
        namespace: &str,
        identity: String,
        timing: Timing,
        clock: fn() -> Timestamp,
        health: Arc<Health>,
    ) -> (Self, Leadership) {
        let (terms, leadership) = watch::channel(None);
        let candidate = Self {
            leases: Api::namespaced(client, namespace),
            name: names::FIELD_MANAGER.to_owned(),
            identity,
            timing,
            clock,
            health,
            terms,
            number: 0,
            written: None,
            seen: None,
            settled: None,
        };
        (candidate, Leadership(leadership))
    }

    /// Competes, renews, and competes again after a loss, until `release` resolves; then gives the
    /// lease back, so that another may lead at once. Whoever resolves it has seen to it that nothing of
    /// this term is still being written.
    pub async fn run(mut self, release: impl Future<Output = ()> + Send) {
        let mut release = std::pin::pin!(release);
        loop {
            self.health.lease_attempted();
            let pause = tokio::select! {
                biased;
                () = &mut release => break,
                pause = self.attempt_and_note() => pause,
            };
            tokio::select! {
                biased;
                () = &mut release => break,
                () = sleep(pause) => {}
            }
        }
        // Before the lease is free, for whoever takes it begins at once.
        let was_leading = self.is_leading();
        self.terms.send_replace(None);
        // A term that was cut short leaves writes on their way; another leader has to wait for them.
        let is_settled = self.settled.is_none_or(|settled| settled <= Instant::now());
        if was_leading && is_settled {
            match timeout(self.timing.request, self.release()).await {
                Ok(Ok(())) => tracing::info!("the lease is released"),
                Ok(Err(error)) => {
                    tracing::warn!(
                        error = &error as &(dyn std::error::Error + 'static),
                        "the lease runs out by itself"
                    );
                }
                Err(_) => tracing::warn!("the lease runs out by itself: the API server does not answer"),
            }
        }
    }

    /// One attempt and what follows from it: the pause until the next.
    async fn attempt_and_note(&mut self) -> Duration {
        match self.attempt().await {
            Ok(Standing::Held(sent)) => {
                self.renewed(sent + self.timing.renew_deadline);
                return self.timing.renew_every;
            }
            Ok(Standing::HeldByOther(holder)) => self.withdraw(&format!("{holder} holds the lease")),
            Ok(Standing::Contended) => {}
            Err(error) => {
                tracing::warn!(
                    error = &error as &(dyn std::error::Error + 'static),
                    "the lease could not be taken or renewed"
                );
            }
        }
        if !self.is_leading() {
            self.withdraw("the lease could not be renewed in time");
        }
        jitter(self.timing.ask_every)
    }

    fn is_leading(&self) -> bool {
        self.terms
            .borrow()
            .is_some_and(|term| Instant::now() < term.until)
    }

    /// Begins a term, or moves the end of the current one.
    fn renewed(&mut self, until: Instant) {
        if !self.is_leading() {
            self.note_end_of_term();
            self.number += 1;
            tracing::info!(
                identity = self.identity,
                term = self.number,
                "this operator leads"
            );
        }
        let number = self.number;
        self.terms.send_replace(Some(Term { number, until }));
    }

    fn note_end_of_term(&mut self) {
        if self.terms.borrow().is_some() {
            self.settled = Some(Instant::now() + self.timing.duration - self.timing.renew_deadline);
        }
    }

    fn withdraw(&mut self, why: &str) {
        self.written = None;
        self.note_end_of_term();
        if self.terms.send_replace(None).is_some() {
            tracing::warn!(why, "this operator leads no more, and stops where it is");
        }
    }

    async fn attempt(&mut self) -> Result<Standing, Error> {
        // While nobody touches the lease, a renewal is one request.
        if let Some(written) = self.written.clone().filter(|_| self.is_leading()) {
            let renewed = record::held_by(
                &self.identity,
                self.spec_of(&written),
                &self.timing,
                (self.clock)(),
            );
            if let Some(sent) = self.write(written, renewed).await? {
                return Ok(Standing::Held(sent));
            }
        }
        let found = self.in_time(self.leases.get_opt(&self.name)).await;
        let Some(lease) = found.map_err(|source| self.read_error(source))? else {
            return self.create().await;
        };
        let spec = self.spec_of(&lease);
        match Sighting::judge(
            &mut self.seen,
            &spec,
            &self.identity,
            &self.timing,
            Instant::now(),
        ) {
            Verdict::Taken(holder) => Ok(Standing::HeldByOther(holder)),
            Verdict::Ours | Verdict::Free => {
                let ours = record::held_by(&self.identity, spec, &self.timing, (self.clock)());
                let sent = self.write(lease, ours).await?;
                Ok(sent.map_or(Standing::Contended, Standing::Held))
            }
        }
    }

    async fn create(&mut self) -> Result<Standing, Error> {
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                labels: Some(
                    [
                        (names::NAME, names::FIELD_MANAGER),
                        (names::PART_OF, "faciliauto"),
                    ]
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .into(),
                ),
                ..ObjectMeta::default()
            },
            spec: Some(record::held_by(
                &self.identity,
                LeaseSpec::default(),
                &self.timing,
                (self.clock)(),
            )),
        };
        let sent = Instant::now();
        match self.in_time(self.leases.create(&parameters(), &lease)).await {
            Ok(created) => {
                self.written = Some(created);
                Ok(Standing::Held(sent))
            }
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(Standing::Contended),
            Err(source) => Err(self.write_error(source)),
        }
    }

    /// Writes the lease at the version at which it was read. Returns when that was sent, or nothing when
    /// somebody was faster.
    async fn write(&mut self, mut lease: Lease, spec: LeaseSpec) -> Result<Option<Instant>, Error> {
        lease.spec = Some(spec);
        let sent = Instant::now();
        let parameters = parameters();
        let written = self.in_time(self.leases.replace(&self.name, &parameters, &lease));
        match written.await {
            Ok(written) => {
                self.written = Some(written);
                Ok(Some(sent))
            }
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => {
                self.written = None;
                Ok(None)
            }
            Err(source) => Err(self.write_error(source)),
        }
    }

    /// Gives the lease back, if it is still ours.
    async fn release(&mut self) -> Result<(), Error> {
        // Twice, for a renewal that was dropped on the way may still arrive in between.
        for _ in 0..2 {
            let found = self.in_time(self.leases.get_opt(&self.name)).await;
            let Some(lease) = found.map_err(|source| self.read_error(source))? else {
                return Ok(());
            };
            let spec = self.spec_of(&lease);
            if record::holder(&spec) != Some(&self.identity) {
                return Ok(());
            }
            if self
                .write(lease, record::free(spec, (self.clock)()))
                .await?
                .is_some()
            {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn in_time<T>(
        &self,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, kube::Error> {
        match timeout(self.timing.request, request).await {
            Ok(answer) => answer,
            Err(elapsed) => Err(kube::Error::Service(elapsed.into())),
        }
    }

    fn spec_of(&self, lease: &Lease) -> LeaseSpec {
        lease.spec.clone().unwrap_or_default()
    }

    fn read_error(&self, source: kube::Error) -> Error {
        Error::Read {
            name: self.name.clone(),
            source,
        }
    }

    fn write_error(&self, source: kube::Error) -> Error {
        Error::Write {
            name: self.name.clone(),
            source,
        }
    }
}

fn parameters() -> PostParams {
    PostParams {
        field_manager: Some(names::FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}

/// Runs `work` anew in each term, and drops it where it is when the term is over. `work` receives
/// nothing that outlives the term; it ends by itself when `stopped` resolves, and then so does this.
/// False when it ended by itself although nobody asked it to.
pub async fn lead<W>(
    leadership: Leadership,
    mut stopped: watch::Receiver<bool>,
    mut work: impl FnMut() -> W,
) -> bool
where
    W: Future<Output = ()>,
{
    loop {
        let held = tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => return true,
            held = leadership.gained() => held,
        };
        tokio::select! {
            biased;
            () = held.lost() => {}
            () = work() => return *stopped.borrow(),
        }
    }
}
