//! The lock of a target: one backup, pruning or restore at a time.
//!
//! It is a file that only one can create, with its holder and a deadline that the holder moves on. Until then nobody else
//! takes it. One that is past its deadline, or too far ahead of it, may be a dead holder's or that of a clock that is wrong,
//! the holder's or ours: it is watched, and taken over in one step when nobody moves it on.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, task::JoinHandle, time::Instant};

use super::{FileVersion, Target};
use crate::{
    backup::{error::BackupError, progress::Progress},
    clock::Clock,
    random,
};

/// Where it is.
pub const PATH: &str = "lock";

/// For how long a lock holds unless it is moved on.
pub const LASTS: Duration = Duration::from_secs(120);

/// How often its holder moves it on.
const RENEW_EVERY: Duration = Duration::from_secs(20);

/// How long to try to say that it is let go.
const LET_GO: Duration = Duration::from_secs(5);

/// How often one that is watched is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// After how many looks at which it was the same its holder is dead: a minute in which the target answered, and whoever
/// lives would have moved it on three times.
const LOOKS: u32 = 12;

/// What the file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    holder: String,
    token: String,
    /// `None` once it was let go.
    deadline: Option<Timestamp>,
}

/// What whoever goes on with a lock in another process must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Who.
    pub holder: String,
    /// Known to the holder alone.
    pub token: String,
}

/// A lock that is held, and moved on in the background until it is dropped, let go or left to another process.
pub struct Lock {
    target: Arc<dyn Target>,
    claim: Claim,
    clock: Clock,
    renewal: JoinHandle<()>,
    lost: watch::Receiver<Option<String>>,
}

impl Lock {
    /// Takes it. What the same holder left behind is taken over: whoever had that ends.
    ///
    /// # Errors
    /// [`BackupError::Locked`] when somebody else has it.
    pub async fn take(
        target: Arc<dyn Target>,
        holder: &str,
        clock: &Clock,
        progress: &Progress,
    ) -> Result<Self, BackupError> {
        let claim = Claim {
            holder: holder.to_owned(),
            token: random::hexadecimal(16),
        };
        let mut watched: Option<(FileVersion, u32)> = None;
        loop {
            let content = claim.content(clock)?;
            if target.create(PATH, content.clone()).await?.is_some() {
                return Ok(Self::held(target, claim, clock));
            }
            let Some((found, version)) = target.look(PATH).await? else {
                continue;
            };
            // An answer that was lost on its way: it was taken all the same.
            if claim.is_of(&found) {
                return Ok(Self::held(target, claim, clock));
            }
            let found: Option<Content> = serde_json::from_slice(&found).ok();
            let is_free = match standing(found.as_ref(), holder, clock.now()) {
                Standing::Free => true,
                Standing::Held => return Err(locked(target.as_ref(), found.as_ref(), false)),
                Standing::Doubtful => match &mut watched {
                    Some((seen, looks)) if *seen == version => {
                        *looks += 1;
                        *looks >= LOOKS
                    }
                    Some(_) => return Err(locked(target.as_ref(), found.as_ref(), true)),
                    None => {
                        let whose = found.map_or_else(|| "somebody".to_owned(), |found| found.holder);
                        progress.warn(&format!(
                            "the lock of the target {} is left by {whose}, who is dead or has another time: waiting \
                             a minute to see which",
                            target.place()
                        ));
                        watched = Some((version.clone(), 0));
                        false
                    }
                },
            };
            if !is_free {
                tokio::time::sleep(LOOK_EVERY).await;
            } else if target.replace(PATH, content, &version).await?.is_some() {
                return Ok(Self::held(target, claim, clock));
            }
        }
    }

    /// Goes on with one that another process left to this one; `None` when it is somebody else's by now.
    ///
    /// # Errors
    /// Those of the target.
    pub async fn resume(
        target: Arc<dyn Target>,
        claim: Claim,
        clock: &Clock,
    ) -> Result<Option<Self>, BackupError> {
        Ok(match renew(target.as_ref(), &claim, clock).await? {
            Renewal::Done => Some(Self::held(target, claim, clock)),
            Renewal::Lost(_) => None,
        })
    }

    fn held(target: Arc<dyn Target>, claim: Claim, clock: &Clock) -> Self {
        let (tell, lost) = watch::channel(None);
        let renewal = tokio::spawn(keep(Arc::clone(&target), claim.clone(), clock.clone(), tell));
        Self {
            target,
            claim,
            clock: clock.clone(),
            renewal,
            lost,
        }
    }

    /// What another process needs to go on with it.
    #[must_use]
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// That it is still held: whoever is about to make something count asks for it.
    ///
    /// # Errors
    /// [`BackupError::LockLost`].
    pub async fn check(&self) -> Result<(), BackupError> {
        match renew(self.target.as_ref(), &self.claim, &self.clock).await? {
            Renewal::Done => Ok(()),
            Renewal::Lost(holder) => Err(self.lost_to(holder)),
        }
    }

