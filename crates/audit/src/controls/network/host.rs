//! What the host tells of its network.

use crate::area::Area;
use crate::control::{Check, Control};
use crate::finding::Finding;
use crate::host::reading::{
    Answer, Chain, Demands, Socket, accounts, base, listening, named, processes, ruleset, setting, tell,
};
use crate::host::{Missed, Program, Transport, nft};
use crate::scene::Scene;
use std::collections::BTreeSet;

const NETWORK: Control = base(Area::Network);

pub(in crate::controls) const HOST: &[Control] = &[
    Control {
        id: "NET-01",
        weight: 10,
        question: "Do only those sockets listen that ought to?",
        why: "Every open port that nobody needs is a program that nobody watches.",
        verified: "/proc/net/tcp, tcp6, udp and udp6 against the server's doors and the list of what else is allowed, with the process that \
                   holds each; sockets on loopback are left out.",
        mend: "Stop what isn't needed: systemctl disable --now UNIT. Allow what is, in the audit's list of sockets.",
        source: "Lynis NETW-3012",
        check: Check::Look(|scene| tell(only_doors_listen(scene))),
        ..NETWORK
    },
    Control {
        id: "NET-03",
        weight: 10,
        question: "Does the firewall drop what no rule lets in, for IPv4 and IPv6 alike?",
        why: "A service that is started by mistake is open to the world unless something stands before it; IPv6 is forgotten most often.",
        verified: "`nft -j list ruleset`: a chain at the hook input, with rules, that drops the rest, in inet or in both ip and ip6.",
        mend: "Write a table inet with `chain input { type filter hook input priority 0; policy drop; … }` into /etc/nftables.conf; systemctl enable --now nftables.",
        source: "Lynis FIRE-4508, FIRE-4536, FIRE-4540, FIRE-4590",
        check: Check::Look(|scene| tell(the_rest_is_dropped(scene))),
        ..NETWORK
    },
    Control {
        id: "NET-04",
        question: "Can nobody on this host but the mail server send mail to port 25 elsewhere?",
        why: "A web page or an account that was broken into sends its spam past the server, and the whole address is blocklisted for it.",
        verified: "`nft -j list ruleset`: a rule at the hook output refuses port 25 to everybody but the server's user (meta skuid).",
        mend: "Add to a chain at the hook output: tcp dport 25 meta skuid != the user of the server, then reject.",
        source: "M3AAWG on compromised hosts; practice of blocklists",
        check: Check::Look(|scene| tell(only_we_send(scene))),
        ..NETWORK
    },
    Control {
        id: "NET-05",
        question: "Does the kernel refuse forged and redirected packets?",
        why: "Otherwise others on the network can pretend to be elsewhere, or lead this host's traffic past themselves.",
        verified: "/proc/sys/net; of a host that doesn't run, what sysctl's files set.",
        mend: "Write the lines that are named, as `net.ipv4.conf.all.rp_filter = 1`, into /etc/sysctl.d/60-network.conf; sysctl --system.",
        source: "Lynis KRNL-6000",
        check: Check::Look(|scene| tell(network_is_strict(scene))),
        ..NETWORK
    },
    Control {
        id: "NET-06",
        weight: 2,
        question: "Does no interface listen to others' traffic?",
        why: "A card in promiscuous mode is how a broken-into host reads its neighbours' mail.",
        verified: "/sys/class/net/*/flags without IFF_PROMISC.",
        mend: "Find who asked for it (ip -d link), and: ip link set DEVICE promisc off.",
        source: "Lynis NETW-3015",
        check: Check::Look(|scene| tell(nobody_overhears(scene))),
        ..NETWORK
    },
    Control {
        id: "NET-18",
        question: "Is the host administered by another address than mail comes to?",
        why: "Who can reach the mail server could else try the administrators' doors as well.",
        verified: "Where ssh's server listens, against where the server's doors do.",
        mend: "In sshd_config: ListenAddress with an address of the administrators' network; bind the mail doors to theirs.",
        source: "ISO/IEC 27001 Annex A, segregation of networks; NIST SP 800-45, network infrastructure",
        check: Check::Look(|scene| tell(administrators_are_apart(scene))),
        ..NETWORK
    },
];

/// The sockets, as evidence.
pub(in crate::controls) fn shown(sockets: &[Socket]) -> String {
    sockets.iter().map(|socket| format!("{socket}\n")).collect()
}

/// The server's processes; `None`: the server doesn't run or doesn't say, so that only a name tells.
pub(in crate::controls) fn our_processes(scene: &Scene) -> Result<Option<BTreeSet<u32>>, Missed> {
    match scene.state.as_ref().and_then(|state| state.pid) {
        None => Ok(None),
        Some(pid) => Ok(Some(processes::family(&scene.host, pid)?.into_iter().map(|process| process.pid).collect())),
    }
}

