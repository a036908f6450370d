//! Cars that stay sold although a stock, perhaps older than the sale, has them on offer.

use std::collections::{BTreeMap, HashSet};

use faciliauto_engine::stock::Cars;
use jiff::{SignedDuration, Timestamp};

use crate::state::dealers::SoldMark;

/// How long a car stays sold when a stock without `If-Match` says otherwise.
const STAYS_SOLD: SignedDuration = SignedDuration::from_hours(24);

/// A dealership's cars that were marked sold, as they bear on a stock that is put.
#[derive(Debug)]
pub(crate) struct Marked {
    /// Ids of cars that are sold whatever the stock says.
    staying: HashSet<String>,
    /// Ids of those that are what the stock says.
    lifted: Vec<String>,
}

impl Marked {
    /// By when cars were marked. `wins`: the stock is known to be newer than all marks.
    pub(crate) fn new(sold: BTreeMap<String, Timestamp>, wins: bool, now: Timestamp) -> Self {
        let stays = |at: Timestamp| !wins && now.duration_since(at) < STAYS_SOLD;
        let (staying, lifted): (Vec<_>, Vec<_>) = sold.into_iter().partition(|(_, at)| stays(*at));
        Self {
            staying: staying.into_iter().map(|(car, _)| car).collect(),
            lifted: lifted.into_iter().map(|(car, _)| car).collect(),
        }
    }

    /// Takes cars off offer that stay sold; gives their ids.
    pub(crate) fn keep_sold(&self, cars: &mut Cars) -> Vec<String> {
        let mut kept = Vec::new();
        if self.staying.is_empty() {
            return kept;
        }
        for car in cars.iter_mut().filter(|car| car.available) {
            if self.staying.contains(&car.id) {
                car.available = false;
                kept.push(car.id.clone());
            }
        }
        kept
    }

    /// The marks that go with the stock.
    pub(crate) fn lifted(&self, dealership: &str) -> impl Iterator<Item = SoldMark> {
        self.lifted.iter().map(move |car| SoldMark {
            dealership: dealership.to_owned(),
            car: car.clone(),
            sold: false,
        })
    }
}

/// Undoes what [`Marked::keep_sold`] did, for a stock that is to be decided on anew.
pub(crate) fn put_back(cars: &mut Cars, kept: &[String]) {
    let kept: HashSet<&str> = kept.iter().map(String::as_str).collect();
    for car in cars.iter_mut().filter(|car| kept.contains(car.id.as_str())) {
        car.available = true;
    }
}
