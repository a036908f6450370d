//! The stock as the engine works on it: checked, in the order of ids, each car joined with its model's facts and
//! with the worth of its qualities.

pub(crate) mod block;
mod build;
mod check;

use std::sync::Arc;

use jiff::civil::Date;

use crate::{
    equipment::EquipmentSet,
    proximity::SalePlace,
    questionnaire::{Quality, Questionnaire},
    recommend,
    recommendation::Recommendation,
    stock::{Car, Centavos, Dealership, Stock},
    tables::{ModelFacts, Tables},
    utilities::Utilities,
};

use block::{BLOCK, Block};

pub use check::{StockProblem, StockProblemKind, StockProblems};

/// Whether a car has something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Has {
    Yes,
    No,
    Unknown,
}

/// A car of the catalogue, joined with what is known of its model.
#[derive(Clone, Debug)]
pub struct CatalogueCar {
    /// As it came in.
    pub car: Car,
    /// Facts of its model; `None` when the model table has none that fits.
    pub model: Option<Arc<ModelFacts>>,
    /// Folded brand, aliases resolved, as a place in the catalogue's list of brands.
    pub(crate) brand: usize,
    /// The same number for cars of one family (`Onix`), whatever engine and year: of its model, else as advertised.
    pub(crate) family: u32,
    /// Place of its dealership in [`Catalogue::dealerships`].
    pub(crate) dealership: usize,
    /// Number of the place where it is for sale, in [`Catalogue::places`].
    pub(crate) place: u32,
    pub(crate) equipment: Option<EquipmentSet>,
    /// Years since the model year.
    pub(crate) age: u32,
    /// Days since the stock was confirmed; `None` for sample stock, which needs no confirmation.
    pub(crate) unconfirmed_days: Option<u32>,
    pub(crate) available: bool,
    pub(crate) utilities: Utilities,
    /// The column of `economia` that is shown where no buyer is involved.
    shown_economy_column: usize,
}

impl CatalogueCar {
    /// As advertised, else brand, model and version.
    #[must_use]
    pub fn display_name(&self) -> String {
        let mut text = String::with_capacity(48);
        self.push_display_name(&mut text);
        text
    }

    pub(crate) fn push_display_name(&self, text: &mut String) {
        let Car {
            name,
            brand,
            model,
            version,
            ..
        } = &self.car;
        if let Some(name) = name.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
            text.push_str(name);
            return;
        }
        text.push_str(brand);
        text.push(' ');
        text.push_str(model);
        if let Some(version) = version.as_deref().filter(|version| !version.trim().is_empty()) {
            text.push(' ');
            text.push_str(version);
        }
    }

    /// What a quality is worth, 0 to 255, on the fixed scale; `economia` for a family's mix of town and road.
    /// A quality of which nothing is known has the worth of a gap (see [`CatalogueCar::is_known`]).
    #[must_use]
    pub fn quality(&self, quality: Quality) -> u8 {
        self.utilities.quality(quality, self.shown_economy_column)
    }

    /// Whether the worth of a quality rests on facts.
    #[must_use]
    pub fn is_known(&self, quality: Quality) -> bool {
        self.utilities.is_known(quality)
    }

    /// How well it suits a family, 0 to 1: the mean of space, safety and comfort.
    #[must_use]
    pub fn score_family(&self) -> f64 {
        let sum: u32 = [Quality::Space, Quality::Safety, Quality::Comfort]
            .into_iter()
            .map(|quality| u32::from(self.quality(quality)))
            .sum();
        f64::from(sum) / (3.0 * 255.0)
    }

    /// Whether it has a thing of the equipment vocabulary: the seller's list, then the model's facts.
    pub(crate) fn has_equipment(&self, word: &str) -> Has {
        let (has, unknown) = self.equipment_sets();
        let word = EquipmentSet::of(word);
        if has.intersects(word) {
            Has::Yes
        } else if unknown.intersects(word) {
            Has::Unknown
        } else {
            Has::No
        }
    }

    /// What it has, and what nobody knows whether it has.
    pub(crate) fn equipment_sets(&self) -> (EquipmentSet, EquipmentSet) {
        let mut has = self.equipment.unwrap_or_default();
        let mut unknown = if self.equipment.is_none() {
            EquipmentSet::ALL
        } else {
            EquipmentSet::default()
        };
        let facts = self.model.as_ref().map(|model| {
            [
                (EquipmentSet::ISOFIX, model.isofix),
                (EquipmentSet::STABILITY_CONTROL, model.stability_control),
            ]
        });
        for (word, fact) in facts.into_iter().flatten() {
            if let Some(present) = fact {
                unknown = unknown.without(word);
                if present {
                    has = has.with(word);
                }
            }
        }
        (has, unknown)
    }
}

