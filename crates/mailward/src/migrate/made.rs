//! A plan that is made: looked at as a whole first, then step by step; if one fails, those before it are undone.

use crate::cli::migrate::quoted;
use crate::cli::rules::who_asks;
use crate::control::client::Errand;
use crate::control::{CatchAll, Request, routes, rules};
use crate::failure::Failure;
use crate::place::Place;
use crate::print::{self, Field as _};
use mailward_core::rule::Rule;
use mailward_core::{Address, Domain};
use mailward_directory::qmail::{Plan, Step};
use mailward_gate::rules::RulePlace;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Names of missing users that are told.
const MISSING_SHOWN: usize = 20;

/// What a server has already.
struct There {
    domains: BTreeSet<String>,
    users: BTreeSet<String>,
    /// With whom they lead to.
    aliases: BTreeMap<String, BTreeSet<String>>,
    routes: BTreeSet<String>,
    gateways: BTreeSet<String>,
    rules: BTreeSet<String>,
}

/// One request, and the one that takes it back.
struct Stage {
    what: String,
    request: Request,
    undo: Option<Request>,
}

/// Makes a plan. Answers what was done otherwise than it says.
pub(crate) fn apply(place: &Place, plan: &Plan, leave_out: bool) -> Result<Vec<String>, Failure> {
    let mut errand = Errand::on(place)?;
    let there = There::ask(&mut errand)?;
    let mut notes = Vec::new();
    let stages = stages(plan, &there, leave_out, &mut notes)?;
    let mut done: Vec<Option<Request>> = Vec::with_capacity(stages.len());
    for stage in stages {
        match errand.run::<Value>(&stage.request) {
            Ok(_) => done.push(stage.undo),
            Err(failure) => {
                let mut stuck = 0_usize;
                for undo in done.into_iter().rev().flatten() {
                    if errand.run::<Value>(&undo).is_err() {
                        stuck = stuck.saturating_add(1);
                    }
                }
                let undone = match stuck {
                    0 => "nothing was changed".to_owned(),
                    stuck => format!("{stuck} steps before it couldn't be undone: run it again when that is mended"),
                };
                return Err(Failure::Refused(format!("{}: {failure}; {undone}", print::tame(&stage.what))));
            }
        }
    }
    Ok(notes)
}

impl There {
    fn ask(errand: &mut Errand<'_>) -> Result<Self, Failure> {
        let names = |list: &Value, member: &str| -> BTreeSet<String> {
            let all = list.as_array().into_iter().flatten();
            all.filter_map(|one| one.field(member).as_str()).map(str::to_owned).collect()
        };
        let domains: Value = errand.run(&Request::DomainList)?;
        let users: Value = errand.run(&Request::UserList { domain: None })?;
        let aliases: Value = errand.run(&Request::AliasList { domain: None })?;
        let routes: Value = errand.run(&Request::Routes { ask: routes::Ask::List })?;
        let gateways: Value = errand.run(&Request::Routes { ask: routes::Ask::GatewayList })?;
        let rules: Value = errand.run(&Request::Rules { ask: rules::Ask::List })?;
        let kept = |rule: &&Value| rule.field("source").as_str() == Some("kept");
        let targets = |alias: &Value| {
            let all = alias.field("targets").as_array().into_iter().flatten();
            all.filter_map(Value::as_str).map(str::to_lowercase).collect()
        };
        Ok(Self {
            domains: names(&domains, "name"),
            users: names(&users, "address"),
            aliases: aliases
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|alias| Some((alias.field("address").as_str()?.to_owned(), targets(alias))))
                .collect(),
            routes: names(&routes, "name"),
            gateways: names(&gateways, "domain"),
            rules: rules
                .as_array()
                .into_iter()
                .flatten()
                .filter(kept)
                .filter_map(|rule| rule.field("rule").as_str().map(str::to_owned))
                .collect(),
        })
    }
}

/// The address under which somebody is known: lower case, without a `+tag`.
fn known_as(address: &Address) -> String {
    let local = address.local().folded();
    let bare = local.split_once('+').map_or(local.as_str(), |(bare, _)| bare);
    format!("{bare}@{}", address.host())
}

