//! Records as lines of JSON. A record has one text and no other, so that equal stores make equal families.

use std::{collections::BTreeMap, io};

use faciliauto_engine::stock::{Car, Centavos, Dealership};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    fields::Findings,
    state::{
        dealers::TokenDigest,
        events::{Deed, Event, Facts, FeedbackAction, InteractionKind, OnceKey},
    },
    stock::rows,
};

/// Says that a car was sold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoldRecord {
    /// Whose car.
    pub dealership: String,
    /// Which; it may have left the stock since.
    pub car: String,
    /// When.
    pub at: Timestamp,
}

/// A token that speaks for a dealership.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRecord {
    /// Whose.
    pub dealership: String,
    /// SHA-256 of the token.
    pub sha256: String,
}

impl TokenRecord {
    /// The digest.
    ///
    /// # Errors
    /// A text that is none.
    pub fn digest(&self) -> Result<TokenDigest, String> {
        TokenDigest::from_hexadecimal(&self.sha256)
            .ok_or_else(|| format!("the token of {} is no SHA-256", self.dealership))
    }
}

/// What a restore must not bring back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerRecord {
    /// `erased:<name>` or `token:<digest>`.
    pub entry: String,
    /// Since when.
    pub at: Timestamp,
}

/// What names of persons are derived with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonSecretRecord {
    /// As the store keeps it.
    pub person_secret: String,
    /// Whether it is the secret of another store whose ledger was united with this one.
    pub former: bool,
}

/// What the deployment was declared to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredRecord {
    /// The text of the declared resource.
    pub declared: String,
}

/// An event as a line; texts borrowed to write, owned to read.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventRecord<T> {
    id: T,
    at: Timestamp,
    deed: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<T>,
    car: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    dealership: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rating: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    brand: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price_centavos: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    year: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    match_tenths: Option<u16>,
}

/// Adds a record and the end of its line.
///
/// # Errors
/// A record that is no JSON, which none of ours is.
pub fn write_line(record: &impl Serialize, lines: &mut Vec<u8>) -> io::Result<()> {
    serde_json::to_writer(&mut *lines, record)?;
    lines.push(b'\n');
    Ok(())
}

/// Adds a dealership.
pub fn write_dealership(dealership: &Dealership, lines: &mut Vec<u8>) {
    lines.extend_from_slice(rows::dealership_to_json(dealership).as_bytes());
    lines.push(b'\n');
}

/// Adds cars: rows as dealers hand them in, each with its dealership first.
///
/// # Errors
/// A row that is no JSON, which none of ours is.
pub fn write_cars<'a>(cars: impl IntoIterator<Item = &'a Car>, lines: &mut Vec<u8>) -> io::Result<()> {
    let mut row = Vec::new();
    for car in cars {
        row.clear();
        rows::write_cars(&mut row, [car])?;
        lines.extend_from_slice(b"{\"dealership_id\":");
        serde_json::to_writer(&mut *lines, &car.dealership_id)?;
        lines.push(b',');
        // The row without the brace that opens it; the end of its line is there already.
        lines.extend_from_slice(row.get(1..).unwrap_or_default());
    }
    Ok(())
}

/// Adds when cars of a dealership were sold.
///
/// # Errors
/// As [`write_line`].
pub fn write_sold(
    dealership: &str,
    sold: &BTreeMap<String, Timestamp>,
    lines: &mut Vec<u8>,
) -> io::Result<()> {
    for (car, at) in sold {
        let record = SoldRecord {
            dealership: dealership.to_owned(),
            car: car.clone(),
            at: *at,
        };
        write_line(&record, lines)?;
    }
    Ok(())
}

/// Adds an event.
///
/// # Errors
/// As [`write_line`].
pub fn write_event(event: &Event, lines: &mut Vec<u8>) -> io::Result<()> {
    let Event {
        id,
        at,
        user,
        session,
        car,
        dealership,
        deed,
        facts,
    } = event;
    let Facts {
        brand,
        category,
        price,
        year,
        position,
        match_tenths,
    } = facts;
    let (rating, comment) = match deed {
        Deed::Feedback { rating, comment, .. } => (*rating, comment.as_deref()),
        Deed::Interaction { .. } => (None, None),
    };
    let id = id.to_string();
    let record = EventRecord {
        id: id.as_str(),
        at: *at,
        deed: deed.word(),
        user: user.as_deref(),
        session: session.as_deref(),
        car: car.as_str(),
        dealership: dealership.as_deref(),
        rating,
        comment,
        duration_seconds: deed.duration_seconds(),
        brand: brand.as_deref(),
        category: category.as_deref(),
        price_centavos: price.map(|Centavos(centavos)| centavos),
        year: *year,
        position: *position,
        match_tenths: *match_tenths,
    };
    write_line(&record, lines)
}

/// Reads a record of one of the plain kinds.
///
/// # Errors
/// What is wrong with it.
pub fn read_line<T: DeserializeOwned>(line: &str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|error| error.to_string())
}

/// Reads a dealership.
///
/// # Errors
/// What is wrong with it.
pub fn read_dealership(line: &str) -> Result<Dealership, String> {
    rows::dealership_from_json(line)
}

