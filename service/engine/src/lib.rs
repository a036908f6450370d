//! The recommendation engine of FacilIAuto: from a stock of used cars and a buyer's answers to the best cars, with
//! reasons that add up and what each costs a month.
//!
//! Pure: no I/O, no clock, no globals. The same stock, questionnaire and reference date give the same answer on every
//! processor, thread count and instruction set, because integers decide.
//!
//! ```text
//! data/*.csv, *.json ──▶ Tables ─┐
//! Stock ────────────────────────▶ Catalogue ──▶ recommend(Questionnaire) ──▶ Recommendation
//!                                 │ columns      │ scan: filters, bounds, the best few
//!                                 │              │ diversity, explanation
//!                                 │              └▶ Accounts: what a car of it costs this buyer
//!                                 └ with_change: one car, one block
//! ```
//!
//! A [`Catalogue`] is built once from a [`Stock`], checked row by row, and never changes: a change of one car
//! ([`Catalogue::with_change`]) makes another that shares all but one block with it, so who swaps catalogues behind an
//! `Arc` never makes a request wait. The method, for a reader who wants the reasons, is in `docs/recommendation.md`.
//!
//! ```
//! use faciliauto_engine::{
//!     Car, Catalogue, Category, Centavos, Dealership, Fuel, Gearbox, Quality, Questionnaire, Stock, Tables, Usage,
//! };
//!
//! let dealership = Dealership {
//!     id: "loja".to_owned(),
//!     name: "Loja do Centro".to_owned(),
//!     city: "Curitiba".to_owned(),
//!     state: "PR".to_owned(),
//!     // …
//! #   phone: None, whatsapp: None, email: None, website: None, latitude: None, longitude: None,
//! #   active: true, verified: false, premium: false,
//! };
//! let onix = Car {
//!     id: "onix-1".to_owned(),
//!     dealership_id: "loja".to_owned(),
//!     brand: "Chevrolet".to_owned(),
//!     model: "Onix".to_owned(),
//!     version: Some("1.0 12V".to_owned()),
//!     year: 2022,
//!     price: Centavos(7_000_000),
//!     odometer_km: 40_000,
//!     fuel: Fuel::Flex,
//!     gearbox: Gearbox::Manual,
//!     category: Category::Hatch,
//!     available: true,
//!     sample: true,
//!     // …
//! #   name: None, colour: None, doors: None, images: Vec::new(), featured: false, equipment: None, auction: None,
//! #   accident: None, single_owner: None, armoured: None, ipva_paid: None, fipe_price: None, confirmed_on: None,
//! };
//! let stock = Stock { dealerships: vec![dealership], cars: [onix].into() };
//! let today = jiff::civil::date(2026, 11, 25);
//! let catalogue = Catalogue::build(stock, &Tables::bundled()?, today, "1".to_owned())?;
//!
//! let buyer = Questionnaire::new(Centavos(5_000_000), Centavos(9_000_000), Usage::Family);
//! let answer = catalogue.recommend(&buyer);
//!
//! let best = &answer.cars[0];
//! assert_eq!((best.car.car.id.as_str(), best.match_tenths), ("onix-1", 636));
//! assert_eq!(answer.top_priorities[0], Quality::Space);
//! let points: u16 = best.contributions.iter().map(|part| part.points_tenths).sum();
//! assert_eq!(points, best.match_tenths);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod catalogue;
mod comparison;
pub mod cost;
mod diversity;
mod energy_use;
pub mod equipment;
mod explanation;
mod facts;
mod figures;
mod filters;
mod labels;
mod no_match;
pub mod places;
mod proximity;
pub mod questionnaire;
mod ranking;
mod recommend;
pub mod recommendation;
#[cfg(feature = "reference")]
pub mod reference;
pub mod refinement;
#[cfg(test)]
mod relations;
mod relaxation;
mod scan;
mod sphere;
pub mod stock;
#[cfg(feature = "reference")]
pub mod synthetic;
pub mod tables;
pub mod text;
mod texts;
mod utilities;
mod weights;
mod words;

pub use catalogue::{Catalogue, CatalogueCar, StockProblem, StockProblemKind, StockProblems};
pub use cost::{Accounts, CostOfOwnership, FinancialHealth, UsualBuyer};
pub use places::{Place, PlaceSearch};
pub use questionnaire::{
    Frequency, IncomeRange, MustHave, Payment, Priorities, Quality, Questionnaire, Usage,
};
pub use recommendation::{
    Alternative, Comparison, Contribution, Criterion, Difference, Filter, FilterCount, PriceToBeFirst,
    Recommendation, Recommended,
};
pub use refinement::{Feedback, PriorityChange, Refinement, refine};
pub use scan::InstructionSet;
pub use sphere::UnitVector;
pub use stock::{Car, Cars, Category, Centavos, Dealership, Fuel, Gearbox, Stock};
pub use tables::{ModelFacts, TableError, Tables};
pub use text::fold;
