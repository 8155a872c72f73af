//! Banned networks in the host's firewall: a table of our own, made anew as a whole with each change.

use mailward_core::Network;
use mailward_core::config::Config;
use mailward_core::limits::{FIREWALL_NETWORKS_MAX, FIREWALL_TIME};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::{Instant, timeout};

/// Where `nft` is; no search path is believed.
const PLACES: [&str; 3] = ["/usr/sbin/nft", "/sbin/nft", "/usr/local/sbin/nft"];
/// Before the table is made, and instead of it at the end: whether or not it is there, it isn't.
const WITHOUT: &str = "add table inet mailward\ndelete table inet mailward\n";

/// What is to be in it.
#[derive(Debug)]
pub(super) struct Wall {
    ports: BTreeSet<u16>,
    banned: BTreeMap<Network, Instant>,
}

impl Wall {
    /// Empty, in front of the doors that a configuration opens; `None` if there is to be none.
    pub(super) fn of(config: &Config) -> Option<Self> {
        let listen = &config.listen;
        let doors = [
            &listen.smtp,
            &listen.submission,
            &listen.submissions,
            &listen.imap,
            &listen.imaps,
            &listen.pop3,
            &listen.pop3s,
            &listen.lmtp,
        ];
        let ports = doors.into_iter().flatten().map(SocketAddr::port).collect();
        config.bans.firewall.then_some(Self { ports, banned: BTreeMap::new() })
    }

    /// Whether there was room for one more.
    pub(super) fn ban(&mut self, network: Network, until: Instant, now: Instant) -> bool {
        if self.banned.len() >= FIREWALL_NETWORKS_MAX && !self.banned.contains_key(&network) {
            self.banned.retain(|_, until| *until > now);
            if self.banned.len() >= FIREWALL_NETWORKS_MAX {
                return false;
            }
        }
        self.banned.insert(network, until);
        true
    }

    pub(super) fn unban(&mut self, network: &Network) {
        self.banned.remove(network);
    }

    /// The whole table, for one transaction; and when it has to be made anew, as a network's time is over in which others
    /// are banned for longer: a set holds no network within another.
    pub(super) fn script(&mut self, now: Instant) -> (String, Option<Instant>) {
        self.banned.retain(|_, until| *until > now);
        let (mut four, mut six) = (Vec::new(), Vec::new());
        let mut around: Option<(Network, Instant)> = None;
        let mut anew: Option<Instant> = None;
        // A network comes before all that are in it.
        for (network, until) in &self.banned {
            match around {
                Some((outer, over)) if outer.contains(network.first()) => {
                    if *until > over {
                        anew = Some(anew.map_or(over, |anew| anew.min(over)));
                    }
                    continue;
                }
                _ => around = Some((*network, *until)),
            }
            let left = until.saturating_duration_since(now).as_millis().div_ceil(1_000).max(1);
            let element = format!("{network} timeout {left}s");
            if network.first().is_ipv4() { four.push(element) } else { six.push(element) }
        }
        let ports: Vec<String> = self.ports.iter().map(ToString::to_string).collect();
        let mut script = String::from(WITHOUT);
        script.push_str("add table inet mailward\n");
        // Writing to a String can't fail.
        for (set, kind, address, elements) in
            [("banned4", "ipv4_addr", "ip", four), ("banned6", "ipv6_addr", "ip6", six)]
        {
            if set == "banned4" {
                script.push_str(
                    "add chain inet mailward input { type filter hook input priority -10; policy accept; }\n",
                );
            }
            let _infallible =
                writeln!(script, "add set inet mailward {set} {{ type {kind}; flags interval,timeout; }}");
            if !ports.is_empty() {
                let ports = ports.join(", ");
                let _infallible = writeln!(
                    script,
                    "add rule inet mailward input tcp dport {{ {ports} }} {address} saddr @{set} drop"
                );
            }
            if !elements.is_empty() {
                let elements = elements.join(", ");
                let _infallible = writeln!(script, "add element inet mailward {set} {{ {elements} }}");
            }
        }
        (script, anew)
    }
}

/// Takes the table out.
pub(super) async fn take_out() -> Result<(), String> {
    apply(WITHOUT).await
}

/// Has `nft` do all of a script, or nothing of it.
pub(super) async fn apply(script: &str) -> Result<(), String> {
    let program = PLACES.iter().find(|place| Path::new(place).exists());
    let program = program.ok_or("there is no nft on this host: install nftables")?;
    timeout(FIREWALL_TIME, run(program, script))
        .await
        .unwrap_or_else(|_| Err(format!("nft took longer than {} seconds", FIREWALL_TIME.as_secs())))
}

