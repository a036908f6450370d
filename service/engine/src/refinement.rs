//! What a buyer's likes and dislikes say about their priorities.
//!
//! For each quality: the mean utility of the liked cars less that of the disliked. A difference that is large enough
//! moves its priority one step, the two largest at most. Integers decide: means are compared as fractions. A car of
//! which a quality is not known teaches nothing about that quality.

use crate::{
    catalogue::{Catalogue, CatalogueCar},
    figures::{count, list, push_whole},
    questionnaire::{Priorities, Quality, Questionnaire},
    tables::RefinementRules,
    weights::priority,
};

/// What a buyer thought of one car.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feedback<'a> {
    /// Id of the car.
    pub car_id: &'a str,
    /// Liked, else disliked.
    pub liked: bool,
}

/// A priority that moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriorityChange {
    /// Of which quality.
    pub quality: Quality,
    /// 1 to 5, as it was.
    pub from: u8,
    /// 1 to 5, one step from there.
    pub to: u8,
}

/// What was learnt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refinement {
    /// The priorities to go on with.
    pub priorities: Priorities,
    /// What moved, the clearest first; empty when nothing did.
    pub changes: Vec<PriorityChange>,
    /// What moved and the cars that it was learnt from, or why nothing moved, in Portuguese.
    pub text: String,
}

/// How far the mean of the liked lies above that of the disliked: `numerator / denominator`, the latter above 0.
#[derive(Clone, Copy)]
struct Difference {
    numerator: i64,
    denominator: i64,
}

impl Difference {
    /// `None` where nothing is known of the quality on one of the two sides.
    fn of(
        quality: Quality,
        economy_column: usize,
        liked: &[&CatalogueCar],
        disliked: &[&CatalogueCar],
    ) -> Option<Self> {
        let sum = |cars: &[&CatalogueCar]| {
            cars.iter()
                .filter(|car| car.is_known(quality))
                .fold((0, 0), |(sum, known), car| {
                    (
                        sum + i64::from(car.utilities.quality(quality, economy_column)),
                        known + 1,
                    )
                })
        };
        let ((liked, likes), (disliked, dislikes)) = (sum(liked), sum(disliked));
        (likes > 0 && dislikes > 0).then_some(Self {
            numerator: liked * dislikes - disliked * likes,
            denominator: likes * dislikes,
        })
    }

    fn reaches(self, least: u32) -> bool {
        self.numerator.abs() >= i64::from(least) * self.denominator
    }

    fn is_larger(self, other: Self) -> bool {
        self.numerator.abs() * other.denominator > other.numerator.abs() * self.denominator
    }
}

