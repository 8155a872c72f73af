//! What a qmail becomes: told as commands, and made.

pub(crate) mod files;
mod made;

pub(crate) use made::apply;

use crate::cli::migrate::{Told, ToldLeft, ToldStep, quoted};
use mailward_directory::qmail::{Plan, Step};
use mailward_directory::routes::{Leads, Places};
use std::collections::BTreeMap;

/// A plan as commands, and as lines of the configuration.
pub(crate) fn told(plan: &Plan) -> Told {
    let mut told = Told::default();
    let mut settings: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for became in &plan.became {
        let (what, command) = match &became.step {
            Step::Domain(domain) => ("domain", format!("mailward domain add {domain}")),
            Step::Alias(alias, to) => {
                let to: Vec<String> = to.iter().map(|to| quoted(&to.to_string())).collect();
                ("alias", format!("mailward alias add {} {}", quoted(&alias.to_string()), to.join(" ")))
            }
            Step::CatchAll(domain, to) => {
                ("catch-all", format!("mailward domain set {domain} --catch-all {}", quoted(&to.to_string())))
            }
            Step::Rule(rule) => ("rule", format!("mailward rules add {}", quoted(&rule.to_string()))),
            Step::Gateway(gateway) => {
                ("gateway", format!("mailward gateway add {} --to {}", gateway.domain, hosts(&gateway.leads)))
            }
            Step::Route(route) => {
                let way = match &route.leads {
                    Leads::Mx => "mx".to_owned(),
                    leads => format!("host {}", hosts(leads)),
                };
                let to = quoted(&route.to.to_string());
                ("route", format!("mailward route add {} --to {to} {way}", route.name))
            }
            Step::Setting(key, value) => {
                let (section, name) = key.split_once('.').unwrap_or(("", key));
                settings.entry(section).or_default().push(format!("{name} = {value}"));
                continue;
            }
        };
        told.became.push(ToldStep { file: became.file.clone(), line: became.line, what, command });
    }
    for (section, lines) in settings {
        if !section.is_empty() {
            told.toml.push(format!("[{section}]"));
        }
        told.toml.extend(lines);
    }
    told.left = plan
        .left
        .iter()
        .map(|left| ToldLeft {
            file: left.file.clone(),
            line: left.line,
            source: left.source.clone(),
            why: left.why.clone(),
        })
        .collect();
    told
}

/// The hosts of a way that a route or gateway of qmail has.
fn hosts(leads: &Leads) -> String {
    match leads {
        Leads::Host(Places { hosts, .. }) => {
            hosts.iter().map(|host| quoted(&host.to_string())).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}
