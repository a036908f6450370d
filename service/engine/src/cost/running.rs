//! What a car costs beside its instalment: energy, maintenance, insurance, taxes, and the value that it loses.

use std::borrow::Cow;

use crate::{
    catalogue::CatalogueCar,
    figures::{push_count, push_money, push_shortest, push_thousands, push_unit_price},
    stock::{Category, Centavos, Fuel},
    tables::{CostTable, StateRules, Tables, Taxed},
    texts::{self, StateTexts},
    utilities::maintenance_per_km,
};

use super::{Accounts, centavos, reais};

/// Sentences that say what a cost rests on.
type Assumptions<'catalogue> = Vec<Cow<'catalogue, str>>;

/// Monthly parts, rounded.
pub(super) struct Running {
    pub(super) fuel: Centavos,
    pub(super) maintenance: Centavos,
    pub(super) insurance: Centavos,
    pub(super) ipva: Centavos,
    pub(super) licensing: Centavos,
    pub(super) depreciation: Centavos,
}

impl Running {
    /// Appends a sentence on what each part rests on.
    pub(super) fn of<'catalogue>(
        accounts: &Accounts<'catalogue, '_>,
        car: &'catalogue CatalogueCar,
        dealer_state: &str,
        assumptions: &mut Assumptions<'catalogue>,
    ) -> Self {
        let tables = accounts.tables;
        let state = match accounts.state {
            Some(state) => state,
            None => State::of(dealer_state, false, tables),
        };
        let (km, fuel) = fuel(accounts, car, &state, assumptions);
        let maintenance = maintenance(accounts, car, km, assumptions);
        let insurance = insurance(accounts, car, &state, assumptions);
        let (ipva, licensing) = taxes(car, &state, &tables.cost, assumptions);
        let depreciation = depreciation(accounts, car, assumptions);
        Self {
            fuel,
            maintenance,
            insurance,
            ipva,
            licensing,
            depreciation,
        }
    }
}

/// Whose rules hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct State<'a, 'catalogue> {
    name: &'a str,
    of_buyer: bool,
    rules: Option<&'catalogue StateRules>,
    texts: Option<&'catalogue StateTexts>,
}

impl<'a, 'catalogue> State<'a, 'catalogue> {
    pub(super) fn of(name: &'a str, of_buyer: bool, tables: &'catalogue Tables) -> Self {
        Self {
            name,
            of_buyer,
            rules: tables.state(name),
            texts: tables.texts.state(name),
        }
    }

    pub(super) fn exists(&self) -> bool {
        self.rules.is_some()
    }

    /// Its place among all states that exist.
    pub(super) fn place(&self) -> Option<usize> {
        self.texts.map(|texts| texts.place)
    }
}

/// Distance a month with the cost of its energy, in one sentence.
fn fuel(
    accounts: &Accounts<'_, '_>,
    car: &CatalogueCar,
    state: &State<'_, '_>,
    assumptions: &mut Assumptions<'_>,
) -> (f64, Centavos) {
    let texts = &accounts.tables.texts;
    let mut sentence = String::with_capacity(256);
    let km = distance(accounts, car, state, &mut sentence);
    let fuel = car.car.fuel;
    let known = car
        .model
        .as_ref()
        .and_then(|model| texts.driving(model, fuel, accounts.mix));
    let cost = known
        .or_else(|| texts.stand_in(fuel, accounts.mix))
        .map(|driving| {
            sentence.push_str(texts.energy(driving.energy, accounts.mix));
            if fuel == Fuel::Flex {
                sentence.push_str(", a opção mais barata por km");
            }
            if fuel == Fuel::PluginHybrid {
                sentence.push_str(", como se a bateria nunca fosse carregada na tomada");
            }
            if known.is_none() {
                sentence.push_str("; consumo estimado, porque não temos o dado deste carro");
            }
            centavos(km * driving.per_km)
        });
    sentence.push('.');
    assumptions.push(Cow::Owned(sentence));
    (km, cost.unwrap_or(Centavos(0)))
}

/// Distance a month, and where the figure comes from.
fn distance(
    accounts: &Accounts<'_, '_>,
    car: &CatalogueCar,
    state: &State<'_, '_>,
    sentence: &mut String,
) -> f64 {
    sentence.push_str("Uso de ");
    if let Some(km) = accounts.questionnaire.payment.km_per_month {
        push_thousands(sentence, u64::from(km));
        sentence.push_str(" km por mês, como você informou");
        return f64::from(km);
    }
    let cost = &accounts.tables.cost;
    let first_year = state
        .rules
        .map_or(cost.least_km_a_year, |rules| rules.km_first_year);
    let year = (first_year - cost.fewer_km_per_year_of_age * f64::from(car.age)).max(cost.least_km_a_year);
    let month = year / 12.0;
    push_thousands(sentence, (month + 0.5) as u64);
    sentence.push_str(" km por mês, média estimada em ");
    sentence.push_str(state.name);
    sentence.push_str(" para a idade do carro");
    month
}

