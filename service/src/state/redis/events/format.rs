//! An event as a text in the store. Scripts read and write it too: see `record.lua`.
//!
//! A reader takes what it knows: unknown fields are of a newer version, absent ones of an older.

use std::time::Duration;

use faciliauto_engine::stock::Centavos;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::state::events::{
    Deed, Event, Facts, FeedbackAction, InteractionKind, NewEvent, OLDEST, OnceKey, PersonKeys,
};

/// What is kept of an event. Its id is the name of the field that it stands in.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// In milliseconds. The script writes it, by the clock of the store.
    #[serde(skip_serializing)]
    at: i64,
    /// The fingerprint, in hexadecimal digits: what a repetition is compared by.
    #[serde(default)]
    same: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    car: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dealership: Option<String>,
    deed: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rating: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duration: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    brand: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    /// In centavos.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    price: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    year: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    position: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    match_tenths: Option<u16>,
    /// The names under which scripts find and count the ids in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_index: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_index: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    car_index: Option<String>,
}

/// The text of an event, without when it happened.
pub(in crate::state::redis) fn write(event: &NewEvent, keys: &PersonKeys) -> serde_json::Result<String> {
    let same = event
        .fingerprint()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let NewEvent {
        once: _,
        age: _,
        user,
        session,
        car,
        dealership,
        deed,
        facts,
    } = event.clone();
    let Facts {
        brand,
        category,
        price,
        year,
        position,
        match_tenths,
    } = facts;
    let word = deed.word().to_owned();
    let (rating, comment, duration) = match deed {
        Deed::Feedback {
            action: _,
            rating,
            comment,
        } => (rating, comment, None),
        Deed::Interaction {
            kind: _,
            duration_seconds,
        } => (None, None, duration_seconds),
    };
    let index = |id: &Option<String>| id.as_deref().map(|id| keys.index_name(id));
    serde_json::to_string(&Kept {
        at: 0,
        same,
        user_index: index(&user),
        session_index: index(&session),
        car_index: Some(keys.index_name(&car)),
        user,
        session,
        car,
        dealership,
        deed: word,
        rating,
        comment,
        duration,
        brand,
        category,
        price: price.map(|Centavos(price)| price),
        year,
        position,
        match_tenths,
    })
}

/// The age of an event as the script takes it.
pub(super) fn milliseconds_of(age: Duration) -> u64 {
    u64::try_from(age.min(OLDEST).as_millis()).unwrap_or(u64::MAX)
}

/// The event of a text, or why it is none.
pub(super) fn read(id: &str, text: &str) -> Result<Event, String> {
    let id: OnceKey = id.parse().map_err(|_| format!("its id is {id:?}"))?;
    let Kept {
        at,
        same: _,
        user,
        session,
        car,
        dealership,
        deed,
        rating,
        comment,
        duration,
        brand,
        category,
        price,
        year,
        position,
        match_tenths,
        user_index: _,
        session_index: _,
        car_index: _,
    } = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let deed = if let Some(action) = FeedbackAction::from_word(&deed) {
        Deed::Feedback {
            action,
            rating,
            comment,
        }
    } else if let Some(kind) = InteractionKind::from_word(&deed) {
        Deed::Interaction {
            kind,
            duration_seconds: duration,
        }
    } else {
        return Err(format!("its deed is {deed:?}"));
    };
    Ok(Event {
        id,
        at: Timestamp::from_millisecond(at).map_err(|error| error.to_string())?,
        user,
        session,
        car,
        dealership,
        deed,
        facts: Facts {
            brand,
            category,
            price: price.map(Centavos),
            year,
            position,
            match_tenths,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents a replica from failing at what a newer one wrote, and from taking for an event what is none.
    #[test]
    fn a_reader_takes_what_it_knows() {
        let id = OnceKey([7; 16]);
        let text = r#"{"at":1790000000123,"car":"c","deed":"click","color":"red","same":"00"}"#;
        let event = read(&id.to_string(), text).unwrap();
        let expected = Event {
            id,
            at: Timestamp::from_millisecond(1_790_000_000_123).unwrap(),
            user: None,
            session: None,
            car: "c".to_owned(),
            dealership: None,
            deed: Deed::Interaction {
                kind: InteractionKind::Click,
                duration_seconds: None,
            },
            facts: Facts::default(),
        };
        assert_eq!(event, expected);
        for damaged in ["", "{}", r#"{"at":1,"car":"c","deed":"dreamt"}"#, "[1]"] {
            assert!(read(&id.to_string(), damaged).is_err(), "{damaged}");
        }
        assert!(read("seven", text).is_err());
    }
}
