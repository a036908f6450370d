//! Reads what an app sends as a buyer's answers. Nothing is ignored in silence: what is not used is named in
//! a warning, what cannot be understood is an error with its pointer.

use std::sync::LazyLock;

use faciliauto_engine::{
    catalogue::Catalogue,
    equipment,
    questionnaire::{Frequency, IncomeRange, MustHave, Payment, Priorities, Quality, Questionnaire, Usage},
    stock::{Category, Centavos, Fuel, Gearbox, Stock},
    tables::Tables,
    text::fold,
};
use jiff::civil::Date;
use serde_json::json;

use super::whereabouts::{Whereabouts, whereabouts};
use crate::{
    document::Value,
    error::ApiError,
    fields::{FieldError, Fields, Findings, Shape, Warning},
    stock::rows::words,
};

const DEFAULT_LIMIT: usize = 5;

/// What matters as much as most things, where nothing was said.
const DEFAULT_PRIORITY: u8 = 3;

const FREQUENCIES: [&str; 3] = ["diaria", "semanal", "eventual"];
const INCOME_RANGES: [&str; 5] = ["0-3000", "3000-5000", "5000-8000", "8000-12000", "12000+"];

/// A questionnaire with what its answer repeats or remarks.
#[derive(Debug)]
pub(in crate::routes) struct Asked {
    pub(in crate::routes) questionnaire: Questionnaire,
    /// Where the buyer is: `Campinas, SP` or `SP`.
    pub(super) location: Option<String>,
    pub(in crate::routes) warnings: Vec<Warning>,
}

/// What of the answers is not an answer the engine knows.
#[derive(Default)]
pub(super) struct Surroundings {
    contradictions: Vec<FieldError>,
}

impl Surroundings {
    pub(super) fn contradiction(&mut self, pointer: &str, code: &'static str, message: &str) {
        self.contradictions.push(FieldError {
            pointer: pointer.to_owned(),
            code,
            message: message.to_owned(),
        });
    }
}

/// Answers as they were read. Whether they are whole, the mistakes noted beside them say.
pub(in crate::routes) struct Draft {
    questionnaire: Option<Questionnaire>,
    contradictions: Vec<FieldError>,
}

impl Draft {
    /// Reads the fields of a questionnaire, wherever in a document they stand.
    pub(in crate::routes) fn read(fields: &mut Fields<'_>, catalogue: &Catalogue) -> Self {
        let mut surroundings = Surroundings::default();
        let questionnaire = fields_of(fields, &mut surroundings, catalogue);
        if let Some(questionnaire) = &questionnaire {
            contradictions(questionnaire, fields, &mut surroundings);
        }
        Self {
            questionnaire,
            contradictions: surroundings.contradictions,
        }
    }

    /// What was asked, once the whole document is read.
    ///
    /// # Errors
    /// [`ApiError::InvalidFields`] for what is missing or ill-typed, and only when all is well typed
    /// [`ApiError::Contradiction`] for answers that exclude each other.
    pub(in crate::routes) fn finish(self, findings: Findings) -> Result<Asked, ApiError> {
        let Some(questionnaire) = self.questionnaire.filter(|_| findings.error_count == 0) else {
            return Err(ApiError::InvalidFields(findings.errors));
        };
        if !self.contradictions.is_empty() {
            return Err(ApiError::Contradiction(self.contradictions));
        }
        let location = match &questionnaire.city {
            Some(city) => Some(format!("{}, {}", city.name, city.state)),
            None => questionnaire.state.clone(),
        };
        Ok(Asked {
            questionnaire,
            location,
            warnings: findings.warnings,
        })
    }
}

/// Reads a body that is a questionnaire.
///
/// # Errors
/// As [`Draft::finish`].
pub(super) fn read(body: Value<'_>, catalogue: &Catalogue) -> Result<Asked, ApiError> {
    let mut findings = Findings::default();
    let draft = Fields::new(body, "", &mut findings).map(|mut fields| {
        let draft = Draft::read(&mut fields, catalogue);
        fields.finish();
        draft
    });
    match draft {
        Some(draft) => draft.finish(findings),
        None => Err(ApiError::InvalidFields(findings.errors)),
    }
}

/// What may be answered.
pub(super) fn shape() -> Shape {
    described(|fields, catalogue| drop(Draft::read(fields, catalogue)))
}

