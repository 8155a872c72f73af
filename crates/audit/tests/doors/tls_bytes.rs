//! First messages of TLS, as a server reads them: for the test's server, and to hold what we write against.

/// What a client offers.
#[derive(Debug, Default)]
pub(crate) struct Offered {
    pub(crate) version: u16,
    pub(crate) suites: Vec<u16>,
    pub(crate) compression: Vec<u8>,
    pub(crate) groups: Vec<u16>,
    pub(crate) signatures: Vec<u16>,
    pub(crate) name: Option<String>,
    pub(crate) versions: Vec<u16>,
    pub(crate) shares: usize,
    pub(crate) extended_master_secret: bool,
    pub(crate) secure_renegotiation: bool,
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }
    fn number(&mut self, count: usize) -> usize {
        self.take(count).iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
    }
    fn word(&mut self) -> u16 {
        u16::try_from(self.number(2)).unwrap()
    }
    fn counted(&mut self, count: usize) -> Bytes<'a> {
        let length = self.number(count);
        Bytes(self.take(length))
    }
    fn words(mut self) -> Vec<u16> {
        let mut all = Vec::new();
        while !self.0.is_empty() {
            all.push(self.word());
        }
        all
    }
}

/// Reads a record with a client's first message.
pub(crate) fn read(record: &[u8]) -> Offered {
    let mut record = Bytes(record);
    assert_eq!(record.number(1), 22, "a handshake");
    let _outer = record.word();
    let mut message = record.counted(2);
    assert_eq!(message.number(1), 1, "a first message");
    let mut body = message.counted(3);
    let mut offered = Offered { version: body.word(), ..Offered::default() };
    body.take(32);
    let _session = body.counted(1);
    offered.suites = body.counted(2).words();
    offered.compression = body.counted(1).0.to_vec();
    if body.0.is_empty() {
        return offered;
    }
    let mut extensions = body.counted(2);
    while !extensions.0.is_empty() {
        let kind = extensions.word();
        let mut one = extensions.counted(2);
        match kind {
            0 => {
                let mut list = one.counted(2);
                list.take(1);
                offered.name = Some(String::from_utf8(list.counted(2).0.to_vec()).unwrap());
            }
            10 => offered.groups = one.counted(2).words(),
            13 => offered.signatures = one.counted(2).words(),
            43 => offered.versions = one.counted(1).words(),
            51 => offered.shares = one.number(2),
            23 => offered.extended_master_secret = true,
            0xff01 => offered.secure_renegotiation = true,
            _ => {}
        }
    }
    offered
}

fn counted(count: usize, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&length[4 - count..], body].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [vec![kind], counted(3, body)].concat()
}

/// A record.
pub(crate) fn record(kind: u8, version: u16, body: &[u8]) -> Vec<u8> {
    [vec![kind], version.to_be_bytes().to_vec(), counted(2, body)].concat()
}

/// A refusal.
pub(crate) fn alert(version: u16, what: u8) -> Vec<u8> {
    record(21, version, &[2, what])
}

/// What a server picks.
#[derive(Clone, Debug)]
pub(crate) struct Picked {
    pub(crate) version: u16,
    pub(crate) suite: u16,
    pub(crate) compression: u8,
    pub(crate) extended_master_secret: bool,
    pub(crate) secure_renegotiation: bool,
    /// Of TLS 1.3: asked to try again with it.
    pub(crate) group: Option<u16>,
    /// Its part of the key exchange, as it is on the wire.
    pub(crate) exchange: Vec<u8>,
}

/// A server's first flight.
pub(crate) fn flight(picked: &Picked) -> Vec<u8> {
    flight_with(picked, 1)
}

/// The same with so many certificates.
pub(crate) fn flight_with(picked: &Picked, certificates: usize) -> Vec<u8> {
    let is_new = picked.version == 0x0304;
    let mut extensions = Vec::new();
    let mut extension = |kind: u16, body: &[u8]| {
        extensions.extend_from_slice(&kind.to_be_bytes());
        extensions.extend(counted(2, body));
    };
    if is_new {
        extension(43, &picked.version.to_be_bytes());
        if let Some(group) = picked.group {
            extension(51, &group.to_be_bytes());
        }
    }
    if picked.extended_master_secret {
        extension(23, &[]);
    }
    if picked.secure_renegotiation {
        extension(0xff01, &[0]);
    }
    let legacy = if is_new { 0x0303 } else { picked.version };
    let mut hello = legacy.to_be_bytes().to_vec();
    hello.extend_from_slice(&[1; 32]);
    hello.push(0);
    hello.extend_from_slice(&picked.suite.to_be_bytes());
    hello.push(picked.compression);
    if !extensions.is_empty() {
        hello.extend(counted(2, &extensions));
    }
    let mut all = message(2, &hello);
    if !is_new {
        all.extend(message(11, &counted(3, &counted(3, b"a certificate").repeat(certificates))));
        if !picked.exchange.is_empty() {
            all.extend(message(12, &picked.exchange));
        }
        all.extend(message(14, &[]));
    }
    record(22, legacy, &all)
}

/// A part of a key exchange on a curve, signed so.
pub(crate) fn curve(group: u16, signature: Option<u16>) -> Vec<u8> {
    let mut body = vec![3];
    body.extend_from_slice(&group.to_be_bytes());
    body.extend(counted(1, &[4; 65]));
    body.extend(signature.map(u16::to_be_bytes).into_iter().flatten());
    body.extend(counted(2, &[7; 70]));
    body
}

/// A part of a key exchange with a prime of so many bytes.
pub(crate) fn prime(bytes: usize, signature: Option<u16>) -> Vec<u8> {
    let mut body = counted(2, &vec![0xff; bytes]);
    body.extend(counted(2, &[2]));
    body.extend(counted(2, &vec![0x11; bytes]));
    body.extend(signature.map(u16::to_be_bytes).into_iter().flatten());
    body.extend(counted(2, &[7; 70]));
    body
}
