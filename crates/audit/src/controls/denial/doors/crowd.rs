//! Many connections of one address.

use crate::doors::{Seen, Waiting};
use crate::knock::tls::{Hello, Version, suites};
use crate::knock::{KnockError, Talk, Wire};
use crate::scene::Door;
use futures_util::stream::{self, StreamExt as _};
use mailward_core::limits::{KNOCK_AT_ONCE, KNOCK_CROWD};

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
            Err(error) => return Ok(judged(door, held.len(), Some(error))),
        }
    }
    Ok(judged(door, held.len(), None))
}

fn judged(door: &Door, held: usize, refused: Option<KnockError>) -> Seen {
    let seen = match refused {
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
        assert_eq!(judged(&at("192.0.2.1:143"), 260, None).grade, Grade::Bad);
        assert_eq!(judged(&at("127.0.0.1:143"), 260, None).grade, Grade::Unknown);
        assert_eq!(judged(&at("127.0.0.1:143"), 200, Some(KnockError::Closed)).grade, Grade::Good);
    }
}
