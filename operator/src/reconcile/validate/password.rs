//! The password of a managed Redis in a Secret of the user's.

use faciliauto_api::ManagedRedis;

use super::{Error, Owner, Reference};
use crate::{
    names,
    reconcile::{dereference::Referenced, passwords::Password},
};

/// Redis keeps a plain SHA-256 of it, which is tried fast: what is shorter can be guessed.
const SHORTEST: usize = 16;

/// Longer than any that a secrets manager makes.
const LONGEST: usize = 512;

/// The password in the Secret that the resource names; none when it names none. A line break at its end,
/// such as editors leave, is no part of it.
///
/// # Errors
/// [`Error::MissingReference`] when it is not there, or is none to protect anything with: it is read again
/// and again, for the Secret can be put right without a change of the resource.
pub(super) fn users_password(
    managed: &ManagedRedis,
    owner: &Owner,
    referenced: &Referenced,
) -> Result<Option<Password>, Error> {
    let secret = managed.password_secret.as_str();
    if secret.is_empty() || secret == names::credentials(&owner.name) {
        return Ok(None);
    }
    let missing = |message| Error::MissingReference {
        of: Reference::RedisPassword,
        message,
    };
    let key = names::PASSWORD_KEY;
    let Some(found) = &referenced.password_secret else {
        return Err(missing(format!(
            "The Secret {secret} that redis.managed.passwordSecret names is not in namespace {}: create it with the key {key}, a password of {SHORTEST} or more characters.",
            owner.namespace
        )));
    };
    let Some(bytes) = found.data.as_ref().and_then(|data| data.get(key)) else {
        return Err(missing(format!(
            "The Secret {secret} has no key {key}: add it, with a password of {SHORTEST} or more characters."
        )));
    };
    let fault = match std::str::from_utf8(&bytes.0) {
        Ok(text) => {
            let text = text.trim_end_matches(['\r', '\n']);
            match fault(text) {
                None => return Ok(Some(Password::new(text))),
                Some(fault) => fault,
            }
        }
        Err(_) => "is no text in UTF-8",
    };
    Err(missing(format!(
        "The {key} in the Secret {secret} {fault}: give one of {SHORTEST} to {LONGEST} characters in one line. Redis keeps the password that it has until then."
    )))
}

/// What keeps a text from being a password.
fn fault(text: &str) -> Option<&'static str> {
    let length = text.chars().count();
    if text.is_empty() {
        Some("is empty")
    } else if text.contains(['\r', '\n']) {
        Some("has several lines")
    } else if text.chars().any(char::is_control) {
        Some("has a character that cannot be typed")
    } else if length < SHORTEST {
        Some("is too short")
    } else if length > LONGEST {
        Some("is too long")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{ByteString, api::core::v1::Secret};

    use super::*;

    fn read(secret_name: &str, data: Option<&[(&str, &[u8])]>) -> Result<Option<Password>, String> {
        let managed = ManagedRedis {
            password_secret: secret_name.to_owned(),
            ..ManagedRedis::default()
        };
        let owner = Owner {
            name: "producao".to_owned(),
            namespace: "lojas".to_owned(),
            uid: "u-1".to_owned(),
        };
        let referenced = Referenced {
            password_secret: data.map(|data| Secret {
                data: Some(
                    data.iter()
                        .map(|(key, value)| ((*key).to_owned(), ByteString(value.to_vec())))
                        .collect(),
                ),
                ..Secret::default()
            }),
            ..Referenced::default()
        };
        users_password(&managed, &owner, &referenced).map_err(|error| match error {
            Error::MissingReference {
                of: Reference::RedisPassword,
                message,
            } => message,
            other => panic!("it may be put right at any moment: {other}"),
        })
    }

    /// Prevents: a Redis without a password that protects, and a message from which nobody learns what
    /// to change; and the password itself in a message.
    #[test]
    fn passwords_that_are_none_are_refused() {
        let long = "x".repeat(513);
        for (data, expected) in [
            (None, "is not in namespace lojas: create it with the key password"),
            (Some(("other", &b"0123456789abcdef"[..])), "has no key password"),
            (Some(("password", b"")), "is empty"),
            (Some(("password", b"\r\n")), "is empty"),
            (Some(("password", b"0123456789abcde")), "is too short"),
            (Some(("password", b"0123456789abcde\n")), "is too short"),
            (Some(("password", long.as_bytes())), "is too long"),
            (Some(("password", b"0123456789\nabcdef")), "has several lines"),
            (Some(("password", b"0123456789\tabcdef")), "cannot be typed"),
            (Some(("password", b"0123456789abcde\xff\xfe")), "no text"),
        ] {
            let pair = data.map(|pair| [pair]);
            let message = read("redis", pair.as_ref().map(|pair| &pair[..])).expect_err(expected);
            assert!(
                message.contains(expected) && message.contains("Secret redis"),
                "{message}"
            );
            assert!(!message.contains("0123"), "{message}");
        }
    }

    /// Prevents: a password that an editor ended with a line break being another one than was meant.
    #[test]
    fn passwords_are_taken_as_they_are_meant() {
        for text in [
            &b"0123456789abcdef"[..],
            b"0123456789abcdef\n",
            b"0123456789abcdef\r\n",
        ] {
            let password = read("redis", Some(&[("password", text)])).expect("a password");
            assert_eq!(password, Some(Password::new("0123456789abcdef")));
        }
        let accents = read("redis", Some(&[("password", "çãõ é uma senha só".as_bytes())]));
        assert!(accents.expect("a password").is_some());
        for generated in ["", "producao-redis-credentials"] {
            assert_eq!(read(generated, None), Ok(None));
        }
    }
}
