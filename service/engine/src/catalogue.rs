//! The stock as the engine works on it: checked, in the order of ids, each car joined with its model's facts and
//! with the worth of its qualities.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::civil::Date;

use crate::{
    cost,
    equipment::EquipmentSet,
    questionnaire::{Quality, Questionnaire, Usage},
    recommend,
    recommendation::Recommendation,
    stock::{Car, Dealership, Stock},
    tables::{ModelFacts, STATES, Tables},
    text::fold,
    utilities::{Utilities, age},
};

/// How many problems of a stock are listed; the rest is counted.
const LISTED_PROBLEMS: usize = 100;

// Bounds of the fields that the ranking packs into one integer, with room to spare.
const MAXIMUM_PRICE: u64 = 10_000_000_000;
const MAXIMUM_ODOMETER: u32 = 5_000_000;
const OLDEST_YEAR: u16 = 1900;
const NEWEST_YEAR: u16 = 4000;

/// What a problem is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StockProblemKind {
    /// A row of [`Stock::cars`].
    Car,
    /// A row of [`Stock::dealerships`].
    Dealership,
}

/// One field of one row that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockProblem {
    /// Which list.
    pub kind: StockProblemKind,
    /// Place in the list, from 0.
    pub row: usize,
    /// Id of the row, perhaps empty.
    pub id: String,
    /// Name of the field on the wire.
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
}

/// Why a stock cannot be used. The first hundred problems are listed, all are counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct StockProblems {
    /// In the order of dealerships, then cars.
    pub problems: Vec<StockProblem>,
    /// How many there are.
    pub total: usize,
}

impl fmt::Display for StockProblems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.total == 1 { "problem" } else { "problems" };
        write!(formatter, "the stock has {} {noun}", self.total)?;
        for StockProblem {
            kind,
            row,
            id,
            field,
            message,
        } in &self.problems
        {
            let list = match kind {
                StockProblemKind::Car => "cars",
                StockProblemKind::Dealership => "dealerships",
            };
            write!(formatter, "; {list}[{row}] (id {id:?}), field {field}: {message}")?;
        }
        let unlisted = self.total - self.problems.len();
        if unlisted > 0 {
            write!(formatter, "; and {unlisted} more")
        } else {
            Ok(())
        }
    }
}

impl StockProblems {
    fn report(
        &mut self,
        kind: StockProblemKind,
        row: usize,
        id: &str,
        field: &'static str,
        message: impl Into<String>,
    ) {
        self.total += 1;
        if self.problems.len() < LISTED_PROBLEMS {
            let message = message.into();
            self.problems.push(StockProblem {
                kind,
                row,
                id: id.to_owned(),
                field,
                message,
            });
        }
    }
}

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
        if self.equipment.is_some_and(|equipment| equipment.contains(word)) {
            return Has::Yes;
        }
        let of_model = self.model.as_ref().and_then(|model| match word {
            "isofix" => model.isofix,
            "controle_estabilidade" => model.stability_control,
            _ => None,
        });
        match (of_model, self.equipment) {
            (Some(true), _) => Has::Yes,
            (Some(false), _) | (None, Some(_)) => Has::No,
            (None, None) => Has::Unknown,
        }
    }
}

/// The stock at one moment, ready to be searched. Shared between threads; never changed.
#[derive(Clone, Debug)]
pub struct Catalogue {
    cars: Vec<CatalogueCar>,
    dealerships: Vec<Dealership>,
    /// Folded, aliases resolved, sorted.
    brands: Vec<String>,
    tables: Tables,
    reference_date: Date,
    /// The sentence that dates every account.
    pub(crate) dated: String,
    version: String,
}

impl Catalogue {
    /// Checks a stock and joins it with the model table, as of a day.
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
        check(&stock, reference_date)?;
        let Stock {
            mut dealerships,
            mut cars,
        } = stock;
        dealerships.sort_by(|a, b| a.id.cmp(&b.id));
        cars.sort_by(|a, b| a.id.cmp(&b.id));

        let folded = |car: &Car| tables.brand_alias(&fold(&car.brand)).to_owned();
        let mut brands: Vec<String> = cars.iter().map(folded).collect();
        let car_brands = brands.clone();
        brands.sort();
        brands.dedup();

