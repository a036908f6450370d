//! Finds the best cars of a catalogue, exactly, at nearly the speed of reading it.
//!
//! ```text
//!                 ┌ filters ──▶ counts of each, a bit for each car that passes all   (only when asked for, or set)
//! block of 1,024 ─┤   │
//!                 └ bounds ──▶ the highest ── below the worst of the list? ──▶ next block
//!                     │              │ no
//!                     ▼              ▼
//!                 groups of 64: exact score and key of the few lanes that may enter ──▶ list of the best
//! ```
//!
//! A bound is never below the score, so nothing is passed over that belongs in the list; what enters the list is
//! decided by the same integers as in the reference implementation. The loops have no branch in them: masks are
//! arithmetic, so that the compiler makes vectors of whatever width the processor has.

mod bounds;
mod instruction_set;
mod lane_filters;
mod nearness;
mod put_off;

use std::collections::HashMap;

use crate::{
    catalogue::{
        Catalogue,
        block::{BLOCK, Block, Detail, LANES, LaneBits},
    },
    filters::Filters,
    ranking::{Scoring, TopKeys},
    recommendation::FilterCount,
};

use bounds::{BlockBounds, Bounds};
use lane_filters::{LaneFilters, Tally};

pub(crate) use put_off::{Descending, Unranked};

pub use instruction_set::InstructionSet;

/// What a search found.
pub(crate) struct Found<'search> {
    /// Cars on offer.
    pub(crate) available: usize,
    /// Cars on offer that pass every filter.
    pub(crate) matching: usize,
    /// What each filter took away.
    pub(crate) filters: Vec<FilterCount>,
    /// The keys of the best, the best first.
    pub(crate) best: Descending<'search>,
}

/// Counts what each filter takes away and finds the best `limit` cars that pass all.
pub(crate) fn search<'search>(
    catalogue: &'search Catalogue,
    filters: &'search Filters<'_>,
    scoring: &'search Scoring<'_>,
    limit: usize,
    instruction_set: InstructionSet,
) -> Found<'search> {
    let lane_filters = LaneFilters::all(filters);
    let bounds = Bounds::of(scoring, filters);
    let scan = Scan {
        blocks: catalogue,
        filters: &lane_filters,
        bounds: &bounds,
    };
    let mut tally = Tally::new(lane_filters.len());
    let mut top = match catalogue.blocks() {
        [_] => TopKeys::unranked(limit),
        _ => TopKeys::new(limit),
    };
    instruction_set.run(&scan, Some(&mut tally), &mut top);
    let best = match (catalogue.blocks(), top.unranked.take()) {
        ([block], Some(unranked)) => Descending::put_off(bounds, block, unranked, limit),
        _ => Descending::ranked(top),
    };
    Found {
        available: tally.available,
        matching: tally.matching,
        filters: filters.counts(&tally.removed, &tally.removed_only, &tally.unknown),
        best,
    }
}

/// Only finds the best `limit` cars that pass every filter.
pub(crate) fn rank(
    catalogue: &Catalogue,
    filters: &Filters<'_>,
    scoring: &Scoring<'_>,
    limit: usize,
    instruction_set: InstructionSet,
) -> TopKeys {
    let lane_filters = LaneFilters::beyond_bounds(filters);
    let scan = Scan {
        blocks: catalogue,
        filters: &lane_filters,
        bounds: &Bounds::of(scoring, filters),
    };
    let mut top = TopKeys::new(limit);
    instruction_set.run(&scan, None, &mut top);
    top
}

/// The cars on offer that fail the fewest filters, at least one: their places, by the bits of the filters that they fail.
///
/// Looked at only when nothing passes, so it goes lane by lane where a scan would not.
pub(crate) fn nearly_passing(catalogue: &Catalogue, filters: &Filters<'_>) -> HashMap<u64, Vec<usize>> {
    let lane_filters = LaneFilters::all(filters);
    let mut room = lane_filters::Room::new(lane_filters.len());
    let (mut fewest, mut nearly) = (u32::MAX, HashMap::<u64, Vec<usize>>::new());
    for (number, block) in catalogue.blocks().iter().enumerate() {
        lane_filters.mark(block, &mut room);
        for (lane, detail) in block.details.all().iter().enumerate().take(block.cars().len()) {
            let failed = room.failed(lane);
            if !detail.on_offer || failed == 0 || failed.count_ones() > fewest {
                continue;
            }
            if failed.count_ones() < fewest {
                fewest = failed.count_ones();
                nearly.clear();
            }
            nearly.entry(failed).or_default().push(number * BLOCK + lane);
        }
    }
    nearly
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
fn read_blocks(catalogue: &Catalogue, bounds: &Bounds<'_>) -> u64 {
    let mut total = 0_u64;
    for block in catalogue.blocks() {
        total = total.wrapping_add(bounds.read_block(block));
    }
    total
}

/// All that one pass over the blocks needs.
pub(crate) struct Scan<'search> {
    blocks: &'search Catalogue,
    filters: &'search LaneFilters,
    bounds: &'search Bounds<'search>,
}

