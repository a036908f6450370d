//! Cars as the scan reads them: 1,024 to a block, each property a column of its own, contiguous and aligned.
//!
//! ```text
//! Catalogue ── Vec<Arc<Block>>
//!                    │
//!                    ▼ one block, cars in the order of their ids
//!   hot      12 of 15 bytes a car: 8 qualities (economia: the buyer's column of 4), wear, category, price in R$ 100
//!   filters  read only when their filter is set: seats, brand, year, odometer, fuel, gearbox, equipment, …
//!   cold     a line each for the few cars that may enter the list; the car itself for those that do
//! ```
//!
//! A change of one car copies its block and nothing else; whoever reads the old catalogue goes on reading it.

use std::sync::Arc;

use super::CatalogueCar;
use crate::{
    questionnaire::Quality,
    stock::{Category, Centavos, Fuel, Gearbox},
    tables::{AppClass, ECONOMY_COLUMNS},
};

/// Cars in a block. A block's hot columns, 15 KB, stay in the first-level cache while it is looked at.
pub(crate) const BLOCK: usize = 1024;

/// Cars that are looked at, or passed over, together within a block; columns are read by whole groups.
pub(crate) const LANES: usize = 64;

/// A bit for each car of a block, a word for each group, the first lane lowest.
pub(crate) type LaneBits = [u64; BLOCK / LANES];

/// Columns of utilities: four of `economia`, the seven other qualities, wear.
const UTILITY_COLUMNS: usize = ECONOMY_COLUMNS + 8;

/// Where wear stands among the columns of utilities.
pub(crate) const WEAR_COLUMN: usize = UTILITY_COLUMNS - 1;

/// A price above this counts as this in the coarse column: R$ 6.5 million. One more still fits.
pub(crate) const COARSEST_PRICE: u16 = u16::MAX - 1;

/// One property of every car of a block.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(crate) struct Column<T>([T; BLOCK]);

impl<T: Copy + Default> Column<T> {
    fn new() -> Self {
        Self([T::default(); BLOCK])
    }

    #[inline(always)]
    pub(crate) fn all(&self) -> &[T; BLOCK] {
        &self.0
    }
}

/// What decides about one car that may enter the list: together, so that looking at it costs one line of memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Detail {
    pub(crate) price: u64,
    pub(crate) odometer_km: u32,
    /// Among the catalogue's places of sale.
    pub(crate) place: u32,
    pub(crate) year: u16,
    /// A bit for each quality that rests on facts, by [`Quality::index`].
    pub(crate) known: u8,
    pub(crate) on_offer: bool,
}

/// Up to 1,024 cars; lanes beyond the last car are never on offer.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Block {
    pub(crate) utilities: [Column<u8>; UTILITY_COLUMNS],
    /// One bit, by [`category_bit`].
    pub(crate) category: Column<u8>,
    /// Whole hundreds of reais, at most [`COARSEST_PRICE`].
    pub(crate) price_hundreds: Column<u16>,
    /// A bit for each car that may be sold today.
    pub(crate) on_offer: LaneBits,
    /// 0 = not known.
    pub(crate) seats: Column<u8>,
    /// One bit, by [`fuel_bit`].
    pub(crate) fuel: Column<u8>,
    /// One bit, by [`gearbox_bit`].
    pub(crate) gearbox: Column<u8>,
    /// 0 = not known, 1 = taken by no app, 2 = taken by some.
    pub(crate) app_class: Column<u8>,
    pub(crate) year: Column<u16>,
    /// Place in the catalogue's list of brands.
    pub(crate) brand: Column<u32>,
    pub(crate) odometer_km: Column<u32>,
    /// A bit for each word of the vocabulary that the car has.
    pub(crate) equipment: Column<u32>,
    /// A bit for each word of which nothing is known.
    pub(crate) equipment_unknown: Column<u32>,
    pub(crate) price: Column<u64>,
    pub(crate) details: Column<Detail>,
    /// Among the catalogue's places of sale.
    pub(crate) place: Column<u32>,
    /// The different values of `place`, when they are few; empty when they are many.
    places: Vec<u32>,
    cars: Vec<Arc<CatalogueCar>>,
}

/// Up to how many places a block is bound by its own. Stock whose ids begin with the dealership's has a handful; where
/// ids are drawn at random every block has nearly all, and looking each up would cost more than it saves.
const FEW_PLACES: usize = 64;

/// Where the buyer's column of a quality stands among the columns of utilities.
pub(crate) fn utility_column(quality: Quality, economy_column: usize) -> usize {
    match quality {
        Quality::Economy => economy_column,
        other => ECONOMY_COLUMNS + other.index() - 1,
    }
}

