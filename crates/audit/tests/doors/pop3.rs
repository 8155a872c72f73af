//! POP3, as the test's server speaks it.

use crate::house::{Fault, Place, start_tls};
use crate::session::Session;
use base64::Engine as _;

pub(crate) async fn serve(mut session: Session, place: &Place) {
    let has = |fault| place.does(fault);
    session.say("+OK ready").await;
    let mut errors = 0;
    let most = if has(Fault::LongLinesHeld) { usize::MAX } else { 1_000 };
    while let Some(line) = session.line(most).await {
        let upper = line.to_ascii_uppercase();
        match upper.split(' ').next().unwrap_or_default() {
            "CAPA" => {
                session.say("+OK").await;
                if !session.is_tls() && !has(Fault::NoStartTls) || has(Fault::TellsOldFeatures) {
                    session.say("STLS").await;
                }
                if session.is_tls() {
                    session.say(if has(Fault::NoScram) { "SASL PLAIN" } else { "SASL PLAIN SCRAM-SHA-256" }).await;
                } else if has(Fault::LoginInClear) {
                    session.say("USER").await;
                }
                session.say(".").await;
            }
            "STLS" if !session.is_tls() => {
                let injected = !session.pending.is_empty();
                if injected && !has(Fault::InjectsUnderTls) {
                    session.say("-ERR nothing may follow").await;
                    return;
                }
                session.say("+OK begin").await;
                if !start_tls(&mut session, place).await {
                    return;
                }
            }
            "USER" if session.is_tls() || has(Fault::LoginInClear) => session.say("+OK go on").await,
            "AUTH" if session.is_tls() => {
                session.say("+ ").await;
                let Some(answer) = session.line(10_000).await else { return };
                if base64::engine::general_purpose::STANDARD.decode(&answer).is_err() {
                    session.say("-ERR that isn't base64").await;
                }
            }
            "QUIT" => {
                session.say("+OK bye").await;
                return;
            }
            _ => {
                errors += 1;
                session.say("-ERR no").await;
                if errors > 20 && !has(Fault::NonsenseForever) {
                    return;
                }
            }
        }
    }
}
