//! SMTP, as the test's server speaks it.

use crate::house::{CANARY, Fault, NAME, Place, start_tls};
use crate::session::Session;
use mailward_audit::Protocol;

const SIZE: u64 = 1_000_000;
const END: &[u8] = b"\r\n.\r\n";

pub(crate) async fn serve(mut session: Session, place: &Place) {
    let has = |fault| place.does(fault);
    let version = if has(Fault::Version) { " Exim 4.96" } else { "" };
    session.say(&format!("220 {NAME} ESMTP{version}")).await;
    let for_users = matches!(place.protocol, Protocol::Submission | Protocol::Submissions);
    let (mut unknown, mut errors, mut idle) = (0, 0, 0);
    while let Some(line) = session.line(20_000).await {
        let upper = line.to_ascii_uppercase();
        let reply = match upper.split(' ').next().unwrap_or_default() {
            "EHLO" | "LHLO" => {
                let mut features = vec![NAME.to_owned(), "PIPELINING".to_owned(), format!("SIZE {SIZE}")];
                if !session.is_tls() && !has(Fault::NoStartTls) {
                    features.push("STARTTLS".to_owned());
                }
                if (for_users && session.is_tls())
                    || (has(Fault::AuthInClear) && !session.is_tls())
                    || (has(Fault::AuthForServers) && session.is_tls())
                {
                    features.push("AUTH PLAIN".to_owned());
                }
                if has(Fault::Xclient) {
                    features.push("XCLIENT ADDR LOGIN".to_owned());
                }
                let last = features.len() - 1;
                for (number, feature) in features.iter().enumerate() {
                    session.say(&format!("250{}{feature}", if number == last { ' ' } else { '-' })).await;
                }
                continue;
            }
            "HELO" => "250 hello".to_owned(),
            "RSET" => "250 fine".to_owned(),
            "NOOP" => {
                idle += 1;
                if idle > 100 && !has(Fault::NonsenseForever) {
                    session.say("421 too much of nothing").await;
                    return;
                }
                "250 fine".to_owned()
            }
            "HELP" => "214 ask a person".to_owned(),
            "VRFY" if has(Fault::VrfyTells) => {
                if upper.contains("POSTMASTER") { "250 <postmaster@example.org>" } else { "550 no" }.to_owned()
            }
            "VRFY" => "252 try and see".to_owned(),
            "EXPN" => "502 no".to_owned(),
            "QUIT" => {
                session.say("221 bye").await;
                return;
            }
            "STARTTLS" if session.is_tls() || has(Fault::NoStartTls) => "503 no".to_owned(),
            "STARTTLS" if has(Fault::StartTlsRefused) => "454 not now".to_owned(),
            "STARTTLS" => {
                let injected = !session.pending.is_empty();
                if injected && !has(Fault::InjectsUnderTls) && !has(Fault::InjectsInClear) {
                    session.say("554 nothing may follow").await;
                    return;
                }
                session.say("220 begin").await;
                if injected && has(Fault::InjectsInClear) {
                    continue;
                }
                if !start_tls(&mut session, place).await {
                    return;
                }
                continue;
            }
            "AUTH" if has(Fault::AuthBegunInClear) && !session.is_tls() => "334 ".to_owned(),
            "AUTH" => "538 no".to_owned(),
            "MAIL" if for_users && !has(Fault::NoLoginNeeded) => "530 log in first".to_owned(),
            "MAIL" => {
                let size = upper.split("SIZE=").nth(1).and_then(|size| size.parse::<u64>().ok());
                let over = size.is_some_and(|size| size > SIZE);
                if over && !has(Fault::SizeNotHeld) { "552 too large" } else { "250 fine" }.to_owned()
            }
            "RCPT" if has(Fault::OpenRelay) => "250 fine".to_owned(),
            "RCPT" if has(Fault::PutsOff) => "451 later".to_owned(),
            "RCPT" if line == format!("RCPT TO:<{CANARY}>") => "250 fine".to_owned(),
            "RCPT" if line.starts_with("RCPT TO:<nobody") => {
                unknown += 1;
                if unknown > 20 && !has(Fault::UnknownForever) {
                    session.say("421 enough").await;
                    return;
                }
                "550 nobody".to_owned()
            }
            "RCPT" => "553 no".to_owned(),
            "DATA" => {
                session.say("354 go on").await;
                let early = place.faults.iter().find_map(|fault| match fault {
                    Fault::EndsAt(end) => Some(*end),
                    _ => None,
                });
                let ends: Vec<&[u8]> = std::iter::once(END).chain(early).collect();
                let Some(message) = session.until(&ends).await else { return };
                judged(&message, &has).to_owned()
            }
            _ => {
                errors += 1;
                if errors > 20 && !has(Fault::NonsenseForever) {
                    session.say("421 too many mistakes").await;
                    return;
                }
                "500 what".to_owned()
            }
        };
        session.say(&reply).await;
    }
}

fn judged(message: &[u8], has: &impl Fn(Fault) -> bool) -> &'static str {
    let hops = message.windows(10).filter(|window| window == b"Received: ").count();
    let bare = message.iter().enumerate().any(|(at, byte)| match byte {
        b'\r' => message.get(at + 1) != Some(&b'\n'),
        b'\n' => at == 0 || message[at - 1] != b'\r',
        0 => true,
        _ => false,
    });
    match (hops, bare) {
        (51.., _) if !has(Fault::CountsNoHops) => "554 5.4.6 it goes round",
        (_, true) => "550 no bare ends of lines",
        _ => "250 taken",
    }
}
