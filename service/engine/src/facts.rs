//! The raw fact behind each criterion, with its unit, in Portuguese.

use std::borrow::Cow;

use crate::{
    catalogue::CatalogueCar,
    figures::{push_count, push_decimal, push_money, push_thousands, push_unit_price},
    questionnaire::{Quality, Questionnaire},
    ranking::{Scoring, Wish},
    recommendation::Criterion,
    stock::Centavos,
    tables::Tables,
    utilities::{Safety, comfort_items, maintenance_per_km, reliability},
};

/// Said of a quality of which nothing is known.
pub(crate) const UNKNOWN: &str = "não informado";

/// Everything that a fact may draw on.
#[derive(Clone, Copy)]
pub(crate) struct FactSource<'a, 'catalogue> {
    pub(crate) questionnaire: &'a Questionnaire,
    pub(crate) scoring: &'a Scoring<'catalogue>,
    pub(crate) tables: &'catalogue Tables,
}

impl<'catalogue> FactSource<'_, 'catalogue> {
    /// The fact that decided the worth of a criterion; borrowed where it depends on the data files alone.
    pub(crate) fn fact(&self, criterion: Criterion, car: &'catalogue CatalogueCar) -> Cow<'catalogue, str> {
        if let Some(fact) = self.rendered(criterion, car) {
            return Cow::Borrowed(fact);
        }
        let mut text = String::with_capacity(match criterion {
            Criterion::Wear => 16,
            Criterion::Quality(_) | Criterion::Distance | Criterion::Preferences | Criterion::Price => 80,
        });
        self.push_own_fact(&mut text, criterion, car);
        Cow::Owned(text)
    }

    /// Appends the same.
    pub(crate) fn push_fact(&self, text: &mut String, criterion: Criterion, car: &'catalogue CatalogueCar) {
        match self.rendered(criterion, car) {
            Some(fact) => text.push_str(fact),
            None => self.push_own_fact(text, criterion, car),
        }
    }

    /// A fact that stands ready: of the model, or one of few.
    fn rendered(&self, criterion: Criterion, car: &'catalogue CatalogueCar) -> Option<&'catalogue str> {
        let Criterion::Quality(quality) = criterion else {
            return None;
        };
        if !car.is_known(quality) {
            return Some(UNKNOWN);
        }
        let texts = &self.tables.texts;
        let model = car.model.as_deref();
        let of_model = || texts.model(model?);
        match quality {
            Quality::Economy => {
                let driving = texts.driving(model?, car.car.fuel, self.scoring.economy_column);
                driving.map(|driving| &*driving.fact)
            }
            Quality::Space => of_model().map(|texts| &*texts.space),
            Quality::Performance => of_model()?.performance.as_deref(),
            Quality::Comfort => texts.comfort(comfort_items(model, car.equipment)?),
            Quality::Safety => {
                let variant = Safety::named_variant(car.equipment.unwrap_or_default());
                Some(texts.safety(model, variant))
            }
            Quality::Resale => of_model()?.resale.as_deref(),
            Quality::Reliability => None,
            Quality::Maintenance => {
                let texts = texts.maintenance(self.maintenance_per_km(car)?);
                texts.map(|texts| &*texts.fact)
            }
        }
    }

    /// A fact of this car alone.
    fn push_own_fact(&self, text: &mut String, criterion: Criterion, car: &CatalogueCar) {
        match criterion {
            Criterion::Quality(Quality::Reliability) => self.push_reliability(text, car),
            Criterion::Quality(Quality::Maintenance) => match self.maintenance_per_km(car) {
                Some(per_km) => {
                    text.push_str("cerca de ");
                    push_unit_price(text, per_km);
                    text.push_str(" por km");
                }
                None => text.push_str(UNKNOWN),
            },
            Criterion::Quality(_) => text.push_str(UNKNOWN),
            Criterion::Wear => push_km(text, car),
            Criterion::Distance => self.scoring.proximity.push_fact(text, car.place),
            Criterion::Preferences => self.push_wishes(text, car),
            Criterion::Price => self.push_price(text, car.car.price),
        }
    }

    fn maintenance_per_km(&self, car: &CatalogueCar) -> Option<f64> {
        let class = car.model.as_deref()?.maintenance_class?;
        Some(maintenance_per_km(
            class,
            car.car.odometer_km,
            car.age,
            &self.tables.cost,
        ))
    }

    fn push_reliability(&self, text: &mut String, car: &CatalogueCar) {
        let model = car.model.as_deref();
        let class =
            model.and_then(|model| reliability(model, car.car.odometer_km, car.age, &self.tables.criteria));
        let Some(class) = class else {
            text.push_str(UNKNOWN);
            return;
        };
        text.push_str("nota ");
        push_decimal(text, class, 1);
        text.push_str(" de 5, já descontados ");
        push_km(text, car);
        text.push_str(" e ");
        match car.age {
            0 => text.push_str("menos de 1 ano"),
            years => push_count(text, u64::from(years), "ano", "anos"),
        }
        text.push_str(" de uso");
    }

    fn push_wishes(&self, text: &mut String, car: &CatalogueCar) {
        let judged = || self.scoring.wishes.judge(car);
        let start = text.len();
        for wanted in [true, false] {
            let of_kind = judged().filter(|(_, met)| *met == wanted).count();
            if of_kind == 0 {
                continue;
            }
            if text.len() > start {
                text.push_str("; ");
            }
            text.push_str(if wanted { "atende " } else { "não atende " });
            for (place, (wish, _)) in judged().filter(|(_, met)| *met == wanted).enumerate() {
                match place {
                    0 => {}
                    last if last + 1 == of_kind => text.push_str(" e "),
                    _ => text.push_str(", "),
                }
                let (kind, value) = match wish {
                    Wish::Category => ("categoria", car.car.category.label()),
                    Wish::Brand => ("marca", car.car.brand.as_str()),
                    Wish::Fuel => ("combustível", car.car.fuel.label()),
                    Wish::Gearbox => ("câmbio", car.car.gearbox.label()),
                };
                let (between, after) = if wanted { (" ", "") } else { (" (é ", ")") };
                for part in [kind, between, value, after] {
                    text.push_str(part);
                }
            }
        }
    }

    fn push_price(&self, text: &mut String, price: Centavos) {
        let Questionnaire {
            budget_minimum,
            budget_maximum,
            ..
        } = self.questionnaire;
        if price > *budget_maximum {
            push_money(text, price);
            text.push_str(", ");
            push_money(text, Centavos(price.0 - budget_maximum.0));
            text.push_str(" acima do seu limite");
            return;
        }
        let below = Centavos(budget_maximum.0.saturating_sub(price.0));
        push_money(text, price);
        text.push_str(", ");
        if price < *budget_minimum {
            text.push_str("abaixo do seu orçamento");
        } else if below.0 == 0 {
            text.push_str("no limite do seu orçamento");
        } else {
            push_money(text, below);
            text.push_str(" abaixo do seu limite");
        }
    }
}

fn push_km(text: &mut String, car: &CatalogueCar) {
    push_thousands(text, u64::from(car.car.odometer_km));
    text.push_str(" km");
}
