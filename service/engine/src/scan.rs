//! Finds the best cars of a catalogue, exactly, at nearly the speed of reading it.
//!
//! Block by block, sixty-four cars at a time:
//!
//! ```text
//!            ┌ filters ─┐ counts of each filter, a bit for each car that passes all   (only when asked for, or set)
//! block ─────┤          ▼
//!            └ bounds ──▶ highest of 64 ── below the worst of the list? ──▶ next 64
//!                             │ no
//!                             ▼
//!                        exact score and key of the few lanes that may enter ──▶ list of the best
//! ```
//!
//! A bound is never below the score, so nothing is passed over that belongs in the list; what enters the list is
//! decided by the same integers as in the reference implementation. The loops have no branch in them: masks are
//! arithmetic, so that the compiler makes vectors of whatever width the processor has.

mod bounds;
mod instruction_set;
mod lane_filters;

use crate::{
    catalogue::{
        Catalogue,
        block::{BLOCK, Block, LANES},
    },
    filters::Filters,
    ranking::{Scoring, TopKeys},
    recommendation::FilterCount,
};

use bounds::Bounds;
use lane_filters::{LaneFilters, Tally};

pub use instruction_set::InstructionSet;

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Cars on offer.
    pub available: usize,
    /// Cars on offer that pass every filter.
    pub matching: usize,
    /// What each filter took away.
    pub filters: Vec<FilterCount>,
    /// Places in the catalogue with their scores, the best first.
    pub best: Vec<(usize, u32)>,
}

/// Counts what each filter takes away and finds the best `limit` cars that pass all.
pub(crate) fn search(
    catalogue: &Catalogue,
    filters: &Filters<'_>,
    scoring: &Scoring<'_>,
    limit: usize,
    instruction_set: InstructionSet,
) -> Found {
    let lane_filters = LaneFilters::all(filters);
    let scan = Scan {
        blocks: catalogue,
        filters: &lane_filters,
        bounds: Bounds::of(scoring, filters),
        scoring,
    };
    let mut tally = Tally::new(lane_filters.len());
    let mut top = TopKeys::new(limit);
    instruction_set.run(&scan, Some(&mut tally), &mut top);
    Found {
        available: tally.available,
        matching: tally.matching,
        filters: filters.counts(&tally.removed, &tally.removed_only, &tally.unknown),
        best: top.into_best(),
    }
}

/// Only finds the best `limit` cars that pass every filter.
pub(crate) fn rank(
    catalogue: &Catalogue,
    filters: &Filters<'_>,
    scoring: &Scoring<'_>,
    limit: usize,
    instruction_set: InstructionSet,
) -> Vec<(usize, u32)> {
    let lane_filters = LaneFilters::beyond_bounds(filters);
    let scan = Scan {
        blocks: catalogue,
        filters: &lane_filters,
        bounds: Bounds::of(scoring, filters),
        scoring,
    };
    let mut top = TopKeys::new(limit);
    instruction_set.run(&scan, None, &mut top);
    top.into_best()
}

/// Sums the bytes that [`rank`] reads of every car.
#[cfg(feature = "reference")]
pub(crate) fn read_hot_bytes(
    catalogue: &Catalogue,
    filters: &Filters<'_>,
    scoring: &Scoring<'_>,
    instruction_set: InstructionSet,
) -> u64 {
    instruction_set.read(catalogue, &Bounds::of(scoring, filters))
}

#[cfg(feature = "reference")]
#[inline(always)]
fn read_blocks(catalogue: &Catalogue, bounds: &Bounds) -> u64 {
    let mut total = 0;
    for block in catalogue.blocks() {
        for group in 0..block.groups() {
            total += bounds.read_group(block, group);
        }
    }
    total
}

/// All that one pass over the blocks needs.
pub(crate) struct Scan<'search> {
    blocks: &'search Catalogue,
    filters: &'search LaneFilters,
    bounds: Bounds,
    scoring: &'search Scoring<'search>,
}

/// Which lanes of a block pass: a bit each, by group.
type Passing = [u64; BLOCK / LANES];

/// The body that every instruction set compiles for itself.
#[inline(always)]
fn scan_blocks(scan: &Scan<'_>, mut tally: Option<&mut Tally>, top: &mut TopKeys) {
    let mut room = lane_filters::Room::new(scan.filters.len());
    for (number, block) in scan.blocks.blocks().iter().enumerate() {
        let passing = match tally.as_deref_mut() {
            Some(tally) => Some(scan.filters.count(block, &mut room, tally)),
            None if scan.filters.len() > 0 => Some(scan.filters.passing(block, &mut room)),
            None => None,
        };
        rank_block(scan, block, number * BLOCK, passing.as_ref(), top);
    }
}

#[inline(always)]
fn rank_block(
    scan: &Scan<'_>,
    block: &Block,
    first_ordinal: usize,
    passing: Option<&Passing>,
    top: &mut TopKeys,
) {
    for group in 0..block.groups() {
        let wanted = passing.map_or(u64::MAX, |passing| passing[group]);
        if wanted == 0 {
            continue;
        }
        let (bounds, highest) = scan.bounds.of_group(block, group);
        let mut enough = top.least_bound();
        if highest < enough {
            continue;
        }
        for (lane, bound) in bounds.into_iter().enumerate() {
            if bound < enough || wanted & (1 << lane) == 0 {
                continue;
            }
            let place = group * LANES + lane;
            if let Some(key) = scan.exact_key(block, place, first_ordinal + place) {
                top.offer(key, first_ordinal + place);
                enough = top.least_bound();
            }
        }
    }
}

impl Scan<'_> {
    /// The key of a car in the order, `None` when it is not on offer or above the budget. Rarely called, so it is kept
    /// out of the loop.
    #[inline(never)]
    fn exact_key(&self, block: &Block, lane: usize, ordinal: usize) -> Option<u128> {
        if block.on_offer.at(lane) == 0 || !self.bounds.affords(block.price.at(lane)) {
            return None;
        }
        Some(self.scoring.key_at(block, lane, ordinal))
    }
}
