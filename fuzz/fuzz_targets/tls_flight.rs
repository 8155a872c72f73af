#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| mailward_fuzz::tls_flight::run(data));