/// The body that every instruction set compiles for itself.
#[inline(always)]
fn scan_blocks(scan: &Scan<'_>, mut tally: Option<&mut Tally>, top: &mut TopKeys) {
    let mut room = lane_filters::Room::new(scan.filters.len());
    let mut bounds = [0; BLOCK];
    let blocks = scan.blocks.blocks();
    for (number, block) in blocks.iter().enumerate() {
        let next = blocks.get(number + 1).map(AsRef::as_ref);
        let passing = match tally.as_deref_mut() {
            Some(tally) => Some(scan.filters.count(block, &mut room, tally)),
            None if scan.filters.len() > 0 => Some(scan.filters.passing(block, &mut room)),
            None => None,
        };
        rank_block(
            scan,
            block,
            next,
            number * BLOCK,
            passing.as_ref(),
            &mut bounds,
            top,
        );
    }
}

#[inline(always)]
fn rank_block(
    scan: &Scan<'_>,
    block: &Block,
    next: Option<&Block>,
    first_ordinal: usize,
    passing: Option<&LaneBits>,
    bounds: &mut BlockBounds,
    top: &mut TopKeys,
) {
    let mut enough = top.least_bound();
    let Some(nearest) = scan.bounds.nearest(block) else {
        return;
    };
    if scan.bounds.of_block(block, next, nearest, bounds) < enough {
        return;
    }
    for group in 0..block.groups() {
        let bounds = &bounds[group * LANES..][..LANES];
        if !any_reaches(bounds, enough) {
            continue;
        }
        let wanted = passing.unwrap_or(&block.on_offer)[group];
        let reaching = wanted & reaching(bounds, enough);
        if reaching != 0 {
            let first = group * LANES;
            let details = &block.details.all()[first % BLOCK..][..LANES];
            scan.offer(details, bounds, reaching, nearest, first_ordinal + first, top);
            enough = top.least_bound();
        }
    }
}

/// Whether any bound is enough to look at its car.
#[inline(always)]
fn any_reaches(bounds: &[u16], enough: u16) -> bool {
    let mut reached = 0_u16;
    for bound in bounds {
        reached |= u16::from(*bound >= enough);
    }
    reached != 0
}

/// A bit for each bound of a group that is enough.
#[inline(always)]
fn reaching(bounds: &[u16], enough: u16) -> u64 {
    let mut marks = [0_u8; LANES];
    for (mark, bound) in marks.iter_mut().zip(bounds) {
        *mark = u8::from(*bound >= enough);
    }
    gather(&marks)
}

/// Marks of a group, 0 or 1, as bits, the first lane lowest.
#[inline(always)]
fn gather(marks: &[u8; LANES]) -> u64 {
    let mut bits = 0;
    for (byte, marks) in marks.as_chunks::<8>().0.iter().enumerate() {
        // The lowest bit of each byte comes to stand in the highest byte.
        let gathered = u64::from_le_bytes(*marks).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits |= gathered << (byte * 8);
    }
    bits
}

impl Scan<'_> {
    /// Offers the cars of a group whose bits are set, as far as their bounds are enough. Rarely called, so it is kept out
    /// of the loop.
    #[inline(never)]
    fn offer(
        &self,
        details: &[Detail],
        bounds: &[u16],
        mut left: u64,
        nearest: u16,
        first_ordinal: usize,
        top: &mut TopKeys,
    ) {
        let mut enough = top.least_bound();
        while left != 0 {
            let lane = left.trailing_zeros() as usize;
            left &= left - 1;
            let (Some(detail), Some(bound)) = (details.get(lane), bounds.get(lane)) else {
                break;
            };
            if let Some(unranked) = &mut top.unranked {
                let bound = self.bounds.at_its_place(detail, *bound, nearest);
                unranked.push(Unranked::new(bound, first_ordinal + lane));
            } else if *bound >= enough
                && let Some(key) = self.bounds.key(detail, *bound, nearest, first_ordinal + lane)
            {
                top.offer(key);
                enough = top.least_bound();
            }
        }
    }
}