/// Whether a socket is one of the server's own; `None`: its owner can't be seen.
pub(in crate::controls) fn is_ours(ours: Option<&BTreeSet<u32>>, socket: &Socket) -> Option<bool> {
    let owner = socket.owner?;
    Some(ours.map_or(socket.name == "mailward", |ours| ours.contains(&owner)))
}

fn only_doors_listen(scene: &Scene) -> Answer {
    let sockets = listening(&scene.host)?;
    let seen = shown(&sockets);
    scene.state()?;
    if scene.doors.is_empty() {
        return Err(Missed::NotReached("the server doesn't say at which doors it listens".to_owned()));
    }
    let ours = our_processes(scene)?;
    let allowed = &scene.host.ours_here().allowed;
    let (mut wrong, mut unseen) = (Vec::new(), 0_usize);
    for socket in sockets.iter().filter(|socket| !socket.is_inside()) {
        let port = socket.address.port();
        let is_door = socket.transport == Transport::Tcp && scene.doors.iter().any(|door| door.address.port() == port);
        match is_ours(ours.as_ref(), socket) {
            _ if allowed.contains(&(socket.transport, port)) => {}
            Some(true) if is_door => {}
            None if is_door => unseen = unseen.saturating_add(1),
            Some(false) if is_door => wrong.push(format!("{socket} has the port of one of our doors")),
            _ => wrong.push(format!("{socket} isn't in the list")),
        }
    }
    for door in &scene.doors {
        let is_there = sockets
            .iter()
            .any(|socket| socket.transport == Transport::Tcp && socket.address.port() == door.address.port());
        if !is_there {
            wrong.push(format!("nobody listens at the door {}", door.address));
        }
    }
    let finding = if !wrong.is_empty() {
        Finding::fail(named(&wrong))
    } else if unseen > 0 {
        Finding::not_tested(
            "whose the sockets are can't be seen without root's rights; run `mailward audit run` as root",
        )
    } else {
        Finding::pass("exactly the doors and what else is allowed listen")
    };
    Ok(finding.showing("/proc/net/tcp, tcp6, udp, udp6", seen))
}

fn the_rest_is_dropped(scene: &Scene) -> Answer {
    let (chains, said) = ruleset(&scene.host)?;
    let drops = |family: &str| {
        chains.iter().any(|chain: &Chain| {
            chain.hook == "input" && chain.family == family && !chain.rules.is_empty() && chain.drops_the_rest()
        })
    };
    let (both, v4, v6) = (drops("inet"), drops("ip"), drops("ip6"));
    let finding = match (both || v4, both || v6) {
        (true, true) => Finding::pass("what no rule lets in is dropped, for IPv4 and IPv6"),
        // Whoever wants in takes the open one.
        (true, false) => Finding::fail("IPv4 is filtered, IPv6 lets everything in"),
        (false, true) => Finding::fail("IPv6 is filtered, IPv4 lets everything in"),
        (false, false) => Finding::fail("no chain at the hook input drops what no rule lets in"),
    };
    Ok(finding.showing(Program::NftRuleset.to_string(), said))
}

fn only_we_send(scene: &Scene) -> Answer {
    let host = &scene.host;
    let (chains, said) = ruleset(host)?;
    let pid = scene.state()?.pid.ok_or_else(|| Missed::NotReached("the server doesn't say its process".to_owned()))?;
    let ours = processes::process(host, pid)?.and_then(|process| process.uid());
    let ours = ours.ok_or_else(|| Missed::NotReached("the server's user isn't known".to_owned()))?;
    let name = accounts(host)?.into_iter().find(|account| account.uid == ours).map(|account| account.name);
    let is_us = |user: &str| user == ours.to_string() || name.as_deref() == Some(user);
    let guards = |family: &str| {
        chains.iter().filter(|chain| chain.hook == "output" && chain.family == family).any(|chain| {
            let mut we_may = false;
            for rule in chain.rules.iter().filter(|rule| nft::is_to_port(rule, 25)) {
                match nft::of_user(rule) {
                    Some((user, false)) if is_us(&user) && !nft::refuses(rule) => we_may = true,
                    Some((user, true)) if nft::refuses(rule) => return is_us(&user),
                    None if nft::refuses(rule) => return we_may,
                    _ => {}
                }
            }
            false
        })
    };
    let (v4, v6) = (guards("inet") || guards("ip"), guards("inet") || guards("ip6"));
    let said_so = format!("only user {} may send to port 25 elsewhere", name.as_deref().unwrap_or("?"));
    let finding = match (v4, v6) {
        (true, true) => Finding::pass(said_so),
        (false, false) => Finding::fail("everybody on this host may send to port 25 elsewhere"),
        _ => Finding::fail(format!("{said_so}, but over one of IPv4 and IPv6 everybody may")),
    };
    Ok(finding.showing(Program::NftRuleset.to_string(), said))
}

