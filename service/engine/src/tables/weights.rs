//! `weights.csv`: what each use, and each answer about the buyer, asks of a car.

use crate::questionnaire::{Frequency, Quality, Questionnaire, Usage};

use super::{
    TableError,
    reader::{Provenance, Sheet},
};

pub(super) const FILE: &str = "weights.csv";

/// A factor per mille for each quality; 1000 changes nothing.
pub(crate) type Factors = [u32; 8];

/// An answer about the buyer that shifts weight between qualities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flag {
    Children,
    Elderly,
    Space,
    Daily,
    Weekly,
    Occasional,
    Novice,
    Practised,
    Experienced,
    FirstCar,
}

impl Flag {
    const ALL: [Self; 10] = [
        Self::Children,
        Self::Elderly,
        Self::Space,
        Self::Daily,
        Self::Weekly,
        Self::Occasional,
        Self::Novice,
        Self::Practised,
        Self::Experienced,
        Self::FirstCar,
    ];

    /// The name of its row: the field of the request, and its value where it has several.
    const fn row(self) -> &'static str {
        match self {
            Self::Children => "tem_criancas",
            Self::Elderly => "tem_idosos",
            Self::Space => "necessita_espaco",
            Self::Daily => "frequencia_uso:diaria",
            Self::Weekly => "frequencia_uso:semanal",
            Self::Occasional => "frequencia_uso:eventual",
            Self::Novice => "experiencia_anos:ate_2",
            Self::Practised => "experiencia_anos:3_a_5",
            Self::Experienced => "experiencia_anos:acima_de_5",
            Self::FirstCar => "primeiro_carro",
        }
    }

    /// The flags that a buyer's answers raise.
    pub(crate) fn raised(questionnaire: &Questionnaire) -> impl Iterator<Item = Self> {
        let frequency = questionnaire.frequency.map(|frequency| match frequency {
            Frequency::Daily => Self::Daily,
            Frequency::Weekly => Self::Weekly,
            Frequency::Occasional => Self::Occasional,
        });
        let experience = questionnaire.years_driving.map(|years| match years {
            0..=2 => Self::Novice,
            3..=5 => Self::Practised,
            _ => Self::Experienced,
        });
        [
            questionnaire.has_children.then_some(Self::Children),
            questionnaire.has_elderly.then_some(Self::Elderly),
            questionnaire.needs_space.then_some(Self::Space),
            frequency,
            experience,
            questionnaire.first_car.then_some(Self::FirstCar),
        ]
        .into_iter()
        .flatten()
    }
}

/// The matrix of factors.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WeightFactors {
    profiles: [Factors; 6],
    flags: [Factors; Flag::ALL.len()],
}

impl WeightFactors {
    pub(super) fn read(text: &str) -> Result<(Self, Provenance), TableError> {
        let sheet = Sheet::read(FILE, text)?;
        let mut profiles = [None; 6];
        let mut flags = [None; Flag::ALL.len()];
        for row in &sheet.rows {
            let name = row.text("name")?;
            let mut factors = [0; 8];
            for (factor, quality) in factors.iter_mut().zip(Quality::ALL) {
                *factor = row.number(quality.word(), 1, 10_000)?;
            }
            let slot = match row.text("kind")? {
                "profile" => Usage::ALL
                    .iter()
                    .find(|usage| usage.word() == name)
                    .map(|usage| &mut profiles[*usage as usize]),
                "flag" => Flag::ALL
                    .iter()
                    .find(|flag| flag.row() == name)
                    .map(|flag| &mut flags[*flag as usize]),
                other => return Err(row.error("kind", format!("{other:?} is neither profile nor flag"))),
            };
            let slot = slot.ok_or_else(|| row.error("name", format!("{name:?} is unknown")))?;
            if slot.replace(factors).is_some() {
                return Err(row.error("name", format!("{name:?} stands twice in the file")));
            }
        }
        let missing = |name: &str| TableError::new(FILE, None, name, "has no row");
        let mut read = Self {
            profiles: [[0; 8]; 6],
            flags: [[0; 8]; Flag::ALL.len()],
        };
        for usage in Usage::ALL {
            read.profiles[usage as usize] = profiles[usage as usize].ok_or_else(|| missing(usage.word()))?;
        }
        for flag in Flag::ALL {
            read.flags[flag as usize] = flags[flag as usize].ok_or_else(|| missing(flag.row()))?;
        }
        Ok((read, sheet.provenance))
    }

    pub(crate) fn profile(&self, usage: Usage) -> &Factors {
        &self.profiles[usage as usize]
    }

    pub(crate) fn flag(&self, flag: Flag) -> &Factors {
        &self.flags[flag as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUNDLED: &str = include_str!("../../data/weights.csv");

    /// Prevents a question from being asked whose answer changes nothing because its row was lost.
    #[test]
    fn a_flag_or_use_without_a_row_is_an_error() {
        let names = Flag::ALL
            .map(Flag::row)
            .into_iter()
            .chain(Usage::ALL.map(Usage::word));
        for (name, kind) in names.zip([("flag"); 10].into_iter().chain(["profile"; 6])) {
            let start = format!("{kind},{name},");
            let without: Vec<&str> = BUNDLED.lines().filter(|line| !line.starts_with(&start)).collect();
            assert_eq!(without.len() + 1, BUNDLED.lines().count(), "{name}");
            let error = WeightFactors::read(&without.join("\n")).unwrap_err();
            assert_eq!((error.file, error.field.as_str()), (FILE, name));
        }
    }
}
