//! Which request a request is: the same sent twice does its work once.
//!
//! Clients name a request with `Idempotency-Key`. Without one, what is told apart is who did what with which car, in
//! windows of ten seconds by the arrival of the request.

use actix_web::{HttpRequest, http::header::HeaderName};
use jiff::Timestamp;

use crate::{error::ApiError, fields::FieldError, state::events::OnceKey};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Letters of the longest key that a client may send.
const LONGEST_KEY: usize = 255;

/// Letters from which a key is no counter or date that somebody could guess; a UUID has 36.
const LEAST_SECRET: usize = 16;

/// An impatient finger taps again within this; a person who means it twice takes longer.
const WINDOW_SECONDS: i64 = 10;

/// What tells requests apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Once {
    pub(super) key: OnceKey,
    /// Whether the client named it: then something else under the same name is its mistake.
    pub(super) named: bool,
    /// Whether the name is one that only who made it knows: nobody else can send the request again.
    pub(super) is_secret: bool,
}

impl Once {
    /// Of a request for a kind of route by somebody. `deed` is what tells their requests apart when they have no name.
    ///
    /// # Errors
    /// [`ApiError::InvalidFields`] for a header that is no key.
    pub(super) fn of(
        request: &HttpRequest,
        kind: &str,
        somebody: &str,
        deed: &[&str],
        arrived: Timestamp,
    ) -> Result<Self, ApiError> {
        let named = match request.headers().get(IDEMPOTENCY_KEY) {
            None => None,
            Some(value) => {
                let bytes = value.as_bytes();
                let fits = (1..=LONGEST_KEY).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
                Some(value.to_str().ok().filter(|_| fits).ok_or_else(refused)?)
            }
        };
        let key = match named {
            Some(name) => OnceKey::of(&[kind, "named", name, somebody]),
            None => {
                let window = arrived.as_second().div_euclid(WINDOW_SECONDS).to_string();
                let mut parts = vec![kind, "derived", &window, somebody];
                parts.extend(deed);
                OnceKey::of(&parts)
            }
        };
        Ok(Self {
            key,
            named: named.is_some(),
            is_secret: named.is_some_and(|name| name.len() >= LEAST_SECRET),
        })
    }
}

fn refused() -> ApiError {
    ApiError::InvalidFields(vec![FieldError {
        pointer: String::new(),
        code: "format",
        message: format!(
            "o cabeçalho Idempotency-Key deve ter de 1 a {LONGEST_KEY} caracteres ASCII visíveis, sem espaços"
        ),
    }])
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn once(header: Option<&str>, somebody: &str, deed: &[&str], at: &str) -> Result<Once, ApiError> {
        let mut request = TestRequest::default();
        if let Some(header) = header {
            request = request.insert_header((IDEMPOTENCY_KEY, header));
        }
        let arrived = at.parse().unwrap();
        Once::of(&request.to_http_request(), "feedback", somebody, deed, arrived)
    }

    /// Prevents two taps from counting twice, and two deeds from counting once.
    #[test]
    fn without_a_name_the_deed_and_the_window_tell_requests_apart() {
        let at = "2026-11-26T10:00:00Z";
        let one = once(None, "maria", &["argo", "liked"], at).unwrap();
        assert!(!one.named);
        assert_eq!(
            once(None, "maria", &["argo", "liked"], "2026-11-26T10:00:09.9Z"),
            Ok(one)
        );
        for other in [
            once(None, "maria", &["argo", "liked"], "2026-11-26T10:00:10Z"),
            once(None, "maria", &["argo", "disliked"], at),
            once(None, "mario", &["argo", "liked"], at),
            once(Some("maria"), "maria", &["argo", "liked"], at),
        ] {
            assert_ne!(other.unwrap().key, one.key);
        }
    }

    /// Prevents two people whose apps count their requests from 1 from being taken for one.
    #[test]
    fn a_name_counts_for_one_person() {
        let (at, later) = ("2026-11-26T10:00:00Z", "2026-11-26T23:00:00Z");
        let one = once(Some("1"), "maria", &["argo"], at).unwrap();
        assert!(one.named && !one.is_secret);
        assert!(once(Some(&"7f".repeat(8)), "maria", &[], at).unwrap().is_secret);
        assert_eq!(once(Some("1"), "maria", &["onix"], later).unwrap().key, one.key);
        assert_ne!(once(Some("1"), "mario", &["argo"], at).unwrap().key, one.key);
        assert_ne!(once(Some("2"), "maria", &["argo"], at).unwrap().key, one.key);
    }

    /// Prevents a key that was cut or mangled on its way from being taken for one.
    #[test]
    fn a_header_that_is_no_key_is_refused() {
        let at = "2026-11-26T10:00:00Z";
        for bad in ["", "a b", &"x".repeat(256), "a\tb"] {
            assert!(
                matches!(once(Some(bad), "maria", &[], at), Err(ApiError::InvalidFields(_))),
                "{bad}"
            );
        }
        assert!(once(Some(&"x".repeat(255)), "maria", &[], at).is_ok());
    }
}
