//! Finds the municipality that a buyer or a dealership names, however it is typed.

use crate::{
    sphere::UnitVector,
    tables::{STATES, Tables},
    text::fold,
};

/// How many names are offered in the place of one that is not known.
const SUGGESTIONS: usize = 3;

/// Nobody types a longer name; keeps the time of a search within bounds. The longest in Brazil has 32 letters.
const LONGEST_NAME: usize = 48;

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
        let key = place_key(name);
        let search = self.search_key(&key, state);
        if let PlaceSearch::Unknown(_) = search
            && let Some((name, named)) = split_state(name)
            && state.is_none_or(|state| state == named)
            && let PlaceSearch::Found(place) = self.search_key(&place_key(&name), Some(named))
        {
            return PlaceSearch::Found(place);
        }
        search
    }

    fn search_key(&self, key: &str, state: Option<&str>) -> PlaceSearch {
        let in_state = |place: &Place| state.is_none_or(|state| place.state == state);
        let mut found: Vec<Place> = self.places.of_key(key).filter(in_state).collect();
        match found.len() {
            0 => PlaceSearch::Unknown(self.similar(key, state)),
            1 => PlaceSearch::Found(found.remove(0)),
            _ => PlaceSearch::Ambiguous(found.into_iter().map(|place| place.state).collect()),
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

/// The form in which names are compared: folded and without spaces, so that `d'Oeste`, `d Oeste` and `dOeste` are one.
pub(crate) fn place_key(name: &str) -> String {
    fold(name)
        .chars()
        .filter(|letter| *letter != ' ')
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

/// Levenshtein's distance of two names; `None` when it is not below a limit.
fn edit_distance(a: &[u8], b: &[u8], below: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) >= below {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (index, letter) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        let mut least = row[0];
        for (column, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
            least = least.min(row[column + 1]);
        }
        if least >= below {
            return None;
        }
    }
    Some(row[b.len()]).filter(|distance| *distance < below)
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
