//! One questionnaire against one catalogue: filter, score, keep the best, explain those.

use std::cmp::Reverse;

use crate::{
    catalogue::{Catalogue, CatalogueCar},
    cost,
    explanation::{Explanation, explain},
    facts::FactSource,
    figures::{count, list, money, thousands},
    filters::Filters,
    labels::filter_phrase,
    questionnaire::Questionnaire,
    ranking::Scoring,
    recommendation::{Filter, FilterCount, Recommendation, Recommended},
    scan::{self, Found, InstructionSet},
};

/// How many of the heaviest qualities are named.
const TOP_PRIORITIES: usize = 3;

pub(crate) fn recommend<'catalogue>(
    catalogue: &'catalogue Catalogue,
    questionnaire: &Questionnaire,
) -> Recommendation<'catalogue> {
    let filters = Filters::of(questionnaire, catalogue);
    let scoring = Scoring::of(questionnaire, catalogue);
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
    let cars = best
        .into_iter()
        .enumerate()
        .map(|(place, (ordinal, _))| recommended(catalogue, source, catalogue.at(ordinal), place == 0))
        .collect();
    let (message, suggestion) = if matching == 0 {
        let (message, suggestion) =
            nothing_matches(catalogue, &filters, &filter_counts, questionnaire, available);
        (Some(message), suggestion)
    } else {
        (None, None)
    };
    Recommendation {
        matching,
        available,
        cars,
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
    best: bool,
) -> Recommended<'catalogue> {
    let dealership = &catalogue.dealerships()[car.dealership];
    let Explanation {
        match_tenths,
        contributions,
        justification,
        attention_points,
    } = explain(source, car, best);
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
    }
}

/// Which wish emptied the list and what to change: the filter that alone keeps most cars away; when none does so
/// alone, the fewest that do so together.
fn nothing_matches(
    catalogue: &Catalogue,
    filters: &Filters<'_>,
    counts: &[FilterCount],
    questionnaire: &Questionnaire,
    available: usize,
) -> (String, Option<String>) {
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
        let nearest = nearest(filter, &gained)
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
        Some(format!(
            "Reveja ao mesmo tempo {}: sem isso, {gain}.",
            list(&phrases)
        )),
    )
}

/// How far the buyer would have to go for the first of the cars that one filter keeps away.
fn nearest(filter: &Filter, cars: &[&CatalogueCar]) -> Option<String> {
    let cars = cars.iter().map(|car| &car.car);
    let (one, figure) = match filter {
        Filter::Budget => ("o mais barato custa", cars.map(|car| car.price).min().map(money)?),
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
