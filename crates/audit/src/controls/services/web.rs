//! Pages: what a browser is told, and who may do what.

use crate::area::Area;
use crate::control::{Check, Control, Needs, Probe};
use crate::doors::{Looked, Seen, in_turn, made_so};
use crate::finding::Finding;
use crate::knock::{Asking, KnockError, Page, page};
use crate::scene::{Door, Protocol, Scene};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const PAGES: &[Protocol] = &[Protocol::Https];

/// What the questions of pages have in common.
const BASE: Control = Control { weight: 10, needs: Needs::Nothing, ..Control::of(Area::Services, Probe::Doors) };

pub(in crate::controls) const WEB: &[Control] = &[
    Control {
        id: "SVC-19",
        question: "Do pages tell browsers to keep everything foreign out of them?",
        why: "A page that may be framed, or in which a script of others runs, does what others want in the user's name.",
        verified: "Pages at the HTTPS door (the first, one of the quarantine, one that there isn't): Strict-Transport-Security for a year or more, a \
                   Content-Security-Policy that allows no script by default, nothing inline, and no frame around it, X-Content-Type-Options: \
                   nosniff, and every cookie Secure, HttpOnly and SameSite.",
        mend: made_so!("Mailward says all of that with every page"),
        source: "W3C Content Security Policy; RFC 6797; RFC 6265",
        check: Check::Ask(|scene| Box::pin(in_turn(scene, PAGES, no_pages, |_, door| fields(door)))),
        ..BASE
    },
    Control {
        id: "SVC-20",
        question: "Does nothing on a page come from what a request calls this host?",
        why: "A link for a new password that leads where an attacker said is sent to the user by your own server.",
        verified: "Pages at the HTTPS door with a foreign name in Host, X-Forwarded-Host and Forwarded, and in the request itself: it must be nowhere in \
                   the answer.",
        mend: "Set web.origin in mailward.toml and restart the server; links are made of it alone. If this fails, another program answers there: `ss -ltnp` names it.",
        source: "CVE-2025-25198",
        check: Check::Ask(|scene| Box::pin(in_turn(scene, PAGES, no_pages, |scene, door| named(scene, door)))),
        ..BASE
    },
    Control {
        id: "SVC-21",
        question: "Do pages for administrators, if there are any, turn everybody else away?",
        why: "A page that forgets to ask who is there gives the whole server to whoever guesses its address.",
        verified: "Ten addresses at which mail servers have pages for administrators, programs and figures are asked for at the HTTPS door by nobody, \
                   and by the audit's account, which is no administrator: 4yz each time.",
        mend: "Mailward has no such pages: `ss -ltnp` names what answers there.",
        source: "CVE-2026-40874",
        check: Check::Ask(|scene| Box::pin(in_turn(scene, PAGES, no_pages, |scene, door| turned_away(scene, door)))),
        ..BASE
    },
    Control {
        id: "SVC-22",
        question: "Is a form refused that another site sends?",
        why: "A user who is logged in opens a page elsewhere, and it presses buttons here in their name.",
        verified: "POST at the HTTPS door with Origin and Sec-Fetch-Site of another site is refused with 403, and isn't where they are this server's own. \
                   Nothing is changed: the address is nobody's.",
        mend: made_so!("Mailward compares Origin and Sec-Fetch-Site with web.origin (set it, then restart the server)"),
        source: "OWASP, cross-site request forgery; Fetch Metadata",
        check: Check::Ask(|scene| Box::pin(in_turn(scene, PAGES, no_pages, |scene, door| foreign(scene, door)))),
        ..BASE
    },
];

fn no_pages() -> Finding {
    Finding::not_applicable("the server has no door for pages")
}

/// Where nothing is, behind a part that a server may have.
const NOWHERE: [&str; 3] = ["/", "/quarantine/mailward-audit", "/mailward-audit-there-is-none"];

/// The host that pages are for: that of `web.origin`, or else what the door has to prove.
fn own_host(scene: &Scene, door: &Door) -> String {
    let origin = scene.state.as_ref().and_then(|state| state.settings.as_ref()?.text("web.origin").ok());
    let host = origin.as_deref().and_then(|origin| origin.split_once("://")).map(|(_, host)| host.to_owned());
    host.filter(|host| !host.is_empty()).unwrap_or_else(|| door.name.clone())
}

