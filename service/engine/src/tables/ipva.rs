//! `ipva.csv`: vehicle tax, licensing fee and distance driven, state by state.

use std::collections::BTreeMap;

use super::{
    TableError,
    reader::{Provenance, Row, Sheet},
};

pub(super) const FILE: &str = "ipva.csv";

/// The states and the federal district.
pub const STATES: [&str; 27] = [
    "AC", "AL", "AM", "AP", "BA", "CE", "DF", "ES", "GO", "MA", "MG", "MS", "MT", "PA", "PB", "PE", "PI",
    "PR", "RJ", "RN", "RO", "RR", "RS", "SC", "SE", "SP", "TO",
];

/// What a tax rule looks at; `None` where a fact is not known, which then meets no rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taxed {
    pub(crate) power_cv: Option<u16>,
    /// `None` also without a combustion engine: a battery is no engine of up to 1,000 cc.
    pub(crate) displacement_cc: Option<u16>,
    pub(crate) value: f64,
    pub(crate) diesel: bool,
    pub(crate) natural_gas: bool,
    pub(crate) hybrid: bool,
    pub(crate) electric: bool,
    pub(crate) pickup: bool,
    pub(crate) single_cab: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Condition {
    PowerUpTo(u16),
    DisplacementUpTo(u16),
    ValueAbove(f64),
    Diesel,
    NaturalGas,
    Hybrid,
    Electric,
    Pickup,
    SingleCabPickup,
    Else,
}

impl Condition {
    fn parse(text: &str) -> Option<Self> {
        if let Some(limit) = text.strip_prefix("cv<=") {
            return limit.parse().ok().map(Self::PowerUpTo);
        }
        if let Some(limit) = text.strip_prefix("cc<=") {
            return limit.parse().ok().map(Self::DisplacementUpTo);
        }
        if let Some(limit) = text.strip_prefix("value>") {
            return limit.parse().ok().map(Self::ValueAbove);
        }
        match text {
            "diesel" => Some(Self::Diesel),
            "gnv" => Some(Self::NaturalGas),
            "hybrid" => Some(Self::Hybrid),
            "ev" => Some(Self::Electric),
            "pickup" => Some(Self::Pickup),
            "single_cab_pickup" => Some(Self::SingleCabPickup),
            "else" => Some(Self::Else),
            _ => None,
        }
    }

    fn holds(self, taxed: &Taxed) -> bool {
        match self {
            Self::PowerUpTo(limit) => taxed.power_cv.is_some_and(|power| power <= limit),
            Self::DisplacementUpTo(limit) => taxed.displacement_cc.is_some_and(|size| size <= limit),
            Self::ValueAbove(limit) => taxed.value > limit,
            Self::Diesel => taxed.diesel,
            Self::NaturalGas => taxed.natural_gas,
            Self::Hybrid => taxed.hybrid,
            Self::Electric => taxed.electric,
            Self::Pickup => taxed.pickup,
            Self::SingleCabPickup => taxed.pickup && taxed.single_cab,
            Self::Else => true,
        }
    }
}

/// What one state asks of a car.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StateRules {
    default_percent: f64,
    rules: Vec<(Condition, f64)>,
    /// From this age a car pays nothing.
    pub(crate) exempt_age: u32,
    /// R$ a year.
    pub(crate) licensing: f64,
    /// Distance driven in the first year.
    pub(crate) km_first_year: f64,
}

impl StateRules {
    fn read(row: &Row) -> Result<Self, TableError> {
        let mut rules = Vec::new();
        for rule in row
            .cell("rules_first_match_wins")?
            .split(';')
            .filter(|rule| !rule.is_empty())
        {
            let parsed = rule.split_once(':').and_then(|(condition, percent)| {
                let percent = percent
                    .parse::<f64>()
                    .ok()
                    .filter(|percent| (0.0..=10.0).contains(percent));
                Condition::parse(condition).zip(percent)
            });
            rules.push(parsed.ok_or_else(|| {
                row.error(
                    "rules_first_match_wins",
                    format!("{rule:?} is no rule of the form condition:percent"),
                )
            })?);
        }
        Ok(Self {
            default_percent: row.number("default_pct", 0.0, 10.0)?,
            rules,
            exempt_age: row.number("exempt_age_years", 1, 100)?,
            licensing: row.number("licensing_brl", 0.0, 2000.0)?,
            km_first_year: row.number("km_first_year", 1000.0, 60_000.0)?,
        })
    }

