//! `cost.json`: rates, fees and estimates behind the cost of ownership.

use std::collections::BTreeMap;

use crate::{
    cost::Terms,
    questionnaire::IncomeRange,
    stock::{Category, Fuel},
};

use super::{
    TableError,
    ipva::STATES,
    models::Consumption,
    reader::{Document, Provenance},
};

pub(super) const FILE: &str = "cost.json";

/// A figure that depends on the age of the car in years.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ByAge(Vec<(u32, f64)>);

impl ByAge {
    fn read(document: &Document, path: &str) -> Result<Self, TableError> {
        let mut steps = Vec::new();
        for index in 0..document.length(path)? {
            let age_to = document.optional_whole(&format!("{path}/{index}/age_to"), 100)?;
            let value = document.number(&format!("{path}/{index}/value"), 0.0, 1000.0)?;
            steps.push((age_to.unwrap_or(u32::MAX), value));
        }
        let rising = steps.windows(2).all(|pair| pair[0].0 < pair[1].0);
        match steps.last() {
            Some((u32::MAX, _)) if rising => Ok(Self(steps)),
            _ => Err(document.error(
                path,
                "ages must rise and the last must be null, for all older cars",
            )),
        }
    }

    /// The figure of the first step that reaches the age.
    pub(crate) fn at(&self, age: u32) -> f64 {
        self.0.get(self.step(age)).map_or(0.0, |(_, value)| *value)
    }

    /// Which step reaches the age; the last for all older.
    pub(crate) fn step(&self, age: u32) -> usize {
        let reaches = |(age_to, _): &(u32, f64)| age <= *age_to;
        self.0
            .iter()
            .position(reaches)
            .unwrap_or(self.0.len().saturating_sub(1))
    }

    /// The figure of each step.
    pub(crate) fn values(&self) -> impl Iterator<Item = f64> {
        self.0.iter().map(|(_, value)| *value)
    }
}

/// Everything that `cost.json` decides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CostTable {
    pub(crate) yearly_rate_percent: ByAge,
    pub(crate) months: u16,
    pub(crate) down_payment_percent: f64,
    pub(crate) iof_fixed_percent: f64,
    pub(crate) iof_daily_percent: f64,
    pub(crate) iof_days_per_month: u32,
    pub(crate) iof_days_at_most: u32,
    pub(crate) national_exemption_age: u32,
    pub(crate) least_km_a_year: f64,
    pub(crate) fewer_km_per_year_of_age: f64,
    pub(crate) insurance_percent: ByAge,
    insurance_state_factor: BTreeMap<String, f64>,
    depreciation_percent: BTreeMap<String, f64>,
    pub(crate) maintenance_class_per_km: [f64; 5],
    pub(crate) maintenance_age_factor: ByAge,
    pub(crate) maintenance_km_free: f64,
    pub(crate) maintenance_km_step: f64,
    pub(crate) maintenance_step_factor: f64,
    pub(crate) maintenance_least_a_month: f64,
    incomes: [f64; 5],
    pub(crate) instalment_percent_of_income: f64,
    pub(crate) green_percent_of_income: f64,
    pub(crate) yellow_percent_of_income: f64,
    pub(crate) natural_gas_factor: f64,
    pub(crate) unknown_maintenance_class: u8,
    unknown_segments: [String; 6],
    unknown_gasoline: Consumption,
    unknown_ethanol: Consumption,
    unknown_diesel: Consumption,
    unknown_hybrid: Consumption,
    pub(crate) unknown_kwh_100km: f64,
}

