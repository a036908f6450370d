//! The header by which a sender may repeat a request that it got no answer to: what was done under a key is
//! not done again.

use actix_web::HttpRequest;
use serde_json::{Value, json};

use crate::{
    error::ApiError,
    fields::FieldError,
    state::once::{Fingerprint, Once, OnceKey, Remembered},
};

/// What the sender names the request by.
pub(crate) const KEY: &str = "Idempotency-Key";

/// On an answer that was given before.
pub(crate) const REPLAYED: (&str, &str) = ("idempotency-replayed", "true");

/// The longest key; a random UUID has 36.
const LONGEST_KEY: usize = 255;

/// The key that came with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads the header, if there is one.
    ///
    /// # Errors
    /// [`ApiError::InvalidFields`] for anything but one text of 1 to 255 visible characters of ASCII.
    pub(crate) fn of(request: &HttpRequest) -> Result<Option<Self>, ApiError> {
        let mut sent = request.headers().get_all(KEY);
        let Some(key) = sent.next() else {
            return Ok(None);
        };
        let bytes = key.as_bytes();
        let good = (1..=LONGEST_KEY).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
        match (key.to_str(), sent.next()) {
            (Ok(key), None) if good => Ok(Some(Self(key.to_owned()))),
            _ => Err(ApiError::InvalidFields(vec![FieldError {
                pointer: "/Idempotency-Key".to_owned(),
                code: "idempotency_key",
                message: format!(
                    "o cabeçalho deve ter de 1 a {LONGEST_KEY} caracteres ASCII visíveis, sem espaços, e vir uma só vez"
                ),
            }])),
        }
    }

    /// What a key looks like.
    pub(crate) fn schema() -> Value {
        json!({"type": "string", "pattern": format!("^[!-~]{{1,{LONGEST_KEY}}}$")})
    }

    /// As it was sent.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What it means for one kind of request of one dealership: elsewhere the same key is another.
    pub(crate) fn within(&self, kind: &str, dealership: &str) -> OnceKey {
        OnceKey::of(&[kind, dealership, &self.0])
    }
}

/// A request with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) key: OnceKey,
    pub(crate) fingerprint: String,
}

impl Identity {
    /// Of a request that is told from others by its parts.
    pub(crate) fn of_parts(key: OnceKey, parts: &[&[u8]]) -> Self {
        let mut fingerprint = Fingerprint::default();
        for part in parts {
            fingerprint.part(part);
        }
        Self {
            key,
            fingerprint: fingerprint.finish(),
        }
    }

    /// What is to be remembered with an answer.
    pub(crate) fn answered(&self, answer: String) -> Once {
        Once {
            key: self.key.clone(),
            remembered: Remembered {
                fingerprint: self.fingerprint.clone(),
                answer,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{http::header::HeaderValue, test::TestRequest};

    use super::*;

    /// Prevents a key that was mistyped, or doubled by a proxy, from being ignored in silence.
    #[test]
    fn a_key_is_one_text_of_visible_characters() {
        let read = |values: &[&str]| {
            let mut request = TestRequest::default();
            for value in values {
                request = request.append_header((KEY, HeaderValue::from_bytes(value.as_bytes()).unwrap()));
            }
            IdempotencyKey::of(&request.to_http_request())
        };
        assert_eq!(read(&[]), Ok(None));
        let (one, longest) = ("a", "~".repeat(LONGEST_KEY));
        for good in [one, &longest] {
            assert_eq!(read(&[good]), Ok(Some(IdempotencyKey(good.to_owned()))));
        }
        let long = "a".repeat(LONGEST_KEY + 1);
        for bad in [&[""][..], &["a b"], &["ção"], &[&long], &["a", "a"]] {
            assert!(matches!(read(bad), Err(ApiError::InvalidFields(_))), "{bad:?}");
        }
    }

    /// Prevents a key from meaning the same at another dealership or for another kind of request.
    #[test]
    fn a_key_belongs_to_its_dealership_and_its_kind() {
        let key = IdempotencyKey("a".to_owned());
        assert_eq!(key.within("stock", "x"), key.within("stock", "x"));
        assert_ne!(key.within("stock", "x"), key.within("stock", "y"));
        assert_ne!(key.within("stock", "x"), key.within("car", "x"));
    }
}
