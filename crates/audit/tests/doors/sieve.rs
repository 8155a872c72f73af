//! ManageSieve, as the test's server speaks it: with literals where others have quotes, so that both are read.

use crate::house::{Fault, Place, start_tls};
use crate::session::Session;

async fn says_what_it_can(session: &mut Session, place: &Place) {
    let has = |fault| place.does(fault);
    session
        .say(if has(Fault::Version) {
            "\"IMPLEMENTATION\" \"sieved 1.2.3\""
        } else {
            "\"IMPLEMENTATION\" {6}\r\nsieved"
        })
        .await;
    session.say("\"VERSION\" \"1.0\"").await;
    if session.is_tls() || has(Fault::LoginInClear) {
        session.say("\"SASL\" \"PLAIN\"").await;
    } else {
        session.say("\"SASL\" \"\"").await;
    }
    if !session.is_tls() && !has(Fault::NoStartTls) {
        session.say("\"STARTTLS\"").await;
    }
    session.say("OK {5}\r\nready").await;
}

pub(crate) async fn serve(mut session: Session, place: &Place) {
    let has = |fault| place.does(fault);
    says_what_it_can(&mut session, place).await;
    while let Some(line) = session.line(1_000).await {
        let upper = line.to_ascii_uppercase();
        match upper.split(' ').next().unwrap_or_default() {
            "CAPABILITY" => says_what_it_can(&mut session, place).await,
            "STARTTLS" if !session.is_tls() && !has(Fault::NoStartTls) => {
                let injected = !session.pending.is_empty();
                if injected && !has(Fault::InjectsUnderTls) && !has(Fault::InjectsInClear) && !has(Fault::NoNoop) {
                    // Forgotten, as good servers do.
                    session.pending.clear();
                }
                session.say("OK (x) {5}\r\nbegin").await;
                if injected && has(Fault::InjectsInClear) {
                    continue;
                }
                if !start_tls(&mut session, place).await {
                    return;
                }
                says_what_it_can(&mut session, place).await;
            }
            "AUTHENTICATE" if session.is_tls() || has(Fault::AuthBegunInClear) => session.say("\"\"").await,
            "NOOP" if has(Fault::NoNoop) => session.say("NO \"what?\"").await,
            "NOOP" => session.say(&format!("OK (TAG {}) \"done\"", line.split(' ').nth(1).unwrap_or("\"\""))).await,
            "LOGOUT" => {
                session.say("OK \"bye\"").await;
                return;
            }
            _ => session.say("NO \"no\"").await,
        }
    }
}
