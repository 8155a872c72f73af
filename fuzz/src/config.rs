//! The configuration file.

use mailward_core::config::Config;

pub fn run(data: &[u8]) {
    let Ok(loaded) = Config::parse_bytes(data, "mailward.toml") else { return };
    let written = loaded.config.commented();
    let again = match Config::parse(&written, "mailward.toml") {
        Ok(again) => again,
        Err(e) => panic!("what we write we don't read: {e}\n{written}"),
    };
    assert_eq!(again.config, loaded.config, "{written}");
}
