//! Any stock of a dealer, as [`faciliauto_service_fuzz::upload`] checks it.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| faciliauto_service_fuzz::upload(body));
