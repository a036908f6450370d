//! What a buyer says they want: one validated value per answer, every default resolved by the caller.

use crate::{
    places::Place,
    stock::{Category, Centavos, Fuel, Gearbox},
};

/// What the car is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Usage {
    /// `familia`
    Family,
    /// `trabalho`: to work and back.
    Work,
    /// `lazer`
    Leisure,
    /// `comercial`: carrying goods.
    Commercial,
    /// `primeiro_carro`
    FirstCar,
    /// `transporte_passageiros`: driving for an app.
    PassengerTransport,
}

/// How often it is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Frequency {
    /// `diaria`
    Daily,
    /// `semanal`
    Weekly,
    /// `eventual`
    Occasional,
}

/// The eight quality criteria, in the order of their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Quality {
    /// `economia`: R$/km of energy.
    Economy,
    /// `espaco`: boot and seats.
    Space,
    /// `performance`: cv per tonne.
    Performance,
    /// `conforto`: comfort items.
    Comfort,
    /// `seguranca`: crash test, airbags, ESC, ISOFIX.
    Safety,
    /// `revenda`: yearly depreciation.
    Resale,
    /// `confiabilidade`: class, odometer, age.
    Reliability,
    /// `custo_manutencao`: R$/km.
    Maintenance,
}

/// How much each quality matters, 1 to 5, by [`Quality`] index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priorities(pub [u8; 8]);

/// Monthly income as declared; used for guidance and dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncomeRange {
    /// `0-3000`
    UpTo3000,
    /// `3000-5000`
    UpTo5000,
    /// `5000-8000`
    UpTo8000,
    /// `8000-12000`
    UpTo12000,
    /// `12000+`
    Above12000,
}

impl IncomeRange {
    /// Every range, in the order of declaration.
    pub const ALL: [Self; 5] = [
        Self::UpTo3000,
        Self::UpTo5000,
        Self::UpTo8000,
        Self::UpTo12000,
        Self::Above12000,
    ];
}

/// What must be there; each is a filter of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MustHave {
    /// `cambio_automatico`: any gearbox without a clutch pedal.
    AutomaticGearbox,
    /// `combustivel:<x>`
    Fuel(Fuel),
    /// `categoria:<x>`
    Category(Category),
    /// A word of the published equipment vocabulary.
    Equipment(&'static str),
}

/// How the buyer would pay; `None` = the default of the data file, said in the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Payment {
    /// `entrada`: down payment.
    pub down_payment: Option<Centavos>,
    /// `prazo_meses`: 1 to 96.
    pub months: Option<u16>,
    /// `taxa_mes`: monthly rate as a fraction, 0 to 0.2.
    pub monthly_rate: Option<f64>,
    /// `km_mes`: km driven a month, 1 to 20,000.
    pub km_per_month: Option<u32>,
    /// `max_monthly_tco`
    pub maximum_monthly: Option<Centavos>,
    /// `monthly_income_range`, only when disclosed.
    pub income: Option<IncomeRange>,
}

/// The answers of one buyer.
#[derive(Clone, Debug, PartialEq)]
pub struct Questionnaire {
    /// At or below it a price has full utility; no filter.
    pub budget_minimum: Centavos,
    /// No car above it, to the centavo. Not below `budget_minimum`.
    pub budget_maximum: Centavos,
    /// What the car is for.
    pub usage: Usage,
    /// How often it is driven.
    pub frequency: Option<Frequency>,
    /// People to seat, 1 to 20.
    pub family_size: Option<u8>,
    /// Needs room for luggage.
    pub needs_space: bool,
    /// Children ride along.
    pub has_children: bool,
    /// Elderly people ride along.
    pub has_elderly: bool,
    /// A first car.
    pub first_car: bool,
    /// Years of driving.
    pub years_driving: Option<u8>,
    /// What matters; 3 where nothing was said.
    pub priorities: Priorities,
    /// Where the buyer is, from which distances count.
    pub city: Option<Place>,
    /// Whether cars nearby come first; plays a part only with a city or a state.
    pub prioritise_near: bool,
    /// A filter: how far from `city` a car may be, in metres; without a city it is not set.
    pub radius_metres: Option<u32>,
    /// Two letters, capital: whose taxes apply; else those of the dealer's state. Without a city also where the buyer
    /// is: near is then what is in the state.
    pub state: Option<String>,
    /// Folded brand names ([`crate::fold`]): a wish, no filter.
    pub preferred_brands: Vec<String>,
    /// Folded brand names: a filter.
    pub rejected_brands: Vec<String>,
    /// A wish, no filter.
    pub preferred_categories: Vec<Category>,
    /// A wish, no filter.
    pub preferred_fuels: Vec<Fuel>,
    /// A wish, no filter. Automatic, CVT and automated count as one when automatic is wished.
    pub preferred_gearboxes: Vec<Gearbox>,
    /// A filter.
    pub year_minimum: Option<u16>,
    /// A filter.
    pub year_maximum: Option<u16>,
    /// A filter.
    pub odometer_maximum_km: Option<u32>,
    /// Filters.
    pub must_haves: Vec<MustHave>,
    /// Money.
    pub payment: Payment,
    /// How many cars to answer, 1 to 50.
    pub limit: usize,
    /// `diversificar`: variety of models, brands, categories and dealers; false = the pure order of the score.
    pub diversify: bool,
}

impl Questionnaire {
    /// Says how much and what for, and nothing else: every quality matters alike, nothing is wished or required.
    #[must_use]
    pub fn new(budget_minimum: Centavos, budget_maximum: Centavos, usage: Usage) -> Self {
        Self {
            budget_minimum,
            budget_maximum,
            usage,
            frequency: None,
            family_size: None,
            needs_space: false,
            has_children: false,
            has_elderly: false,
            first_car: false,
            years_driving: None,
            priorities: Priorities([3; 8]),
            city: None,
            state: None,
            prioritise_near: true,
            radius_metres: None,
            preferred_brands: Vec::new(),
            rejected_brands: Vec::new(),
            preferred_categories: Vec::new(),
            preferred_fuels: Vec::new(),
            preferred_gearboxes: Vec::new(),
            year_minimum: None,
            year_maximum: None,
            odometer_maximum_km: None,
            must_haves: Vec::new(),
            payment: Payment::default(),
            limit: 5,
            diversify: true,
        }
    }
}
