//! Any body of `POST /recommend`, as [`faciliauto_service_fuzz::questionnaire`] checks it.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| faciliauto_service_fuzz::questionnaire(body));