fn maintenance<'catalogue>(
    accounts: &Accounts<'catalogue, '_>,
    car: &CatalogueCar,
    km: f64,
    assumptions: &mut Assumptions<'catalogue>,
) -> Centavos {
    let cost = &accounts.tables.cost;
    let known = car.model.as_ref().and_then(|model| model.maintenance_class);
    let class = known.unwrap_or(cost.unknown_maintenance_class);
    let per_km = maintenance_per_km(class, car.car.odometer_km, car.age, cost);
    let least = cost.maintenance_least_a_month;
    if km * per_km < least {
        assumptions.push(Cow::Borrowed(&accounts.tables.texts.least_maintenance));
        return centavos(least);
    }
    let ready = accounts
        .tables
        .texts
        .maintenance(per_km)
        .filter(|_| known.is_some());
    assumptions.push(ready.map_or_else(
        || {
            let mut sentence = String::with_capacity(112);
            sentence.push_str("Manutenção estimada em ");
            push_unit_price(&mut sentence, per_km);
            sentence.push_str(" por km");
            if known.is_none() {
                sentence.push_str(", média geral porque não temos o dado deste carro");
            }
            sentence.push('.');
            Cow::Owned(sentence)
        },
        |ready| Cow::Borrowed(&*ready.assumption),
    ));
    centavos(km * per_km)
}

fn insurance<'catalogue>(
    accounts: &Accounts<'catalogue, '_>,
    car: &CatalogueCar,
    state: &State<'_, 'catalogue>,
    assumptions: &mut Assumptions<'catalogue>,
) -> Centavos {
    let of_model = car.model.as_ref().and_then(|model| model.insurance_percent);
    let in_country = of_model.unwrap_or_else(|| accounts.tables.cost.insurance_percent.at(car.age));
    let percent = in_country * state.texts.map_or(1.0, |texts| texts.insurance_factor);
    let ready = state
        .texts
        .and_then(|texts| accounts.tables.texts.insurance(in_country, texts));
    assumptions.push(ready.map_or_else(
        || {
            let mut sentence = String::with_capacity(160);
            texts::push_insurance(&mut sentence, percent, state.name);
            Cow::Owned(sentence)
        },
        Cow::Borrowed,
    ));
    centavos(reais(car.car.price) * percent / 100.0 / 12.0)
}

/// IPVA and licensing a month. The tax is on the FIPE price where it is given, else on the asking price.
fn taxes<'catalogue>(
    car: &CatalogueCar,
    state: &State<'_, '_>,
    cost: &CostTable,
    assumptions: &mut Assumptions<'catalogue>,
) -> (Centavos, Centavos) {
    let (Some(rules), Some(texts)) = (state.rules, state.texts) else {
        assumptions.push(Cow::Borrowed("IPVA e licenciamento não calculados."));
        return (Centavos(0), Centavos(0));
    };
    let whose = if state.of_buyer { "" } else { ", estado da loja" };
    let value = car.car.fipe_price.unwrap_or(car.car.price);
    let mut sentence = String::with_capacity(192);
    let ipva = if car.age >= rules.exempt_age.min(cost.national_exemption_age) {
        for part in ["IPVA isento em ", state.name, whose, ": o carro tem "] {
            sentence.push_str(part);
        }
        push_count(&mut sentence, u64::from(car.age), "ano", "anos");
        0.0
    } else {
        let percent = rules.percent(&taxed(car, value));
        let base = if car.car.fipe_price.is_some() {
            ", sobre o preço FIPE de "
        } else {
            ", sobre o preço pedido de "
        };
        sentence.push_str("IPVA de ");
        push_shortest(&mut sentence, percent, 2);
        for part in ["% ao ano em ", state.name, whose, base] {
            sentence.push_str(part);
        }
        push_money(&mut sentence, value);
        reais(value) * percent / 100.0
    };
    sentence.push_str(&texts.licensing);
    assumptions.push(Cow::Owned(sentence));
    (centavos(ipva / 12.0), centavos(rules.licensing / 12.0))
}

fn depreciation<'catalogue>(
    accounts: &Accounts<'catalogue, '_>,
    car: &CatalogueCar,
    assumptions: &mut Assumptions<'catalogue>,
) -> Centavos {
    let (cost, texts) = (&accounts.tables.cost, &accounts.tables.texts);
    let of_model = car
        .model
        .as_ref()
        .and_then(|model| texts.model(model)?.depreciation.as_ref());
    let (percent, sentence) = match of_model {
        Some((percent, sentence)) => (*percent, Cow::Borrowed(&**sentence)),
        None => {
            let segment = cost.unknown_segment(car.car.category, car.car.fuel);
            let percent = cost.depreciation(segment).unwrap_or_default();
            (percent, Cow::Owned(texts::depreciation(percent)))
        }
    };
    assumptions.push(sentence);
    centavos(reais(car.car.price) * percent / 100.0 / 12.0)
}

fn taxed(car: &CatalogueCar, value: Centavos) -> Taxed {
    let model = car.model.as_ref();
    let fuel = car.car.fuel;
    Taxed {
        power_cv: model.map(|model| model.power_cv),
        displacement_cc: model.map(|model| model.displacement_cc).filter(|size| *size > 0),
        value: reais(value),
        diesel: fuel == Fuel::Diesel,
        natural_gas: fuel == Fuel::NaturalGas,
        hybrid: matches!(fuel, Fuel::Hybrid | Fuel::PluginHybrid),
        electric: fuel == Fuel::Electric,
        pickup: car.car.category == Category::Pickup,
        single_cab: model.is_some_and(|model| model.single_cab),
    }
}
