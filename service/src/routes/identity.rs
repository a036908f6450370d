//! Who may see what is held of an id: whoever shows its key, an administrator, or anybody where an id is itself a
//! secret.
//!
//! A refusal says nothing about whether the id is known: it is made without looking.

use actix_web::HttpRequest;

use super::dealer::{has_bearer, let_admin};
use crate::{
    error::ApiError,
    fields::{FieldError, check_id},
    journal::people::Asker,
    startup::Shared,
};

/// The header with the key of an id.
pub(super) const USER_KEY: &str = "X-User-Key";

/// The id in a path.
///
/// # Errors
/// [`ApiError::InvalidFields`] for what can be none.
pub(super) fn id_of_path(name: &str, id: String) -> Result<String, ApiError> {
    match check_id(&id) {
        Ok(()) => Ok(id),
        Err(message) => Err(ApiError::InvalidFields(vec![FieldError {
            pointer: format!("/{name}"),
            code: "format",
            message,
        }])),
    }
}

/// Whether the request shows the key of an id.
///
/// # Errors
/// A store that cannot say what the key is.
pub(super) async fn shows_key(request: &HttpRequest, shared: &Shared, id: &str) -> Result<bool, ApiError> {
    let Some(key) = request.headers().get(USER_KEY) else {
        return Ok(false);
    };
    let keys = shared.journal.person_keys().await?;
    Ok(key.to_str().is_ok_and(|key| keys.verify(id, key)))
}

/// Whether the request may read the history of an id.
///
/// # Errors
/// As [`shows_key`].
pub(super) async fn may_read_history(
    request: &HttpRequest,
    shared: &Shared,
    id: &str,
) -> Result<bool, ApiError> {
    Ok(shared.journal.terms.open_history || is_random(id) || shows_key(request, shared, id).await?)
}

/// Who asks for everything of an id.
///
/// # Errors
/// [`ApiError::KeyNeeded`] for whoever shows no key that fits, and those of administrators for a token.
pub(super) async fn asker(request: &HttpRequest, shared: &Shared, id: &str) -> Result<Asker, ApiError> {
    if shows_key(request, shared, id).await? {
        return Ok(Asker::Person);
    }
    if !has_bearer(request) {
        return Err(ApiError::KeyNeeded);
    }
    match let_admin(request, shared).await {
        Ok(()) => Ok(Asker::Administrator),
        // There may be no administrators, but there is this route.
        Err(ApiError::RouteNotFound) => Err(ApiError::KeyNeeded),
        Err(error) => Err(error),
    }
}

/// Whether an id is a random UUID (RFC 9562, version 4): 122 bits that nobody guesses.
fn is_random(id: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    id.len() == 36
        && id.bytes().enumerate().all(|(place, byte)| match place {
            14 => byte == b'4',
            19 => b"89abAB".contains(&byte),
            _ if dashes.contains(&place) => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::is_random;

    /// Prevents a name that can be guessed from opening a history, and a random one from staying closed.
    #[test]
    fn only_random_uuids_are_secrets() {
        assert!(is_random("9f0c2a4e-5b7d-4e1f-8a3b-0c1d2e3f4a5b"));
        assert!(is_random("9F0C2A4E-5B7D-4E1F-BA3B-0C1D2E3F4A5B"));
        for guessable in [
            "",
            "maria",
            "9f0c2a4e-5b7d-1e1f-8a3b-0c1d2e3f4a5b",
            "9f0c2a4e-5b7d-4e1f-7a3b-0c1d2e3f4a5b",
            "9f0c2a4e-5b7d-4e1f-8a3b-0c1d2e3f4a5",
            "9f0c2a4e05b7d-4e1f-8a3b-0c1d2e3f4a5b",
            "9f0c2a4e-5b7d-4e1f-8a3b-0c1d2e3f4a5g",
            "user-4e1f-8a3b-4aaa-8aaa-aaaaaaaaaaaa",
        ] {
            assert!(!is_random(guessable), "{guessable}");
        }
    }
}
