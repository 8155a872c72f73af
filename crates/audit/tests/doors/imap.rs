//! IMAP, as the test's server speaks it.

use crate::house::{CANARY, Fault, PASSWORD, Place, start_tls};
use crate::session::Session;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailward_audit::Protocol;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub(crate) async fn serve(mut session: Session, place: &Place) {
    let ended = place.broken.notified();
    let session = talk(&mut session, place);
    tokio::select! {
        () = session => {}
        () = ended, if place.does(Fault::BrokenLoginEndsAll) => {}
    }
}

async fn talk(session: &mut Session, place: &Place) {
    let has = |fault| place.does(fault);
    let begins = if has(Fault::Preauth) && place.protocol == Protocol::Imap { "PREAUTH" } else { "OK" };
    session.say(&format!("* {begins} {}ready", if has(Fault::Version) { "Dovecot-2.3.19 " } else { "" })).await;
    let (mut errors, mut known) = (0, false);
    let most = if has(Fault::LongLinesHeld) { usize::MAX } else { 8_000 };
    while let Some(line) = session.line_bytes(most).await {
        let Some((text, too_many)) = whole(session, line, known, place).await else { return };
        let mut words = text.splitn(3, ' ');
        let tag = words.next().unwrap_or_default().to_owned();
        let verb = words.next().unwrap_or_default().to_ascii_uppercase();
        let rest = words.next().unwrap_or_default().to_owned();
        if too_many {
            session.say(&format!("{tag} NO [TOOBIG] too much")).await;
            continue;
        }
        let reply = match verb.as_str() {
            "CAPABILITY" => {
                let features = features(session.is_tls(), known, place);
                session.say(&format!("* CAPABILITY {features}")).await;
                "OK done".to_owned()
            }
            "STARTTLS" if !session.is_tls() => {
                let injected = !session.pending.is_empty();
                if injected && !has(Fault::InjectsUnderTls) {
                    session.say("* BYE nothing may follow").await;
                    return;
                }
                session.say(&format!("{tag} OK begin")).await;
                if !start_tls(session, place).await {
                    return;
                }
                continue;
            }
            "LOGIN" if !session.is_tls() && !has(Fault::LoginInClear) => "NO [PRIVACYREQUIRED] no".to_owned(),
            "LOGIN" => {
                known = rest == format!("\"{CANARY}\" \"{PASSWORD}\"");
                if known { "OK in".to_owned() } else { refusal(&rest, place).await }
            }
            "AUTHENTICATE" if !session.is_tls() && !has(Fault::LoginInClear) => "NO no".to_owned(),
            "AUTHENTICATE" if rest == "SCRAM-SHA-256-PLUS" => match bound(session, place).await {
                Some(true) => "OK in".to_owned(),
                Some(false) => "NO [AUTHENTICATIONFAILED] no".to_owned(),
                None => return,
            },
            "AUTHENTICATE" => {
                session.say("+ ").await;
                let Some(answer) = session.line(20_000).await else { return };
                if STANDARD.decode(&answer).is_err() {
                    place.broken.notify_waiters();
                    "BAD that isn't base64".to_owned()
                } else {
                    "NO no".to_owned()
                }
            }
            "ID" if has(Fault::Version) => {
                session.say("* ID (\"version\" \"2.3.19\")").await;
                "OK done".to_owned()
            }
            "ID" | "NOOP" => "OK done".to_owned(),
            "LOGOUT" => {
                session.say("* BYE bye").await;
                session.say(&format!("{tag} OK bye")).await;
                return;
            }
            "LIST" if rest == "\"\" \"*\"" => {
                session.say("* LIST () \"/\" INBOX").await;
                if has(Fault::ListsOthers) {
                    session.say("* LIST () \"/\" \"Shared/bob@example.org/INBOX\"").await;
                }
                if has(Fault::NoList) { "NO" } else { "OK done" }.to_owned()
            }
            "GETACL" if known => {
                let anyone = if has(Fault::InboxOpen) { " anyone lr" } else { "" };
                session.say(&format!("* ACL INBOX canary lrs{anyone}")).await;
                "OK done".to_owned()
            }
            "SETACL" if known => if has(Fault::AnyoneMay) { "OK done" } else { "NO nobody is called so" }.to_owned(),
            "DELETEACL" if known => "OK done".to_owned(),
            "LIST" if has(Fault::BracketsTaken) => "OK done".to_owned(),
            "SEARCH" | "EXAMINE" | "DELETE" if known => "OK done".to_owned(),
            "CREATE" | "SELECT" if known => {
                let bad = ["..", "/etc", "&AC8-", "\0", "a/a/a"].iter().any(|part| rest.contains(part));
                let others = rest.contains("bob") && !has(Fault::OpensOthers);
                if others || (bad && !has(Fault::PathsAsNames)) { "NO no such name" } else { "OK done" }.to_owned()
            }
            "COMPRESS" if known => {
                session.say(&format!("{tag} OK packed from here")).await;
                // One that unpacks whatever comes waits for the end of the line.
                while has(Fault::Unpacks) && session.more().await {}
                session.more().await;
                return;
            }
            _ => {
                errors += 1;
                if errors > 20 && !has(Fault::NonsenseForever) {
                    session.say("* BYE too many mistakes").await;
                    return;
                }
                "BAD no".to_owned()
            }
        };
        session.say(&format!("{tag} {reply}")).await;
    }
}

