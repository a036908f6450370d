//! `brands.csv`: other names of a brand.

use std::collections::BTreeMap;

use crate::text::fold;

use super::{
    TableError,
    reader::{Provenance, Sheet},
};

pub(super) const FILE: &str = "brands.csv";

/// Folded alias → folded brand.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Brands(BTreeMap<String, String>);

impl Brands {
    pub(super) fn read(text: &str) -> Result<(Self, Provenance), TableError> {
        let sheet = Sheet::read(FILE, text)?;
        let mut aliases = BTreeMap::new();
        for row in &sheet.rows {
            for field in ["alias", "brand"] {
                let name = row.text(field)?;
                if fold(name) != name {
                    return Err(row.error(field, format!("{name:?} must be written {:?}", fold(name))));
                }
            }
            let (alias, brand) = (row.text("alias")?.to_owned(), row.text("brand")?.to_owned());
            if alias != brand && aliases.insert(alias, brand).is_some() {
                return Err(row.error("alias", "stands twice in the file"));
            }
        }
        Ok((Self(aliases), sheet.provenance))
    }

    pub(super) fn resolve<'text>(&'text self, folded: &'text str) -> &'text str {
        self.0.get(folded).map_or(folded, String::as_str)
    }
}
