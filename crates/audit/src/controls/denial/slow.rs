//! Whether clients who are slow on purpose keep others out.

use crate::control::Control;
use crate::doors::{NO_CANARY, SMTP};
use crate::finding::Finding;
use crate::inject::injected;
use crate::knock::{Kind, KnockError, Talk, Wire};
use crate::scene::{Door, Scene};
use futures_util::stream::{self, StreamExt as _};
use std::net::{IpAddr, Ipv4Addr};
use tokio::time::{Duration, Instant, sleep, timeout};

/// Sessions that say next to nothing, each from an address of its own.
const SLOW: u8 = 200;
/// So many of them are opened at a time.
const AT_ONCE: usize = 50;
/// One that isn't let in by then isn't held.
const LET_IN: Duration = Duration::from_secs(1);
/// Sessions that do what sessions do, one after the other.
const USUAL: usize = 8;
/// The longest that one may take of most of them.
const SOON: Duration = Duration::from_secs(2);
/// So many of them may be late.
const LATE: usize = 1;
/// How long nothing is done meanwhile.
const PAUSE: Duration = Duration::from_millis(400);

pub(in crate::controls) const SLOW_ONES: &[Control] = &[injected!(
    Denial,
    "DOS-02",
    10,
    None,
    None,
    "Do many clients that are slow on purpose leave room for others?",
    "One computer can hold hundreds of connections open and say a letter now and then. A server that waits for each with all it has is down.",
    "200 sessions are begun at a door for servers, each from another address of loopback, and say one letter after the other. Meanwhile eight sessions \
     greet and leave: at most one of them may take two seconds. How long slow ones are borne isn't waited for.",
    "limits.connections and limits.stress_enter in mailward.toml, then `mailward reload`; Mailward gives slow clients less time the fewer places are left.",
    "Postfix smtpd_min_data_rate and per-request deadlines; Slowloris (2009)",
    |scene| slow_ones(scene),
)];

async fn slow_ones(scene: &Scene) -> Finding {
    if scene.doors.is_empty() {
        return Finding::not_tested("no door is known: the server doesn't run, or couldn't say where it listens");
    }
    let Some(canary) = scene.canary.as_ref().and_then(|account| account.inside.as_ref()) else {
        return Finding::not_tested(NO_CANARY);
    };
    let doors = scene.doors(SMTP);
    let Some(door) = doors.iter().copied().find(|door| door.address.is_ipv4()) else {
        return Finding::not_tested("there is no door for servers that loopback addresses of IPv4 reach");
    };
    let ours = canary.stranger().filter(IpAddr::is_ipv4);
    // Nobody is slow yet: otherwise it is slow by itself, and that is another fault.
    if let Err(error) = usual(door, ours).await {
        return Finding::not_tested(format!("{door}: {error}"));
    }
    let begun = stream::iter(1..=SLOW).map(|number| begin(door, number)).buffer_unordered(AT_ONCE);
    let mut held: Vec<Wire> = begun.filter_map(|wire| async move { wire.ok() }).collect().await;
    let (mut late, mut times) = (0_usize, Vec::new());
    for turn in 0..USUAL {
        for wire in &mut held {
            // Whoever was closed isn't slow any more, and that is what a server may do.
            let _closed = wire.send(if turn == 0 { b"E" } else { b"H" }).await;
        }
        let began = Instant::now();
        let done = timeout(SOON, usual(door, ours)).await.unwrap_or(Err(KnockError::Late));
        let took = began.elapsed();
        if done.is_err() {
            late = late.saturating_add(1);
        }
        times.push(match done {
            Ok(()) => format!("{} ms", took.as_millis()),
            Err(error) => error.to_string(),
        });
        sleep(PAUSE).await;
    }
    let said = format!("beside {} slow sessions {late} of {USUAL} others were late or turned away", held.len());
    let finding = if late <= LATE { Finding::pass(said) } else { Finding::fail(said) };
    finding.showing(format!("{door}: how long each took"), times.join("\n"))
}

/// 127.77.0.NUMBER.
async fn begin(door: &Door, number: u8) -> Result<Wire, KnockError> {
    let from = IpAddr::V4(Ipv4Addr::new(127, 77, 0, number));
    timeout(LET_IN, Wire::connect_from(Some(from), door.address)).await.unwrap_or(Err(KnockError::Late))
}

/// A session that does what sessions do.
async fn usual(door: &Door, ours: Option<IpAddr>) -> Result<(), KnockError> {
    let mut talk = Talk::open_from(ours, door).await?;
    let answer = talk.hello().await?;
    if answer.kind != Kind::Yes {
        return Err(KnockError::Refused("EHLO", answer.text()));
    }
    let _whatever = talk.ask("QUIT").await;
    Ok(())
}
