//! Makes cars, stocks and questionnaires out of whatever bytes the fuzzer tries.
//!
//! Few words and narrow figures on purpose: cars that tie, share a model or miss a filter by one are what finds faults.

use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use faciliauto_engine::{
    Car, Cars, Category, Centavos, Dealership, Frequency, Fuel, Gearbox, IncomeRange, MustHave, Payment, Place,
    PlaceSearch, Priorities, Questionnaire, Stock, Tables, Usage, equipment::VOCABULARY,
};
use jiff::civil::{Date, date};

/// The day as of which every catalogue is built.
pub const TODAY: Date = date(2026, 11, 25);

/// Brands that the tables know, aliases of them, and some that they do not.
const BRANDS: [&str; 8] = ["Fiat", "VW", "gm", "Toyota", "Lada", "Saab", "honda", "HYUNDAI"];

/// The bundled tables, read once.
pub fn tables() -> &'static Tables {
    static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables::bundled().expect("the bundled tables"));
    &TABLES
}

/// One of a list.
fn one<Item: Copy>(bytes: &mut Unstructured<'_>, all: &[Item]) -> Result<Item> {
    bytes.choose(all).copied()
}

/// Any of a list, mostly none.
fn some<Item: Copy>(bytes: &mut Unstructured<'_>, all: &[Item]) -> Result<Vec<Item>> {
    if bytes.ratio(3, 4)? {
        return Ok(Vec::new());
    }
    let mut chosen = Vec::new();
    for _ in 0..bytes.int_in_range(0..=3)? {
        chosen.push(one(bytes, all)?);
    }
    Ok(chosen)
}

