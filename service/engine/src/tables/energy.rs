//! `energy.csv`: what a unit of each energy costs.

use jiff::civil::Date;

use super::{
    TableError,
    reader::{Provenance, Sheet},
};

pub(super) const FILE: &str = "energy.csv";

/// What a car is filled or charged with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Energy {
    /// Gasoline, per litre.
    Gasoline,
    /// Ethanol, per litre.
    Ethanol,
    /// Diesel, per litre.
    Diesel,
    /// Compressed natural gas, per cubic metre.
    NaturalGas,
    /// Electricity, per kWh.
    Electricity,
}

impl Energy {
    /// Every energy, in the order of declaration.
    pub const ALL: [Self; 5] = [
        Self::Gasoline,
        Self::Ethanol,
        Self::Diesel,
        Self::NaturalGas,
        Self::Electricity,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gasoline => "gasolina",
            Self::Ethanol => "etanol",
            Self::Diesel => "diesel",
            Self::NaturalGas => "gnv",
            Self::Electricity => "eletricidade",
        }
    }

    /// As written in a sentence.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::NaturalGas => "GNV",
            other => other.word(),
        }
    }

    /// The unit that is paid for.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::NaturalGas => "m³",
            Self::Electricity => "kWh",
            Self::Gasoline | Self::Ethanol | Self::Diesel => "l",
        }
    }
}

/// The price of one energy.
#[derive(Clone, Debug, PartialEq)]
pub struct EnergyPrice {
    /// Which.
    pub energy: Energy,
    /// R$ per unit.
    pub price: f64,
    /// The day of the price.
    pub valid_from: Date,
    /// Where it comes from.
    pub source: String,
    /// `high`, `medium` or `low`.
    pub confidence: String,
}

pub(super) fn read(text: &str) -> Result<([EnergyPrice; 5], Provenance), TableError> {
    let sheet = Sheet::read(FILE, text)?;
    let mut prices: [Option<EnergyPrice>; 5] = [const { None }; 5];
    for row in &sheet.rows {
        let word = row.text("energy")?;
        let energy = Energy::ALL
            .into_iter()
            .find(|energy| energy.word() == word)
            .ok_or_else(|| row.error("energy", format!("{word:?} is unknown")))?;
        let unit = row.text("unit")?;
        if unit != energy.unit() && !(energy == Energy::NaturalGas && unit == "m3") {
            return Err(row.error(
                "unit",
                format!("{word} is sold by {}, not by {unit}", energy.unit()),
            ));
        }
        let day = row.text("valid_from")?;
        let price = EnergyPrice {
            energy,
            price: row.number("price_brl", 0.05, 100.0)?,
            valid_from: day
                .parse()
                .map_err(|_| row.error("valid_from", format!("{day:?} is no date")))?,
            source: row.text("source")?.to_owned(),
            confidence: row.text("confidence")?.to_owned(),
        };
        if prices[energy as usize].replace(price).is_some() {
            return Err(row.error("energy", format!("{word} stands twice in the file")));
        }
    }
    let mut complete = Vec::with_capacity(prices.len());
    for (price, energy) in prices.into_iter().zip(Energy::ALL) {
        complete.push(price.ok_or_else(|| TableError::new(FILE, None, energy.word(), "has no row"))?);
    }
    let complete = complete
        .try_into()
        .map_err(|_| TableError::new(FILE, None, "energy", "must have one row for each energy"))?;
    Ok((complete, sheet.provenance))
}
