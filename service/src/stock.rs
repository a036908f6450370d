//! Stock as files and messages carry it, read into the engine's values. Every mistake is named by row and
//! field: `/cars/17/preco`.

use std::{collections::BTreeMap, sync::Arc};

use faciliauto_engine::{
    catalogue::{Catalogue, StockProblem, StockProblemKind, StockProblems},
    stock::{Car, Stock},
    tables::Tables,
};
use jiff::civil::Date;

use crate::{
    document::Value,
    fields::{Fields, Findings, Warning},
    state::DealerStock,
};

pub mod fingerprint;
pub mod rows;
pub mod upload;

/// The stock that the product shows when it has none: invented, and marked so in every row.
pub const SAMPLE: &str = include_str!("../data/sample-stock.json");

/// A file that was read whole and found good.
#[derive(Clone, Debug, PartialEq)]
pub struct StockFile {
    /// Its dealerships and cars, in the order of the file.
    pub stock: Stock,
    /// What it says that is not used.
    pub warnings: Vec<Warning>,
}

/// Why a stock cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum StockError {
    /// It is not JSON.
    #[error("failed to parse the stock as JSON: {0}")]
    Parse(#[from] serde_json::Error),
    /// Rows have mistakes: the first hundred are listed, all are counted.
    #[error("failed to validate the stock: {total} mistakes: {}", listed.join("; "))]
    Validate {
        /// Row, field and mistake.
        listed: Vec<String>,
        /// How many there are.
        total: usize,
    },
}

impl StockError {
    fn of_findings(findings: &Findings) -> Self {
        let listed = findings
            .errors
            .iter()
            .map(|error| format!("{} {}", error.pointer, error.message))
            .collect();
        Self::Validate {
            listed,
            total: findings.error_count,
        }
    }
}

impl From<StockProblems> for StockError {
    fn from(StockProblems { problems, total }: StockProblems) -> Self {
        let listed = problems
            .into_iter()
            .map(
                |StockProblem {
                     kind,
                     row,
                     id,
                     field,
                     message,
                 }| {
                    let list = match kind {
                        StockProblemKind::Car => "cars",
                        StockProblemKind::Dealership => "dealerships",
                    };
                    format!("/{list}/{row}/{field} (id {id}) {message}")
                },
            )
            .collect();
        Self::Validate { listed, total }
    }
}

impl StockFile {
    /// Reads a file `{"dealerships": […], "cars": […]}`.
    ///
    /// A car that is no sample counts as confirmed on `today`: handing it in is the confirmation.
    ///
    /// # Errors
    /// Text that is no JSON, or rows with mistakes.
    pub fn read(text: &str, today: Date) -> Result<Self, StockError> {
        let mut findings = Findings::default();
        let mut of_rows = Findings::default();
        let mut stock = Stock::default();
        if let Some(mut fields) = Fields::new(serde_json::from_str::<Value<'_>>(text)?, "", &mut findings) {
            let dealerships = list(&mut fields, "dealerships");
            let cars = list(&mut fields, "cars");
            // Files may say what they are.
            for description in ["version", "description", "$schema"] {
                fields.take(description);
            }
            fields.finish();
            for (index, row) in dealerships.into_iter().enumerate() {
                let pointer = format!("/dealerships/{index}");
                stock
                    .dealerships
                    .extend(rows::dealership(row, pointer, &mut of_rows));
            }
            for (index, row) in cars.into_iter().enumerate() {
                stock
                    .cars
                    .extend(rows::car(row, format!("/cars/{index}"), None, &mut of_rows));
            }
        }
        findings.append(of_rows);
        if findings.error_count > 0 {
            return Err(StockError::of_findings(&findings));
        }
        for car in &mut stock.cars {
            car.confirmed_on = (!car.sample).then_some(today);
        }
        Ok(Self {
            stock,
            warnings: findings.warnings,
        })
    }

    /// Checks all that rows say of each other, as a catalogue would.
    ///
    /// # Errors
    /// Ids that stand twice, cars of no dealership, figures that cannot be.
    pub fn check(&self, tables: &Tables, today: Date) -> Result<(), StockError> {
        Catalogue::build(self.stock.clone(), tables, today, String::new())?;
        Ok(())
    }
}

