//! Alerts: what was told, when, by which way, and a trial of every way.

use super::desk::{Desk, shown};
use crate::failure::Failure;
use mailward_alert::{Topic, WayState, told};
use mailward_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What is to be done.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// Everything that is remembered.
    List,
    /// A trial by every way.
    Test,
}

fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(Timestamp::text)
}

fn topic_shown((key, topic): &(String, Topic)) -> Value {
    let fields: serde_json::Map<String, Value> =
        topic.fields.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    json!({
        "key": key,
        "event": topic.name,
        "over": !topic.on,
        "first": topic.first.text(),
        "last": topic.last.text(),
        "count": topic.count,
        "told": time(topic.told),
        "untold": topic.untold,
        "fields": fields,
    })
}

fn way_shown(name: &str, state: Option<&WayState>, leads_to: Option<&str>) -> Value {
    let state = state.cloned().unwrap_or_default();
    json!({
        "way": name,
        "to": leads_to,
        "told": time(state.told),
        "failing_since": time(state.failing),
        "why": state.why,
        "given_up": state.given_up,
    })
}

impl Desk {
    /// Does it.
    pub(super) async fn alerts(&self, ask: Ask) -> Result<Value, Failure> {
        match ask {
            Ask::List => {
                let told = told(&*self.store).await?;
                let mut topics = told.topics;
                topics.sort_by_key(|(_, topic)| std::cmp::Reverse(topic.last));
                let state = |name: &str| told.ways.iter().find(|(known, _)| known == name).map(|(_, state)| state);
                let ways: Vec<Value> = match &self.alerts {
                    Some(alerts) => {
                        let all = alerts.ways();
                        all.iter().map(|(name, leads_to)| way_shown(name, state(name), Some(leads_to))).collect()
                    }
                    None => told.ways.iter().map(|(name, state)| way_shown(name, Some(state), None)).collect(),
                };
                let waiting = told.waiting.iter().map(|(message, ways)| {
                    json!({ "message": message.id, "made": message.made.text(), "title": message.title(), "ways": ways })
                });
                Ok(json!({
                    "alerts": topics.iter().map(topic_shown).collect::<Vec<_>>(),
                    "ways": ways,
                    "waiting": waiting.collect::<Vec<_>>(),
                }))
            }
            Ask::Test => {
                let alerts = self.alerts.as_ref().ok_or_else(|| {
                    Failure::NoServer(
                        "no server runs here; alerts go by its ways, so it is them that are tried".to_owned(),
                    )
                })?;
                shown(alerts.test().await)
            }
        }
    }
}
