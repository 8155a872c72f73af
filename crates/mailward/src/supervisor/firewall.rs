//! Banned networks in the host's firewall: a table of our own, made anew as a whole with each change.

use super::Ports;
use mailward_core::config::Config;
use mailward_core::limits::{BANS_MAX, FIREWALL_NETWORKS_MAX, FIREWALL_TIME};
use mailward_core::{Listener, Network};
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

/// What begins a connection, and nothing else: an open session of others behind the same address goes on. Where open sessions
/// of a network are to end, the server ends them, and what it sends last must be heard.
const BEGINS: &str = "tcp flags & (fin | syn | rst | ack) == syn";

/// A ban.
#[derive(Clone, Copy, Debug)]
struct Banned {
    until: Instant,
    at: Ports,
}

/// What is to be in it.
#[derive(Debug)]
pub(super) struct Wall {
    all: BTreeSet<u16>,
    logins: BTreeSet<u16>,
    banned: BTreeMap<Network, Banned>,
}

/// What is to be done for a wall.
#[derive(Debug)]
pub(super) struct Work {
    /// The whole table, for one transaction.
    pub(super) script: String,
    /// When it has to be made anew, as a network's time is over in which others are banned for longer: a set holds no network
    /// within another.
    pub(super) anew: Option<Instant>,
    /// Networks that it doesn't hold.
    pub(super) beyond: usize,
}

impl Wall {
    /// Empty, in front of the doors that a configuration opens; `None` if there is to be none.
    pub(super) fn of(config: &Config) -> Option<Self> {
        let ports = |logins: bool| -> BTreeSet<u16> {
            let doors = Listener::ALL.into_iter().filter(|listener| listener.has_logins() == logins);
            doors.flat_map(|listener| config.listen.get(listener)).map(SocketAddr::port).collect()
        };
        let (others, mut logins) = (ports(false), ports(true));
        let all = others.union(&logins).copied().collect();
        // A port that is both, at two addresses, must take mail.
        logins.retain(|port| !others.contains(port));
        config.bans.firewall.then_some(Self { all, logins, banned: BTreeMap::new() })
    }

    /// One more. Of more than there can be bans, the one that ends first goes.
    pub(super) fn ban(&mut self, network: Network, at: Ports, until: Instant, now: Instant) {
        if self.banned.len() >= BANS_MAX && !self.banned.contains_key(&network) {
            self.banned.retain(|_, banned| banned.until > now);
            if self.banned.len() >= BANS_MAX
                && let Some((first, _)) = self.banned.iter().min_by_key(|(_, banned)| banned.until)
            {
                let first = *first;
                self.banned.remove(&first);
            }
        }
        self.banned.insert(network, Banned { until, at });
    }

    pub(super) fn unban(&mut self, network: &Network) {
        self.banned.remove(network);
    }

    /// Those of a kind that stand in no other of it, and when one has to come in that does.
    fn outermost(&self, at: Ports) -> (Vec<(Network, Banned)>, Option<Instant>) {
        let mut outermost: Vec<(Network, Banned)> = Vec::new();
        let mut anew: Option<Instant> = None;
        // A network comes before all that are in it.
        for (network, banned) in self.banned.iter().filter(|(_, banned)| banned.at == at) {
            match outermost.last() {
                Some((outer, over)) if outer.contains(network.first()) => {
                    if banned.until > over.until {
                        anew = Some(anew.map_or(over.until, |anew| anew.min(over.until)));
                    }
                }
                _ => outermost.push((*network, *banned)),
            }
        }
        (outermost, anew)
    }

    /// What is to be done for it as it is now.
    pub(super) fn work(&mut self, now: Instant) -> Work {
        self.banned.retain(|_, banned| banned.until > now);
        let ((mut held, first), (logins, second)) = (self.outermost(Ports::All), self.outermost(Ports::Logins));
        held.extend(logins);
        let beyond = held.len().saturating_sub(FIREWALL_NETWORKS_MAX);
        if beyond > 0 {
            // Those that last longest stay in it; the others come in when these are over.
            held.sort_by_key(|(network, banned)| (std::cmp::Reverse(banned.until), *network));
            held.truncate(FIREWALL_NETWORKS_MAX);
        }
        let anew = [first, second].into_iter().flatten().min();
        Work { script: self.script(&held, now), anew, beyond }
    }

