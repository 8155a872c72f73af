//! Many connections of one address.

use crate::doors::{Seen, Waiting};
use crate::knock::tls::{Hello, Version, suites};
use crate::knock::{KnockError, Talk, Wire};
use crate::scene::Door;
use futures_util::stream::{self, StreamExt as _};
use mailward_core::limits::{KNOCK_AT_ONCE, KNOCK_CROWD, KNOCK_REOPEN_PAUSE, KNOCK_REOPEN_TRIES};

/// Holds connection after connection until one is refused.
pub(in crate::controls) async fn counts_connections(door: &Door) -> Result<Seen, KnockError> {
    let mut held: Vec<Wire> = Vec::new();
    // The first alone: where it isn't let in, nothing can be told.
    held.push(admitted(door).await?);
    let mut others: Vec<Waiting<'_, Result<Wire, KnockError>>> = Vec::new();
    for _other in 1..KNOCK_CROWD {
        others.push(Box::pin(admitted(door)));
    }
    let mut more = stream::iter(others).buffered(KNOCK_AT_ONCE);
    while let Some(one) = more.next().await {
        match one {
            Ok(wire) => held.push(wire),
            Err(KnockError::Late) => return Err(KnockError::Late),
            Err(error) => {
                let count = held.len();
                drop((more, held));
                return Ok(judged(door, count, Some(error), is_open_again(door).await));
            }
        }
    }
    Ok(judged(door, held.len(), None, true))
}

/// Waits until the server has noticed that all of them are gone: others want to come in.
async fn is_open_again(door: &Door) -> bool {
    for _try in 0..KNOCK_REOPEN_TRIES {
        if admitted(door).await.is_ok() {
            return true;
        }
        tokio::time::sleep(KNOCK_REOPEN_PAUSE).await;
    }
    false
}

fn judged(door: &Door, held: usize, refused: Option<KnockError>, is_open_again: bool) -> Seen {
    let seen = match refused {
        Some(_) if !is_open_again => {
            Seen::bad(format!("after {held} connections of one address it lets nobody in any more"))
        }
        Some(error) => Seen::good(format!("after {held} connections of one address: {error}")),
        None if door.address.ip().is_loopback() => {
            Seen::unknown(format!("{held} connections are held from loopback, which may be counted otherwise"))
        }
        None => Seen::bad(format!("one address may hold {held} connections")),
    };
    let said = seen.said.clone();
    seen.showing(format!("{door}, connections held"), said)
}

/// A connection that is let in: it is greeted, or its first message of TLS is answered.
async fn admitted(door: &Door) -> Result<Wire, KnockError> {
    if !door.protocol.begins_with_tls() {
        return Ok(Talk::open(door).await?.into_wire());
    }
    let mut wire = Wire::connect(door.address).await?;
    let wanted = suites::of(Version::TLS12);
    wire.send_hidden(&Hello::new(Version::TLS12, &wanted).bytes(&door.name, [5; 32]), "(a first message of TLS)")
        .await?;
    wire.some().await?;
    Ok(wire)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doors::Grade;
    use crate::scene::Protocol;

    #[test]
    fn a_crowd_that_is_let_in_is_bad_but_from_loopback_nobody_can_tell() {
        let at = |address: &str| Door {
            protocol: Protocol::Imap,
            address: address.parse().unwrap(),
            name: "mail.example.org".to_owned(),
        };
        assert_eq!(judged(&at("192.0.2.1:143"), 260, None, true).grade, Grade::Bad);
        assert_eq!(judged(&at("127.0.0.1:143"), 260, None, true).grade, Grade::Unknown);
        assert_eq!(judged(&at("127.0.0.1:143"), 200, Some(KnockError::Closed), true).grade, Grade::Good);
        let shut = judged(&at("127.0.0.1:143"), 200, Some(KnockError::Closed), false);
        assert_eq!(shut.grade, Grade::Bad, "a few connections that shut a door for good are the attack itself");
    }
}
