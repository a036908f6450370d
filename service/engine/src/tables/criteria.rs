//! `criteria.json`: anchors of the utilities, fixed weights and the thresholds of the explanation.

use crate::{
    proximity::DistanceScale,
    questionnaire::{Quality, Usage},
    recommendation::Criterion,
};

use super::{
    TableError,
    reader::{Document, Provenance},
};

pub(super) const FILE: &str = "criteria.json";

/// How many different shares of city driving there are: one column of `economia` utilities each.
pub(crate) const ECONOMY_COLUMNS: usize = 4;

/// The raw figures at which a utility is 0 and 255; `full < zero` for costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Anchor {
    pub(crate) zero: f64,
    pub(crate) full: f64,
}

/// What variety costs and where it stops; see `diversity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DiversityRules {
    /// How many of the pure order compete for places.
    pub(crate) candidates: usize,
    /// Score that a tenth of likeness costs.
    pub(crate) points_per_tenth: u32,
    /// Tenths of likeness for the same model, brand, category, dealer.
    pub(crate) same_model: u32,
    pub(crate) same_brand: u32,
    pub(crate) same_category: u32,
    pub(crate) same_dealer: u32,
    /// The caps hold for each started stretch of so many places.
    pub(crate) stretch: usize,
    pub(crate) per_model_year: usize,
    pub(crate) per_model: usize,
    pub(crate) per_dealer: usize,
}

impl DiversityRules {
    fn read(document: &Document) -> Result<Self, TableError> {
        let whole = |name: &str, least, most| document.whole(&format!("diversity/{name}"), least, most);
        let tenths = |name: &str| whole(&format!("likeness_tenths/{name}"), 0, 10);
        let cap = |name: &str| whole(&format!("at_most/{name}"), 1, 100).map(|cap| cap as usize);
        let rules = Self {
            candidates: whole("candidates", 200, 10_000)? as usize,
            points_per_tenth: whole("points_per_tenth", 0, 6_528)?,
            same_model: tenths("model")?,
            same_brand: tenths("brand")?,
            same_category: tenths("category")?,
            same_dealer: tenths("dealer")?,
            stretch: whole("at_most/places", 1, 1_000)? as usize,
            per_model_year: cap("of_a_model_and_year")?,
            per_model: cap("of_a_model")?,
            per_dealer: cap("of_a_dealer")?,
        };
        if rules.same_model + rules.same_brand + rules.same_category + rules.same_dealer != 10 {
            return Err(document.error("diversity/likeness_tenths", "must sum to 10"));
        }
        Ok(rules)
    }
}

/// When and how far feedback moves priorities; see `refinement`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RefinementRules {
    pub(crate) least_feedbacks: usize,
    /// Difference of mean utilities from which a priority moves.
    pub(crate) least_difference: u32,
    pub(crate) most_changes: usize,
}

impl RefinementRules {
    fn read(document: &Document) -> Result<Self, TableError> {
        let whole = |name: &str, most| document.whole(&format!("refinement/{name}"), 1, most);
        Ok(Self {
            least_feedbacks: whole("least_feedbacks", 100)? as usize,
            least_difference: whole("least_difference", 255)?,
            most_changes: whole("most_changes", 8)? as usize,
        })
    }
}

