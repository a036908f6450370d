//! The recommendation engine of FacilIAuto: catalogue, filters, scores, order, reasons and cost of ownership.
//!
//! Pure: no I/O, no clock, no globals. The same stock, questionnaire and reference date give the same answer on every
//! processor and thread count, because integers decide.
//!
//! ```text
//! data/*.csv, *.json ──▶ Tables ─┐
//! Stock ────────────────────────▶ Catalogue ──▶ recommend(Questionnaire) ──▶ Recommendation
//!                                 │ utilities    │ filters → scores → order → variety → explanation, comparison, cost
//!                                                refine(Feedback) ──▶ Refinement
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
pub use cost::{CostOfOwnership, FinancialHealth};
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
pub use stock::{Car, Category, Centavos, Dealership, Fuel, Gearbox, Stock};
pub use tables::{ModelFacts, TableError, Tables};
pub use text::fold;
