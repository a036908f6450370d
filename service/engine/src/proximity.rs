//! How near to the buyer a car is for sale: worth, radius and words.
//!
//! ```text
//! dealerships with cars ──▶ SalePlace, each once ─┐
//! buyer's city or state ─────────────────────────▶ Proximity: utility and within radius, by place ──▶ scan
//! ```
//! Cars of one place share one comparison: the scan only reads two small columns by the place of a car.

use std::collections::BTreeMap;

use crate::{
    catalogue::Has,
    figures::push_thousands,
    questionnaire::Questionnaire,
    sphere::{UnitVector, least_dot},
    stock::Dealership,
    tables::{Anchor, Criteria, Tables},
};

/// The least dot product for each utility: what a distance is worth, without a sine at request time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DistanceScale([i64; 256]);

impl DistanceScale {
    /// `u = round(255 · clamp((x − zero) / (full − zero), 0, 1))`, solved for the distance at which each u begins.
    pub(crate) fn new(anchor: Anchor) -> Self {
        let Anchor { zero, full } = anchor;
        let mut thresholds = [i64::MIN; 256];
        for (utility, threshold) in thresholds.iter_mut().enumerate().skip(1) {
            let share = (utility as f64 - 0.5) / 255.0;
            *threshold = least_dot(zero + share * (full - zero));
        }
        Self(thresholds)
    }

    fn utility(&self, dot: i64) -> u8 {
        (self.0.partition_point(|threshold| *threshold <= dot) - 1) as u8
    }
}

/// A place where cars are for sale.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SalePlace {
    /// `Santos/SP`
    label: String,
    state: String,
    /// `None` when the dealership gives no coordinates and its city is not known.
    position: Option<UnitVector>,
}

impl SalePlace {
    /// A dealership's own coordinates, else those of its city.
    fn of(dealership: &Dealership, tables: &Tables) -> Self {
        let Dealership {
            city,
            state,
            latitude,
            longitude,
            ..
        } = dealership;
        let known = tables.place_in(city, state);
        let own = latitude
            .zip(*longitude)
            .map(|(latitude, longitude)| UnitVector::from_degrees(latitude, longitude));
        Self {
            label: format!(
                "{}/{state}",
                known.as_ref().map_or(city.trim(), |place| place.name.as_str())
            ),
            state: state.clone(),
            position: own.or(known.map(|place| place.position)),
        }
    }
}

/// The distinct places of some dealerships, and the place of each dealership; 0 for those without cars.
pub(crate) fn sale_places(
    dealerships: &[Dealership],
    has_cars: impl Fn(usize) -> bool,
    tables: &Tables,
) -> (Vec<SalePlace>, Vec<u32>) {
    let with_cars: Vec<Option<SalePlace>> = dealerships
        .iter()
        .enumerate()
        .map(|(index, dealership)| has_cars(index).then(|| SalePlace::of(dealership, tables)))
        .collect();
    let mut numbers: BTreeMap<&SalePlace, u32> = with_cars.iter().flatten().map(|place| (place, 0)).collect();
    for (number, place) in (0..).zip(numbers.values_mut()) {
        *place = number;
    }
    let of_dealership = with_cars
        .iter()
        .map(|place| place.as_ref().map_or(0, |place| numbers[place]))
        .collect();
    (numbers.into_keys().cloned().collect(), of_dealership)
}

/// From where distances count for a buyer.
#[derive(Clone, Debug)]
enum From {
    City(UnitVector),
    /// Only the state is known.
    State(String),
    Nowhere,
}

/// One buyer's view of every place where cars are for sale.
#[derive(Clone, Debug)]
pub(crate) struct Proximity<'catalogue> {
    places: &'catalogue [SalePlace],
    from: From,
    /// Whether distance has a weight for this buyer.
    pub(crate) counts: bool,
    /// By place; full where distance does not count, and then without weight.
    pub(crate) utility: Vec<u8>,
    /// By place, whether it is within the buyer's radius; all, when there is none.
    pub(crate) within_radius: Vec<bool>,
}

