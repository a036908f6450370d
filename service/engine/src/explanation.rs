//! Why a car came where it did: points that sum exactly, reasons and points of attention.
//!
//! Nothing is named here that the score did not use, but for two facts that are always said: auction and accident.

use std::borrow::Cow;

use crate::{
    catalogue::CatalogueCar,
    facts::FactSource,
    figures::{list, push_count},
    questionnaire::Quality,
    ranking::{FULL_SCORE, Scoring, match_tenths},
    recommendation::{Contribution, Criterion},
    weights::priority,
};

/// How many criteria there are.
const CRITERIA: usize = Criterion::ALL.len();

/// A value for each of [`Criterion::ALL`], in its order.
type PerCriterion<Value> = [Value; CRITERIA];

/// What one car is worth to one buyer, criterion by criterion.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judgement<'catalogue> {
    pub(crate) car: &'catalogue CatalogueCar,
    pub(crate) ordinal: usize,
    /// Before the guard.
    raw: PerCriterion<u8>,
    /// As it counts.
    counted: PerCriterion<u8>,
    /// Weight times what counts.
    won: PerCriterion<u32>,
    pub(crate) score: u32,
    pub(crate) match_tenths: u16,
    points: PerCriterion<u16>,
    missed: PerCriterion<u16>,
}

impl<'catalogue> Judgement<'catalogue> {
    /// Points and misses are apportioned by largest remainder: the points sum to the match, the misses to what the
    /// match lacks.
    pub(crate) fn of(scoring: &Scoring<'_>, car: &'catalogue CatalogueCar, ordinal: usize) -> Self {
        let weights = scoring.weights.all();
        let raw = scoring.raw_utilities(car);
        let counted = scoring.counted_utilities(&raw, car);
        let weighed = |worth: &dyn Fn(usize) -> u8| -> PerCriterion<u32> {
            std::array::from_fn(|index| u32::from(weights[index]) * u32::from(worth(index)))
        };
        let won = weighed(&|index| counted[index]);
        let lost = weighed(&|index| 255 - counted[index]);
        let score = won.iter().sum();
        let match_tenths = match_tenths(score);
        Self {
            car,
            ordinal,
            raw,
            counted,
            won,
            score,
            match_tenths,
            points: tenths(match_tenths, won),
            missed: tenths(1000 - match_tenths, lost),
        }
    }

    pub(crate) fn points(&self, criterion: Criterion) -> u16 {
        self.points[criterion.index()]
    }

    /// Weight times what counts: exact, where points are rounded.
    pub(crate) fn won(&self, criterion: Criterion) -> u32 {
        self.won[criterion.index()]
    }

    /// The criterion in which it wins most over another, of equals the first.
    pub(crate) fn wins_most_over(&self, other: &Self) -> Criterion {
        let gain = |index: usize| self.won[index].saturating_sub(other.won[index]);
        let mut most = 0;
        for index in 1..CRITERIA {
            if gain(index) > gain(most) {
                most = index;
            }
        }
        Criterion::ALL[most]
    }
}

/// What is said of one car.
pub(crate) struct Explanation<'catalogue> {
    pub(crate) contributions: Vec<Contribution<'catalogue>>,
    pub(crate) justification: String,
    pub(crate) attention_points: Vec<String>,
}

/// How a car stands to the others that are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// No car came before this one.
    Best,
    /// It passes every filter.
    Among,
    /// It passes only once some wishes are given up.
    Alternative,
}

pub(crate) fn explain<'catalogue>(
    source: FactSource<'_, 'catalogue>,
    judgement: &Judgement<'catalogue>,
    standing: Standing,
) -> Explanation<'catalogue> {
    let weights = &source.scoring.weights;
    let mut facts: PerCriterion<Cow<'catalogue, str>> = Criterion::ALL.map(|criterion| {
        if weights.of_criterion(criterion) > 0 {
            source.fact(criterion, judgement.car)
        } else {
            Cow::Borrowed("")
        }
    });
    let by_points = descending(judgement.points);
    let justification = justification(source, judgement, &by_points, &facts, standing);
    let attention_points = attention_points(source, judgement, &facts);
    let mut contributions = Vec::with_capacity(CRITERIA);
    contributions.extend(
        by_points
            .into_iter()
            .filter(|index| weights.all()[*index] > 0)
            .map(|index| Contribution {
                criterion: Criterion::ALL[index],
                points_tenths: judgement.points[index],
                missed_tenths: judgement.missed[index],
                fact: std::mem::take(&mut facts[index]),
            }),
    );
    Explanation {
        contributions,
        justification,
        attention_points,
    }
}