    fn script(&self, held: &[(Network, Banned)], now: Instant) -> String {
        let mut script = String::from(WITHOUT);
        script.push_str("add table inet mailward\n");
        script.push_str("add chain inet mailward input { type filter hook input priority -10; policy accept; }\n");
        let sets = [
            ("banned4", true, Ports::All),
            ("banned6", false, Ports::All),
            ("logins4", true, Ports::Logins),
            ("logins6", false, Ports::Logins),
        ];
        // Writing to a String can't fail.
        for (set, four, at) in sets {
            let (kind, address) = if four { ("ipv4_addr", "ip") } else { ("ipv6_addr", "ip6") };
            let _infallible =
                writeln!(script, "add set inet mailward {set} {{ type {kind}; flags interval,timeout; }}");
            let ports = match at {
                Ports::All => &self.all,
                Ports::Logins => &self.logins,
            };
            if !ports.is_empty() {
                let ports = ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                let _infallible = writeln!(
                    script,
                    "add rule inet mailward input tcp dport {{ {ports} }} {BEGINS} {address} saddr @{set} drop"
                );
            }
            let elements: Vec<String> = (held.iter())
                .filter(|(network, banned)| banned.at == at && network.first().is_ipv4() == four)
                .map(|(network, banned)| {
                    let left = banned.until.saturating_duration_since(now).as_millis().div_ceil(1_000).max(1);
                    format!("{network} timeout {left}s")
                })
                .collect();
            if !elements.is_empty() {
                let elements = elements.join(", ");
                let _infallible = writeln!(script, "add element inet mailward {set} {{ {elements} }}");
            }
        }
        script
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
        Wall { all: BTreeSet::from([25, 465]), logins: BTreeSet::from([465]), banned: BTreeMap::new() }
    }

    #[test]
    fn the_table_is_made_as_a_whole_out_of_networks_and_seconds_and_stops_what_begins() {
        let (mut wall, now) = (wall(), Instant::now());
        wall.ban(network("192.0.2.9"), Ports::All, until(now, 60), now);
        wall.ban(network("2001:db8::/64"), Ports::Logins, until(now, 5), now);
        let work = wall.work(now);
        assert_eq!(
            work.script,
            "add table inet mailward\n\
             delete table inet mailward\n\
             add table inet mailward\n\
             add chain inet mailward input { type filter hook input priority -10; policy accept; }\n\
             add set inet mailward banned4 { type ipv4_addr; flags interval,timeout; }\n\
             add rule inet mailward input tcp dport { 25, 465 } tcp flags & (fin | syn | rst | ack) == syn \
             ip saddr @banned4 drop\n\
             add element inet mailward banned4 { 192.0.2.9/32 timeout 60s }\n\
             add set inet mailward banned6 { type ipv6_addr; flags interval,timeout; }\n\
             add rule inet mailward input tcp dport { 25, 465 } tcp flags & (fin | syn | rst | ack) == syn \
             ip6 saddr @banned6 drop\n\
             add set inet mailward logins4 { type ipv4_addr; flags interval,timeout; }\n\
             add rule inet mailward input tcp dport { 465 } tcp flags & (fin | syn | rst | ack) == syn \
             ip saddr @logins4 drop\n\
             add set inet mailward logins6 { type ipv6_addr; flags interval,timeout; }\n\
             add rule inet mailward input tcp dport { 465 } tcp flags & (fin | syn | rst | ack) == syn \
             ip6 saddr @logins6 drop\n\
             add element inet mailward logins6 { 2001:db8::/64 timeout 5s }\n"
        );
        assert_eq!((work.anew, work.beyond), (None, 0));
        wall.unban(&network("192.0.2.9"));
        let script = wall.work(until(now, 6)).script;
        assert!(!script.contains("element"), "one was taken out, of the other the time is over");
    }

    #[test]
    fn ports_with_logins_are_those_where_nobody_hands_in_mail_without() {
        let text = "[listen]\nsmtp = [\"127.0.0.1:25\"]\nsubmission = [\"127.0.0.1:587\", \"127.0.0.2:25\"]\n\
                    imaps = [\"127.0.0.1:993\"]\n[bans]\nfirewall = true\n";
        let wall = Wall::of(&Config::parse(text, "m.toml").unwrap().config).unwrap();
        assert!(wall.all.is_superset(&BTreeSet::from([25, 587, 993])), "{wall:?}");
        assert!(wall.logins.contains(&587) && wall.logins.contains(&993) && !wall.logins.contains(&25), "{wall:?}");
    }

