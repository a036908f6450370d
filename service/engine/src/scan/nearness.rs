//! What the place of a dealership can add to a score at most: block by block where a block has few places, so that a
//! block of faraway dealerships is not taken for one around the corner.

use crate::{catalogue::block::Block, filters::Filters, ranking::Scoring, recommendation::Criterion};

/// One buyer's view of places, for bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nearness<'search> {
    weight: u16,
    /// By place, what its distance is worth.
    worth: &'search [u8],
    /// By place, when there is a radius.
    within_radius: Option<&'search [bool]>,
    /// The highest worth of any place that passes; `None` when none does.
    best: Option<u8>,
}

impl<'search> Nearness<'search> {
    pub(super) fn of(scoring: &'search Scoring<'_>, filters: &'search Filters<'_>) -> Self {
        let mut nearness = Self {
            weight: scoring.weights.of_criterion(Criterion::Distance),
            worth: &scoring.proximity.utility,
            within_radius: filters.within_radius(),
            best: None,
        };
        nearness.best = nearness.best_of((0..).take(nearness.worth.len()));
        nearness
    }

    /// Whether a place passes the radius, if there is one.
    pub(super) fn passes(&self, place: u32) -> bool {
        self.within_radius.is_none_or(|within| within[place as usize])
    }

    /// What the distance of a place adds to a score.
    pub(super) fn points(&self, place: u32) -> u16 {
        self.weight * u16::from(self.worth[place as usize])
    }

    /// What distance adds to the scores of a block at most; `None` when no place of the block passes.
    pub(super) fn most(&self, block: &Block) -> Option<u16> {
        let best = match block.places() {
            Some(places) if self.weight > 0 || self.within_radius.is_some() => {
                self.best_of(places.iter().copied())
            }
            _ => self.best,
        };
        best.map(|worth| self.weight * u16::from(worth))
    }

    fn best_of(&self, places: impl Iterator<Item = u32>) -> Option<u8> {
        let passing = places.filter(|place| self.passes(*place));
        passing.map(|place| self.worth[place as usize]).max()
    }
}