async fn get(door: &Door, host: &str, target: &str, fields: &str) -> Result<(Page, Vec<u8>), KnockError> {
    page(door, &Asking { method: "GET", target, host, fields, shown: None }).await
}

fn fields(door: &Door) -> Looked<'_> {
    Box::pin(async move {
        let (mut bad, mut said) = (Vec::new(), Vec::new());
        for target in NOWHERE {
            let (page, transcript) = get(door, &door.name, target, "").await?;
            bad.extend(faults(&page).into_iter().map(|fault| format!("{target}: {fault}")));
            said.extend(transcript);
        }
        Ok(Seen::unless(&bad, "every page keeps what is foreign out").showing(door.to_string(), said))
    })
}

/// A year, seconds.
const YEAR: u64 = 31_536_000;

/// What a page doesn't say that it should.
fn faults(page: &Page) -> Vec<String> {
    let mut bad = Vec::new();
    let lower = |name: &str| page.all(name).map(str::to_ascii_lowercase).collect::<Vec<_>>();
    let age = |value: &String| {
        let ages = value.split(';').filter_map(|part| part.trim().strip_prefix("max-age="));
        ages.filter_map(|age| age.trim_matches('"').parse::<u64>().ok()).next().unwrap_or(0)
    };
    if lower("strict-transport-security").iter().map(age).max().unwrap_or(0) < YEAR {
        bad.push("no Strict-Transport-Security for a year".to_owned());
    }
    if lower("x-content-type-options") != ["nosniff"] {
        bad.push("no X-Content-Type-Options: nosniff".to_owned());
    }
    let policies = lower("content-security-policy");
    let of = |policy: &String, name: &str| {
        policy.split(';').find_map(|one| {
            let (word, rest) = one.trim().split_once(' ').unwrap_or((one.trim(), ""));
            (word == name).then(|| rest.trim().to_owned())
        })
    };
    let closed = policies.iter().any(|policy| {
        let scripts = of(policy, "script-src").or_else(|| of(policy, "default-src"));
        scripts.is_some_and(|scripts| !scripts.contains("'unsafe-") && !scripts.split(' ').any(|source| source == "*"))
    });
    if !closed {
        bad.push("no Content-Security-Policy that keeps scripts out".to_owned());
    }
    if policies.iter().any(|policy| of(policy, "style-src").is_some_and(|styles| styles.contains("'unsafe-inline'"))) {
        bad.push("its Content-Security-Policy allows styles inline".to_owned());
    }
    if !policies.iter().any(|policy| of(policy, "frame-ancestors").as_deref() == Some("'none'")) {
        bad.push("others may frame it".to_owned());
    }
    for cookie in lower("set-cookie") {
        let parts: Vec<&str> = cookie.split(';').map(str::trim).collect();
        let has = |word: &str| parts.iter().skip(1).any(|part| part.split('=').next() == Some(word));
        let lax = parts.iter().any(|part| matches!(*part, "samesite=lax" | "samesite=strict"));
        if !(has("secure") && has("httponly") && lax) {
            let name = parts.first().and_then(|first| first.split('=').next()).unwrap_or_default();
            bad.push(format!("the cookie {} isn't Secure, HttpOnly and SameSite", name.escape_debug()));
        }
    }
    bad
}

/// A name that is nobody's here.
const FOREIGN: &str = "evil.mailward-audit.invalid";