/// What a document with answers in it may hold. The catalogue plays no part in it: what a shop sells only brings
/// warnings.
pub(in crate::routes) fn described(read: impl FnOnce(&mut Fields<'_>, &Catalogue)) -> Shape {
    // Where the bundled tables cannot be read, the service does not start.
    let empty = Tables::bundled()
        .ok()
        .and_then(|tables| Catalogue::build(Stock::default(), &tables, Date::default(), String::new()).ok());
    Fields::describe(|fields| {
        if let Some(empty) = &empty {
            read(fields, empty);
        }
    })
}

/// `None` only when a required field is missing or ill-typed, which is noted.
fn fields_of(
    fields: &mut Fields<'_>,
    surroundings: &mut Surroundings,
    catalogue: &Catalogue,
) -> Option<Questionnaire> {
    let budget_minimum = fields.required("orcamento_min", Fields::money);
    let budget_maximum = fields.required("orcamento_max", Fields::money);
    let usage_words = Usage::ALL.map(Usage::word);
    let usage = fields.required("uso_principal", |fields, name| {
        fields.word(name, &usage_words, Usage::from_word)
    });

    let Whereabouts {
        city,
        state,
        prioritise_near,
        radius_metres,
    } = whereabouts(fields, surroundings, catalogue.tables());
    let frequency = fields.word("frequencia_uso", &FREQUENCIES, |text| {
        let values = [Frequency::Daily, Frequency::Weekly, Frequency::Occasional];
        position(&FREQUENCIES, text).map(|index| values[index])
    });
    let family_size = fields.integer("tamanho_familia", 1..=20);
    let needs_space = fields.flag("necessita_espaco").unwrap_or(false);
    let has_children = fields.flag("tem_criancas").unwrap_or(false);
    let has_elderly = fields.flag("tem_idosos").unwrap_or(false);
    let first_car = fields.flag("primeiro_carro").unwrap_or(false);
    let years_driving = fields.integer("experiencia_anos", 0..=80);
    let priorities = priorities(fields);
    let preferred_brands = brands(fields, "marcas_preferidas", catalogue);
    let rejected_brands = brands(fields, "marcas_rejeitadas", catalogue);
    let preferred_categories = fields
        .word_or_words("tipos_preferidos", &words::categories(), Category::from_word)
        .unwrap_or_default();
    let preferred_fuels = fields
        .word_or_words("combustivel_preferido", &words::fuels(), Fuel::from_word)
        .unwrap_or_default();
    let preferred_gearboxes = fields
        .word_or_words("cambio_preferido", &words::gearboxes(), Gearbox::from_word)
        .unwrap_or_default();
    let year_minimum = fields.integer("ano_minimo", 1900..=2100);
    let year_maximum = fields.integer("ano_maximo", 1900..=2100);
    let odometer_maximum_km = fields.integer("km_maxima", 0..=5_000_000);
    let mut must_haves = fields
        .words("must_haves", &MUST_HAVES, MustHave::from_word)
        .unwrap_or_default();
    must_haves.sort();
    must_haves.dedup();
    let payment = payment(fields, surroundings);
    let limit = fields.integer("limit", 1..=50).unwrap_or(DEFAULT_LIMIT);
    let diversify = fields.flag("diversificar").unwrap_or(true);
    Some(Questionnaire {
        budget_minimum: budget_minimum?,
        budget_maximum: budget_maximum?,
        usage: usage?,
        frequency,
        family_size,
        needs_space,
        has_children,
        has_elderly,
        first_car,
        years_driving,
        priorities,
        city,
        prioritise_near,
        radius_metres,
        state,
        preferred_brands,
        rejected_brands,
        preferred_categories,
        preferred_fuels,
        preferred_gearboxes,
        year_minimum,
        year_maximum,
        odometer_maximum_km,
        must_haves,
        payment,
        limit,
        diversify,
    })
}

fn priorities(fields: &mut Fields<'_>) -> Priorities {
    let mut priorities = [DEFAULT_PRIORITY; Quality::ALL.len()];
    fields.object("prioridades", |inner| {
        for quality in Quality::ALL {
            if let Some(value) = inner.integer(quality.word(), 1..=5) {
                priorities[quality.index()] = value;
            }
        }
    });
    Priorities(priorities)
}

/// Folded names with aliases resolved; a brand that nobody sells is named, since the wish cannot be met.
fn brands(fields: &mut Fields<'_>, name: &str, catalogue: &Catalogue) -> Vec<String> {
    let Some(texts) = fields.texts(name) else {
        return Vec::new();
    };
    let resolve = |text: &str| catalogue.tables().brand_alias(&fold(text)).to_owned();
    let wanted: Vec<String> = texts.iter().map(|text| resolve(text)).collect();
    for (index, brand) in wanted.iter().enumerate() {
        if !catalogue.has_brand(brand) {
            let message = format!("nenhum carro do estoque é da marca {:?}", texts[index].trim());
            fields.warn_at(name, index, message);
        }
    }
    wanted
}

fn payment(fields: &mut Fields<'_>, surroundings: &mut Surroundings) -> Payment {
    let mut payment = Payment {
        down_payment: fields.money("entrada"),
        months: fields.integer("prazo_meses", 1..=96),
        monthly_rate: fields.number("taxa_mes", 0.0..=0.2),
        km_per_month: fields.integer("km_mes", 1..=20_000),
        maximum_monthly: None,
        income: None,
    };
    fields.object("financial_capacity", |inner| {
        payment.income = income(inner, surroundings);
        payment.maximum_monthly = inner.money("max_monthly_tco");
        if inner.flag("is_disclosed") == Some(false) {
            for (name, said) in [
                ("monthly_income_range", payment.income.take().is_some()),
                ("max_monthly_tco", payment.maximum_monthly.take().is_some()),
            ] {
                if said {
                    inner.warn(name, "não foi usado, porque is_disclosed é false");
                }
            }
        }
    });
    payment
}

/// The words of what may be asked to be there.
static MUST_HAVES: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let gearbox = std::iter::once("cambio_automatico");
    gearbox.chain(equipment::VOCABULARY.iter().copied()).collect()
});

