//! Backups as `docs/backup-format.md` describes them, read without the program that wrote them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader},
    path::Path,
};

use serde::Deserialize;
use serde_json::Value;

/// Every family that has records of its own.
const FAMILIES: [&str; 7] = [
    "dealerships",
    "tokens",
    "sold",
    "stock",
    "feedback",
    "interactions",
    "ledger",
];

/// What a backup holds.
#[derive(Debug)]
pub(crate) struct Archive {
    /// Family → name of a record → its line.
    pub(crate) families: BTreeMap<&'static str, BTreeMap<String, String>>,
    /// Users and sessions of its events, one name each.
    people: BTreeSet<String>,
}

/// What records are told apart by, and whose they are.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Facts {
    id: String,
    dealership: String,
    car: String,
    entry: String,
    user: Option<String>,
    session: Option<String>,
}

impl Archive {
    /// Reads a backup in a directory that is not encrypted.
    pub(crate) fn read(directory: &Path) -> Self {
        Self::of(|file| {
            let path = directory.join(file);
            std::fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
        })
    }

    /// Reads a backup whose files are to be had by their names.
    pub(crate) fn of(file: impl Fn(&str) -> Vec<u8>) -> Self {
        let mut archive = Self {
            families: BTreeMap::new(),
            people: BTreeSet::new(),
        };
        for family in FAMILIES {
            let packed = file(&format!("{family}.jsonl.zst"));
            let lines = BufReader::new(zstd::Decoder::new(&packed[..]).expect("a zstd stream")).lines();
            let mut records = BTreeMap::new();
            for line in lines {
                let line = line.expect("a line");
                let facts: Facts = serde_json::from_str(&line).expect("a record");
                let name = match family {
                    "dealerships" | "stock" | "feedback" | "interactions" => facts.id,
                    "tokens" => facts.dealership,
                    "sold" => facts.car,
                    _ => facts.entry,
                };
                archive.people.extend(facts.user);
                archive.people.extend(facts.session);
                assert!(
                    records.insert(name, line).is_none(),
                    "{family} has a record twice"
                );
            }
            archive.families.insert(family, records);
        }
        archive
    }

    /// Records that another backup does not have, has otherwise, or has beside them.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for (family, records) in &self.families {
            let others = &other.families[family];
            let differ = records
                .iter()
                .filter(|(name, line)| others.get(*name) != Some(line));
            found.extend(differ.map(|(name, line)| format!("{family}: {line} is {:?}", others.get(name))));
            let more = others.iter().filter(|(name, _)| !records.contains_key(*name));
            found.extend(more.map(|(_, line)| format!("{family}: {line} was not there")));
        }
        found
    }

    /// Whether an event of this user or session is in it.
    pub(crate) fn knows(&self, person: &str) -> bool {
        self.people.contains(person)
    }

    /// Whether a car is in it and not for sale.
    pub(crate) fn is_sold(&self, car: &str) -> bool {
        self.car(car).is_some_and(|car| car["disponivel"] == false)
    }

    /// A car of it.
    pub(crate) fn car(&self, id: &str) -> Option<Value> {
        let line = self.families["stock"].get(id)?;
        Some(serde_json::from_str(line).expect("a car"))
    }

    /// How many records it has.
    pub(crate) fn count(&self, families: &[&str]) -> usize {
        families.iter().map(|family| self.families[family].len()).sum()
    }
}

/// User and session of an event, by its line.
pub(crate) fn people_of(line: &str) -> Vec<String> {
    let facts: Facts = serde_json::from_str(line).expect("a record");
    facts.user.into_iter().chain(facts.session).collect()
}
