//! Raw facts of a car and what each is worth, 0 to 255, by anchors that no other car can move.
//!
//! Computed once, when a catalogue is built. Only `+ − × ÷` and rounding touch these floats, which every processor
//! does alike; from here on integers decide.

use jiff::civil::Date;

use crate::{
    energy_use::cheapest_known,
    equipment::EquipmentSet,
    questionnaire::Quality,
    stock::Car,
    tables::{Anchor, AppClass, CostTable, Criteria, ECONOMY_COLUMNS, ModelFacts, Tables},
};

/// `round(255 · clamp((x − zero) / (full − zero), 0, 1))`
pub(crate) fn utility(x: f64, anchor: Anchor) -> u8 {
    (255.0 * share(x, anchor)).round() as u8
}

fn share(x: f64, anchor: Anchor) -> f64 {
    ((x - anchor.zero) / (anchor.full - anchor.zero)).clamp(0.0, 1.0)
}

/// How many different things the seller's list can say about safety: ESC or not, ISOFIX or not, three kinds of airbags.
pub(crate) const NAMED_SAFETY_VARIANTS: usize = 12;

/// What is known of a car's safety, by its model and by its own equipment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Safety {
    /// Stars and the year of the test.
    pub(crate) stars: Option<(u8, u16)>,
    pub(crate) airbags: Option<u8>,
    pub(crate) stability_control: Option<bool>,
    pub(crate) isofix: Option<bool>,
}

impl Safety {
    /// Equipment that the seller names adds to what the model's base version has; it never takes away.
    pub(crate) fn of(model: Option<&ModelFacts>, equipment: EquipmentSet) -> Self {
        Self::of_variant(model, Self::named_variant(equipment))
    }

    /// Which of the [`NAMED_SAFETY_VARIANTS`] a seller's list is: bit 0 ESC, bit 1 ISOFIX, then 0, 4 or 6 airbags.
    pub(crate) fn named_variant(equipment: EquipmentSet) -> usize {
        let airbags = if equipment.has(EquipmentSet::CURTAIN_AIRBAGS) {
            2
        } else if equipment.has(EquipmentSet::SIDE_AIRBAGS) {
            1
        } else {
            0
        };
        usize::from(equipment.has(EquipmentSet::STABILITY_CONTROL))
            | usize::from(equipment.has(EquipmentSet::ISOFIX)) << 1
            | airbags << 2
    }

    /// A model with what a seller's list adds to it.
    pub(crate) fn of_variant(model: Option<&ModelFacts>, variant: usize) -> Self {
        let named = |bit: usize| (variant & bit != 0).then_some(true);
        let named_airbags = match variant >> 2 {
            0 => None,
            1 => Some(4),
            _ => Some(6),
        };
        Self {
            stars: model.and_then(|model| model.stars.zip(model.stars_year)),
            airbags: model.and_then(|model| model.airbags).max(named_airbags),
            stability_control: named(1).or(model.and_then(|model| model.stability_control)),
            isofix: named(2).or(model.and_then(|model| model.isofix)),
        }
    }

    /// Points, 0 to 100; a missing part counts its share. `None` without airbags, or without both stars and ESC.
    pub(crate) fn points(&self, criteria: &Criteria) -> Option<f64> {
        let airbags = self.airbags?;
        if self.stars.is_none() && self.stability_control.is_none() {
            return None;
        }
        let missing = criteria.missing_part_share;
        let stars = self.stars.map_or(missing, |(stars, year)| {
            let factor = if year <= criteria.old_test_year {
                criteria.old_test_factor
            } else {
                1.0
            };
            f64::from(stars) / criteria.stars_full * factor
        });
        let has = |part: Option<bool>| part.map_or(missing, |has| if has { 1.0 } else { 0.0 });
        Some(
            criteria.stars_points * stars
                + criteria.airbags_points * (f64::from(airbags) / criteria.airbags_full).min(1.0)
                + criteria.stability_points * has(self.stability_control)
                + criteria.isofix_points * has(self.isofix),
        )
    }
}

/// Years since the model year, by the reference date; next year's model is as old as this year's.
pub(crate) fn age(car: &Car, reference_date: Date) -> u32 {
    u32::try_from(i32::from(reference_date.year()) - i32::from(car.year)).unwrap_or(0)
}

/// The model's class, less what odometer and age took.
pub(crate) fn reliability(
    model: &ModelFacts,
    odometer_km: u32,
    age: u32,
    criteria: &Criteria,
) -> Option<f64> {
    let years = (f64::from(age) - criteria.free_years).max(0.0);
    model.reliability.map(|class| {
        (class - f64::from(odometer_km) / criteria.km_per_class - criteria.class_per_year * years)
            .max(criteria.least_class)
    })
}

/// R$ per km of maintenance, before the least that a car costs in a month.
pub(crate) fn maintenance_per_km(class: u8, odometer_km: u32, age: u32, cost: &CostTable) -> f64 {
    let class = usize::from(class.clamp(1, 5)) - 1;
    let over = ((f64::from(odometer_km) - cost.maintenance_km_free) / cost.maintenance_km_step).max(0.0);
    cost.maintenance_class_per_km[class]
        * cost.maintenance_age_factor.at(age)
        * (1.0 + cost.maintenance_step_factor * over)
}

/// % a year by which the car loses value: its model's figure, else its segment's.
pub(crate) fn depreciation_percent(model: &ModelFacts, cost: &CostTable) -> Option<f64> {
    model
        .depreciation_percent
        .or_else(|| cost.depreciation(&model.segment))
}

