//! What feedback teaches.

use faciliauto_engine::{
    Car, Catalogue, Feedback, Priorities, PriorityChange, Quality, Questionnaire, Refinement, refine,
};
use proptest::prelude::*;

use crate::{
    fixtures::{Adjectives, catalogue, onix, questionnaire, stranger},
    relations::{any_buyer, any_cars, cases},
};

const LIKED: bool = true;
const DISLIKED: bool = false;

/// `a` and `b` are well equipped and driven little; `c` and `d` are bare and worn out.
fn four_cars() -> Catalogue {
    let equipped = |id: &str, km| Car {
        name: Some(format!("Onix {id}")),
        odometer_km: km,
        equipment: Some(
            [
                "ar_condicionado",
                "direcao_assistida",
                "vidros_eletricos",
                "travas_eletricas",
                "central_multimidia",
                "camera_re",
                "piloto_automatico",
                "bancos_couro",
                "ar_digital",
                "teto_solar",
            ]
            .map(str::to_owned)
            .to_vec(),
        ),
        ..onix(id)
    };
    let bare = |id: &str, km| Car {
        name: Some(format!("Onix {id}")),
        odometer_km: km,
        ..onix(id)
    };
    catalogue(vec![
        equipped("a", 10_000),
        equipped("b", 20_000),
        bare("c", 180_000),
        bare("d", 190_000),
        stranger("e"),
    ])
}

fn learnt(catalogue: &Catalogue, buyer: &Questionnaire, feedbacks: &[(&str, bool)]) -> Refinement {
    let feedbacks: Vec<Feedback<'_>> = feedbacks
        .iter()
        .map(|(car_id, liked)| Feedback {
            car_id,
            liked: *liked,
        })
        .collect();
    refine(catalogue, buyer, &feedbacks)
}

/// Prevents a lesson that was not in the feedback, more than two at a time, or one without the cars behind it.
///
/// Comfort is 10 items (255) against the 6 of a usual version (153): d = 102. Reliability is 4 − km/150,000:
/// 3.93 (187), 3.87 (183) against 2.80 (115), 2.73 (111): d = 72. Maintenance is 0.13 R$/km against
/// 0.13·(1 + 0.10·(120,000, 130,000)/50,000) = 0.161, 0.164 (210, 209 against 233): d = 23, too small.
#[test]
fn the_two_clearest_lessons_move_one_step() {
    let catalogue = four_cars();
    let all = [("a", LIKED), ("b", LIKED), ("c", DISLIKED), ("d", DISLIKED)];
    let expected = Refinement {
        priorities: Priorities([3, 3, 3, 4, 3, 3, 4, 3]),
        changes: vec![
            PriorityChange {
                quality: Quality::Comfort,
                from: 3,
                to: 4,
            },
            PriorityChange {
                quality: Quality::Reliability,
                from: 3,
                to: 4,
            },
        ],
        text: "Nas suas prioridades, conforto subiu de 3 para 4 e confiabilidade subiu de 3 para 4. Aprendemos isso \
               com Onix a 2022 e Onix b 2022, de que você gostou, e com Onix c 2022 e Onix d 2022, de que você não gostou."
            .to_owned(),
    };
    assert_eq!(learnt(&catalogue, &questionnaire(), &all), expected);

    let turned = all.map(|(id, liked)| (id, !liked));
    let lowered = learnt(&catalogue, &questionnaire(), &turned);
    assert_eq!(lowered.priorities, Priorities([3, 3, 3, 2, 3, 3, 2, 3]));
    assert!(
        lowered.text.contains("conforto desceu de 3 para 2"),
        "{}",
        lowered.text
    );
}

/// Prevents a priority from leaving 1 to 5, and one that cannot move from taking the place of one that can.
#[test]
fn a_priority_at_its_bound_stays_there() {
    let catalogue = four_cars();
    let buyer = questionnaire().with_priority(Quality::Comfort, 5);
    let all = [("a", LIKED), ("b", LIKED), ("c", DISLIKED), ("d", DISLIKED)];
    let changes = learnt(&catalogue, &buyer, &all).changes;
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].quality, Quality::Reliability);
}

/// Prevents a lesson from too little, and silence about why there is none.
#[test]
fn too_little_feedback_teaches_nothing_and_says_so() {
    let catalogue = four_cars();
    let buyer = questionnaire();
    for (feedbacks, text) in [
        (&[][..], "Faltam 3 avaliações para ajustarmos suas prioridades."),
        (
            &[("a", LIKED), ("c", DISLIKED)],
            "Falta 1 avaliação para ajustarmos suas prioridades.",
        ),
        // Twice on one car is once.
        (
            &[("a", LIKED), ("c", LIKED), ("c", DISLIKED)],
            "Falta 1 avaliação para ajustarmos suas prioridades.",
        ),
        (
            &[("a", LIKED), ("b", LIKED), ("c", LIKED), ("vendido", LIKED)],
            "Suas prioridades ficam como estão: para ajustá-las, diga também de quais carros você não gostou. \
             1 carro avaliado não está mais no estoque e não contou.",
        ),
        (
            &[("a", DISLIKED), ("b", DISLIKED), ("c", DISLIKED)],
            "Suas prioridades ficam como estão: para ajustá-las, diga também de quais carros você gostou.",
        ),
        // Of a car that is not known there is nothing to learn, though its gaps count 102.
        (
            &[("a", LIKED), ("b", LIKED), ("e", DISLIKED)],
            "Suas prioridades ficam como estão: Onix a 2022 e Onix b 2022, de que você gostou, e Lada Niva 2022, de que você não gostou, não mostram uma diferença que peça outra \
             prioridade.",
        ),
    ] {
        let refinement = learnt(&catalogue, &buyer, feedbacks);
        assert_eq!(refinement.text, text);
        assert_eq!(
            (refinement.changes.len(), refinement.priorities),
            (0, buyer.priorities)
        );
    }
}

proptest! {
    #![proptest_config(cases())]

    /// Prevents a lesson that feedback the other way round would not undo in direction, steps of more than one, and
    /// an answer that depends on the order in which cars were judged.
    #[test]
    fn lessons_are_small_and_symmetric(
        cars in any_cars(12),
        buyer in any_buyer(),
        likes in prop::collection::vec(any::<bool>(), 12),
    ) {
        let ids: Vec<String> = cars.iter().map(|car| car.id.clone()).collect();
        let catalogue = catalogue(cars);
        let given: Vec<(&str, bool)> = ids.iter().map(String::as_str).zip(likes).collect();
        let backwards: Vec<(&str, bool)> = given.iter().rev().copied().collect();
        let turned: Vec<(&str, bool)> = given.iter().map(|(id, liked)| (*id, !liked)).collect();
        let middle = Questionnaire { priorities: Priorities([3; 8]), ..buyer.clone() };

        let refinement = learnt(&catalogue, &buyer, &given);
        prop_assert!(refinement.changes.len() <= 2);
        for (before, after) in buyer.priorities.0.into_iter().zip(refinement.priorities.0) {
            prop_assert!((1..=5).contains(&after) && before.abs_diff(after) <= 1);
        }
        prop_assert_eq!(&learnt(&catalogue, &buyer, &backwards).changes, &refinement.changes);

        let there = learnt(&catalogue, &middle, &given).priorities.0.map(|priority| i16::from(priority) - 3);
        let back = learnt(&catalogue, &middle, &turned).priorities.0.map(|priority| 3 - i16::from(priority));
        prop_assert_eq!(there, back);
    }
}
