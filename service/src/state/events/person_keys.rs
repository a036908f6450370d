//! What is derived from the id of a person with the secret of a store. Whoever reads names of keys, a ledger or a
//! user key learns no id, and from one of them none of the others.

use std::fmt;

use ring::hmac;

/// Bytes of an HMAC that make the name of an index: nobody has 2^64 ids to look for two that meet.
const INDEX_NAME_BYTES: usize = 16;

/// Derives from ids, for one generation of a store.
#[derive(Clone)]
pub struct PersonKeys(hmac::Key);

impl PersonKeys {
    /// With a secret of 32 random bytes or more, in whatever form the store keeps them.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
    }

    /// What proves that an id is one's own: 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn user_key(&self, id: &str) -> String {
        hexadecimal(self.derive(Purpose::UserKey, id).as_ref())
    }

    /// Whether this is the user key of the id. In constant time: how long it takes says nothing about the key.
    #[must_use]
    pub fn verify(&self, id: &str, user_key: &str) -> bool {
        let Some(tag) = bytes(user_key) else {
            return false;
        };
        hmac::verify(&self.0, &message(Purpose::UserKey, id), &tag).is_ok()
    }

    /// How the ledger names the id.
    #[must_use]
    pub fn ledger_name(&self, id: &str) -> String {
        hexadecimal(self.derive(Purpose::Ledger, id).as_ref())
    }

    /// How indexes name the id.
    #[must_use]
    pub fn index_name(&self, id: &str) -> String {
        hexadecimal(&self.derive(Purpose::Index, id).as_ref()[..INDEX_NAME_BYTES])
    }

    fn derive(&self, purpose: Purpose, id: &str) -> hmac::Tag {
        hmac::sign(&self.0, &message(purpose, id))
    }
}

impl fmt::Debug for PersonKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PersonKeys(…)")
    }
}

#[derive(Clone, Copy)]
enum Purpose {
    UserKey,
    Ledger,
    Index,
}

/// What is signed: the purpose, a zero, and the id. No purpose is the beginning of another with its zero.
fn message(purpose: Purpose, id: &str) -> Vec<u8> {
    let purpose = match purpose {
        Purpose::UserKey => "user-key",
        Purpose::Ledger => "ledger",
        Purpose::Index => "index",
    };
    [purpose.as_bytes(), &[0], id.as_bytes()].concat()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    (0..32)
        .map(|index| u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents one person's key from opening another's data, and a damaged key from opening anything.
    #[test]
    fn a_user_key_opens_one_id() {
        let keys = PersonKeys::new("secret");
        let key = keys.user_key("maria");
        assert_eq!(key.len(), 64);
        assert!(keys.verify("maria", &key));
        assert!(!keys.verify("mario", &key));
        assert!(!PersonKeys::new("another").verify("maria", &key));
        for damaged in [
            "",
            &key[1..],
            &format!("{key}0"),
            &"é".repeat(32),
            &"g".repeat(64),
        ] {
            assert!(!keys.verify("maria", damaged), "{damaged}");
        }
    }

    /// Prevents whoever reads the ledger or the names of keys from having user keys.
    #[test]
    fn purposes_do_not_meet() {
        let keys = PersonKeys::new("secret");
        let (user_key, ledger, index) = (
            keys.user_key("maria"),
            keys.ledger_name("maria"),
            keys.index_name("maria"),
        );
        assert_ne!(user_key, ledger);
        assert!(!user_key.starts_with(&index) && !ledger.starts_with(&index));
        assert!(!keys.verify("maria", &ledger));
    }
}
