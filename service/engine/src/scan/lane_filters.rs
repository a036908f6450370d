//! Hard filters over the columns of a block: a byte for each car, 1 = it fails. A filter reads the columns that it
//! needs, and only when it is set.

use super::Passing;
use crate::{
    catalogue::block::{BLOCK, Block, LANES, category_bit, coarse_price, fuel_bit, gearbox_bit},
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

/// Marks of one block, allocated once for a scan.
pub(super) struct Room {
    fails: Vec<Marks>,
    unknown: Marks,
    failures: Marks,
    marks: Marks,
}

impl Room {
    pub(super) fn new(filters: usize) -> Self {
        Self {
            fails: vec![[0; BLOCK]; filters],
            unknown: [0; BLOCK],
            failures: [0; BLOCK],
            marks: [0; BLOCK],
        }
    }
}

impl Room {
    /// The filters that a car of the block that was marked last fails, a bit each.
    pub(super) fn failed(&self, lane: usize) -> u64 {
        let bits = (0..).zip(&self.fails);
        bits.fold(0, |failed, (index, fails)| {
            failed | u64::from(fails[lane]) << index
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
    pub(super) fn count(&self, block: &Block, room: &mut Room, tally: &mut Tally) -> Passing {
        let lanes = block.groups() * LANES;
        let on_offer = &block.on_offer.all()[..lanes];
        let Room {
            fails,
            unknown,
            failures,
            marks,
        } = room;
        failures.fill(0);
        for (index, (filter, fails)) in self.0.iter().zip(&mut *fails).enumerate() {
            if filter.mark(block, fails, unknown) {
                let both = fails[..lanes].iter().zip(&unknown[..lanes]);
                for (mark, ((fails, unknown), on_offer)) in marks.iter_mut().zip(both.zip(on_offer)) {
                    *mark = fails & unknown & on_offer;
                }
                tally.unknown[index] += total(&marks[..lanes]);
            }
            for (failures, fails) in failures[..lanes].iter_mut().zip(&*fails) {
                *failures += fails;
            }
        }
        for (index, fails) in fails.iter().enumerate() {
            for (mark, (fails, on_offer)) in marks.iter_mut().zip(fails.iter().zip(on_offer)) {
                *mark = fails & on_offer;
            }
            tally.removed[index] += total(&marks[..lanes]);
            for (mark, failures) in marks[..lanes].iter_mut().zip(&failures[..lanes]) {
                *mark &= u8::from(*failures == 1);
            }
            tally.removed_only[index] += total(&marks[..lanes]);
        }
        tally.available += total(on_offer);
        pass(on_offer, failures, marks);
        tally.matching += total(&marks[..lanes]);
        bits(&marks[..lanes])
    }

    /// Marks what each car of a block fails, and does nothing with it.
    pub(super) fn mark(&self, block: &Block, room: &mut Room) {
        for (filter, fails) in self.0.iter().zip(&mut room.fails) {
            filter.mark(block, fails, &mut room.unknown);
        }
    }

    /// Only says which cars on offer pass.
    #[inline(always)]
    pub(super) fn passing(&self, block: &Block, room: &mut Room) -> Passing {
        let lanes = block.groups() * LANES;
        room.failures[..lanes].fill(0);
        for (filter, fails) in self.0.iter().zip(&mut room.fails) {
            filter.mark(block, fails, &mut room.unknown);
            for (failures, fails) in room.failures[..lanes].iter_mut().zip(&*fails) {
                *failures |= fails;
            }
        }
        pass(&block.on_offer.all()[..lanes], &room.failures, &mut room.marks);
        bits(&room.marks[..lanes])
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

/// How many marks of a whole number of groups are 1: down the groups first, which never overflows a byte, then across.
#[inline(always)]
fn total(marks: &[u8]) -> usize {
    let mut by_lane = [0_u8; LANES];
    for group in marks.as_chunks::<LANES>().0 {
        for (sum, mark) in by_lane.iter_mut().zip(group) {
            *sum += mark;
        }
    }
    by_lane.into_iter().map(u32::from).sum::<u32>() as usize
}

/// Marks what is on offer and fails nothing.
#[inline(always)]
fn pass(on_offer: &[u8], failures: &Marks, marks: &mut Marks) {
    for (mark, (on_offer, failures)) in marks.iter_mut().zip(on_offer.iter().zip(failures)) {
        *mark = on_offer & u8::from(*failures == 0);
    }
}

/// Marks as bits, the first lane lowest.
#[inline(always)]
fn bits(marks: &[u8]) -> Passing {
    let mut passing = [0; BLOCK / LANES];
    for (bits, marks) in passing.iter_mut().zip(marks.as_chunks::<LANES>().0) {
        for (byte, marks) in marks.as_chunks::<8>().0.iter().enumerate() {
            // Gathers the lowest bit of each byte into the highest byte.
            let gathered = u64::from_le_bytes(*marks).wrapping_mul(0x0102_0408_1020_4080) >> 56;
            *bits |= gathered << (byte * 8);
        }
    }
    passing
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents a car from being taken for its neighbour.
    #[test]
    fn each_lane_has_its_own_bit() {
        let mut on_offer = [0; BLOCK];
        let mut failures = [0; BLOCK];
        let mut marks = [0; BLOCK];
        for lane in [0, 1, 7, 8, 63, 64, 1023] {
            on_offer[lane] = 1;
        }
        failures[7] = 2;
        pass(&on_offer, &failures, &mut marks);
        let passing = bits(&marks);
        assert_eq!(passing[0], 1 | 1 << 1 | 1 << 8 | 1 << 63);
        assert_eq!(passing[1], 1);
        assert_eq!(passing[15], 1 << 63);
        assert_eq!((total(&on_offer), total(&marks)), (7, 6));
    }
}
