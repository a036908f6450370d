//! The manifest: it lists and vouches for everything else, and its being there is what makes a backup one.
//!
//! A text of JSON, and after it one line: the SHA-256 of all that precedes it, as 64 hexadecimal digits.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{families::Family, name::BackupName};
use crate::{backup::error::BackupError, random::in_hexadecimal};

/// The file.
pub const FILE: &str = "manifest.json";

/// What says that a manifest is one of ours.
const PRODUCT: &str = "faciliauto-backup";

/// The format that is written. A program reads all up to its own.
pub const FORMAT: u32 = 1;

/// A manifest is small whatever the backup: more is none of ours.
pub const LONGEST: usize = 1 << 20;

/// Why a backup was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// By the clock.
    Scheduled,
    /// Because somebody asked.
    Manual,
    /// Before another version takes over.
    BeforeUpgrade,
    /// Before a restore: never the latest, kept until the next restore.
    Safety,
}

impl Kind {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Manual => "manual",
            Self::BeforeUpgrade => "before-upgrade",
            Self::Safety => "safety",
        }
    }
}

/// What a manifest says of a family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FamilyFacts {
    /// Which.
    pub family: Family,
    /// How many records it has.
    pub records: u64,
    /// Bytes of its lines.
    pub bytes: u64,
    /// SHA-256 of its lines: of equal stores it is equal, whatever packed them.
    pub sha256: String,
    /// Where it is, in the backup's directory.
    pub file: String,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// SHA-256 of the file.
    pub file_sha256: String,
}

/// What a manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always the same, so that a foreign file is known at once.
    pub product: String,
    /// Of the archive.
    pub format: u32,
    /// The version of the program that made it.
    pub program: String,
    /// The backup's own name.
    pub name: BackupName,
    /// One more than that of every backup that was at the target: their order, whatever clocks say.
    pub sequence: u64,
    /// Why it was made.
    pub kind: Kind,
    /// When reading began: every event acknowledged before is in it.
    pub started_at: Timestamp,
    /// When reading ended.
    pub finished_at: Timestamp,
    /// The version of the stock when reading began.
    pub catalog_version: String,
    /// Whether it counts only once it is proven.
    pub needs_proof: bool,
    /// Who can read it (age recipients); empty = everybody.
    pub encrypted_to: Vec<String>,
    /// What every key in the store began with.
    pub key_prefix: String,
    /// For how many days backups were kept then, where that was set.
    pub keep_days: Option<u16>,
    /// Each family once, in order.
    pub families: Vec<FamilyFacts>,
}

/// What the manifest of any format has.
#[derive(Deserialize)]
struct Beginning {
    product: String,
    format: u32,
    #[serde(default)]
    program: String,
}

impl Manifest {
    /// What says that it is ours.
    #[must_use]
    pub fn product() -> String {
        PRODUCT.to_owned()
    }

    /// Whether its files are encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        !self.encrypted_to.is_empty()
    }

    /// What it says of a family.
    #[must_use]
    pub fn family(&self, family: Family) -> Option<&FamilyFacts> {
        self.families.iter().find(|facts| facts.family == family)
    }

    /// Records of a family.
    #[must_use]
    pub fn records(&self, family: Family) -> u64 {
        self.family(family).map_or(0, |facts| facts.records)
    }

    /// Events of both kinds.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.records(Family::Feedback) + self.records(Family::Interactions)
    }

    /// Bytes of all files but the manifest.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.families.iter().map(|facts| facts.file_bytes).sum()
    }

    /// As the file has it.
    ///
    /// # Errors
    /// Never in practice: it is made of texts and numbers.
    pub fn to_text(&self) -> serde_json::Result<String> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        let seal = seal(text.as_bytes());
        text.push_str(&seal);
        text.push('\n');
        Ok(text)
    }

    /// Reads what lies under a name.
    ///
    /// # Errors
    /// A text that is no manifest, was changed, is of a later format, or does not fit itself.
    pub fn read(bytes: &[u8], name: &BackupName) -> Result<Self, BackupError> {
        let damaged = |reason: String| BackupError::Damaged {
            backup: name.clone(),
            reason,
        };
        let Some(body) = unsealed(bytes) else {
            // What was ours is damaged; what never was is foreign.
            let needle = PRODUCT.as_bytes();
            return Err(if bytes.windows(needle.len()).any(|window| window == needle) {
                damaged(format!(
                    "{FILE} was changed or cut off: its last line is not its SHA-256"
                ))
            } else {
                BackupError::Foreign {
                    backup: name.clone(),
                    reason: format!("its {FILE} is none of ours, or was changed"),
                }
            });
        };
        let beginning: Beginning = serde_json::from_slice(body).map_err(|error| BackupError::Foreign {
            backup: name.clone(),
            reason: format!("its {FILE} says neither product nor format: {error}"),
        })?;
        if beginning.product != PRODUCT {
            return Err(BackupError::Foreign {
                backup: name.clone(),
                reason: format!("its {FILE} is of {:?}", beginning.product),
            });
        }
        if beginning.format > FORMAT {
            return Err(BackupError::NewerFormat {
                backup: name.clone(),
                format: beginning.format,
                program: beginning.program,
                known: FORMAT,
            });
        }
        let manifest: Self = serde_json::from_slice(body)
            .map_err(|error| damaged(format!("{FILE} is not as it must be: {error}")))?;
        manifest.check(name).map_err(damaged)?;
        Ok(manifest)
    }

    /// Whether it fits itself and the name under which it lies.
    fn check(&self, name: &BackupName) -> Result<(), String> {
        if self.name != *name {
            return Err(format!(
                "{FILE} is of {}: it was copied under another name",
                self.name
            ));
        }
        if self.format == 0 {
            return Err("there was no format 0".to_owned());
        }
        if self.families.len() != Family::ALL.len() {
            return Err(format!(
                "{FILE} has {} families, {} are there",
                self.families.len(),
                Family::ALL.len()
            ));
        }
        for (facts, family) in self.families.iter().zip(Family::ALL) {
            if facts.family != family {
                return Err(format!(
                    "{FILE} has {} where {} belongs: one is there twice or none",
                    facts.family.word(),
                    family.word()
                ));
            }
            let file = family.file(self.is_encrypted());
            if facts.file != file {
                return Err(format!("{FILE} has {:?} for {file}", facts.file));
            }
        }
        Ok(())
    }
}

