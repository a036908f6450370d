//! Names that nobody else will make: from the system's randomness.

use rustls::crypto::ring::default_provider;

/// As many random bytes as asked for, as lower-case hexadecimal digits.
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
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}
