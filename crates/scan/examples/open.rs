//! What is in files, each as the one attachment of a message, or in messages (`--message`): for trying things by hand and
//! for comparing with other programs. `cargo run -p mailward-scan --example open -- [--message] FILE…`

use mailward_scan::{Budget, Contents, open};
use std::fmt::Write as _;
use std::time::Instant;

fn main() -> std::io::Result<()> {
    let mut is_message = false;
    for argument in std::env::args_os().skip(1) {
        if argument == "--message" {
            is_message = true;
            continue;
        }
        let bytes = std::fs::read(&argument)?;
        let began = Instant::now();
        let elapsed = || began.elapsed();
        let budget = Budget::within_limits(&elapsed);
        let contents = if is_message {
            open(&bytes, budget)
        } else {
            // An encoding that takes any byte.
            let head = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n";
            open(&[head.as_slice(), &bytes].concat(), budget)
        };
        println!("{} ({:?})\n{}", argument.display(), began.elapsed(), told(&contents));
    }
    Ok(())
}

fn told(contents: &Contents) -> String {
    let mut text = String::new();
    let mut depths: Vec<usize> = Vec::new();
    for item in &contents.items {
        let parent = item.parent.and_then(|parent| depths.get(usize::try_from(parent).ok()?));
        let depth = parent.map_or(1, |parent| parent.saturating_add(1));
        depths.push(depth);
        let hash: String = item.hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "{:indent$}{} {} {hash} {:?} {:?} {:?}",
            "",
            item.kind.name(),
            item.size,
            item.names,
            item.wrapping,
            item.traits,
            indent = depth.saturating_mul(2)
        );
    }
    let _ = writeln!(text, "  stopped: {:?}", contents.stopped);
    text
}
