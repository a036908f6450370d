//! What comes close when too little passes.

use faciliauto_engine::{Car, Category, Filter, Gearbox, MustHave, Questionnaire};
use proptest::prelude::*;

use crate::{
    fixtures::{Adjectives, catalogue, catalogue_in, onix, questionnaire, reais},
    relations::{any_buyer, any_cars},
};

fn automatic(id: &str) -> Car {
    Car {
        gearbox: Gearbox::Automatic,
        ..onix(id)
    }
}

/// An automatic hatch within 50 km of Santos, up to R$ 90.000.
fn picky() -> Questionnaire {
    Questionnaire {
        radius_metres: Some(50_000),
        must_haves: vec![MustHave::AutomaticGearbox, MustHave::Category(Category::Hatch)],
        ..questionnaire().living_in("Santos/SP")
    }
}

/// Prevents a short list from staying short, from being filled with cars of another order, or from hiding what was
/// given up.
#[test]
fn missing_cars_are_made_up_for_step_by_step() {
    let in_santos = |car: Car| (car, "Santos/SP");
    let catalogue = catalogue_in(vec![
        in_santos(automatic("passes")),
        (automatic("far"), "Rio de Janeiro/RJ"),
        in_santos(onix("manual")),
        (onix("manual-and-far"), "Rio de Janeiro/RJ"),
        in_santos(Car {
            category: Category::Sedan,
            ..automatic("sedan")
        }),
        in_santos(Car {
            price: reais(99_000),
            ..automatic("dear")
        }),
        in_santos(Car {
            price: reais(99_001),
            ..automatic("too-dear")
        }),
    ]);
    let needed = |limit| -> Vec<(String, Vec<String>)> {
        let answer = catalogue.recommend(&picky().with_limit(limit));
        assert_eq!(answer.cars.len(), 1);
        answer
            .alternatives
            .iter()
            .map(|near| {
                let relaxed = near.relaxed.iter().map(|filter| filter.word().into_owned());
                (near.recommended.car.car.id.clone(), relaxed.collect())
            })
            .collect()
    };
    let expected: Vec<(String, Vec<String>)> = [
        ("far", &["raio_maximo_km"][..]),
        ("manual", &["cambio_automatico"]),
        ("manual-and-far", &["raio_maximo_km", "cambio_automatico"]),
        ("sedan", &["categoria:Hatch"]),
        ("dear", &["orcamento_max"]),
    ]
    .map(|(id, words)| {
        (
            id.to_owned(),
            words.iter().map(|word| (*word).to_owned()).collect(),
        )
    })
    .to_vec();
    assert_eq!(needed(10), expected);
    assert_eq!(needed(3), expected[..2]);
    assert_eq!(needed(1), []);
}

/// Prevents an alternative from being praised like a match, or from hiding that it costs more than was asked.
#[test]
fn an_alternative_says_what_was_given_up() {
    let dear = Car {
        price: reais(95_000),
        ..onix("dear")
    };
    let answer = catalogue(vec![dear]);
    let answer = answer.recommend(&questionnaire());
    let near = &answer.alternatives[0].recommended;
    assert_eq!(
        near.attention_points.last().map(String::as_str),
        Some("Fora do que você pediu: deixamos de lado o orçamento máximo de R$ 90.000 (até 10% acima).")
    );
    let price = near
        .contributions
        .iter()
        .find(|part| part.criterion.word() == "preco")
        .unwrap();
    assert_eq!(
        (price.points_tenths, &*price.fact),
        (0, "R$ 95.000, R$ 5.000 acima do seu limite")
    );
}

/// Prevents what a buyer must not be offered: nothing but the four steps is ever given up.
#[test]
fn nothing_else_is_given_up() {
    let catalogue = catalogue(vec![onix("a")]);
    for asking in [
        Questionnaire {
            family_size: Some(7),
            ..questionnaire()
        },
        Questionnaire {
            rejected_brands: vec!["chevrolet".to_owned()],
            ..questionnaire()
        },
        Questionnaire {
            year_minimum: Some(2023),
            ..questionnaire()
        },
        Questionnaire {
            odometer_maximum_km: Some(10_000),
            ..questionnaire()
        },
        Questionnaire {
            must_haves: vec![MustHave::Fuel(faciliauto_engine::Fuel::Diesel)],
            ..questionnaire()
        },
        Questionnaire {
            must_haves: vec![MustHave::Equipment("teto_solar")],
            ..questionnaire()
        },
    ] {
        let answer = catalogue.recommend(&asking);
        assert_eq!(
            (answer.cars.len(), answer.alternatives.len()),
            (0, 0),
            "{asking:?}"
        );
    }
}

/// Prevents a suggestion that contradicts the alternatives shown below it, or promises another number of cars.
#[test]
fn the_suggestion_names_the_first_step_that_yields_a_car() {
    let catalogue = catalogue_in(vec![
        (onix("a"), "Rio de Janeiro/RJ"),
        (onix("b"), "Rio de Janeiro/RJ"),
        (
            Car {
                category: Category::Sedan,
                ..onix("c")
            },
            "Rio de Janeiro/RJ",
        ),
    ]);
    let answer = catalogue.recommend(&picky());
    assert_eq!(
        answer.suggestion.as_deref(),
        Some(
            "Reveja ao mesmo tempo o raio de 50 km e a exigência de câmbio automático: assim, 2 carros atendem a todo o \
             resto do seu pedido."
        )
    );
    assert_eq!(answer.alternatives.len(), 3);
    let only_far = Questionnaire {
        must_haves: Vec::new(),
        ..picky()
    };
    assert_eq!(
        catalogue.recommend(&only_far).suggestion.as_deref(),
        Some(
            "Reveja o raio de 50 km: sem isso, 3 carros atendem a todo o resto do seu pedido; o mais próximo fica a 342 km."
        )
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Prevents a car from standing in both lists, more cars than were asked for, and alternatives that need nothing.
    #[test]
    fn alternatives_fill_what_is_missing_and_repeat_nothing(
        cars in any_cars(24),
        buyer in any_buyer(),
        limit in 1_usize..12,
    ) {
        let catalogue = catalogue(cars);
        let buyer = Questionnaire {
            must_haves: vec![MustHave::AutomaticGearbox, MustHave::Category(Category::Suv)],
            limit,
            ..buyer
        };
        let answer = catalogue.recommend(&buyer);
        prop_assert!(answer.cars.len() + answer.alternatives.len() <= limit);
        let listed: Vec<&str> = answer.cars.iter().map(|best| best.car.car.id.as_str()).collect();
        let most = buyer.budget_maximum.0 + buyer.budget_maximum.0 / 10;
        for near in &answer.alternatives {
            let car = &near.recommended.car.car;
            prop_assert!(!listed.contains(&car.id.as_str()));
            prop_assert!(!near.relaxed.is_empty());
            prop_assert_eq!(near.relaxed.contains(&Filter::Budget), car.price > buyer.budget_maximum);
            prop_assert!(car.price.0 <= most);
        }
    }
}
