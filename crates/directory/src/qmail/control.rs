//! The control directory.

use super::lines::lines;
use super::{Facts, Files, Plan, QmailError, Step};
use crate::routes::{ForWhom, FromWhom, Gateway, GatewayCheck, Leads, Route, RouteName};
use mailward_core::Domain;
use mailward_core::config::Config;
use mailward_core::limits::ROUTES_MAX;
use mailward_core::rule::{Action, Listeners, OwnLimits, Pattern, Rule, Who};
use std::collections::{BTreeMap, BTreeSet};

/// Files that are read.
pub(super) const READ: &[&str] = &[
    "me",
    "locals",
    "virtualdomains",
    "rcpthosts",
    "morercpthosts",
    "databytes",
    "badmailfrom",
    "badmailfrompatterns",
    "badmailto",
    "badrcptto",
    "smtpgreeting",
    "concurrencyincoming",
    "concurrencyremote",
    "queuelifetime",
    "smtproutes",
    "envnoathost",
];

/// Files that are known and have no equal.
const NO_EQUAL: &[(&str, &str)] = &[
    ("timeoutsmtpd", "times for commands and messages are fixed here: docs/limits.md"),
    ("timeoutremote", "times for other servers are fixed here: docs/limits.md"),
    ("timeoutconnect", "times for other servers are fixed here: docs/limits.md"),
    ("concurrencylocal", "deliveries here are made in the session that takes the message: there is nothing to limit"),
    ("percenthack", "an address with % is only an address here"),
    ("localiphost", "mail for address literals isn't taken"),
    ("badhelo", "what a client says it is called is judged by itself"),
    ("bouncefrom", "bounces are from the empty sender, and name postmaster"),
    ("bouncehost", "bounces name this host"),
    ("doublebouncehost", "bounces that can't be delivered are told in the log"),
    ("doublebounceto", "bounces that can't be delivered are told in the log"),
    ("defaultdomain", "names are never completed with a domain; programs' addresses are with this host's name"),
    ("defaulthost", "names are never completed with a domain; programs' addresses are with this host's name"),
    ("plusdomain", "names are never completed with a domain"),
    ("idhost", "Message-IDs have this host's name"),
    ("helohost", "this host greets as hostname says"),
    ("qmqpservers", "QMQP isn't spoken"),
    ("servercert.pem", "certificates: tls.certificate and tls.key"),
    ("clientcert.pem", "no client certificate is shown to other servers"),
];

