//! The formula as plain numbers, for other programs: whoever computes it finds the same cars with the same scores.

use std::cmp::Reverse;

use faciliauto_engine::{
    Catalogue, Category, Criterion, MustHave, Quality, Questionnaire,
    reference::{self, Formula, Row},
    synthetic,
};

use crate::fixtures::{Adjectives, TODAY, questionnaire, tables};

/// The documentation of [`Formula`], word for word.
fn score(formula: &Formula, row: &Row) -> u32 {
    let terms = formula.weights.iter().zip(row.utilities.iter().zip(&row.known));
    let worth = terms.map(|((criterion, weight), (utility, known))| {
        let utility = i64::from(*utility);
        let counted = if *criterion == Criterion::Price {
            price(formula, row.price)
        } else if !formula.guarded.contains(criterion) {
            utility
        } else if *known {
            (utility - (i64::from(formula.threshold) - utility).max(0)).max(0)
        } else {
            i64::from(formula.guarded_gap)
        };
        i64::from(*weight) * counted
    });
    u32::try_from(worth.sum::<i64>()).unwrap()
}

fn price(formula: &Formula, centavos: u64) -> i64 {
    let signed = |value: u64| i64::try_from(value).unwrap();
    let hundreds = signed(centavos / 10_000);
    if hundreds <= signed(formula.price_minimum) {
        return 255;
    }
    let below = (signed(formula.price_maximum) - hundreds).clamp(0, signed(formula.price_range));
    (below * signed(formula.price_step) + 32_768) >> 16
}

/// Prevents a comparison with other programs that compute something else than the engine does.
#[test]
fn the_formula_says_all_that_decides() {
    let stock = synthetic::stock(tables(), 5000, TODAY, 11);
    let catalogue = Catalogue::build(stock, tables(), TODAY, "test.1".to_owned()).unwrap();
    let plain = Questionnaire {
        must_haves: vec![MustHave::Category(Category::Suv)],
        ..questionnaire()
    };
    let guarded = plain
        .clone()
        .with_priority(Quality::Safety, 5)
        .with_priority(Quality::Comfort, 5);
    let wishing = Questionnaire {
        preferred_brands: vec!["toyota".to_owned()],
        ..guarded.clone()
    };
    for buyer in [plain, guarded, wishing] {
        let formula = reference::formula(&catalogue, &buyer);
        assert_eq!(formula.weights.iter().map(|(_, weight)| weight).sum::<u16>(), 256);
        let mut found: Vec<(u32, Row)> = reference::rows(&catalogue, &buyer)
            .filter(|row| row.on_offer && row.category == Category::Suv)
            .filter(|row| row.price <= buyer.budget_maximum.0)
            .map(|row| (score(&formula, &row), row))
            .collect();
        found.sort_by_key(|(score, row)| {
            (
                Reverse(*score),
                row.price,
                row.odometer_km,
                Reverse(row.year),
                row.ordinal,
            )
        });
        let found: Vec<(usize, u32)> = found
            .into_iter()
            .map(|(score, row)| (row.ordinal, score))
            .collect();
        assert_eq!(found, reference::search(&catalogue, &buyer, 5000).best);
    }
}
