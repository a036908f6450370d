//! What single facts are worth, away from any questionnaire.

use faciliauto_engine::{Car, Category, Criterion, Fuel, Gearbox, Payment, Quality, Questionnaire};

use crate::{
    cost::cost_of_first,
    fixtures::{catalogue, onix, questionnaire, reais, stranger},
};

fn worth(car: Car, quality: Quality) -> u8 {
    catalogue(vec![car]).cars().next().unwrap().quality(quality)
}

/// Prevents age and odometer from wearing a car at another pace than published.
#[test]
fn age_and_distance_wear_a_car() {
    // Seven years, 150,000 km.
    let old = Car {
        year: 2019,
        odometer_km: 150_000,
        ..onix("a")
    };
    // 4 − 1 − 0.2 = 2.8 → 1.8/4·255 = 114.75
    assert_eq!(worth(old.clone(), Quality::Reliability), 115);
    // 0.13·1.35·(1 + 0.10·1.8) = 0.20709 → (0.45 − 0.20709)/0.35·255 = 176.98
    assert_eq!(worth(old, Quality::Maintenance), 177);
    // A class never falls below 1, which is worth nothing.
    let worn_out = Car {
        year: 2019,
        odometer_km: 900_000,
        ..onix("a")
    };
    assert_eq!(worth(worn_out.clone(), Quality::Reliability), 0);
    assert_eq!(worth(worn_out, Quality::Maintenance), 0);
}

/// Prevents seven seats from being worth no more than five, or two from counting as negative.
#[test]
fn seats_count_beside_the_boot() {
    let of = |brand: &str, model: &str, category, gearbox| Car {
        brand: brand.to_owned(),
        model: model.to_owned(),
        version: None,
        category,
        gearbox,
        ..onix("a")
    };
    // Commander, 233 l and 7 seats: (0.8·33/320 + 0.2)·255 = 72.04
    assert_eq!(
        worth(
            of("Jeep", "Commander", Category::Suv, Gearbox::Automatic),
            Quality::Space
        ),
        72
    );
    // Fiorino, 3,300 l and 2 seats: 0.8·255
    assert_eq!(
        worth(
            of("Fiat", "Fiorino", Category::Van, Gearbox::Manual),
            Quality::Space
        ),
        204
    );
    // Cronos, 525 l and 5 seats: (0.8 + 0.1)·255 = 229.5
    assert_eq!(
        worth(
            of("Fiat", "Cronos", Category::Sedan, Gearbox::Manual),
            Quality::Space
        ),
        230
    );
}

/// Prevents a seller's own list from being ignored where the model table knows nothing, and its gaps from being guessed.
#[test]
fn equipment_tells_of_a_model_that_nobody_knows() {
    let named = |words: &[&str]| Car {
        equipment: Some(words.iter().map(|word| (*word).to_owned()).collect()),
        ..stranger("a")
    };
    // 40 % of 50 for the stars + 30 for six airbags + 12 + 40 % of 8 = 65.2
    let safe = named(&["airbag_cortina", "controle_estabilidade"]);
    assert_eq!(worth(safe.clone(), Quality::Safety), 166);
    let catalogue = catalogue(vec![safe]);
    let answer = catalogue.recommend(&questionnaire());
    let fact = answer.cars[0]
        .contributions
        .iter()
        .find(|part| part.criterion == Criterion::Quality(Quality::Safety))
        .map(|part| &*part.fact);
    assert_eq!(
        fact,
        Some("sem nota do Latin NCAP, 6 airbags, controle de estabilidade e ISOFIX não informado")
    );
    // Side airbags are four: 20 + 20 + 12 + 3.2 = 55.2. Without a word on airbags nothing is known.
    assert_eq!(
        worth(
            named(&["airbag_lateral", "controle_estabilidade"]),
            Quality::Safety
        ),
        141
    );
    assert_eq!(worth(named(&["controle_estabilidade"]), Quality::Safety), 102);
    assert_eq!(
        worth(
            named(&["bancos_couro", "rodas_liga", "teto_solar"]),
            Quality::Comfort
        ),
        51
    );
}

