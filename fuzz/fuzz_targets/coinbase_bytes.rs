//! See `fuzz::TARGETS`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some(body) = fuzz::target("coinbase_bytes") {
        body(data);
    }
});
