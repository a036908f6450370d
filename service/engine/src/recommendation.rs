//! What the engine answers: cars in order, each with points that sum exactly to its match.

use crate::{
    catalogue::CatalogueCar,
    cost::CostOfOwnership,
    questionnaire::{MustHave, Quality},
    stock::Dealership,
};

/// A criterion of the score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Criterion {
    /// One of the eight qualities.
    Quality(Quality),
    /// Odometer.
    Wear,
    /// How near to the buyer.
    Distance,
    /// Wishes met.
    Preferences,
    /// Position in the budget.
    Price,
}

/// A hard filter that a questionnaire sets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    /// Price up to the maximum budget.
    Budget,
    /// Seats for the family.
    Seats,
    /// Not farther from the buyer's city.
    Radius,
    /// No rejected brand.
    RejectedBrands,
    /// Not older.
    YearMinimum,
    /// Not newer.
    YearMaximum,
    /// Not driven more.
    OdometerMaximum,
    /// One required thing.
    MustHave(MustHave),
    /// Accepted by a ride app.
    AppClass,
}

/// What one filter did, counted over the available cars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterCount {
    /// Which.
    pub filter: Filter,
    /// Available cars that fail it, counted independently of the others.
    pub removed: usize,
    /// Cars that fail it and no other.
    pub removed_only: usize,
    /// Of `removed`, those that fail because the stock does not say.
    pub unknown: usize,
}

/// What one criterion gave and what it kept back, in tenths of a percent.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// Which.
    pub criterion: Criterion,
    /// Points won; they sum to the match.
    pub points_tenths: u16,
    /// Points missed; with `points_tenths` over all criteria they sum to 1000.
    pub missed_tenths: u16,
    /// The raw fact with its unit, in Portuguese.
    pub fact: String,
}

/// A recommended car.
#[derive(Clone, Debug)]
pub struct Recommended<'catalogue> {
    /// The car, joined with its model's facts.
    pub car: &'catalogue CatalogueCar,
    /// Who sells it.
    pub dealership: &'catalogue Dealership,
    /// 0 to 1000: integer tenths of a percent, an absolute scale.
    pub match_tenths: u16,
    /// Every criterion with a weight, by points, then by criterion.
    pub contributions: Vec<Contribution>,
    /// "Por que combina", one or more whole sentences in Portuguese.
    pub justification: String,
    /// "Pontos de atenção" in Portuguese, the gravest first.
    pub attention_points: Vec<String>,
    /// What it costs a month.
    pub cost: CostOfOwnership,
    /// Whole km from the buyer's city; `None` without a city, or when nobody knows where the dealership is.
    pub distance_km: Option<u32>,
}

/// A car that comes close: it passes once some filters are given up.
#[derive(Clone, Debug)]
pub struct Alternative<'catalogue> {
    /// The car, explained like any other.
    pub recommended: Recommended<'catalogue>,
    /// The filters that it needs given up, in the order in which they are reported.
    pub relaxed: Vec<Filter>,
}

/// The answer to a questionnaire.
#[derive(Clone, Debug)]
pub struct Recommendation<'catalogue> {
    /// Cars that pass every filter.
    pub matching: usize,
    /// Cars on offer before any filter of the questionnaire.
    pub available: usize,
    /// The best first, at most `limit`.
    pub cars: Vec<Recommended<'catalogue>>,
    /// When fewer than `limit` match: cars that come close, none of them in `cars`, at most as many as are missing.
    /// Those that need the fewest steps of relaxation first (radius, automatic gearbox, category, budget), then in the
    /// order of `cars`.
    pub alternatives: Vec<Alternative<'catalogue>>,
    /// One entry for each filter that the questionnaire sets.
    pub filters: Vec<FilterCount>,
    /// The qualities that weigh most for this buyer, heaviest first, three.
    pub top_priorities: Vec<Quality>,
    /// What each criterion that plays a part weighs, in the order of [`Criterion::ALL`]; they sum to 256.
    pub weights: Vec<(Criterion, u16)>,
    /// When nothing matched: which wish emptied the list, as a sentence in Portuguese.
    pub message: Option<String>,
    /// When nothing matched: what to change and how many cars that would bring, in Portuguese.
    pub suggestion: Option<String>,
}