/// How many values come before each: the larger ones, and of equals the earlier.
fn ranks(values: PerCriterion<u32>) -> PerCriterion<usize> {
    // Counting beats sorting for a handful of values: no branch, and four at a time, for which the signed type is.
    // Values are below 2^27, so the place fits beside them.
    let mut packed = [0_i32; CRITERIA];
    for (index, (packed, value)) in packed.iter_mut().zip(values).enumerate() {
        *packed = (value << 4) as i32 | (15 - index) as i32;
    }
    let mut ranks = [0_i32; CRITERIA];
    for other in packed {
        for (rank, own) in ranks.iter_mut().zip(packed) {
            *rank += i32::from(other > own);
        }
    }
    ranks.map(|rank| rank as usize)
}

/// The places of the values, the largest value first, of equals the first.
fn descending(values: PerCriterion<u16>) -> PerCriterion<usize> {
    let mut order = [0; CRITERIA];
    for (index, rank) in ranks(values.map(u32::from)).into_iter().enumerate() {
        order[rank] = index;
    }
    order
}

const _: () = assert!(CRITERIA <= 16, "a place fits the four bits that `ranks` gives it");

/// `part · 1000 / FULL_SCORE` for each part, rounded by largest remainder so that they sum to `total`.
fn tenths(total: u16, parts: PerCriterion<u32>) -> PerCriterion<u16> {
    let exact = parts.map(|part| part * 1000);
    let rounded = exact.map(|part| (part / FULL_SCORE) as u16);
    let left = usize::from(total - rounded.iter().sum::<u16>());
    let ranks = ranks(exact.map(|part| part % FULL_SCORE));
    std::array::from_fn(|index| rounded[index] + u16::from(ranks[index] < left))
}

/// "Por que combina": the largest contributions of good worth among the criteria that matter to this buyer.
fn justification(
    source: FactSource<'_, '_>,
    judgement: &Judgement<'_>,
    by_points: &PerCriterion<usize>,
    facts: &PerCriterion<Cow<'_, str>>,
    standing: Standing,
) -> String {
    let criteria = &source.tables.criteria;
    let weights = &source.scoring.weights;
    let least = weights.least_above_average();
    let reasons = by_points
        .iter()
        .copied()
        .filter(|index| judgement.counted[*index] >= criteria.reason_utility)
        .filter(|index| weights.all()[*index] >= least);
    let mut text = String::with_capacity(320);
    for index in reasons.take(criteria.reasons) {
        if !text.is_empty() {
            text.push(' ');
        }
        let strong = judgement.counted[index] >= criteria.strong_reason_utility;
        text.push_str(praise(source, Criterion::ALL[index], strong));
        text.push_str(": ");
        text.push_str(&facts[index]);
        text.push('.');
    }
    if text.is_empty() {
        text.push_str(match standing {
            Standing::Best => "É a melhor opção disponível para o que você pediu.",
            Standing::Among => "Está entre as melhores opções disponíveis para o que você pediu.",
            Standing::Alternative => "Está entre os carros que mais se aproximam do que você pediu.",
        });
    }
    text
}

/// "Pontos de atenção", the gravest first: auction and accident, the largest misses, weak spots in what the buyer
/// cares about, what is not known, an old advertisement.
fn attention_points(
    source: FactSource<'_, '_>,
    judgement: &Judgement<'_>,
    facts: &PerCriterion<Cow<'_, str>>,
) -> Vec<String> {
    let criteria = &source.tables.criteria;
    let car = judgement.car;
    let mut points = Vec::with_capacity(4);
    if car.car.auction == Some(true) {
        points.push("Veículo de leilão, segundo o anúncio.".to_owned());
    }
    if car.car.accident == Some(true) {
        points.push("Teve sinistro registrado, segundo o anúncio.".to_owned());
    }

    let known = |criterion: Criterion| match criterion {
        Criterion::Quality(quality) => car.is_known(quality),
        Criterion::Distance => source.scoring.proximity.is_known(car.place),
        Criterion::Wear | Criterion::Preferences | Criterion::Price => true,
    };
    let cared_for = |criterion: Criterion| match criterion {
        Criterion::Quality(quality) => {
            priority(&source.questionnaire.priorities, quality) >= criteria.attention_priority
        }
        Criterion::Wear | Criterion::Distance | Criterion::Preferences | Criterion::Price => false,
    };
    // What is good enough to be a reason is no point of attention, however much a heavy weight makes it miss.
    let misses = descending(judgement.missed).into_iter().filter(|index| {
        judgement.raw[*index] < criteria.reason_utility
            && judgement.missed[*index] >= criteria.least_miss_tenths
            && known(Criterion::ALL[*index])
    });
    for (place, index) in misses.enumerate() {
        let (criterion, weak) = (
            Criterion::ALL[index],
            judgement.raw[index] < criteria.attention_utility,
        );
        if place < criteria.misses || (weak && cared_for(criterion)) {
            let mut text = String::with_capacity(128);
            text.push_str(reproach(source, criterion, weak));
            text.push_str(": ");
            text.push_str(&facts[index]);
            text.push('.');
            points.push(text);
        }
    }

    let distance_unknown = source.scoring.proximity.counts && !known(Criterion::Distance);
    if distance_unknown || !Quality::ALL.into_iter().all(|quality| car.is_known(quality)) {
        points.push(unknown(car, distance_unknown));
    }
    if let Some(days) = car
        .unconfirmed_days
        .filter(|days| *days >= criteria.attention_days)
    {
        let mut text = String::from("Anúncio sem atualização há ");
        push_count(&mut text, u64::from(days), "dia", "dias");
        text.push('.');
        points.push(text);
    }
    points
}