/// Everything that `criteria.json` decides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Criteria {
    anchors: [Anchor; 10],
    /// The anchor of the distance, solved for each worth.
    pub(crate) distance: DistanceScale,
    pub(crate) price_weight: u16,
    pub(crate) wear_weight: u16,
    pub(crate) distance_weight: u16,
    pub(crate) preferences_weight: u16,
    pub(crate) least_per_quality: u16,
    /// What a priority of 1 to 5 is worth.
    pub(crate) priority_values: [u32; 5],
    city_shares: [f64; 6],
    /// The distinct shares of city driving, in the order in which uses name them.
    pub(crate) economy_columns: [f64; ECONOMY_COLUMNS],
    pub(crate) boot_share: f64,
    pub(crate) seats_zero: f64,
    pub(crate) seats_half: f64,
    pub(crate) seats_full: f64,
    pub(crate) stars_points: f64,
    pub(crate) stars_full: f64,
    pub(crate) old_test_year: u16,
    pub(crate) old_test_factor: f64,
    pub(crate) airbags_points: f64,
    pub(crate) airbags_full: f64,
    pub(crate) stability_points: f64,
    pub(crate) isofix_points: f64,
    pub(crate) missing_part_share: f64,
    pub(crate) km_per_class: f64,
    pub(crate) class_per_year: f64,
    pub(crate) free_years: f64,
    pub(crate) least_class: f64,
    /// What a car in another state is worth when of the buyer only the state is known.
    pub(crate) other_state_utility: u8,
    /// By how much the maximum budget is exceeded where nothing else helps.
    pub(crate) relaxed_budget_percent: u32,
    pub(crate) missing_utility: u8,
    pub(crate) missing_guarded_utility: u8,
    pub(crate) guard_threshold: u8,
    pub(crate) reason_utility: u8,
    /// From here on a reason is praised in stronger words.
    pub(crate) strong_reason_utility: u8,
    pub(crate) attention_utility: u8,
    pub(crate) attention_priority: u8,
    pub(crate) reasons: usize,
    pub(crate) misses: usize,
    pub(crate) least_miss_tenths: u16,
    pub(crate) large_family: u8,
    pub(crate) attention_days: u32,
    pub(crate) available_days: u32,
    pub(crate) diversity: DiversityRules,
    pub(crate) refinement: RefinementRules,
}

