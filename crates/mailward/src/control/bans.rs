//! Bans, for administrators.

use super::desk::{Desk, shown};
use crate::compose::bans::try_doors;
use crate::failure::Failure;
use mailward_core::limits::BANS_PAGE;
use mailward_core::{Clock as _, Network, SystemClock};
use mailward_gate::bans::{Ban, BanError, BanTime, BanWish, BannedBy};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::time::Duration;

/// What is to be done about bans. Who is meant is an address, which stands for its host, or a network.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// Bans that run, of networks after one.
    List { after: Option<String> },
    /// Bans somebody.
    Add { who: String, time: Time, why: String, force: bool },
    /// Lifts a ban.
    Remove { who: String },
    /// What happens to an address.
    Show { address: IpAddr },
    /// Bans a spare address for a moment, and tries every door from there.
    Try,
}

/// How long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Time {
    /// As the configuration says.
    Usual,
    /// So long.
    Seconds(u64),
    /// For good.
    ForGood,
}

impl From<Time> for BanTime {
    fn from(time: Time) -> Self {
        match time {
            Time::Usual => BanTime::Usual,
            Time::Seconds(seconds) => BanTime::For(Duration::from_secs(seconds)),
            Time::ForGood => BanTime::ForGood,
        }
    }
}

/// Whom an administrator means: an address stands for its host, which in IPv6 is its /64.
pub(crate) fn whom(text: &str) -> Result<Network, Failure> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(Network::host(ip));
    }
    Network::parse_any(text).map_err(|e| Failure::Usage(e.to_string()))
}

fn told(ban: &Ban) -> Value {
    let now = SystemClock.now();
    json!({
        "network": ban.network.to_string(),
        "since": ban.since,
        "until": ban.until,
        "seconds_left": ban.until.map(|until| until.0.saturating_sub(now.0).saturating_add(999).div_euclid(1_000).max(0)),
        "by": ban.by.name(),
        "scope": ban.scope().name(),
        "why": ban.why,
        "times": ban.times,
        "forced": ban.forced,
        "stopped": ban.stopped,
    })
}

impl Desk {
    /// Does it.
    pub(super) async fn bans(&self, ask: Ask) -> Result<Value, Failure> {
        let bans = &self.bans;
        match ask {
            Ask::List { after } => {
                let after = after.as_deref().map(whom).transpose()?;
                Ok(bans.list(after.as_ref(), BANS_PAGE).iter().map(told).collect())
            }
            Ask::Add { who, time, why, force } => {
                let (network, by) = (whom(&who)?, BannedBy::Administrator);
                let ban = bans.add(BanWish { network, by, why, time: time.into(), force }).map_err(|error| {
                    let mend =
                        if matches!(error, BanError::Spared(..)) { "; --force does it all the same" } else { "" };
                    Failure::Refused(format!("{error}{mend}"))
                })?;
                bans.kept().await?;
                Ok(told(&ban))
            }
            Ask::Remove { who } => {
                let network = whom(&who)?;
                let lifted = bans.remove(&network);
                bans.kept().await?;
                lifted.as_ref().map(told).ok_or_else(|| {
                    let wider = bans.banned(network.first()).map(|ban| format!(", but {} is", ban.network));
                    Failure::Refused(format!("{network} isn't banned{}", wider.unwrap_or_default()))
                })
            }
            Ask::Show { address } => {
                let host = Network::host(address);
                Ok(json!({
                    "address": address,
                    "host": host.to_string(),
                    "ban": bans.banned(address).as_ref().map(told),
                    "never": bans.spared(&host),
                }))
            }
            Ask::Try => shown(try_doors(bans, self.server()?.doors()).await?),
        }
    }
}
