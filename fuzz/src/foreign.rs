//! Other protocols by their first bytes: what is known stays known as more comes, and is no command of ours.

use mailward_core::foreign;
use mailward_smtp::command::{self, Command};

pub fn run(data: &[u8]) {
    let whole = foreign::recognise(data);
    for end in 0..data.len().min(300) {
        let part = foreign::recognise(&data[..end]);
        assert!(part.is_none() || part == whole, "{part:?} became {whole:?}");
    }
    if whole.is_some() {
        let line = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        assert!(matches!(command::parse(line), Err(_) | Ok(Command::Http)), "{}", line.escape_ascii());
    }
}
