//! Made-up stock of the sizes that are measured, the same in every run.

use std::time::Instant;

use faciliauto_engine::{Catalogue, Stock, Tables, synthetic};
use jiff::civil::{Date, date};

const TODAY: Date = date(2026, 11, 25);
const SEED: u64 = 1;

/// Sizes in cars: whole blocks of 1,024 nearest above the round number.
pub(crate) const TEN_THOUSAND: usize = 10_240;
pub(crate) const HUNDRED_THOUSAND: usize = 100_352;
pub(crate) const MILLION: usize = 1_000_448;
pub(crate) const TEN_MILLION: usize = 10_000_384;

/// Makes stocks and catalogues.
pub(crate) struct Stocks {
    tables: Tables,
}

impl Stocks {
    pub(crate) fn bundled() -> Self {
        Self {
            tables: Tables::bundled().expect("the bundled tables"),
        }
    }

    pub(crate) fn stock(&self, cars: usize) -> Stock {
        synthetic::stock(&self.tables, cars, TODAY, SEED)
    }

    /// The same stock with its cars in no order, as many dealerships' lists come together.
    pub(crate) fn shuffled(&self, cars: usize) -> Stock {
        let mut stock = self.stock(cars);
        let mut numbers = synthetic::Numbers::new(SEED);
        for place in (1..stock.cars.len()).rev() {
            let other = numbers.below(place as u64 + 1) as usize;
            stock.cars.swap(place, other);
        }
        stock
    }

    pub(crate) fn build(&self, stock: Stock) -> Catalogue {
        Catalogue::build(stock, &self.tables, TODAY, "bench.1".to_owned()).expect("a catalogue")
    }

    pub(crate) fn catalogue(&self, cars: usize) -> Catalogue {
        let begun = Instant::now();
        let catalogue = self.build(self.stock(cars));
        eprintln!(
            "{cars} cars made and built in {:.1} s",
            begun.elapsed().as_secs_f64()
        );
        catalogue
    }
}