    /// The rate in % of the value: the first rule that holds, else the state's usual one.
    pub(crate) fn percent(&self, taxed: &Taxed) -> f64 {
        self.rules
            .iter()
            .find(|(condition, _)| condition.holds(taxed))
            .map_or(self.default_percent, |(_, percent)| *percent)
    }
}

pub(super) fn read(text: &str) -> Result<(BTreeMap<&'static str, StateRules>, Provenance), TableError> {
    let sheet = Sheet::read(FILE, text)?;
    let mut states = BTreeMap::new();
    for row in &sheet.rows {
        let name = row.text("uf")?;
        let state = STATES
            .into_iter()
            .find(|state| *state == name)
            .ok_or_else(|| row.error("uf", format!("{name:?} is no state")))?;
        if states.insert(state, StateRules::read(row)?).is_some() {
            return Err(row.error("uf", format!("{name} stands twice in the file")));
        }
    }
    match STATES.into_iter().find(|state| !states.contains_key(state)) {
        Some(state) => Err(TableError::new(FILE, None, state, "has no row")),
        None => Ok((states, sheet.provenance)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hatch() -> Taxed {
        Taxed {
            power_cv: Some(82),
            displacement_cc: Some(999),
            value: 60_000.0,
            diesel: false,
            natural_gas: false,
            hybrid: false,
            electric: false,
            pickup: false,
            single_cab: false,
        }
    }

    /// Prevents a state's special rate from being missed, or from reaching cars that it is not meant for.
    #[test]
    fn the_first_rule_that_holds_decides() {
        let (states, _) = read(include_str!("../../data/ipva.csv")).unwrap();
        let electric = Taxed {
            electric: true,
            displacement_cc: None,
            power_cv: Some(95),
            value: 110_000.0,
            ..hatch()
        };
        let pickup = Taxed {
            pickup: true,
            displacement_cc: Some(1332),
            power_cv: Some(107),
            ..hatch()
        };
        let cases = [
            ("SP", hatch(), 4.0),
            (
                "SP",
                Taxed {
                    single_cab: true,
                    ..pickup
                },
                2.0,
            ),
            ("SP", pickup, 4.0),
            ("MG", pickup, 3.0),
            ("GO", hatch(), 3.0),
            ("GO", pickup, 3.45),
            (
                "AL",
                Taxed {
                    power_cv: Some(81),
                    ..hatch()
                },
                2.75,
            ),
            (
                "AL",
                Taxed {
                    power_cv: Some(82),
                    ..hatch()
                },
                3.0,
            ),
            (
                "AL",
                Taxed {
                    power_cv: Some(161),
                    ..hatch()
                },
                3.25,
            ),
            ("AM", hatch(), 1.5),
            ("AM", electric, 1.5),
            ("MT", hatch(), 2.0),
            ("MT", electric, 3.0),
            ("RJ", electric, 0.5),
            (
                "RJ",
                Taxed {
                    natural_gas: true,
                    ..hatch()
                },
                1.5,
            ),
            (
                "BA",
                Taxed {
                    diesel: true,
                    ..hatch()
                },
                3.0,
            ),
            (
                "PI",
                Taxed {
                    value: 150_000.0,
                    ..hatch()
                },
                2.5,
            ),
            (
                "PI",
                Taxed {
                    value: 150_000.01,
                    ..hatch()
                },
                3.0,
            ),
            (
                "CE",
                Taxed {
                    power_cv: None,
                    ..hatch()
                },
                3.5,
            ),
            ("PR", hatch(), 1.9),
        ];
        for (state, taxed, percent) in cases {
            assert_eq!(states[state].percent(&taxed), percent, "{state} {taxed:?}");
        }
    }
}
