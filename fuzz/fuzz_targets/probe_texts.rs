#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| mailward_fuzz::probe_texts::run(data));
