//! Which request a request is: the same sent twice does its work once.
//!
//! Clients name a request with `Idempotency-Key`. Without one, what is told apart is who did what with which car, in
//! windows of ten seconds by the arrival of the request.

use actix_web::HttpRequest;
use jiff::Timestamp;

use crate::{error::ApiError, idempotency::IdempotencyKey, state::events::OnceKey};

/// Letters from which a key is no counter or date that somebody could guess; a UUID has 36.
const LEAST_SECRET: usize = 16;

/// An impatient finger taps again within this; a person who means it twice takes longer.
const WINDOW_SECONDS: i64 = 10;

/// What the header does, to readers of the description.
pub(super) const KEY_TEXT: &str = "Uma chave à escolha: o mesmo pedido com a mesma chave conta uma só vez em 24 horas. \
                                   Sem ela, o mesmo feito com o mesmo carro conta uma só vez em dez segundos.";

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
        let named = IdempotencyKey::of(request)?;
        let key = match &named {
            Some(name) => OnceKey::of(&[kind, "named", name.as_str(), somebody]),
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
            is_secret: named.is_some_and(|name| name.as_str().len() >= LEAST_SECRET),
        })
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn once(header: Option<&str>, somebody: &str, deed: &[&str], at: &str) -> Result<Once, ApiError> {
        let mut request = TestRequest::default();
        if let Some(header) = header {
            request = request.insert_header(("idempotency-key", header));
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
}
