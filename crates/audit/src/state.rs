//! What the server says of itself: facts, no judgement. The composition root fills them in, over the control socket where the
//! audit is another process than the server.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Facts of a running server. A field is `None` where the server couldn't tell; the control that needs it says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The version of the program that runs.
    pub version: Option<String>,
    /// Its process.
    pub pid: Option<u32>,
    /// The name it gives itself.
    pub name: Option<String>,
    /// Domains it receives mail for.
    pub domains: Vec<String>,
    /// Accounts, in lower case, and whether they are enabled; `None`: it doesn't say.
    pub accounts: Option<BTreeMap<String, bool>>,
    /// Keys that sign now, by domain.
    pub dkim: BTreeMap<String, Vec<DkimKey>>,
}

/// A key that signs mail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DkimKey {
    /// Its name below `_domainkey`.
    pub selector: String,
    /// What the DNS has to say there.
    pub value: String,
}
