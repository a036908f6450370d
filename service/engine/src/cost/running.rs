//! What a car costs beside its instalment: energy, maintenance, insurance, taxes, and the value that it loses.

use crate::{
    catalogue::CatalogueCar,
    energy_use::{cheapest_estimated, cheapest_known},
    figures::{count, date, money, shortest, thousands, unit_price},
    questionnaire::Questionnaire,
    stock::{Category, Centavos, Fuel},
    tables::{CostTable, StateRules, Tables, Taxed},
    utilities::{depreciation_percent, maintenance_per_km},
};

use super::{centavos, reais};

/// Monthly parts, rounded, with a sentence on what each rests on.
pub(super) struct Running {
    pub(super) fuel: Centavos,
    pub(super) maintenance: Centavos,
    pub(super) insurance: Centavos,
    pub(super) ipva: Centavos,
    pub(super) licensing: Centavos,
    pub(super) depreciation: Centavos,
    pub(super) assumptions: Vec<String>,
}

impl Running {
    pub(super) fn of(
        car: &CatalogueCar,
        dealer_state: &str,
        questionnaire: &Questionnaire,
        tables: &Tables,
    ) -> Self {
        let buyer_state = questionnaire
            .state
            .as_deref()
            .filter(|state| tables.state(state).is_some());
        let state = buyer_state.unwrap_or(dealer_state);
        let cost = &tables.cost;
        let price = reais(car.car.price);

        let (km, mut km_sentence) = distance(car, state, questionnaire, tables);
        let city_share = tables.criteria.city_share(questionnaire.usage);
        let (fuel, fuel_sentence) = fuel(car, km, city_share, tables);
        km_sentence.push_str(&fuel_sentence);

        let (maintenance, maintenance_sentence) = maintenance(car, km, cost);
        let insurance_percent = car
            .model
            .as_ref()
            .and_then(|model| model.insurance_percent)
            .unwrap_or_else(|| cost.insurance_percent.at(car.age))
            * cost.insurance_factor(state);
        let (ipva, licensing, tax_sentence) = taxes(car, state, buyer_state.is_some(), tables);
        let lost_percent = car
            .model
            .as_ref()
            .and_then(|model| depreciation_percent(model, cost))
            .or_else(|| cost.depreciation(cost.unknown_segment(car.car.category, car.car.fuel)))
            .unwrap_or_default();

        Self {
            fuel,
            maintenance,
            insurance: centavos(price * insurance_percent / 100.0 / 12.0),
            ipva,
            licensing,
            depreciation: centavos(price * lost_percent / 100.0 / 12.0),
            assumptions: vec![
                km_sentence,
                maintenance_sentence,
                format!(
                    "Seguro estimado em {}% do valor do carro por ano em {state}; peça uma cotação, pois o perfil do \
                     motorista muda o preço.",
                    shortest(insurance_percent, 2)
                ),
                tax_sentence,
                format!(
                    "Desvalorização estimada em {}% ao ano.",
                    shortest(lost_percent, 1)
                ),
            ],
        }
    }
}

/// Distance a month, and where the figure comes from.
fn distance(
    car: &CatalogueCar,
    state: &str,
    questionnaire: &Questionnaire,
    tables: &Tables,
) -> (f64, String) {
    if let Some(km) = questionnaire.payment.km_per_month {
        return (
            f64::from(km),
            format!(
                "Uso de {} km por mês, como você informou",
                thousands(u64::from(km))
            ),
        );
    }
    let cost = &tables.cost;
    let first_year = tables
        .state(state)
        .map_or(cost.least_km_a_year, |rules| rules.km_first_year);
    let year = (first_year - cost.fewer_km_per_year_of_age * f64::from(car.age)).max(cost.least_km_a_year);
    let month = year / 12.0;
    let shown = thousands(month.round() as u64);
    (
        month,
        format!("Uso de {shown} km por mês, média estimada em {state} para a idade do carro"),
    )
}

fn fuel(car: &CatalogueCar, km: f64, city_share: f64, tables: &Tables) -> (Centavos, String) {
    let fuel = car.car.fuel;
    let known = car
        .model
        .as_ref()
        .and_then(|model| cheapest_known(fuel, model, city_share, tables));
    let Some((used, per_km)) = known.or_else(|| cheapest_estimated(fuel, city_share, tables)) else {
        return (Centavos(0), ".".to_owned());
    };
    let price = tables.energy_price(used.energy);
    let mut sentence = format!(
        ", {}% na cidade; {} a {} por {} (preço médio nacional de {})",
        shortest(city_share * 100.0, 0),
        used.energy.label(),
        unit_price(price.price),
        used.energy.unit(),
        date(price.valid_from),
    );
    if fuel == Fuel::Flex {
        sentence.push_str(", a opção mais barata por km");
    }
    if fuel == Fuel::PluginHybrid {
        sentence.push_str(", como se a bateria nunca fosse carregada na tomada");
    }
    if known.is_none() {
        sentence.push_str("; consumo estimado, porque não temos o dado deste carro");
    }
    sentence.push('.');
    (centavos(km * per_km), sentence)
}

fn maintenance(car: &CatalogueCar, km: f64, cost: &CostTable) -> (Centavos, String) {
    let known = car.model.as_ref().and_then(|model| model.maintenance_class);
    let class = known.unwrap_or(cost.unknown_maintenance_class);
    let per_km = maintenance_per_km(class, car.car.odometer_km, car.age, cost);
    let estimated = if known.is_none() {
        ", média geral porque não temos o dado deste carro"
    } else {
        ""
    };
    let least = cost.maintenance_least_a_month;
    let sentence = if km * per_km < least {
        format!("Manutenção: mínimo de {} por mês.", money(centavos(least)))
    } else {
        format!("Manutenção estimada em {} por km{estimated}.", unit_price(per_km))
    };
    (centavos((km * per_km).max(least)), sentence)
}

/// IPVA and licensing a month. The tax is on the FIPE price where it is given, else on the asking price.
fn taxes(car: &CatalogueCar, state: &str, of_buyer: bool, tables: &Tables) -> (Centavos, Centavos, String) {
    let Some(rules) = tables.state(state) else {
        return (
            Centavos(0),
            Centavos(0),
            "IPVA e licenciamento não calculados.".to_owned(),
        );
    };
    let whose = if of_buyer { "" } else { ", estado da loja" };
    let value = car.car.fipe_price.unwrap_or(car.car.price);
    let exempt_age = rules.exempt_age.min(tables.cost.national_exemption_age);
    let (ipva, ipva_text) = if car.age >= exempt_age {
        let years = count(u64::from(car.age), "ano", "anos");
        (0.0, format!("IPVA isento em {state}{whose}: o carro tem {years}"))
    } else {
        let percent = rules.percent(&taxed(car, value));
        let base = if car.car.fipe_price.is_some() {
            "preço FIPE"
        } else {
            "preço pedido"
        };
        let text = format!(
            "IPVA de {}% ao ano em {state}{whose}, sobre o {base} de {}",
            shortest(percent, 2),
            money(value)
        );
        (reais(value) * percent / 100.0, text)
    };
    let StateRules { licensing, .. } = rules;
    let since = tables
        .valid_from("ipva.csv")
        .map(|day| format!(" (tabela de {})", date(day)))
        .unwrap_or_default();
    let sentence = format!(
        "{ipva_text}; licenciamento de {} por ano{since}.",
        money(centavos(*licensing))
    );
    (centavos(ipva / 12.0), centavos(licensing / 12.0), sentence)
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
