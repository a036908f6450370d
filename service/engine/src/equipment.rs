//! The published vocabulary of equipment: what a stock may say that a car has, and a buyer may require.

use crate::text::fold;

/// One thing that a car can be equipped with.
struct Item {
    /// The word on the wire.
    word: &'static str,
    /// As written in a sentence.
    label: &'static str,
    /// Counts for the criterion `conforto`.
    comfort: bool,
    /// Other spellings, folded.
    aliases: &'static [&'static str],
}

const fn comfort(word: &'static str, label: &'static str, aliases: &'static [&'static str]) -> Item {
    Item {
        word,
        label,
        comfort: true,
        aliases,
    }
}

const fn other(word: &'static str, label: &'static str, aliases: &'static [&'static str]) -> Item {
    Item {
        word,
        label,
        comfort: false,
        aliases,
    }
}

const ITEMS: [Item; 27] = [
    comfort("ar_condicionado", "ar-condicionado", &["ar"]),
    comfort(
        "direcao_assistida",
        "direção assistida",
        &[
            "direcao hidraulica",
            "direcao eletrica",
            "direcao eletro hidraulica",
        ],
    ),
    comfort("vidros_eletricos", "vidros elétricos", &["vidro eletrico"]),
    comfort("travas_eletricas", "travas elétricas", &["trava eletrica"]),
    comfort(
        "central_multimidia",
        "central multimídia",
        &["multimidia", "kit multimidia"],
    ),
    comfort("camera_re", "câmera de ré", &["camera de re"]),
    comfort(
        "sensor_estacionamento",
        "sensor de estacionamento",
        &["sensor de estacionamento", "sensor de re"],
    ),
    comfort(
        "piloto_automatico",
        "piloto automático",
        &["controle de cruzeiro"],
    ),
    comfort("bancos_couro", "bancos de couro", &["bancos de couro", "couro"]),
    comfort(
        "ar_digital",
        "ar-condicionado digital",
        &["ar condicionado digital"],
    ),
    comfort("chave_presencial", "chave presencial", &["keyless"]),
    comfort("teto_solar", "teto solar", &["teto panoramico"]),
    comfort(
        "banco_eletrico",
        "banco com ajuste elétrico",
        &["bancos eletricos"],
    ),
    other(
        "rodas_liga",
        "rodas de liga leve",
        &["rodas de liga leve", "rodas de liga"],
    ),
    other("farol_led", "faróis de LED", &["farois de led", "farol de led"]),
    other("isofix", "ISOFIX", &[]),
    other(
        "controle_estabilidade",
        "controle de estabilidade",
        &["controle de estabilidade", "esc", "esp"],
    ),
    other("controle_tracao", "controle de tração", &["controle de tracao"]),
    other("abs", "freios ABS", &["freios abs", "freio abs"]),
    other("airbag_lateral", "airbags laterais", &["airbags laterais"]),
    other(
        "airbag_cortina",
        "airbags de cortina",
        &["airbags de cortina", "airbag de cortina"],
    ),
    other(
        "frenagem_automatica",
        "frenagem automática de emergência",
        &["frenagem autonoma"],
    ),
    other(
        "alerta_ponto_cego",
        "alerta de ponto cego",
        &["alerta de ponto cego"],
    ),
    other(
        "assistente_rampa",
        "assistente de partida em rampa",
        &["assistente de partida em rampa"],
    ),
    other("tracao_4x4", "tração 4x4", &["4x4", "tracao integral"]),
    other("engate_reboque", "engate para reboque", &["engate"]),
    other(
        "retrovisor_eletrico",
        "retrovisores elétricos",
        &["retrovisores eletricos"],
    ),
];

/// The words, in the order in which they are published.
pub const VOCABULARY: &[&str] = &words();

const fn words() -> [&'static str; ITEMS.len()] {
    let mut words = [""; ITEMS.len()];
    let mut index = 0;
    while index < ITEMS.len() {
        words[index] = ITEMS[index].word;
        index += 1;
    }
    words
}

/// The word of the vocabulary that a text means, whatever its case, accents and separators.
#[must_use]
pub fn find(text: &str) -> Option<&'static str> {
    position(text).map(|index| VOCABULARY[index])
}

/// As written in a Portuguese sentence; a word outside the vocabulary is given back as it is.
#[must_use]
pub fn label(word: &str) -> &str {
    ITEMS
        .iter()
        .find(|item| item.word == word)
        .map_or(word, |item| item.label)
}