/// The stock at one moment, ready to be searched. Shared between threads; never changed: a change of one car makes
/// another catalogue that shares all but one block with it.
#[derive(Clone, Debug)]
pub struct Catalogue {
    blocks: Vec<Arc<Block>>,
    length: usize,
    dealerships: Arc<[Dealership]>,
    /// Where there are cars, each place once.
    pub(crate) places: Arc<[SalePlace]>,
    /// Folded, aliases resolved, sorted.
    brands: Arc<[String]>,
    tables: Arc<Tables>,
    reference_date: Date,
    /// The sentence that dates every account.
    pub(crate) dated: String,
    version: String,
}

/// What becomes of one car.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CarChange {
    /// The new asking price.
    pub price: Option<Centavos>,
    /// Whether it can still be bought.
    pub available: Option<bool>,
    /// The day on which its seller last spoke of it.
    pub confirmed_on: Option<Date>,
}

/// Why a car could not be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// No car of the catalogue has the id.
    #[error("there is no car {id:?}")]
    UnknownCar {
        /// The id that was asked for.
        id: String,
    },
    /// The price cannot be used.
    #[error("preco {message}")]
    Price {
        /// What it must be.
        message: String,
    },
}

impl Catalogue {
    /// Checks a stock and joins it with the model table, as of a day. Takes about a second for a million cars, and
    /// needs nothing of a catalogue that serves meanwhile.
    ///
    /// A car without a day of confirmation is on offer only when it is a sample.
    ///
    /// # Errors
    /// Every field that cannot be used, by list, row and name on the wire.
    pub fn build(
        stock: Stock,
        tables: &Tables,
        reference_date: Date,
        version: String,
    ) -> Result<Self, StockProblems> {
        build::build(stock, Arc::new(tables.clone()), reference_date, version)
    }

    /// Finds what would keep a stock from becoming a catalogue, and makes none.
    ///
    /// # Errors
    /// As for [`Catalogue::build`].
    pub fn check(stock: &Stock, reference_date: Date) -> Result<(), StockProblems> {
        check::check(stock, false, reference_date)
    }

    /// The catalogue with one car changed, under a new version. Costs the copy of one block, however many cars there
    /// are; who reads this catalogue goes on reading it unchanged.
    ///
    /// # Errors
    /// An id that no car has, or a price that no car can have.
    pub fn with_change(&self, id: &str, change: CarChange, version: String) -> Result<Self, ChangeError> {
        let ordinal = self
            .ordinal(id)
            .ok_or_else(|| ChangeError::UnknownCar { id: id.to_owned() })?;
        let mut item = self.at(ordinal).clone();
        let CarChange {
            price,
            available,
            confirmed_on,
        } = change;
        if let Some(price) = price {
            if let Err(message) = check::price(price) {
                return Err(ChangeError::Price { message });
            }
            item.car.price = price;
        }
        if let Some(available) = available {
            item.car.available = available;
        }
        if let Some(day) = confirmed_on {
            item.car.confirmed_on = Some(day);
            item.unconfirmed_days = build::unconfirmed_days(&item.car, self.reference_date);
        }
        let dealership = &self.dealerships[item.dealership];
        item.available = build::is_on_offer(&item.car, dealership, item.unconfirmed_days, &self.tables);
        let mut changed = self.clone();
        let block = &mut changed.blocks[ordinal / BLOCK];
        *block = Arc::new(block.with(ordinal % BLOCK, item));
        changed.version = version;
        Ok(changed)
    }

