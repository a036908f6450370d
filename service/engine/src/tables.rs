//! The versioned figures behind every answer, read from the files in `data/` and checked when a program starts.
//!
//! Each file says its version, the day from which it holds, its source and how far it can be trusted; answers name
//! the versions that they used. Nothing in the engine decides by a figure that stands in code alone.

mod brands;
mod cost;
mod criteria;
mod energy;
mod ipva;
mod models;
mod places;
mod reader;
#[cfg(test)]
mod tests;
mod weights;

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::{cost::Terms, texts::Texts};

pub use energy::{Energy, EnergyPrice};
pub use ipva::STATES;
pub use models::{AppClass, Consumption, ModelFacts};
pub use reader::Provenance;

pub(crate) use cost::CostTable;
pub(crate) use criteria::{Anchor, Criteria, DiversityRules, ECONOMY_COLUMNS, RefinementRules};
pub(crate) use ipva::{StateRules, Taxed};
pub(crate) use models::Models;
pub(crate) use places::Places;
pub(crate) use weights::{Flag, WeightFactors};

use brands::Brands;

/// Why the data files cannot be used: which file, which line where there is one, which field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct TableError {
    /// Name of the data file.
    pub file: &'static str,
    /// Line of the file, from 1, when the trouble is in one line.
    pub row: Option<u64>,
    /// Column of a CSV file, path of a JSON file, or the name of a row that is missing.
    pub field: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for TableError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.file)?;
        if let Some(row) = self.row {
            write!(formatter, ", row {row}")?;
        }
        write!(formatter, ", field {}: {}", self.field, self.message)
    }
}

impl TableError {
    fn new(file: &'static str, row: Option<u64>, field: &str, message: impl Into<String>) -> Self {
        Self {
            file,
            row,
            field: field.to_owned(),
            message: message.into(),
        }
    }
}

/// The texts of the data files.
#[derive(Clone, Copy, Debug)]
struct Files<'text> {
    brands: &'text str,
    cost: &'text str,
    criteria: &'text str,
    energy: &'text str,
    ipva: &'text str,
    models: &'text str,
    names: &'text str,
    places: &'text str,
    weights: &'text str,
}

const BUNDLED: Files<'static> = Files {
    brands: include_str!("../data/brands.csv"),
    cost: include_str!("../data/cost.json"),
    criteria: include_str!("../data/criteria.json"),
    energy: include_str!("../data/energy.csv"),
    ipva: include_str!("../data/ipva.csv"),
    models: include_str!("../data/models.csv"),
    names: include_str!("../data/names.csv"),
    places: include_str!("../data/places.csv"),
    weights: include_str!("../data/weights.csv"),
};

/// Name and text of each data file.
#[cfg(feature = "reference")]
pub(crate) const BUNDLED_FILES: [(&str, &str); 8] = [
    (brands::FILE, BUNDLED.brands),
    (cost::FILE, BUNDLED.cost),
    (criteria::FILE, BUNDLED.criteria),
    (energy::FILE, BUNDLED.energy),
    (ipva::FILE, BUNDLED.ipva),
    (models::FILE, BUNDLED.models),
    (models::NAMES_FILE, BUNDLED.names),
    (weights::FILE, BUNDLED.weights),
];