    #[test]
    fn a_network_within_another_waits_until_that_one_s_time_is_over() {
        let (mut wall, now) = (wall(), Instant::now());
        wall.ban(network("192.0.2.9"), Ports::All, until(now, 60), now);
        wall.ban(network("192.0.2.8"), Ports::All, until(now, 3), now);
        wall.ban(network("192.0.2.0/24"), Ports::All, until(now, 5), now);
        let work = wall.work(now);
        assert!(work.script.contains("{ 192.0.2.0/24 timeout 5s }"), "{}", work.script);
        assert_eq!(work.anew, Some(until(now, 5)));
        let work = wall.work(until(now, 5));
        assert!(work.script.contains("{ 192.0.2.9/32 timeout 55s }"), "{}", work.script);
        assert_eq!(work.anew, None);
    }

    #[test]
    fn one_that_may_not_log_in_hides_none_that_may_not_come_at_all() {
        let (mut wall, now) = (wall(), Instant::now());
        wall.ban(network("192.0.2.0/24"), Ports::Logins, until(now, 60), now);
        wall.ban(network("192.0.2.9"), Ports::All, until(now, 60), now);
        let script = wall.work(now).script;
        assert!(script.contains("banned4 { 192.0.2.9/32 t") && script.contains("logins4 { 192.0.2.0/24 t"), "{script}");
        // It is told anew, as something else.
        wall.ban(network("192.0.2.9"), Ports::Logins, until(now, 60), now);
        assert!(!wall.work(now).script.contains("192.0.2.9"));
    }

    fn host(n: usize) -> Network {
        Network::host(std::net::Ipv4Addr::from_bits(0x0a00_0000 + u32::try_from(n).unwrap()).into())
    }

    #[test]
    fn more_networks_than_the_set_holds_come_in_when_others_are_over() {
        let (mut wall, now) = (wall(), Instant::now());
        for n in 0..FIREWALL_NETWORKS_MAX {
            wall.ban(host(n), Ports::All, until(now, if n == 7 { 5 } else { 60 }), now);
        }
        assert_eq!(wall.work(now).beyond, 0);
        wall.ban(network("192.0.2.9"), Ports::Logins, until(now, 90), now);
        let work = wall.work(now);
        assert_eq!(work.beyond, 1);
        assert!(work.script.contains("192.0.2.9/32") && !work.script.contains("10.0.0.7/32"), "who is banned longest");
        wall.ban(network("192.0.2.10"), Ports::All, until(now, 7), now);
        assert_eq!(wall.work(now).beyond, 2);
        wall.unban(&host(9));
        let work = wall.work(until(now, 6));
        assert!(work.beyond == 0 && work.script.contains("192.0.2.10/32"), "nobody has to tell it anew");
    }

    #[test]
    fn no_more_is_kept_than_there_can_be_bans() {
        let (mut wall, now) = (wall(), Instant::now());
        for n in 0..BANS_MAX {
            wall.ban(host(n), Ports::All, until(now, if n == 7 { 5 } else { 60 }), now);
        }
        wall.ban(network("192.0.2.9"), Ports::All, until(now, 90), now);
        assert_eq!(wall.banned.len(), BANS_MAX);
        assert!(wall.banned.contains_key(&network("192.0.2.9")) && !wall.banned.contains_key(&host(7)));
    }

    proptest! {
        #[test]
        fn no_element_is_within_another(bans in proptest::collection::vec((any::<u16>(), 8u8..=32, 1u64..100), 0..40)) {
            let (mut wall, now) = (wall(), Instant::now());
            for (bits, prefix, seconds) in bans {
                let ip = std::net::Ipv4Addr::from_bits(u32::from(bits) << 16 | u32::from(bits));
                wall.ban(Network::of(ip.into(), prefix), Ports::All, until(now, seconds), now);
            }
            let script = wall.work(now).script;
            let words = script.split(['{', '}', ',']).filter_map(|word| word.trim().split_once(" timeout "));
            let all: Vec<Network> = words.map(|(word, _)| network(word)).collect();
            for (place, one) in all.iter().enumerate() {
                prop_assert!(all.iter().enumerate().all(|(other, two)| other == place || !one.contains(two.first())));
            }
            prop_assert!(wall.banned.keys().all(|banned| all.iter().any(|one| one.contains(banned.first()))));
        }
    }
}
