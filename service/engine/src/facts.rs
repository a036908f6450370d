//! The raw fact behind each criterion, with its unit, in Portuguese.

use crate::{
    catalogue::CatalogueCar,
    energy_use::cheapest_known,
    figures::{count, decimal, list, money, shortest, thousands, unit_price},
    questionnaire::{Quality, Questionnaire},
    ranking::{Scoring, Wish},
    recommendation::Criterion,
    stock::Centavos,
    tables::{Energy, ModelFacts, Tables},
    utilities::{
        Safety, comfort_items, depreciation_percent, maintenance_per_km, power_to_mass, reliability,
    },
};

/// Said of a quality of which nothing is known.
pub(crate) const UNKNOWN: &str = "não informado";

/// Everything that a fact may draw on.
#[derive(Clone, Copy)]
pub(crate) struct FactSource<'a> {
    pub(crate) questionnaire: &'a Questionnaire,
    pub(crate) scoring: &'a Scoring<'a>,
    pub(crate) tables: &'a Tables,
}

impl FactSource<'_> {
    /// The fact that decided the worth of a criterion.
    pub(crate) fn fact(&self, criterion: Criterion, car: &CatalogueCar) -> String {
        match criterion {
            Criterion::Quality(quality) if !car.is_known(quality) => UNKNOWN.to_owned(),
            Criterion::Quality(quality) => self.quality(quality, car).unwrap_or_else(|| UNKNOWN.to_owned()),
            Criterion::Wear => format!("{} km", thousands(u64::from(car.car.odometer_km))),
            Criterion::Distance => self.scoring.proximity.fact(car.place),
            Criterion::Preferences => self.wishes(car),
            Criterion::Price => self.price(car.car.price),
        }
    }

    fn quality(&self, quality: Quality, car: &CatalogueCar) -> Option<String> {
        let (criteria, cost) = (&self.tables.criteria, &self.tables.cost);
        let model = car.model.as_deref();
        match quality {
            Quality::Economy => self.economy(car, model?),
            Quality::Space => model.map(space),
            Quality::Performance => {
                let model = model?;
                let mass = thousands(u64::from(model.mass_kg?));
                Some(format!(
                    "{} cv para {mass} kg ({} cv/t)",
                    model.power_cv,
                    decimal(power_to_mass(model)?, 0)
                ))
            }
            Quality::Comfort => {
                let items = u64::from(comfort_items(model, car.equipment)?);
                Some(count(items, "item de conforto", "itens de conforto"))
            }
            Quality::Safety => Some(safety(&Safety::of(model, car.equipment.unwrap_or_default()))),
            Quality::Resale => {
                let percent = shortest(depreciation_percent(model?, cost)?, 1);
                Some(format!("perde cerca de {percent}% do valor por ano"))
            }
            Quality::Reliability => {
                let class = reliability(model?, car.car.odometer_km, car.age, criteria)?;
                let km = thousands(u64::from(car.car.odometer_km));
                let age = match car.age {
                    0 => "menos de 1 ano".to_owned(),
                    years => count(u64::from(years), "ano", "anos"),
                };
                Some(format!(
                    "nota {} de 5, já descontados {km} km e {age} de uso",
                    decimal(class, 1)
                ))
            }
            Quality::Maintenance => {
                let per_km =
                    maintenance_per_km(model?.maintenance_class?, car.car.odometer_km, car.age, cost);
                Some(format!("cerca de {} por km", unit_price(per_km)))
            }
        }
    }

    fn economy(&self, car: &CatalogueCar, model: &ModelFacts) -> Option<String> {
        let city_share = self.tables.criteria.city_share(self.questionnaire.usage);
        let (used, per_km) = cheapest_known(car.car.fuel, model, city_share, self.tables)?;
        let (city, highway) = used.as_stated();
        let stated = match used.energy {
            Energy::Electricity => format!("{} kWh a cada 100 km", decimal(city, 1)),
            energy => format!(
                "{} km/{unit} na cidade e {} km/{unit} na estrada",
                decimal(city, 1),
                decimal(highway, 1),
                unit = energy.unit()
            ),
        };
        Some(format!(
            "{} por km com {} ({stated})",
            unit_price(per_km),
            used.energy.label()
        ))
    }

    fn wishes(&self, car: &CatalogueCar) -> String {
        let judged: Vec<(Wish, bool)> = self.scoring.wishes.judge(car).collect();
        let named = |wanted: bool| -> Vec<String> {
            judged
                .iter()
                .filter(|(_, met)| *met == wanted)
                .map(|(wish, _)| match wish {
                    Wish::Category => ("categoria", car.car.category.label()),
                    Wish::Brand => ("marca", car.car.brand.as_str()),
                    Wish::Fuel => ("combustível", car.car.fuel.label()),
                    Wish::Gearbox => ("câmbio", car.car.gearbox.label()),
                })
                .map(|(kind, value)| {
                    if wanted {
                        format!("{kind} {value}")
                    } else {
                        format!("{kind} (é {value})")
                    }
                })
                .collect()
        };
        let (met, unmet) = (named(true), named(false));
        match (met.is_empty(), unmet.is_empty()) {
            (_, true) => format!("atende {}", list(&met)),
            (true, false) => format!("não atende {}", list(&unmet)),
            (false, false) => format!("atende {}; não atende {}", list(&met), list(&unmet)),
        }
    }

    fn price(&self, price: Centavos) -> String {
        let Questionnaire {
            budget_minimum,
            budget_maximum,
            ..
        } = self.questionnaire;
        if price > *budget_maximum {
            let above = Centavos(price.0 - budget_maximum.0);
            return format!("{}, {} acima do seu limite", money(price), money(above));
        }
        let below = Centavos(budget_maximum.0.saturating_sub(price.0));
        if price < *budget_minimum {
            format!("{}, abaixo do seu orçamento", money(price))
        } else if below.0 == 0 {
            format!("{}, no limite do seu orçamento", money(price))
        } else {
            format!("{}, {} abaixo do seu limite", money(price), money(below))
        }
    }
}

fn space(model: &ModelFacts) -> String {
    let litres = thousands(u64::from(model.boot_l));
    let seats = count(u64::from(model.seats), "lugar", "lugares");
    if model.is_pickup() {
        format!("caçamba de {litres} l e {seats}")
    } else if model.seats <= 3 {
        format!("área de carga de {litres} l e {seats}")
    } else {
        format!("porta-malas de {litres} l e {seats}")
    }
}

fn safety(safety: &Safety) -> String {
    let Safety {
        stars,
        airbags,
        stability_control,
        isofix,
    } = safety;
    let stars = match stars {
        Some((0, year)) => format!("nenhuma estrela no Latin NCAP (teste de {year})"),
        Some((stars, year)) => {
            let stars = count(u64::from(*stars), "estrela", "estrelas");
            format!("{stars} no Latin NCAP (teste de {year})")
        }
        None => "sem nota do Latin NCAP".to_owned(),
    };
    let airbags = airbags.map(|number| match number {
        0 => "nenhum airbag".to_owned(),
        number => count(u64::from(number), "airbag", "airbags"),
    });
    let part = |has: &Option<bool>, name: &str| match has {
        Some(true) => name.to_owned(),
        Some(false) => format!("sem {name}"),
        None => format!("{name} não informado"),
    };
    let parts = [
        Some(stars),
        airbags,
        Some(part(stability_control, "controle de estabilidade")),
        Some(part(isofix, "ISOFIX")),
    ];
    list(&parts.into_iter().flatten().collect::<Vec<_>>())
}
