//! From a stock to a catalogue: check, sort by id, join each car with its model, work out what it is worth, lay the
//! columns. Linear in the number of cars but for the sort.
//!
//! What depends on little is worked out once: a brand's fold per spelling, a model per way of advertising it.

use std::{collections::HashMap, fmt::Write, sync::Arc};

use jiff::civil::Date;

use super::{
    Catalogue, CatalogueCar, StockProblems,
    block::{BLOCK, Block},
    check::check,
};
use crate::{
    cost,
    equipment::EquipmentSet,
    proximity::sale_places,
    questionnaire::Usage,
    stock::{Car, Cars, Dealership, Stock},
    tables::{ModelFacts, Tables},
    text::fold,
    utilities::{Utilities, age},
};

pub(super) fn build(
    stock: Stock,
    tables: Arc<Tables>,
    reference_date: Date,
    version: String,
) -> Result<Catalogue, StockProblems> {
    let order = Order::of(&stock.cars);
    check(&stock, order.distinct, reference_date)?;
    let Stock {
        mut dealerships,
        mut cars,
    } = stock;
    dealerships.sort_by(|a, b| a.id.cmp(&b.id));
    order.apply(&mut cars);
    let length = cars.len();
    let (brands, brand_of) = brands(&cars, &tables);
    let dealership_of: HashMap<&str, usize> = dealerships
        .iter()
        .enumerate()
        .map(|(index, dealership)| (dealership.id.as_str(), index))
        .collect();

    let mut has_cars = vec![false; dealerships.len()];
    // Cars of one dealership mostly come together: what was looked up last is looked at first.
    let mut dealership_of_cars: Vec<u32> = Vec::with_capacity(length);
    let mut last: Option<(&str, usize)> = None;
    for car in &cars {
        let dealership = match last {
            Some((id, dealership)) if id == car.dealership_id => dealership,
            // `check` has seen that the dealership exists.
            _ => dealership_of[car.dealership_id.as_str()],
        };
        last = Some((&car.dealership_id, dealership));
        has_cars[dealership] = true;
        dealership_of_cars.push(dealership as u32);
    }
    let (places, place_of_dealership) = sale_places(&dealerships, |index| has_cars[index], &tables);

    let shown_economy_column = tables.criteria.economy_column(Usage::Family);
    let mut models = ModelMemory::default();
    let mut joined = Vec::with_capacity(length);
    // What is joined gives its memory back meanwhile: a large stock never takes it twice.
    for (car, dealership) in cars.into_iter().zip(dealership_of_cars) {
        let dealership = dealership as usize;
        // `brands` was made from these cars.
        let brand = brand_of[&car.brand];
        let (model, family) = models.find(&car, &brands[brand], &tables);
        let equipment = car.equipment.as_deref().map(EquipmentSet::from_words);
        let age = age(&car, reference_date);
        let unconfirmed_days = unconfirmed_days(&car, reference_date);
        joined.push(Arc::new(CatalogueCar {
            brand,
            family,
            available: is_on_offer(&car, &dealerships[dealership], unconfirmed_days, &tables),
            utilities: Utilities::of(&car, model.as_deref(), equipment, age, &tables),
            shown_economy_column,
            car,
            model,
            place: place_of_dealership[dealership],
            dealership,
            equipment,
            age,
            unconfirmed_days,
        }));
    }
    Ok(Catalogue {
        blocks: in_blocks(joined),
        length,
        dealerships: dealerships.into(),
        places: places.into(),
        brands: brands.into(),
        tables,
        reference_date,
        dated: cost::dated(reference_date),
        version,
    })
}

/// Whether a car may be sold today: it and its dealership say so, and the stock was confirmed lately. Sample stock
/// needs no confirmation.
pub(super) fn is_on_offer(
    car: &Car,
    dealership: &Dealership,
    unconfirmed_days: Option<u32>,
    tables: &Tables,
) -> bool {
    let confirmed = car.sample || unconfirmed_days.is_some_and(|days| days <= tables.criteria.available_days);
    car.available && dealership.active && confirmed
}

/// The order of cars by their ids, as bytes.
struct Order {
    /// Rows in the order of ids; `None` when they are in it already.
    rows: Option<Vec<u32>>,
    /// No two ids are equal.
    distinct: bool,
}

impl Order {
    /// What is sorted is 20 bytes a car: moving whole cars costs far more.
    fn of(cars: &Cars) -> Self {
        if cars.iter().is_sorted_by(|a, b| a.id < b.id) {
            return Self {
                rows: None,
                distinct: true,
            };
        }
        let shared = shared_beginning(cars);
        let mut keyed: Vec<(u128, u32)> = cars
            .iter()
            .zip(0..)
            .map(|(car, row)| (sixteen_bytes(&car.id.as_bytes()[shared..]), row))
            .collect();
        let id = |row: u32| cars[row as usize].id.as_str();
        keyed.sort_unstable_by(|(a, row_a), (b, row_b)| a.cmp(b).then_with(|| id(*row_a).cmp(id(*row_b))));
        let rows: Vec<u32> = keyed.into_iter().map(|(_, row)| row).collect();
        let distinct = rows.is_sorted_by(|a, b| id(*a) < id(*b));
        Self {
            rows: Some(rows),
            distinct,
        }
    }