pub(super) fn read(files: &Files, plan: &mut Plan) -> Result<Facts, QmailError> {
    let mut facts = Facts::default();
    let mut of = |name: &str, plan: &mut Plan| -> Result<Vec<(usize, String)>, QmailError> {
        let Some(bytes) = files.control.get(name) else { return Ok(Vec::new()) };
        Ok(lines(name, bytes, plan)?.into_iter().map(|(number, line)| (number, line.to_owned())).collect())
    };
    let me = of("me", plan)?;
    let name = me.first().and_then(|(_, line)| Domain::parse_utf8(line).ok());
    match (&name, me.first()) {
        (Some(name), Some((line, _))) => setting(plan, "me", *line, "hostname", &name.to_string()),
        (None, Some((line, text))) => plan.leave("me", *line, text, "is no domain"),
        (_, None) => {}
    }
    let envnoathost = of("envnoathost", plan)?;
    facts.nowhere = envnoathost.first().and_then(|(_, line)| Domain::parse_utf8(line).ok()).or_else(|| name.clone());
    let mut locals = of("locals", plan)?;
    if !files.control.contains_key("locals") {
        locals = me;
    }
    let source = if files.control.contains_key("locals") { "locals" } else { "me" };
    for (line, text) in &locals {
        ours(plan, source, *line, text, &mut facts.locals);
    }
    let mut ours_all = facts.locals.clone();
    for (line, text) in of("virtualdomains", plan)? {
        virtual_domain(plan, line, &text, &mut ours_all, &mut facts);
    }
    let routes = routes(of("smtproutes", plan)?, plan);
    let accepted = accepted(&mut of, plan)?;
    if !files.control.contains_key("rcpthosts") {
        plan.leave("rcpthosts", 0, "", "isn't there: qmail took mail for everybody then, an open relay; never here");
    }
    let mut passed_on = BTreeSet::new();
    // Of two lines for a domain the first counts (qmail-remote(8)).
    let ways: BTreeMap<Domain, Leads> = routes
        .iter()
        .rev()
        .filter(|way| way.leads != Leads::Mx)
        .filter_map(|way| Some((way.domain.clone()?, way.leads.clone())))
        .collect();
    for (file, line, domain) in &accepted {
        if ours_all.contains(domain) {
            continue;
        }
        match ways.get(domain) {
            Some(leads) => {
                let gateway = Gateway { domain: domain.clone(), leads: leads.clone(), check: GatewayCheck::Callout };
                plan.become_step(file, *line, Step::Gateway(gateway));
                passed_on.insert(domain.clone());
            }
            None => plan.leave(
                file,
                *line,
                domain.as_str(),
                "mail was taken to be sent on by DNS; say to which host: mailward gateway add DOMAIN --to HOST",
            ),
        }
    }
    if files.control.contains_key("rcpthosts") {
        let taken: BTreeSet<&Domain> = accepted.iter().map(|(_, _, domain)| domain).collect();
        for domain in ours_all.iter().filter(|domain| !taken.contains(domain)) {
            let why = "isn't in rcpthosts: others couldn't write to it, and can now";
            plan.leave("rcpthosts", 0, domain.as_str(), why);
        }
    }
    for route in routes {
        route_step(plan, route, &ours_all, &passed_on);
    }
    for (file, to) in [("badmailfrom", false), ("badmailfrompatterns", false), ("badmailto", true), ("badrcptto", true)]
    {
        for (line, text) in of(file, plan)? {
            bad(plan, file, line, &text, to);
        }
    }
    numbers(&mut of, plan)?;
    if let Some((line, text)) = of("smtpgreeting", plan)?.first() {
        greeting(plan, *line, text, name.as_ref());
    }
    for name in files.control.keys().filter(|name| !READ.contains(&name.as_str())) {
        let known = NO_EQUAL.iter().find(|(known, _)| known == name);
        plan.leave(name, 0, "", known.map_or("isn't known; it wasn't read", |(_, why)| why));
    }
    Ok(facts)
}

type Of<'o> = dyn FnMut(&str, &mut Plan) -> Result<Vec<(usize, String)>, QmailError> + 'o;

/// A line of the configuration, if the value can stand there.
fn setting(plan: &mut Plan, file: &str, line: usize, key: &'static str, text: &str) {
    let value = if text.parse::<u64>().is_ok() { text.to_owned() } else { format!("\"{text}\"") };
    let (section, name) = key.split_once('.').unwrap_or(("", key));
    let toml =
        if section.is_empty() { format!("{name} = {value}\n") } else { format!("[{section}]\n{name} = {value}\n") };
    match Config::parse(&toml, file) {
        Ok(_) => plan.become_step(file, line, Step::Setting(key, value)),
        Err(errors) => {
            let why = errors.0.first().map(|error| error.what.clone()).unwrap_or_default();
            plan.leave(file, line, text, why);
        }
    }
}

fn ours(plan: &mut Plan, file: &str, line: usize, text: &str, found: &mut BTreeSet<Domain>) {
    match Domain::parse_utf8(text) {
        Ok(domain) if domain.as_str() == "localhost" => {
            plan.leave(file, line, text, "is always this host, for its own programs");
        }
        Ok(domain) if domain.as_str().contains('.') => {
            plan.become_step(file, line, Step::Domain(domain.clone()));
            found.insert(domain);
        }
        Ok(_) => plan.leave(file, line, text, "is no domain that others can write to: it has no dot"),
        Err(error) => plan.leave(file, line, text, error.to_string()),
    }
}

