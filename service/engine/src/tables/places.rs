//! `places.csv`: where each municipality is.
//!
//! Held as one text and two lists of small entries: names of 5,571 municipalities as a `String` each, in a map, would
//! take several times the space.

use std::sync::Arc;

use crate::{
    places::{Place, place_key},
    sphere::UnitVector,
};

use super::{
    STATES, TableError,
    reader::{Provenance, Sheet},
};

pub(super) const FILE: &str = "places.csv";

/// A part of [`Held::text`].
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    length: u8,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    position: UnitVector,
    name: Span,
    /// Place in [`STATES`].
    state: u8,
}

#[derive(Debug)]
struct Held {
    text: String,
    entries: Vec<Entry>,
    /// Key and place in `entries`, sorted by key, then state; an alias is a key of its own.
    keys: Vec<(Span, u16)>,
}

/// Every municipality. A clone shares what it holds.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<Held>);

impl Held {
    fn add(&mut self, text: &str) -> Option<Span> {
        let span = Span {
            start: u32::try_from(self.text.len()).ok()?,
            length: u8::try_from(text.len()).ok()?,
        };
        self.text.push_str(text);
        Some(span)
    }

    fn text(&self, span: Span) -> &str {
        let start = span.start as usize;
        &self.text[start..start + usize::from(span.length)]
    }

    fn state(&self, entry: u16) -> &'static str {
        STATES[usize::from(self.entries[usize::from(entry)].state)]
    }
}

impl Places {
    pub(super) fn read(text: &str) -> Result<(Self, Provenance), TableError> {
        let sheet = Sheet::read(FILE, text)?;
        let mut held = Held {
            text: String::new(),
            entries: Vec::with_capacity(sheet.rows.len()),
            keys: Vec::with_capacity(sheet.rows.len()),
        };
        // Line of each key, for the one error that needs all keys.
        let mut named = Vec::with_capacity(sheet.rows.len());
        for (index, row) in sheet.rows.iter().enumerate() {
            let too_large = || row.error("name", "the file or the name is too long");
            let entry = u16::try_from(index).map_err(|_| too_large())?;
            let (name, state) = (row.text("name")?, row.text("state")?);
            let state = STATES
                .iter()
                .position(|known| *known == state)
                .ok_or_else(|| row.error("state", format!("{state:?} is no state")))?;
            // Brazil and its islands.
            let latitude = row.number("latitude", -34.0, 6.0)?;
            let longitude = row.number("longitude", -75.0, -28.0)?;
            let span = held.add(name).ok_or_else(too_large)?;
            held.entries.push(Entry {
                position: UnitVector::from_degrees(latitude, longitude),
                name: span,
                state: state as u8,
            });
            let aliases = row.cell("aliases")?.split(';').filter(|alias| !alias.is_empty());
            for spelling in std::iter::once(name).chain(aliases) {
                let span = held.add(&place_key(spelling)).ok_or_else(too_large)?;
                held.keys.push((span, entry));
                named.push((place_key(spelling), state, index));
            }
        }
        named.sort();
        if let Some(twice) = named
            .windows(2)
            .find(|pair| (&pair[0].0, pair[0].1) == (&pair[1].0, pair[1].1))
        {
            let message = format!("{:?} stands twice in its state", twice[1].0);
            return Err(sheet.rows[twice[1].2].error("name", message));
        }
        let mut keys = std::mem::take(&mut held.keys);
        keys.sort_by_key(|(span, entry)| (held.text(*span), held.state(*entry)));
        held.keys = keys;
        held.text.shrink_to_fit();
        Ok((Self(Arc::new(held)), sheet.provenance))
    }

    /// The municipalities that a key stands for, by state.
    pub(crate) fn of_key(&self, key: &str) -> impl Iterator<Item = Place> {
        let held = &*self.0;
        let first = held.keys.partition_point(|(span, _)| held.text(*span) < key);
        held.keys[first..]
            .iter()
            .take_while(move |(span, _)| held.text(*span) == key)
            .map(|(_, entry)| {
                let Entry { position, name, .. } = held.entries[usize::from(*entry)];
                Place {
                    name: held.text(name).to_owned(),
                    state: held.state(*entry),
                    position,
                }
            })
    }

    /// Every key once, in alphabetical order, with the states that have it.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = &'static str> + Clone)> {
        let held = &*self.0;
        held.keys
            .chunk_by(|(a, _), (b, _)| held.text(*a) == held.text(*b))
            .map(|same| {
                let states = same.iter().map(|(_, entry)| held.state(*entry));
                (held.text(same[0].0), states)
            })
    }
}
