//! What the engine answers: cars in order, each with points that sum exactly to its match.

use std::borrow::Cow;

use crate::{
    catalogue::CatalogueCar,
    questionnaire::{MustHave, Quality},
    stock::{Centavos, Dealership},
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
pub struct Contribution<'catalogue> {
    /// Which.
    pub criterion: Criterion,
    /// Points won; they sum to the match.
    pub points_tenths: u16,
    /// Points missed; with `points_tenths` over all criteria they sum to 1000.
    pub missed_tenths: u16,
    /// The raw fact with its unit, in Portuguese.
    pub fact: Cow<'catalogue, str>,
}

/// One criterion in which two cars differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub criterion: Criterion,
    /// By how many points, in tenths of a percent: the difference of the points that both show, above 0.
    pub points_tenths: u16,
}

/// A car against the next of the list: the one after it in the order of the answer. For the last car that is the one
/// that a longer list would show. With variety on the next may have the higher match, and the sentence says so.
#[derive(Clone, Debug)]
pub struct Comparison<'catalogue> {
    /// The next car.
    pub other: &'catalogue CatalogueCar,
    /// Its match in tenths of a percent.
    pub other_match_tenths: u16,
    /// The criterion in which this car wins most over the next.
    pub advantage: Option<Difference>,
    /// The criterion in which it loses most.
    pub drawback: Option<Difference>,
    /// Both in Portuguese sentences, with the facts of the two cars.
    pub text: String,
}

/// The price at which a car would be the first of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceToBeFirst {
    /// The highest such price; one centavo more would not do.
    pub price: Centavos,
    /// A Portuguese sentence.
    pub text: String,
}

/// A recommended car.
#[derive(Clone, Debug)]
pub struct Recommended<'catalogue> {
    /// The car, joined with its model's facts.
    pub car: &'catalogue CatalogueCar,
    /// Its place among the catalogue's cars, in the order of ids.
    pub ordinal: usize,
    /// Who sells it.
    pub dealership: &'catalogue Dealership,
    /// 0 to 1000: integer tenths of a percent, an absolute scale.
    pub match_tenths: u16,
    /// Every criterion with a weight, by points, then by criterion.
    pub contributions: Vec<Contribution<'catalogue>>,
    /// "Por que combina", one or more whole sentences in Portuguese.
    pub justification: String,
    /// "Pontos de atenção" in Portuguese, the gravest first.
    pub attention_points: Vec<String>,
    /// Whole km from the buyer's city; `None` without a city, or when nobody knows where the dealership is.
    pub distance_km: Option<u32>,
    /// Against the next car of the list; `None` when no other car matches.
    pub comparison: Option<Comparison<'catalogue>>,
    /// `None` when it is the first, or when no price would make it so. The first car is the same with and without
    /// variety, so this holds for both orders.
    pub price_to_be_first: Option<PriceToBeFirst>,
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
    /// How much the cars of the list differ, in thousandths: 1000 less the mean likeness of each two of them, likeness as
    /// variety counts it. `None` for fewer than two cars.
    pub diversity_thousandths: Option<u16>,
    /// When nothing matched: which wish emptied the list, as a sentence in Portuguese.
    pub message: Option<String>,
    /// When nothing matched: what to change and how many cars that would bring, in Portuguese.
    pub suggestion: Option<String>,
}
