//! A car against others of the same answer: what sets it apart from the next, and at what price it would be the first.

use std::cmp::Ordering;

use crate::{
    catalogue::CatalogueCar,
    explanation::Judgement,
    facts::FactSource,
    figures::{push_money, push_points, push_tenths, push_whole},
    ranking::{PRICE_STEP, rank_key, rank_key_at},
    recommendation::{Comparison, Contribution, Criterion, Difference, PriceToBeFirst},
    stock::Centavos,
};

/// A car as it is compared, with the facts that were rendered for it already, if any.
type Explained<'a, 'catalogue> = (&'a Judgement<'catalogue>, &'a [Contribution<'catalogue>]);

/// A car against the next of the list.
pub(crate) fn compare<'catalogue>(
    source: FactSource<'_, 'catalogue>,
    (judgement, facts): Explained<'_, 'catalogue>,
    (next, facts_of_next): Explained<'_, 'catalogue>,
) -> Comparison<'catalogue> {
    let push_fact =
        |text: &mut String, criterion: Criterion, (judgement, facts): Explained<'_, 'catalogue>| match facts
            .iter()
            .find(|part| part.criterion.index() == criterion.index())
        {
            Some(part) => text.push_str(&part.fact),
            None => source.push_fact(text, criterion, judgement.car),
        };
    let advantage = largest_difference(judgement, next);
    let drawback = largest_difference(next, judgement);
    let mut text = String::with_capacity(512);
    push_standing(&mut text, judgement, next);
    for (start, sign, side) in [
        (" Ganha mais em ", '+', advantage),
        (" Perde mais em ", '−', drawback),
    ] {
        let Some(difference) = side else { continue };
        text.push_str(start);
        text.push_str(difference.criterion.label());
        text.push_str(" (");
        text.push(sign);
        push_points(&mut text, difference.points_tenths);
        text.push_str("): ");
        push_fact(&mut text, difference.criterion, (judgement, facts));
        text.push_str(", contra ");
        push_fact(&mut text, difference.criterion, (next, facts_of_next));
        text.push('.');
    }
    Comparison {
        other: next.car,
        other_match_tenths: next.match_tenths,
        advantage,
        drawback,
        text,
    }
}

/// What `better` gains where it wins most over `worse`. A difference that vanishes in the
/// rounded points is not worth a sentence.
fn largest_difference(better: &Judgement<'_>, worse: &Judgement<'_>) -> Option<Difference> {
    let criterion = better.wins_most_over(worse);
    let points_tenths = better.points(criterion).saturating_sub(worse.points(criterion));
    (points_tenths > 0).then_some(Difference {
        criterion,
        points_tenths,
    })
}

/// Which of the two is ahead by the score, and why the order of the list is what it is.
fn push_standing(text: &mut String, judgement: &Judgement<'_>, next: &Judgement<'_>) {
    let ahead = (
        judgement.score.cmp(&next.score),
        judgement.match_tenths.cmp(&next.match_tenths),
    );
    let moved_down = rank_key(next.score, next.car, next.ordinal)
        > rank_key(judgement.score, judgement.car, judgement.ordinal);
    if moved_down {
        text.push_str("O próximo da lista, ");
        push_car(text, next.car);
        match ahead {
            (_, Ordering::Less) => {
                text.push_str(", combina mais (");
                push_tenths(text, next.match_tenths);
                text.push_str("% contra ");
                push_tenths(text, judgement.match_tenths);
                text.push_str("%)");
            }
            (Ordering::Less, _) => text.push_str(", combina um pouco mais"),
            _ => text.push_str(", combina tanto quanto este"),
        }
        text.push_str(", mas vem depois para a lista variar modelos, marcas, categorias e lojas.");
        return;
    }
    match ahead {
        (_, Ordering::Greater) => {
            text.push_str("Fica ");
            push_points(text, judgement.match_tenths - next.match_tenths);
            text.push_str(" à frente do próximo da lista, ");
        }
        (Ordering::Greater, _) => text.push_str("Fica menos de 0,1 ponto à frente do próximo da lista, "),
        _ => text.push_str("Empata em pontos com o próximo da lista, "),
    }
    push_car(text, next.car);
    if ahead.0 == Ordering::Equal {
        text.push_str(tie_break(judgement.car, next.car));
    }
    text.push('.');
}

/// What put the first of two cars of equal score first.
fn tie_break(car: &CatalogueCar, next: &CatalogueCar) -> &'static str {
    let (car, next) = (&car.car, &next.car);
    if car.price != next.price {
        ", e vem antes por custar menos"
    } else if car.odometer_km != next.odometer_km {
        ", e vem antes por ter rodado menos"
    } else if car.year != next.year {
        ", e vem antes por ser mais novo"
    } else {
        ", e vem antes só pela ordem dos códigos dos anúncios"
    }
}

fn push_car(text: &mut String, car: &CatalogueCar) {
    car.push_display_name(text);
    text.push(' ');
    push_whole(text, u64::from(car.car.year));
    text.push_str(" de ");
    push_money(text, car.car.price);
}

/// The highest price at which a car would come before the first of the pure order, everything else as it is; `None`
/// when it is that car, or when no price would do.
///
/// A lower price never makes a key smaller, so the highest step of R$ 100 that suffices to its end is found by halving.
/// Inside the next step the score stays the same, and only the price of the first car, or a centavo below it, can tell.
pub(crate) fn price_to_be_first(
    source: FactSource<'_, '_>,
    judgement: &Judgement<'_>,
    first: &Judgement<'_>,
) -> Option<PriceToBeFirst> {
    let (scoring, car) = (source.scoring, judgement.car);
    if judgement.ordinal == first.ordinal {
        return None;
    }
    let asked = car.car.price.0;
    let key_of_first = rank_key(first.score, first.car, first.ordinal);
    let weight = u32::from(scoring.weights.of_criterion(Criterion::Price));
    let without_price = judgement.score - judgement.won(Criterion::Price);
    let suffices = |price: u64| {
        let price = Centavos(price);
        let score = without_price + weight * u32::from(scoring.price.utility(price));
        rank_key_at(score, price, car, judgement.ordinal) > key_of_first
    };
    // Steps that suffice to their end are those below `enough`.
    let (mut enough, mut too_much) = (0, asked / PRICE_STEP);
    while enough < too_much {
        let middle = enough + (too_much - enough) / 2;
        if suffices(middle * PRICE_STEP + PRICE_STEP - 1) {
            enough = middle + 1;
        } else {
            too_much = middle;
        }
    }
    let to_the_end = (enough * PRICE_STEP).saturating_sub(1);
    let price_of_first = first.car.car.price.0;
    let price = [price_of_first, price_of_first - 1]
        .into_iter()
        .find(|price| (to_the_end + 1..asked).contains(price) && suffices(*price))
        .unwrap_or(to_the_end);
    if price == 0 {
        return None;
    }
    let mut text = String::with_capacity(112);
    text.push_str("Seria o primeiro da lista se custasse ");
    push_money(&mut text, Centavos(price));
    text.push_str(" ou menos, ");
    push_money(&mut text, Centavos(asked - price));
    text.push_str(" a menos do que o preço pedido.");
    Some(PriceToBeFirst {
        price: Centavos(price),
        text,
    })
}
