//! A qmail: files with a zero byte between, in the order of their names here. Nobody relays by them, and passwords aren't kept.

use mailward_directory::qmail::{CONTROL_FILES, Files, Step, plan};

pub fn run(data: &[u8]) {
    let mut files = Files::default();
    let names = CONTROL_FILES.iter().map(|name| (*name).to_owned());
    let aliases = ["", "-default", "-a", "-a-b", "-a-default", "-a:b"].map(|name| format!(".qmail{name}"));
    for (name, bytes) in names.chain(aliases).zip(data.split(|b| *b == 0)) {
        let place = if name.starts_with('.') { &mut files.alias } else { &mut files.control };
        place.insert(name, bytes.to_vec());
    }
    let Ok(plan) = plan(&files) else { return };
    for became in &plan.became {
        match &became.step {
            Step::Rule(rule) => assert_eq!(rule.action().name(), "refuse"),
            Step::Alias(alias, to) => assert!(!to.is_empty() && !to.contains(alias)),
            Step::Route(route) => assert!(route.leads.places().is_none_or(|(places, _)| places.login.is_none())),
            Step::Domain(_) | Step::CatchAll(..) | Step::Gateway(_) | Step::Setting(..) => {}
        }
    }
}