    /// Does the work unless the lock is lost meanwhile.
    ///
    /// # Errors
    /// Those of the work, or [`BackupError::LockLost`].
    pub async fn during<T>(
        &self,
        work: impl Future<Output = Result<T, BackupError>>,
    ) -> Result<T, BackupError> {
        let mut lost = self.lost.clone();
        let is_lost = async {
            match lost.wait_for(Option::is_some).await {
                Ok(holder) => holder.clone().unwrap_or_default(),
                // The renewal ended without a word: with the process.
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            outcome = work => outcome,
            holder = is_lost => Err(self.lost_to(holder)),
        }
    }

    fn lost_to(&self, holder: String) -> BackupError {
        BackupError::LockLost {
            target: self.target.place(),
            holder,
        }
    }

    /// Lets it go. What cannot be said now ends by itself.
    pub async fn let_go(self) {
        self.renewal.abort();
        let _ = tokio::time::timeout(LET_GO, self.say_so()).await;
    }

    async fn say_so(&self) {
        end(self.target.as_ref(), |found| found.token == self.claim.token).await;
    }

    /// Lets go of what this holder left behind, who died and whose work is done: nobody else would before its deadline.
    pub async fn let_go_of_left(target: &dyn Target, holder: &str) {
        let _ = tokio::time::timeout(LET_GO, end(target, |found| found.holder == holder)).await;
    }
}

/// Says that a lock is let go, when it is the one that is meant.
async fn end(target: &dyn Target, is_meant: impl Fn(&Content) -> bool) {
    if let Ok(Some((found, version))) = target.look(PATH).await
        && let Ok(found) = serde_json::from_slice::<Content>(&found)
        && is_meant(&found)
        && found.deadline.is_some()
    {
        let content = Content {
            deadline: None,
            ..found
        };
        if let Ok(text) = serde_json::to_vec(&content) {
            let _ = target.replace(PATH, text, &version).await;
        }
    }
}

/// Without a word to the target: another process may go on with it.
impl Drop for Lock {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

impl Claim {
    fn content(&self, clock: &Clock) -> Result<Vec<u8>, BackupError> {
        let content = Content {
            holder: self.holder.clone(),
            token: self.token.clone(),
            deadline: Some(clock.now() + LASTS),
        };
        serde_json::to_vec(&content).map_err(|error| BackupError::Other(error.to_string()))
    }

    fn is_of(&self, found: &[u8]) -> bool {
        serde_json::from_slice(found).is_ok_and(|found: Content| found.token == self.token)
    }
}

/// What a lock that is there means for whoever wants it.
enum Standing {
    /// It was let go, or is one's own.
    Free,
    /// Its holder lives.
    Held,
    /// The time does not tell.
    Doubtful,
}

fn standing(found: Option<&Content>, holder: &str, now: Timestamp) -> Standing {
    let Some(found) = found else {
        // Half a file is what somebody left who died while writing it.
        return Standing::Doubtful;
    };
    match found.deadline {
        _ if found.holder == holder => Standing::Free,
        None => Standing::Free,
        // Of a clock that is a little ahead it is believed: it ends soon.
        Some(deadline) if deadline > now && deadline <= now + LASTS * 2 => Standing::Held,
        Some(_) => Standing::Doubtful,
    }
}

enum Renewal {
    Done,
    /// To whom.
    Lost(String),
}

async fn renew(target: &dyn Target, claim: &Claim, clock: &Clock) -> Result<Renewal, BackupError> {
    let Some((found, version)) = target.look(PATH).await? else {
        return Ok(Renewal::Lost("nobody: somebody removed it".to_owned()));
    };
    let holder = |found: &[u8]| {
        serde_json::from_slice(found).map_or_else(|_| "somebody".to_owned(), |found: Content| found.holder)
    };
    if !claim.is_of(&found) {
        return Ok(Renewal::Lost(holder(&found)));
    }
    match target.replace(PATH, claim.content(clock)?, &version).await? {
        Some(_) => Ok(Renewal::Done),
        // The holder itself may have moved it on at the same time.
        None => match target.look(PATH).await? {
            Some((found, _)) if claim.is_of(&found) => Ok(Renewal::Done),
            other => Ok(Renewal::Lost(
                other.map_or_else(String::new, |(found, _)| holder(&found)),
            )),
        },
    }
}

/// Moves it on until it is lost. A target that is away is asked again: the lock holds a while without.
async fn keep(target: Arc<dyn Target>, claim: Claim, clock: Clock, tell: watch::Sender<Option<String>>) {
    let mut moved_on = Instant::now();
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        match renew(target.as_ref(), &claim, &clock).await {
            Ok(Renewal::Done) => moved_on = Instant::now(),
            Ok(Renewal::Lost(holder)) => {
                tell.send_replace(Some(holder));
                return;
            }
            Err(_) if moved_on.elapsed() < LASTS => {}
            Err(error) => {
                tell.send_replace(Some(format!("nobody: the target is away ({error})")));
                return;
            }
        }
    }
}

fn locked(target: &dyn Target, found: Option<&Content>, is_time_wrong: bool) -> BackupError {
    let deadline = found.and_then(|found| found.deadline).filter(|_| !is_time_wrong);
    BackupError::Locked {
        target: target.place(),
        holder: found.map_or_else(|| "somebody".to_owned(), |found| found.holder.clone()),
        until: deadline.map_or_else(
            || "a time that cannot be told, for one of the two clocks is wrong".to_owned(),
            |deadline| deadline.to_string(),
        ),
    }
}