/// Prevents a list that names little from taking away what every car of the model has.
#[test]
fn equipment_never_takes_away() {
    let terse = Car {
        equipment: Some(vec!["abs".to_owned()]),
        ..onix("a")
    };
    for quality in Quality::ALL {
        assert_eq!(
            worth(terse.clone(), quality),
            worth(onix("a"), quality),
            "{}",
            quality.word()
        );
    }
}

/// Prevents a buyer who wishes an automatic from losing points for a CVT, and the other way round.
#[test]
fn a_wish_for_an_automatic_is_met_by_any() {
    let points = |gearbox, wished| {
        let catalogue = catalogue(vec![Car {
            gearbox,
            ..stranger("a")
        }]);
        let answer = catalogue.recommend(&Questionnaire {
            preferred_gearboxes: vec![wished],
            ..questionnaire()
        });
        let wishes = answer.cars[0]
            .contributions
            .iter()
            .find(|part| part.criterion == Criterion::Preferences);
        wishes.unwrap().missed_tenths == 0
    };
    use Gearbox::{AutomatedManual, Automatic, Cvt, Manual};
    let met = |wished| [Manual, Automatic, Cvt, AutomatedManual].map(|gearbox| points(gearbox, wished));
    assert_eq!(met(Automatic), [false, true, true, true]);
    assert_eq!(met(Cvt), [false, false, true, false]);
    assert_eq!(met(Manual), [true, false, false, false]);
}

/// Prevents an old car from being reckoned as if it stood still: PR, 19 years, 13,100 − 7,600 is below 6,000 a year.
#[test]
fn even_an_old_car_is_driven() {
    let catalogue = catalogue(vec![Car {
        year: 2007,
        ..onix("a")
    }]);
    let assumption = &cost_of_first(&catalogue, &questionnaire()).assumptions[1];
    assert!(
        assumption.starts_with("Uso de 500 km por mês, média estimada em PR"),
        "{assumption}"
    );
    let payment = Payment {
        km_per_month: Some(1_234),
        ..Payment::default()
    };
    let buyer = Questionnaire {
        payment,
        ..questionnaire()
    };
    let assumption = &cost_of_first(&catalogue, &buyer).assumptions[1];
    assert!(
        assumption.starts_with("Uso de 1.234 km por mês, como você informou"),
        "{assumption}"
    );
}

/// Prevents a battery from being measured by the litre.
#[test]
fn an_electric_car_is_told_in_kwh() {
    let dolphin = Car {
        brand: "BYD".to_owned(),
        model: "Dolphin Mini".to_owned(),
        version: None,
        year: 2025,
        fuel: Fuel::Electric,
        gearbox: Gearbox::Automatic,
        category: Category::Compact,
        price: reais(88_000),
        ..onix("a")
    };
    let catalogue = catalogue(vec![dolphin]);
    let answer = catalogue.recommend(&questionnaire());
    let economy = answer.cars[0]
        .contributions
        .iter()
        .find(|part| part.criterion == Criterion::Quality(Quality::Economy))
        .unwrap();
    assert_eq!(
        (economy.missed_tenths, &*economy.fact),
        (0, "R$ 0,12 por km com eletricidade (12,2 kWh a cada 100 km)")
    );
}

/// Prevents a name that is made up where one was given, and one with holes where none was.
#[test]
fn a_car_has_a_name() {
    let named = |name: Option<&str>, version: Option<&str>| {
        let (name, version) = (name.map(str::to_owned), version.map(str::to_owned));
        catalogue(vec![Car {
            name,
            version,
            ..onix("a")
        }])
        .cars()
        .next()
        .unwrap()
        .display_name()
    };
    assert_eq!(named(Some("Onix do João"), Some("1.0")), "Onix do João");
    assert_eq!(named(Some(" "), Some("1.0 LT")), "Chevrolet Onix 1.0 LT");
    assert_eq!(named(None, Some("")), "Chevrolet Onix");
    assert_eq!(named(None, None), "Chevrolet Onix");
}

/// Prevents the family's score from leaving out one of its three parts: (91 + 204 + 153) / 765.
#[test]
fn the_family_score_is_a_mean() {
    let catalogue = catalogue(vec![onix("a")]);
    assert_eq!(catalogue.cars().next().unwrap().score_family(), 448.0 / 765.0);
}