fn virtual_domain(plan: &mut Plan, line: usize, text: &str, all: &mut BTreeSet<Domain>, facts: &mut Facts) {
    const FILE: &str = "virtualdomains";
    let Some((domain, prefix)) = text.split_once(':') else {
        return plan.leave(FILE, line, text, "has no colon");
    };
    if domain.contains('@') {
        return plan.leave(FILE, line, text, "one address of a domain is an alias here: mailward alias add");
    }
    if domain.starts_with('.') || domain.is_empty() {
        return plan.leave(FILE, line, text, "each domain is made by itself here: mailward domain add");
    }
    if prefix.is_empty() {
        return plan.leave(FILE, line, text, "is an exception from a wider line, which has no equal");
    }
    let before = all.len();
    ours(plan, FILE, line, domain, all);
    if all.len() == before && !Domain::parse_utf8(domain).is_ok_and(|domain| all.contains(&domain)) {
        return;
    }
    let Ok(domain) = Domain::parse_utf8(domain) else { return };
    match (prefix.strip_prefix("alias"), prefix.strip_prefix("alias-")) {
        (Some(""), _) => facts.behind.push((domain, String::new())),
        (_, Some(behind)) => facts.behind.push((domain, behind.to_owned())),
        _ => plan.leave(FILE, line, text, format!("its users are {prefix}'s and aren't read: mailward user add")),
    }
}

/// Domains that mail was taken for.
fn accepted(of: &mut Of<'_>, plan: &mut Plan) -> Result<Vec<(String, usize, Domain)>, QmailError> {
    let mut all = Vec::new();
    for file in ["rcpthosts", "morercpthosts"] {
        for (line, text) in of(file, plan)? {
            match Domain::parse_utf8(&text) {
                Ok(domain) if domain.as_str().contains('.') => all.push((file.to_owned(), line, domain)),
                Ok(domain) if domain.as_str() == "localhost" => {
                    plan.leave(file, line, &text, "is always this host, for its own programs");
                }
                _ if text.starts_with('.') => {
                    plan.leave(file, line, &text, "each domain is named by itself here, none with all below it");
                }
                _ => plan.leave(file, line, &text, "is no domain that others can write to"),
            }
        }
    }
    Ok(all)
}

/// A line of smtproutes.
struct Way {
    line: usize,
    /// `None`: everything else.
    domain: Option<Domain>,
    whom: ForWhom,
    leads: Leads,
}

fn routes(all: Vec<(usize, String)>, plan: &mut Plan) -> Vec<Way> {
    const FILE: &str = "smtproutes";
    let mut ways = Vec::new();
    for (line, text) in all {
        // Behind a space patches have a user and a password.
        let (shown, login) = text.split_once(' ').map_or((text.as_str(), false), |(shown, _)| (shown, true));
        let Some((domain, relay)) = shown.split_once(':') else {
            plan.leave(FILE, line, shown, "has no colon");
            continue;
        };
        if login {
            let why = "has a login, which isn't read: mailward route add NAME --to DOMAIN --user USER smarthost HOST";
            plan.leave(FILE, line, shown, why);
            continue;
        }
        let whom = match domain {
            "" => Ok(ForWhom::Everybody),
            domain => ForWhom::parse(domain),
        };
        let relay = relay.strip_prefix('[').and_then(|relay| relay.split_once(']')).map_or_else(
            || relay.to_owned(),
            |(ip, port)| if ip.contains(':') { format!("[{ip}]{port}") } else { format!("{ip}{port}") },
        );
        let words = if relay.is_empty() { vec!["mx".to_owned()] } else { vec!["host".to_owned(), relay] };
        match (whom, Leads::parse(&words, None, None)) {
            (Ok(_), Ok(_)) if ways.len() >= ROUTES_MAX => {
                plan.leave(FILE, line, shown, format!("there are at most {ROUTES_MAX} routes"));
            }
            (Ok(whom), Ok(leads)) => {
                let domain = match &whom {
                    ForWhom::Domain(domain) => Some(domain.clone()),
                    _ => None,
                };
                ways.push(Way { line, domain, whom, leads });
            }
            (Err(error), _) | (_, Err(error)) => plan.leave(FILE, line, shown, error.to_string()),
        }
    }
    ways
}

