//! Finds the municipality that a buyer or a dealership names, however it is typed.

use crate::{
    sphere::UnitVector,
    tables::{STATES, Tables},
    text::fold,
};

/// How many names are offered in the place of one that is not known.
const SUGGESTIONS: usize = 3;

/// The rest of a longer name is not looked at, which keeps the time of a search within bounds. The longest in Brazil
/// has 28 letters.
const LONGEST_NAME: usize = 32;

/// A municipality.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// As it is written: `São João d'Aliança`.
    pub name: String,
    /// Two letters, capital.
    pub state: &'static str,
    /// Where its seat is.
    pub position: UnitVector,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlaceSearch {
    /// This municipality.
    Found(Place),
    /// One municipality in each of several states, in alphabetical order.
    Ambiguous(Vec<&'static str>),
    /// None. The names most like it, the likest first, at most three; with the state (`Campinas/SP`) unless several
    /// states have the name.
    Unknown(Vec<String>),
}

impl Tables {
    /// Finds a municipality by its name, whatever the case, accents, hyphens, apostrophes and spaces; in one state
    /// when it is given. `Santos/SP` and `Santos, SP` name the state themselves.
    #[must_use]
    pub fn find_place(&self, name: &str, state: Option<&str>) -> PlaceSearch {
        let mut found = self.places_named(name, state);
        match found.len() {
            0 => PlaceSearch::Unknown(self.similar(&place_key(name), state)),
            1 => PlaceSearch::Found(found.remove(0)),
            _ => PlaceSearch::Ambiguous(found.into_iter().map(|place| place.state).collect()),
        }
    }

    /// The municipality of a state; `None` when there is none of that name, which takes no search for like names.
    pub(crate) fn place_in(&self, name: &str, state: &str) -> Option<Place> {
        self.places_named(name, Some(state)).pop()
    }

    /// By state; the names of one state differ.
    fn places_named(&self, name: &str, state: Option<&str>) -> Vec<Place> {
        let of_key = |key: &str, state: Option<&str>| -> Vec<Place> {
            let in_state = |place: &Place| state.is_none_or(|state| place.state == state);
            self.places.of_key(key).filter(in_state).collect()
        };
        let found = of_key(&place_key(name), state);
        match split_state(name) {
            Some((name, named)) if found.is_empty() && state.is_none_or(|state| state == named) => {
                of_key(&place_key(&name), Some(named))
            }
            _ => found,
        }
    }

    /// The names most like a key, by the fewest letters to insert, remove or replace, then by the alphabet.
    fn similar(&self, key: &str, state: Option<&str>) -> Vec<String> {
        let mut nearest: Vec<(usize, &str)> = Vec::with_capacity(SUGGESTIONS + 1);
        for (known, states) in self.places.keys() {
            if state.is_some_and(|state| !states.clone().any(|known| known == state)) {
                continue;
            }
            let worst = match nearest.get(SUGGESTIONS - 1) {
                Some((worst, _)) => *worst,
                None => usize::MAX,
            };
            // Keys come in alphabetical order: of equally like ones the first stay.
            let Some(distance) = edit_distance(key.as_bytes(), known.as_bytes(), worst) else {
                continue;
            };
            let place = nearest.partition_point(|(nearer, _)| *nearer <= distance);
            nearest.insert(place, (distance, known));
            nearest.truncate(SUGGESTIONS);
        }
        nearest
            .into_iter()
            .map(|(_, key)| self.suggestion(key, state))
            .collect()
    }

    fn suggestion(&self, key: &str, state: Option<&str>) -> String {
        let in_state = |place: &Place| state.is_none_or(|state| place.state == state);
        let places: Vec<Place> = self.places.of_key(key).filter(in_state).collect();
        match &places[..] {
            [only] => format!("{}/{}", only.name, only.state),
            [first, ..] => first.name.clone(),
            [] => key.to_owned(),
        }
    }
}

/// The form in which names are compared: folded, letters and digits alone, so that `d'Oeste`, `d Oeste` and `dOeste`
/// are one. Folded names of Brazil are ASCII; other letters would only keep a name from being found.
pub(crate) fn place_key(name: &str) -> String {
    fold(name)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(LONGEST_NAME)
        .collect()
}

/// `santos sp` → (`santos`, `SP`); `None` when the last word is no state.
fn split_state(name: &str) -> Option<(String, &'static str)> {
    let folded = fold(name);
    let (name, last) = folded.rsplit_once(' ')?;
    let state = STATES
        .into_iter()
        .find(|state| state.eq_ignore_ascii_case(last))?;
    Some((name.to_owned(), state))
}

/// Levenshtein's distance of two keys; `None` when it is not below a limit.
fn edit_distance(a: &[u8], b: &[u8], below: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) >= below {
        return None;
    }
    // Keys are short: small counters in one row on the stack.
    let b = &b[..b.len().min(LONGEST_NAME)];
    let mut row = [0_u8; LONGEST_NAME + 1];
    for (count, cell) in (0..).zip(&mut row) {
        *cell = count;
    }
    for (count, letter) in (1..).zip(&a[..a.len().min(LONGEST_NAME)]) {
        let (mut diagonal, mut left) = (row[0], count);
        row[0] = count;
        let mut least = count;
        for (other, cell) in b.iter().zip(&mut row[1..]) {
            let replaced = diagonal + u8::from(letter != other);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
            least = least.min(left);
        }
        if usize::from(least) >= below {
            return None;
        }
    }
    Some(usize::from(row[b.len()])).filter(|distance| *distance < below)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents suggestions that are not the nearest names.
    #[test]
    fn a_letter_more_less_or_other_counts_one() {
        let distance = |a: &str, b: &str| edit_distance(a.as_bytes(), b.as_bytes(), usize::MAX);
        assert_eq!(distance("campinas", "campinas"), Some(0));
        assert_eq!(distance("canpinas", "campinas"), Some(1));
        assert_eq!(distance("campina", "campinas"), Some(1));
        assert_eq!(distance("", "itu"), Some(3));
        assert_eq!(distance("kitten", "sitting"), Some(3));
        assert_eq!(edit_distance(b"kitten", b"sitting", 3), None);
    }
}
