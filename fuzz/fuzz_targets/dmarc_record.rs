#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| mailward_fuzz::dmarc_record::run(data));
