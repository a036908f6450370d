//! What an answer says that depends on the data files alone: rendered once, when they are read, and borrowed by every
//! answer. The figures behind these sentences (the cheapest energy and its R$/km) are worked out once with them.

use crate::{
    energy_use::{EnergyUse, cheapest_estimated, cheapest_known},
    equipment,
    figures::{
        count, date, decimal, in_last_decimals, money, push_shortest, shortest, thousands, unit_price,
    },
    questionnaire::IncomeRange,
    stock::{Centavos, Fuel},
    tables::{ECONOMY_COLUMNS, Energy, ModelFacts, STATES, Tables},
    utilities::{NAMED_SAFETY_VARIANTS, Safety, depreciation_percent, power_to_mass},
};

/// What one km of a car's energy costs for one mix of town and road.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Driving {
    pub(crate) energy: Energy,
    /// R$ per km.
    pub(crate) per_km: f64,
    /// The fact behind `economia`; empty where the consumption is a stand-in.
    pub(crate) fact: Box<str>,
}

/// By fuel of the car, which may differ from its model's (GNV), and by mix of town and road.
type DrivingByFuel = [[Option<Driving>; ECONOMY_COLUMNS]; Fuel::ALL.len()];

/// Everything that is said of a model whatever the car.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ModelTexts {
    driving: DrivingByFuel,
    pub(crate) space: Box<str>,
    pub(crate) performance: Option<Box<str>>,
    pub(crate) resale: Option<Box<str>>,
    /// % a year, with the sentence that assumes it.
    pub(crate) depreciation: Option<(f64, Box<str>)>,
    /// By what the seller names beyond the model's base version: [`Safety::named_variant`].
    safety: [Box<str>; NAMED_SAFETY_VARIANTS],
}

/// What is the same for all cars of one state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StateTexts {
    /// Place in [`STATES`].
    pub(crate) place: usize,
    pub(crate) insurance_factor: f64,
    /// `; licenciamento de R$ 174,08 por ano (tabela de 01/01/2026).`
    pub(crate) licensing: Box<str>,
}

/// What is said of one figure of R$ per km of maintenance.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MaintenanceTexts {
    pub(crate) fact: Box<str>,
    pub(crate) assumption: Box<str>,
}

/// Up to how many centavos per km the sentences on maintenance stand ready; few cars cost more.
const READY_MAINTENANCE: usize = 200;

/// All rendered texts; built from tables that have none yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Texts {
    models: Vec<ModelTexts>,
    stand_ins: Vec<[Option<Driving>; ECONOMY_COLUMNS]>,
    safety_of_strangers: Vec<Box<str>>,
    comfort: Vec<Box<str>>,
    /// By energy, then mix: `, 60% na cidade; gasolina a R$ 6,30 por l (preço médio nacional de 01/03/2026)`.
    energies: Vec<[Box<str>; ECONOMY_COLUMNS]>,
    states: Vec<Option<StateTexts>>,
    pub(crate) least_maintenance: Box<str>,
    /// By centavos per km.
    maintenance: Vec<MaintenanceTexts>,
    /// For each percentage that a model or an age has: the sentence of each of [`STATES`].
    insurance: Vec<(f64, Vec<Box<str>>)>,
    incomes: Vec<Box<str>>,
}

impl Texts {
    pub(crate) fn of(tables: &Tables) -> Self {
        let cost = &tables.cost;
        let shares = tables.criteria.economy_columns;
        let stand_in = |fuel, share| {
            cheapest_estimated(fuel, share, tables).map(|(used, per_km)| Driving {
                energy: used.energy,
                per_km,
                fact: Box::default(),
            })
        };
        let tables_of = tables
            .valid_from("ipva.csv")
            .map(|day| format!(" (tabela de {})", date(day)))
            .unwrap_or_default();
        let state = |state: &str| {
            let rules = tables.state(state)?;
            let fee = money(Centavos((rules.licensing * 100.0).round_ties_even() as u64));
            Some(StateTexts {
                place: STATES.binary_search(&state).unwrap_or_default(),
                insurance_factor: cost.insurance_factor(state),
                licensing: format!("; licenciamento de {fee} por ano{tables_of}.").into(),
            })
        };
        let energy = |energy: Energy, share: f64| {
            let price = tables.energy_price(energy);
            let text = format!(
                ", {}% na cidade; {} a {} por {} (preço médio nacional de {})",
                shortest(share * 100.0, 0),
                energy.label(),
                unit_price(price.price),
                energy.unit(),
                date(price.valid_from),
            );
            text.into()
        };
        let least = Centavos((cost.maintenance_least_a_month * 100.0).round_ties_even() as u64);
        Self {
            models: tables
                .models()
                .map(|model| ModelTexts::of(model, tables))
                .collect(),
            stand_ins: Fuel::ALL
                .map(|fuel| shares.map(|share| stand_in(fuel, share)))
                .to_vec(),
            safety_of_strangers: safety_variants(None).to_vec(),
            comfort: (0..=equipment::VOCABULARY.len() as u64)
                .map(|items| count(items, "item de conforto", "itens de conforto").into())
                .collect(),
            energies: Energy::ALL
                .map(|each| shares.map(|share| energy(each, share)))
                .to_vec(),
            states: STATES.map(state).to_vec(),
            least_maintenance: format!("Manutenção: mínimo de {} por mês.", money(least)).into(),
            maintenance: (0..READY_MAINTENANCE)
                .map(|centavos| {
                    let price = unit_price(centavos as f64 / 100.0);
                    MaintenanceTexts {
                        fact: format!("cerca de {price} por km").into(),
                        assumption: format!("Manutenção estimada em {price} por km.").into(),
                    }
                })
                .collect(),
            insurance: insurance(tables),
            incomes: IncomeRange::ALL
                .map(|range| {
                    let income = thousands(cost.income(range) as u64);
                    format!("Renda considerada para a faixa informada: R$ {income} por mês.").into()
                })
                .to_vec(),
        }
    }