async fn run(program: &str, script: &str) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{program}: {e}");
    let mut child = Command::new(program)
        .args(["-f", "-"])
        .env_clear()
        .env("LANG", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let (input, errors) = (child.stdin.take(), child.stderr.take());
    let feed = async {
        if let Some(mut input) = input {
            let _unread = input.write_all(script.as_bytes()).await;
        }
    };
    let hear = async {
        let mut said = Vec::new();
        if let Some(errors) = errors {
            let _unheard = errors.take(1_024).read_to_end(&mut said).await;
        }
        String::from_utf8_lossy(&said).lines().next().unwrap_or_default().to_owned()
    };
    let ((), said, ended) = tokio::join!(feed, hear, child.wait());
    match ended.map_err(failed)? {
        status if status.success() => Ok(()),
        status if said.is_empty() => Err(format!("nft ended with {status}")),
        _ => Err(format!("nft: {said}")),
    }
}

/// For how long a ban that ends then still runs, seconds.
pub(super) fn until(now: Instant, seconds: u64) -> Instant {
    // Longer than any ban, and within what a clock can hold.
    now.checked_add(Duration::from_secs(seconds.min(400 * 86_400))).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn network(text: &str) -> Network {
        Network::parse_any(text).unwrap()
    }

    fn wall() -> Wall {
        Wall { ports: BTreeSet::from([25, 465]), banned: BTreeMap::new() }
    }

    #[test]
    fn the_table_is_made_as_a_whole_out_of_networks_and_seconds() {
        let (mut wall, now) = (wall(), Instant::now());
        assert!(wall.ban(network("192.0.2.9"), until(now, 60), now));
        assert!(wall.ban(network("2001:db8::/64"), until(now, 5), now));
        let (script, anew) = wall.script(now);
        assert_eq!(
            script,
            "add table inet mailward\n\
             delete table inet mailward\n\
             add table inet mailward\n\
             add chain inet mailward input { type filter hook input priority -10; policy accept; }\n\
             add set inet mailward banned4 { type ipv4_addr; flags interval,timeout; }\n\
             add rule inet mailward input tcp dport { 25, 465 } ip saddr @banned4 drop\n\
             add element inet mailward banned4 { 192.0.2.9/32 timeout 60s }\n\
             add set inet mailward banned6 { type ipv6_addr; flags interval,timeout; }\n\
             add rule inet mailward input tcp dport { 25, 465 } ip6 saddr @banned6 drop\n\
             add element inet mailward banned6 { 2001:db8::/64 timeout 5s }\n"
        );
        assert_eq!(anew, None);
        wall.unban(&network("192.0.2.9"));
        assert!(!wall.script(until(now, 6)).0.contains("element"), "one was taken out, of the other the time is over");
    }

    #[test]
    fn a_network_within_another_waits_until_that_one_s_time_is_over() {
        let (mut wall, now) = (wall(), Instant::now());
        wall.ban(network("192.0.2.9"), until(now, 60), now);
        wall.ban(network("192.0.2.8"), until(now, 3), now);
        wall.ban(network("192.0.2.0/24"), until(now, 5), now);
        let (script, anew) = wall.script(now);
        assert!(script.contains("{ 192.0.2.0/24 timeout 5s }"), "{script}");
        assert_eq!(anew, Some(until(now, 5)));
        let (script, anew) = wall.script(until(now, 5));
        assert!(script.contains("{ 192.0.2.9/32 timeout 55s }"), "{script}");
        assert_eq!(anew, None);
    }

    #[test]
    fn more_networks_than_the_set_holds_are_refused_until_some_are_over() {
        let (mut wall, now) = (wall(), Instant::now());
        for n in 0..u32::try_from(FIREWALL_NETWORKS_MAX).unwrap() {
            assert!(wall.ban(Network::host(std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).into()), until(now, 5), now));
        }
        assert!(!wall.ban(network("192.0.2.9"), until(now, 60), now));
        assert!(wall.ban(network("10.0.0.0"), until(now, 9), now), "one that is there is told anew");
        assert!(wall.ban(network("192.0.2.9"), until(now, 60), until(now, 6)));
    }

    proptest! {
        #[test]
        fn no_element_is_within_another(bans in proptest::collection::vec((any::<u16>(), 8u8..=32, 1u64..100), 0..40)) {
            let (mut wall, now) = (wall(), Instant::now());
            for (bits, prefix, seconds) in bans {
                let ip = std::net::Ipv4Addr::from_bits(u32::from(bits) << 16 | u32::from(bits));
                wall.ban(Network::of(ip.into(), prefix), until(now, seconds), now);
            }
            let (script, _) = wall.script(now);
            let words = script.split(['{', '}', ',']).filter_map(|word| word.trim().split_once(" timeout "));
            let all: Vec<Network> = words.map(|(word, _)| network(word)).collect();
            for (place, one) in all.iter().enumerate() {
                prop_assert!(all.iter().enumerate().all(|(other, two)| other == place || !one.contains(two.first())));
            }
            prop_assert!(wall.banned.keys().all(|banned| all.iter().any(|one| one.contains(banned.first()))));
        }
    }
}
