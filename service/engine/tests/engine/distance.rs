//! How near a car is: worth, words, radius.

use faciliauto_engine::{
    Car, Catalogue, Contribution, Criterion, Filter, FilterCount, Questionnaire, UnitVector,
};
use proptest::prelude::*;

use crate::{
    fixtures::{
        Adjectives, TODAY, catalogue, catalogue_in, dealership, onix, order, place, questionnaire, reais,
        stock, tables,
    },
    relations::{any_buyer, any_cars, rank, without},
};

fn ids(catalogue: &Catalogue, buyer: &Questionnaire) -> Vec<String> {
    order(catalogue, buyer).into_iter().map(|(id, _)| id).collect()
}

fn distance<'catalogue>(
    catalogue: &'catalogue Catalogue,
    buyer: &Questionnaire,
    place: usize,
) -> Option<Contribution<'catalogue>> {
    let parts = catalogue.recommend(buyer).cars[place].contributions.clone();
    parts
        .into_iter()
        .find(|part| part.criterion == Criterion::Distance)
}

fn far_and_near() -> Catalogue {
    catalogue_in(vec![
        (onix("a-manaus"), "Manaus/AM"),
        (onix("b-rio"), "Rio de Janeiro/RJ"),
        (onix("c-sao-paulo"), "São Paulo/SP"),
        (onix("d-santos"), "Santos/SP"),
    ])
}

/// Prevents a buyer in Santos from being sent to Manaus for a car that stands around the corner, too.
#[test]
fn nearer_of_equal_cars_comes_first_and_says_how_near() {
    let catalogue = far_and_near();
    let buyer = Questionnaire {
        // A price of full worth leaves room among the points of attention.
        budget_minimum: reais(70_000),
        ..questionnaire().living_in("Santos/SP")
    };
    assert_eq!(
        ids(&catalogue, &buyer),
        ["d-santos", "c-sao-paulo", "b-rio", "a-manaus"]
    );
    let answer = catalogue.recommend(&buyer);
    let km: Vec<Option<u32>> = answer.cars.iter().map(|best| best.distance_km).collect();
    assert_eq!(km, [Some(0), Some(55), Some(342), Some(2746)]);
    let said: Vec<Contribution> = (0..4)
        .filter_map(|place| distance(&catalogue, &buyer, place))
        .collect();
    let part = |points_tenths, missed_tenths, fact: &str| Contribution {
        criterion: Criterion::Distance,
        points_tenths,
        missed_tenths,
        fact: fact.to_owned().into(),
    };
    assert_eq!(
        said,
        [
            part(94, 0, "a menos de 1 km de você, em Santos/SP"),
            part(88, 6, "a 55 km de você, em São Paulo/SP"),
            part(42, 52, "a 342 km de você, em Rio de Janeiro/RJ"),
            part(0, 94, "a 2.746 km de você, em Manaus/AM"),
        ]
    );
    assert!(
        answer.cars[0]
            .justification
            .contains("Perto de você: a menos de 1 km"),
        "{}",
        answer.cars[0].justification
    );
    let reproached = |place: usize, said: &str| {
        let points = &answer.cars[place].attention_points;
        assert!(points.iter().any(|point| point == said), "{points:?}");
    };
    reproached(2, "Longe de você: a 342 km de você, em Rio de Janeiro/RJ.");
    reproached(3, "Muito longe de você: a 2.746 km de você, em Manaus/AM.");
}

/// Prevents the distance from moving cars for a buyer who does not want that, or who did not say where they are.
#[test]
fn without_a_place_or_a_wish_for_it_the_distance_has_no_weight() {
    let catalogue = far_and_near();
    let indifferent = Questionnaire {
        prioritise_near: false,
        ..questionnaire().living_in("Santos/SP")
    };
    for buyer in [indifferent, questionnaire()] {
        assert_eq!(
            ids(&catalogue, &buyer),
            ["a-manaus", "b-rio", "c-sao-paulo", "d-santos"]
        );
        assert_eq!(distance(&catalogue, &buyer, 0), None);
    }
}

/// Prevents distances that nobody knows: of a buyer's state alone, cars in it are near and all others are not.
#[test]
fn a_state_alone_tells_inside_from_outside() {
    let catalogue = far_and_near();
    let buyer = Questionnaire {
        // A price of full worth leaves room among the points of attention.
        budget_minimum: reais(70_000),
        state: Some("RJ".to_owned()),
        ..questionnaire()
    };
    let answer = catalogue.recommend(&buyer);
    assert_eq!(ids(&catalogue, &buyer)[..2], ["b-rio", "a-manaus"]);
    assert!(answer.cars.iter().all(|best| best.distance_km.is_none()));
    let inside = distance(&catalogue, &buyer, 0).unwrap();
    assert_eq!(
        (inside.points_tenths, &*inside.fact),
        (94, "em Rio de Janeiro/RJ, no seu estado")
    );
    let outside = distance(&catalogue, &buyer, 1).unwrap();
    // 24 · 102 of 65,280
    assert_eq!(
        (outside.points_tenths, &*outside.fact),
        (37, "em Manaus/AM, fora do seu estado")
    );
    let said = "Em outro estado: em Manaus/AM, fora do seu estado.";
    assert!(
        answer.cars[1].attention_points.iter().any(|point| point == said),
        "{:?}",
        answer.cars[1].attention_points
    );
}