impl CostTable {
    pub(super) fn read(text: &str) -> Result<(Self, Provenance), TableError> {
        let document = Document::read(FILE, text)?;
        let percent = |path: &str| document.number(path, 0.0, 100.0);
        let consumption = |word: &str| {
            let path = format!("unknown_model/consumption/{word}");
            Ok::<_, TableError>(Consumption {
                city: document.number(&format!("{path}/city"), 2.0, 40.0)?,
                highway: document.number(&format!("{path}/highway"), 2.0, 40.0)?,
            })
        };
        let mut insurance_state_factor = BTreeMap::new();
        for state in document.names("insurance/state_factor")? {
            let path = format!("insurance/state_factor/{state}");
            if !STATES.contains(&state.as_str()) {
                return Err(document.error(&path, "is no state"));
            }
            insurance_state_factor.insert(state, document.number(&path, 0.1, 10.0)?);
        }
        let mut depreciation_percent = BTreeMap::new();
        for segment in document.names("depreciation_percent")? {
            let value = percent(&format!("depreciation_percent/{segment}"))?;
            depreciation_percent.insert(segment, value);
        }
        let mut unknown_segments = [const { String::new() }; 6];
        for category in Category::ALL {
            let path = format!("unknown_model/segment/{}", category.word());
            let segment = document.text(&path)?;
            if !depreciation_percent.contains_key(segment) {
                return Err(document.error(&path, format!("{segment:?} has no depreciation")));
            }
            segment.clone_into(&mut unknown_segments[category as usize]);
        }
        for segment in ["hybrid", "electric", "diesel_pickup"] {
            if !depreciation_percent.contains_key(segment) {
                return Err(document.error(&format!("depreciation_percent/{segment}"), "is missing"));
            }
        }
        let mut maintenance_class_per_km = [0.0; 5];
        if document.length("maintenance/class_per_km")? != maintenance_class_per_km.len() {
            return Err(document.error("maintenance/class_per_km", "must list five values"));
        }
        for (index, value) in maintenance_class_per_km.iter_mut().enumerate() {
            *value = document.number(&format!("maintenance/class_per_km/{index}"), 0.0, 10.0)?;
        }
        let mut incomes = [0.0; 5];
        for (income, word) in
            incomes
                .iter_mut()
                .zip(["0-3000", "3000-5000", "5000-8000", "8000-12000", "12000+"])
        {
            *income = document.number(&format!("guidance/income/{word}"), 1.0, 1e6)?;
        }
        let table = Self {
            yearly_rate_percent: ByAge::read(&document, "financing/yearly_rate_percent")?,
            months: document.whole("financing/months", 1, 96)? as u16,
            down_payment_percent: percent("financing/down_payment_percent")?,
            iof_fixed_percent: percent("financing/iof_fixed_percent")?,
            iof_daily_percent: percent("financing/iof_daily_percent")?,
            iof_days_per_month: document.whole("financing/iof_days_per_month", 28, 31)?,
            iof_days_at_most: document.whole("financing/iof_days_at_most", 1, 3660)?,
            national_exemption_age: document.whole("ipva/national_exemption_age", 1, 100)?,
            least_km_a_year: document.number("driving/least_km_a_year", 0.0, 1e5)?,
            fewer_km_per_year_of_age: document.number("driving/fewer_km_per_year_of_age", 0.0, 1e4)?,
            insurance_percent: ByAge::read(&document, "insurance/yearly_percent")?,
            insurance_state_factor,
            depreciation_percent,
            maintenance_class_per_km,
            maintenance_age_factor: ByAge::read(&document, "maintenance/age_factor")?,
            maintenance_km_free: document.number("maintenance/km_free", 0.0, 1e6)?,
            maintenance_km_step: document.number("maintenance/km_step", 1.0, 1e6)?,
            maintenance_step_factor: document.number("maintenance/step_factor", 0.0, 10.0)?,
            maintenance_least_a_month: document.number("maintenance/least_a_month", 0.0, 1e5)?,
            incomes,
            instalment_percent_of_income: percent("guidance/instalment_percent_of_income")?,
            green_percent_of_income: percent("guidance/green_percent_of_income")?,
            yellow_percent_of_income: percent("guidance/yellow_percent_of_income")?,
            natural_gas_factor: document.number(
                "natural_gas/km_per_m3_for_each_km_per_l_of_gasoline",
                0.5,
                3.0,
            )?,
            unknown_maintenance_class: document.whole("unknown_model/maintenance_class", 1, 5)? as u8,
            unknown_segments,
            unknown_gasoline: consumption("gasolina")?,
            unknown_ethanol: consumption("etanol")?,
            unknown_diesel: consumption("diesel")?,
            unknown_hybrid: consumption("hibrido")?,
            unknown_kwh_100km: document.number("unknown_model/consumption/eletrico_kwh_100km", 5.0, 60.0)?,
        };
        Ok((table, document.provenance))
    }

    /// The terms of credit for a buyer who states none, by step of [`CostTable::yearly_rate_percent`].
    pub(crate) fn usual_terms(&self) -> Vec<Terms> {
        self.yearly_rate_percent
            .values()
            .map(|percent| Terms::of_yearly_percent(percent, self))
            .collect()
    }

    /// What insurance costs in a state, compared with the country.
    pub(crate) fn insurance_factor(&self, state: &str) -> f64 {
        self.insurance_state_factor.get(state).copied().unwrap_or(1.0)
    }

    /// % a year by which a segment loses value.
    pub(crate) fn depreciation(&self, segment: &str) -> Option<f64> {
        self.depreciation_percent.get(segment).copied()
    }

    /// The segment that stands in for a model that is not in the table.
    pub(crate) fn unknown_segment(&self, category: Category, fuel: Fuel) -> &str {
        match (category, fuel) {
            (_, Fuel::Electric) => "electric",
            (_, Fuel::Hybrid | Fuel::PluginHybrid) => "hybrid",
            (Category::Pickup, Fuel::Diesel) => "diesel_pickup",
            _ => &self.unknown_segments[category as usize],
        }
    }

    /// Consumption that stands in for a model that is not in the table; electricity has its own figure.
    pub(crate) fn unknown_consumption(&self, fuel: Fuel) -> (Consumption, Option<Consumption>) {
        match fuel {
            Fuel::Flex => (self.unknown_gasoline, Some(self.unknown_ethanol)),
            Fuel::Ethanol => (self.unknown_ethanol, None),
            Fuel::Diesel => (self.unknown_diesel, None),
            Fuel::Hybrid | Fuel::PluginHybrid => (self.unknown_hybrid, None),
            Fuel::Gasoline | Fuel::NaturalGas | Fuel::Electric => (self.unknown_gasoline, None),
        }
    }

    /// The income in R$ a month that stands for a range.
    pub(crate) fn income(&self, range: IncomeRange) -> f64 {
        self.incomes[range as usize]
    }
}
