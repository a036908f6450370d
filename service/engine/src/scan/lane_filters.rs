//! Hard filters over the columns of a block: a byte for each car, 1 = it fails. A filter reads the columns that it
//! needs, and only when it is set.

use super::gather;
use crate::{
    catalogue::block::{BLOCK, Block, LANES, LaneBits, category_bit, coarse_price, fuel_bit, gearbox_bit},
    equipment::EquipmentSet,
    filters::Filters,
    questionnaire::MustHave,
    recommendation::Filter,
    stock::{Centavos, Gearbox},
};

/// A byte for each car of a block.
type Marks = [u8; BLOCK];

/// One filter with the figures that it compares.
#[derive(Clone, Debug, PartialEq, Eq)]
enum LaneFilter {
    PriceAtMost(u64),
    SeatsAtLeast {
        people: u8,
        unknown_fails: bool,
    },
    /// Marks by place.
    PlaceWithin {
        fails: Vec<u8>,
        unknown: Vec<u8>,
    },
    BrandNone(Vec<u32>),
    YearAtLeast(u16),
    YearAtMost(u16),
    OdometerAtMost(u32),
    GearboxAny(u8),
    FuelAny(u8),
    CategoryAny(u8),
    EquipmentHas(u32),
    SomeApp,
}

/// The set filters, in the order in which they are reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LaneFilters(Vec<LaneFilter>);

/// What the filters took away from the cars on offer, by filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) available: usize,
    pub(super) matching: usize,
    pub(super) removed: Vec<usize>,
    pub(super) removed_only: Vec<usize>,
    pub(super) unknown: Vec<usize>,
}

impl Tally {
    pub(super) fn new(filters: usize) -> Self {
        Self {
            available: 0,
            matching: 0,
            removed: vec![0; filters],
            removed_only: vec![0; filters],
            unknown: vec![0; filters],
        }
    }
}

/// What is known of one block meanwhile, allocated once for a scan.
pub(super) struct Room {
    /// By filter, who fails it.
    fails: Vec<LaneBits>,
    marks: Marks,
    unknown: Marks,
}

impl Room {
    pub(super) fn new(filters: usize) -> Self {
        Self {
            fails: vec![[0; BLOCK / LANES]; filters],
            marks: [0; BLOCK],
            unknown: [0; BLOCK],
        }
    }

    /// The filters that a car of the block that was marked last fails, a bit each.
    pub(super) fn failed(&self, lane: usize) -> u64 {
        let bits = (0..).zip(&self.fails);
        bits.fold(0, |failed, (index, fails)| {
            failed | (fails[lane / LANES] >> (lane % LANES) & 1) << index
        })
    }
}

impl LaneFilters {
    /// Every set filter.
    pub(super) fn all(filters: &Filters<'_>) -> Self {
        Self(
            filters
                .set()
                .iter()
                .map(|filter| lane_filter(filter, filters))
                .collect(),
        )
    }

