//! An upper bound of each car's score, a block at once, from the hot columns alone.
//!
//! Equal to the score but for a gap under the guard, which counts here as any other 102, a price that the coarse
//! column does not hold, and what depends on the place of the dealership, which counts as for the nearest of its block.

use super::nearness::Nearness;
use crate::{
    catalogue::block::{
        BLOCK, Block, COARSEST_PRICE, Detail, LANES, WEAR_COLUMN, category_bit, coarse_price, fuel_bit,
        gearbox_bit, utility_column,
    },
    filters::Filters,
    questionnaire::Quality,
    ranking::{PriceScale, Scoring, guard, key},
    recommendation::Criterion,
    stock::Centavos,
};

/// A bound for each car of a block.
pub(super) type BlockBounds = [u16; BLOCK];

/// One quality for one buyer.
#[derive(Clone, Copy, Debug)]
struct Term {
    quality: Quality,
    column: usize,
    weight: u16,
    /// 0 = not guarded.
    threshold: u8,
}

/// How a coarse price becomes at least its utility, in lanes of 16 bits that never need 32: the distance from the
/// maximum is cut to eight significant bits, and what that can lose is added before.
#[derive(Clone, Copy, Debug)]
struct PriceLanes {
    maximum: u16,
    range: u16,
    /// Brings the range to 16 significant bits: a power of two, since not every processor shifts lanes by a variable.
    scale: u16,
    /// What an eighth bit of the distance is worth, in 128ths, rounded up.
    multiplier: u16,
    /// In 128ths: what the eight bits that are cut off can be worth, and the rounding.
    lost: u16,
    weight: u16,
}

impl PriceLanes {
    /// `None` when the coarse prices end below the maximum, or when there is nothing to tell apart.
    fn of(scale: &PriceScale, weight: u16) -> Option<Self> {
        if scale.is_a_point() {
            return None;
        }
        let (maximum, range) = scale.parts();
        let maximum = u16::try_from(maximum)
            .ok()
            .filter(|maximum| *maximum < COARSEST_PRICE)?;
        // Nobody is farther from the maximum than the maximum.
        let range = u16::try_from(range).unwrap_or(u16::MAX);
        let shift = range.leading_zeros();
        // 255 to 510: the worth of 256 units of the shifted distance, in 256ths. Rounded up, so that the whole range is
        // worth no less than 255.
        let worth = (255_u64 << 16).div_ceil(u64::from(range) << shift);
        Some(Self {
            maximum,
            range,
            scale: 1 << shift,
            multiplier: worth.div_ceil(2) as u16,
            lost: ((255 * worth).div_ceil(512) + 64) as u16,
            weight,
        })
    }

    /// What a price is counted as: its utility or a few more, at most 255.
    #[inline(always)]
    fn at_least(self, price: u16) -> u16 {
        let distance = self.maximum.saturating_sub(price).min(self.range);
        let distance = distance.wrapping_mul(self.scale);
        // 255 · 255 + 319 still fits.
        let worth = (distance >> 8)
            .wrapping_mul(self.multiplier)
            .wrapping_add(self.lost)
            >> 7;
        worth.min(255)
    }
}

/// Wishes whose number met is worth something; those that are not stated have an empty mask.
#[derive(Clone, Debug)]
struct WishLanes {
    categories: u8,
    fuels: u8,
    gearboxes: u8,
    brands: Vec<u32>,
    /// What the first, second, … wish met adds to the score.
    steps: [u16; 4],
}

/// What one buyer's bounds are made of.
#[derive(Clone, Debug)]
pub(crate) struct Bounds<'search> {
    qualities: [Term; 8],
    /// A bit for each guarded quality, by [`Quality::index`].
    guarded: u8,
    wear_weight: u16,
    /// `None` when coarse prices tell nothing: then each counts in full.
    price: Option<PriceLanes>,
    price_scale: PriceScale,
    price_weight: u16,
    /// Categories that the filters let pass, a bit each.
    categories: u8,
    wishes: Option<WishLanes>,
    /// The lowest coarse price that does not pass; above the scale's maximum when a budget is relaxed.
    too_dear: u16,
    /// 1, so that no car that passes has the bound of one that does not, and what every car may have.
    constant: u16,
    nearness: Nearness<'search>,
    /// What a gap counts without the guard, less what it counts under it.
    gap_less_guarded: u8,
    budget_maximum: u64,
}

