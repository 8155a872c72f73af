//! Rules for what messages hold: made, moved, removed, listed.

use super::desk::{Desk, shown};
use crate::failure::Failure;
use mailward_core::event::Event;
use mailward_core::{Clock as _, SystemClock};
use mailward_inspect::policy::{KeptContentRule, Placed, Rule, Source};
use mailward_store::kept::{KeptPlace, New};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashMap;

/// What is to be done.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// Makes rules, one behind the other, all of them or none.
    Add {
        rules: Vec<Rule>,
        comment: String,
        place: KeptPlace,
        /// Who asks, by their own word: it is a note for others who administer.
        by: String,
    },
    /// Removes one.
    Remove { id: u32 },
    /// Moves one.
    Move { id: u32, place: KeptPlace },
    /// Those that were made at run time, in their order; `all`: those of the file and ours too.
    List { all: bool },
}

/// Rules of one step that the log tells of, each on a line.
const RULES_TOLD: usize = 20;

fn kept_shown(kept: &KeptContentRule) -> Value {
    json!({
        "source": "kept",
        "id": kept.id,
        "rule": kept.rule,
        "action": kept.rule.action(),
        "expired": kept.rule.is_over(SystemClock.now()),
        "by": kept.by,
        "made": kept.made,
        "comment": kept.comment,
    })
}

/// A rule of the file, or ours, as it is told.
pub(crate) fn placed_shown(placed: &Placed) -> Value {
    let (source, id) = match placed.source {
        Source::Kept(id) => ("kept", usize::try_from(id).ok()),
        Source::File(place) => ("content.rules", Some(place)),
        Source::BuiltIn => ("built-in", None),
    };
    let expired = placed.rule.is_over(SystemClock.now());
    json!({ "source": source, "id": id, "rule": placed.rule, "action": placed.rule.action(), "expired": expired })
}

impl Desk {
    /// Does it.
    pub(crate) async fn content(&self, ask: Ask) -> Result<Value, Failure> {
        let content = &self.content;
        match ask {
            Ask::Add { rules, comment, place, by } => {
                let new = rules.into_iter().map(|rule| New { rule, comment: comment.clone() }).collect();
                let added = content.add(new, place, &by, SystemClock.now()).await?;
                for kept in added.iter().take(RULES_TOLD) {
                    self.tell_content_rule("content.added", kept);
                }
                Ok(json!({ "added": added.len(), "first": added.first().map(kept_shown) }))
            }
            Ask::Remove { id } => {
                let kept = content.remove(id).await?;
                self.tell_content_rule("content.removed", &kept);
                Ok(kept_shown(&kept))
            }
            Ask::Move { id, place } => {
                let kept = content.move_to(id, place).await?;
                self.tell_content_rule("content.moved", &kept);
                Ok(kept_shown(&kept))
            }
            Ask::List { all: false } => shown(content.list().await.iter().map(kept_shown).collect::<Vec<_>>()),
            Ask::List { all: true } => {
                let kept = content.list().await;
                let by_id: HashMap<u32, &KeptContentRule> = kept.iter().map(|kept| (kept.id, kept)).collect();
                let told = |placed: &Placed| match placed.source {
                    Source::Kept(id) => by_id.get(&id).map_or_else(|| placed_shown(placed), |kept| kept_shown(kept)),
                    _ => placed_shown(placed),
                };
                shown(content.book().all().iter().map(told).collect::<Vec<_>>())
            }
        }
    }

    fn tell_content_rule(&self, name: &'static str, kept: &KeptContentRule) {
        if let Some(server) = &self.server {
            let event = Event::info(name).with("id", kept.id).with("rule", &kept.rule).with("by", &kept.by);
            server.events().emit(event.with("comment", &kept.comment));
        }
    }
}