/// All data files, checked.
#[derive(Clone, Debug)]
pub struct Tables {
    pub(crate) criteria: Criteria,
    pub(crate) weights: WeightFactors,
    pub(crate) models: Models,
    pub(crate) cost: CostTable,
    pub(crate) places: Places,
    energy: [EnergyPrice; 5],
    states: BTreeMap<&'static str, StateRules>,
    brands: Brands,
    provenances: Vec<(&'static str, Provenance)>,
    versions: Vec<(&'static str, String)>,
    /// Terms of credit for those who state none, one for each rate; see [`CostTable::usual_terms`].
    pub(crate) terms: Vec<Terms>,
    /// Sentences that depend on these figures alone.
    pub(crate) texts: Arc<Texts>,
}

impl Tables {
    /// The data files that were compiled in.
    ///
    /// # Errors
    /// The first figure that is missing or out of bounds, with file, row and field.
    pub fn bundled() -> Result<Self, TableError> {
        Self::read(BUNDLED)
    }

    /// The bundled data files with another text in the place of one of them; a name that no file has changes nothing.
    #[cfg(feature = "reference")]
    pub(crate) fn bundled_but(file: &str, text: &str) -> Result<Self, TableError> {
        let instead = |name, bundled| if name == file { text } else { bundled };
        Self::read(Files {
            brands: instead(brands::FILE, BUNDLED.brands),
            cost: instead(cost::FILE, BUNDLED.cost),
            criteria: instead(criteria::FILE, BUNDLED.criteria),
            energy: instead(energy::FILE, BUNDLED.energy),
            ipva: instead(ipva::FILE, BUNDLED.ipva),
            models: instead(models::FILE, BUNDLED.models),
            names: instead(models::NAMES_FILE, BUNDLED.names),
            places: instead(places::FILE, BUNDLED.places),
            weights: instead(weights::FILE, BUNDLED.weights),
        })
    }

    fn read(files: Files<'_>) -> Result<Self, TableError> {
        let Files {
            brands,
            cost,
            criteria,
            energy,
            ipva,
            models,
            names,
            places,
            weights,
        } = files;
        let (brands, brands_provenance) = Brands::read(brands)?;
        let (cost, cost_provenance) = CostTable::read(cost)?;
        let (criteria, criteria_provenance) = Criteria::read(criteria)?;
        let (energy, energy_provenance) = energy::read(energy)?;
        let (states, ipva_provenance) = ipva::read(ipva)?;
        let (models, models_provenance, names_provenance) = Models::read(models, names)?;
        let (places, places_provenance) = Places::read(places)?;
        let (weights, weights_provenance) = WeightFactors::read(weights)?;
        if let Some(model) = models
            .all()
            .iter()
            .find(|model| cost.depreciation(&model.segment).is_none())
        {
            let message = format!(
                "segment {:?} of {} has no depreciation",
                model.segment, model.name
            );
            return Err(TableError::new(models::FILE, None, "segment", message));
        }
        let provenances = vec![
            (brands::FILE, brands_provenance),
            (cost::FILE, cost_provenance),
            (criteria::FILE, criteria_provenance),
            (energy::FILE, energy_provenance),
            (ipva::FILE, ipva_provenance),
            (models::FILE, models_provenance),
            (models::NAMES_FILE, names_provenance),
            (places::FILE, places_provenance),
            (weights::FILE, weights_provenance),
        ];
        let versions = provenances
            .iter()
            .map(|(file, about)| (*file, about.version.clone()))
            .collect();
        let terms = cost.usual_terms();
        let mut tables = Self {
            criteria,
            weights,
            models,
            cost,
            places,
            energy,
            states,
            brands,
            provenances,
            versions,
            terms,
            texts: Arc::default(),
        };
        tables.texts = Arc::new(Texts::of(&tables));
        Ok(tables)
    }

    /// File and version of each data file, by file name.
    #[must_use]
    pub fn versions(&self) -> &[(&'static str, String)] {
        &self.versions
    }

    /// What each data file says about itself, by file name.
    #[must_use]
    pub fn provenances(&self) -> &[(&'static str, Provenance)] {
        &self.provenances
    }

    /// The brand that a folded name stands for (`vw` → `volkswagen`); the name itself where it is no alias.
    #[must_use]
    pub fn brand_alias<'text>(&'text self, folded: &'text str) -> &'text str {
        self.brands.resolve(folded)
    }

    /// Energy prices in use, with their dates and sources.
    #[must_use]
    pub fn energy_prices(&self) -> &[EnergyPrice] {
        &self.energy
    }

    /// The price of one energy.
    #[must_use]
    pub fn energy_price(&self, energy: Energy) -> &EnergyPrice {
        &self.energy[energy as usize]
    }

    /// Every model in the table, in its order.
    pub fn models(&self) -> impl Iterator<Item = &ModelFacts> {
        self.models.all().iter().map(AsRef::as_ref)
    }

    pub(crate) fn state(&self, state: &str) -> Option<&StateRules> {
        self.states.get(state)
    }

    pub(crate) fn valid_from(&self, file: &str) -> Option<jiff::civil::Date> {
        self.provenances
            .iter()
            .find(|(name, _)| *name == file)
            .map(|(_, about)| about.valid_from)
    }
}