impl<'search> Bounds<'search> {
    pub(super) fn of(scoring: &'search Scoring<'_>, filters: &'search Filters<'_>) -> Self {
        let weight = |criterion| scoring.weights.of_criterion(criterion);
        let qualities = Quality::ALL.map(|quality| Term {
            quality,
            column: utility_column(quality, scoring.economy_column),
            weight: weight(Criterion::Quality(quality)),
            threshold: if scoring.guarded[quality.index()] {
                scoring.criteria.guard_threshold
            } else {
                0
            },
        });
        let criteria = scoring.criteria;
        let price_weight = weight(Criterion::Price);
        let price = PriceLanes::of(&scoring.price, price_weight);
        let constant = if price.is_some() {
            1
        } else {
            1 + price_weight * 255
        };
        Self {
            guarded: qualities.iter().fold(0, |guarded, term| {
                guarded | u8::from(term.threshold > 0) << term.quality.index()
            }),
            qualities,
            wear_weight: weight(Criterion::Wear),
            price,
            price_scale: scoring.price,
            price_weight,
            nearness: Nearness::of(scoring, filters),
            gap_less_guarded: guard(criteria.missing_utility, criteria.guard_threshold)
                .saturating_sub(criteria.missing_guarded_utility),
            categories: filters.categories(),
            wishes: WishLanes::of(scoring),
            constant,
            too_dear: coarse_price(filters.budget_maximum()) + 1,
            budget_maximum: filters.budget_maximum().0,
        }
    }

    /// Whether a car passes what the bounds see only from afar: the budget to the centavo, and the radius.
    fn passes(&self, detail: &Detail) -> bool {
        detail.price <= self.budget_maximum && self.nearness.passes(detail.place)
    }

    /// The key of a car in the order, `None` when it fails what its bound does not show.
    #[inline]
    pub(super) fn key(&self, detail: &Detail, bound: u16, nearest: u16, ordinal: usize) -> Option<u128> {
        if !self.passes(detail) {
            return None;
        }
        let score = self.exact(detail, bound, nearest);
        let price = Centavos(detail.price);
        Some(key(score, price, detail.odometer_km, detail.year, ordinal))
    }

    /// What the distance of a car adds to its score.
    pub(super) fn nearness_of(&self, detail: &Detail) -> u16 {
        self.nearness.points(detail.place)
    }

    /// A bound with the distance of its own car in place of the nearest of the block.
    pub(super) fn at_its_place(&self, detail: &Detail, bound: u16, nearest: u16) -> u16 {
        // A place that does not pass the radius may be worth more than any that does: where it is, nobody knows.
        bound - nearest.saturating_sub(self.nearness_of(detail))
    }

    /// What distance adds to the bounds of a block; `None` when no place of it passes the radius.
    pub(super) fn nearest(&self, block: &Block) -> Option<u16> {
        self.nearness.most(block)
    }

    /// The score of a car: its bound, less what each part of the bound says too much.
    fn exact(&self, detail: &Detail, bound: u16, nearest: u16) -> u32 {
        let mut too_much = 1 + u32::from(nearest - self.nearness.points(detail.place));
        let guarded_gaps = self.guarded & !detail.known;
        if guarded_gaps != 0 {
            for term in &self.qualities {
                let is_one = guarded_gaps & (1 << term.quality.index()) != 0;
                too_much += u32::from(is_one) * u32::from(term.weight) * u32::from(self.gap_less_guarded);
            }
        }
        let price = Centavos(detail.price);
        let counted = self
            .price
            .map_or(255, |lanes| lanes.at_least(coarse_price(price)));
        let exact = u16::from(self.price_scale.utility(price));
        too_much += u32::from(self.price_weight) * u32::from(counted - exact);
        u32::from(bound) - too_much
    }

    /// Writes, for each car of a block, one more than the highest score that it can have, and 0 for one that budget
    /// or category rule out. Gives back the highest of them.
    ///
    /// Meanwhile the `next` block is on its way from memory: its columns begin where no processor would look ahead.
    #[inline(always)]
    pub(super) fn of_block(
        &self,
        block: &Block,
        next: Option<&Block>,
        nearest: u16,
        bounds: &mut BlockBounds,
    ) -> u16 {
        let constant = self.constant + nearest;
        if self.guarded != 0 {
            self.sums::<true>(block, next, constant, bounds);
        } else {
            self.sums::<false>(block, next, constant, bounds);
        }
        if let Some(wishes) = &self.wishes {
            wishes.add(block, bounds);
        }
        highest(&bounds[..block.groups() * LANES])
    }

