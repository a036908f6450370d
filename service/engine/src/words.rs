//! The Portuguese words of the wire for each kind of value, both ways.

use std::borrow::Cow;

use crate::{
    questionnaire::{MustHave, Quality, Usage},
    recommendation::{Criterion, Filter},
    stock::{Category, Fuel, Gearbox},
    text::fold,
};

/// Gives a plain enum `ALL`, `word` and `from_word` from one list of pairs, so that the two directions
/// cannot drift apart; the exhaustive `match` makes a new variant fail to compile until it has a word.
macro_rules! words {
    ($type:ident, $count:literal, $($variant:ident => $word:literal),+ $(,)?) => {
        impl $type {
            /// Every value, in the order of declaration.
            pub const ALL: [Self; $count] = [$(Self::$variant),+];

            /// The word on the wire.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            /// The value of a word, whatever its case and accents; `None` for an unknown word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                // As programs write it, mostly.
                let exact = Self::ALL.into_iter().find(|value| value.word() == word);
                exact.or_else(|| {
                    let folded = fold(word);
                    Self::ALL.into_iter().find(|value| fold(value.word()) == folded)
                })
            }
        }
    };
}

words!(Fuel, 8,
    Flex => "flex",
    Gasoline => "gasolina",
    Ethanol => "etanol",
    Diesel => "diesel",
    NaturalGas => "gnv",
    Hybrid => "hibrido",
    PluginHybrid => "hibrido_plugin",
    Electric => "eletrico",
);

words!(Gearbox, 4,
    Manual => "manual",
    Automatic => "automatico",
    Cvt => "cvt",
    AutomatedManual => "automatizado",
);

words!(Category, 6,
    Compact => "Compacto",
    Hatch => "Hatch",
    Sedan => "Sedan",
    Suv => "SUV",
    Van => "Van",
    Pickup => "Pickup",
);

words!(Quality, 8,
    Economy => "economia",
    Space => "espaco",
    Performance => "performance",
    Comfort => "conforto",
    Safety => "seguranca",
    Resale => "revenda",
    Reliability => "confiabilidade",
    Maintenance => "custo_manutencao",
);

words!(Usage, 6,
    Family => "familia",
    Work => "trabalho",
    Leisure => "lazer",
    Commercial => "comercial",
    FirstCar => "primeiro_carro",
    PassengerTransport => "transporte_passageiros",
);

impl Quality {
    /// Its place in every array of the eight qualities.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl Criterion {
    /// Every criterion, in the order that breaks ties between them.
    pub const ALL: [Self; 12] = [
        Self::Quality(Quality::Economy),
        Self::Quality(Quality::Space),
        Self::Quality(Quality::Performance),
        Self::Quality(Quality::Comfort),
        Self::Quality(Quality::Safety),
        Self::Quality(Quality::Resale),
        Self::Quality(Quality::Reliability),
        Self::Quality(Quality::Maintenance),
        Self::Wear,
        Self::Distance,
        Self::Preferences,
        Self::Price,
    ];

    /// Its place in [`Criterion::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Quality(quality) => quality.index(),
            Self::Wear => 8,
            Self::Distance => 9,
            Self::Preferences => 10,
            Self::Price => 11,
        }
    }

    /// The word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Quality(quality) => quality.word(),
            Self::Wear => "quilometragem",
            Self::Distance => "distancia",
            Self::Preferences => "preferencias",
            Self::Price => "preco",
        }
    }

    /// The criterion of a word, whatever its case and accents.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let folded = fold(word);
        Self::ALL
            .into_iter()
            .find(|criterion| fold(criterion.word()) == folded)
    }
}