impl<'catalogue> Proximity<'catalogue> {
    pub(crate) fn of(
        questionnaire: &Questionnaire,
        places: &'catalogue [SalePlace],
        criteria: &Criteria,
    ) -> Self {
        let from = match (&questionnaire.city, &questionnaire.state) {
            (Some(city), _) => From::City(city.position),
            (None, Some(state)) => From::State(state.clone()),
            (None, None) => From::Nowhere,
        };
        let counts = questionnaire.prioritise_near && !matches!(from, From::Nowhere);
        let worth = |place: &SalePlace| match (&from, place.position) {
            _ if !counts => 255,
            (From::City(city), Some(position)) => criteria.distance.utility(city.dot(position)),
            (From::City(_), None) => criteria.missing_utility,
            (From::State(state), _) if place.state == *state => 255,
            (From::State(_), _) => criteria.other_state_utility,
            (From::Nowhere, _) => 255,
        };
        let radius = radius_metres(questionnaire).map(|metres| least_dot(f64::from(metres) / 1000.0));
        let within = |place: &SalePlace| match (radius, &from, place.position) {
            (None, _, _) => true,
            (Some(least), From::City(city), Some(position)) => city.dot(position) >= least,
            (Some(_), _, _) => false,
        };
        Self {
            places,
            counts,
            utility: places.iter().map(worth).collect(),
            within_radius: places.iter().map(within).collect(),
            from,
        }
    }

    /// What the distance to a place is worth.
    pub(crate) fn worth(&self, place: u32) -> u8 {
        self.utility[place as usize]
    }

    /// Whether that rests on a distance, or on a state, that is known.
    pub(crate) fn is_known(&self, place: u32) -> bool {
        !matches!(self.from, From::City(_)) || self.places[place as usize].position.is_some()
    }

    pub(crate) fn within_radius(&self, place: u32) -> Has {
        if self.within_radius[place as usize] {
            Has::Yes
        } else if self.is_known(place) {
            Has::No
        } else {
            Has::Unknown
        }
    }

    /// Whole km from the buyer's city to a place; `None` when either is not known.
    pub(crate) fn distance_km(&self, place: u32) -> Option<u32> {
        match (&self.from, self.places[place as usize].position) {
            (From::City(city), Some(position)) => Some(city.distance_km(position).round() as u32),
            _ => None,
        }
    }

    /// Appends `a 12 km de você, em Santos/SP`.
    pub(crate) fn push_fact(&self, text: &mut String, place: u32) {
        let SalePlace { label, state, .. } = &self.places[place as usize];
        let (before, after) = match (&self.from, self.distance_km(place)) {
            (From::City(_), Some(0)) => ("a menos de 1 km de você, em ", ""),
            (From::City(_), Some(km)) => {
                text.push_str("a ");
                push_thousands(text, u64::from(km));
                (" km de você, em ", "")
            }
            (From::State(own), _) if own == state => ("em ", ", no seu estado"),
            (From::State(_), _) => ("em ", ", fora do seu estado"),
            (From::City(_), None) | (From::Nowhere, _) => {
                ("distância não calculada: não sabemos onde fica ", "")
            }
        };
        text.push_str(before);
        text.push_str(label);
        text.push_str(after);
    }

    /// What a worth of the distance is called: `strong` for what is praised, `weak` for what is reproached.
    pub(crate) fn praise(&self, strong: bool) -> &'static str {
        if strong {
            "Perto de você"
        } else {
            "A uma distância razoável"
        }
    }

    pub(crate) fn reproach(&self, weak: bool) -> &'static str {
        match (&self.from, weak) {
            (From::State(_), _) => "Em outro estado",
            (_, true) => "Muito longe de você",
            (_, false) => "Longe de você",
        }
    }
}

/// The radius that filters: without a city there is nothing to measure from.
pub(crate) fn radius_metres(questionnaire: &Questionnaire) -> Option<u32> {
    questionnaire.city.as_ref().and(questionnaire.radius_metres)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale() -> DistanceScale {
        DistanceScale::new(Anchor {
            zero: 600.0,
            full: 20.0,
        })
    }

    /// Prevents a distance from being worth more or less than the published formula says.
    #[test]
    fn a_distance_is_worth_its_place_between_the_anchors() {
        let home = UnitVector::from_degrees(-23.5, -46.6);
        let mut before = 255;
        for step in 0..700 {
            let away = UnitVector::from_degrees(-23.5 + f64::from(step) * 0.01, -46.6);
            let km = home.distance_km(away);
            let exact = (255.0 * ((km - 600.0) / -580.0).clamp(0.0, 1.0)).round() as u8;
            let worth = scale().utility(home.dot(away));
            assert_eq!(worth, exact, "{km} km");
            assert!(worth <= before, "{km} km");
            before = worth;
        }
        assert_eq!(before, 0);
    }

    /// Prevents two worths from beginning at one distance, or in the wrong order.
    #[test]
    fn thresholds_rise_with_the_worth() {
        assert!(scale().0.is_sorted_by(|a, b| a < b));
    }
}
