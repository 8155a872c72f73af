#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| mailward_fuzz::pop3_command::run(data));