/// Comfort items: those of a usual version of the model, or those that the seller names, whichever are more.
pub(crate) fn comfort_items(model: Option<&ModelFacts>, equipment: Option<EquipmentSet>) -> Option<u8> {
    model
        .and_then(|model| model.comfort_items)
        .max(equipment.map(EquipmentSet::comfort_items))
}

/// cv per tonne.
pub(crate) fn power_to_mass(model: &ModelFacts) -> Option<f64> {
    model
        .mass_kg
        .map(|mass| f64::from(model.power_cv) * 1000.0 / f64::from(mass))
}

fn space(model: &ModelFacts, criteria: &Criteria) -> u8 {
    let (zero, half, full) = (criteria.seats_zero, criteria.seats_half, criteria.seats_full);
    let seats = f64::from(model.seats);
    let seats = if seats <= half {
        0.5 * share(seats, Anchor { zero, full: half })
    } else {
        0.5 + 0.5 * share(seats, Anchor { zero: half, full })
    };
    let boot = share(f64::from(model.boot_l), criteria.quality(Quality::Space));
    (255.0 * (criteria.boot_share * boot + (1.0 - criteria.boot_share) * seats)).round() as u8
}

/// Whether a ride app takes the model at all; `None` = not known.
pub(crate) fn app_class(model: Option<&ModelFacts>) -> Option<AppClass> {
    model.and_then(|model| model.app_class)
}

/// What each criterion of one car is worth, before any questionnaire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Utilities {
    economy: [u8; ECONOMY_COLUMNS],
    /// By [`Quality::index`]; the first place is unused, `economia` depends on the mix of the buyer.
    qualities: [u8; 8],
    /// A bit for each quality that is known; the others hold the utility of a gap.
    known: u8,
    wear: u8,
}

impl Utilities {
    pub(crate) fn of(
        car: &Car,
        model: Option<&ModelFacts>,
        equipment: Option<EquipmentSet>,
        age: u32,
        tables: &Tables,
    ) -> Self {
        let (criteria, cost) = (&tables.criteria, &tables.cost);
        let mut utilities = Self {
            economy: [criteria.missing_utility; ECONOMY_COLUMNS],
            qualities: [criteria.missing_utility; 8],
            known: 0,
            wear: utility(f64::from(car.odometer_km), criteria.wear()),
        };
        let worth = |quality, raw: Option<f64>| raw.map(|raw| utility(raw, criteria.quality(quality)));
        let mut set = |quality: Quality, value: Option<u8>| {
            if let Some(value) = value {
                utilities.qualities[quality.index()] = value;
                utilities.known |= 1 << quality.index();
            }
        };
        let maintenance = model.and_then(|model| model.maintenance_class);
        let maintenance = maintenance.map(|class| maintenance_per_km(class, car.odometer_km, age, cost));
        let reliable = model.and_then(|model| reliability(model, car.odometer_km, age, criteria));
        let safety = Safety::of(model, equipment.unwrap_or_default()).points(criteria);
        set(Quality::Space, model.map(|model| space(model, criteria)));
        set(
            Quality::Performance,
            worth(Quality::Performance, model.and_then(power_to_mass)),
        );
        set(
            Quality::Comfort,
            worth(Quality::Comfort, comfort_items(model, equipment).map(f64::from)),
        );
        set(Quality::Safety, worth(Quality::Safety, safety));
        set(
            Quality::Resale,
            worth(
                Quality::Resale,
                model.and_then(|model| depreciation_percent(model, cost)),
            ),
        );
        set(Quality::Reliability, worth(Quality::Reliability, reliable));
        set(Quality::Maintenance, worth(Quality::Maintenance, maintenance));
        let anchor = criteria.quality(Quality::Economy);
        for (value, city_share) in utilities.economy.iter_mut().zip(criteria.economy_columns) {
            let cheapest = model.and_then(|model| cheapest_known(car.fuel, model, city_share, tables));
            if let Some((_, per_km)) = cheapest {
                *value = utility(per_km, anchor);
                utilities.known |= 1 << Quality::Economy.index();
            }
        }
        utilities
    }

    /// The utility of a quality; a gap has the utility of a gap.
    pub(crate) fn quality(&self, quality: Quality, economy_column: usize) -> u8 {
        match quality {
            Quality::Economy => self.economy[economy_column],
            other => self.qualities[other.index()],
        }
    }

    /// Replaces what each quality is worth, apart from any fact; `None` = not known, `gap` its worth.
    #[cfg(test)]
    pub(crate) fn set(&mut self, worths: &[Option<u8>; 8], gap: u8) {
        self.known = 0;
        for (quality, worth) in Quality::ALL.into_iter().zip(worths) {
            self.known |= u8::from(worth.is_some()) << quality.index();
            let worth = worth.unwrap_or(gap);
            match quality {
                Quality::Economy => self.economy = [worth; ECONOMY_COLUMNS],
                other => self.qualities[other.index()] = worth,
            }
        }
    }

    pub(crate) fn is_known(&self, quality: Quality) -> bool {
        self.known & (1 << quality.index()) != 0
    }

    /// A bit for each quality that is known, by [`Quality::index`].
    pub(crate) fn known(&self) -> u8 {
        self.known
    }

    pub(crate) fn wear(&self) -> u8 {
        self.wear
    }
}