    /// Has the lines of a group fetched that [`Self::sums`] will read.
    #[inline(always)]
    fn fetch(&self, block: &Block, group: usize) {
        let lane = (group * LANES) % BLOCK;
        for term in &self.qualities {
            prefetch(&block.utilities[term.column].all()[lane]);
        }
        prefetch(&block.utilities[WEAR_COLUMN].all()[lane]);
        prefetch(&block.category.all()[lane]);
        let prices = block.price_hundreds.all();
        prefetch(&prices[lane]);
        prefetch(&prices[lane + LANES / 2]);
    }

    /// One loop over the whole block: what it compares with is loaded once, and every vector does the same.
    #[inline(always)]
    fn sums<const GUARDED: bool>(
        &self,
        block: &Block,
        next: Option<&Block>,
        constant: u16,
        sums: &mut BlockBounds,
    ) {
        let columns: [&[u8; BLOCK]; 8] =
            std::array::from_fn(|index| block.utilities[self.qualities[index].column].all());
        let weights: [u16; 8] = std::array::from_fn(|index| self.qualities[index].weight);
        let thresholds: [u8; 8] = std::array::from_fn(|index| self.qualities[index].threshold);
        let wear = block.utilities[WEAR_COLUMN].all();
        let prices = block.price_hundreds.all();
        let categories = block.category.all();
        let price = self.price.unwrap_or(PriceLanes {
            maximum: COARSEST_PRICE,
            range: 0,
            scale: 0,
            multiplier: 0,
            lost: 0,
            weight: 0,
        });

        for group in 0..block.groups() {
            if let Some(next) = next {
                self.fetch(next, group);
            }
            for lane in (group * LANES) % BLOCK..(group * LANES) % BLOCK + LANES {
                let worth = |index: usize| {
                    let utility = columns[index][lane];
                    let counted = if GUARDED {
                        utility.saturating_sub(thresholds[index].saturating_sub(utility))
                    } else {
                        utility
                    };
                    weights[index].wrapping_mul(u16::from(counted))
                };
                let qualities = worth(0)
                    .wrapping_add(worth(1))
                    .wrapping_add(worth(2))
                    .wrapping_add(worth(3))
                    .wrapping_add(worth(4))
                    .wrapping_add(worth(5))
                    .wrapping_add(worth(6))
                    .wrapping_add(worth(7));

                let price_worth = price.at_least(prices[lane]);
                let too_dear = if prices[lane] >= self.too_dear {
                    u16::MAX
                } else {
                    0
                };
                let wrong_category = if categories[lane] & self.categories == 0 {
                    u16::MAX
                } else {
                    0
                };
                let sum = qualities
                    .wrapping_add(self.wear_weight.wrapping_mul(u16::from(wear[lane])))
                    .wrapping_add(price.weight.wrapping_mul(price_worth))
                    .wrapping_add(constant);
                sums[lane] = sum & !(too_dear | wrong_category);
            }
        }
    }
}

#[cfg(feature = "reference")]
impl Bounds<'_> {
    /// The sum of what [`Self::of_block`] reads, in the widest way there is: eight bytes at a time.
    #[inline(always)]
    pub(super) fn read_block(&self, block: &Block) -> u64 {
        let lanes = block.groups() * LANES;
        let words = |bytes: &[u8]| {
            let mut sum = 0_u64;
            for word in bytes.as_chunks::<8>().0 {
                sum = sum.wrapping_add(u64::from_ne_bytes(*word));
            }
            sum
        };
        let mut total = words(&block.utilities[WEAR_COLUMN].all()[..lanes]);
        for term in &self.qualities {
            total = total.wrapping_add(words(&block.utilities[term.column].all()[..lanes]));
        }
        total = total.wrapping_add(words(&block.category.all()[..lanes]));
        let mut prices = 0_u16;
        for price in &block.price_hundreds.all()[..lanes] {
            prices = prices.wrapping_add(*price);
        }
        total.wrapping_add(u64::from(prices))
    }
}

