//! Writes what the engine found as an app reads it. Percentages are written from integers, so that points
//! sum exactly to the match.

use std::borrow::Cow;

use actix_web::web::Bytes;
use faciliauto_engine::{
    catalogue::{Catalogue, CatalogueCar},
    cost::{Accounts, CostOfOwnership, FinancialHealth},
    questionnaire::Quality,
    recommendation::{
        Alternative, Comparison, Contribution, Difference, Filter, FilterCount, Recommendation, Recommended,
    },
    stock::{Centavos, Dealership},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::questionnaire::Asked;
use crate::{
    car_texts::{CarText, CarTexts},
    fields::Warning,
    json::{Tenths, WriteError, Written, body_of, with_text},
    routes::{query::push_escaped, wire::CarAnswer},
    stock::rows::reais,
};

/// What a recommendation says.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Recommendations")]
pub(in crate::routes) struct Answer<'a> {
    total_recommendations: usize,
    profile_summary: ProfileSummary<'a>,
    recommendations: Vec<RecommendationAnswer<'a>>,
    alternatives: Vec<AlternativeAnswer<'a>>,
    filters: Vec<FilterAnswer<'a>>,
    warnings: &'a [Warning],
    catalog_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<&'a str>,
}

#[derive(Serialize, JsonSchema)]
struct ProfileSummary<'a> {
    budget_range: String,
    usage: &'a str,
    location: Option<&'a str>,
    top_priorities: Vec<&'a str>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Recommendation")]
struct RecommendationAnswer<'a> {
    #[schemars(with = "CarAnswer<'a>")]
    car: CarPart<'a>,
    match_score: f64,
    #[schemars(with = "f64")]
    match_percentage: Tenths,
    justification: &'a str,
    contributions: Vec<ContributionAnswer<'a>>,
    attention_points: &'a [String],
    comparison: Option<ComparisonAnswer<'a>>,
    price_to_be_first: Option<f64>,
    price_to_be_first_text: Option<&'a str>,
    #[schemars(with = "CostAnswer<'a>")]
    tco_breakdown: CostPart<'a>,
    fits_budget: Option<bool>,
    budget_percentage: Option<f64>,
    financial_health: Option<&'a str>,
    whatsapp_url: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    distance_km: Option<u32>,
    /// Only where there is a list from before to compare with.
    #[serde(skip_serializing_if = "Option::is_none")]
    improved: Option<bool>,
}

