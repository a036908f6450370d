//! Puts the exact look at the cars of a small catalogue off until somebody reads that far: variety reads a few dozen of
//! the two hundred best that it may choose from, and the exact look is most of what a small catalogue costs.

use std::collections::BinaryHeap;

use super::bounds::Bounds;
use crate::{
    catalogue::block::Block,
    ranking::{TopKeys, score_of},
};

/// A car of one block that was not looked at yet: its bound at its own place, then what puts the first lane first. By
/// the bound of the nearest place every car far from the buyer would be looked at too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Unranked(u32);

impl Unranked {
    /// A lane of the first block with a bound, as bounds are counted: one more than the score at most.
    pub(crate) fn new(bound: u16, lane: usize) -> Self {
        Self(u32::from(bound) << 16 | (u32::from(u16::MAX) - lane as u32))
    }

    fn bound(self) -> u16 {
        (self.0 >> 16) as u16
    }

    fn lane(self) -> usize {
        usize::from(u16::MAX - self.0 as u16)
    }
}

/// The keys of the best cars, the best first.
pub(crate) struct Descending<'search> {
    ranked: BinaryHeap<u128>,
    put_off: Option<PutOff<'search>>,
    /// How many more there may be.
    left: usize,
}

/// The cars of one block that are ranked when they are read.
struct PutOff<'search> {
    bounds: Bounds<'search>,
    block: &'search Block,
    unranked: BinaryHeap<Unranked>,
}

impl<'search> Descending<'search> {
    pub(super) fn ranked(top: TopKeys) -> Self {
        let ranked = top.into_heap();
        Self {
            left: ranked.len(),
            ranked,
            put_off: None,
        }
    }

    /// The first `limit` of some cars of the first block.
    pub(super) fn put_off(
        bounds: Bounds<'search>,
        block: &'search Block,
        unranked: Vec<Unranked>,
        limit: usize,
    ) -> Self {
        Self {
            ranked: BinaryHeap::new(),
            put_off: Some(PutOff {
                bounds,
                block,
                unranked: unranked.into(),
            }),
            left: limit,
        }
    }
}

impl Iterator for Descending<'_> {
    type Item = u128;

    fn next(&mut self) -> Option<u128> {
        self.left = self.left.checked_sub(1)?;
        if let Some(cars) = &mut self.put_off {
            cars.rank_next(&mut self.ranked);
        }
        self.ranked.pop()
    }
}

impl PutOff<'_> {
    /// Ranks until the best of the ranked is ahead of all that are not. A bound is above the score: whoever has at least
    /// the highest bound left is ahead.
    fn rank_next(&mut self, ranked: &mut BinaryHeap<u128>) {
        while let Some(next) = self.unranked.peek().copied()
            && ranked
                .peek()
                .is_none_or(|best| score_of(*best) < u32::from(next.bound()))
        {
            self.unranked.pop();
            let lane = next.lane();
            let detail = &self.block.details.all()[lane];
            let nearness = self.bounds.nearness_of(detail);
            if let Some(key) = self.bounds.key(detail, next.bound(), nearness, lane) {
                ranked.push(key);
            }
        }
    }
}
