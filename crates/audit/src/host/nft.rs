//! The packet filter, as `nft -j list ruleset` says it.

use super::{Host, Missed, Program};
use serde_json::Value;

/// A chain at a hook.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chain {
    pub(crate) family: String,
    pub(crate) table: String,
    pub(crate) name: String,
    pub(crate) hook: String,
    pub(crate) policy: String,
    /// The statements of each of its rules, in their order.
    pub(crate) rules: Vec<Vec<Value>>,
}

/// The chains at hooks, and what was said.
pub(crate) fn ruleset(host: &Host) -> Result<(Vec<Chain>, Vec<u8>), Missed> {
    let said = host.ask(Program::NftRuleset)?;
    if said.code != 0 {
        let why = String::from_utf8_lossy(&said.err).trim().chars().take(200).collect();
        return Err(Missed::Odd(Program::NftRuleset.to_string(), why));
    }
    let chains = parse(&said.out).ok_or_else(|| {
        Missed::Odd(Program::NftRuleset.to_string(), "it said something that isn't a ruleset".to_owned())
    })?;
    Ok((chains, said.out))
}

/// `None`: that is no ruleset.
pub(crate) fn parse(json: &[u8]) -> Option<Vec<Chain>> {
    let whole: Value = serde_json::from_slice(json).ok()?;
    let things = whole.get("nftables")?.as_array()?;
    let text = |of: &Value, key: &str| of.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut chains: Vec<Chain> = things
        .iter()
        .filter_map(|thing| thing.get("chain"))
        .filter(|chain| chain.get("hook").is_some())
        .map(|chain| Chain {
            family: text(chain, "family"),
            table: text(chain, "table"),
            name: text(chain, "name"),
            hook: text(chain, "hook"),
            policy: text(chain, "policy"),
            rules: Vec::new(),
        })
        .collect();
    for rule in things.iter().filter_map(|thing| thing.get("rule")) {
        let (family, table, name) = (text(rule, "family"), text(rule, "table"), text(rule, "chain"));
        let is_of = |chain: &&mut Chain| chain.family == family && chain.table == table && chain.name == name;
        if let (Some(chain), Some(statements)) =
            (chains.iter_mut().find(is_of), rule.get("expr").and_then(Value::as_array))
        {
            chain.rules.push(statements.clone());
        }
    }
    Some(chains)
}

impl Chain {
    /// Whether what no rule takes is dropped: by the policy, or by a last rule for everything.
    pub(crate) fn drops_the_rest(&self) -> bool {
        let last = self
            .rules
            .last()
            .is_some_and(|rule| rule.iter().all(|statement| statement.get("match").is_none()) && refuses(rule));
        self.policy == "drop" || last
    }
}

/// Whether a rule ends with a refusal.
pub(crate) fn refuses(rule: &[Value]) -> bool {
    rule.iter().any(|statement| statement.get("drop").is_some() || statement.get("reject").is_some())
}

/// Whether a rule is about packets to this port.
pub(crate) fn is_to_port(rule: &[Value], port: u64) -> bool {
    rule.iter().filter_map(|statement| statement.get("match")).any(|one| {
        one.pointer("/left/payload/field").and_then(Value::as_str) == Some("dport")
            && one.get("op").and_then(Value::as_str) != Some("!=")
            && one.get("right").is_some_and(|right| holds(right, port))
    })
}

/// The user that a rule's packets come from, and whether it is about everybody else.
pub(crate) fn of_user(rule: &[Value]) -> Option<(String, bool)> {
    rule.iter().filter_map(|statement| statement.get("match")).find_map(|one| {
        if one.pointer("/left/meta/key").and_then(Value::as_str) != Some("skuid") {
            return None;
        }
        let right = one.get("right")?;
        let user = right.as_str().map(str::to_owned).or_else(|| right.as_u64().map(|uid| uid.to_string()))?;
        Some((user, one.get("op").and_then(Value::as_str) == Some("!=")))
    })
}

fn holds(right: &Value, port: u64) -> bool {
    match right {
        Value::Number(number) => number.as_u64() == Some(port),
        Value::Object(set) => {
            set.get("set").and_then(Value::as_array).is_some_and(|set| set.iter().any(|one| holds(one, port)))
        }
        _ => false,
    }
}