/// A car as JSON that was written before, or about to be.
#[derive(Serialize)]
#[serde(untagged)]
enum CarPart<'a> {
    Written(Written<'a>),
    Typed(Box<CarAnswer<'a>>),
}

/// What a car costs, as JSON that was written before, or about to be.
#[derive(Serialize)]
#[serde(untagged)]
enum CostPart<'a> {
    Written(Written<'a>),
    Typed(Box<CostAnswer<'a>>),
}

/// A recommendation with the wishes that were given up for it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Alternative")]
struct AlternativeAnswer<'a> {
    #[serde(flatten)]
    recommendation: RecommendationAnswer<'a>,
    relaxed: Vec<Cow<'a, str>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Contribution")]
struct ContributionAnswer<'a> {
    criterion: &'a str,
    #[schemars(with = "f64")]
    points: Tenths,
    #[schemars(with = "f64")]
    missed: Tenths,
    fact: &'a str,
}

/// Against the next car of the list; points as each of the two shows them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Comparison")]
struct ComparisonAnswer<'a> {
    car_id: &'a str,
    #[schemars(with = "f64")]
    match_percentage: Tenths,
    advantage: Option<DifferenceAnswer>,
    drawback: Option<DifferenceAnswer>,
    text: &'a str,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Difference")]
struct DifferenceAnswer {
    criterion: &'static str,
    #[schemars(with = "f64")]
    points: Tenths,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CostOfOwnership")]
struct CostAnswer<'a> {
    financing_monthly: f64,
    fuel_monthly: f64,
    maintenance_monthly: f64,
    insurance_monthly: f64,
    ipva_monthly: f64,
    licensing_monthly: f64,
    depreciation_monthly: f64,
    interest_monthly: f64,
    total_monthly: f64,
    economic_total_monthly: f64,
    assumptions: Vec<Cow<'a, str>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Filter")]
struct FilterAnswer<'a> {
    filter: Cow<'a, str>,
    removed: usize,
    removed_only: usize,
    nao_informado: usize,
}

impl<'a> Answer<'a> {
    pub(in crate::routes) fn new(
        catalogue: &'a Catalogue,
        texts: &'a CarTexts,
        asked: &'a Asked,
        recommendation: &'a Recommendation<'_>,
    ) -> Self {
        let Recommendation {
            matching: _,
            available: _,
            weights: _,
            diversity_thousandths: _,
            cars,
            alternatives,
            filters,
            top_priorities,
            message,
            suggestion,
        } = recommendation;
        let wanted = &asked.questionnaire;
        let accounts = Accounts::of(catalogue, wanted);
        Self {
            total_recommendations: cars.len(),
            profile_summary: ProfileSummary {
                budget_range: [
                    money(wanted.budget_minimum).as_str(),
                    money(wanted.budget_maximum).as_str(),
                ]
                .join(" - "),
                usage: wanted.usage.word(),
                location: asked.location.as_deref(),
                top_priorities: top_priorities.iter().copied().map(Quality::word).collect(),
            },
            recommendations: cars
                .iter()
                .map(|car| RecommendationAnswer::new(catalogue, texts, &accounts, car))
                .collect(),
            alternatives: alternatives
                .iter()
                .map(|alternative| AlternativeAnswer::new(catalogue, texts, &accounts, alternative))
                .collect(),
            filters: filters.iter().map(FilterAnswer::from).collect(),
            warnings: &asked.warnings,
            catalog_version: catalogue.version(),
            message: message.as_deref(),
            suggestion: suggestion.as_deref(),
        }
    }

    /// Says of each car, by its place in the list, whether it stands better than before.
    pub(in crate::routes) fn mark_improved(&mut self, improved: impl Fn(usize) -> bool) {
        for (place, car) in self.recommendations.iter_mut().enumerate() {
            car.improved = Some(improved(place));
        }
    }
}

/// The body of the answer.
pub(super) fn write(
    catalogue: &Catalogue,
    texts: &CarTexts,
    asked: &Asked,
    recommendation: &Recommendation<'_>,
) -> Result<Bytes, WriteError> {
    body_of(&Answer::new(catalogue, texts, asked, recommendation))
}

impl<'a> RecommendationAnswer<'a> {
    fn new(
        catalogue: &'a Catalogue,
        texts: &'a CarTexts,
        accounts: &Accounts<'a, '_>,
        recommended: &'a Recommended<'a>,
    ) -> Self {
        let Recommended {
            car,
            ordinal,
            dealership,
            match_tenths,
            contributions,
            justification,
            attention_points,
            distance_km,
            comparison,
            price_to_be_first,
        } = recommended;
        let text = texts.of_car(*ordinal, || {
            let typed = CarAnswer::of(catalogue, car, dealership);
            let json = with_text(&typed, |json| std::str::from_utf8(json).map(Into::into));
            Some(CarText {
                json: json.ok()?.ok()?,
                whatsapp_url: conversation(car, dealership).map(Into::into),
            })
        });
        let Costs {
            tco_breakdown,
            fits_budget,
            budget_percentage,
            financial_health,
        } = Costs::of(texts, accounts, recommended);
        let (car, whatsapp_url) = match text {
            Some(text) => (
                CarPart::Written(Written::new(&text.json)),
                text.whatsapp_url.as_deref().map(Cow::Borrowed),
            ),
            None => (
                CarPart::Typed(Box::new(CarAnswer::of(catalogue, car, dealership))),
                conversation(car, dealership).map(Cow::Owned),
            ),
        };
        Self {
            car,
            match_score: f64::from(*match_tenths) / 1000.0,
            match_percentage: Tenths(*match_tenths),
            justification,
            contributions: contributions.iter().map(ContributionAnswer::from).collect(),
            attention_points,
            distance_km: *distance_km,
            improved: None,
            comparison: comparison.as_ref().map(ComparisonAnswer::from),
            price_to_be_first: price_to_be_first.as_ref().map(|first| reais(first.price)),
            price_to_be_first_text: price_to_be_first.as_ref().map(|first| first.text.as_str()),
            tco_breakdown,
            fits_budget,
            budget_percentage,
            financial_health,
            whatsapp_url,
        }
    }
}

/// What a car costs, with the badges that follow from it.
struct Costs<'a> {
    tco_breakdown: CostPart<'a>,
    fits_budget: Option<bool>,
    budget_percentage: Option<f64>,
    financial_health: Option<&'a str>,
}

