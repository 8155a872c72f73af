//! `docs/audit-controls.md` says what the code asks. Written anew by `MAILWARD_WRITE_DOCS=1 cargo test -p mailward-audit printed`.

#![allow(clippy::unwrap_used, reason = "a test says what it expects")]

use mailward_audit::{Area, Cap, Check, Control, Dimension, Probe, Weights, all};
use mailward_core::config::KEYS;
use std::fmt::Write as _;
use std::path::Path;

fn probe(probe: Probe) -> &'static str {
    match probe {
        Probe::Host => "the host",
        Probe::Doors => "its own doors",
        Probe::Outside => "from elsewhere",
        Probe::Names => "the DNS",
        Probe::State => "what the server knows",
        Probe::Injection => "messages of its own",
        Probe::Statement => "people",
    }
}

fn weight(control: &Control) -> String {
    let star = match control.cap {
        Some(Cap::Hole) => " ★",
        Some(Cap::Restore) => " ☆",
        None => "",
    };
    format!("{}{star}", control.weight)
}

/// The page.
fn page() -> String {
    let controls = all();
    let mut page = String::from(
        "# What the audit asks\n\n<!-- Written by `MAILWARD_WRITE_DOCS=1 cargo test -p mailward-audit printed`. -->\n\n\
         [audit.md](audit.md) tells what answers are worth. ★: while it fails, the total is at most 400; ☆: while it doesn't pass, at most 700.\n\n",
    );
    let sum = Weights::default().sum();
    writeln!(
        page,
        "{} controls in 18 areas, whose default weights sum to {}.{:02}:\n",
        controls.len(),
        sum / 100,
        sum % 100
    )
    .unwrap();
    page.push_str("| area | its name in `audit.weights` | weight | controls |\n|---|---|---|---|\n");
    for area in Area::ALL {
        let of = controls.iter().filter(|control| control.area == area).count();
        let weight = area.weight();
        writeln!(
            page,
            "| {}. {} | `{}` | {}.{:02} | {of} |",
            area.number(),
            area.title(),
            area.key(),
            weight / 100,
            weight % 100
        )
        .unwrap();
    }
    page.push_str("\n## Asked of every area\n\n`PHY-WHO-1` is that of physical security, and so on.\n\n");
    for control in
        controls.iter().filter(|control| matches!(control.check, Check::Every(_)) && control.area == Area::Physical)
    {
        let name = control.id.replace("PHY", "…");
        section(&mut page, control, &name);
    }
    for area in Area::ALL {
        writeln!(page, "\n## {}. {}\n", area.number(), area.title()).unwrap();
        for control in
            controls.iter().filter(|control| control.area == area && !matches!(control.check, Check::Every(_)))
        {
            section(&mut page, control, control.id);
        }
        let missing: Vec<&str> =
            mailward_audit::NOT_BUILT.iter().filter(|id| id.starts_with(area.code())).copied().collect();
        if !missing.is_empty() {
            writeln!(page, "Not built: {}.", missing.join(", ")).unwrap();
        }
    }
    page
}

fn section(page: &mut String, control: &Control, name: &str) {
    let dimension =
        if control.dimension == Dimension::What { String::new() } else { format!(" of {}", control.dimension.title()) };
    writeln!(page, "**{name}** ({}{dimension}, {}) {}  ", weight(control), probe(control.probe), control.question)
        .unwrap();
    writeln!(page, "{}  ", control.why).unwrap();
    writeln!(page, "*How:* {} *Mend:* {} *Source:* {}.\n", control.verified, control.mend, control.source).unwrap();
}

#[test]
fn printed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/audit-controls.md");
    let written = page();
    if std::env::var_os("MAILWARD_WRITE_DOCS").is_some() {
        std::fs::write(&path, &written).unwrap();
        return;
    }
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(page == written, "docs/audit-controls.md: MAILWARD_WRITE_DOCS=1 cargo test -p mailward-audit printed");
}

#[test]
fn what_is_not_built_is_not_built() {
    for id in mailward_audit::NOT_BUILT {
        assert!(mailward_audit::find(id).is_none(), "{id} is built");
    }
}

/// The keys of the configuration that are named; those without a section are words of everyday, too.
fn keys(text: &str) -> Vec<&'static mailward_core::config::Key> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.');
    let words: Vec<&str> = words.map(|word| word.trim_matches('.')).collect();
    KEYS.iter().filter(|key| key.path.contains('.') && words.contains(&key.path)).copied().collect()
}

#[test]
fn whoever_follows_what_mends_it_has_it_in_force() {
    let mut wrong = Vec::new();
    let mut named = 0;
    for control in all() {
        for key in keys(control.mend) {
            named += 1;
            let wanted = if key.reloads { "reload" } else { "restart" };
            if !control.mend.contains(wanted) {
                wrong.push(format!("{}: {} takes a {wanted}: {}", control.id, key.path, control.mend));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(named >= 15, "{named}");
}