/// A range that does not exist is refused like a contradiction, as existing apps expect: 400.
fn income(inner: &mut Fields<'_>, surroundings: &mut Surroundings) -> Option<IncomeRange> {
    let values = [
        IncomeRange::UpTo3000,
        IncomeRange::UpTo5000,
        IncomeRange::UpTo8000,
        IncomeRange::UpTo12000,
        IncomeRange::Above12000,
    ];
    inner.narrow("monthly_income_range", || json!({"enum": INCOME_RANGES}));
    let text = inner.text("monthly_income_range")?;
    let known = INCOME_RANGES.iter().position(|range| *range == text.trim());
    if known.is_none() {
        let message = format!("faixa desconhecida; use uma destas: {}", INCOME_RANGES.join(", "));
        surroundings.contradiction(&inner.pointer("monthly_income_range"), "unknown", &message);
    }
    known.map(|index| values[index])
}

fn position(allowed: &[&str], text: &str) -> Option<usize> {
    let folded = fold(text);
    allowed.iter().position(|word| *word == folded)
}

/// Answers that exclude each other, each well formed.
fn contradictions(questionnaire: &Questionnaire, fields: &Fields<'_>, surroundings: &mut Surroundings) {
    const CODE: &str = "contradiction";
    if questionnaire.budget_maximum < questionnaire.budget_minimum {
        surroundings.contradiction(
            &fields.pointer("orcamento_max"),
            CODE,
            "é menor do que orcamento_min",
        );
    }
    if questionnaire.budget_maximum == Centavos(0) {
        surroundings.contradiction(
            &fields.pointer("orcamento_max"),
            CODE,
            "com zero não se compra um carro",
        );
    }
    if let (Some(least), Some(most)) = (questionnaire.year_minimum, questionnaire.year_maximum)
        && most < least
    {
        surroundings.contradiction(&fields.pointer("ano_maximo"), CODE, "é menor do que ano_minimo");
    }
    for (index, brand) in questionnaire.rejected_brands.iter().enumerate() {
        if questionnaire.preferred_brands.contains(brand) {
            let pointer = format!("{}/{index}", fields.pointer("marcas_rejeitadas"));
            surroundings.contradiction(&pointer, CODE, "a mesma marca está em marcas_preferidas");
        }
    }
}