fn features(is_tls: bool, known: bool, place: &Place) -> String {
    let has = |fault| place.does(fault);
    let mut all = vec!["IMAP4rev1"];
    if known {
        all.extend(["COMPRESS=DEFLATE", "APPENDLIMIT=1000000", "LITERAL+"]);
        return all.join(" ");
    }
    if !is_tls && !has(Fault::NoStartTls) {
        all.push("STARTTLS");
    }
    if !is_tls && !has(Fault::LoginInClear) || has(Fault::TellsOldFeatures) {
        all.push("LOGINDISABLED");
    }
    if is_tls || has(Fault::LoginInClear) {
        all.push("AUTH=PLAIN");
    }
    if is_tls && !has(Fault::NoScram) {
        all.extend(["AUTH=SCRAM-SHA-256", "AUTH=SCRAM-SHA-256-PLUS"]);
    }
    if has(Fault::CramMd5) {
        all.push("AUTH=CRAM-MD5");
    }
    all.join(" ")
}

/// A command with its literals; whether there were too many. `None` at the end.
async fn whole(session: &mut Session, mut line: Vec<u8>, known: bool, place: &Place) -> Option<(String, bool)> {
    let (mut text, mut count, mut sum) = (Vec::new(), 0, 0);
    loop {
        let end = String::from_utf8_lossy(&line).into_owned();
        text.extend_from_slice(&line);
        let Some(length) = end.strip_suffix('}').and_then(|start| start.rsplit('{').next()) else { break };
        let waits = !length.ends_with('+');
        let Ok(length) = length.trim_end_matches('+').parse::<usize>() else { break };
        count += 1;
        sum += length;
        let most = if known { 1_000_000 } else { 1_024 };
        if waits && length > most && !place.does(Fault::LiteralsTaken) {
            return Some((String::from_utf8_lossy(&text).into_owned(), true));
        }
        if waits {
            session.say("+ go on").await;
        }
        session.exactly(length).await?;
        line = session.line_bytes(8_000).await?;
    }
    let too_many = (count > 1_000 || sum > 1_000_000) && !place.does(Fault::LiteralsTaken);
    Some((String::from_utf8_lossy(&text).into_owned(), too_many))
}

async fn refusal(rest: &str, place: &Place) -> String {
    let failures = place.failures.fetch_add(1, Ordering::SeqCst);
    let is_known = rest.contains(CANARY);
    if place.does(Fault::UnknownUserFaster) && is_known {
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    if place.does(Fault::SlowsDown) && failures > 2 {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }
    if place.does(Fault::TakesLong) {
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    if place.does(Fault::UnknownUserTold) && !is_known {
        return "NO [AUTHENTICATIONFAILED] there is no such user".to_owned();
    }
    "NO [AUTHENTICATIONFAILED] no".to_owned()
}

/// Whether a login with SCRAM-SHA-256-PLUS is bound to this session; its proof isn't looked at. `None` at the end.
async fn bound(session: &mut Session, place: &Place) -> Option<bool> {
    session.say("+ ").await;
    let first = String::from_utf8(STANDARD.decode(session.line(10_000).await?).ok()?).ok()?;
    let nonce = first.rsplit("r=").next()?;
    session.say(&format!("+ {}", STANDARD.encode(format!("r={nonce}more,s=c2FsdA==,i=4096")))).await;
    let last = String::from_utf8(STANDARD.decode(session.line(10_000).await?).ok()?).ok()?;
    let told = STANDARD.decode(last.strip_prefix("c=")?.split(',').next()?).ok()?;
    let wanted = [b"p=tls-exporter,,".as_slice(), &session.exporter?].concat();
    Some(told == wanted || place.does(Fault::BindingIgnored))
}
