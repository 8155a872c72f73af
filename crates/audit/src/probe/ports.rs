//! Which ports are looked at, and which of them are open.

use super::look::{PortSeen, PortState, plain};
use super::time::Until;
use crate::doors::Waiting;
use crate::knock::{KnockError, Wire};
use crate::scene::Protocol;
use futures_util::stream::{self, StreamExt as _};
use mailward_core::limits::{PROBE_PORTS_AT_ONCE, PROBE_PORTS_MAX};
use std::net::{IpAddr, SocketAddr};

/// What is looked for at a mail server's usual port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// A protocol of mail, or HTTPS.
    Door(Protocol),
    /// Plain HTTP.
    Http,
}

/// The usual ports of what is meant to be reached from outside.
pub const USUAL: [(u16, Speaks); 10] = [
    (25, Speaks::Door(Protocol::Smtp)),
    (80, Speaks::Http),
    (110, Speaks::Door(Protocol::Pop3)),
    (143, Speaks::Door(Protocol::Imap)),
    (443, Speaks::Door(Protocol::Https)),
    (465, Speaks::Door(Protocol::Submissions)),
    (587, Speaks::Door(Protocol::Submission)),
    (993, Speaks::Door(Protocol::Imaps)),
    (995, Speaks::Door(Protocol::Pop3s)),
    (4190, Speaks::Door(Protocol::ManageSieve)),
];

/// Ports of what is for this host, or for those who run it: nobody outside should reach them.
pub const INSIDE: [(u16, &str); 45] = [
    (23, "telnet"),
    (24, "LMTP"),
    (111, "rpcbind"),
    (139, "file shares (NetBIOS)"),
    (389, "LDAP"),
    (445, "file shares (SMB)"),
    (512, "remote commands (rexec)"),
    (513, "remote login (rlogin)"),
    (514, "remote shell (rsh)"),
    (783, "SpamAssassin"),
    (873, "rsync"),
    (953, "control of the name server"),
    (1433, "a database (SQL Server)"),
    (2049, "file shares (NFS)"),
    (2375, "control of containers"),
    (2376, "control of containers"),
    (2379, "etcd"),
    (3306, "a database (MySQL, MariaDB)"),
    (3310, "ClamAV"),
    (3389, "remote desktop"),
    (5432, "a database (PostgreSQL)"),
    (5601, "Kibana"),
    (5672, "a message broker"),
    (5900, "remote desktop (VNC)"),
    (5984, "a database (CouchDB)"),
    (6379, "a database (Redis)"),
    (6443, "control of a cluster"),
    (8000, "a web server beside the usual one"),
    (8080, "a web server beside the usual one"),
    (8443, "a web server beside the usual one"),
    (8891, "a milter"),
    (8953, "control of the resolver"),
    (9000, "administration"),
    (9090, "metrics or administration"),
    (9093, "alerts of metrics"),
    (9100, "metrics of the host"),
    (9154, "metrics of the mail server"),
    (9166, "metrics of the mail server"),
    (9200, "a database (Elasticsearch)"),
    (10000, "administration"),
    (10024, "a content filter"),
    (11211, "memcached"),
    (11334, "administration of the spam filter"),
    (15672, "administration of a message broker"),
    (27017, "a database (MongoDB)"),
];

/// One port that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// Where.
    pub number: u16,
    /// The usual port of what is looked for there; nothing for what shouldn't be open.
    pub role: Option<u16>,
}

impl Port {
    /// What is looked for there.
    pub fn speaks(self) -> Option<Speaks> {
        let role = self.role?;
        USUAL.iter().find(|(usual, _)| *usual == role).map(|(_, speaks)| *speaks)
    }

    /// What it is like at an address.
    fn seen(self, address: IpAddr, state: PortState, why: Option<String>) -> PortSeen {
        PortSeen { address, port: self.number, role: self.role, state, why }
    }

    /// What would be there, for people.
    pub fn inside(number: u16) -> &'static str {
        INSIDE.iter().find(|(port, _)| *port == number).map_or("something beside mail", |(_, says)| says)
    }
}

/// The usual ports and those that nobody should reach.
pub fn usual() -> Vec<Port> {
    let mail = USUAL.iter().map(|(number, _)| Port { number: *number, role: Some(*number) });
    mail.chain(INSIDE.iter().map(|(number, _)| Port { number: *number, role: None })).collect()
}

/// Reads `25=25025,993=20993,8080`. A usual port alone is looked at where it is; any other has no role.
///
/// # Errors
/// In words: what isn't understood, or more than `limits::PROBE_PORTS_MAX`.
pub fn parse(list: &str) -> Result<Vec<Port>, String> {
    let mut ports: Vec<Port> = Vec::new();
    for word in list.split(',').map(str::trim) {
        if ports.len() >= PROBE_PORTS_MAX {
            return Err(format!("there are more than {PROBE_PORTS_MAX} ports"));
        }
        let number = |text: &str| {
            let number = text.trim().parse::<u16>().ok().filter(|number| *number > 0);
            number.ok_or_else(|| format!("{:?} is no port: they are 1 to 65535", plain(text)))
        };
        let is_usual = |role: u16| USUAL.iter().any(|(usual, _)| *usual == role);
        let port = match word.split_once('=') {
            Some((role, at)) => {
                let role = number(role)?;
                if !is_usual(role) {
                    let known: Vec<String> = USUAL.iter().map(|(usual, _)| usual.to_string()).collect();
                    return Err(format!(
                        "{role} is no port of mail that something could stand for: {}",
                        known.join(", ")
                    ));
                }
                Port { number: number(at)?, role: Some(role) }
            }
            None => {
                let number = number(word)?;
                Port { number, role: Some(number).filter(|number| is_usual(*number)) }
            }
        };
        if ports.iter().any(|known| known.number == port.number) {
            return Err(format!("{} is named twice", port.number));
        }
        ports.push(port);
    }
    Ok(ports)
}

