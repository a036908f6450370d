//! A store with so many cars and events, filled as a restore fills it: through the state port, and under a fence.

use std::{collections::BTreeMap, time::Duration};

use faciliauto_engine::{
    stock::{Car, Centavos, Dealership},
    tables::{ModelFacts, Tables},
};
use faciliauto_service::state::{
    State,
    dealers::TokenDigest,
    events::{Deed, Event, Facts, FeedbackAction, InteractionKind, OnceKey},
    generations::{CARS_AT_ONCE, Epoch, Fence, FilledDealer, PersonSecret, Private, SourceError},
};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

pub(crate) const CARS_OF_A_DEALER: usize = 5_000;

/// One in so many cars was sold once.
const SOLD: usize = 100;

/// Days over which events lie, as many as are kept.
const DAYS: u64 = 90;
const EVENTS_AT_ONCE: usize = 10_000;
const USERS: u64 = 100_000;

/// Whose erasures every restore looks up; none of them has an event.
const ERASED: usize = 100;

/// Opens the store with what there is to be backed up.
pub(crate) async fn fill(state: &dyn State, dealers: usize, events: usize) {
    let now = Timestamp::now();
    let fence = state.raise_fence("benchmark").await.unwrap();
    let generation = state.begin_generation(&fence).await.unwrap();
    let private = Private {
        person_secret: Some(PersonSecret::new("5a".repeat(32))),
        ..Private::default()
    };
    state.fill_private(&fence, &generation, &private).await.unwrap();
    let tables = Tables::bundled().unwrap();
    for number in 0..dealers {
        fill_dealer(state, (&fence, &generation), &tables, number, now).await;
        let renewed = state.renew_fence(&fence).await;
        renewed.unwrap();
    }
    eprintln!("{} cars of {dealers} dealers are in", dealers * CARS_OF_A_DEALER);
    let mut numbers = Numbers(u64::MAX);
    for begin in (0..events).step_by(EVENTS_AT_ONCE) {
        let batch: Vec<Event> = (begin..events.min(begin + EVENTS_AT_ONCE))
            .map(|number| event(number, dealers, now, &mut numbers))
            .collect();
        state.fill_events(&fence, &generation, &batch).await.unwrap();
        state.renew_fence(&fence).await.unwrap();
    }
    state.apply_ledgers(&fence, &generation, &[]).await.unwrap();
    let day = Duration::from_secs(24 * 3600);
    state.switch(&fence, &generation, "benchmark", day).await.unwrap();
    let erased: Vec<String> = (0..ERASED).map(|number| format!("erased-{number}")).collect();
    state.erase(&erased).await.unwrap();
    eprintln!("{events} events over {DAYS} days are in");
}

async fn fill_dealer(
    state: &dyn State,
    (fence, generation): (&Fence, &Epoch),
    tables: &Tables,
    number: usize,
    now: Timestamp,
) {
    let (dealership, cars) = dealer(tables, number, now.to_zoned(TimeZone::UTC).date());
    let sold = cars
        .iter()
        .step_by(SOLD)
        .map(|car| (car.id.clone(), milliseconds(now)));
    let filled = FilledDealer {
        token: Some(TokenDigest::of(&dealership.id)),
        sold: sold.collect::<BTreeMap<_, _>>(),
        dealership,
    };
    let batches: Vec<Result<Vec<Car>, SourceError>> =
        cars.chunks(CARS_AT_ONCE).map(|cars| Ok(cars.to_vec())).collect();
    let batches = stream::iter(batches).boxed();
    state
        .fill_dealer(fence, generation, filled, batches)
        .await
        .unwrap();
}

/// Cars like those that the engine is measured with: models of the table, prices, ages and odometers that differ.
fn dealer(tables: &Tables, number: usize, today: Date) -> (Dealership, Vec<Car>) {
    let mut numbers = Numbers(number as u64);
    let dealership = Dealership {
        id: dealer_id(number),
        name: format!("Loja {number}"),
        city: "São Paulo".to_owned(),
        state: "SP".to_owned(),
        phone: None,
        whatsapp: None,
        email: None,
        website: None,
        latitude: None,
        longitude: None,
        active: true,
        verified: false,
        premium: false,
    };
    let models: Vec<&ModelFacts> = tables.models().collect();
    let cars = (0..CARS_OF_A_DEALER).map(|place| {
        let model = models[numbers.below(models.len() as u64) as usize];
        let years = u64::from(model.years.1 - model.years.0) + 1;
        Car {
            id: format!("{}-{place:04}", dealership.id),
            dealership_id: dealership.id.clone(),
            name: None,
            brand: model.brand.clone(),
            model: model.family.clone(),
            version: Some(model.version.clone()),
            year: model.years.0 + numbers.below(years) as u16,
            price: Centavos((20_000 + numbers.below(250_000)) * 100),
            odometer_km: numbers.below(200_000) as u32,
            fuel: model.fuel,
            gearbox: model.gearbox,
            category: model.category,
            colour: None,
            doors: Some(4),
            images: Vec::new(),
            available: numbers.below(16) != 0,
            featured: false,
            sample: false,
            equipment: None,
            auction: None,
            accident: None,
            single_owner: None,
            armoured: None,
            ipva_paid: None,
            fipe_price: None,
            confirmed_on: Some(today),
        }
    });
    let cars = cars.collect();
    (dealership, cars)
}

fn dealer_id(number: usize) -> String {
    format!("loja-{number:04}")
}

/// Half of them feedback, of which one in four has a comment.
fn event(number: usize, dealers: usize, now: Timestamp, numbers: &mut Numbers) -> Event {
    let dealership = dealer_id(numbers.below(dealers as u64) as usize);
    let age = SignedDuration::from_millis(numbers.below(DAYS * 24 * 3600 * 1000) as i64);
    let user = numbers.below(USERS);
    let deed = if number.is_multiple_of(2) {
        Deed::Feedback {
            action: FeedbackAction::ALL[numbers.below(5) as usize],
            rating: Some(1 + numbers.below(5) as u8),
            comment: number
                .is_multiple_of(8)
                .then(|| format!("Gostei do carro, mas queria ver outro por perto ({number})")),
        }
    } else {
        Deed::Interaction {
            kind: InteractionKind::ALL[numbers.below(3) as usize],
            duration_seconds: Some(numbers.below(600) as u32),
        }
    };
    let mut id = [0; 16];
    id[..8].copy_from_slice(&numbers.below(u64::MAX).to_be_bytes());
    id[8..].copy_from_slice(&(number as u64).to_be_bytes());
    Event {
        id: OnceKey(id),
        at: milliseconds(now - age),
        user: Some(format!("user-{user:06}")),
        session: Some(format!("session-{user:06}-{}", numbers.below(4))),
        car: format!("{dealership}-{:04}", numbers.below(CARS_OF_A_DEALER as u64)),
        dealership: Some(dealership),
        deed,
        facts: Facts {
            brand: Some("Chevrolet".to_owned()),
            category: Some("Hatch".to_owned()),
            price: Some(Centavos(3_000_000 + numbers.below(20_000_000))),
            year: Some(2010 + numbers.below(16) as u16),
            position: Some(1 + numbers.below(20) as u16),
            match_tenths: Some(numbers.below(1001) as u16),
        },
    }
}

/// As precise as stores are.
fn milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap()
}

/// Numbers that look random and are the same everywhere: SplitMix64, as the engine's made-up stock has them.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