        let shown_economy_column = tables.criteria.economy_column(Usage::Family);
        let models: Vec<Option<Arc<ModelFacts>>> = cars
            .iter()
            .zip(&car_brands)
            .map(|(car, brand)| tables.models.find(car, brand).cloned())
            .collect();
        let families = families(&cars, &car_brands, &models);
        let cars = cars
            .into_iter()
            .zip(car_brands)
            .zip(models.into_iter().zip(families))
            .map(|((car, brand), (model, family))| {
                let equipment = car.equipment.as_deref().map(EquipmentSet::from_words);
                let age = age(&car, reference_date);
                // `check` has seen that the dealership exists and `brands` was made from these cars.
                let dealership = place(&dealerships, |known| known.id.as_str().cmp(&car.dealership_id));
                let unconfirmed_days = if car.sample {
                    None
                } else {
                    days_since(car.confirmed_on, reference_date)
                };
                let confirmed =
                    car.sample || unconfirmed_days.is_some_and(|days| days <= tables.criteria.available_days);
                CatalogueCar {
                    brand: place(&brands, |known| known.cmp(&brand)),
                    family,
                    available: car.available && dealerships[dealership].active && confirmed,
                    utilities: Utilities::of(&car, model.as_deref(), equipment, age, tables),
                    shown_economy_column,
                    car,
                    model,
                    dealership,
                    equipment,
                    age,
                    unconfirmed_days,
                }
            })
            .collect();
        Ok(Self {
            cars,
            dealerships,
            brands,
            tables: tables.clone(),
            reference_date,
            dated: cost::dated(reference_date),
            version,
        })
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

    /// Every car, on offer or not, by id.
    #[must_use]
    pub fn cars(&self) -> &[CatalogueCar] {
        &self.cars
    }

    /// The car of an id.
    #[must_use]
    pub fn car(&self, id: &str) -> Option<&CatalogueCar> {
        let found = self.cars.binary_search_by(|known| known.car.id.as_str().cmp(id));
        found.ok().map(|index| &self.cars[index])
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

    /// The best cars for a buyer, with reasons and costs.
    #[must_use]
    pub fn recommend(&self, questionnaire: &Questionnaire) -> Recommendation<'_> {
        recommend::recommend(self, questionnaire)
    }

    /// Replaces the utilities of a car, to try what no fact does alone.
    #[cfg(test)]
    pub(crate) fn set_utilities(&mut self, ordinal: usize, worths: &[Option<u8>; 8]) {
        let gap = self.tables.criteria.missing_utility;
        self.cars[ordinal].utilities.set(worths, gap);
    }

    /// The place of a folded brand whose aliases may be unresolved; `None` when no car has it.
    pub(crate) fn brand(&self, folded: &str) -> Option<usize> {
        let brand = self.tables.brand_alias(folded);
        self.brands
            .binary_search_by(|known| known.as_str().cmp(brand))
            .ok()
    }
}

/// A number for the family of each car, so that no name is compared when a list is made.
fn families(cars: &[Car], brands: &[String], models: &[Option<Arc<ModelFacts>>]) -> Vec<u32> {
    let names: Vec<(&str, String)> = cars
        .iter()
        .zip(brands)
        .zip(models)
        .map(|((car, brand), model)| {
            let family = model.as_ref().map_or(&car.model, |model| &model.family);
            (brand.as_str(), fold(family))
        })
        .collect();
    let mut sorted: Vec<&(&str, String)> = names.iter().collect();
    sorted.sort();
    sorted.dedup();
    names
        .iter()
        .map(|name| place(&sorted, |known| (*known).cmp(name)) as u32)
        .collect()
}

/// Where an element stands in a sorted list that is known to hold it.
fn place<Element>(sorted: &[Element], compare: impl FnMut(&Element) -> std::cmp::Ordering) -> usize {
    match sorted.binary_search_by(compare) {
        Ok(index) | Err(index) => index,
    }
}

/// Whole days from a day to the reference date, none for a day that lies ahead; `None` without a day.
fn days_since(day: Option<Date>, reference_date: Date) -> Option<u32> {
    let days = day?.until(reference_date).map_or(0, |span| span.get_days());
    Some(u32::try_from(days).unwrap_or(0))
}