fn unknown(car: &CatalogueCar, distance_unknown: bool) -> String {
    let unknown: Vec<&str> = Quality::ALL
        .into_iter()
        .filter(|quality| !car.is_known(*quality))
        .map(Quality::label)
        .chain(distance_unknown.then_some("distância"))
        .collect();
    format!(
        "Não temos dados deste carro sobre {}; por isso {} só parte dos pontos.",
        list(&unknown),
        if unknown.len() == 1 {
            "esse item recebeu"
        } else {
            "esses itens receberam"
        }
    )
}

fn praise(source: FactSource<'_, '_>, criterion: Criterion, strong: bool) -> &'static str {
    let (excellent, good) = match criterion {
        Criterion::Quality(Quality::Economy) => ("Muito econômico", "Econômico"),
        Criterion::Quality(Quality::Space) => ("Muito espaço", "Bom espaço"),
        Criterion::Quality(Quality::Performance) => ("Anda muito bem", "Anda bem"),
        Criterion::Quality(Quality::Comfort) => ("Muito bem equipado", "Bem equipado"),
        Criterion::Quality(Quality::Safety) => ("Muito seguro", "Bom nível de segurança"),
        Criterion::Quality(Quality::Resale) => ("Ótima revenda", "Boa revenda"),
        Criterion::Quality(Quality::Reliability) => ("Muito confiável", "Confiável"),
        Criterion::Quality(Quality::Maintenance) => ("Manutenção muito barata", "Manutenção barata"),
        Criterion::Wear => ("Pouquíssimo rodado", "Pouco rodado"),
        Criterion::Distance => return source.scoring.proximity.praise(strong),
        Criterion::Preferences => ("Do jeito que você quer", "Perto do que você quer"),
        Criterion::Price => (
            "Preço muito bom para o seu orçamento",
            "Bom preço para o seu orçamento",
        ),
    };
    if strong { excellent } else { good }
}

fn reproach(source: FactSource<'_, '_>, criterion: Criterion, weak: bool) -> &'static str {
    let (poor, middling) = match criterion {
        Criterion::Quality(Quality::Economy) => ("Gasta bastante", "Consumo mediano"),
        Criterion::Quality(Quality::Space) => ("Pouco espaço", "Espaço mediano"),
        Criterion::Quality(Quality::Performance) => ("Desempenho fraco", "Desempenho mediano"),
        Criterion::Quality(Quality::Comfort) => ("Pouco equipado", "Equipamento mediano"),
        Criterion::Quality(Quality::Safety) => ("Segurança fraca", "Segurança mediana"),
        Criterion::Quality(Quality::Resale) => ("Desvaloriza rápido", "Revenda mediana"),
        Criterion::Quality(Quality::Reliability) => ("Confiabilidade baixa", "Confiabilidade mediana"),
        Criterion::Quality(Quality::Maintenance) => ("Manutenção cara", "Manutenção de custo médio"),
        Criterion::Wear => ("Muito rodado", "Já rodou bastante"),
        Criterion::Distance => return source.scoring.proximity.reproach(weak),
        Criterion::Preferences => ("Longe do que você quer", "Só em parte o que você quer"),
        Criterion::Price => ("Preço perto do seu limite", "Preço no meio do seu orçamento"),
    };
    if weak { poor } else { middling }
}