/// Reads a car.
///
/// # Errors
/// What is wrong with it.
pub fn read_car(line: &str) -> Result<Car, String> {
    let value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let mut findings = Findings::default();
    let car = rows::car(value, String::new(), None, &mut findings);
    let mistake = || rows::first_mistake(&findings);
    if let Some(warning) = findings.warnings.first() {
        return Err(format!("{} {}", warning.pointer, warning.message));
    }
    car.ok_or_else(mistake)
}

/// Reads an event that says what a buyer thinks.
///
/// # Errors
/// What is wrong with it.
pub fn read_feedback(line: &str) -> Result<Event, String> {
    read_event(line, |record| {
        Some(Deed::Feedback {
            action: FeedbackAction::from_word(&record.deed)?,
            rating: record.rating,
            comment: record.comment.take(),
        })
        .filter(|_| record.duration_seconds.is_none())
    })
}

/// Reads an event that says what a visitor did.
///
/// # Errors
/// What is wrong with it.
pub fn read_interaction(line: &str) -> Result<Event, String> {
    read_event(line, |record| {
        Some(Deed::Interaction {
            kind: InteractionKind::from_word(&record.deed)?,
            duration_seconds: record.duration_seconds,
        })
        .filter(|_| record.rating.is_none() && record.comment.is_none())
    })
}

fn read_event(
    line: &str,
    deed: impl FnOnce(&mut EventRecord<String>) -> Option<Deed>,
) -> Result<Event, String> {
    let mut record: EventRecord<String> = read_line(line)?;
    let deed =
        deed(&mut record).ok_or_else(|| format!("{} does not fit the rest of the event", record.deed))?;
    let id: OnceKey = record
        .id
        .parse()
        .map_err(|_| format!("{} names no event", record.id))?;
    Ok(Event {
        id,
        at: record.at,
        user: record.user,
        session: record.session,
        car: record.car,
        dealership: record.dealership,
        deed,
        facts: Facts {
            brand: record.brand,
            category: record.category,
            price: record.price_centavos.map(Centavos),
            year: record.year,
            position: record.position,
            match_tenths: record.match_tenths,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(deed: Deed) -> Event {
        Event {
            id: OnceKey([7; 16]),
            at: "2026-11-26T02:00:00.123Z".parse().unwrap(),
            user: Some("ana \"a\"".to_owned()),
            session: None,
            car: "c-1".to_owned(),
            dealership: Some("d-1".to_owned()),
            deed,
            facts: Facts {
                brand: Some("Fiat".to_owned()),
                category: None,
                price: Some(Centavos(6_299_029)),
                year: Some(2020),
                position: Some(3),
                match_tenths: Some(871),
            },
        }
    }

    /// Prevents a restore from losing or changing something that a buyer said or did.
    #[test]
    fn events_come_back_as_they_were() {
        let feedback = event(Deed::Feedback {
            action: FeedbackAction::Liked,
            rating: Some(4),
            comment: Some("ótimo\ncarro".to_owned()),
        });
        let interaction = event(Deed::Interaction {
            kind: InteractionKind::ViewDetails,
            duration_seconds: Some(31),
        });
        for (event, read) in [
            (feedback, read_feedback as fn(&str) -> Result<Event, String>),
            (interaction, read_interaction),
        ] {
            let mut lines = Vec::new();
            write_event(&event, &mut lines).unwrap();
            let text = String::from_utf8(lines).unwrap();
            assert_eq!(text.matches('\n').count(), 1, "{text}");
            assert_eq!(read(text.trim_end()), Ok(event));
        }
    }

    /// Prevents an event of the other family, or with fields that cannot be, from being taken for what it is not.
    #[test]
    fn events_of_the_other_family_are_refused() {
        let line = |deed: &str, more: &str| {
            format!(
                r#"{{"id":"{}","at":"2026-11-26T02:00:00Z","deed":"{deed}","car":"c"{more}}}"#,
                "0".repeat(32)
            )
        };
        assert!(read_feedback(&line("liked", "")).is_ok());
        assert!(read_interaction(&line("click", "")).is_ok());
        for refused in [
            line("click", ""),
            line("liked", r#","duration_seconds":3"#),
            line("liked", r#","unknown":3"#),
            line("liked", r#","car":"c""#),
            line("liked", r#","rating":"4""#),
            line("liked", "").replace("00000", "0000"),
        ] {
            assert!(read_feedback(&refused).is_err(), "{refused}");
        }
        assert!(read_interaction(&line("click", r#","rating":3"#)).is_err());
    }

    /// Prevents a car from coming back to another dealership, or changed.
    #[test]
    fn cars_come_back_with_their_dealership() {
        let today = jiff::civil::date(2026, 11, 25);
        let stock = crate::stock::StockFile::whole(crate::stock::SAMPLE, today).unwrap();
        let mut lines = Vec::new();
        write_cars(&stock.cars, &mut lines).unwrap();
        let text = String::from_utf8(lines).unwrap();
        let cars: faciliauto_engine::stock::Cars = text.lines().map(|line| read_car(line).unwrap()).collect();
        assert_eq!(cars, stock.cars);
        let unknown = text
            .lines()
            .next()
            .unwrap()
            .replacen('{', r#"{"new_field":1,"#, 1);
        assert!(read_car(&unknown).is_err(), "a field that would be lost");
    }
}
