//! The alias directory: `.qmail-NAME`.

use super::lines::lines;
use super::{Facts, Files, Plan, QmailError, Step};
use mailward_core::{Address, Domain, Host, LocalPart};
use std::collections::HashSet;

/// What a file's lines say.
struct Delivery {
    /// Whom it forwards to.
    to: Vec<Address>,
    /// Lines that have no equal.
    odd: Vec<(usize, String, String)>,
    /// Whether a program is run, which may decide about all other lines.
    program: bool,
    /// Whether there is anything at all but comments.
    says: bool,
}

pub(super) fn read(files: &Files, facts: &Facts, plan: &mut Plan) -> Result<(), QmailError> {
    for (name, bytes) in &files.alias {
        let delivery = delivery(name, bytes, facts, plan)?;
        for (line, source, why) in &delivery.odd {
            plan.leave(name, *line, source, why.clone());
        }
        if delivery.program {
            plan.leave(name, 0, "", "a program may decide about its other lines: nothing is made of it");
            continue;
        }
        if delivery.to.is_empty() {
            if !delivery.says {
                plan.leave(
                    name,
                    0,
                    "",
                    if bytes.is_empty() {
                        "is empty: the alias user's own mailbox has no equal"
                    } else {
                        "throws mail away, which has no equal"
                    },
                );
            }
            continue;
        }
        let Some(extension) = name.strip_prefix(".qmail") else { continue };
        made(name, extension.strip_prefix('-').unwrap_or(extension), delivery.to, facts, plan);
    }
    Ok(())
}

/// The steps of one file: an alias or a catch-all in each domain that leads to it.
fn made(file: &str, extension: &str, to: Vec<Address>, facts: &Facts, plan: &mut Plan) {
    // qmail writes colons for dots.
    let name = extension.replace(':', ".");
    let mut used = false;
    for (domain, behind) in &facts.behind {
        let rest = if behind.is_empty() {
            Some(name.as_str())
        } else {
            name.strip_prefix(behind.as_str()).and_then(|rest| rest.strip_prefix('-'))
        };
        if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
            used = true;
            step(file, domain, rest, &to, plan);
        }
    }
    // Behind a virtual domain it is no name of the others too, unless somebody wants it so.
    if used && facts.behind.iter().any(|(_, behind)| !behind.is_empty() && name.starts_with(&format!("{behind}-"))) {
        return;
    }
    let name = if name.is_empty() { "alias" } else { &name };
    for domain in &facts.locals {
        used = true;
        step(file, domain, name, &to, plan);
    }
    if !used {
        plan.leave(file, 0, "", "no domain leads to it");
    }
}

fn step(file: &str, domain: &Domain, name: &str, to: &[Address], plan: &mut Plan) {
    if name == "default" {
        match to {
            [only] => plan.become_step(file, 1, Step::CatchAll(domain.clone(), only.clone())),
            _ => {
                plan.leave(file, 0, "", format!("a catch-all of {domain} leads to one address: make an alias of these"))
            }
        }
        return;
    }
    if name.ends_with("-default") {
        let why = "addresses that begin alike have no equal: an account takes NAME+anything";
        return plan.leave(file, 0, "", why);
    }
    match LocalPart::parse(name, true) {
        Ok(local) => {
            let alias = Address::new(local, Host::Domain(domain.clone()));
            let to: Vec<Address> = to.iter().filter(|to| **to != alias).cloned().collect();
            if to.is_empty() {
                return plan.leave(file, 0, "", format!("{alias} leads to itself"));
            }
            plan.become_step(file, 1, Step::Alias(alias, to));
        }
        Err(error) => plan.leave(file, 0, "", format!("{name:?} is no name: {error}")),
    }
}

/// Reads the lines of one file (dot-qmail(5)).
fn delivery(name: &str, bytes: &[u8], facts: &Facts, plan: &mut Plan) -> Result<Delivery, QmailError> {
    let mut delivery = Delivery { to: Vec::new(), odd: Vec::new(), program: false, says: false };
    let mut seen = HashSet::new();
    for (line, text) in lines(name, bytes, plan)? {
        delivery.says = true;
        let mut odd = |why: &str| delivery.odd.push((line, text.to_owned(), why.to_owned()));
        match text.chars().next() {
            Some('|') => {
                odd("no program is run at a message's request here");
                delivery.program = true;
            }
            Some('/' | '.') => odd("a mailbox belongs to a user: mailward user add; a Maildir: mailward route add"),
            Some('+') => odd("isn't known"),
            _ => match target(text.strip_prefix('&').unwrap_or(text).trim(), facts) {
                Some(address) if !seen.insert(address.clone()) => {}
                Some(address) => delivery.to.push(address),
                None => odd("is no address"),
            },
        }
    }
    Ok(delivery)
}

/// An address; without a host it is where qmail puts those (envnoathost).
fn target(text: &str, facts: &Facts) -> Option<Address> {
    if text.contains('@') {
        return Address::parse(text, true).ok();
    }
    let local = LocalPart::parse(text, true).ok()?;
    Some(Address::new(local, Host::Domain(facts.nowhere.clone()?)))
}
