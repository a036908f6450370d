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
    /// The fact that decided the worth of a criterion; borrowed where it depends on the model alone.
    pub(crate) fn fact(&self, criterion: Criterion, car: &'catalogue CatalogueCar) -> Cow<'catalogue, str> {
        match criterion {
            Criterion::Quality(quality) if !car.is_known(quality) => Cow::Borrowed(UNKNOWN),
            Criterion::Quality(quality) => self.quality(quality, car).unwrap_or(Cow::Borrowed(UNKNOWN)),
            Criterion::Wear => {
                let mut text = String::with_capacity(16);
                push_km(&mut text, car);
                Cow::Owned(text)
            }
            Criterion::Preferences => Cow::Owned(self.wishes(car)),
            Criterion::Price => Cow::Owned(self.price(car.car.price)),
        }
    }

    fn quality(&self, quality: Quality, car: &'catalogue CatalogueCar) -> Option<Cow<'catalogue, str>> {
        let texts = &self.tables.texts;
        let model = car.model.as_deref();
        let of_model = || texts.model(model?);
        match quality {
            Quality::Economy => texts
                .driving(model?, car.car.fuel, self.scoring.economy_column)
                .map(|driving| Cow::Borrowed(&*driving.fact)),
            Quality::Space => of_model().map(|texts| Cow::Borrowed(&*texts.space)),
            Quality::Performance => of_model()?.performance.as_deref().map(Cow::Borrowed),
            Quality::Comfort => texts
                .comfort(comfort_items(model, car.equipment)?)
                .map(Cow::Borrowed),
            Quality::Safety => {
                let variant = Safety::named_variant(car.equipment.unwrap_or_default());
                Some(Cow::Borrowed(texts.safety(model, variant)))
            }
            Quality::Resale => of_model()?.resale.as_deref().map(Cow::Borrowed),
            Quality::Reliability => self.reliability(car).map(Cow::Owned),
            Quality::Maintenance => self.maintenance(car).map(Cow::Owned),
        }
    }

    fn reliability(&self, car: &CatalogueCar) -> Option<String> {
        let model = car.model.as_deref()?;
        let class = reliability(model, car.car.odometer_km, car.age, &self.tables.criteria)?;
        let mut text = String::with_capacity(80);
        text.push_str("nota ");
        push_decimal(&mut text, class, 1);
        text.push_str(" de 5, já descontados ");
        push_km(&mut text, car);
        text.push_str(" e ");
        match car.age {
            0 => text.push_str("menos de 1 ano"),
            years => push_count(&mut text, u64::from(years), "ano", "anos"),
        }
        text.push_str(" de uso");
        Some(text)
    }

    fn maintenance(&self, car: &CatalogueCar) -> Option<String> {
        let class = car.model.as_deref()?.maintenance_class?;
        let per_km = maintenance_per_km(class, car.car.odometer_km, car.age, &self.tables.cost);
        let mut text = String::with_capacity(32);
        text.push_str("cerca de ");
        push_unit_price(&mut text, per_km);
        text.push_str(" por km");
        Some(text)
    }

    fn wishes(&self, car: &CatalogueCar) -> String {
        let judged = || self.scoring.wishes.judge(car);
        let mut text = String::with_capacity(96);
        for wanted in [true, false] {
            let of_kind = judged().filter(|(_, met)| *met == wanted).count();
            if of_kind == 0 {
                continue;
            }
            if !text.is_empty() {
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
        text
    }

    fn price(&self, price: Centavos) -> String {
        let Questionnaire {
            budget_minimum,
            budget_maximum,
            ..
        } = self.questionnaire;
        let below = Centavos(budget_maximum.0.saturating_sub(price.0));
        let mut text = String::with_capacity(64);
        push_money(&mut text, price);
        text.push_str(", ");
        if price < *budget_minimum {
            text.push_str("abaixo do seu orçamento");
        } else if below.0 == 0 {
            text.push_str("no limite do seu orçamento");
        } else {
            push_money(&mut text, below);
            text.push_str(" abaixo do seu limite");
        }
        text
    }
}

fn push_km(text: &mut String, car: &CatalogueCar) {
    push_thousands(text, u64::from(car.car.odometer_km));
    text.push_str(" km");
}
