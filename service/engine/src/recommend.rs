//! One questionnaire against one catalogue: filter, score, keep the best, explain those.

use std::cmp::Reverse;

use crate::{
    catalogue::{Catalogue, CatalogueCar},
    cost,
    explanation::{Explanation, Standing, explain},
    facts::FactSource,
    figures::{count, list, money, thousands},
    filters::Filters,
    labels::filter_phrase,
    proximity::Proximity,
    questionnaire::Questionnaire,
    ranking::Scoring,
    recommendation::{Alternative, Filter, FilterCount, Recommendation, Recommended},
    relaxation::Relaxation,
    scan::{self, Found, InstructionSet},
};

/// How many of the heaviest qualities are named.
const TOP_PRIORITIES: usize = 3;

pub(crate) fn recommend<'catalogue>(
    catalogue: &'catalogue Catalogue,
    questionnaire: &Questionnaire,
) -> Recommendation<'catalogue> {
    let scoring = Scoring::of(questionnaire, catalogue);
    let filters = Filters::of(questionnaire, catalogue, &scoring.proximity);
    let Found {
        available,
        matching,
        filters: filter_counts,
        best,
    } = scan::search(
        catalogue,
        &filters,
        &scoring,
        questionnaire.limit,
        InstructionSet::widest(),
    );

    let source = FactSource {
        questionnaire,
        scoring: &scoring,
        tables: catalogue.tables(),
    };
    let found: Vec<usize> = best.iter().map(|(ordinal, _)| *ordinal).collect();
    let cars = best
        .into_iter()
        .enumerate()
        .map(|(place, (ordinal, _))| {
            let standing = if place == 0 {
                Standing::Best
            } else {
                Standing::Among
            };
            recommended(catalogue, source, catalogue.at(ordinal), standing)
        })
        .collect();
    let relaxation = Relaxation::of(catalogue, questionnaire, &filters, &scoring);
    let alternatives = if matching < questionnaire.limit {
        alternatives(
            catalogue,
            source,
            &relaxation,
            &found,
            questionnaire.limit - matching,
        )
    } else {
        Vec::new()
    };
    let (message, suggestion) = if matching == 0 {
        let (message, suggestion) = nothing_matches(
            catalogue,
            source,
            &filters,
            &relaxation,
            &filter_counts,
            available,
        );
        (Some(message), suggestion)
    } else {
        (None, None)
    };
    Recommendation {
        matching,
        available,
        cars,
        alternatives,
        filters: filter_counts,
        weights: scoring.weights.taking_part().collect(),
        top_priorities: scoring.weights.heaviest(TOP_PRIORITIES),
        message,
        suggestion,
    }
}

fn recommended<'catalogue>(
    catalogue: &'catalogue Catalogue,
    source: FactSource<'_>,
    car: &'catalogue CatalogueCar,
    standing: Standing,
) -> Recommended<'catalogue> {
    let dealership = &catalogue.dealerships()[car.dealership];
    let Explanation {
        match_tenths,
        contributions,
        justification,
        attention_points,
    } = explain(source, car, standing);
    let cost = cost::of(
        car,
        &dealership.state,
        source.questionnaire,
        source.tables,
        catalogue.reference_date(),
    );
    Recommended {
        car,
        dealership,
        match_tenths,
        contributions,
        justification,
        attention_points,
        cost,
        distance_km: source.scoring.proximity.distance_km(car.place),
    }
}

/// Cars that come close, each saying what was given up for it.
fn alternatives<'catalogue>(
    catalogue: &'catalogue Catalogue,
    source: FactSource<'_>,
    relaxation: &Relaxation<'_>,
    found: &[usize],
    limit: usize,
) -> Vec<Alternative<'catalogue>> {
    relaxation
        .nearest(found, limit)
        .into_iter()
        .map(|near| {
            let car = catalogue.at(near.ordinal);
            let mut recommended = recommended(catalogue, source, car, Standing::Alternative);
            let given_up = relaxation.given_up(&near.relaxed, source.questionnaire);
            recommended.attention_points.push(given_up);
            Alternative {
                recommended,
                relaxed: near.relaxed,
            }
        })
        .collect()
}

/// Which wish emptied the list and what to change: the filter that alone keeps most cars away; when none does so
/// alone, the first step of relaxation that yields a car; when no step does, the fewest filters that together keep it
/// away.
fn nothing_matches(
    catalogue: &Catalogue,
    source: FactSource<'_>,
    filters: &Filters<'_>,
    relaxation: &Relaxation<'_>,
    counts: &[FilterCount],
    available: usize,
) -> (String, Option<String>) {
    let questionnaire = source.questionnaire;
    let on_offer = catalogue.cars().filter(|car| car.available);
    let Some((to_change, gained)) = filters.smallest_change(on_offer) else {
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
