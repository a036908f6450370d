//! What rules a car out, how it is counted, and what is said when nothing is left.

use faciliauto_engine::{
    Car, Catalogue, Category, Filter, FilterCount, Fuel, Gearbox, MustHave, Quality, Questionnaire,
    Recommendation, Usage,
};
use jiff::ToSpan;

use crate::fixtures::{
    Adjectives, TODAY, catalogue, dealership, onix, questionnaire, reais, stock, stranger, tables,
};

fn count(filter: Filter, removed: usize, removed_only: usize, unknown: usize) -> FilterCount {
    FilterCount {
        filter,
        removed,
        removed_only,
        unknown,
    }
}

/// Prevents a filter from counting cars that another one alone is to blame for, or gaps as refusals.
#[test]
fn each_filter_counts_for_itself() {
    let dear = Car {
        price: reais(90_001),
        ..onix("dear")
    };
    let old = Car {
        year: 2019,
        ..onix("old")
    };
    let dear_and_old = Car {
        price: reais(95_000),
        year: 2019,
        ..onix("dear-and-old")
    };
    let worn = Car {
        odometer_km: 80_001,
        ..onix("worn")
    };
    let fiat = Car {
        brand: "Fiat".to_owned(),
        model: "Argo".to_owned(),
        ..onix("fiat")
    };
    let silent = Car {
        year: 2022,
        ..stranger("silent")
    };
    let bare = Car {
        equipment: Some(Vec::new()),
        ..stranger("bare")
    };
    let fine = Car {
        price: reais(90_000),
        ..onix("fine")
    };
    let catalogue = catalogue(vec![dear, old, dear_and_old, worn, fiat, silent, bare, fine]);
    let answer = catalogue.recommend(&Questionnaire {
        family_size: Some(6),
        rejected_brands: vec!["fiat".to_owned(), "ferrari".to_owned()],
        year_minimum: Some(2020),
        year_maximum: Some(2022),
        odometer_maximum_km: Some(80_000),
        must_haves: vec![MustHave::Equipment("isofix")],
        ..questionnaire()
    });
    // Six people: the Onix has five seats, a stranger's are not known.
    assert_eq!(
        answer.filters,
        [
            count(Filter::Budget, 2, 0, 0),
            count(Filter::Seats, 8, 1, 2),
            count(Filter::RejectedBrands, 1, 0, 0),
            count(Filter::YearMinimum, 2, 0, 0),
            count(Filter::YearMaximum, 0, 0, 0),
            count(Filter::OdometerMaximum, 1, 0, 0),
            count(Filter::MustHave(MustHave::Equipment("isofix")), 2, 0, 1),
        ]
    );
    assert_eq!((answer.available, answer.matching), (8, 0));
}

/// Prevents a small family from losing cars whose seats nobody wrote down.
#[test]
fn unknown_seats_fail_only_a_large_family() {
    let catalogue = catalogue(vec![stranger("a")]);
    for (people, matching) in [(1, 1), (5, 1), (6, 0), (20, 0)] {
        let answer = catalogue.recommend(&Questionnaire {
            family_size: Some(people),
            ..questionnaire()
        });
        assert_eq!(answer.matching, matching, "{people}");
    }
}

/// Prevents a cheap car from dropping out: the minimum budget is no filter, and the label says why it is there.
#[test]
fn a_car_below_the_budget_is_in_and_says_so() {
    let catalogue = catalogue(vec![Car {
        price: reais(30_000),
        ..onix("a")
    }]);
    let answer = catalogue.recommend(&questionnaire());
    let price = answer.cars[0]
        .contributions
        .iter()
        .find(|part| part.criterion.word() == "preco")
        .unwrap();
    assert_eq!(
        (price.missed_tenths, &*price.fact),
        (0, "R$ 30.000, abaixo do seu orçamento")
    );
}

/// Prevents a driver for an app from being offered cars that no app takes, or of which nobody knows.
#[test]
fn app_drivers_get_cars_that_an_app_takes() {
    let pickup = Car {
        brand: "Fiat".to_owned(),
        model: "Strada".to_owned(),
        version: Some("1.3".to_owned()),
        category: Category::Pickup,
        ..onix("pickup")
    };
    let catalogue = catalogue(vec![onix("onix"), pickup, stranger("stranger")]);
    let answer = catalogue.recommend(&Questionnaire {
        usage: Usage::PassengerTransport,
        ..questionnaire()
    });
    assert_eq!(answer.filters[1], count(Filter::AppClass, 2, 2, 1));
    assert_eq!(answer.cars[0].car.car.id, "onix");
}

/// Prevents a required fuel, body or gearbox from being taken for a wish.
#[test]
fn must_haves_filter() {
    let cvt = Car {
        gearbox: Gearbox::Cvt,
        fuel: Fuel::Gasoline,
        ..stranger("cvt")
    };
    let catalogue = catalogue(vec![onix("onix"), cvt]);
    for (must_have, id) in [
        (MustHave::AutomaticGearbox, "cvt"),
        (MustHave::Fuel(Fuel::Gasoline), "cvt"),
        (MustHave::Fuel(Fuel::Flex), "onix"),
        (MustHave::Category(Category::Suv), "cvt"),
        (MustHave::Equipment("controle_estabilidade"), "onix"),
    ] {
        let answer = catalogue.recommend(&Questionnaire {
            must_haves: vec![must_have.clone()],
            ..questionnaire()
        });
        let ids: Vec<&str> = answer.cars.iter().map(|best| best.car.car.id.as_str()).collect();
        assert_eq!(ids, [id], "{must_have:?}");
    }
}