/// A setting of the kernel, and the values that are good.
pub(in crate::controls) type Wanted = (&'static str, &'static [&'static str]);

const STRICT: [Wanted; 13] = [
    ("net.ipv4.conf.all.rp_filter", &["1", "2"]),
    ("net.ipv4.conf.all.accept_redirects", &["0"]),
    ("net.ipv4.conf.default.accept_redirects", &["0"]),
    ("net.ipv4.conf.all.send_redirects", &["0"]),
    ("net.ipv4.conf.all.accept_source_route", &["0"]),
    ("net.ipv4.conf.all.log_martians", &["1"]),
    ("net.ipv4.tcp_syncookies", &["1", "2"]),
    ("net.ipv4.ip_forward", &["0"]),
    ("net.ipv4.icmp_echo_ignore_broadcasts", &["1"]),
    ("net.ipv6.conf.all.accept_redirects", &["0"]),
    ("net.ipv6.conf.default.accept_redirects", &["0"]),
    ("net.ipv6.conf.all.accept_source_route", &["0", "-1"]),
    ("net.ipv6.conf.all.forwarding", &["0"]),
];

/// Settings of the kernel against what they should be. What isn't set at all isn't as it should be.
pub(in crate::controls) fn kernel(scene: &Scene, wanted: &[Wanted], good: &str) -> Answer {
    let mut demands = Demands::default();
    let mut shown = String::new();
    for (key, values) in wanted {
        let (value, from) = match setting(&scene.host, key)? {
            Some((value, from)) => (value, from),
            // Without IPv6 there is nothing to redirect.
            None if scene.host.is_running()
                && key.starts_with("net.ipv6.")
                && !scene.host.is_there("/proc/sys/net/ipv6")? =>
            {
                continue;
            }
            None => ("not set".to_owned(), "no file".to_owned()),
        };
        demands.ask(values.contains(&value.as_str()), format!("{key} is {value}, should be {}", values.join(" or ")));
        shown.push_str(&format!("{key} = {value} ({from})\n"));
    }
    demands.show("settings of the kernel", shown);
    Ok(demands.finding(good))
}

fn network_is_strict(scene: &Scene) -> Answer {
    kernel(scene, &STRICT, "forged and redirected packets are refused")
}

/// `IFF_PROMISC` of `linux/if.h`.
const PROMISCUOUS: u32 = 0x100;

fn nobody_overhears(scene: &Scene) -> Answer {
    let host = &scene.host;
    if !host.is_running() {
        return Err(Missed::NotRunning("/sys/class/net".to_owned()));
    }
    let mut demands = Demands::default();
    for name in host.list("/sys/class/net")? {
        let path = format!("/sys/class/net/{name}/flags");
        // A list of bonds is a file among the interfaces.
        let Some(text) = host.text_if_there(&path)? else { continue };
        let flags = text.trim().strip_prefix("0x").and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let flags = flags.ok_or_else(|| Missed::Odd(path.clone(), "no flags".to_owned()))?;
        demands.ask(flags & PROMISCUOUS == 0, format!("{name} listens to others' traffic"));
        demands.show(path, text);
    }
    if demands.is_empty() {
        return Err(Missed::Absent("an interface in /sys/class/net".to_owned()));
    }
    Ok(demands.finding_of_all("no interface listens to others' traffic"))
}

fn administrators_are_apart(scene: &Scene) -> Answer {
    let sockets = listening(&scene.host)?;
    if scene.doors.is_empty() {
        return Err(Missed::NotReached("the server doesn't say at which doors it listens".to_owned()));
    }
    let is_mail = |socket: &&Socket| {
        socket.transport == Transport::Tcp
            && scene.doors.iter().any(|door| door.address.port() == socket.address.port())
    };
    // sshd, or systemd for it.
    let is_ssh = |socket: &&Socket| {
        socket.transport == Transport::Tcp
            && !socket.is_inside()
            && (socket.name.starts_with("sshd") || socket.address.port() == 22)
    };
    let mail: Vec<&Socket> = sockets.iter().filter(is_mail).collect();
    let ssh: Vec<&Socket> = sockets.iter().filter(is_ssh).collect();
    let everywhere = |socket: &&&Socket| socket.address.ip().is_unspecified();
    let finding = if ssh.is_empty() {
        Finding::pass("no administrators' door listens on the network")
    } else if ssh.iter().any(|socket| everywhere(&socket)) {
        Finding::fail("ssh listens at every address, those that mail comes to as well")
    } else if ssh.iter().any(|ssh| mail.iter().any(|mail| mail.address.ip() == ssh.address.ip())) {
        Finding::fail("ssh listens at an address that mail comes to")
    } else if mail.iter().any(|socket| everywhere(&socket)) {
        Finding::of(1, 2, "ssh has an address of its own, but mail listens there as well")
    } else {
        Finding::pass("administrators and mail have addresses of their own")
    };
    Ok(finding.showing("/proc/net/tcp, tcp6", shown(&sockets)))
}
