//! See `fuzz::TARGETS`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some(body) = fuzz::target("okx_bytes") {
        body(data);
    }
});