fn maybe<Value>(
    bytes: &mut Unstructured<'_>,
    value: impl FnOnce(&mut Unstructured<'_>) -> Result<Value>,
) -> Result<Option<Value>> {
    if bytes.arbitrary()? {
        value(bytes).map(Some)
    } else {
        Ok(None)
    }
}

/// A price: mostly of a usual car, at times at an edge of what a catalogue or its coarse column holds.
fn price(bytes: &mut Unstructured<'_>) -> Result<Centavos> {
    Ok(Centavos(match bytes.int_in_range(0..=7)? {
        0 => one(
            bytes,
            &[
                1,
                9_999,
                10_000,
                655_349_999,
                655_350_000,
                655_360_000,
                10_000_000_000,
            ],
        )?,
        1 => bytes.int_in_range(1..=10_000_000_000)?,
        _ => bytes.int_in_range(40_000..=100_000)? * 100,
    }))
}

/// A car that a catalogue takes, of one of the first few models or of a make that nobody knows.
fn good_car(bytes: &mut Unstructured<'_>, number: usize, dealership: &str) -> Result<Car> {
    let model = tables().models().nth(bytes.int_in_range(0..=15)?);
    let known = model.filter(|_| bytes.ratio(7, 8).unwrap_or(true));
    Ok(Car {
        id: format!("carro-{number:05}"),
        dealership_id: dealership.to_owned(),
        name: None,
        brand: match known {
            Some(model) => model.brand.clone(),
            None => one(bytes, &BRANDS)?.to_owned(),
        },
        model: known.map_or("Niva", |model| model.family.as_str()).to_owned(),
        version: known.map(|model| model.version.clone()),
        year: bytes.int_in_range(2010..=2027)?,
        price: price(bytes)?,
        odometer_km: match bytes.int_in_range(0..=3)? {
            0 => bytes.int_in_range(0..=5_000_000)?,
            _ => bytes.int_in_range(0..=20)? * 10_000,
        },
        fuel: match known {
            Some(model) => model.fuel,
            None => one(bytes, &Fuel::ALL)?,
        },
        gearbox: one(bytes, &Gearbox::ALL)?,
        category: match known {
            Some(model) => model.category,
            None => one(bytes, &Category::ALL)?,
        },
        colour: None,
        doors: None,
        images: Vec::new(),
        available: bytes.ratio(7, 8)?,
        featured: bytes.arbitrary()?,
        sample: bytes.ratio(7, 8)?,
        equipment: maybe(bytes, |bytes| {
            Ok(some(bytes, VOCABULARY)?.into_iter().map(str::to_owned).collect())
        })?,
        auction: bytes.arbitrary()?,
        accident: bytes.arbitrary()?,
        single_owner: bytes.arbitrary()?,
        armoured: bytes.arbitrary()?,
        ipva_paid: bytes.arbitrary()?,
        fipe_price: None,
        confirmed_on: maybe(bytes, |bytes| {
            one(bytes, &[TODAY, date(2026, 10, 12), date(2026, 10, 11)])
        })?,
    })
}

fn good_dealership(bytes: &mut Unstructured<'_>, id: &str) -> Result<Dealership> {
    Ok(Dealership {
        id: id.to_owned(),
        name: "Loja".to_owned(),
        city: one(bytes, &["São Paulo", "Curitiba", "Lugar Nenhum"])?.to_owned(),
        state: one(bytes, &["SP", "PR", "AC"])?.to_owned(),
        phone: None,
        whatsapp: None,
        email: None,
        website: None,
        latitude: None,
        longitude: None,
        active: bytes.ratio(7, 8)?,
        verified: bytes.arbitrary()?,
        premium: bytes.arbitrary()?,
    })
}

/// A stock that a catalogue takes. Some cars come again and again under other ids, so that blocks fill and cars tie.
pub fn good_stock(bytes: &mut Unstructured<'_>) -> Result<Stock> {
    let ids = ["a", "b", "c"];
    let dealerships = ids
        .iter()
        .map(|id| good_dealership(bytes, id))
        .collect::<Result<Vec<_>>>()?;
    let mut cars = Cars::new();
    for _ in 0..bytes.int_in_range(0..=40)? {
        let dealership = one(bytes, &ids)?;
        let car = good_car(bytes, cars.len(), dealership)?;
        let times = one(bytes, &[1, 1, 1, 1, 2, 63, 300])?;
        for _ in 0..times {
            let id = format!("carro-{:05}", cars.len());
            cars.push(Car { id, ..car.clone() });
        }
    }
    Ok(Stock { dealerships, cars })
}

/// Any answers that the service lets through.
pub fn questionnaire(bytes: &mut Unstructured<'_>) -> Result<Questionnaire> {
    let first = price(bytes)?;
    let second = price(bytes)?;
    let brands = |bytes: &mut Unstructured<'_>| -> Result<Vec<String>> {
        Ok(some(bytes, &BRANDS)?
            .into_iter()
            .map(faciliauto_engine::fold)
            .collect())
    };
    let mut must_haves = Vec::new();
    if bytes.ratio(1, 8)? {
        must_haves.push(MustHave::AutomaticGearbox);
    }
    must_haves.extend(some(bytes, &Fuel::ALL)?.into_iter().map(MustHave::Fuel));
    must_haves.extend(some(bytes, &Category::ALL)?.into_iter().map(MustHave::Category));
    must_haves.extend(some(bytes, VOCABULARY)?.into_iter().map(MustHave::Equipment));
    let mut priorities = [3; 8];
    for priority in &mut priorities {
        *priority = bytes.int_in_range(1..=5)?;
    }
    Ok(Questionnaire {
        budget_minimum: first.min(second),
        budget_maximum: first.max(second),
        usage: one(bytes, &Usage::ALL)?,
        frequency: maybe(bytes, |bytes| {
            one(
                bytes,
                &[Frequency::Daily, Frequency::Weekly, Frequency::Occasional],
            )
        })?,
        family_size: maybe(bytes, |bytes| bytes.int_in_range(1..=20))?,
        needs_space: bytes.arbitrary()?,
        has_children: bytes.arbitrary()?,
        has_elderly: bytes.arbitrary()?,
        first_car: bytes.arbitrary()?,
        years_driving: maybe(bytes, |bytes| bytes.int_in_range(0..=80))?,
        priorities: Priorities(priorities),
        state: maybe(bytes, |bytes| Ok(one(bytes, &["SP", "AC", "PR"])?.to_owned()))?,
        city: maybe(bytes, city)?,
        prioritise_near: bytes.arbitrary()?,
        radius_metres: maybe(bytes, |bytes| bytes.int_in_range(0..=2_000_000))?,
        preferred_brands: brands(bytes)?,
        rejected_brands: brands(bytes)?,
        preferred_categories: some(bytes, &Category::ALL)?,
        preferred_fuels: some(bytes, &Fuel::ALL)?,
        preferred_gearboxes: some(bytes, &Gearbox::ALL)?,
        year_minimum: maybe(bytes, |bytes| bytes.int_in_range(1990..=2030))?,
        year_maximum: maybe(bytes, |bytes| bytes.int_in_range(1990..=2030))?,
        odometer_maximum_km: maybe(bytes, |bytes| bytes.int_in_range(0..=200_000))?,
        must_haves,
        payment: payment(bytes)?,
        limit: bytes.int_in_range(1..=50)?,
        diversify: bytes.arbitrary()?,
    })
}