impl<'a> Costs<'a> {
    fn of(texts: &'a CarTexts, accounts: &Accounts<'a, '_>, recommended: &Recommended<'a>) -> Self {
        let Recommended {
            car,
            ordinal,
            dealership,
            ..
        } = recommended;
        let cost = || accounts.of_car(car, dealership);
        let written = accounts.usual_buyer().and_then(|buyer| {
            texts.of_costs(*ordinal, buyer, || {
                let json = with_text(&CostAnswer::from(cost()), |json| {
                    std::str::from_utf8(json).map(Into::into)
                });
                json.ok()?.ok()
            })
        });
        if let Some(json) = written {
            // Badges compare with what a usual buyer does not say: an income, a maximum.
            return Self {
                tco_breakdown: CostPart::Written(Written::new(json)),
                fits_budget: None,
                budget_percentage: None,
                financial_health: None,
            };
        }
        let cost = cost();
        Self {
            fits_budget: cost.fits_budget,
            budget_percentage: cost.budget_percentage,
            financial_health: cost.health.map(FinancialHealth::word),
            tco_breakdown: CostPart::Typed(Box::new(CostAnswer::from(cost))),
        }
    }
}

impl<'a> AlternativeAnswer<'a> {
    fn new(
        catalogue: &'a Catalogue,
        texts: &'a CarTexts,
        accounts: &Accounts<'a, '_>,
        alternative: &'a Alternative<'a>,
    ) -> Self {
        let Alternative { recommended, relaxed } = alternative;
        Self {
            recommendation: RecommendationAnswer::new(catalogue, texts, accounts, recommended),
            relaxed: relaxed.iter().map(Filter::word).collect(),
        }
    }
}

impl<'a> From<&'a Contribution<'_>> for ContributionAnswer<'a> {
    fn from(contribution: &'a Contribution<'_>) -> Self {
        let Contribution {
            criterion,
            points_tenths,
            missed_tenths,
            fact,
        } = contribution;
        Self {
            criterion: criterion.word(),
            points: Tenths(*points_tenths),
            missed: Tenths(*missed_tenths),
            fact,
        }
    }
}

impl<'a> From<&'a Comparison<'_>> for ComparisonAnswer<'a> {
    fn from(comparison: &'a Comparison<'_>) -> Self {
        let Comparison {
            other,
            other_match_tenths,
            advantage,
            drawback,
            text,
        } = comparison;
        Self {
            car_id: &other.car.id,
            match_percentage: Tenths(*other_match_tenths),
            advantage: advantage.map(DifferenceAnswer::from),
            drawback: drawback.map(DifferenceAnswer::from),
            text,
        }
    }
}

impl From<Difference> for DifferenceAnswer {
    fn from(difference: Difference) -> Self {
        let Difference {
            criterion,
            points_tenths,
        } = difference;
        Self {
            criterion: criterion.word(),
            points: Tenths(points_tenths),
        }
    }
}

impl<'a> From<CostOfOwnership<'a>> for CostAnswer<'a> {
    fn from(cost: CostOfOwnership<'a>) -> Self {
        let CostOfOwnership {
            financing_monthly,
            fuel_monthly,
            maintenance_monthly,
            insurance_monthly,
            ipva_monthly,
            licensing_monthly,
            depreciation_monthly,
            interest_monthly,
            total_monthly,
            economic_total_monthly,
            assumptions,
            // Badges of the car, beside its costs.
            fits_budget: _,
            budget_percentage: _,
            health: _,
        } = cost;
        Self {
            financing_monthly: reais(financing_monthly),
            fuel_monthly: reais(fuel_monthly),
            maintenance_monthly: reais(maintenance_monthly),
            insurance_monthly: reais(insurance_monthly),
            ipva_monthly: reais(ipva_monthly),
            licensing_monthly: reais(licensing_monthly),
            depreciation_monthly: reais(depreciation_monthly),
            interest_monthly: reais(interest_monthly),
            total_monthly: reais(total_monthly),
            economic_total_monthly: reais(economic_total_monthly),
            assumptions,
        }
    }
}

impl<'a> From<&'a FilterCount> for FilterAnswer<'a> {
    fn from(count: &'a FilterCount) -> Self {
        let FilterCount {
            filter,
            removed,
            removed_only,
            unknown,
        } = count;
        Self {
            filter: filter.word(),
            removed: *removed,
            removed_only: *removed_only,
            nao_informado: *unknown,
        }
    }
}

/// `R$ 62.990`, with centavos only where there are any.
fn money(Centavos(centavos): Centavos) -> String {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(centavos / 100);
    let mut text = String::with_capacity(20);
    text.push_str("R$ ");
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('.');
        }
        text.push(digit);
    }
    match centavos % 100 {
        0 => text,
        rest => format!("{text},{rest:02}"),
    }
}

/// `Olá! Vi o `, as a part of a URL.
const GREETING: &str = "Ol%C3%A1%21%20Vi%20o%20";

/// ` no FacilIAuto e gostaria de mais informações.`, as a part of a URL.
const INTEREST: &str = "%20no%20FacilIAuto%20e%20gostaria%20de%20mais%20informa%C3%A7%C3%B5es.";