fn position(text: &str) -> Option<usize> {
    // Stock that was taken in already holds the words as they are published.
    if let Some(index) = VOCABULARY.iter().position(|word| *word == text) {
        return Some(index);
    }
    let folded = fold(text);
    ITEMS
        .iter()
        .position(|item| fold(item.word) == folded || item.aliases.contains(&folded.as_str()))
}

/// A set of words of the vocabulary, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EquipmentSet(u32);

// One bit per word: the set outgrows its integer only together with this line.
const _: () = assert!(ITEMS.len() <= 32);

impl EquipmentSet {
    pub(crate) const ISOFIX: Self = Self::only("isofix");
    pub(crate) const STABILITY_CONTROL: Self = Self::only("controle_estabilidade");
    pub(crate) const SIDE_AIRBAGS: Self = Self::only("airbag_lateral");
    pub(crate) const CURTAIN_AIRBAGS: Self = Self::only("airbag_cortina");
    const COMFORT: Self = Self::all_comfort();

    /// Worked out when the engine is compiled; a word outside the vocabulary does not compile.
    const fn only(word: &str) -> Self {
        let mut index = 0;
        while index < ITEMS.len() {
            if same(ITEMS[index].word.as_bytes(), word.as_bytes()) {
                return Self(1 << index);
            }
            index += 1;
        }
        panic!("no word of the vocabulary");
    }

    const fn all_comfort() -> Self {
        let (mut set, mut index) = (0, 0);
        while index < ITEMS.len() {
            if ITEMS[index].comfort {
                set |= 1 << index;
            }
            index += 1;
        }
        Self(set)
    }

    /// Whether everything of another set is in this one.
    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Words outside the vocabulary are passed over: who takes in stock names them in a warning.
    pub(crate) fn from_words(words: &[String]) -> Self {
        Self(
            words
                .iter()
                .filter_map(|word| position(word))
                .fold(0, |set, index| set | 1 << index),
        )
    }

    /// The set of one word; the empty set for a word outside the vocabulary.
    pub(crate) fn of(word: &str) -> Self {
        let index = VOCABULARY.iter().position(|known| *known == word);
        Self(index.map_or(0, |index| 1 << index))
    }

    /// Every word.
    pub(crate) const ALL: Self = Self(((1_u64 << ITEMS.len()) - 1) as u32);

    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    pub(crate) const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// How many comfort items are in the set.
    pub(crate) const fn comfort_items(self) -> u8 {
        (self.0 & Self::COMFORT.0).count_ones() as u8
    }
}

/// `==` of texts, for constants.
const fn same(one: &[u8], other: &[u8]) -> bool {
    let mut index = 0;
    while index < one.len() && index < other.len() && one[index] == other[index] {
        index += 1;
    }
    index == one.len() && index == other.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents two words, or a word and an alias, from meaning two things at once.
    #[test]
    fn every_spelling_means_one_thing() {
        let mut spellings: Vec<String> = ITEMS
            .iter()
            .flat_map(|item| {
                let alias = item.aliases.iter().map(|alias| (*alias).to_owned());
                std::iter::once(fold(item.word)).chain(alias.filter(|alias| *alias != fold(item.word)))
            })
            .collect();
        let all = spellings.len();
        spellings.sort();
        spellings.dedup();
        assert_eq!(spellings.len(), all);
    }

    /// Prevents an alias that is not in folded form, which no text could ever meet.
    #[test]
    fn aliases_are_folded() {
        for alias in ITEMS.iter().flat_map(|item| item.aliases) {
            assert_eq!(fold(alias), *alias);
        }
    }

    /// Prevents a required item from being missed because the dealer wrote it in words.
    #[test]
    fn usual_spellings_are_found() {
        assert_eq!(find("Câmera de ré"), Some("camera_re"));
        assert_eq!(find("ISOFIX"), Some("isofix"));
        assert_eq!(find("Direção hidráulica"), Some("direcao_assistida"));
        assert_eq!(find("aerofólio"), None);
        let set =
            EquipmentSet::from_words(&["Couro".to_owned(), "isofix".to_owned(), "aerofólio".to_owned()]);
        let has = |word| set.has(EquipmentSet::of(word));
        assert!(has("bancos_couro") && has("isofix") && !has("abs"));
        assert_eq!(set.comfort_items(), 1);
    }
}