    /// As given when it was built; compared for equality only.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The day as of which ages and staleness count.
    #[must_use]
    pub fn reference_date(&self) -> Date {
        self.reference_date
    }

    /// The figures that it was built with.
    #[must_use]
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// How many cars there are, on offer or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is no car at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Every car, on offer or not, by id.
    pub fn cars(&self) -> impl Iterator<Item = &CatalogueCar> + Clone {
        self.blocks
            .iter()
            .flat_map(|block| block.cars().iter().map(AsRef::as_ref))
    }

    /// The car of an id.
    #[must_use]
    pub fn car(&self, id: &str) -> Option<&CatalogueCar> {
        self.ordinal(id).map(|ordinal| self.at(ordinal))
    }

    /// Every dealership, active or not, by id.
    #[must_use]
    pub fn dealerships(&self) -> &[Dealership] {
        &self.dealerships
    }

    /// The dealership of an id.
    #[must_use]
    pub fn dealership(&self, id: &str) -> Option<&Dealership> {
        let found = self
            .dealerships
            .binary_search_by(|known| known.id.as_str().cmp(id));
        found.ok().map(|index| &self.dealerships[index])
    }

    /// Whether a car of this catalogue is on offer: not sold, its dealership active, confirmed recently.
    #[must_use]
    pub fn is_available(&self, car: &CatalogueCar) -> bool {
        car.available
    }

    /// The best cars for a buyer, with reasons. What each costs, [`Accounts`](crate::Accounts) say.
    #[must_use]
    pub fn recommend(&self, questionnaire: &Questionnaire) -> Recommendation<'_> {
        recommend::recommend(self, questionnaire)
    }

    pub(crate) fn blocks(&self) -> &[Arc<Block>] {
        &self.blocks
    }

    /// The car at a place in the order of ids.
    pub(crate) fn at(&self, ordinal: usize) -> &CatalogueCar {
        &self.blocks[ordinal / BLOCK].cars()[ordinal % BLOCK]
    }

    /// The place of an id in the order of ids.
    fn ordinal(&self, id: &str) -> Option<usize> {
        // Blocks are never empty.
        let block = self
            .blocks
            .partition_point(|block| block.cars()[0].car.id.as_str() <= id)
            .checked_sub(1)?;
        let cars = self.blocks[block].cars();
        let lane = cars.binary_search_by(|known| known.car.id.as_str().cmp(id));
        lane.ok().map(|lane| block * BLOCK + lane)
    }

    /// Replaces the utilities of a car, to try what no fact does alone.
    #[cfg(test)]
    pub(crate) fn set_utilities(&mut self, ordinal: usize, worths: &[Option<u8>; 8]) {
        let mut item = self.at(ordinal).clone();
        item.utilities.set(worths, self.tables.criteria.missing_utility);
        let block = &mut self.blocks[ordinal / BLOCK];
        *block = Arc::new(block.with(ordinal % BLOCK, item));
    }

    /// Whether any car, on offer or not, is of a brand, which is folded and may be an alias.
    #[must_use]
    pub fn has_brand(&self, folded: &str) -> bool {
        self.brand(folded).is_some()
    }

    /// The place of a folded brand whose aliases may be unresolved; `None` when no car has it.
    pub(crate) fn brand(&self, folded: &str) -> Option<usize> {
        let brand = self.tables.brand_alias(folded);
        self.brands
            .binary_search_by(|known| known.as_str().cmp(brand))
            .ok()
    }
}
