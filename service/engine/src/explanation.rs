//! Why a car came where it did: points that sum exactly, reasons and points of attention.
//!
//! Nothing is named here that the score did not use, but for two facts that are always said: auction and accident.

use crate::{
    catalogue::CatalogueCar,
    facts::FactSource,
    figures::{count, list},
    questionnaire::Quality,
    ranking::{FULL_SCORE, match_tenths},
    recommendation::{Contribution, Criterion},
    weights::priority,
};

/// What is said of one car.
pub(crate) struct Explanation {
    pub(crate) match_tenths: u16,
    pub(crate) contributions: Vec<Contribution>,
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

pub(crate) fn explain(source: FactSource<'_>, car: &CatalogueCar, standing: Standing) -> Explanation {
    let mut contributions = contributions(source, car);
    let justification = justification(source, car, &contributions, standing);
    let attention_points = attention_points(source, car, &contributions);
    contributions.sort_by_key(|part| (std::cmp::Reverse(part.points_tenths), part.criterion.index()));
    Explanation {
        match_tenths: match_tenths(source.scoring.score(car)),
        contributions,
        justification,
        attention_points,
    }
}

/// Points and misses of every criterion that has a weight, in the order of [`Criterion::ALL`].
///
/// Both are apportioned by largest remainder: the points sum to the match, the misses to what the match lacks.
fn contributions(source: FactSource<'_>, car: &CatalogueCar) -> Vec<Contribution> {
    let scoring = source.scoring;
    let won = Criterion::ALL.map(|criterion| {
        u32::from(scoring.weights.of_criterion(criterion)) * u32::from(scoring.utility(criterion, car))
    });
    let lost = Criterion::ALL.map(|criterion| {
        u32::from(scoring.weights.of_criterion(criterion)) * u32::from(255 - scoring.utility(criterion, car))
    });
    let total = match_tenths(won.iter().sum());
    let points = tenths(total, won);
    let missed = tenths(1000 - total, lost);
    Criterion::ALL
        .into_iter()
        .filter(|criterion| scoring.weights.of_criterion(*criterion) > 0)
        .map(|criterion| Contribution {
            criterion,
            points_tenths: points[criterion.index()],
            missed_tenths: missed[criterion.index()],
            fact: source.fact(criterion, car),
        })
        .collect()
}

/// `part · 1000 / FULL_SCORE` for each part, rounded by largest remainder so that they sum to `total`.
fn tenths(total: u16, parts: [u32; 12]) -> [u16; 12] {
    let exact = parts.map(|part| part * 1000);
    let mut rounded = exact.map(|part| (part / FULL_SCORE) as u16);
    let left = usize::from(total - rounded.iter().sum::<u16>());
    let mut by_remainder: [usize; 12] = std::array::from_fn(|index| index);
    by_remainder.sort_by_key(|&index| (std::cmp::Reverse(exact[index] % FULL_SCORE), index));
    for &index in by_remainder.iter().take(left) {
        rounded[index] += 1;
    }
    rounded
}

/// "Por que combina": the largest contributions of good worth among the criteria that matter to this buyer.
fn justification(
    source: FactSource<'_>,
    car: &CatalogueCar,
    contributions: &[Contribution],
    standing: Standing,
) -> String {
    let criteria = &source.tables.criteria;
    let mut reasons: Vec<&Contribution> = contributions
        .iter()
        .filter(|part| source.scoring.weights.is_above_average(part.criterion))
        .filter(|part| source.scoring.utility(part.criterion, car) >= criteria.reason_utility)
        .collect();
    reasons.sort_by_key(|part| (std::cmp::Reverse(part.points_tenths), part.criterion.index()));
    if reasons.is_empty() {
        let text = match standing {
            Standing::Best => "É a melhor opção disponível para o que você pediu.",
            Standing::Among => "Está entre as melhores opções disponíveis para o que você pediu.",
            Standing::Alternative => "Está entre os carros que mais se aproximam do que você pediu.",
        };
        return text.to_owned();
    }
    let sentences: Vec<String> = reasons
        .into_iter()
        .take(criteria.reasons)
        .map(|part| {
            let utility = source.scoring.utility(part.criterion, car);
            format!(
                "{}: {}.",
                praise(source, part.criterion, utility >= criteria.strong_reason_utility),
                part.fact
            )
        })
        .collect();
    sentences.join(" ")
}

/// "Pontos de atenção", the gravest first: auction and accident, the largest misses, weak spots in what the buyer
/// cares about, what is not known, an old advertisement.
fn attention_points(
    source: FactSource<'_>,
    car: &CatalogueCar,
    contributions: &[Contribution],
) -> Vec<String> {
    let criteria = &source.tables.criteria;
    let mut points = Vec::new();
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
    let worth = |part: &Contribution| source.scoring.raw_utility(part.criterion, car);
    // What is good enough to be a reason is no point of attention, however much a heavy weight makes it miss.
    let mut misses: Vec<&Contribution> = contributions
        .iter()
        .filter(|part| known(part.criterion) && worth(part) < criteria.reason_utility)
        .filter(|part| part.missed_tenths >= criteria.least_miss_tenths)
        .collect();
    misses.sort_by_key(|part| (std::cmp::Reverse(part.missed_tenths), part.criterion.index()));
    let cared_for = |criterion: Criterion| match criterion {
        Criterion::Quality(quality) => {
            priority(&source.questionnaire.priorities, quality) >= criteria.attention_priority
        }
        Criterion::Wear | Criterion::Distance | Criterion::Preferences | Criterion::Price => false,
    };
    let said = misses.iter().enumerate().filter(|(place, part)| {
        *place < criteria.misses || (worth(part) < criteria.attention_utility && cared_for(part.criterion))
    });
    points.extend(said.map(|(_, part)| {
        let weak = worth(part) < criteria.attention_utility;
        format!("{}: {}.", reproach(source, part.criterion, weak), part.fact)
    }));

    let unknown: Vec<&str> = Quality::ALL
        .into_iter()
        .filter(|quality| !car.is_known(*quality))
        .map(Quality::label)
        .chain((!known(Criterion::Distance) && source.scoring.proximity.counts).then_some("distância"))
        .collect();
    if !unknown.is_empty() {
        points.push(format!(
            "Não temos dados deste carro sobre {}; por isso {} só parte dos pontos.",
            list(&unknown),
            if unknown.len() == 1 {
                "esse item recebeu"
            } else {
                "esses itens receberam"
            }
        ));
    }
    if let Some(days) = car
        .unconfirmed_days
        .filter(|days| *days >= criteria.attention_days)
    {
        points.push(format!(
            "Anúncio sem atualização há {}.",
            count(u64::from(days), "dia", "dias")
        ));
    }
    points
}

fn praise(source: FactSource<'_>, criterion: Criterion, strong: bool) -> &'static str {
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

fn reproach(source: FactSource<'_>, criterion: Criterion, weak: bool) -> &'static str {
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
