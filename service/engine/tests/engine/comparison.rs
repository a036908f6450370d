//! A car against the next, and the price at which it would be the first: for any stock and any buyer.

use faciliauto_engine::{Car, Catalogue, Centavos, Contribution, Criterion, Questionnaire, Recommended};
use proptest::prelude::*;

use crate::{
    fixtures::{Adjectives, catalogue, order},
    relations::{any_buyer, any_cars, cases},
};

fn is_first(cars: &[Car], buyer: &Questionnaire, id: &str, price: u64) -> bool {
    let cars = cars.iter().cloned().map(|car| {
        let price = if car.id == id { Centavos(price) } else { car.price };
        Car { price, ..car }
    });
    let catalogue = catalogue(cars.collect());
    order(&catalogue, buyer)
        .first()
        .is_some_and(|(first, _)| first == id)
}

fn part<'a>(recommended: &'a Recommended<'_>, criterion: Criterion) -> &'a Contribution<'a> {
    let parts = &recommended.contributions;
    parts.iter().find(|part| part.criterion == criterion).unwrap()
}

fn matching(catalogue: &Catalogue, buyer: &Questionnaire) -> usize {
    catalogue.recommend(buyer).matching
}

proptest! {
    #![proptest_config(cases())]

    /// Prevents a price that would not do, or a lower one than would: the stock is ranked again at that price and at
    /// one centavo more, in the pure order and in the varied one.
    #[test]
    fn the_price_to_be_first_is_exact(
        cars in any_cars(16),
        buyer in any_buyer(),
        diversify in any::<bool>(),
        which in any::<prop::sample::Index>(),
    ) {
        let buyer = Questionnaire { diversify, ..buyer };
        let catalogue = catalogue(cars.clone());
        let answer = catalogue.recommend(&buyer);
        if answer.cars.is_empty() {
            return Ok(());
        }
        let place = which.index(answer.cars.len());
        let car = &answer.cars[place].car.car;
        match &answer.cars[place].price_to_be_first {
            Some(first) => {
                prop_assert!(place > 0 && first.price < car.price && first.price.0 > 0);
                prop_assert!(is_first(&cars, &buyer, &car.id, first.price.0));
                prop_assert!(!is_first(&cars, &buyer, &car.id, first.price.0 + 1));
            }
            None => prop_assert_eq!(place == 0, is_first(&cars, &buyer, &car.id, 1)),
        }
    }

    /// Prevents a cause that the score did not use: each side names the largest difference of points between two cars
    /// that follow each other, with the facts that both show.
    #[test]
    fn a_comparison_names_what_both_cars_show(cars in any_cars(16), buyer in any_buyer(), diversify in any::<bool>()) {
        let catalogue = catalogue(cars);
        let buyer = Questionnaire { diversify, ..buyer };
        let answer = catalogue.recommend(&buyer);
        prop_assert!(answer.cars.last().is_none_or(|last| last.comparison.is_none()));
        for pair in answer.cars.windows(2) {
            let [this, next] = pair else { unreachable!("windows of two") };
            let comparison = this.comparison.as_ref().unwrap();
            prop_assert_eq!(&comparison.other.car.id, &next.car.car.id);
            prop_assert_eq!(comparison.other_match_tenths, next.match_tenths);
            for (side, better, worse) in [(&comparison.advantage, this, next), (&comparison.drawback, next, this)] {
                let gain = |criterion| {
                    let points = |car| i32::from(part(car, criterion).points_tenths);
                    points(better) - points(worse)
                };
                let largest = answer.weights.iter().map(|(criterion, _)| gain(*criterion)).max().unwrap();
                match side {
                    Some(side) => {
                        prop_assert_eq!(gain(side.criterion), i32::from(side.points_tenths));
                        // The choice is by exact points, what is shown is rounded: each side by less than one tenth.
                        prop_assert!(largest - gain(side.criterion) <= 1);
                        for car in [this, next] {
                            prop_assert!(comparison.text.contains(&*part(car, side.criterion).fact));
                        }
                    }
                    None => prop_assert!(largest <= 1),
                }
            }
            let varied = comparison.text.contains("para a lista variar");
            prop_assert!(!varied || diversify);
            prop_assert!(this.match_tenths >= next.match_tenths || varied);
        }
    }

    /// Prevents the last car of a short list from being compared with another car than a longer list shows next.
    #[test]
    fn what_is_said_of_a_car_does_not_depend_on_the_length_of_the_list(
        cars in any_cars(16),
        buyer in any_buyer(),
        diversify in any::<bool>(),
        limit in 1_usize..16,
    ) {
        let catalogue = catalogue(cars);
        let buyer = Questionnaire { diversify, ..buyer };
        let said = |limit| -> Vec<_> {
            let answer = catalogue.recommend(&buyer.clone().with_limit(limit));
            let said = answer.cars.iter().map(|best| {
                let comparison = best.comparison.as_ref().map(|comparison| comparison.text.clone());
                (best.car.car.id.clone(), comparison, best.price_to_be_first.clone())
            });
            said.collect()
        };
        let (some, all) = (said(limit), said(matching(&catalogue, &buyer)));
        prop_assert_eq!(&some[..], &all[..some.len()]);
    }
}
