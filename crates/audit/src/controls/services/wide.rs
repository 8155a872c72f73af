//! Who may write to very many at once.

use super::injection::asked;
use crate::control::Control;
use crate::finding::Finding;
use crate::host::Missed;
use crate::inject::injected;
use crate::knock::Kind;
use crate::scene::Scene;
use std::collections::BTreeMap;

/// An alias that leads to so many mailboxes is one for everybody, or for a department.
const WIDE: usize = 10;

pub(in crate::controls) const WIDE_ALIASES: &[Control] = &[injected!(
    Services,
    "SVC-16",
    5,
    None,
    None,
    "Are addresses that lead to very many closed to strangers?",
    "One message to everybody@ is in every mailbox at once: a forged order, or a virus, needs no list of addresses.",
    "As a stranger, each alias that leads to ten mailboxes or more is named as a recipient; 5yz must be the answer. The audit's account must be taken. \
     Nothing is sent.",
    "A rule that refuses it to strangers: `mailward rules add any at smtp to everybody@DOMAIN refuse`; users hand in mail at other doors, and still may: docs/rules.md.",
    "lists of other servers that took mail of anybody: MailAD, Mailu, mailcow",
    |scene| wide(scene),
)];

fn aliases(scene: &Scene) -> Result<&BTreeMap<String, usize>, Missed> {
    let told = scene.state()?.aliases.as_ref();
    told.ok_or_else(|| Missed::NotReached("the server doesn't tell its aliases".to_owned()))
}

fn of_domain(domain: &str, scene: &Scene) -> Vec<String> {
    let Ok(aliases) = aliases(scene) else { return Vec::new() };
    let ours = aliases.iter().filter(|(_, mailboxes)| **mailboxes >= WIDE).map(|(address, _)| address);
    let is_of = |address: &&String| address.rsplit_once('@').is_some_and(|(_, of)| of.eq_ignore_ascii_case(domain));
    ours.filter(is_of).cloned().collect()
}

async fn wide(scene: &Scene) -> Finding {
    let any = match aliases(scene) {
        Ok(aliases) => aliases.values().any(|mailboxes| *mailboxes >= WIDE),
        Err(missed) => return missed.into(),
    };
    if !any {
        return Finding::not_applicable(format!("no alias leads to {WIDE} mailboxes or more"));
    }
    asked(scene, of_domain, Kind::No, "addresses that lead to very many are closed to strangers").await
}
