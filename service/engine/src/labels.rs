//! Values as written in a Portuguese sentence, accents and all.

use crate::{
    equipment,
    figures::{count, money, shortest, thousands},
    questionnaire::{MustHave, Quality, Questionnaire},
    recommendation::{Criterion, Filter},
    stock::{Category, Fuel, Gearbox},
};

impl Fuel {
    /// As written in a sentence: `híbrido plug-in`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Gasoline => "gasolina",
            Self::Ethanol => "etanol",
            Self::Diesel => "diesel",
            Self::NaturalGas => "GNV",
            Self::Hybrid => "híbrido",
            Self::PluginHybrid => "híbrido plug-in",
            Self::Electric => "elétrico",
        }
    }
}

impl Gearbox {
    /// As written in a sentence: `automático`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Automatic => "automático",
            Self::Cvt => "CVT",
            Self::AutomatedManual => "automatizado",
        }
    }
}

impl Category {
    /// As written in a sentence: `sedã`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Compact => "compacto",
            Self::Hatch => "hatch",
            Self::Sedan => "sedã",
            Self::Suv => "SUV",
            Self::Van => "van",
            Self::Pickup => "picape",
        }
    }
}

impl Quality {
    /// As written in a sentence: `custo de manutenção`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Economy => "consumo",
            Self::Space => "espaço",
            Self::Performance => "desempenho",
            Self::Comfort => "conforto",
            Self::Safety => "segurança",
            Self::Resale => "revenda",
            Self::Reliability => "confiabilidade",
            Self::Maintenance => "custo de manutenção",
        }
    }
}

impl Criterion {
    /// As written in a sentence: `quilometragem`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Quality(quality) => quality.label(),
            Self::Wear => "quilometragem",
            Self::Distance => "distância",
            Self::Preferences => "preferências",
            Self::Price => "preço",
        }
    }
}

/// A filter with its article and its figure, as the buyer set it: `o orçamento máximo de R$ 50.000`.
pub(crate) fn filter_phrase(filter: &Filter, questionnaire: &Questionnaire) -> String {
    match filter {
        Filter::Budget => format!("o orçamento máximo de {}", money(questionnaire.budget_maximum)),
        Filter::Seats => {
            let people = u64::from(questionnaire.family_size.unwrap_or_default());
            format!("o pedido de lugares para {}", count(people, "pessoa", "pessoas"))
        }
        Filter::Radius => {
            let metres = questionnaire.radius_metres.unwrap_or_default();
            let km = match metres % 1000 {
                0 => thousands(u64::from(metres / 1000)),
                _ => shortest(f64::from(metres) / 1000.0, 3),
            };
            format!("o raio de {km} km")
        }
        Filter::RejectedBrands => "a lista de marcas rejeitadas".to_owned(),
        Filter::YearMinimum => {
            format!(
                "o ano mínimo de {}",
                questionnaire.year_minimum.unwrap_or_default()
            )
        }
        Filter::YearMaximum => {
            format!(
                "o ano máximo de {}",
                questionnaire.year_maximum.unwrap_or_default()
            )
        }
        Filter::OdometerMaximum => {
            let limit = u64::from(questionnaire.odometer_maximum_km.unwrap_or_default());
            format!("o limite de {} km rodados", thousands(limit))
        }
        Filter::MustHave(MustHave::AutomaticGearbox) => "a exigência de câmbio automático".to_owned(),
        Filter::MustHave(MustHave::Fuel(fuel)) => format!("a exigência de combustível {}", fuel.label()),
        Filter::MustHave(MustHave::Category(category)) => {
            format!("a exigência da categoria {}", category.label())
        }
        Filter::MustHave(MustHave::Equipment(word)) => format!("a exigência de {}", equipment::label(word)),
        Filter::AppClass => "a exigência de ser aceito por aplicativos de transporte".to_owned(),
    }
}