    /// Those that the bounds and the exact look at a price do not decide.
    pub(super) fn beyond_bounds(filters: &Filters<'_>) -> Self {
        let decided = |filter: &&Filter| {
            matches!(
                filter,
                Filter::Budget | Filter::Radius | Filter::MustHave(MustHave::Category(_))
            )
        };
        let beyond = filters.set().iter().filter(|filter| !decided(filter));
        Self(beyond.map(|filter| lane_filter(filter, filters)).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Counts one block and says which of its cars on offer pass.
    #[inline(always)]
    pub(super) fn count(&self, block: &Block, room: &mut Room, tally: &mut Tally) -> LaneBits {
        let lanes = block.groups() * LANES;
        let on_offer = &block.on_offer;
        let (mut once, mut twice) = ([0; BLOCK / LANES], [0; BLOCK / LANES]);
        for (index, (filter, fails)) in self.0.iter().zip(&mut room.fails).enumerate() {
            let may_be_unknown = filter.mark(block, &mut room.marks, &mut room.unknown);
            *fails = bits(&room.marks[..lanes]);
            for ((once, twice), fails) in once.iter_mut().zip(&mut twice).zip(&*fails) {
                *twice |= *once & fails;
                *once |= fails;
            }
            tally.removed[index] += total(fails, on_offer);
            if may_be_unknown {
                let unknown = both(fails, &bits(&room.unknown[..lanes]));
                tally.unknown[index] += total(&unknown, on_offer);
            }
        }
        let not_twice = twice.map(|bits| !bits);
        for (removed_only, fails) in tally.removed_only.iter_mut().zip(&room.fails) {
            *removed_only += total(&both(fails, &not_twice), on_offer);
        }
        let passing = both(&once.map(|bits| !bits), on_offer);
        tally.available += total(on_offer, on_offer);
        tally.matching += total(&passing, on_offer);
        passing
    }

    /// Marks what each car of a block fails, and does nothing with it.
    pub(super) fn mark(&self, block: &Block, room: &mut Room) {
        let lanes = block.groups() * LANES;
        for (filter, fails) in self.0.iter().zip(&mut room.fails) {
            filter.mark(block, &mut room.marks, &mut room.unknown);
            *fails = bits(&room.marks[..lanes]);
        }
    }

    /// Only says which cars on offer pass.
    #[inline(always)]
    pub(super) fn passing(&self, block: &Block, room: &mut Room) -> LaneBits {
        let lanes = block.groups() * LANES;
        let mut passing = block.on_offer;
        for filter in &self.0 {
            filter.mark(block, &mut room.marks, &mut room.unknown);
            passing = both(&passing, &bits(&room.marks[..lanes]).map(|bits| !bits));
        }
        passing
    }
}

fn lane_filter(filter: &Filter, filters: &Filters<'_>) -> LaneFilter {
    let asked = filters.questionnaire();
    match filter {
        Filter::Budget => LaneFilter::PriceAtMost(filters.budget_maximum().0),
        Filter::Seats => {
            let people = asked.family_size.unwrap_or_default();
            LaneFilter::SeatsAtLeast {
                people,
                unknown_fails: people >= filters.large_family(),
            }
        }
        Filter::Radius => {
            let proximity = filters.proximity();
            let within = (0..).zip(&proximity.within_radius);
            LaneFilter::PlaceWithin {
                fails: proximity
                    .within_radius
                    .iter()
                    .map(|within| u8::from(!within))
                    .collect(),
                unknown: within
                    .map(|(place, _)| u8::from(!proximity.is_known(place)))
                    .collect(),
            }
        }
        Filter::RejectedBrands => LaneFilter::BrandNone(
            filters
                .rejected_brands()
                .iter()
                .map(|brand| *brand as u32)
                .collect(),
        ),
        Filter::YearMinimum => LaneFilter::YearAtLeast(asked.year_minimum.unwrap_or_default()),
        Filter::YearMaximum => LaneFilter::YearAtMost(asked.year_maximum.unwrap_or(u16::MAX)),
        Filter::OdometerMaximum => LaneFilter::OdometerAtMost(asked.odometer_maximum_km.unwrap_or(u32::MAX)),
        Filter::MustHave(MustHave::AutomaticGearbox) => LaneFilter::GearboxAny(!gearbox_bit(Gearbox::Manual)),
        Filter::MustHave(MustHave::Fuel(fuel)) => LaneFilter::FuelAny(fuel_bit(*fuel)),
        Filter::MustHave(MustHave::Category(category)) => LaneFilter::CategoryAny(category_bit(*category)),
        Filter::MustHave(MustHave::Equipment(word)) => {
            LaneFilter::EquipmentHas(EquipmentSet::of(word).bits())
        }
        Filter::AppClass => LaneFilter::SomeApp,
    }
}

impl LaneFilter {
    /// Marks the cars that fail with 1, and in `unknown` those of which the stock does not say; `false` when it
    /// always says, and `unknown` was not written.
    #[inline(always)]
    fn mark(&self, block: &Block, fails: &mut Marks, unknown: &mut Marks) -> bool {
        let lanes = block.groups() * LANES;
        macro_rules! each {
            ($marks:expr, |$lane:ident| $fails:expr) => {
                for ($lane, mark) in $marks[..lanes].iter_mut().enumerate() {
                    *mark = u8::from($fails);
                }
            };
        }
        match self {
            Self::PriceAtMost(most) => {
                let (coarse, prices) = (block.price_hundreds.all(), block.price.all());
                let most_hundreds = coarse_price(Centavos(*most));
                each!(fails, |lane| coarse[lane] > most_hundreds);
                // Only a price of the same hundred needs its centavos. Few do, and eight bytes a car is as much to
                // read as all the qualities together.
                for (group, coarse) in coarse[..lanes].as_chunks::<LANES>().0.iter().enumerate() {
                    let mut undecided = 0;
                    for coarse in coarse {
                        undecided |= u8::from(*coarse == most_hundreds);
                    }
                    if undecided != 0 {
                        for lane in group * LANES..(group + 1) * LANES {
                            fails[lane] = u8::from(prices[lane] > *most);
                        }
                    }
                }
            }
            Self::SeatsAtLeast {
                people,
                unknown_fails,
            } => {
                let seats = block.seats.all();
                each!(fails, |lane| {
                    let is_unknown = seats[lane] == 0;
                    (is_unknown & *unknown_fails) | (!is_unknown & (seats[lane] < *people))
                });
                each!(unknown, |lane| seats[lane] == 0);
                return true;
            }
            Self::PlaceWithin {
                fails: fails_at,
                unknown: unknown_at,
            } => {
                let places = block.place.all();
                for lane in 0..block.cars().len() {
                    let place = places[lane] as usize;
                    fails[lane] = fails_at[place];
                    unknown[lane] = unknown_at[place];
                }
                return true;
            }
            Self::BrandNone(rejected) => {
                let brands = block.brand.all();
                fails[..lanes].fill(0);
                for brand in rejected {
                    for (lane, mark) in fails[..lanes].iter_mut().enumerate() {
                        *mark |= u8::from(brands[lane] == *brand);
                    }
                }
            }
            Self::YearAtLeast(least) => {
                let years = block.year.all();
                each!(fails, |lane| years[lane] < *least);
            }
            Self::YearAtMost(most) => {
                let years = block.year.all();
                each!(fails, |lane| years[lane] > *most);
            }
            Self::OdometerAtMost(most) => {
                let odometers = block.odometer_km.all();
                each!(fails, |lane| odometers[lane] > *most);
            }
            Self::GearboxAny(any) => {
                let gearboxes = block.gearbox.all();
                each!(fails, |lane| gearboxes[lane] & *any == 0);
            }
            Self::FuelAny(any) => {
                let fuels = block.fuel.all();
                each!(fails, |lane| fuels[lane] & *any == 0);
            }
            Self::CategoryAny(any) => {
                let categories = block.category.all();
                each!(fails, |lane| categories[lane] & *any == 0);
            }
            Self::EquipmentHas(word) => {
                let (has, unsaid) = (block.equipment.all(), block.equipment_unknown.all());
                each!(fails, |lane| has[lane] & *word == 0);
                each!(unknown, |lane| unsaid[lane] & *word != 0);
                return true;
            }
            Self::SomeApp => {
                let classes = block.app_class.all();
                each!(fails, |lane| classes[lane] < 2);
                each!(unknown, |lane| classes[lane] == 0);
                return true;
            }
        }
        false
    }
}

/// Marks of a whole number of groups as bits.
#[inline(always)]
fn bits(marks: &[u8]) -> LaneBits {
    let mut bits = [0; BLOCK / LANES];
    for (bits, marks) in bits.iter_mut().zip(marks.as_chunks::<LANES>().0) {
        *bits = gather(marks);
    }
    bits
}

#[inline(always)]
fn both(one: &LaneBits, other: &LaneBits) -> LaneBits {
    std::array::from_fn(|group| one[group] & other[group])
}

/// How many bits are in both.
#[inline(always)]
fn total(one: &LaneBits, other: &LaneBits) -> usize {
    let mut total = 0;
    for (one, other) in one.iter().zip(other) {
        total += (one & other).count_ones();
    }
    total as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents a car from being taken for its neighbour.
    #[test]
    fn each_lane_has_its_own_bit() {
        let mut marks = [0; BLOCK];
        for lane in [0, 1, 7, 8, 63, 64, 1023] {
            marks[lane] = 1;
        }
        let gathered = bits(&marks);
        assert_eq!(gathered[0], 1 | 1 << 1 | 1 << 7 | 1 << 8 | 1 << 63);
        assert_eq!((gathered[1], gathered[15]), (1, 1 << 63));
        let all = [u64::MAX; BLOCK / LANES];
        assert_eq!(
            (total(&gathered, &all), total(&both(&gathered, &[1; 16]), &all)),
            (7, 2)
        );
    }
}