/// The priorities of a questionnaire, moved by what its buyer liked and disliked. Of several feedbacks on one car the
/// last counts; cars that are no longer in the catalogue are passed over, and said.
#[must_use]
pub fn refine(
    catalogue: &Catalogue,
    questionnaire: &Questionnaire,
    feedbacks: &[Feedback<'_>],
) -> Refinement {
    let rules = &catalogue.tables().criteria.refinement;
    let (cars, gone) = last_words(catalogue, feedbacks);
    let side = |wanted: bool| -> Vec<&CatalogueCar> {
        cars.iter()
            .filter(|(_, liked)| *liked == wanted)
            .map(|(car, _)| *car)
            .collect()
    };
    let (liked, disliked) = (side(true), side(false));
    let mut priorities = Priorities(Quality::ALL.map(|quality| priority(&questionnaire.priorities, quality)));
    let changes = if cars.len() < rules.least_feedbacks {
        Vec::new()
    } else {
        let economy_column = catalogue.tables().criteria.economy_column(questionnaire.usage);
        changes(&priorities, rules, |quality| {
            Difference::of(quality, economy_column, &liked, &disliked)
        })
    };
    for change in &changes {
        priorities.0[change.quality.index()] = change.to;
    }
    Refinement {
        text: text(rules, &changes, &liked, &disliked, gone),
        priorities,
        changes,
    }
}

/// Each car once with the last thing that was said of it, in the order of those last words, and how many are gone.
fn last_words<'catalogue>(
    catalogue: &'catalogue Catalogue,
    feedbacks: &[Feedback<'_>],
) -> (Vec<(&'catalogue CatalogueCar, bool)>, usize) {
    let last = feedbacks.iter().enumerate().filter(|(place, feedback)| {
        !feedbacks[place + 1..]
            .iter()
            .any(|later| later.car_id == feedback.car_id)
    });
    let (mut cars, mut gone) = (Vec::new(), 0);
    for (_, feedback) in last {
        match catalogue.car(feedback.car_id) {
            Some(car) => cars.push((car, feedback.liked)),
            None => gone += 1,
        }
    }
    (cars, gone)
}

/// The largest differences that can move a priority, ties by index of the quality.
fn changes(
    priorities: &Priorities,
    rules: &RefinementRules,
    difference: impl Fn(Quality) -> Option<Difference>,
) -> Vec<PriorityChange> {
    let mut found: Vec<(Difference, PriorityChange)> = Vec::new();
    for quality in Quality::ALL {
        let Some(difference) = difference(quality).filter(|found| found.reaches(rules.least_difference))
        else {
            continue;
        };
        let from = priorities.0[quality.index()];
        let to = if difference.numerator > 0 {
            from + 1
        } else {
            from - 1
        };
        if !(1..=5).contains(&to) {
            continue;
        }
        let place = found
            .iter()
            .position(|(other, _)| difference.is_larger(*other))
            .unwrap_or(found.len());
        found.insert(place, (difference, PriorityChange { quality, from, to }));
    }
    found.truncate(rules.most_changes);
    found.into_iter().map(|(_, change)| change).collect()
}

fn text(
    rules: &RefinementRules,
    changes: &[PriorityChange],
    liked: &[&CatalogueCar],
    disliked: &[&CatalogueCar],
    gone: usize,
) -> String {
    let mut text = if changes.is_empty() {
        no_change(rules, liked, disliked)
    } else {
        let moved: Vec<String> = changes
            .iter()
            .map(|PriorityChange { quality, from, to }| {
                let verb = if to > from { "subiu" } else { "desceu" };
                format!("{} {verb} de {from} para {to}", quality.label())
            })
            .collect();
        format!(
            "Nas suas prioridades, {}. Aprendemos isso com {}, de que você gostou, e com {}, de que você não gostou.",
            list(&moved),
            names(liked),
            names(disliked)
        )
    };
    if gone > 0 {
        let one = "carro avaliado não está mais no estoque e não contou";
        let many = "carros avaliados não estão mais no estoque e não contaram";
        text.push(' ');
        text.push_str(&count(gone as u64, one, many));
        text.push('.');
    }
    text
}

/// Why the priorities stay as they are.
fn no_change(rules: &RefinementRules, liked: &[&CatalogueCar], disliked: &[&CatalogueCar]) -> String {
    let given = liked.len() + disliked.len();
    if given < rules.least_feedbacks {
        let missing = (rules.least_feedbacks - given) as u64;
        let verb = if missing == 1 { "Falta" } else { "Faltam" };
        return format!(
            "{verb} {} para ajustarmos suas prioridades.",
            count(missing, "avaliação", "avaliações")
        );
    }
    match (liked.is_empty(), disliked.is_empty()) {
        (true, _) => {
            "Suas prioridades ficam como estão: para ajustá-las, diga também de quais carros você gostou."
                .to_owned()
        }
        (_, true) => {
            "Suas prioridades ficam como estão: para ajustá-las, diga também de quais carros você não gostou."
                .to_owned()
        }
        (false, false) => format!(
            "Suas prioridades ficam como estão: {}, de que você gostou, e {}, de que você não gostou, não mostram uma \
             diferença que peça outra prioridade.",
            names(liked),
            names(disliked)
        ),
    }
}

/// `Fiat Argo 1.0 2021 e Honda Fit 1.5 2019`
fn names(cars: &[&CatalogueCar]) -> String {
    let names: Vec<String> = cars
        .iter()
        .map(|car| {
            let mut name = car.display_name();
            name.push(' ');
            push_whole(&mut name, u64::from(car.car.year));
            name
        })
        .collect();
    list(&names)
}
