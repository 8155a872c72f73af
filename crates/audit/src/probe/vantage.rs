//! A look that a peer made and signed: what an audit knows of its own server from outside.

use super::look::{Look, PortSeen, PortState};
use super::ports::INSIDE;
use crate::record::{hex, unhex};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use mailward_core::Timestamp;
use mailward_core::limits::{PROBE_PEERS_MAX, PROBE_STATE_MAX};
use mailward_vault::{EvidenceKey, is_signed};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;

/// What its file is called, with the version of its shape. What is signed begins with it, so that it can't be taken for anything
/// else that the key signs.
pub const VANTAGE: &str = "mailward-vantage/1";

/// Which ports of a host are open, as a peer saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vantage {
    format: String,
    /// The host, as it was named.
    pub host: String,
    /// The name that its certificates had to prove.
    pub name: String,
    /// When it was signed: right after the look.
    pub at: Timestamp,
    /// The host's addresses.
    pub addresses: Vec<IpAddr>,
    /// Every port of every address.
    pub ports: Vec<PortSeen>,
    /// The peer's public key, in hexadecimal.
    pub key: String,
    signature: String,
}

impl Vantage {
    /// What is told of a look, not signed yet.
    pub fn of(look: &Look, at: Timestamp) -> Self {
        Self {
            format: VANTAGE.to_owned(),
            host: look.host.clone(),
            name: look.name.clone(),
            at,
            addresses: look.addresses.clone(),
            ports: look.ports.clone(),
            key: String::new(),
            signature: String::new(),
        }
    }

    /// Signs it with an installation's key.
    ///
    /// # Errors
    /// In words, for one that would be longer than is read.
    pub fn signed(mut self, key: &EvidenceKey) -> Result<Self, String> {
        self.format = VANTAGE.to_owned();
        self.key = hex(key.public());
        self.signature = String::new();
        self.signature = hex(&key.sign(self.line()?.as_bytes()));
        if self.line()?.len() > PROBE_STATE_MAX {
            return Err(format!("it would have more than {PROBE_STATE_MAX} bytes"));
        }
        Ok(self)
    }

    /// As it is written: one line of JSON with its end, which begins with [`VANTAGE`].
    ///
    /// # Errors
    /// In words.
    pub fn line(&self) -> Result<String, String> {
        let mut line = serde_json::to_string(self).map_err(|error| error.to_string())?;
        line.push('\n');
        Ok(line)
    }

    /// Reads one that isn't signed yet.
    ///
    /// # Errors
    /// In words.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > PROBE_STATE_MAX {
            return Err(format!("it has more than {PROBE_STATE_MAX} bytes"));
        }
        let read: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if read.format != VANTAGE { Err("it is of another version".to_owned()) } else { Ok(read) }
    }

    /// Reads one that somebody with one of these keys signed, by name; the name.
    ///
    /// # Errors
    /// In words.
    pub fn read(bytes: &[u8], peers: &BTreeMap<String, Vec<u8>>) -> Result<(String, Self), String> {
        let read = Self::parse(bytes)?;
        let own = unhex(&read.key);
        let known = peers.iter().find(|(_, key)| verify_slices_are_equal(key, &own).is_ok());
        let (name, key) = known.ok_or_else(|| "audit.peers doesn't name the key that signed it".to_owned())?;
        let unsigned = Self { signature: String::new(), ..read.clone() };
        if !is_signed(key, unsigned.line()?.as_bytes(), &unhex(&read.signature)) {
            return Err("its signature doesn't hold".to_owned());
        }
        Ok((name.clone(), read))
    }

    /// Whether every port that nobody should reach was tried at every address.
    pub fn is_whole(&self) -> bool {
        let tried = self.ports.iter().filter(|port| port.state != PortState::Untried);
        let tried: BTreeSet<(IpAddr, u16)> = tried.map(|port| (port.address, port.port)).collect();
        let wanted = |address: &IpAddr| INSIDE.iter().all(|(port, _)| tried.contains(&(*address, *port)));
        !self.addresses.is_empty() && self.addresses.iter().all(wanted)
    }
}

/// What peers brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peers {
    /// Looks by peers that are named, each with its name.
    pub looks: Vec<(String, Vantage)>,
    /// Files that count for nothing, and why.
    pub refused: Vec<String>,
}

