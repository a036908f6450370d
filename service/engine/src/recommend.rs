//! One questionnaire against one catalogue: filter, score, keep the best, explain those.

use crate::{
    catalogue::Catalogue,
    comparison::{compare, price_to_be_first},
    diversity::{Candidate, Traits, diversify, unlikeness},
    explanation::{Explanation, Judgement, Standing, explain},
    facts::FactSource,
    filters::Filters,
    no_match,
    questionnaire::Questionnaire,
    ranking::{Scoring, ordinal_of, score_of},
    recommendation::{Alternative, Recommendation, Recommended},
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
        InstructionSet::for_blocks(catalogue.blocks().len()),
    );

    let source = FactSource {
        questionnaire,
        scoring: &scoring,
        tables: catalogue.tables(),
    };
    let pure_order = best;
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
    let mut cars: Vec<Recommended<'_>> = judgements
        .iter()
        .take(questionnaire.limit)
        .enumerate()
        .map(|(place, judgement)| {
            let standing = if place == 0 {
                Standing::Best
            } else {
                Standing::Among
            };
            recommended(catalogue, source, judgement, standing)
        })
        .collect();
    for (place, judgement) in judgements.iter().enumerate().take(cars.len()) {
        // The first is the same with and without variety.
        cars[place].price_to_be_first = price_to_be_first(source, judgement, &judgements[0]);
        if let Some(next) = judgements.get(place + 1) {
            let facts = |place: usize| cars.get(place).map_or(&[][..], |car| &car.contributions);
            let comparison = compare(source, (judgement, facts(place)), (next, facts(place + 1)));
            cars[place].comparison = Some(comparison);
        }
    }
    let relaxation = Relaxation::of(catalogue, questionnaire, &filters, &scoring);
    let alternatives = if matching < questionnaire.limit {
        // So few that all of them were judged.
        let found: Vec<usize> = judgements.iter().map(|judgement| judgement.ordinal).collect();
        let missing = questionnaire.limit - matching;
        alternatives(catalogue, source, &relaxation, &found, missing)
    } else {
        Vec::new()
    };
    let (message, suggestion) = if matching == 0 {
        let (message, suggestion) = no_match::explain(
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
    let traits: Vec<Traits> = cars.iter().map(|car| Traits::of(car.car)).collect();
    Recommendation {
        diversity_thousandths: unlikeness(&traits, rules),
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

/// A car with its reasons, apart from the others of the answer.
fn recommended<'catalogue>(
    catalogue: &'catalogue Catalogue,
    source: FactSource<'_, 'catalogue>,
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
        ordinal: judgement.ordinal,
        dealership,
        match_tenths: judgement.match_tenths,
        contributions,
        justification,
        attention_points,
        distance_km: source.scoring.proximity.distance_km(car.place),
        comparison: None,
        price_to_be_first: None,
    }
}

/// Cars that come close, each saying what was given up for it.
fn alternatives<'catalogue>(
    catalogue: &'catalogue Catalogue,
    source: FactSource<'_, 'catalogue>,
    relaxation: &Relaxation<'_>,
    found: &[usize],
    limit: usize,
) -> Vec<Alternative<'catalogue>> {
    relaxation
        .nearest(found, limit)
        .into_iter()
        .map(|near| {
            let judgement = Judgement::of(source.scoring, catalogue.at(near.ordinal), near.ordinal);
            let mut recommended = recommended(catalogue, source, &judgement, Standing::Alternative);
            let given_up = relaxation.given_up(&near.relaxed, source.questionnaire);
            recommended.attention_points.push(given_up);
            Alternative {
                recommended,
                relaxed: near.relaxed,
            }
        })
        .collect()
}