fn route_step(plan: &mut Plan, way: Way, ours: &BTreeSet<Domain>, passed_on: &BTreeSet<Domain>) {
    const FILE: &str = "smtproutes";
    let Way { line, domain, whom, leads } = way;
    if let Some(domain) = domain.as_ref().filter(|domain| ours.contains(domain)) {
        return plan.leave(FILE, line, domain.as_str(), "is delivered here: no route is asked");
    }
    // A gateway knows its way.
    if domain.is_some_and(|domain| passed_on.contains(&domain)) {
        return;
    }
    let text = format!("to-{whom}").replace("*", "all").replace('.', "-").replace("--", "-");
    let base: String =
        text.chars().filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-').take(26).collect();
    let taken = |name: &RouteName, plan: &Plan| {
        plan.became.iter().any(|known| matches!(&known.step, Step::Route(route) if route.name == *name))
    };
    let names = std::iter::once(base.clone()).chain((2..10_000).map(|number| format!("{base}-{number}")));
    let name = names.filter_map(|name| RouteName::parse(&name).ok()).find(|name| !taken(name, plan));
    match name {
        Some(name) => {
            let route = Route { name, to: whom, from: FromWhom::Anybody, leads, lifetime: None, warn_after: None };
            plan.become_step(FILE, line, Step::Route(Box::new(route)));
        }
        None => plan.leave(FILE, line, &whom.to_string(), "no name could be made for its route"),
    }
}

/// A bad sender or recipient; `*@domain` and `*@*.domain` are forms of patches.
fn bad(plan: &mut Plan, file: &str, line: usize, text: &str, to: bool) {
    let pattern = text.strip_prefix('*').filter(|rest| rest.starts_with('@')).unwrap_or(text);
    let plain = pattern.strip_prefix("@*.").or(pattern.strip_prefix("@.")).map(|below| format!("@*.{below}"));
    let pattern = plain.as_deref().unwrap_or(pattern);
    let wild = |text: &str| text.strip_prefix("@*.").unwrap_or(text).contains(['*', '?', '[', '%', '!']);
    if wild(pattern) {
        return plan.leave(file, line, text, "only user@domain, @domain and @*.domain have equals");
    }
    let pattern = match Pattern::parse(pattern) {
        Ok(pattern) => pattern,
        Err(error) => return plan.leave(file, line, text, error.to_string()),
    };
    let (from, to) = if to { (None, Some(pattern)) } else { (Some(pattern), None) };
    match Rule::new(Who::Any, Listeners::ALL, from, to, Action::Refuse { words: None }, OwnLimits::default()) {
        Ok(rule) => plan.become_step(file, line, Step::Rule(rule)),
        Err(error) => plan.leave(file, line, text, error.to_string()),
    }
}

/// Files of one number.
fn numbers(of: &mut Of<'_>, plan: &mut Plan) -> Result<(), QmailError> {
    let keys: BTreeMap<&str, &'static str> = BTreeMap::from([
        ("databytes", "limits.message_size"),
        ("concurrencyincoming", "limits.connections"),
        ("concurrencyremote", "queue.connections"),
        ("queuelifetime", "queue.lifetime"),
    ]);
    for (file, key) in keys {
        let Some((line, text)) = of(file, plan)?.into_iter().next() else { continue };
        let Ok(number) = text.parse::<u64>() else {
            plan.leave(file, line, &text, "is no number");
            continue;
        };
        match file {
            "databytes" if number == 0 => {
                plan.leave(
                    file,
                    line,
                    &text,
                    "no limit at all has no equal: limits.message_size is at most \"256 MiB\"",
                );
            }
            // Hours, and rather too long than too short.
            "queuelifetime" => setting(plan, file, line, key, &number.div_ceil(3_600).to_string()),
            _ => setting(plan, file, line, key, &number.to_string()),
        }
    }
    Ok(())
}

/// The first word is the name; what else it says nobody needs.
fn greeting(plan: &mut Plan, line: usize, text: &str, me: Option<&Domain>) {
    let mut words = text.split_whitespace();
    let name = words.next().and_then(|word| Domain::parse_utf8(word).ok());
    match name {
        Some(name) if me == Some(&name) => {}
        Some(name) if me.is_none() => setting(plan, "smtpgreeting", line, "hostname", &name.to_string()),
        _ => plan.leave("smtpgreeting", line, text, "this host greets as hostname says, which is what me says"),
    }
    if words.any(|word| !word.eq_ignore_ascii_case("ESMTP")) {
        plan.leave("smtpgreeting", line, text, "greetings have a name only");
    }
}
