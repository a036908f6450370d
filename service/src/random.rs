//! Names that nobody else will make.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use rustls::crypto::ring::default_provider;

/// As many bytes of the system's randomness as asked for, as lower-case hexadecimal digits.
///
/// # Panics
/// When the operating system has no randomness to give, where nothing could go on safely.
#[must_use]
pub(crate) fn hexadecimal(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    default_provider()
        .secure_random
        .fill(&mut random)
        .expect("the operating system gives random bytes");
    in_hexadecimal(&random)
}

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub(crate) fn in_hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().copied().flat_map(digits).collect()
}

/// A name that no other request will have: 32 hexadecimal digits. No secret, and cheap: a count, scrambled under two
/// random keys of this process.
#[must_use]
pub(crate) fn request_name() -> [u8; 32] {
    static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(|| [RandomState::new(), RandomState::new()]);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut name = [0; 32];
    let scrambled = KEYS.each_ref().map(|key| key.hash_one(count).to_ne_bytes());
    for (pair, byte) in name.chunks_exact_mut(2).zip(scrambled.as_flattened()) {
        pair.copy_from_slice(&digits(*byte).map(|digit| digit as u8));
    }
    name
}

fn digits(byte: u8) -> [char; 2] {
    [byte >> 4, byte & 15].map(|half| char::from(b"0123456789abcdef"[usize::from(half)]))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Prevents two requests from standing in the log under one name.
    #[test]
    fn requests_have_names_of_their_own() {
        let names: HashSet<_> = (0..10_000).map(|_| request_name()).collect();
        assert_eq!(names.len(), 10_000);
        assert!(names.iter().flatten().all(u8::is_ascii_hexdigit));
    }
}
