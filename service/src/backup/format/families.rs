//! The families of a backup: what is kept together in one file.

use serde::{Deserialize, Serialize};

/// Kinds of records, in the order in which they are written and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Records of dealerships, by id.
    Dealerships,
    /// Digests of dealers' tokens, by dealership.
    Tokens,
    /// When cars were marked sold, by dealership and car.
    Sold,
    /// Cars: dealerships by id, cars of each in the order in which the dealer handed them in.
    Stock,
    /// What buyers said, newest first.
    Feedback,
    /// What buyers did, newest first.
    Interactions,
    /// Erased persons and revoked tokens, by entry.
    Ledger,
    /// What names of persons are derived with: the store's own secret first, none where nothing was ever recorded, then
    /// those of other stores whose ledgers were united with this one.
    PersonSecret,
    /// What the deployment was declared to be: one record, or none.
    Declared,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Dealerships,
        Self::Tokens,
        Self::Sold,
        Self::Stock,
        Self::Feedback,
        Self::Interactions,
        Self::Ledger,
        Self::PersonSecret,
        Self::Declared,
    ];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Dealerships => "dealerships",
            Self::Tokens => "tokens",
            Self::Sold => "sold",
            Self::Stock => "stock",
            Self::Feedback => "feedback",
            Self::Interactions => "interactions",
            Self::Ledger => "ledger",
            Self::PersonSecret => "person-secret",
            Self::Declared => "declared",
        }
    }

    /// Its file.
    #[must_use]
    pub fn file(self, encrypted: bool) -> String {
        format!("{}.jsonl.zst{}", self.word(), if encrypted { ".age" } else { "" })
    }
}
