//! What came back, compared record by record with what the backup holds and with what was acknowledged.

use std::{collections::BTreeSet, time::Instant};

use crate::{
    archive::{Archive, people_of},
    stock::car_id,
    traffic::{Deed, Entry},
};

/// When what happened to a system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course {
    /// The backup that was restored was begun.
    pub(crate) backed_up: Instant,
    /// The store was first seen to have nothing; nothing from before is asked for but what the backup holds.
    pub(crate) lost: Option<Instant>,
    /// Writes were first seen to be held back.
    pub(crate) fenced: Instant,
    /// The restored generation was first seen in the store.
    pub(crate) switched: Instant,
}

/// What was restored, and what there is to compare.
pub(crate) struct Evidence<'a> {
    pub(crate) course: Course,
    /// What was restored.
    pub(crate) from: &'a Archive,
    /// What was there before, where something was.
    pub(crate) safety: Option<&'a Archive>,
    /// What is there in the end.
    pub(crate) now: &'a Archive,
    pub(crate) journal: &'a [Entry],
    /// Users and sessions who were erased since the backup.
    pub(crate) erased: &'a [String],
}

impl Evidence<'_> {
    /// Writes that were acknowledged and are not where they must be: before the fence in the safety backup, after the
    /// switch in the new generation, and in the backup what was acknowledged before it.
    pub(crate) fn missing(&self) -> Vec<&Entry> {
        let acknowledged = self
            .journal
            .iter()
            .filter(|entry| entry.acknowledged && entry.deed.is_write());
        acknowledged.filter(|entry| !self.is_kept(entry)).collect()
    }

    fn is_kept(&self, entry: &Entry) -> bool {
        let Course {
            backed_up,
            lost,
            fenced,
            switched,
        } = self.course;
        let in_backup = entry.answered() >= backed_up || holds(self.from, &entry.deed);
        let is_after = entry.sent >= switched;
        let in_its_place = if let Some(lost) = lost {
            // What was under way then may have gone with the rest.
            entry.sent < lost || holds(self.now, &entry.deed)
        } else {
            let in_safety = self.safety.is_some_and(|safety| holds(safety, &entry.deed));
            let must_be_in_safety = entry.answered() < fenced;
            (must_be_in_safety && in_safety)
                || (is_after && holds(self.now, &entry.deed))
                || (!must_be_in_safety && !is_after && (in_safety || holds(self.now, &entry.deed)))
        };
        in_backup && in_its_place
    }

    /// Records that differ from the backup's though nobody changed them since the restore.
    pub(crate) fn differences(&self) -> Vec<String> {
        let changed = self.changed();
        let mut found = Vec::new();
        for (family, before) in &self.from.families {
            let now = &self.now.families[family];
            let is_event = ["feedback", "interactions"].contains(family);
            for (name, line) in before {
                let may_differ = match *family {
                    // More may be erased and revoked since, and nothing is ever taken out.
                    "ledger" => now.contains_key(name),
                    "stock" | "sold" => changed.contains(name),
                    _ if is_event => people_of(line).iter().any(|person| self.erased.contains(person)),
                    _ => false,
                };
                if now.get(name) != Some(line) && !may_differ {
                    found.push(format!("{family}: {line} is now {:?}", now.get(name)));
                }
            }
            for (name, line) in now.iter().filter(|(name, _)| !before.contains_key(*name)) {
                let may_be_new = match *family {
                    "ledger" => true,
                    "stock" | "sold" => changed.contains(name),
                    _ if is_event => people_of(line).iter().any(|person| changed.contains(person)),
                    _ => false,
                };
                if !may_be_new {
                    found.push(format!("{family}: {line} was not there"));
                }
            }
        }
        let remembered = self.erased.iter().filter(|person| self.now.knows(person));
        found.extend(remembered.map(|person| format!("{person} was erased, and is known")));
        found
    }

    /// Cars, users and sessions that somebody wrote about after writes were held back, or whom the answer did not tell
    /// that the write was done before.
    fn changed(&self) -> BTreeSet<String> {
        let from = self.course.lost.unwrap_or(self.course.fenced);
        let later = self
            .journal
            .iter()
            .filter(|entry| !entry.acknowledged || entry.answered() >= from);
        later.filter_map(|entry| subject(&entry.deed)).collect()
    }
}

/// The car, the user or the session that a write is about.
fn subject(deed: &Deed) -> Option<String> {
    match deed {
        Deed::Recommend | Deed::Read { .. } => None,
        Deed::Feedback { user: person } | Deed::Interaction { session: person } => Some(person.clone()),
        Deed::Sale { dealer, car } => Some(car_id(*dealer, *car)),
    }
}

fn holds(archive: &Archive, deed: &Deed) -> bool {
    match deed {
        Deed::Recommend | Deed::Read { .. } => true,
        Deed::Feedback { user: person } | Deed::Interaction { session: person } => archive.knows(person),
        Deed::Sale { dealer, car } => archive.is_sold(&car_id(*dealer, *car)),
    }
}
