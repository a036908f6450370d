//! Made-up stock of any size, the same on every machine: for tests, benchmarks and trying things out.

use jiff::civil::Date;

use crate::{
    stock::{Car, Centavos, Dealership, Stock},
    tables::{ModelFacts, STATES, Tables},
};

/// Cars that one dealership sells.
const CARS_PER_DEALERSHIP: usize = 128;

/// State capitals, in the order of [`STATES`]: where made-up dealerships are.
const CAPITALS: [&str; 27] = [
    "Rio Branco",
    "Maceió",
    "Manaus",
    "Macapá",
    "Salvador",
    "Fortaleza",
    "Brasília",
    "Vitória",
    "Goiânia",
    "São Luís",
    "Belo Horizonte",
    "Campo Grande",
    "Cuiabá",
    "Belém",
    "João Pessoa",
    "Recife",
    "Teresina",
    "Curitiba",
    "Rio de Janeiro",
    "Natal",
    "Porto Velho",
    "Boa Vista",
    "Porto Alegre",
    "Florianópolis",
    "Aracaju",
    "São Paulo",
    "Palmas",
];

/// Numbers that look random and are the same everywhere: SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// A sequence of its own for every seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number below a bound, which is at least 1. The least bias of the remainder does no harm here.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Stock of `cars` cars as of a day: models of the table, one in 32 of a make it does not know, prices, ages and
/// odometers that differ; one in 16 is sold, one in 8 says what equipment it has. Ids are in order.
#[must_use]
pub fn stock(tables: &Tables, cars: usize, today: Date, seed: u64) -> Stock {
    let mut numbers = Numbers::new(seed);
    let models: Vec<&ModelFacts> = tables.models().collect();
    let dealerships: Vec<Dealership> = (0..cars.div_ceil(CARS_PER_DEALERSHIP))
        .map(|number| dealership(number, &mut numbers))
        .collect();
    let cars = (0..cars)
        .map(|number| car(number, &dealerships, &models, today, &mut numbers))
        .collect();
    Stock { dealerships, cars }
}

fn dealership(number: usize, numbers: &mut Numbers) -> Dealership {
    // Real stock gathers in the south-east: a third of the dealerships is in São Paulo.
    let state = if numbers.below(3) == 0 {
        25
    } else {
        numbers.below(27) as usize
    };
    Dealership {
        id: format!("d{number:06}"),
        name: format!("Loja {number}"),
        city: CAPITALS[state].to_owned(),
        state: STATES[state].to_owned(),
        phone: None,
        whatsapp: None,
        email: None,
        website: None,
        latitude: None,
        longitude: None,
        active: true,
        verified: false,
        premium: false,
    }
}

fn car(
    number: usize,
    dealerships: &[Dealership],
    models: &[&ModelFacts],
    today: Date,
    numbers: &mut Numbers,
) -> Car {
    let model = models[numbers.below(models.len() as u64) as usize];
    let years = u64::from(model.years.1 - model.years.0) + 1;
    let year = model.years.0 + numbers.below(years) as u16;
    let age = u64::try_from(i32::from(today.year()) - i32::from(year)).unwrap_or(0);
    let stranger = numbers.below(32) == 0;
    let equipment = (numbers.below(8) == 0).then(|| {
        let words = crate::equipment::VOCABULARY.iter();
        let named = words.filter(|_| numbers.below(3) == 0);
        named.map(|word| (*word).to_owned()).collect()
    });
    // From R$ 20.000 to 270.000, the old ones cheaper, to the real; one in eight to the centavo.
    let reais = (20_000 + numbers.below(250_000)) * 20 / (20 + age);
    let centavos = if numbers.below(8) == 0 {
        numbers.below(100)
    } else {
        0
    };
    let dealership = number / CARS_PER_DEALERSHIP;
    Car {
        id: format!("d{dealership:06}-{:03}", number % CARS_PER_DEALERSHIP),
        dealership_id: dealerships[dealership].id.clone(),
        name: None,
        brand: if stranger { "Lada" } else { &model.brand }.to_owned(),
        model: if stranger { "Niva" } else { &model.family }.to_owned(),
        version: Some(model.version.clone()),
        year,
        price: Centavos(reais * 100 + centavos),
        odometer_km: (numbers.below(18_000) * (age + 1)) as u32,
        fuel: model.fuel,
        gearbox: model.gearbox,
        category: model.category,
        colour: None,
        doors: Some(4),
        images: Vec::new(),
        available: numbers.below(16) != 0,
        featured: false,
        sample: true,
        equipment,
        auction: None,
        accident: None,
        single_owner: None,
        armoured: None,
        ipva_paid: None,
        fipe_price: None,
        confirmed_on: None,
    }
}