/// Asks for a line of memory that will be read soon; a hint, and nothing where there is no such instruction.
#[inline(always)]
fn prefetch<Value>(value: &Value) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction is part of every x86-64 processor, reads nothing and never faults.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(
            std::ptr::from_ref(value).cast(),
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

/// The highest of a whole number of groups: down the groups first, lane by lane, across the lanes once.
#[inline(always)]
fn highest(bounds: &[u16]) -> u16 {
    let mut by_lane = [0_u16; LANES];
    for group in bounds.as_chunks::<LANES>().0 {
        for (highest, bound) in by_lane.iter_mut().zip(group) {
            *highest = (*highest).max(*bound);
        }
    }
    by_lane.into_iter().fold(0, u16::max)
}

impl WishLanes {
    fn of(scoring: &Scoring<'_>) -> Option<Self> {
        let weight = u32::from(scoring.weights.of_criterion(Criterion::Preferences));
        if weight == 0 {
            return None;
        }
        let wishes = &scoring.wishes;
        let stated = wishes.stated();
        let mut steps = [0; 4];
        for (step, met) in steps.iter_mut().zip(1..=stated) {
            let worth = |met| weight * u32::from(crate::ranking::wishes_worth(met, stated));
            *step = (worth(met) - worth(met - 1)) as u16;
        }
        // A brand named twice, or by an alias too, is one wish.
        let mut brands: Vec<u32> = wishes
            .brands
            .iter()
            .flatten()
            .map(|brand| *brand as u32)
            .collect();
        brands.sort_unstable();
        brands.dedup();
        let mask = |bits: &mut dyn Iterator<Item = u8>| bits.fold(0, |mask, bit| mask | bit);
        Some(Self {
            categories: mask(&mut wishes.categories.iter().copied().map(category_bit)),
            fuels: mask(&mut wishes.fuels.iter().copied().map(fuel_bit)),
            gearboxes: mask(&mut wishes.gearboxes.iter().copied().map(gearbox_bit)),
            brands,
            steps,
        })
    }

    /// Adds what the wishes are worth to the bounds of cars that pass.
    #[inline(always)]
    fn add(&self, block: &Block, bounds: &mut BlockBounds) {
        let lanes = (block.groups() * LANES).min(BLOCK);
        let mut met = [0_u8; BLOCK];
        let (categories, fuels, gearboxes) = (block.category.all(), block.fuel.all(), block.gearbox.all());
        for lane in 0..lanes {
            met[lane] = u8::from(categories[lane] & self.categories != 0)
                + u8::from(fuels[lane] & self.fuels != 0)
                + u8::from(gearboxes[lane] & self.gearboxes != 0);
        }
        let brands = block.brand.all();
        for brand in &self.brands {
            for lane in 0..lanes {
                met[lane] += u8::from(brands[lane] == *brand);
            }
        }
        for lane in 0..lanes {
            let mut worth = 0_u16;
            for (step, least) in self.steps.iter().zip(1..) {
                worth += if met[lane] >= least { *step } else { 0 };
            }
            let passes = if bounds[lane] > 0 { u16::MAX } else { 0 };
            bounds[lane] += worth & passes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents a bound below the utility, by which a car would be passed over, and one far above it, by which nothing
    /// would be.
    #[test]
    fn a_price_counts_its_utility_or_little_more() {
        for (minimum, maximum) in [(0, 1), (500, 900), (0, 65_533), (1, 257), (123, 45_678)] {
            let scale = PriceScale::new(Centavos(minimum * 10_000), Centavos(maximum * 10_000));
            let lanes = PriceLanes::of(&scale, 30).unwrap();
            for price in 0..=maximum {
                let exact = u16::from(scale.utility(Centavos(price * 10_000)));
                let counted = lanes.at_least(price as u16);
                assert!(
                    (exact..=exact + 4).contains(&counted) && counted <= 255,
                    "{price} in {minimum} to {maximum}: {counted} for {exact}"
                );
            }
        }
        let dear = PriceScale::new(Centavos(0), Centavos(10_000_000_000));
        let point = PriceScale::new(Centavos(5_000_000), Centavos(5_009_999));
        assert!(PriceLanes::of(&dear, 30).is_none() && PriceLanes::of(&point, 30).is_none());
    }
}
