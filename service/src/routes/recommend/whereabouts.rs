//! Reads where a buyer is and how far a car may be.

use faciliauto_engine::{
    places::{Place, PlaceSearch},
    tables::Tables,
};

use super::questionnaire::Surroundings;
use crate::{fields::Fields, stock::rows};

/// More of a name than this is not repeated: an answer must not grow with what was sent.
const REPEATED_LETTERS: usize = 60;

pub(super) struct Whereabouts {
    pub(super) city: Option<Place>,
    /// The city's, where there is one.
    pub(super) state: Option<String>,
    pub(super) prioritise_near: bool,
    pub(super) radius_metres: Option<u32>,
}

/// A city that does not exist, or that several states have, is a mistake with the way out named; a radius without a
/// city is a contradiction, since there is nothing to measure from.
pub(super) fn whereabouts(
    fields: &mut Fields<'_>,
    surroundings: &mut Surroundings,
    tables: &Tables,
) -> Whereabouts {
    let (has_city, has_state) = (fields.has("city"), fields.has("state"));
    let state = rows::state(fields, "state");
    let typed = fields.text("city");
    // A state that was not understood would only bring a second mistake of the same cause.
    let city = typed
        .filter(|_| state.is_some() || !has_state)
        .and_then(|name| city(fields, &name, state.as_deref(), tables));
    let prioritise_near = fields.flag("priorizar_proximas");
    if prioritise_near == Some(true) && !has_city && !has_state {
        fields.warn(
            "priorizar_proximas",
            "não foi usado, porque faltam city e state: informe onde você está",
        );
    }
    // No two places in Brazil are 5,000 km apart.
    let radius_km = fields.number("raio_maximo_km", 1.0..=5_000.0);
    if radius_km.is_some() && !has_city {
        let pointer = fields.pointer("raio_maximo_km");
        let message = "só vale com uma cidade de onde medir: informe city ou retire raio_maximo_km";
        surroundings.contradiction(&pointer, "contradiction", message);
    }
    Whereabouts {
        state: city.as_ref().map(|city| city.state.to_owned()).or(state),
        city,
        prioritise_near: prioritise_near.unwrap_or(true),
        radius_metres: radius_km.map(|km| (km * 1000.0).round() as u32),
    }
}

fn city(fields: &mut Fields<'_>, name: &str, state: Option<&str>, tables: &Tables) -> Option<Place> {
    let repeated: String = name.trim().chars().take(REPEATED_LETTERS).collect();
    match tables.find_place(name, state) {
        PlaceSearch::Found(place) => Some(place),
        PlaceSearch::Ambiguous(states) => {
            let message = format!(
                "há mais de uma cidade com o nome {repeated:?}: informe também o estado ({})",
                alternatives(&states)
            );
            fields.error("state", "missing", message);
            None
        }
        PlaceSearch::Unknown(similar) => {
            let within = state.map(|state| format!(" em {state}")).unwrap_or_default();
            let hint = if similar.is_empty() {
                String::new()
            } else {
                format!("; você quis dizer {}?", alternatives(&similar))
            };
            let message = format!("não encontramos a cidade {repeated:?}{within}{hint}");
            fields.error("city", "unknown", message);
            None
        }
    }
}

/// `a`, `a ou b`, `a, b ou c`.
fn alternatives<Item: AsRef<str>>(items: &[Item]) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    match items.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} ou {last}", first.join(", ")),
        _ => items.concat(),
    }
}