/// What is to be done, in an order that can be: domains, aliases behind those that they lead to, ways, rules.
fn stages(plan: &Plan, there: &There, leave_out: bool, notes: &mut Vec<String>) -> Result<Vec<Stage>, Failure> {
    let mut stages = Vec::new();
    let mut domains = there.domains.clone();
    let mut aliases: Vec<(&Address, &[Address])> = Vec::new();
    let mut catch_alls: Vec<(&Domain, &Address)> = Vec::new();
    let (mut ways, mut rules): (Vec<Stage>, Vec<Rule>) = (Vec::new(), Vec::new());
    for became in &plan.became {
        match &became.step {
            Step::Domain(name) if !domains.insert(name.to_string()) => {}
            Step::Domain(name) => stages.push(Stage {
                what: format!("domain {name}"),
                request: Request::DomainAdd { name: name.clone() },
                undo: Some(Request::DomainRemove { name: name.clone() }),
            }),
            Step::Alias(alias, to) => aliases.push((alias, to)),
            Step::CatchAll(domain, to) => catch_alls.push((domain, to)),
            Step::Gateway(gateway) if there.gateways.contains(gateway.domain.as_str()) => {
                notes.push(format!("gateway {}: there is one already, which stays as it is", gateway.domain));
            }
            Step::Gateway(gateway) => ways.push(Stage {
                what: format!("gateway {}", gateway.domain),
                request: Request::Routes { ask: routes::Ask::GatewayPut { gateway: gateway.clone(), change: false } },
                undo: Some(Request::Routes { ask: routes::Ask::GatewayRemove { domain: gateway.domain.clone() } }),
            }),
            Step::Route(route) if there.routes.contains(route.name.as_str()) => {
                notes.push(format!("route {}: there is one already, which stays as it is", route.name));
            }
            Step::Route(route) => ways.push(Stage {
                what: format!("route {}", route.name),
                request: Request::Routes { ask: routes::Ask::Add { route: (**route).clone(), password: None } },
                undo: Some(Request::Routes { ask: routes::Ask::Remove { name: route.name.clone() } }),
            }),
            Step::Rule(rule) if there.rules.contains(&rule.to_string()) => {}
            Step::Rule(rule) => rules.push(rule.clone()),
            Step::Setting(..) => {}
        }
    }
    let mut known: BTreeSet<String> = there.users.iter().chain(there.aliases.keys()).cloned().collect();
    let exists = |to: &Address, known: &BTreeSet<String>| {
        let ours = to.domain().is_some_and(|domain| domains.contains(domain.as_str()));
        !ours || known.contains(&known_as(to)) || known.contains(&to.to_string().to_lowercase())
    };
    let mut waiting = Vec::new();
    for (alias, to) in aliases {
        let name = alias.to_string().to_lowercase();
        let wanted: BTreeSet<String> = to.iter().map(|to| to.to_string().to_lowercase()).collect();
        match there.aliases.get(&name) {
            Some(targets) if *targets == wanted => {}
            Some(_) => notes.push(format!("alias {name}: there is one already, which stays as it is")),
            None if there.users.contains(&name) => notes.push(format!("alias {name}: it is a user already")),
            None => waiting.push((alias, to)),
        }
    }
    // Each round makes those whose targets are there; it ends when none is made, at the latest after as many as there are.
    loop {
        let (ready, rest): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(_, to)| to.iter().all(|to| exists(to, &known)));
        waiting = rest;
        if ready.is_empty() {
            break;
        }
        for (alias, to) in ready {
            known.insert(alias.to_string().to_lowercase());
            stages.push(Stage {
                what: format!("alias {alias}"),
                request: Request::AliasAdd { alias: alias.clone(), targets: to.to_vec() },
                undo: Some(Request::AliasRemove { alias: alias.clone() }),
            });
        }
    }
    let mut missing: BTreeSet<String> = BTreeSet::new();
    for (alias, to) in waiting {
        missing.extend(to.iter().filter(|to| !exists(to, &known)).map(known_as));
        notes.push(format!("alias {alias}: left out, it leads to users who aren't there"));
    }
    for (domain, to) in catch_alls {
        if exists(to, &known) {
            stages.push(Stage {
                what: format!("catch-all of {domain}"),
                request: Request::DomainSet {
                    name: domain.clone(),
                    enabled: None,
                    catch_all: CatchAll::To(to.clone()),
                },
                undo: Some(Request::DomainSet { name: domain.clone(), enabled: None, catch_all: CatchAll::Off }),
            });
        } else {
            missing.insert(known_as(to));
            notes.push(format!("catch-all of {domain}: left out, {to} isn't there"));
        }
    }
    if !missing.is_empty() && !leave_out {
        let shown: Vec<String> = missing.iter().take(MISSING_SHOWN).map(|user| quoted(user)).collect();
        let more = missing.len().saturating_sub(shown.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        return Err(Failure::Refused(format!(
            "aliases lead to users who aren't there: {}{more}; make them with `mailward user add`, or leave these aliases \
             out with --leave-out; nothing was changed",
            print::tame(&shown.join(" "))
        )));
    }
    stages.append(&mut ways);
    if !rules.is_empty() {
        let comment = "from qmail".to_owned();
        let ask = rules::Ask::Add { rules, comment, place: RulePlace::Last, by: who_asks(), force: true };
        // The last, all of them or none: nothing is to be undone.
        stages.push(Stage { what: "rules".to_owned(), request: Request::Rules { ask }, undo: None });
    }
    Ok(stages)
}
