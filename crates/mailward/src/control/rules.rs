//! Address rules: made, moved, removed, listed, and asked.

use super::desk::{Desk, shown};
use super::queue::Sender;
use crate::failure::Failure;
use mailward_core::event::Event;
use mailward_core::rule::{Action, Rule};
use mailward_core::{Address, Clock as _, Domain, Listener, SystemClock};
use mailward_gate::rules::{Client, KeptRule, Name, NewRule, Passed, Placed, RulePlace, Source};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::IpAddr;

/// What is to be done.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// Makes rules, one behind the other, all of them or none.
    Add {
        rules: Vec<Rule>,
        comment: String,
        place: RulePlace,
        /// Who asks, by their own word: it is a note for others who administer.
        by: String,
        /// Also what refuses everybody.
        force: bool,
    },
    /// Removes one.
    Remove { id: u32 },
    /// Moves one.
    Move { id: u32, place: RulePlace },
    /// All of them, those of the file and ours too.
    List,
    /// What the rules say, and why.
    Test(Question),
}

/// What is known of somebody.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// `None`: a Unix socket.
    pub(crate) address: Option<IpAddr>,
    pub(crate) listener: Listener,
    pub(crate) name: Named,
    /// `None`: not known yet.
    pub(crate) from: Option<Sender>,
    pub(crate) to: Option<Address>,
}

/// What is known of somebody's name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Named {
    /// Nothing yet.
    NotYet,
    /// That there is none.
    Not,
    /// That it can't be known.
    Failed,
    /// It.
    As(Domain),
}

/// A kept rule as it is told.
fn kept_shown(kept: &KeptRule) -> Value {
    json!({
        "source": "kept",
        "id": kept.id,
        "rule": kept.rule,
        "action": kept.rule.action().name(),
        "by": kept.by,
        "made": kept.made,
        "comment": kept.comment,
    })
}

fn placed_shown(placed: &Placed) -> Value {
    let (source, id) = match placed.source {
        Source::Kept(id) => ("kept", Some(usize::try_from(id).unwrap_or(usize::MAX))),
        Source::File(place) => ("rules.list", Some(place)),
        Source::RelayFrom => ("relay.from", None),
        Source::BuiltIn => ("built-in", None),
    };
    json!({ "source": source, "id": id, "rule": placed.rule, "action": placed.rule.action().name() })
}

impl Desk {
    /// Does it.
    pub(crate) async fn rules(&self, ask: Ask) -> Result<Value, Failure> {
        let rules = &self.rules;
        match ask {
            Ask::Add { rules: new, comment, place, by, force } => {
                if let Some(rule) = new.iter().find(|rule| rule.shuts_everybody_out() && !force) {
                    return Err(Failure::Refused(format!(
                        "{rule}: {REFUSES_EVERYBODY}; --force makes it all the same"
                    )));
                }
                let new = new.into_iter().map(|rule| NewRule { rule, comment: comment.clone() }).collect();
                let added = rules.add(new, place, &by, SystemClock.now()).await?;
                for kept in added.iter().take(RULES_TOLD) {
                    self.tell_rule("rule.added", kept);
                }
                Ok(json!({
                    "added": added.len(),
                    "first": added.first().map(kept_shown),
                    "hides": added.first().and_then(|kept| self.hidden_by(kept)),
                }))
            }
            Ask::Remove { id } => {
                let kept = rules.remove(id).await?;
                self.tell_rule("rule.removed", &kept);
                Ok(kept_shown(&kept))
            }
            Ask::Move { id, place } => {
                let kept = rules.move_to(id, place).await?;
                self.tell_rule("rule.moved", &kept);
                Ok(kept_shown(&kept))
            }
            Ask::List => {
                let kept = rules.list().await;
                let by_id: HashMap<u32, &KeptRule> = kept.iter().map(|kept| (kept.id, kept)).collect();
                let all = rules.book().all();
                shown(
                    all.iter()
                        .map(|placed| match placed.source {
                            Source::Kept(id) => by_id.get(&id).map_or_else(|| placed_shown(placed), |k| kept_shown(k)),
                            _ => placed_shown(placed),
                        })
                        .collect::<Vec<_>>(),
                )
            }
            Ask::Test(question) => Ok(self.test_rules(&question)),
        }
    }

    /// A rule before one that is about everybody whom it is about, so that it is never asked.
    fn hidden_by(&self, new: &KeptRule) -> Option<Value> {
        let alike = |other: &Rule| {
            other.who() == new.rule.who()
                && (other.at() == new.rule.at() || other.at().named().is_empty())
                && other.from().is_none_or(|from| Some(from) == new.rule.from())
                && other.to().is_none_or(|to| Some(to) == new.rule.to())
        };
        let all = self.rules.book().all();
        let before = all.iter().take_while(|placed| placed.source != Source::Kept(new.id));
        before.into_iter().find(|placed| alike(&placed.rule)).map(|placed| placed_shown(placed))
    }

    fn tell_rule(&self, name: &'static str, kept: &KeptRule) {
        if let Some(server) = &self.server {
            let event = Event::info(name).with("id", kept.id).with("rule", &kept.rule).with("by", &kept.by);
            server.events().emit(event.with("comment", &kept.comment));
        }
    }

    fn test_rules(&self, question: &Question) -> Value {
        let Question { address, listener, name, from, to } = question;
        let name = match name {
            Named::NotYet => Name::NotYetKnown,
            Named::Not => Name::None,
            Named::Failed => Name::Failed,
            Named::As(domain) => Name::Confirmed(domain),
        };
        let client = Client { ip: address.map(|ip| ip.to_canonical()), listener: *listener, name };
        let from = from.as_ref().map(|from| match from {
            Sender::Null => None,
            Sender::Address(address) => Some(address),
        });
        let explained = self.rules.book().explain(&client, from, to.as_ref());
        let passed: Vec<Value> = explained.passed.iter().map(passed_shown).collect();
        let treatment = &explained.treatment;
        json!({
            "address": client.ip,
            "listener": listener,
            "decided": treatment.is_decided(),
            "action": treatment.action().name(),
            "words": treatment.words(),
            "checked": treatment.is_checked(),
            "put_off": treatment.is_put_off(),
            "may_relay": treatment.may_relay(),
            "relays": matches!(treatment.action(), Action::Relay) && *listener == Listener::Smtp,
            "limits": {
                "connections": treatment.limits().connections,
                "recipients": treatment.limits().recipients,
                "messages": treatment.limits().messages,
            },
            "fits": explained.fits.as_deref().map(placed_shown),
            "passed": passed,
        })
    }
}

fn passed_shown(passed: &Passed) -> Value {
    let mut shown = placed_shown(&passed.placed);
    if let Some(members) = shown.as_object_mut() {
        let (may_fit, why) = match passed.why {
            Ok(miss) => (false, miss.to_string()),
            Err(missing) => (true, missing.to_string()),
        };
        members.insert("may_fit".to_owned(), may_fit.into());
        members.insert("why".to_owned(), why.into());
    }
    shown
}

/// What is said of such a rule.
pub(crate) const REFUSES_EVERYBODY: &str = "it refuses everybody at every door, users too, but for whom a rule before it \
     lets in: say which door (at smtp), or from or to whom";

/// Rules of one step that the log tells of, each on a line.
const RULES_TOLD: usize = 20;