impl MustHave {
    /// The word on the wire: `cambio_automatico`, `combustivel:<x>`, `categoria:<x>` or one of the vocabulary.
    #[must_use]
    pub fn word(&self) -> Cow<'static, str> {
        match self {
            Self::AutomaticGearbox => Cow::Borrowed("cambio_automatico"),
            Self::Fuel(fuel) => Cow::Owned(format!("combustivel:{}", fuel.word())),
            Self::Category(category) => Cow::Owned(format!("categoria:{}", category.word())),
            Self::Equipment(word) => Cow::Borrowed(word),
        }
    }

    /// The requirement that a word of the wire asks for; `None` for an unknown word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        if let Some((kind, value)) = word.split_once(':') {
            return match fold(kind).as_str() {
                "combustivel" => Fuel::from_word(value).map(Self::Fuel),
                "categoria" => Category::from_word(value).map(Self::Category),
                _ => None,
            };
        }
        if fold(word) == "cambio automatico" {
            return Some(Self::AutomaticGearbox);
        }
        crate::equipment::find(word).map(Self::Equipment)
    }
}

impl Filter {
    /// The word on the wire: the field of the request that sets the filter; for a required thing, its own word.
    #[must_use]
    pub fn word(&self) -> Cow<'static, str> {
        match self {
            Self::Budget => Cow::Borrowed("orcamento_max"),
            Self::Seats => Cow::Borrowed("tamanho_familia"),
            Self::Radius => Cow::Borrowed("raio_maximo_km"),
            Self::RejectedBrands => Cow::Borrowed("marcas_rejeitadas"),
            Self::YearMinimum => Cow::Borrowed("ano_minimo"),
            Self::YearMaximum => Cow::Borrowed("ano_maximo"),
            Self::OdometerMaximum => Cow::Borrowed("km_maxima"),
            Self::MustHave(must_have) => must_have.word(),
            Self::AppClass => Cow::Borrowed("transporte_passageiros"),
        }
    }

    /// The filter of a word; `None` for an unknown word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::Budget,
            Self::Seats,
            Self::Radius,
            Self::RejectedBrands,
            Self::YearMinimum,
            Self::YearMaximum,
            Self::OdometerMaximum,
            Self::AppClass,
        ]
        .into_iter()
        .find(|filter| fold(&filter.word()) == fold(word))
        .or_else(|| MustHave::from_word(word).map(Self::MustHave))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents a word that the service writes from being refused when it is read back.
    #[test]
    fn every_word_reads_back_as_its_value() {
        for fuel in Fuel::ALL {
            assert_eq!(Fuel::from_word(fuel.word()), Some(fuel));
            let must_have = MustHave::Fuel(fuel);
            assert_eq!(MustHave::from_word(&must_have.word()), Some(must_have));
        }
        for gearbox in Gearbox::ALL {
            assert_eq!(Gearbox::from_word(gearbox.word()), Some(gearbox));
        }
        for category in Category::ALL {
            assert_eq!(Category::from_word(category.word()), Some(category));
            let filter = Filter::MustHave(MustHave::Category(category));
            assert_eq!(Filter::from_word(&filter.word()), Some(filter));
        }
        for (index, quality) in Quality::ALL.into_iter().enumerate() {
            assert_eq!(quality.index(), index);
            assert_eq!(Quality::from_word(quality.word()), Some(quality));
        }
        for usage in Usage::ALL {
            assert_eq!(Usage::from_word(usage.word()), Some(usage));
        }
        for (index, criterion) in Criterion::ALL.into_iter().enumerate() {
            assert_eq!(criterion.index(), index);
            assert_eq!(Criterion::from_word(criterion.word()), Some(criterion));
        }
        for word in crate::equipment::VOCABULARY {
            assert_eq!(MustHave::from_word(word), Some(MustHave::Equipment(word)));
        }
    }

    /// Prevents "Elétrico" or "Câmbio automático", as people type them, from counting as unknown.
    #[test]
    fn words_are_compared_without_case_and_accents() {
        assert_eq!(Fuel::from_word("Elétrico"), Some(Fuel::Electric));
        assert_eq!(Fuel::from_word("Híbrido plugin"), Some(Fuel::PluginHybrid));
        assert_eq!(Category::from_word("sedã"), None);
        assert_eq!(Category::from_word("suv"), Some(Category::Suv));
        assert_eq!(
            MustHave::from_word("Câmbio automático"),
            Some(MustHave::AutomaticGearbox)
        );
        assert_eq!(MustHave::from_word("combustivel:querosene"), None);
    }
}
