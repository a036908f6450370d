//! One questionnaire against one catalogue: filter, score, keep the best, explain those.

use std::cmp::Reverse;

use crate::{
    catalogue::{Catalogue, CatalogueCar},
    comparison::{compare, price_to_be_first},
    cost::Accounts,
    diversity::{Candidate, Traits, diversify},
    explanation::{Explanation, Judgement, Standing, explain},
    facts::FactSource,
    figures::{count, list, money, thousands},
    filters::Filters,
    labels::filter_phrase,
    proximity::Proximity,
    questionnaire::Questionnaire,
    ranking::{Scoring, ordinal_of, score_of},
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
    let rules = &catalogue.tables().criteria.diversity;
    // One more than is answered: the last car too is compared with the next.
    let places = questionnaire.limit.saturating_add(1);
    let depth = if questionnaire.diversify {
        places.max(rules.candidates)
    } else {
        places
    };
    let Found {
        available,
        matching,
        filters: filter_counts,
        best,
    } = scan::search(
        catalogue,
        &filters,
        &scoring,
        depth.min(catalogue.len()),
        InstructionSet::widest(),
    );

    let source = FactSource {
        questionnaire,
        scoring: &scoring,
        tables: catalogue.tables(),
    };
    let pure_order = best.into_descending();
    let order: Vec<usize> = if questionnaire.diversify {
        let candidates = pure_order.map(|key| Candidate {
            ordinal: ordinal_of(key),
            score: score_of(key),
            traits: Traits::of(catalogue.at(ordinal_of(key))),
        });
        diversify(candidates, rules, places.min(matching))
    } else {
        pure_order.take(places).map(ordinal_of).collect()
    };
    let judgements: Vec<Judgement<'_>> = order
        .into_iter()
        .map(|ordinal| Judgement::of(&scoring, catalogue.at(ordinal), ordinal))
        .collect();
    let accounts = Accounts::of(questionnaire, catalogue.tables(), &catalogue.dated);
    let cars = judgements
        .iter()
        .take(questionnaire.limit)
        .enumerate()
        .map(|(place, judgement)| {
            let standing = if place == 0 {
                Standing::Best
            } else {
                Standing::Among
            };
            Recommended {
                comparison: judgements
                    .get(place + 1)
                    .map(|next| compare(source, judgement, next)),
                // The first is the same with and without variety.
                price_to_be_first: price_to_be_first(source, judgement, &judgements[0]),
                ..recommended(catalogue, source, &accounts, judgement, standing)
            }
        })
        .collect();
    let relaxation = Relaxation::of(catalogue, questionnaire, &filters, &scoring);
    let alternatives = if matching < questionnaire.limit {
        // So few that all of them were judged.
        let found: Vec<usize> = judgements.iter().map(|judgement| judgement.ordinal).collect();
        let missing = questionnaire.limit - matching;
        alternatives(catalogue, source, &accounts, &relaxation, &found, missing)
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

/// A car with its reasons and its cost, apart from the others of the answer.
fn recommended<'catalogue>(
    catalogue: &'catalogue Catalogue,
    source: FactSource<'_, 'catalogue>,
    accounts: &Accounts<'catalogue, '_>,
    judgement: &Judgement<'catalogue>,
    standing: Standing,
) -> Recommended<'catalogue> {
    let car = judgement.car;
    let dealership = &catalogue.dealerships()[car.dealership];
    let Explanation {
        contributions,
        justification,
        attention_points,
    } = explain(source, judgement, standing);
    Recommended {
        car,
        dealership,
        match_tenths: judgement.match_tenths,
        contributions,
        justification,
        attention_points,
        cost: accounts.of_car(car, &dealership.state),
        distance_km: source.scoring.proximity.distance_km(car.place),
        comparison: None,
        price_to_be_first: None,
    }
}

/// Cars that come close, each saying what was given up for it.
fn alternatives<'catalogue>(
    catalogue: &'catalogue Catalogue,
    source: FactSource<'_, 'catalogue>,
    accounts: &Accounts<'catalogue, '_>,
    relaxation: &Relaxation<'_>,
    found: &[usize],
    limit: usize,
) -> Vec<Alternative<'catalogue>> {
    relaxation
        .nearest(found, limit)
        .into_iter()
        .map(|near| {
            let judgement = Judgement::of(source.scoring, catalogue.at(near.ordinal), near.ordinal);
            let mut recommended = recommended(catalogue, source, accounts, &judgement, Standing::Alternative);
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
    source: FactSource<'_, '_>,
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
