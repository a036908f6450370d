//! What a car burns: which energies it takes, how much of each per km, and which of them is cheapest.

use crate::{
    stock::Fuel,
    tables::{Consumption, CostTable, Energy, ModelFacts, Tables},
};

/// One energy that a car runs on and how far it goes on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct EnergyUse {
    pub(crate) energy: Energy,
    /// Units per km in town and on the road.
    city: f64,
    highway: f64,
}

impl EnergyUse {
    fn from_distance(energy: Energy, consumption: Consumption) -> Self {
        Self {
            energy,
            city: 1.0 / consumption.city,
            highway: 1.0 / consumption.highway,
        }
    }

    fn from_kwh(kwh_100km: f64) -> Self {
        Self {
            energy: Energy::Electricity,
            city: kwh_100km / 100.0,
            highway: kwh_100km / 100.0,
        }
    }

    /// Units per km for a share of city driving.
    pub(crate) fn per_km(&self, city_share: f64) -> f64 {
        city_share * self.city + (1.0 - city_share) * self.highway
    }

    /// Distance per unit (for electricity kWh per 100 km) in town and on the road, as Brazilians state it.
    pub(crate) fn as_stated(&self) -> (f64, f64) {
        match self.energy {
            Energy::Electricity => (self.city * 100.0, self.highway * 100.0),
            _ => (1.0 / self.city, 1.0 / self.highway),
        }
    }
}

/// The cheapest energy that a car of known model takes, with its R$ per km; of equals the first.
pub(crate) fn cheapest_known(
    fuel: Fuel,
    model: &ModelFacts,
    city_share: f64,
    tables: &Tables,
) -> Option<(EnergyUse, f64)> {
    let on = |energy, consumption: Option<Consumption>| {
        consumption.map(|consumption| EnergyUse::from_distance(energy, consumption))
    };
    let gasoline = on(Energy::Gasoline, model.gasoline);
    let ethanol = on(Energy::Ethanol, model.ethanol);
    let options = match fuel {
        // A hybrid that charges is counted as if it never did: only that consumption is published.
        Fuel::Flex | Fuel::Hybrid | Fuel::PluginHybrid => [gasoline, ethanol],
        Fuel::Gasoline => [gasoline, None],
        Fuel::Ethanol => [ethanol, None],
        Fuel::Diesel => [on(Energy::Diesel, model.diesel), None],
        Fuel::NaturalGas => [natural_gas(model.gasoline, &tables.cost), None],
        Fuel::Electric => [model.kwh_100km.map(EnergyUse::from_kwh), None],
    };
    cheapest(options, city_share, tables)
}

/// The same for a car whose model has no consumption in the table, by the stand-in figures for its fuel.
pub(crate) fn cheapest_estimated(fuel: Fuel, city_share: f64, tables: &Tables) -> Option<(EnergyUse, f64)> {
    let (first, second) = tables.cost.unknown_consumption(fuel);
    let on = |energy| Some(EnergyUse::from_distance(energy, first));
    let options = match fuel {
        Fuel::Flex => [
            on(Energy::Gasoline),
            second.map(|ethanol| EnergyUse::from_distance(Energy::Ethanol, ethanol)),
        ],
        Fuel::Gasoline | Fuel::Hybrid | Fuel::PluginHybrid => [on(Energy::Gasoline), None],
        Fuel::Ethanol => [on(Energy::Ethanol), None],
        Fuel::Diesel => [on(Energy::Diesel), None],
        Fuel::NaturalGas => [natural_gas(Some(first), &tables.cost), None],
        Fuel::Electric => [Some(EnergyUse::from_kwh(tables.cost.unknown_kwh_100km)), None],
    };
    cheapest(options, city_share, tables)
}

fn natural_gas(gasoline: Option<Consumption>, cost: &CostTable) -> Option<EnergyUse> {
    let factor = cost.natural_gas_factor;
    gasoline.map(|gasoline| {
        let consumption = Consumption {
            city: gasoline.city * factor,
            highway: gasoline.highway * factor,
        };
        EnergyUse::from_distance(Energy::NaturalGas, consumption)
    })
}

fn cheapest(options: [Option<EnergyUse>; 2], city_share: f64, tables: &Tables) -> Option<(EnergyUse, f64)> {
    options
        .into_iter()
        .flatten()
        .map(|option| {
            (
                option,
                option.per_km(city_share) * tables.energy_price(option.energy).price,
            )
        })
        .reduce(|best, next| if next.1 < best.1 { next } else { best })
}