    pub(crate) fn model(&self, model: &ModelFacts) -> Option<&ModelTexts> {
        self.models.get(model.place)
    }

    /// The cheapest energy of a car of known model for a mix; `None` where its consumption is not known.
    pub(crate) fn driving(&self, model: &ModelFacts, fuel: Fuel, mix: usize) -> Option<&Driving> {
        self.model(model)?.driving[fuel as usize][mix].as_ref()
    }

    /// The same by the stand-in figures for its fuel.
    pub(crate) fn stand_in(&self, fuel: Fuel, mix: usize) -> Option<&Driving> {
        self.stand_ins.get(fuel as usize)?[mix].as_ref()
    }

    pub(crate) fn safety(&self, model: Option<&ModelFacts>, variant: usize) -> &str {
        match model.and_then(|model| self.model(model)) {
            Some(texts) => &texts.safety[variant],
            None => self.safety_of_strangers.get(variant).map_or("", AsRef::as_ref),
        }
    }

    pub(crate) fn comfort(&self, items: u8) -> Option<&str> {
        self.comfort.get(usize::from(items)).map(AsRef::as_ref)
    }

    pub(crate) fn energy(&self, energy: Energy, mix: usize) -> &str {
        self.energies.get(energy as usize).map_or("", |mixes| &mixes[mix])
    }

    pub(crate) fn state(&self, state: &str) -> Option<&StateTexts> {
        let place = STATES.binary_search(&state).ok()?;
        self.states.get(place)?.as_ref()
    }

    /// The sentences for R$ per km of maintenance, where they stand ready.
    pub(crate) fn maintenance(&self, per_km: f64) -> Option<&MaintenanceTexts> {
        let centavos = in_last_decimals(per_km, 2)?;
        self.maintenance.get(usize::try_from(centavos).ok()?)
    }

    /// The sentence for a percentage before the state's factor, where it stands ready.
    pub(crate) fn insurance(&self, percent: f64, state: &StateTexts) -> Option<&str> {
        let (_, of_states) = self.insurance.iter().find(|(known, _)| *known == percent)?;
        of_states.get(state.place).map(AsRef::as_ref)
    }

    pub(crate) fn income(&self, range: IncomeRange) -> &str {
        self.incomes.get(range as usize).map_or("", AsRef::as_ref)
    }
}

impl ModelTexts {
    fn of(model: &ModelFacts, tables: &Tables) -> Self {
        let driving = |fuel, share| {
            cheapest_known(fuel, model, share, tables).map(|(used, per_km)| Driving {
                energy: used.energy,
                per_km,
                fact: economy(&used, per_km).into(),
            })
        };
        let percent = depreciation_percent(model, &tables.cost);
        let mix = |fuel| tables.criteria.economy_columns.map(|share| driving(fuel, share));
        Self {
            driving: Fuel::ALL.map(mix),
            space: space(model).into(),
            performance: performance(model).map(Into::into),
            resale: percent
                .map(|percent| format!("perde cerca de {}% do valor por ano", shortest(percent, 1)).into()),
            depreciation: percent.map(|percent| (percent, depreciation(percent).into())),
            safety: safety_variants(Some(model)),
        }
    }
}

/// `Seguro estimado em 4,94% do valor do carro por ano em SP; …`
pub(crate) fn push_insurance(text: &mut String, percent: f64, state: &str) {
    text.push_str("Seguro estimado em ");
    push_shortest(text, percent, 2);
    text.push_str("% do valor do carro por ano em ");
    text.push_str(state);
    text.push_str("; peça uma cotação, pois o perfil do motorista muda o preço.");
}

fn insurance(tables: &Tables) -> Vec<(f64, Vec<Box<str>>)> {
    let of_models = tables.models().filter_map(|model| model.insurance_percent);
    let mut percents: Vec<f64> = of_models.chain(tables.cost.insurance_percent.values()).collect();
    percents.sort_by(f64::total_cmp);
    percents.dedup();
    percents
        .into_iter()
        .map(|percent| {
            let of_states = STATES.map(|state| {
                let mut text = String::new();
                push_insurance(&mut text, percent * tables.cost.insurance_factor(state), state);
                text.into()
            });
            (percent, of_states.to_vec())
        })
        .collect()
}

/// `Desvalorização estimada em 8% ao ano.`
pub(crate) fn depreciation(percent: f64) -> String {
    format!("Desvalorização estimada em {}% ao ano.", shortest(percent, 1))
}

fn economy(used: &EnergyUse, per_km: f64) -> String {
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
    format!(
        "{} por km com {} ({stated})",
        unit_price(per_km),
        used.energy.label()
    )
}

fn performance(model: &ModelFacts) -> Option<String> {
    let mass = thousands(u64::from(model.mass_kg?));
    Some(format!(
        "{} cv para {mass} kg ({} cv/t)",
        model.power_cv,
        decimal(power_to_mass(model)?, 0)
    ))
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

fn safety_variants(model: Option<&ModelFacts>) -> [Box<str>; NAMED_SAFETY_VARIANTS] {
    std::array::from_fn(|variant| safety(&Safety::of_variant(model, variant)).into())
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
    crate::figures::list(&parts.into_iter().flatten().collect::<Vec<_>>())
}
