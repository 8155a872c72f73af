//! Lines that name milters: what is read comes back from its own words.

use mailward_core::config::{MilterLine, MilterPlace};
use mailward_core::limits::{MILTER_MACROS_MAX, MILTER_NAME_MAX, MILTER_TIME_CONFIG_MAX};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for text in text.split('\n').take(20) {
        let Ok(line) = MilterLine::parse(text) else { continue };
        let written = line.to_string();
        assert!(!written.chars().any(char::is_control));
        assert_eq!(MilterLine::parse(&written).as_ref(), Ok(&line));
        assert!((1..=MILTER_NAME_MAX).contains(&line.name.len()) && line.macros.len() <= MILTER_MACROS_MAX);
        for time in [line.connect, line.command, line.timeout] {
            assert!((1..=MILTER_TIME_CONFIG_MAX).contains(&time.as_secs()));
        }
        match &line.place {
            MilterPlace::Unix(path) => assert!(path.is_absolute()),
            MilterPlace::Tcp { host, port, .. } => assert!(!host.is_empty() && *port > 0),
        }
    }
}
