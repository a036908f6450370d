//! Stock as files and messages carry it, read into the engine's values. Every mistake is named by row and
//! field: `/cars/17/preco`.

use std::{collections::BTreeMap, sync::Arc};

use faciliauto_engine::stock::{Cars, Stock};

pub use self::file::{StockError, StockFile};
use crate::state::DealerStock;

pub mod file;
pub mod fingerprint;
pub(crate) mod kept_sold;
pub mod rows;
pub mod upload;

/// The stock that the product shows when it has none: invented, and marked so in every row.
pub const SAMPLE: &str = include_str!("../data/sample-stock.json");

/// Parts a stock by dealership. Cars of a dealership that is not in the stock are left out, so check first.
#[must_use]
pub fn by_dealership(stock: Stock) -> Vec<Arc<DealerStock>> {
    let mut cars: BTreeMap<String, Cars> = BTreeMap::new();
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
