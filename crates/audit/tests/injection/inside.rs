//! What the test's server tells of the audit's account.

use crate::house::{FORWARDING, Fault, Place, REFERENCE};
use crate::pages;
use mailward_audit::{Answered, Arrived, Canary, Digest, Held, Kept, Missed, TriedBan};
use mailward_core::Timestamp;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn missed<T>(what: &str) -> Result<T, Missed> {
    Err(Missed::NotReached(format!("{what} isn't told")))
}

impl Canary for Place {
    fn stranger(&self) -> Option<IpAddr> {
        Some(IpAddr::from([127, 9, 8, 7]))
    }

    fn arrived<'a>(&'a self, marker: &'a str) -> Answered<'a, Vec<Arrived>> {
        Box::pin(async move {
            let mail = self.mail.lock().unwrap();
            let ours = mail.iter().filter(|(of, ..)| of == marker);
            Ok(ours.map(|(_, folder, header)| Arrived { folder: folder.clone(), header: header.clone() }).collect())
        })
    }

    fn quarantined<'a>(&'a self, marker: &'a str) -> Answered<'a, Vec<Kept>> {
        Box::pin(async move {
            let kept = self.kept.lock().unwrap();
            let why = |why: &str| if self.does(Fault::RemembersNothing) { String::new() } else { why.to_owned() };
            Ok(kept.iter().filter(|(of, _)| of == marker).map(|(_, found)| Kept { why: why(found) }).collect())
        })
    }

    fn trace<'a>(&'a self, reference: &'a str) -> Answered<'a, String> {
        Box::pin(async move {
            let known = reference == REFERENCE && !self.does(Fault::RemembersNothing);
            Ok(if known { "nobody of this name".to_owned() } else { String::new() })
        })
    }

    fn log(&self, since: Timestamp) -> Answered<'_, Vec<u8>> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            if self.does(Fault::LogUnreadable) {
                return missed("the log");
            }
            let log = self.log.lock().unwrap();
            let since = since.text();
            let from = log.lines().position(|line| line.get(..24).is_some_and(|time| time >= since.as_str()));
            let lines: Vec<&str> = log.lines().skip(from.unwrap_or(usize::MAX)).collect();
            Ok(format!("{}\n", lines.join("\n")).into_bytes())
        })
    }

    fn bans(&self) -> Answered<'_, Vec<TriedBan>> {
        Box::pin(async move {
            if self.does(Fault::BansUnknown) {
                return missed("what bans do");
            }
            let acts = !self.does(Fault::BansIgnored);
            let (door, before) = ("imaps 127.0.0.1:993".to_owned(), "answered".to_owned());
            let banned = if acts { "nothing" } else { "ANSWERED" }.to_owned();
            Ok(vec![TriedBan { door, before, banned, acts: Some(acts) }])
        })
    }

    fn learned(&self) -> Answered<'_, (u64, u64)> {
        Box::pin(async move {
            if self.does(Fault::NoLearning) {
                return missed("what was learned");
            }
            Ok(*self.learned.lock().unwrap())
        })
    }

    fn sink(&self, port: u16, demands_tls: bool) -> Answered<'_, String> {
        Box::pin(async move {
            if self.does(Fault::NoSink) {
                return missed("a way elsewhere");
            }
            *self.sink.lock().unwrap() = Some((port, demands_tls));
            Ok("sink@mailward-audit.invalid".to_owned())
        })
    }

    fn forward(&self, port: u16) -> Answered<'_, String> {
        Box::pin(async move {
            if self.does(Fault::NoForwarding) {
                return missed("an address that forwards");
            }
            *self.sink.lock().unwrap() = Some((port, false));
            Ok(format!("{FORWARDING}@example.org"))
        })
    }

    fn hold<'a>(&'a self, marker: &'a str, held: Held) -> Answered<'a, bool> {
        Box::pin(async move {
            if held == Held::ForUsers && self.does(Fault::NothingForUsers) {
                return Ok(false);
            }
            if !self.does(Fault::HoldsNothing) {
                let why = if held == Held::ForVirus { "antivirus/audit" } else { "the audit has it kept" };
                self.mail.lock().unwrap().retain(|(of, ..)| of != marker);
                self.kept.lock().unwrap().push((marker.to_owned(), why.to_owned()));
            }
            Ok(true)
        })
    }

    fn release<'a>(&'a self, marker: &'a str) -> Answered<'a, bool> {
        Box::pin(async move {
            if self.does(Fault::ReleasesNothing) {
                return Ok(false);
            }
            self.let_go(marker);
            if !self.does(Fault::LogsNoRelease) {
                self.note("info quarantine.released quarantine=7 by=administrator");
            }
            Ok(true)
        })
    }

    fn digest(&self, lasts: Duration) -> Answered<'_, Option<Digest>> {
        Box::pin(async move { Ok((!self.does(Fault::NoDigest)).then(|| pages::digest(self, lasts))) })
    }

    fn forget(&self) -> Answered<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}