/// Opens a conversation with the seller of a car, when they have a number for it.
fn conversation(item: &CatalogueCar, seller: &Dealership) -> Option<String> {
    let number = seller.whatsapp.as_deref()?;
    let (name, price) = (item.display_name(), money(item.car.price));
    Some(whatsapp_url(number, &name, item.car.year, &price))
}

/// Opens a conversation with the seller, with a first sentence written.
fn whatsapp_url(number: &str, car: &str, year: u16, price: &str) -> String {
    let mut url = String::with_capacity(320);
    url.push_str("https://wa.me/");
    url.push_str(number.trim_start_matches('+'));
    url.push_str("?text=");
    url.push_str(GREETING);
    push_escaped(&mut url, car);
    url.push_str("%20");
    url.push_str(itoa::Buffer::new().format(year));
    url.push_str("%20por%20");
    push_escaped(&mut url, price);
    url.push_str(INTEREST);
    url
}

#[cfg(test)]
mod tests {
    use faciliauto_engine::tables::Tables;
    use jiff::civil::date;
    use serde_json::json;

    use super::*;
    use crate::{
        routes::recommend::questionnaire,
        stock::{SAMPLE, StockFile},
    };

    /// Prevents an app from reading another number or text than the types say: buyers of all kinds, lists that are full,
    /// short and empty.
    #[test]
    fn answers_are_written_library_text_does() {
        let today = date(2026, 11, 26);
        let stock = StockFile::whole(SAMPLE, today).unwrap();
        let tables = Tables::bundled().unwrap();
        let catalogue = Catalogue::build(stock, &tables, today, "a.1".to_owned()).unwrap();
        let texts = CarTexts::of(catalogue.len());
        let wishes = [
            json!({}),
            json!({"city": "Campinas", "state": "SP", "raio_maximo_km": 40.5, "unknown \"field\"": 1}),
            json!({"state": "PE", "tamanho_familia": 7, "limit": 50, "diversificar": false}),
            json!({"tipos_preferidos": ["SUV", "?"], "must_haves": ["isofix"], "ano_minimo": 2022}),
            json!({"entrada": 10_000.55, "prazo_meses": 36, "km_mes": 1333,
                "financial_capacity": {"monthly_income_range": "3000-5000", "max_monthly_tco": 1999.99}}),
        ];
        let (mut full, mut short, mut empty) = (0, 0, 0);
        for usage in [
            "familia",
            "trabalho",
            "lazer",
            "comercial",
            "primeiro_carro",
            "transporte_passageiros",
        ] {
            for (least, most) in [
                (0, 20_000),
                (30_000, 45_000),
                (50_000, 90_000),
                (100_000, 900_000),
            ] {
                for wish in &wishes {
                    let mut body = wish.clone();
                    body["uso_principal"] = usage.into();
                    body["orcamento_min"] = least.into();
                    body["orcamento_max"] = most.into();
                    let asked = questionnaire::read(body.into(), &catalogue).unwrap();
                    let recommendation = catalogue.recommend(&asked.questionnaire);
                    let none = CarTexts::none();
                    let answer = Answer::new(&catalogue, &none, &asked, &recommendation);
                    let written = write(&catalogue, &texts, &asked, &recommendation).unwrap();
                    let written = std::str::from_utf8(&written).unwrap();
                    assert_eq!(written, serde_json::to_string(&answer).unwrap());
                    match recommendation.cars.len() {
                        0 => empty += 1,
                        found if found < asked.questionnaire.limit => short += 1,
                        _ => full += 1,
                    }
                }
            }
        }
        assert!(full > 10 && short > 10 && empty > 10, "{full} {short} {empty}");
    }

    /// Prevents a budget from being shown with a thousand separator in the wrong place.
    #[test]
    fn money_is_written_as_in_brazil() {
        for (centavos, text) in [
            (0, "R$ 0"),
            (99_900, "R$ 999"),
            (5_000_000, "R$ 50.000"),
            (123_456_789, "R$ 1.234.567,89"),
            (100_005, "R$ 1.000,05"),
        ] {
            assert_eq!(money(Centavos(centavos)), text);
        }
    }

    /// Prevents a link that WhatsApp refuses: digits alone, and the text escaped.
    #[test]
    fn the_link_opens_a_conversation() {
        assert_eq!(
            whatsapp_url("+5511987654321", "Fiat Argo", 2020, "R$ 62.990"),
            "https://wa.me/5511987654321?text=Ol%C3%A1%21%20Vi%20o%20Fiat%20Argo%202020%20por%20R%24%2062.990\
             %20no%20FacilIAuto%20e%20gostaria%20de%20mais%20informa%C3%A7%C3%B5es."
        );
    }
}
