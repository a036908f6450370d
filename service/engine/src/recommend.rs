//! One questionnaire against one catalogue: filter, score, keep the best, explain those.
//!
//! The reference implementation: one pass that allocates nothing per car, plain enough to check a faster one against.

use std::cmp::Reverse;

use crate::{
    catalogue::{Catalogue, CatalogueCar},
    comparison::{compare, price_to_be_first},
    cost::Accounts,
    diversity::{Candidate, Traits, diversify},
    explanation::{Explanation, Judgement, explain},
    facts::FactSource,
    figures::{count, list, money, thousands},
    filters::{Failures, Filters},
    labels::filter_phrase,
    questionnaire::Questionnaire,
    ranking::{Scoring, TopKeys, ordinal_of, rank_key, score_of},
    recommendation::{Filter, FilterCount, Recommendation, Recommended},
};

/// How many of the heaviest qualities are named.
const TOP_PRIORITIES: usize = 3;

pub(crate) fn recommend<'catalogue>(
    catalogue: &'catalogue Catalogue,
    questionnaire: &Questionnaire,
) -> Recommendation<'catalogue> {
    let filters = Filters::of(questionnaire, catalogue);
    let scoring = Scoring::of(questionnaire, catalogue);
    let rules = &catalogue.tables().criteria.diversity;
    // One more than is answered: the last car too is compared with the next.
    let places = questionnaire.limit.saturating_add(1);
    let depth = if questionnaire.diversify {
        places.max(rules.candidates)
    } else {
        places
    };
    let mut best = TopKeys::new(depth.min(catalogue.cars().len()));
    let (mut matching, mut available) = (0, 0);
    let judged = catalogue
        .cars()
        .iter()
        .enumerate()
        .filter(|(_, car)| car.available)
        .map(|(ordinal, car)| {
            let failures: Failures = filters.failures(car);
            available += 1;
            if failures.none() {
                matching += 1;
                best.offer(rank_key(scoring.score(car), car, ordinal));
            }
            failures
        });
    let filter_counts = filters.count(judged);

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
            traits: Traits::of(&catalogue.cars()[ordinal_of(key)]),
        });
        diversify(candidates, rules, places.min(matching))
    } else {
        pure_order.take(places).map(ordinal_of).collect()
    };
    let judgements: Vec<Judgement<'_>> = order
        .into_iter()
        .map(|ordinal| Judgement::of(&scoring, &catalogue.cars()[ordinal], ordinal))
        .collect();
    let accounts = Accounts::of(questionnaire, catalogue.tables(), &catalogue.dated);
    let cars = judgements
        .iter()
        .take(questionnaire.limit)
        .enumerate()
        .map(|(place, judgement)| {
            let next = judgements.get(place + 1);
            let dealership = &catalogue.dealerships()[judgement.car.dealership];
            let Explanation {
                contributions,
                justification,
                attention_points,
            } = explain(source, judgement, place == 0);
            Recommended {
                car: judgement.car,
                dealership,
                match_tenths: judgement.match_tenths,
                contributions,
                justification,
                attention_points,
                cost: accounts.of_car(judgement.car, &dealership.state),
                comparison: next.map(|next| compare(source, judgement, next)),
                // The first is the same with and without variety.
                price_to_be_first: price_to_be_first(source, judgement, &judgements[0]),
            }
        })
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

/// Which wish emptied the list and what to change: the filter that alone keeps most cars away; when none does so
/// alone, the fewest that do so together.
fn nothing_matches(
    catalogue: &Catalogue,
    filters: &Filters<'_>,
    counts: &[FilterCount],
    questionnaire: &Questionnaire,
    available: usize,
) -> (String, Option<String>) {
    let on_offer = catalogue.cars().iter().filter(|car| car.available);
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