/// Prevents old advertisements from being recommended, and sample stock from growing old.
#[test]
fn stock_goes_stale() {
    let confirmed = |id: &str, days: i64| Car {
        sample: false,
        confirmed_on: Some(TODAY.checked_sub(days.days()).unwrap()),
        ..onix(id)
    };
    let never = Car {
        sample: false,
        ..onix("never")
    };
    let sold = Car {
        available: false,
        ..onix("sold")
    };
    let closed = Car {
        dealership_id: "closed".to_owned(),
        ..onix("closed")
    };
    let mut stock = stock(vec![
        confirmed("d-1", -1),
        confirmed("d14", 14),
        confirmed("d15", 15),
        confirmed("d45", 45),
        confirmed("d46", 46),
        never,
        sold,
        closed,
        onix("sample"),
    ]);
    let mut closed = dealership("closed");
    closed.active = false;
    stock.dealerships.push(closed);
    let catalogue = Catalogue::build(stock, tables(), TODAY, "test".to_owned()).unwrap();
    let available: Vec<&str> = catalogue
        .cars()
        .filter(|car| catalogue.is_available(car))
        .map(|car| car.car.id.as_str())
        .collect();
    assert_eq!(available, ["d-1", "d14", "d15", "d45", "sample"]);
    let answer = catalogue.recommend(&questionnaire());
    let stale: Vec<(&str, &str)> = answer
        .cars
        .iter()
        .filter_map(|best| {
            let last = best.attention_points.last()?;
            last.starts_with("Anúncio")
                .then_some((best.car.car.id.as_str(), last.as_str()))
        })
        .collect();
    assert_eq!(
        stale,
        [
            ("d15", "Anúncio sem atualização há 15 dias."),
            ("d45", "Anúncio sem atualização há 45 dias.")
        ]
    );
}

fn said<'answer>(answer: &'answer Recommendation<'_>) -> (&'answer str, &'answer str) {
    (
        answer.message.as_deref().unwrap(),
        answer.suggestion.as_deref().unwrap(),
    )
}

/// Prevents an empty list from blaming a wish that did not empty it, or promising cars that would not come.
#[test]
fn an_empty_list_says_what_emptied_it() {
    let dear = Car {
        price: reais(95_000),
        ..onix("dear")
    };
    let dearer = Car {
        price: reais(99_900),
        ..onix("dearer")
    };
    let old = Car {
        year: 2019,
        ..onix("old")
    };
    let catalogue = catalogue(vec![dear, dearer, old]);
    let asking = Questionnaire {
        year_minimum: Some(2020),
        ..questionnaire()
    };
    assert_eq!(
        said(&catalogue.recommend(&asking)),
        (
            "Nenhum dos 3 carros disponíveis atende a tudo o que você pediu. O que mais limita a busca é o orçamento \
             máximo de R$ 90.000.",
            "Reveja o orçamento máximo de R$ 90.000: sem isso, 2 carros atendem a todo o resto do seu pedido; o mais \
             barato custa R$ 95.000."
        )
    );
    let asking = Questionnaire {
        budget_maximum: reais(100_000),
        year_minimum: Some(2023),
        ..questionnaire()
    };
    assert_eq!(
        said(&catalogue.recommend(&asking)).1,
        "Reveja o ano mínimo de 2023: sem isso, 3 carros atendem a todo o resto do seu pedido; o mais novo é de 2022."
    );
    let asking = Questionnaire {
        must_haves: vec![MustHave::AutomaticGearbox],
        year_minimum: Some(2023),
        ..questionnaire()
    };
    assert_eq!(
        said(&catalogue.recommend(&asking)),
        (
            "Nenhum dos 3 carros disponíveis atende a tudo o que você pediu. O que mais elimina carros é o ano mínimo de \
             2023 (3 de 3), mas não sozinho.",
            "Reveja ao mesmo tempo o ano mínimo de 2023 e a exigência de câmbio automático: sem isso, 1 carro atende a \
             todo o resto do seu pedido."
        )
    );
}

/// Prevents auction and accident from hiding behind a good match, and praise for what is also reproached.
#[test]
fn auction_and_accident_come_first() {
    let catalogue = catalogue(vec![Car {
        auction: Some(true),
        accident: Some(true),
        price: reais(40_000),
        ..onix("a")
    }]);
    let answer = catalogue.recommend(&questionnaire().with_priority(Quality::Space, 4));
    let best = &answer.cars[0];
    assert_eq!(
        best.attention_points,
        [
            "Veículo de leilão, segundo o anúncio.",
            "Teve sinistro registrado, segundo o anúncio.",
            "Espaço mediano: porta-malas de 303 l e 5 lugares.",
            "Desempenho fraco: 82 cv para 1.034 kg (79 cv/t).",
        ]
    );
    assert_eq!(
        best.justification,
        "Preço muito bom para o seu orçamento: R$ 40.000, abaixo do seu orçamento. Bom nível de segurança: 5 estrelas no \
         Latin NCAP (teste de 2019), 6 airbags, controle de estabilidade e ISOFIX."
    );
}

/// Prevents praise where there is none to give: a car without a good reason is not dressed up with one.
#[test]
fn without_reasons_none_is_invented() {
    let dear = |id: &str| Car {
        price: reais(90_000),
        ..stranger(id)
    };
    let catalogue = catalogue(vec![dear("a"), dear("b")]);
    let answer = catalogue.recommend(&questionnaire());
    let said: Vec<&str> = answer
        .cars
        .iter()
        .map(|best| best.justification.as_str())
        .collect();
    assert_eq!(
        said,
        [
            "É a melhor opção disponível para o que você pediu.",
            "Está entre as melhores opções disponíveis para o que você pediu."
        ]
    );
}
