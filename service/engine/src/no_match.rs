//! What to say when no car passes: which wish is to blame, what to change, and what that would bring.

use std::cmp::Reverse;

use crate::{
    catalogue::{Catalogue, CatalogueCar},
    facts::FactSource,
    figures::{count, list, money, thousands},
    filters::Filters,
    labels::filter_phrase,
    proximity::Proximity,
    recommendation::{Filter, FilterCount},
    relaxation::Relaxation,
    scan,
};

/// Which wish emptied the list and what to change: the filter that alone keeps most cars away; when none does so
/// alone, the first step of relaxation that yields a car; when no step does, the fewest filters that together keep it
/// away.
pub(crate) fn explain(
    catalogue: &Catalogue,
    source: FactSource<'_, '_>,
    filters: &Filters<'_>,
    relaxation: &Relaxation<'_>,
    counts: &[FilterCount],
    available: usize,
) -> (String, Option<String>) {
    let questionnaire = source.questionnaire;
    let Some((to_change, gained)) = smallest_change(catalogue, filters) else {
        return ("Não há carros disponíveis no momento.".to_owned(), None);
    };
    let cars = |number: usize| count(number as u64, "carro", "carros");
    let stock = if available == 1 {
        "O único carro disponível não atende".to_owned()
    } else {
        format!("Nenhum dos {} disponíveis atende", cars(available))
    };
    let (verb, adverb) = if gained.len() == 1 {
        ("atende", "")
    } else {
        ("atendem", "")
    };
    let gain = format!(
        "{} {verb}{adverb} a todo o resto do seu pedido",
        cars(gained.len())
    );
    if let [filter] = to_change[..] {
        let gained: Vec<&CatalogueCar> = gained.iter().map(|ordinal| catalogue.at(*ordinal)).collect();
        let phrase = filter_phrase(filter, questionnaire);
        let nearest = nearest(filter, &gained, &source.scoring.proximity)
            .map(|nearest| format!("; {nearest}"))
            .unwrap_or_default();
        return (
            format!("{stock} a tudo o que você pediu. O que mais limita a busca é {phrase}."),
            Some(format!("Reveja {phrase}: sem isso, {gain}{nearest}.")),
        );
    }
    let phrases: Vec<String> = to_change
        .iter()
        .map(|filter| filter_phrase(filter, questionnaire))
        .collect();
    let removes_most = counts.iter().min_by_key(|count| Reverse(count.removed));
    let most = removes_most
        .map(|most| {
            let phrase = filter_phrase(&most.filter, questionnaire);
            format!(
                " O que mais elimina carros é {phrase} ({} de {available}), mas não sozinho.",
                most.removed
            )
        })
        .unwrap_or_default();
    (
        format!("{stock} a tudo o que você pediu.{most}"),
        relaxation.suggestion(questionnaire).or_else(|| {
            Some(format!(
                "Reveja ao mesmo tempo {}: sem isso, {gain}.",
                list(&phrases)
            ))
        }),
    )
}

/// How far the buyer would have to go for the first of the cars that one filter keeps away.
fn nearest(filter: &Filter, cars: &[&CatalogueCar], proximity: &Proximity<'_>) -> Option<String> {
    let places = cars.iter().map(|car| car.place);
    let cars = cars.iter().map(|car| &car.car);
    let (one, figure) = match filter {
        Filter::Budget => ("o mais barato custa", cars.map(|car| car.price).min().map(money)?),
        Filter::Radius => {
            let km = places.filter_map(|place| proximity.distance_km(place)).min()?;
            (
                "o mais próximo fica a",
                format!("{} km", thousands(u64::from(km))),
            )
        }
        Filter::YearMinimum => ("o mais novo é de", cars.map(|car| car.year).max()?.to_string()),
        Filter::YearMaximum => ("o mais antigo é de", cars.map(|car| car.year).min()?.to_string()),
        Filter::OdometerMaximum => {
            let km = cars.map(|car| car.odometer_km).min()?;
            ("o menos rodado tem", format!("{} km", thousands(u64::from(km))))
        }
        Filter::Seats | Filter::RejectedBrands | Filter::MustHave(_) | Filter::AppClass => return None,
    };
    Some(format!("{one} {figure}"))
}

/// The fewest filters that would have to go for any car to appear, and the places of the cars that then would; of
/// equally few those that would bring the most cars, then those reported first. `None` when no car is on offer.
fn smallest_change<'filters>(
    catalogue: &Catalogue,
    filters: &'filters Filters<'_>,
) -> Option<(Vec<&'filters Filter>, Vec<usize>)> {
    let (failed, cars) = scan::nearly_passing(catalogue, filters)
        .into_iter()
        .min_by_key(|(failed, cars)| (Reverse(cars.len()), *failed))?;
    Some((filters.named(failed).collect(), cars))
}