impl Peers {
    /// Reads every `*.json` of a directory, at most `limits::PROBE_PEERS_MAX`; nothing if there is no such directory.
    pub fn in_directory(directory: &Path, peers: &BTreeMap<String, Vec<u8>>) -> Self {
        let mut all = Self::default();
        let Ok(entries) = fs::read_dir(directory) else { return all };
        let mut files: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        files.sort();
        for path in files.iter().take(PROBE_PEERS_MAX) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().replace(char::is_control, "\u{fffd}");
            match read_file(path).and_then(|bytes| Vantage::read(&bytes, peers)) {
                Ok(found) => all.looks.push(found),
                Err(why) => all.refused.push(format!("{name}: {why}")),
            }
        }
        if files.len() > PROBE_PEERS_MAX {
            all.refused.push(format!("there are more than {PROBE_PEERS_MAX} files"));
        }
        all
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let most = u64::try_from(PROBE_STATE_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::look::PortState;
    use super::*;
    use mailward_core::Secret;
    use proptest::prelude::*;

    fn key(secret: &str) -> EvidenceKey {
        EvidenceKey::new(&Secret::new(secret)).unwrap()
    }

    fn vantage() -> Vantage {
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let port = |port| PortSeen { address, port, role: None, state: PortState::Closed, why: None };
        Vantage {
            format: VANTAGE.to_owned(),
            host: "mx.example.org".to_owned(),
            name: "mx.example.org".to_owned(),
            at: Timestamp(1),
            addresses: vec![address],
            ports: INSIDE.iter().map(|(number, _)| port(*number)).collect(),
            key: String::new(),
            signature: String::new(),
        }
    }

    fn peers() -> BTreeMap<String, Vec<u8>> {
        [("second".to_owned(), key("theirs").public().to_vec())].into()
    }

    #[test]
    fn what_a_named_peer_signed_is_read_and_nothing_else() {
        let signed = vantage().signed(&key("theirs")).unwrap();
        let line = signed.line().unwrap();
        assert_eq!(Vantage::read(line.as_bytes(), &peers()), Ok(("second".to_owned(), signed)));
        let strange = vantage().signed(&key("somebody's")).unwrap().line().unwrap();
        assert!(Vantage::read(strange.as_bytes(), &peers()).unwrap_err().contains("audit.peers"));
        for (from, to) in [("closed", "open"), ("192.0.2.1", "192.0.2.2"), ("mx.example.org", "mx.example.com")] {
            let changed = line.replacen(from, to, 1);
            assert_ne!(changed, line);
            assert!(Vantage::read(changed.as_bytes(), &peers()).unwrap_err().contains("signature"), "{to}");
        }
        let other = line.replace(VANTAGE, "mailward-vantage/2");
        assert!(Vantage::read(other.as_bytes(), &peers()).unwrap_err().contains("version"));
        let unsigned = vantage().line().unwrap();
        assert!(Vantage::read(unsigned.as_bytes(), &peers()).is_err());
    }

    #[test]
    fn a_look_at_some_ports_only_is_not_whole() {
        assert!(vantage().is_whole());
        let mut part = vantage();
        part.ports.pop();
        assert!(!part.is_whole());
        part = vantage();
        part.addresses.push("2001:db8::1".parse().unwrap());
        assert!(!part.is_whole());
    }

    #[test]
    fn files_that_count_for_nothing_are_told_and_there_are_only_so_many() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Peers::in_directory(&root.path().join("none"), &peers()), Peers::default());
        let line = vantage().signed(&key("theirs")).unwrap().line().unwrap();
        fs::write(root.path().join("a.json"), &line).unwrap();
        fs::write(root.path().join("b.json"), "\u{1b}").unwrap();
        fs::write(root.path().join("c.txt"), "no").unwrap();
        let found = Peers::in_directory(root.path(), &peers());
        assert_eq!((found.looks.len(), found.refused.len()), (1, 1), "{:?}", found.refused);
        assert!(found.refused[0].starts_with("b.json: "));
        for number in 0..PROBE_PEERS_MAX {
            fs::write(root.path().join(format!("d{number}.json")), &line).unwrap();
        }
        let found = Peers::in_directory(root.path(), &peers());
        assert_eq!(found.looks.len(), PROBE_PEERS_MAX - 1);
        assert!(found.refused.iter().any(|why| why.contains("more than")));
        fs::write(root.path().join("a.json"), vec![b' '; PROBE_STATE_MAX + 1]).unwrap();
        let found = Peers::in_directory(root.path(), &peers());
        assert!(found.refused[0].contains("bytes"));
    }

    proptest! {
        #[test]
        fn whatever_a_file_holds_it_is_no_look_of_a_peer(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Vantage::read(&bytes, &peers()).is_err());
        }
    }
}
