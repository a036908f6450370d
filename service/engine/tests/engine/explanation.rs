//! Sentences and points.

use std::fmt::Write;

use faciliauto_engine::{Accounts, Catalogue, Filter, Questionnaire, Recommended};

/// The answer to a buyer as text, to be read by a person.
pub(crate) fn written(catalogue: &Catalogue, buyer: &Questionnaire) -> String {
    let answer = catalogue.recommend(buyer);
    let accounts = Accounts::of(catalogue, buyer);
    let mut text = format!(
        "{} de {} carros; pesam mais: {:?}\n",
        answer.matching, answer.available, answer.top_priorities
    );
    for filter in &answer.filters {
        let word = filter.filter.word();
        let (removed, only, unknown) = (filter.removed, filter.removed_only, filter.unknown);
        writeln!(
            text,
            "filtro {word}: {removed} fora, {only} só por ele, {unknown} sem dado"
        )
        .unwrap();
    }
    for line in [&answer.message, &answer.suggestion].into_iter().flatten() {
        writeln!(text, "{line}").unwrap();
    }
    for (place, best) in answer.cars.iter().enumerate() {
        write_car(&mut text, &(place + 1).to_string(), best, &accounts);
    }
    for alternative in &answer.alternatives {
        let relaxed: Vec<_> = alternative.relaxed.iter().map(Filter::word).collect();
        write_car(
            &mut text,
            &format!("sem {}", relaxed.join(", ")),
            &alternative.recommended,
            &accounts,
        );
    }
    text
}

fn write_car<'catalogue>(
    text: &mut String,
    place: &str,
    best: &Recommended<'catalogue>,
    accounts: &Accounts<'catalogue, '_>,
) {
    let car = &best.car.car;
    writeln!(
        text,
        "\n{}. {} {} – R$ {}, {} km – {}.{} %",
        place,
        best.car.display_name(),
        car.year,
        car.price.0 / 100,
        car.odometer_km,
        best.match_tenths / 10,
        best.match_tenths % 10
    )
    .unwrap();
    writeln!(text, "   {}", best.justification).unwrap();
    for point in &best.attention_points {
        writeln!(text, "   ! {point}").unwrap();
    }
    let comparison = best.comparison.as_ref().map(|comparison| &comparison.text);
    let price = best.price_to_be_first.as_ref().map(|price| &price.text);
    for line in [comparison, price].into_iter().flatten() {
        writeln!(text, "   {line}").unwrap();
    }
    for part in &best.contributions {
        writeln!(
            text,
            "   {:>4} (-{}) {}: {}",
            part.points_tenths,
            part.missed_tenths,
            part.criterion.word(),
            part.fact
        )
        .unwrap();
    }
    let cost = accounts.of_car(best.car, best.dealership);
    writeln!(
        text,
        "   desembolso {} econômico {} (parcela {}, combustível {}, manutenção {}, seguro {}, IPVA {}, \
         licenciamento {}, desvalorização {}, juros {})",
        cost.total_monthly.0,
        cost.economic_total_monthly.0,
        cost.financing_monthly.0,
        cost.fuel_monthly.0,
        cost.maintenance_monthly.0,
        cost.insurance_monthly.0,
        cost.ipva_monthly.0,
        cost.licensing_monthly.0,
        cost.depreciation_monthly.0,
        cost.interest_monthly.0
    )
    .unwrap();
    for sentence in &cost.assumptions {
        writeln!(text, "   · {sentence}").unwrap();
    }
}