/// Tries every port of every address, `limits::PROBE_PORTS_AT_ONCE` at a time.
pub(super) async fn scan(addresses: &[IpAddr], ports: &[Port], until: Until) -> Vec<PortSeen> {
    let mut each: Vec<Waiting<'_, PortSeen>> = Vec::new();
    for address in addresses {
        for port in ports {
            each.push(Box::pin(async move {
                let seen = until.within(one(*address, *port)).await;
                seen.unwrap_or_else(|| port.seen(*address, PortState::Untried, Some(until.over())))
            }));
        }
    }
    some_at_once(each).await
}

async fn some_at_once<T>(each: Vec<Waiting<'_, T>>) -> Vec<T> {
    stream::iter(each).buffered(PROBE_PORTS_AT_ONCE).collect().await
}

async fn one(address: IpAddr, port: Port) -> PortSeen {
    let (state, why) = match Wire::connect(SocketAddr::new(address, port.number)).await {
        Ok(_) => (PortState::Open, None),
        Err(KnockError::Connect(why)) => (meaning(&why), Some(plain(&why))),
        Err(other) => (PortState::Unreachable, Some(plain(&other.to_string()))),
    };
    port.seen(address, state, why)
}

/// What the system's words mean.
fn meaning(why: &str) -> PortState {
    if why.contains("refused") {
        PortState::Closed
    } else if why.contains("not within") || why.contains("timed out") {
        PortState::Silent
    } else {
        PortState::Unreachable
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_list_maps_roles_to_ports_and_takes_others_as_they_are() {
        let ports = parse("25=25025, 993,8080").unwrap();
        let told: Vec<(u16, Option<u16>)> = ports.iter().map(|port| (port.number, port.role)).collect();
        assert_eq!(told, [(25025, Some(25)), (993, Some(993)), (8080, None)]);
        assert_eq!(ports[0].speaks(), Some(Speaks::Door(Protocol::Smtp)));
        assert_eq!(ports[2].speaks(), None);
    }

    #[test]
    fn what_is_no_port_is_named() {
        for (list, why) in [
            ("", "is no port"),
            ("0", "is no port"),
            ("65536", "is no port"),
            ("25=", "is no port"),
            ("26=25025", "26 is no port of mail"),
            ("25,25", "25 is named twice"),
            ("25=1,465=1", "1 is named twice"),
        ] {
            let said = parse(list).unwrap_err();
            assert!(said.contains(why), "{list}: {said}");
        }
        let many: Vec<String> = (1..=PROBE_PORTS_MAX + 1).map(|port| port.to_string()).collect();
        assert!(parse(&many.join(",")).unwrap_err().contains("more than"));
        assert_eq!(parse(&many[..PROBE_PORTS_MAX].join(",")).unwrap().len(), PROBE_PORTS_MAX);
    }

    #[test]
    fn no_usual_port_is_one_that_nobody_should_reach_and_none_is_listed_twice() {
        let mut numbers: Vec<u16> = usual().iter().map(|port| port.number).collect();
        let all = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), all);
        assert!(all <= PROBE_PORTS_MAX);
    }

    #[tokio::test]
    async fn no_more_ports_are_tried_at_once_than_the_limit() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static NOW: AtomicUsize = AtomicUsize::new(0);
        let mut each: Vec<Waiting<'_, usize>> = Vec::new();
        for _ in 0..PROBE_PORTS_AT_ONCE * 3 {
            each.push(Box::pin(async {
                let now = NOW.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::task::yield_now().await;
                NOW.fetch_sub(1, Ordering::SeqCst);
                now
            }));
        }
        let most = some_at_once(each).await.into_iter().max();
        assert_eq!(most, Some(PROBE_PORTS_AT_ONCE));
    }

    #[tokio::test]
    async fn open_and_closed_ports_are_told_apart() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap().port();
        let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = gone.local_addr().unwrap().port();
        drop(gone);
        let ports = [Port { number: open, role: Some(25) }, Port { number: closed, role: None }];
        let states = |seen: Vec<PortSeen>| seen.iter().map(|port| port.state).collect::<Vec<_>>();
        let at = ["127.0.0.1".parse().unwrap()];
        let (until, _) = Until::of(std::time::Duration::from_secs(60), false);
        assert_eq!(states(scan(&at, &ports, until).await), [PortState::Open, PortState::Closed]);
        let (over, _) = Until::of(std::time::Duration::ZERO, false);
        assert_eq!(states(scan(&at, &ports, over).await), [PortState::Untried; 2]);
    }

    proptest! {
        #[test]
        fn whatever_a_list_says_it_is_read_or_refused_in_words(list in ".{0,200}") {
            match parse(&list) {
                Ok(ports) => prop_assert!(!ports.is_empty() && ports.iter().all(|port| port.number > 0)),
                Err(why) => prop_assert!(!why.is_empty() && !why.chars().any(char::is_control)),
            }
        }
    }
}
