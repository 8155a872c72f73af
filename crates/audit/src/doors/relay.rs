//! Who may send through us.

use super::{Grade, Seen, Us, Waiting};
use crate::knock::{Answer, Kind, KnockError, Offer, Talk, at_once, literal};
use crate::scene::{Door, Protocol};
use futures_util::stream::{self, StreamExt as _};
use mailward_gate::battery::{BATTERIES, Names, Next, Probe, Run, Verdict};
use std::fmt::Write as _;

/// A domain that nobody's server has to do with (RFC 2606 §2).
const THIRD: &str = "third.example";

/// Transcripts that are kept of attempts that came through.
const SHOWN: usize = 5;

/// One attempt, made.
pub(crate) struct Made {
    battery: &'static str,
    probe: &'static Probe,
    verdict: Verdict,
    transcript: Vec<u8>,
    /// Whether it was refused for now, with words that say that it always will be.
    by_policy: bool,
}

/// What an attempt amounts to at a server of anybody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Refused,
    Through,
    Unclear,
}

impl Made {
    /// A refusal for good is one whatever its code, and whichever of the lines it comes to: without that line the attempt can't be made.
    pub(crate) fn outcome(&self) -> Outcome {
        match self.verdict {
            Verdict::Refused(..) | Verdict::Failed(_, 500..=599) | Verdict::Unclear(_, Some(500..=599)) => {
                Outcome::Refused
            }
            Verdict::Failed(..) => Outcome::Through,
            Verdict::Unclear(..) => Outcome::Unclear,
        }
    }
}

/// Every attempt of every battery, which must be refused.
pub(crate) async fn refused(us: &Us, door: &Door) -> Result<Seen, KnockError> {
    Ok(told(door, &attempts(us, door).await?))
}

/// Every attempt of every battery. What can't be begun, as the server lets nobody in any more, is unclear.
///
/// # Errors
/// [`KnockError`] if none could be begun.
pub(crate) async fn attempts(us: &Us, door: &Door) -> Result<Vec<Made>, KnockError> {
    let names = Names {
        us: us.domain.clone(),
        literal: literal(door.address.ip()),
        third: THIRD.to_owned(),
        lmtp: door.protocol == Protocol::Lmtp,
    };
    let mut made = Vec::new();
    for battery in BATTERIES {
        let runs = battery.filled(&names);
        if battery.one_session {
            let mut talk = Talk::open(door).await?;
            for (number, (probe, run)) in runs.into_iter().enumerate() {
                let (mut verdict, mut by_policy) = drive(&mut talk, run).await;
                // Some end a session after so many commands: then it goes on in a new one.
                if matches!(verdict, Verdict::Unclear(_, None | Some(421)))
                    && let Ok(mut again) = Talk::open(door).await
                    && again.hello().await.is_ok()
                    && let Some((_, run)) = battery.filled(&names).into_iter().nth(number)
                {
                    (verdict, by_policy) = drive(&mut again, run).await;
                    talk = again;
                }
                made.push(Made { battery: battery.name, probe, verdict, transcript: talk.transcript(), by_policy });
            }
        } else {
            // Where nobody is let in, nothing can be told; where only some are, the others are unclear.
            drop(Talk::open(door).await?);
            let mut each: Vec<Waiting<'_, Made>> = Vec::new();
            for (probe, run) in runs {
                each.push(Box::pin(async move {
                    let ((verdict, by_policy), transcript) = match Talk::open(door).await {
                        Ok(mut talk) => (drive(&mut talk, run).await, talk.transcript()),
                        Err(error) => {
                            let nobody = Verdict::Unclear("the greeting".to_owned(), None);
                            ((nobody, false), error.to_string().into_bytes())
                        }
                    };
                    Made { battery: battery.name, probe, verdict, transcript, by_policy }
                }));
            }
            made.extend(stream::iter(each).buffered(at_once()).collect::<Vec<Made>>().await);
        }
    }
    Ok(made)
}

/// The verdict, and whether it rests on a refusal for now that is meant for ever.
async fn drive(talk: &mut Talk, mut run: Run<'_>) -> (Verdict, bool) {
    let mut by_policy = false;
    loop {
        match run.next() {
            Next::Send(bytes) => {
                let answer = talk.ask_raw(&bytes).await.ok();
                if answer.as_ref().is_some_and(denies_relaying) {
                    by_policy = true;
                    run.heard(Some(550));
                } else {
                    run.heard(answer.and_then(|answer| answer.code));
                }
            }
            Next::StartTls => {
                let name = talk.name().to_owned();
                match talk.wire().start_tls(&name, Offer::default()).await {
                    Ok(_shown) => run.secured(),
                    Err(_) => return (Verdict::Unclear("STARTTLS".to_owned(), None), by_policy),
                }
            }
            Next::Over(verdict) => return (verdict, by_policy),
        }
    }
}