fn city(bytes: &mut Unstructured<'_>) -> Result<Place> {
    let name = one(bytes, &["São Paulo", "Curitiba", "Manaus"])?;
    match tables().find_place(name, None) {
        PlaceSearch::Found(place) => Ok(place),
        other => panic!("{name}: {other:?}"),
    }
}

fn payment(bytes: &mut Unstructured<'_>) -> Result<Payment> {
    let incomes = [
        IncomeRange::UpTo3000,
        IncomeRange::UpTo5000,
        IncomeRange::UpTo8000,
        IncomeRange::UpTo12000,
        IncomeRange::Above12000,
    ];
    Ok(Payment {
        down_payment: maybe(bytes, price)?,
        months: maybe(bytes, |bytes| bytes.int_in_range(1..=96))?,
        monthly_rate: maybe(bytes, |bytes| {
            Ok(f64::from(bytes.int_in_range(0..=2000_u32)?) / 10_000.0)
        })?,
        km_per_month: maybe(bytes, |bytes| bytes.int_in_range(1..=20_000))?,
        maximum_monthly: maybe(bytes, price)?,
        income: maybe(bytes, |bytes| one(bytes, &incomes))?,
    })
}

/// A stock with anything in it: ids that are missing or shared, figures that nothing holds, coordinates of nowhere.
pub fn any_stock(bytes: &mut Unstructured<'_>) -> Result<Stock> {
    let mut dealerships = Vec::new();
    for _ in 0..bytes.int_in_range(0..=3)? {
        let id = any_text(bytes)?;
        let good = good_dealership(bytes, &id)?;
        dealerships.push(if bytes.arbitrary()? {
            Dealership {
                name: any_text(bytes)?,
                city: any_text(bytes)?,
                state: any_text(bytes)?,
                phone: maybe(bytes, any_text)?,
                latitude: bytes.arbitrary()?,
                longitude: bytes.arbitrary()?,
                ..good
            }
        } else {
            good
        });
    }
    let mut cars = Cars::new();
    for number in 0..bytes.int_in_range(0..=12)? {
        let dealership = match dealerships.as_slice() {
            known @ [_, ..] if bytes.ratio(7, 8)? => bytes.choose(known)?.id.clone(),
            _ => any_text(bytes)?,
        };
        let good = good_car(bytes, number, &dealership)?;
        cars.push(if bytes.arbitrary()? {
            Car {
                id: any_text(bytes)?,
                name: maybe(bytes, any_text)?,
                brand: any_text(bytes)?,
                model: any_text(bytes)?,
                version: maybe(bytes, any_text)?,
                year: bytes.arbitrary()?,
                price: Centavos(bytes.arbitrary()?),
                odometer_km: bytes.arbitrary()?,
                equipment: maybe(bytes, |bytes| Ok(vec![any_text(bytes)?, any_text(bytes)?]))?,
                fipe_price: maybe(bytes, |bytes| bytes.arbitrary().map(Centavos))?,
                confirmed_on: maybe(bytes, any_day)?,
                ..good
            }
        } else {
            good
        });
    }
    Ok(Stock { dealerships, cars })
}

/// Any text, often one that was used before.
fn any_text(bytes: &mut Unstructured<'_>) -> Result<String> {
    match bytes.int_in_range(0..=3)? {
        0 => one(bytes, &["", " ", "a", "b", "SP", "Fiat"]).map(str::to_owned),
        _ => bytes.arbitrary(),
    }
}

fn any_day(bytes: &mut Unstructured<'_>) -> Result<Date> {
    let year = bytes.int_in_range(-9999..=9999)?;
    let (month, day) = (bytes.int_in_range(1..=12)?, bytes.int_in_range(1..=28)?);
    Date::new(year, month, day).map_err(|_| arbitrary::Error::IncorrectFormat)
}
