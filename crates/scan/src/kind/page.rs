//! `docs/kinds.md` has what the code has. Written anew by `MAILWARD_WRITE_DOCS=1 cargo test -p mailward-scan page`.

use super::{Family, Kind, extensions};
use std::fmt::Write;
use std::path::Path;

fn kinds() -> String {
    let mut table = String::from("| kind | family | is |\n|---|---|---|\n");
    for family in Family::ALL {
        for kind in Kind::ALL.iter().filter(|kind| kind.family() == family) {
            writeln!(table, "| `{}` | {} | {} |", kind.name(), family.name(), kind.about()).unwrap();
        }
    }
    table
}

fn names() -> String {
    let mut table = String::from("| family | extensions |\n|---|---|\n");
    for family in Family::ALL {
        let mut of: Vec<String> = extensions(family).map(|e| format!("`{e}`")).collect();
        of.sort();
        if !of.is_empty() {
            writeln!(table, "| {} | {} |", family.name(), of.join(" ")).unwrap();
        }
    }
    table
}

#[test]
fn the_page_has_every_kind_and_every_extension() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/kinds.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let mut written = page.clone();
    for (mark, table) in [("kinds", kinds()), ("names", names())] {
        let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- end of {mark} -->\n"));
        let (before, rest) = written.split_once(&begin).unwrap();
        let (_, after) = rest.split_once(&end).unwrap();
        written = format!("{before}{begin}{table}{end}{after}");
    }
    if std::env::var_os("MAILWARD_WRITE_DOCS").is_some() {
        std::fs::write(&path, &written).unwrap();
        return;
    }
    assert!(page == written, "docs/kinds.md: MAILWARD_WRITE_DOCS=1 cargo test -p mailward-scan page");
}
