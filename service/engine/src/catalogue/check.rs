//! What a stock must be like to become a catalogue, and every field of every row that is not.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
};

use jiff::civil::Date;

use crate::{
    stock::{Cars, Centavos, Dealership, Stock},
    tables::STATES,
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

/// `distinct` = no two cars have one id, as far as is known; else duplicates are looked for.
pub(super) fn check(stock: &Stock, distinct: bool, reference_date: Date) -> Result<(), StockProblems> {
    let mut problems = StockProblems {
        problems: Vec::new(),
        total: 0,
    };
    let dealerships = check_dealerships(&stock.dealerships, &mut problems);
    check_cars(&stock.cars, distinct, &dealerships, reference_date, &mut problems);
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
) -> HashMap<&'stock str, usize> {
    let mut rows = HashMap::new();
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
    cars: &Cars,
    distinct: bool,
    dealerships: &HashMap<&str, usize>,
    reference_date: Date,
    problems: &mut StockProblems,
) {
    let newest_year = u16::try_from(reference_date.year())
        .unwrap_or(0)
        .saturating_add(1)
        .min(NEWEST_YEAR);
    let duplicates = if distinct {
        HashMap::new()
    } else {
        duplicates(cars)
    };
    let mut known_dealership: Option<&str> = None;
    for (row, car) in cars.iter().enumerate() {
        let mut report =
            |field, message: String| problems.report(StockProblemKind::Car, row, &car.id, field, message);
        for (field, text) in [("id", &car.id), ("marca", &car.brand), ("modelo", &car.model)] {
            if text.trim().is_empty() {
                report(field, "must not be empty".to_owned());
            }
        }
        if let Some(first) = duplicates.get(&row) {
            report("id", format!("is also the id of cars[{first}]"));
        }
        // Cars of one dealership mostly come together.
        let named = Some(car.dealership_id.as_str());
        if named != known_dealership && dealerships.contains_key(car.dealership_id.as_str()) {
            known_dealership = named;
        }
        if named != known_dealership {
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
        if let Err(message) = price(car.price) {
            report("preco", message);
        }
        if let Some(Err(message)) = car.fipe_price.map(price) {
            report("preco_fipe", message);
        }
        if car.odometer_km > MAXIMUM_ODOMETER {
            report(
                "quilometragem",
                format!("{} is above {MAXIMUM_ODOMETER} km", car.odometer_km),
            );
        }
    }
}

/// Rows whose id an earlier row has, with that row.
fn duplicates(cars: &Cars) -> HashMap<usize, usize> {
    let mut rows: HashMap<&str, usize> = HashMap::with_capacity(cars.len());
    let mut found = HashMap::new();
    for (row, car) in cars.iter().enumerate() {
        match rows.entry(car.id.as_str()) {
            Entry::Occupied(first) => {
                found.insert(row, *first.get());
            }
            Entry::Vacant(free) => {
                free.insert(row);
            }
        }
    }
    found
}

/// What is wrong with a price.
pub(super) fn price(price: Centavos) -> Result<(), String> {
    if (1..=MAXIMUM_PRICE).contains(&price.0) {
        Ok(())
    } else {
        Err(format!("must be above 0 and at most R$ {}", MAXIMUM_PRICE / 100))
    }
}