fn check(stock: &Stock, reference_date: Date) -> Result<(), StockProblems> {
    let mut problems = StockProblems {
        problems: Vec::new(),
        total: 0,
    };
    let dealerships = check_dealerships(&stock.dealerships, &mut problems);
    check_cars(&stock.cars, &dealerships, reference_date, &mut problems);
    if problems.total == 0 {
        Ok(())
    } else {
        Err(problems)
    }
}

/// Gives back the first row of each id.
fn check_dealerships<'stock>(
    dealerships: &'stock [Dealership],
    problems: &mut StockProblems,
) -> BTreeMap<&'stock str, usize> {
    let mut rows = BTreeMap::new();
    for (row, dealership) in dealerships.iter().enumerate() {
        let Dealership {
            id,
            name,
            city,
            state,
            latitude,
            longitude,
            phone: _,
            whatsapp: _,
            email: _,
            website: _,
            active: _,
            verified: _,
            premium: _,
        } = dealership;
        let mut report =
            |field, message: String| problems.report(StockProblemKind::Dealership, row, id, field, message);
        for (field, text) in [("id", id), ("name", name), ("city", city)] {
            if text.trim().is_empty() {
                report(field, "must not be empty".to_owned());
            }
        }
        if let Some(first) = rows.get(id.as_str()) {
            report("id", format!("is also the id of dealerships[{first}]"));
        } else {
            rows.insert(id.as_str(), row);
        }
        if !STATES.contains(&state.as_str()) {
            report(
                "state",
                format!("{state:?} is not one of the 27 states, as two capital letters"),
            );
        }
        let within = |degrees: &Option<f64>, limit: f64| degrees.is_none_or(|degrees| degrees.abs() <= limit);
        if !within(latitude, 90.0) {
            report("latitude", "must lie within -90 and 90 degrees".to_owned());
        }
        if !within(longitude, 180.0) {
            report("longitude", "must lie within -180 and 180 degrees".to_owned());
        }
        if latitude.is_some() != longitude.is_some() {
            let field = if latitude.is_none() {
                "latitude"
            } else {
                "longitude"
            };
            report(field, "latitude and longitude come together".to_owned());
        }
    }
    rows
}

fn check_cars(
    cars: &[Car],
    dealerships: &BTreeMap<&str, usize>,
    reference_date: Date,
    problems: &mut StockProblems,
) {
    let newest_year = u16::try_from(reference_date.year())
        .unwrap_or(0)
        .saturating_add(1)
        .min(NEWEST_YEAR);
    let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
    for (row, car) in cars.iter().enumerate() {
        let mut report =
            |field, message: String| problems.report(StockProblemKind::Car, row, &car.id, field, message);
        for (field, text) in [("id", &car.id), ("marca", &car.brand), ("modelo", &car.model)] {
            if text.trim().is_empty() {
                report(field, "must not be empty".to_owned());
            }
        }
        if let Some(first) = rows.get(car.id.as_str()) {
            report("id", format!("is also the id of cars[{first}]"));
        } else {
            rows.insert(&car.id, row);
        }
        if !dealerships.contains_key(car.dealership_id.as_str()) {
            report(
                "dealership_id",
                format!("there is no dealership {:?}", car.dealership_id),
            );
        }
        if !(OLDEST_YEAR..=newest_year).contains(&car.year) {
            report(
                "ano",
                format!("{} is not within {OLDEST_YEAR} to {newest_year}", car.year),
            );
        }
        if !(1..=MAXIMUM_PRICE).contains(&car.price.0) {
            report(
                "preco",
                format!("must be above 0 and at most R$ {}", MAXIMUM_PRICE / 100),
            );
        }
        if car
            .fipe_price
            .is_some_and(|price| !(1..=MAXIMUM_PRICE).contains(&price.0))
        {
            report(
                "preco_fipe",
                format!("must be above 0 and at most R$ {}", MAXIMUM_PRICE / 100),
            );
        }
        if car.odometer_km > MAXIMUM_ODOMETER {
            report(
                "quilometragem",
                format!("{} is above {MAXIMUM_ODOMETER} km", car.odometer_km),
            );
        }
    }
}