fn list<'reading>(fields: &mut Fields<'reading>, name: &str) -> Vec<Value<'reading>> {
    fields
        .required(name, |fields, name| match fields.take(name)? {
            Value::Array(items) => Some(items),
            _ => {
                fields.error(name, "type", "deve ser uma lista");
                None
            }
        })
        .unwrap_or_default()
}

/// Parts a stock by dealership. Cars of a dealership that is not in the stock are left out, so check first.
#[must_use]
pub fn by_dealership(stock: Stock) -> Vec<Arc<DealerStock>> {
    let mut cars: BTreeMap<String, Vec<Car>> = BTreeMap::new();
    for car in stock.cars {
        cars.entry(car.dealership_id.clone()).or_default().push(car);
    }
    stock
        .dealerships
        .into_iter()
        .map(|dealership| {
            let cars = cars.remove(&dealership.id).unwrap_or_default();
            Arc::new(DealerStock { dealership, cars })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::*;

    const TODAY: Date = date(2026, 11, 25);

    fn listed(error: StockError) -> Vec<String> {
        match error {
            StockError::Validate { listed, .. } => listed,
            StockError::Parse(error) => panic!("{error}"),
        }
    }

    /// Prevents the program from shipping a sample stock that it would refuse itself.
    #[test]
    fn the_sample_stock_is_good_and_marked() {
        let file = StockFile::read(SAMPLE, TODAY).unwrap();
        file.check(&Tables::bundled().unwrap(), TODAY).unwrap();
        assert_eq!(file.warnings, []);
        assert!(
            file.stock
                .cars
                .iter()
                .all(|car| car.sample && car.confirmed_on.is_none())
        );
    }

    /// Prevents a dealer from having to find a bad row among thousands, or one mistake at a time.
    #[test]
    fn every_bad_row_is_named_with_its_field() {
        let dealership = json!({"id": "d1", "name": "Um", "city": "Recife", "state": "PE"});
        let car = json!({"id": "c1", "dealership_id": "d1", "marca": "Fiat", "modelo": "Argo", "ano": 2020,
            "preco": 62_990.5, "quilometragem": 41_000, "combustivel": "flex", "cambio": "manual", "categoria": "Hatch"});
        let mut ill = car.clone();
        ill["preco"] = json!("62 mil");
        ill["combustivel"] = json!("querosene");
        let mut short = car.clone();
        short.as_object_mut().unwrap().remove("ano");
        let text = json!({"dealerships": [dealership, {"id": "a b", "name": "", "city": "X", "state": "XX"}],
            "cars": [car, ill, short]})
        .to_string();
        let listed = listed(StockFile::read(&text, TODAY).expect_err("refused"));
        let pointers: Vec<&str> = listed
            .iter()
            .filter_map(|mistake| mistake.split(' ').next())
            .collect();
        assert_eq!(
            pointers,
            [
                "/dealerships/1/id",
                "/dealerships/1/name",
                "/dealerships/1/state",
                "/cars/1/preco",
                "/cars/1/combustivel",
                "/cars/2/ano"
            ]
        );
    }

    /// Prevents two cars of one id, or a car of nobody, from entering the store and stopping every server.
    #[test]
    fn rows_are_checked_against_each_other() {
        let car = json!({"id": "c1", "dealership_id": "d1", "marca": "Fiat", "modelo": "Argo", "ano": 2020,
            "preco": 1, "quilometragem": 0, "combustivel": "flex", "cambio": "manual", "categoria": "Hatch"});
        let mut orphan = car.clone();
        orphan["id"] = json!("c2");
        orphan["dealership_id"] = json!("d2");
        let text = json!({"dealerships": [{"id": "d1", "name": "Um", "city": "Recife", "state": "PE"}],
            "cars": [car.clone(), car, orphan]})
        .to_string();
        let file = StockFile::read(&text, TODAY).unwrap();
        let listed = listed(
            file.check(&Tables::bundled().unwrap(), TODAY)
                .expect_err("refused"),
        );
        assert!(
            listed.iter().any(|mistake| mistake.starts_with("/cars/1/id ")),
            "{listed:?}"
        );
        assert!(
            listed
                .iter()
                .any(|mistake| mistake.starts_with("/cars/2/dealership_id ")),
            "{listed:?}"
        );
    }
}