fn named<'a>(scene: &'a Scene, door: &'a Door) -> Looked<'a> {
    Box::pin(async move {
        let own = own_host(scene, door);
        let whole = format!("https://{FOREIGN}/");
        let forwarded =
            format!("X-Forwarded-Host: {FOREIGN}\r\nX-Host: {FOREIGN}\r\nForwarded: host={FOREIGN};proto=https\r\n");
        let (mut bad, mut said) = (Vec::new(), Vec::new());
        for (what, host, target, fields) in [
            ("Host", FOREIGN, "/", ""),
            ("Host", FOREIGN, "/quarantine/mailward-audit", ""),
            ("X-Forwarded-Host", own.as_str(), "/", forwarded.as_str()),
            ("X-Forwarded-Host", own.as_str(), "/quarantine/mailward-audit", forwarded.as_str()),
            ("the request", own.as_str(), whole.as_str(), ""),
        ] {
            let (page, transcript) = get(door, host, target, fields).await?;
            if page.has(FOREIGN) {
                bad.push(format!("what stands in {what} is on the page {target}"));
            }
            said.extend(transcript);
        }
        Ok(Seen::unless(&bad, "a page never names what a request calls this host").showing(door.to_string(), said))
    })
}

/// Where mail servers have pages for administrators, programs and figures.
const FOR_OTHERS: [&str; 10] = [
    "/admin",
    "/admin/",
    "/api/v1/users",
    "/api/v1/get/mailbox/all",
    "/api/principal",
    "/metrics",
    "/config",
    "/control",
    "/rspamd/",
    "/.env",
];

fn turned_away<'a>(scene: &'a Scene, door: &'a Door) -> Looked<'a> {
    Box::pin(async move {
        let host = own_host(scene, door);
        let login = scene.canary.as_ref().map(|account| {
            let mut pair = format!("{}:", account.address).into_bytes();
            pair.extend_from_slice(account.password.expose());
            format!("Authorization: Basic {}\r\n", STANDARD.encode(pair))
        });
        let (mut bad, mut said) = (Vec::new(), Vec::new());
        for target in FOR_OTHERS {
            for (who, fields) in [("nobody", Some("")), ("a user who is no administrator", login.as_deref())] {
                let Some(fields) = fields else { continue };
                let shown = (!fields.is_empty()).then_some("Authorization: (the audit's account)\r\n");
                let asking = Asking { method: "GET", target, host: &host, fields, shown };
                let (page, transcript) = page(door, &asking).await?;
                if !(400..500).contains(&page.status) {
                    bad.push(format!("{target} is answered to {who} with {}", page.status));
                    said.extend(transcript);
                }
            }
        }
        let good = match login {
            Some(_) => "nobody is let in, and no user",
            None => "nobody is let in (no user was tried: the audit has no account)",
        };
        Ok(Seen::unless(&bad, good)
            .showing(door.to_string(), if said.is_empty() { FOR_OTHERS.join("\n").into_bytes() } else { said }))
    })
}

fn foreign<'a>(scene: &'a Scene, door: &'a Door) -> Looked<'a> {
    const TARGET: &str = "/quarantine/mailward-audit/release";
    Box::pin(async move {
        let host = own_host(scene, door);
        let post = |fields: String| {
            let host = host.clone();
            async move {
                page(door, &Asking { method: "POST", target: TARGET, host: &host, fields: &fields, shown: None }).await
            }
        };
        let (own, mut said) = post(format!("Origin: https://{host}\r\nSec-Fetch-Site: same-origin\r\n")).await?;
        let mut bad = Vec::new();
        for (what, fields) in [
            ("Origin", format!("Origin: https://{FOREIGN}\r\n")),
            ("Sec-Fetch-Site", format!("Origin: https://{host}\r\nSec-Fetch-Site: cross-site\r\n")),
        ] {
            let (page, transcript) = post(fields).await?;
            said.extend(transcript);
            if page.status != 403 {
                bad.push(format!("a form whose {what} is another site's is answered with {}", page.status));
            }
        }
        let seen = if !bad.is_empty() {
            Seen::bad(bad.join("; "))
        } else if own.status == 403 {
            Seen::unknown("every form is refused, also this server's own")
        } else {
            Seen::good("a form of another site is refused")
        };
        Ok(seen.showing(door.to_string(), said))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_field_breaks_the_judging(name in "(set-cookie|content-security-policy|strict-transport-security)", value in "[ -~é;='*-]{0,60}") {
            let page = Page { status: 200, fields: vec![(name, value)], content: Vec::new() };
            prop_assert!(!faults(&page).is_empty());
        }
    }
}
