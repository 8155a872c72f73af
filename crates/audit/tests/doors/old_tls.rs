//! Servers of other times: the first flight of TLS as they say it, with which nobody could go on.

use crate::session::Session;
use crate::tls_bytes::{self, Offered, Picked};
use tokio::io::AsyncWriteExt as _;

/// What such a server takes.
#[derive(Clone, Debug)]
pub(crate) struct Manners {
    pub(crate) versions: Vec<u16>,
    pub(crate) suites: Vec<u16>,
    pub(crate) own_order: bool,
    pub(crate) groups: Vec<u16>,
    pub(crate) prime_bytes: usize,
    pub(crate) compresses: bool,
    pub(crate) extended_master_secret: bool,
    pub(crate) secure_renegotiation: bool,
    /// Signs with the first way that the client offers, instead of a good one.
    pub(crate) signs_as_told: bool,
}

impl Manners {
    /// Nothing to say against it.
    pub(crate) fn good() -> Self {
        Self {
            versions: vec![0x0303, 0x0304],
            suites: vec![0x1301, 0x1302, 0xc02b, 0xc02f],
            own_order: false,
            groups: vec![0x001d, 0x0017, 0x11ec],
            prime_bytes: 256,
            compresses: false,
            extended_master_secret: true,
            secure_renegotiation: true,
            signs_as_told: false,
        }
    }

    fn answer(&self, offered: &Offered) -> Vec<u8> {
        let version = offered.versions.first().copied().unwrap_or(offered.version);
        if !self.versions.contains(&version) {
            return tls_bytes::alert(offered.version, 70);
        }
        let fits = |id: &u16| (0x1301..=0x1305).contains(id) == (version == 0x0304);
        let curve = offered.groups.iter().find(|group| self.groups.contains(group)).copied();
        let has_curve = |id: u16| (0xc000..=0xcca9).contains(&id);
        let agreed: Vec<u16> = if self.own_order {
            self.suites.iter().copied().filter(|id| fits(id) && offered.suites.contains(id)).collect()
        } else {
            offered.suites.iter().copied().filter(|id| fits(id) && self.suites.contains(id)).collect()
        };
        let needs_curve = |id: u16| has_curve(id) || version == 0x0304;
        let Some(suite) =
            agreed.into_iter().find(|id| !needs_curve(*id) || curve.is_some() || offered.groups.is_empty())
        else {
            return tls_bytes::alert(offered.version, 40);
        };
        let signature = (version == 0x0303).then(|| if self.signs_as_told { offered.signatures[0] } else { 0x0403 });
        let exchange = match suite {
            suite if has_curve(suite) => tls_bytes::curve(curve.unwrap_or(0x0017), signature),
            0x0033 | 0x0039 | 0x009e => tls_bytes::prime(self.prime_bytes, signature),
            _ => Vec::new(),
        };
        tls_bytes::flight(&Picked {
            version,
            suite,
            compression: u8::from(self.compresses && offered.compression.contains(&1)),
            extended_master_secret: self.extended_master_secret && offered.extended_master_secret,
            secure_renegotiation: self.secure_renegotiation && offered.secure_renegotiation,
            group: if version == 0x0304 { curve } else { None },
            exchange,
        })
    }
}

/// Answers a first message that asks for the first flight alone; whoever means to go on is left to TLS proper.
pub(crate) async fn plays(session: &mut Session, manners: &Manners) -> bool {
    let Some(stream) = session.clear() else { return false };
    let mut space = vec![0; 20_000];
    let whole = loop {
        let Ok(count) = stream.peek(&mut space).await else { return true };
        if count == 0 {
            return true;
        }
        let length = space.get(3..5).map_or(0, |two| usize::from(u16::from_be_bytes([two[0], two[1]])));
        if count >= 5 + length {
            break space[..5 + length].to_vec();
        }
        tokio::task::yield_now().await;
    };
    let offered = tls_bytes::read(&whole);
    // Ours has no version in an extension but for 1.3, and then no share.
    if !offered.versions.is_empty() && (offered.shares > 0 || offered.versions != [0x0304]) {
        return false;
    }
    let _gone = stream.write_all(&manners.answer(&offered)).await;
    let _gone = stream.shutdown().await;
    true
}