impl Criteria {
    pub(super) fn read(text: &str) -> Result<(Self, Provenance), TableError> {
        let document = Document::read(FILE, text)?;
        let number = |path: &str, least: f64, most: f64| document.number(path, least, most);
        let byte = |path: &str| document.whole(path, 0, 255).map(|value| value as u8);
        let weight = |path: &str| document.whole(path, 0, 255).map(|value| value as u16);

        let mut anchors = [Anchor { zero: 0.0, full: 1.0 }; 10];
        for (anchor, criterion) in anchors.iter_mut().zip(Criterion::ALL) {
            let path = format!("anchors/{}", criterion.word());
            anchor.zero = number(&format!("{path}/zero"), 0.0, 1e9)?;
            anchor.full = number(&format!("{path}/full"), 0.0, 1e9)?;
            if anchor.zero == anchor.full {
                return Err(document.error(&format!("{path}/full"), "must differ from zero's anchor"));
            }
        }
        let distance = anchors[Criterion::Distance.index()];
        if distance.zero < distance.full {
            return Err(document.error("anchors/distancia/full", "must be nearer than zero's anchor"));
        }
        let mut priority_values = [0; 5];
        if document.length("weights/priority_values")? != priority_values.len() {
            return Err(document.error("weights/priority_values", "must list five values"));
        }
        for (index, value) in priority_values.iter_mut().enumerate() {
            *value = document.whole(&format!("weights/priority_values/{index}"), 1, 1000)?;
        }
        if !priority_values.is_sorted() {
            return Err(document.error("weights/priority_values", "must not fall as the priority rises"));
        }
        let mut city_shares = [0.0; 6];
        let mut columns: Vec<f64> = Vec::new();
        for usage in Usage::ALL {
            let path = format!("city_share/{}", usage.word());
            let share = number(&path, 0.0, 1.0)?;
            city_shares[usage as usize] = share;
            if !columns.contains(&share) {
                columns.push(share);
            }
        }
        let economy_columns = columns.try_into().map_err(|columns: Vec<f64>| {
            let message = format!(
                "must name {ECONOMY_COLUMNS} different shares, not {}",
                columns.len()
            );
            document.error("city_share", message)
        })?;

        let criteria = Self {
            anchors,
            distance: DistanceScale::new(distance),
            price_weight: weight("weights/preco")?,
            wear_weight: weight("weights/quilometragem")?,
            distance_weight: weight("weights/distancia")?,
            preferences_weight: weight("weights/preferencias")?,
            least_per_quality: weight("weights/least_per_quality")?,
            priority_values,
            city_shares,
            economy_columns,
            boot_share: number("space/boot_share", 0.0, 1.0)?,
            seats_zero: number("space/seats_zero", 1.0, 20.0)?,
            seats_half: number("space/seats_half", 1.0, 20.0)?,
            seats_full: number("space/seats_full", 1.0, 20.0)?,
            stars_points: number("safety/stars_points", 0.0, 100.0)?,
            stars_full: number("safety/stars_full", 1.0, 5.0)?,
            old_test_year: document.whole("safety/old_test_year", 2010, 2100)? as u16,
            old_test_factor: number("safety/old_test_factor", 0.0, 1.0)?,
            airbags_points: number("safety/airbags_points", 0.0, 100.0)?,
            airbags_full: number("safety/airbags_full", 1.0, 20.0)?,
            stability_points: number("safety/stability_points", 0.0, 100.0)?,
            isofix_points: number("safety/isofix_points", 0.0, 100.0)?,
            missing_part_share: number("safety/missing_part_share", 0.0, 1.0)?,
            km_per_class: number("reliability/km_per_class", 1.0, 1e7)?,
            class_per_year: number("reliability/class_per_year", 0.0, 5.0)?,
            free_years: number("reliability/free_years", 0.0, 50.0)?,
            least_class: number("reliability/least", 0.0, 5.0)?,
            other_state_utility: byte("distance/other_state_utility")?,
            relaxed_budget_percent: document.whole("relaxation/budget_percent", 0, 100)?,
            missing_utility: byte("missing/utility")?,
            missing_guarded_utility: byte("missing/guarded_utility")?,
            guard_threshold: byte("guard/threshold")?,
            reason_utility: byte("explanation/reason_utility")?,
            strong_reason_utility: byte("explanation/strong_reason_utility")?,
            attention_utility: byte("explanation/attention_utility")?,
            attention_priority: document.whole("explanation/attention_priority", 1, 5)? as u8,
            reasons: document.whole("explanation/reasons", 1, 12)? as usize,
            misses: document.whole("explanation/misses", 0, 12)? as usize,
            least_miss_tenths: document.whole("explanation/least_miss_tenths", 0, 1000)? as u16,
            large_family: document.whole("filters/large_family", 1, 20)? as u8,
            attention_days: document.whole("stock/attention_days", 1, 3650)?,
            available_days: document.whole("stock/available_days", 1, 3650)?,
            diversity: DiversityRules::read(&document)?,
            refinement: RefinementRules::read(&document)?,
        };
        if !(criteria.seats_zero < criteria.seats_half && criteria.seats_half < criteria.seats_full) {
            return Err(document.error("space/seats_half", "must lie between seats_zero and seats_full"));
        }
        let fixed = criteria.price_weight
            + criteria.wear_weight
            + criteria.distance_weight
            + criteria.preferences_weight
            + criteria.least_per_quality * 8;
        if fixed > 256 {
            return Err(document.error(
                "weights",
                format!("the fixed parts sum to {fixed}, more than 256"),
            ));
        }
        Ok((criteria, document.provenance))
    }

    /// The anchor of a quality.
    pub(crate) fn quality(&self, quality: Quality) -> Anchor {
        self.anchors[quality.index()]
    }

    /// The anchor of the odometer.
    pub(crate) fn wear(&self) -> Anchor {
        self.anchors[Criterion::Wear.index()]
    }

    /// The part of the distance driven in town.
    pub(crate) fn city_share(&self, usage: Usage) -> f64 {
        self.city_shares[usage as usize]
    }

    /// Which column of `economia` utilities a use reads.
    pub(crate) fn economy_column(&self, usage: Usage) -> usize {
        let share = self.city_share(usage);
        self.economy_columns
            .iter()
            .position(|column| *column == share)
            .unwrap_or_default()
    }
}