    /// Moves each car to its place, in place: each goes where the one before it in its cycle was.
    fn apply(self, cars: &mut Cars) {
        let mut rows = self.rows.unwrap_or_default();
        for first in 0..rows.len() {
            let mut place = first;
            loop {
                let wanted = rows[place] as usize;
                rows[place] = place as u32;
                if wanted == first {
                    break;
                }
                cars.swap(place, wanted);
                place = wanted;
            }
        }
    }
}

/// How many bytes all ids begin with alike.
fn shared_beginning(cars: &Cars) -> usize {
    let mut cars = cars.iter();
    let Some(first) = cars.next() else {
        return 0;
    };
    let first = first.id.as_bytes();
    cars.fold(first.len(), |shared, car| {
        let same = first.iter().zip(car.id.as_bytes()).take(shared);
        same.take_while(|(a, b)| a == b).count()
    })
}

/// The first sixteen bytes as a number that compares as they do; a shorter text comes before its continuations, and
/// equal numbers decide nothing.
fn sixteen_bytes(text: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    let length = text.len().min(16);
    bytes[..length].copy_from_slice(&text[..length]);
    u128::from_be_bytes(bytes)
}

/// The brands in stock, folded and sorted, and for each spelling its place among them.
fn brands(cars: &Cars, tables: &Tables) -> (Vec<String>, HashMap<String, usize>) {
    let mut folded: HashMap<&str, String> = HashMap::new();
    for car in cars {
        if !folded.contains_key(car.brand.as_str()) {
            folded.insert(&car.brand, tables.brand_alias(&fold(&car.brand)).to_owned());
        }
    }
    let mut brands: Vec<String> = folded.values().cloned().collect();
    brands.sort();
    brands.dedup();
    let places = folded
        .into_iter()
        .map(|(spelling, brand)| {
            (
                spelling.to_owned(),
                brands.partition_point(|known| *known < brand),
            )
        })
        .collect();
    (brands, places)
}

/// Models that were found before, by all that finding them depends on, each with the number of its family.
#[derive(Default)]
struct ModelMemory {
    known: HashMap<String, (Option<Arc<ModelFacts>>, u32)>,
    /// Brand and folded name of a family, numbered as they come: equal cars are to have equal numbers, no more.
    families: HashMap<(String, String), u32>,
    /// Written anew for each car, so that looking one up costs no allocation.
    key: String,
}

impl ModelMemory {
    fn find(&mut self, car: &Car, brand: &str, tables: &Tables) -> (Option<Arc<ModelFacts>>, u32) {
        let Car {
            model,
            version,
            year,
            fuel,
            gearbox,
            category,
            ..
        } = car;
        let version = version.as_deref().unwrap_or_default();
        self.key.clear();
        // Lengths first, so that no two cars share a key by where a word stands. Writing to a text cannot fail.
        let _ = write!(
            self.key,
            "{} {} {year} {} {} {} {brand}{model}{version}",
            brand.len(),
            model.len(),
            *fuel as u8,
            *gearbox as u8,
            *category as u8,
        );
        if let Some(known) = self.known.get(&self.key) {
            return known.clone();
        }
        let facts = tables.models.find(car, brand).cloned();
        let name = fold(facts.as_ref().map_or(model, |facts| &facts.family));
        let next = self.families.len() as u32;
        let family = *self.families.entry((brand.to_owned(), name)).or_insert(next);
        self.known.insert(self.key.clone(), (facts.clone(), family));
        (facts, family)
    }
}

/// After all cars are joined, so that columns lie one after the other in memory and not among cars: a scan reads them.
fn in_blocks(cars: Vec<Arc<CatalogueCar>>) -> Vec<Arc<Block>> {
    let mut blocks = Vec::with_capacity(cars.len().div_ceil(BLOCK));
    let mut cars = cars.into_iter().peekable();
    while cars.peek().is_some() {
        blocks.push(Block::of(cars.by_ref().take(BLOCK).collect()));
    }
    blocks
}

/// How long nobody has spoken of a car; `None` for a sample, of which nobody will, and where no day is given.
pub(super) fn unconfirmed_days(car: &Car, reference_date: Date) -> Option<u32> {
    if car.sample {
        return None;
    }
    days_since(car.confirmed_on, reference_date)
}

/// Whole days from a day to the reference date, none for a day that lies ahead; `None` without a day.
fn days_since(day: Option<Date>, reference_date: Date) -> Option<u32> {
    let days = day?.until(reference_date).map_or(0, |span| span.get_days());
    Some(u32::try_from(days).unwrap_or(0))
}
