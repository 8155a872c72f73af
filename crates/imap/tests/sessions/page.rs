//! `docs/imap.md` and the table of extensions, held against each other and against the tests that they name. After a
//! change: `MAILWARD_WRITE_DOCS=1 cargo test -p mailward-imap page`.

use crate::harness::House;
use mailward_imap::capability::{EXTENSIONS, Told};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn file(module: &str) -> String {
    let inside = module.contains('/');
    if inside { format!("crates/imap/{module}") } else { format!("crates/imap/tests/sessions/{module}.rs") }
}

#[test]
fn every_extension_has_a_test_that_shows_it() {
    for extension in EXTENSIONS {
        let there = match extension.test.split_once("::") {
            Some((module, function)) => {
                let path = root().join(file(module));
                std::fs::read_to_string(path).unwrap_or_default().contains(&format!("fn {function}("))
            }
            None => root().join("tests/scenarios").join(extension.test).join("run").exists(),
        };
        assert!(there, "{}: there is no {}", extension.name, extension.test);
    }
}

#[tokio::test]
async fn what_the_server_says_it_can_is_in_the_table() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    let told = client.ask("CAPABILITY").await[0].clone();
    for word in told.split(' ').skip(2).filter(|word| !word.starts_with("APPENDLIMIT=")) {
        assert!(EXTENSIONS.iter().any(|e| e.name == word && e.told != Told::Otherwise), "{word}");
    }
}

#[test]
fn the_page_is_current() {
    let path = root().join("docs/imap.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (start, end) =
        ("<!-- The table is written from crates/imap/src/capability.rs by a test. -->\n", "<!-- End. -->");
    let (before, rest) = page.split_once(start).expect("the page has a place for the table");
    let (_, after) = rest.split_once(end).expect("the table has an end");
    let mut table = String::from("\n| word | RFC | told | shown by | |\n|---|---|---|---|---|\n");
    for e in EXTENSIONS {
        let told = match e.told {
            Told::Always => "always",
            Told::LoggedIn => "after login",
            Told::Otherwise => "",
        };
        let test = match e.test.split_once("::") {
            Some((module, function)) => format!("[{module}](../{}) `{function}`", file(module)),
            None => format!("[{0}](../tests/scenarios/{0}/run)", e.test),
        };
        writeln!(table, "| `{}` | {} | {told} | {test} | {} |", e.name, e.rfc, e.note).unwrap();
    }
    let written = format!("{before}{start}{table}\n{end}{after}");
    if std::env::var_os("MAILWARD_WRITE_DOCS").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let printed = std::fs::read_to_string(&path).unwrap();
    assert!(
        printed == written,
        "docs/imap.md is not what the code says: MAILWARD_WRITE_DOCS=1 cargo test -p mailward-imap page"
    );
}
