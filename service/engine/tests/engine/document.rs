//! The worked example of `docs/recommendation.md` is what the engine answers.

use faciliauto_engine::Criterion;

use crate::fixtures::{catalogue, onix, questionnaire};

const PAGE: &str = include_str!("../../../../docs/recommendation.md");

/// Prevents the page that explains the method from explaining another one.
#[test]
fn the_page_shows_what_the_engine_answers() {
    let catalogue = catalogue(vec![onix("a")]);
    let answer = catalogue.recommend(&questionnaire());
    let best = &answer.cars[0];
    let tenths = |tenths: u16| format!("{}.{}", tenths / 10, tenths % 10);
    let weight = |criterion: Criterion| {
        let found = answer.weights.iter().find(|(known, _)| *known == criterion);
        found.map(|(_, weight)| *weight).unwrap()
    };
    let answered: Vec<[String; 5]> = best
        .contributions
        .iter()
        .map(|part| {
            [
                format!("`{}`", part.criterion.word()),
                part.fact.to_string(),
                weight(part.criterion).to_string(),
                tenths(part.points_tenths),
                tenths(part.missed_tenths),
            ]
        })
        .collect();
    let shown: Vec<[String; 5]> = PAGE
        .lines()
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>())
        .filter_map(|cells| match cells[..] {
            ["", criterion, fact, worth, weight, points, missed, ""] if worth.parse::<u8>().is_ok() => {
                Some([criterion, fact, weight, points, missed].map(str::to_owned))
            }
            _ => None,
        })
        .collect();
    assert_eq!(shown, answered);
    assert!(PAGE.contains(&format!("**{} %**", tenths(best.match_tenths))));
}
