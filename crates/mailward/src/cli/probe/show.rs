//! A look as text.

use crate::failure::Failure;
use crate::print;
use mailward_audit::probe::{DoorSeen, Found, Look, Port, PortSeen, PortState};
use std::io::IsTerminal as _;

/// Characters of a finding, and of a banner, that a screen has room for.
const SAID: usize = 400;
/// As above.
const BANNER: usize = 60;

/// Everything of it but the evidence, which `--json` has.
pub(super) fn look(look: &Look) -> Result<(), Failure> {
    let addresses = look.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let domain = look.domain.as_ref().map(|domain| format!(", domain {}", print::tame(domain))).unwrap_or_default();
    print::line(format_args!("{} at {addresses}{domain}", print::tame(&look.host)))?;
    print::line(format_args!("{} connections in {} seconds\n", look.connections, look.seconds))?;
    ports(look)?;
    print::line("")?;
    for found in look.findings.iter().filter(|found| matches!(found.verdict.as_str(), "fail" | "error")) {
        one(found)?;
    }
    for word in ["not-tested", "not-applicable"] {
        alike(look, word)?;
    }
    let passed: Vec<&str> =
        look.findings.iter().filter(|found| found.verdict == "pass").map(|found| found.name.as_str()).collect();
    if !passed.is_empty() {
        print::line(format_args!("\npassed: {}", passed.join(", ")))?;
    }
    changes(look)
}

/// Ports of mail as they are, and what is open of the others.
fn ports(look: &Look) -> Result<(), Failure> {
    let is_shown = |port: &&PortSeen| port.role.is_some() || port.state == PortState::Open;
    let rows: Vec<Vec<String>> = look
        .ports
        .iter()
        .filter(is_shown)
        .map(|port| {
            let door = look.doors.iter().find(|door| door.address == port.address && door.port == port.port);
            vec![
                port.address.to_string(),
                port.port.to_string(),
                port.state.word().to_owned(),
                what(port, door),
                door.map(tls).unwrap_or_default(),
                door.map(says).unwrap_or_default(),
            ]
        })
        .collect();
    print::table(&["ADDRESS", "PORT", "STATE", "WHAT", "TLS", "SAYS"], &rows)?;
    let silent = look.ports.iter().filter(|port| !is_shown(port)).count();
    if silent > 0 {
        print::line(format_args!("and {silent} ports that nobody should reach, none of them open"))?;
    }
    Ok(())
}

fn what(port: &PortSeen, door: Option<&DoorSeen>) -> String {
    match (port.role, door) {
        (_, Some(door)) => print::tame(&door.protocol),
        (Some(80), None) => "http".to_owned(),
        (Some(role), None) => role.to_string(),
        (None, None) => Port::inside(port.port).to_owned(),
    }
}

fn tls(door: &DoorSeen) -> String {
    let versions = door.tls.iter().flat_map(|tls| &tls.versions);
    let numbers: Vec<&str> = versions.map(|one| one.version.strip_prefix("TLS ").unwrap_or(&one.version)).collect();
    print::tame(&numbers.join(" "))
}

fn says(door: &DoorSeen) -> String {
    let text = door.error.as_ref().map(|error| format!("({error})")).or_else(|| door.banner.clone());
    print::short(&text.unwrap_or_default(), BANNER)
}

/// What isn't known, by why it isn't.
fn alike(look: &Look, word: &str) -> Result<(), Failure> {
    let mut by_why: Vec<(&str, Vec<&str>)> = Vec::new();
    for found in look.findings.iter().filter(|found| found.verdict == word) {
        match by_why.iter_mut().find(|(why, _)| *why == found.said) {
            Some((_, names)) => names.push(&found.name),
            None => by_why.push((&found.said, vec![&found.name])),
        }
    }
    for (why, names) in by_why {
        let (word, why) = (word.replace('-', " "), print::short(why, SAID));
        print::line(format_args!("    {} {word}: {why}", print::tame(&names.join(", "))))?;
    }
    Ok(())
}

fn one(found: &Found) -> Result<(), Failure> {
    let word = if found.verdict == "fail" { "failed" } else { "error" };
    let word = if std::io::stdout().is_terminal() { format!("\u{1b}[31m{word}\u{1b}[0m") } else { word.to_owned() };
    let star = if found.hole { "*" } else { "" };
    let name = print::tame(&found.name);
    print::line(format_args!("{:>2}{star:<1} {name} {word}: {}", found.weight, print::short(&found.said, SAID)))?;
    print::line(format_args!("    mend: {}", print::tame(&found.mend)))
}

fn changes(look: &Look) -> Result<(), Failure> {
    let Some(changes) = &look.changes else { return Ok(()) };
    if changes.is_empty() {
        return print::line("\nnothing is other than the last time");
    }
    print::line("\nother than the last time:")?;
    for change in changes {
        let side =
            |side: &Option<String>| side.as_deref().map_or_else(|| "(none)".to_owned(), |text| print::short(text, 120));
        print::line(format_args!("  {}: {} -> {}", print::tame(&change.what), side(&change.was), side(&change.is)))?;
    }
    Ok(())
}
