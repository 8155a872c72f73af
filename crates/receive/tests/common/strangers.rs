//! Strangers who come to a house, and what is known of them.

use super::dns::Facts;
use super::{House, Talk, Weighing};
use mailward_core::Listener;
use mailward_core::config::{self, ListKind, ListLine};
use mailward_gate::journal::{Asked, Found, What};
use mailward_gate::rules::{Rule, RuleBook};
use mailward_receive::Settings;
use mailward_tls::Wire;
use std::net::IpAddr;
use std::sync::Arc;

pub const MESSAGE: &str = "From: a@c.example\r\nSubject: hello\r\n\r\nbody\r\n";
/// An address without a name.
pub const NAMELESS: &str = "198.51.100.7";

pub fn settings(change: impl FnOnce(&mut config::Guard)) -> Settings {
    let mut guard = config::Guard { greeting_delay: 0, ..config::Guard::default() };
    change(&mut guard);
    Settings { guard, ..Settings::default() }
}

pub fn rules(lines: &[&str]) -> RuleBook {
    let lines: Vec<Rule> = lines.iter().map(|line| Rule::parse(line).unwrap()).collect();
    RuleBook::new(&lines, &[])
}

/// A house with a list that has the address without a name, which weighs `weight`.
pub async fn listing(weight: i32, settings: Settings, rules: RuleBook) -> (House, Arc<Facts>) {
    let mut weighing = Weighing::default();
    weighing.dns.make_list("bl.example");
    weighing.dns.list(NAMELESS, "bl.example");
    weighing.lists.hosts = vec![ListLine::parse(&format!("bl.example {weight}"), ListKind::Hosts).unwrap()];
    let dns = weighing.dns.clone();
    (House::weighing(settings, rules, weighing).await, dns)
}

pub async fn usual(settings: Settings) -> (House, Arc<Facts>) {
    let weighing = Weighing::default();
    let dns = weighing.dns.clone();
    (House::weighing(settings, RuleBook::default(), weighing).await, dns)
}

impl House {
    /// Somebody who connects and says nothing yet.
    pub fn knocks(&self, from: &str) -> Talk {
        let (ours, theirs) = tokio::io::duplex(256 * 1024);
        let ip: IpAddr = from.parse().unwrap();
        let task = self.serve(Wire::memory(theirs), Listener::Smtp, Some(ip));
        Talk::over(ours, task)
    }

    pub async fn greets(&self, from: &str, hello: &str) -> Talk {
        let mut talk = self.knocks(from);
        talk.expect("", 220).await;
        talk.expect(&format!("EHLO {hello}\r\n"), 250).await;
        talk
    }

    /// What the journal has under the reference in a reply.
    pub async fn traced(&self, reply: &str) -> Found {
        let reference = reply.trim_end().strip_suffix(')').unwrap().rsplit_once("(ref ").unwrap().1;
        let asked = Asked { what: What::parse(reference).unwrap(), put_off: false, since: None };
        let found = self.context.journal.as_ref().unwrap().find(&asked).await.unwrap();
        assert_eq!(found.entries.len(), 1, "{reply}");
        found
    }
}

/// RCPT for somebody in a transaction of its own.
pub async fn rcpt(talk: &mut Talk, from: &str, to: &str) -> String {
    talk.expect(&format!("MAIL FROM:<{from}>\r\n"), 250).await;
    let reply = talk.say(format!("RCPT TO:<{to}>\r\n")).await;
    talk.expect("RSET\r\n", 250).await;
    reply
}