fn seal(bytes: &[u8]) -> String {
    in_hexadecimal(&Sha256::digest(bytes))
}

/// What precedes the last line, when that is its digest.
fn unsealed(bytes: &[u8]) -> Option<&[u8]> {
    let (body, last) = bytes.split_at_checked(bytes.len().checked_sub(65)?)?;
    let digest = last.strip_suffix(b"\n")?;
    (body.ends_with(b"\n") && seal(body).as_bytes() == digest).then_some(body)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn manifest(name: &BackupName) -> Manifest {
        Manifest {
            product: Manifest::product(),
            format: FORMAT,
            program: "0.1.0".to_owned(),
            name: name.clone(),
            sequence: 3,
            kind: Kind::Manual,
            started_at: "2026-11-26T02:00:00Z".parse().unwrap(),
            finished_at: "2026-11-26T02:00:09Z".parse().unwrap(),
            catalog_version: "abc.17".to_owned(),
            needs_proof: true,
            encrypted_to: vec![],
            key_prefix: "faciliauto".to_owned(),
            keep_days: Some(7),
            families: Family::ALL
                .iter()
                .enumerate()
                .map(|(index, family)| FamilyFacts {
                    family: *family,
                    records: index as u64,
                    bytes: 10 + index as u64,
                    sha256: format!("{index:064x}"),
                    file: family.file(false),
                    file_bytes: 20 + index as u64,
                    file_sha256: format!("{:064x}", index + 100),
                })
                .collect(),
        }
    }

    fn code(bytes: &[u8], name: &BackupName) -> &'static str {
        Manifest::read(bytes, name).map_or_else(|error| error.code(), |_| "read")
    }

    /// Seals a text anew, as somebody would who changes a manifest on purpose.
    fn sealed(body: &str) -> Vec<u8> {
        format!("{body}{}\n", seal(body.as_bytes())).into_bytes()
    }

    /// Prevents a manifest from being read as something else than was written, or after a change of any byte.
    #[test]
    fn a_change_of_any_byte_is_seen() {
        let name: BackupName = "20261126T020000Z-ab12cd34".parse().unwrap();
        let manifest = manifest(&name);
        let text = manifest.to_text().unwrap().into_bytes();
        assert_eq!(Manifest::read(&text, &name).unwrap(), manifest);
        for index in 0..text.len() {
            for bit in [0x01, 0x20, 0x80] {
                let mut changed = text.clone();
                changed[index] ^= bit;
                let found = code(&changed, &name);
                assert!(matches!(found, "damaged" | "foreign"), "byte {index}: {found}");
            }
            let found = code(&text[..index], &name);
            assert!(matches!(found, "damaged" | "foreign"), "cut at {index}: {found}");
        }
        assert_eq!(code(&[&text[..], b"\n"].concat(), &name), "damaged");
    }

    /// Prevents an archive of another product, a later format, or with a family twice from being restored.
    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let name: BackupName = "20261126T020000Z-ab12cd34".parse().unwrap();
        let text = manifest(&name).to_text().unwrap();
        let body = &text[..text.len() - 65];
        let with = |from: &str, to: &str| {
            assert!(body.contains(from), "{from}");
            code(&sealed(&body.replace(from, to)), &name)
        };
        assert_eq!(code(&sealed(body), &name), "read");
        assert_eq!(with("faciliauto-backup", "another"), "foreign");
        assert_eq!(with("\"format\": 1", "\"format\": 2"), "newer-format");
        assert_eq!(
            with("\"format\": 1", "\"format\": 2, \"more\": 1"),
            "newer-format"
        );
        assert_eq!(with("\"format\": 1", "\"format\": 0"), "damaged");
        assert_eq!(with("\"family\": \"stock\"", "\"family\": \"sold\""), "damaged");
        assert_eq!(with("stock.jsonl.zst", "../stock.jsonl.zst"), "damaged");
        assert_eq!(
            with("\"sequence\": 3", "\"sequence\": 3, \"sequence\": 4"),
            "damaged"
        );
        assert_eq!(with("ab12cd34", "ab12cd35"), "damaged");
        assert_eq!(code(&sealed("{}\n"), &name), "foreign");
        assert_eq!(code(b"", &name), "foreign");
    }
}