/// Whether an answer puts off for what can't change: some servers say so of relaying, so that a mistake in their settings loses no
/// mail (RFC 3463 §3.8, X.7.Z: security or policy). Who makes strangers come again says 4.7.1 as well, but not of relaying.
fn denies_relaying(answer: &Answer) -> bool {
    let text = answer.text().to_ascii_lowercase();
    let status = text.split_ascii_whitespace().nth(1).unwrap_or_default();
    answer.kind == Kind::Later && status.starts_with("4.7.") && text.contains("relay")
}

/// What they amount to.
pub(crate) fn told(door: &Door, made: &[Made]) -> Seen {
    let mut list = String::new();
    let (mut through, mut unclear) = (Vec::new(), Vec::new());
    for one in made {
        let name = format!("{} {} ({})", one.battery, one.probe.id, one.probe.says);
        let meant = if one.by_policy { ", a refusal of relaying with 4yz being one" } else { "" };
        let _infallible = writeln!(list, "{name}: {}{meant}", words(&one.verdict));
        match one.outcome() {
            Outcome::Refused => {}
            Outcome::Through => through.push(format!("{name}: {}", words(&one.verdict))),
            Outcome::Unclear => unclear.push(format!("{name}: {}", words(&one.verdict))),
        }
    }
    let from = if door.address.ip().is_loopback() { ", as seen from loopback" } else { "" };
    let mut seen = match (through.first(), unclear.first()) {
        (Some(first), _) => {
            Seen::bad(format!("{} of {} attempts came through{from}, as {first}", through.len(), made.len()))
        }
        (None, Some(first)) => Seen::unknown(format!(
            "{} of {} attempts were neither taken nor refused, as {first}",
            unclear.len(),
            made.len()
        )),
        (None, None) => Seen::good(format!("all {} attempts are refused{from}", made.len())),
    };
    seen = seen.showing(format!("{door}, every attempt"), list);
    let shown: Vec<&Made> = made.iter().filter(|one| one.outcome() == Outcome::Through).take(SHOWN).collect();
    debug_assert!(shown.is_empty() || seen.grade == Grade::Bad);
    for one in shown {
        seen = seen.showing(format!("{door}, {} {}", one.battery, one.probe.id), one.transcript.clone());
    }
    seen
}

fn words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Refused(line, code) => format!("refused with {code} at {line:?}"),
        Verdict::Failed(line, code) => format!("{line:?} was answered with {code}"),
        Verdict::Unclear(line, Some(code)) => format!("{line:?} was put off with {code}"),
        Verdict::Unclear(line, None) => format!("it hung up at {line:?}"),
    }
}

/// MAIL without a login.
pub(crate) async fn needs_login(us: &Us, door: &Door) -> Result<Seen, KnockError> {
    let sender = format!("MAIL FROM:<postmaster@{}>", us.domain);
    let mut talk = Talk::open(door).await?;
    let mut talks = Vec::new();
    if !door.protocol.begins_with_tls() {
        talk.hello().await?;
        talks.push(("in clear", talk.ask(&sender).await?, talk.transcript()));
        talk = match Talk::secured(door).await {
            Ok(secured) => secured,
            // Then nobody logs in there, which is another question.
            Err(KnockError::Refused("STARTTLS", _)) => talk,
            Err(other) => return Err(other),
        };
    }
    talk.hello().await?;
    talks.push(("under TLS", talk.ask(&sender).await?, talk.transcript()));
    let taken = talks.iter().find(|(_, answer, _)| answer.kind == Kind::Yes);
    let unclear = talks.iter().find(|(_, answer, _)| answer.kind != Kind::No);
    let mut seen = match (taken, unclear) {
        (Some((how, answer, _)), _) => Seen::bad(format!("a sender is taken {how} without a login: {}", answer.text())),
        (None, Some((how, answer, _))) => Seen::unknown(format!("neither yes nor no {how}: {}", answer.text())),
        (None, None) => {
            let codes: Vec<String> =
                talks.iter().filter_map(|(_, answer, _)| answer.code).map(|c| c.to_string()).collect();
            Seen::good(format!("refused without a login ({})", codes.join(", ")))
        }
    };
    for (how, _, transcript) in talks {
        seen = seen.showing(format!("{door}, {how}"), transcript);
    }
    Ok(seen)
}