pub(crate) const fn category_bit(category: Category) -> u8 {
    1 << category as u8
}

pub(crate) const fn fuel_bit(fuel: Fuel) -> u8 {
    1 << fuel as u8
}

pub(crate) const fn gearbox_bit(gearbox: Gearbox) -> u8 {
    1 << gearbox as u8
}

/// Whole hundreds of reais as the coarse column holds them.
pub(crate) fn coarse_price(price: Centavos) -> u16 {
    u16::try_from(price.0 / 10_000).map_or(COARSEST_PRICE, |hundreds| hundreds.min(COARSEST_PRICE))
}

impl Block {
    /// Of at most [`BLOCK`] cars.
    pub(super) fn of(cars: Vec<Arc<CatalogueCar>>) -> Arc<Self> {
        let mut block = Arc::new(Self {
            utilities: std::array::from_fn(|_| Column::new()),
            category: Column::new(),
            price_hundreds: Column::new(),
            on_offer: [0; BLOCK / LANES],
            seats: Column::new(),
            fuel: Column::new(),
            gearbox: Column::new(),
            app_class: Column::new(),
            year: Column::new(),
            brand: Column::new(),
            odometer_km: Column::new(),
            equipment: Column::new(),
            equipment_unknown: Column::new(),
            price: Column::new(),
            details: Column::new(),
            place: Column::new(),
            places: Vec::new(),
            cars: Vec::new(),
        });
        // Nobody else has it yet, so this copies nothing.
        let columns = Arc::make_mut(&mut block);
        for (lane, car) in cars.iter().enumerate() {
            columns.write(lane, car);
        }
        let mut places: Vec<u32> = cars.iter().map(|car| car.place).collect();
        places.sort_unstable();
        places.dedup();
        if places.len() <= FEW_PLACES {
            columns.places = places;
        }
        columns.cars = cars;
        block
    }

    /// The block with another car in one lane.
    pub(super) fn with(&self, lane: usize, car: CatalogueCar) -> Self {
        let mut changed = self.clone();
        changed.write(lane, &car);
        changed.cars[lane] = Arc::new(car);
        changed
    }

    fn write(&mut self, lane: usize, item: &CatalogueCar) {
        let CatalogueCar {
            car,
            model,
            brand,
            place,
            available,
            utilities,
            ..
        } = item;
        for column in 0..ECONOMY_COLUMNS {
            self.utilities[column].0[lane] = utilities.quality(Quality::Economy, column);
        }
        for quality in Quality::ALL.into_iter().skip(1) {
            self.utilities[utility_column(quality, 0)].0[lane] = utilities.quality(quality, 0);
        }
        self.utilities[WEAR_COLUMN].0[lane] = utilities.wear();
        self.category.0[lane] = category_bit(car.category);
        self.price_hundreds.0[lane] = coarse_price(car.price);
        let bit = 1 << (lane % LANES);
        self.on_offer[lane / LANES] &= !bit;
        self.on_offer[lane / LANES] |= if *available { bit } else { 0 };
        self.seats.0[lane] = model.as_ref().map_or(0, |model| model.seats);
        self.fuel.0[lane] = fuel_bit(car.fuel);
        self.gearbox.0[lane] = gearbox_bit(car.gearbox);
        self.app_class.0[lane] = match crate::utilities::app_class(model.as_deref()) {
            None => 0,
            Some(AppClass::None) => 1,
            Some(_) => 2,
        };
        self.year.0[lane] = car.year;
        self.brand.0[lane] = *brand as u32;
        self.odometer_km.0[lane] = car.odometer_km;
        let (has, unknown) = item.equipment_sets();
        self.equipment.0[lane] = has.bits();
        self.equipment_unknown.0[lane] = unknown.bits();
        self.price.0[lane] = car.price.0;
        self.place.0[lane] = *place;
        self.details.0[lane] = Detail {
            price: car.price.0,
            odometer_km: car.odometer_km,
            place: *place,
            year: car.year,
            known: utilities.known(),
            on_offer: *available,
        };
    }

    pub(crate) fn cars(&self) -> &[Arc<CatalogueCar>] {
        &self.cars
    }

    /// The places where its cars are for sale, when they are few; `None` when they are many.
    pub(crate) fn places(&self) -> Option<&[u32]> {
        (!self.places.is_empty()).then_some(&self.places)
    }

    /// Groups of lanes that hold a car.
    #[inline(always)]
    pub(crate) fn groups(&self) -> usize {
        self.cars.len().div_ceil(LANES)
    }
}