/// Prevents a dealership in a place that nobody knows from passing for near, or for far, without a word.
#[test]
fn a_dealership_that_cannot_be_placed_is_a_gap() {
    let catalogue = catalogue_in(vec![(onix("a"), "Xanadu/SP")]);
    let buyer = questionnaire().living_in("Santos/SP");
    let best = &catalogue.recommend(&buyer).cars[0];
    let part = distance(&catalogue, &buyer, 0).unwrap();
    assert_eq!(
        (part.points_tenths, &*part.fact),
        (37, "distância não calculada: não sabemos onde fica Xanadu/SP")
    );
    assert_eq!(best.distance_km, None);
    assert_eq!(
        best.attention_points.last().map(String::as_str),
        Some("Não temos dados deste carro sobre distância; por isso esse item recebeu só parte dos pontos.")
    );
    let within = Questionnaire {
        radius_metres: Some(5_000_000),
        ..buyer
    };
    let filters = catalogue.recommend(&within).filters;
    let radius = FilterCount {
        filter: Filter::Radius,
        removed: 1,
        removed_only: 1,
        unknown: 1,
    };
    assert_eq!(filters[1], radius);
}

/// Prevents a dealership at the edge of a large municipality from being placed in its centre.
#[test]
fn a_dealerships_own_coordinates_count_before_its_city() {
    let mut stock = stock(vec![onix("a")]);
    (stock.dealerships[0].latitude, stock.dealerships[0].longitude) = (Some(-23.96), Some(-46.33));
    let catalogue = Catalogue::build(stock, tables(), TODAY, "test".to_owned()).unwrap();
    let answer = catalogue.recommend(&questionnaire().living_in("Santos/SP"));
    // The fixture's city is Curitiba, the coordinates are in Santos.
    assert_eq!(answer.cars[0].distance_km, Some(0));
}

/// Prevents a car beyond the radius, or one exactly within it from missing.
#[test]
fn the_radius_filters_to_the_metre() {
    let catalogue = far_and_near();
    let (santos, sao_paulo) = (place("Santos/SP"), place("São Paulo/SP"));
    assert_ne!(santos.position, sao_paulo.position);
    for (metres, matching) in [(1_000, 1), (55_316, 1), (55_317, 2), (343_000, 3), (5_000_000, 4)] {
        let buyer = Questionnaire {
            radius_metres: Some(metres),
            ..questionnaire().living_in("Santos/SP")
        };
        let answer = catalogue.recommend(&buyer);
        assert_eq!(answer.matching, matching, "{metres} m");
        assert_eq!(answer.filters[1].filter, Filter::Radius);
        assert_eq!(answer.filters[1].removed, 4 - matching, "{metres} m");
    }
    // Without a city there is nothing to measure from.
    let lost = Questionnaire {
        radius_metres: Some(1_000),
        ..questionnaire()
    };
    assert_eq!(catalogue.recommend(&lost).filters.len(), 1);
}

/// A catalogue where car i is for sale so many thousandths of a degree north of Santos.
fn north_of_santos(cars: &[Car], thousandths: &[u32]) -> Catalogue {
    let mut stock = stock(Vec::new());
    for (car, north) in cars.iter().zip(thousandths) {
        let mut car = car.clone();
        car.dealership_id.clone_from(&car.id);
        let mut dealership = dealership(&car.id);
        dealership.latitude = Some(-23.9608 + f64::from(*north) / 1000.0);
        dealership.longitude = Some(-46.3336);
        stock.cars.push(car);
        stock.dealerships.push(dealership);
    }
    Catalogue::build(stock, tables(), TODAY, "test".to_owned()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Prevents a dealership from losing places by being nearer.
    #[test]
    fn closer_is_never_worse(
        cars in any_cars(12),
        buyer in any_buyer(),
        mut away in prop::collection::vec(0_u32..8_000, 12),
        which in any::<prop::sample::Index>(),
        closer in 1_u32..8_000,
    ) {
        let buyer = buyer.living_in("Santos/SP");
        let which = which.index(cars.len());
        let before = rank(&north_of_santos(&cars, &away), &buyer, &cars[which].id);
        away[which] = away[which].saturating_sub(closer);
        prop_assert!(rank(&north_of_santos(&cars, &away), &buyer, &cars[which].id) <= before);
    }

    /// Prevents a radius from doing anything but take cars away.
    #[test]
    fn a_tighter_radius_only_takes_away(
        cars in any_cars(12),
        buyer in any_buyer(),
        away in prop::collection::vec(0_u32..8_000, 12),
        wide in 1_000_u32..900_000,
        tighter in 1_000_u32..900_000,
    ) {
        let catalogue = north_of_santos(&cars, &away);
        let within = |metres| Questionnaire {
            radius_metres: Some(metres),
            ..buyer.clone().living_in("Santos/SP")
        };
        let (narrow, wide) = (within(wide.min(tighter)), within(wide));
        let kept = order(&catalogue, &narrow);
        let still_there = |id: &str| kept.iter().any(|(known, _)| known == id);
        prop_assert_eq!(&without(order(&catalogue, &wide), |id| !still_there(id)), &kept);
    }
}

/// Prevents two spellings of one point, or the order of dealerships, from changing the answer.
#[test]
fn the_same_place_twice_is_one() {
    let twice = catalogue(vec![onix("a"), onix("b")]);
    let buyer = questionnaire().living_in("Curitiba/PR");
    let answer = twice.recommend(&buyer);
    assert_eq!(answer.cars[0].distance_km, Some(0));
    assert_eq!(answer.cars[1].distance_km, Some(0));
    assert_eq!(
        place("Curitiba/PR").position,
        UnitVector::from_degrees(-25.4278, -49.2731)
    );
}
