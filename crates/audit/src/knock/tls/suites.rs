//! Cipher suites by number and name (IANA's registry), and what a name says.

use super::Version;

/// A cipher suite.
#[derive(Debug, PartialEq, Eq)]
pub struct Suite {
    /// Its number.
    pub id: u16,
    /// IANA's name.
    pub name: &'static str,
}

impl Suite {
    /// Whether content is encrypted and authenticated as one (RFC 5116).
    pub fn is_aead(&self) -> bool {
        ["_GCM_", "_CCM", "CHACHA20_POLY1305"].iter().any(|mode| self.name.contains(mode))
    }

    /// Whether a key that is stolen later opens nothing of what was said before.
    pub fn is_forward_secret(&self) -> bool {
        self.is_tls13() || (self.name.starts_with("TLS_ECDHE_") || self.name.starts_with("TLS_DHE_"))
    }

    /// Broken, or no protection at all: RC4, DES, 3DES, export's short keys, none, nobody's signature.
    pub fn is_broken(&self) -> bool {
        ["RC4", "_DES", "3DES", "EXPORT", "NULL", "anon", "_MD5"].iter().any(|weak| self.name.contains(weak))
    }

    /// AEAD with forward secrecy, and not broken.
    pub fn is_good(&self) -> bool {
        self.is_aead() && self.is_forward_secret() && !self.is_broken()
    }

    /// Whether keys are agreed on by a curve, with parameters of the server's in clear.
    pub fn has_curve(&self) -> bool {
        self.name.starts_with("TLS_ECDHE_") || self.name.starts_with("TLS_ECDH_anon")
    }

    /// Whether a server signs its part of the key exchange.
    pub(super) fn is_signed(&self) -> bool {
        !self.name.contains("anon")
    }

    /// Whether it is one of TLS 1.3's.
    pub fn is_tls13(&self) -> bool {
        !self.name.contains("_WITH_")
    }

    /// Whether it needs TLS 1.2: AEAD, and hashes that are named.
    fn is_tls12(&self) -> bool {
        !self.is_tls13() && (self.is_aead() || self.name.ends_with("_SHA256") || self.name.ends_with("_SHA384"))
    }
}

/// The suite of a number.
pub fn find(id: u16) -> Option<&'static Suite> {
    SUITES.iter().find(|suite| suite.id == id)
}

/// The numbers of the suites that can be asked for in a version.
pub fn of(version: Version) -> Vec<u16> {
    let fits = |suite: &&Suite| match version {
        Version::TLS13 => suite.is_tls13(),
        Version::TLS12 => !suite.is_tls13(),
        _ => !suite.is_tls13() && !suite.is_tls12(),
    };
    SUITES.iter().filter(fits).map(|suite| suite.id).collect()
}

macro_rules! suites {
    ($($id:literal $name:ident),+ $(,)?) => { [$(Suite { id: $id, name: stringify!($name) }),+] };
}

/// What is asked for: what is good, what was usual, and what is broken.
pub const SUITES: [Suite; 71] = suites![
    0x1301 TLS_AES_128_GCM_SHA256,
    0x1302 TLS_AES_256_GCM_SHA384,
    0x1303 TLS_CHACHA20_POLY1305_SHA256,
    0x1304 TLS_AES_128_CCM_SHA256,
    0x1305 TLS_AES_128_CCM_8_SHA256,
    0xc02b TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    0xc02c TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    0xc02f TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    0xc030 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    0xcca8 TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0xcca9 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    0xccaa TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0xc0ac TLS_ECDHE_ECDSA_WITH_AES_128_CCM,
    0xc0ad TLS_ECDHE_ECDSA_WITH_AES_256_CCM,
    0x009e TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
    0x009f TLS_DHE_RSA_WITH_AES_256_GCM_SHA384,
    0xc09e TLS_DHE_RSA_WITH_AES_128_CCM,
    0xc023 TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
    0xc024 TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384,
    0xc027 TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
    0xc028 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
    0xc009 TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
    0xc00a TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
    0xc013 TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
    0xc014 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
    0x0067 TLS_DHE_RSA_WITH_AES_128_CBC_SHA256,
    0x006b TLS_DHE_RSA_WITH_AES_256_CBC_SHA256,
    0x0033 TLS_DHE_RSA_WITH_AES_128_CBC_SHA,
    0x0039 TLS_DHE_RSA_WITH_AES_256_CBC_SHA,
    0x0045 TLS_DHE_RSA_WITH_CAMELLIA_128_CBC_SHA,
    0x0088 TLS_DHE_RSA_WITH_CAMELLIA_256_CBC_SHA,
    0x009a TLS_DHE_RSA_WITH_SEED_CBC_SHA,
    0x0032 TLS_DHE_DSS_WITH_AES_128_CBC_SHA,
    0x0038 TLS_DHE_DSS_WITH_AES_256_CBC_SHA,
    0x009c TLS_RSA_WITH_AES_128_GCM_SHA256,
    0x009d TLS_RSA_WITH_AES_256_GCM_SHA384,
    0xc09c TLS_RSA_WITH_AES_128_CCM,
    0xc09d TLS_RSA_WITH_AES_256_CCM,
    0x003c TLS_RSA_WITH_AES_128_CBC_SHA256,
    0x003d TLS_RSA_WITH_AES_256_CBC_SHA256,
    0x002f TLS_RSA_WITH_AES_128_CBC_SHA,
    0x0035 TLS_RSA_WITH_AES_256_CBC_SHA,
    0x0041 TLS_RSA_WITH_CAMELLIA_128_CBC_SHA,
    0x0084 TLS_RSA_WITH_CAMELLIA_256_CBC_SHA,
    0x0096 TLS_RSA_WITH_SEED_CBC_SHA,
    0x0007 TLS_RSA_WITH_IDEA_CBC_SHA,
    0xc008 TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA,
    0xc012 TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA,
    0x0016 TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA,
    0x0013 TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA,
    0x000a TLS_RSA_WITH_3DES_EDE_CBC_SHA,
    0xc007 TLS_ECDHE_ECDSA_WITH_RC4_128_SHA,
    0xc011 TLS_ECDHE_RSA_WITH_RC4_128_SHA,
    0x0005 TLS_RSA_WITH_RC4_128_SHA,
    0x0004 TLS_RSA_WITH_RC4_128_MD5,
    0x0009 TLS_RSA_WITH_DES_CBC_SHA,
    0x0015 TLS_DHE_RSA_WITH_DES_CBC_SHA,
    0x0003 TLS_RSA_EXPORT_WITH_RC4_40_MD5,
    0x0006 TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5,
    0x0008 TLS_RSA_EXPORT_WITH_DES40_CBC_SHA,
    0x0014 TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA,
    0x0001 TLS_RSA_WITH_NULL_MD5,
    0x0002 TLS_RSA_WITH_NULL_SHA,
    0x003b TLS_RSA_WITH_NULL_SHA256,
    0xc006 TLS_ECDHE_ECDSA_WITH_NULL_SHA,
    0xc010 TLS_ECDHE_RSA_WITH_NULL_SHA,
    0x0034 TLS_DH_anon_WITH_AES_128_CBC_SHA,
    0x003a TLS_DH_anon_WITH_AES_256_CBC_SHA,
    0x0018 TLS_DH_anon_WITH_RC4_128_MD5,
    0xc018 TLS_ECDH_anon_WITH_AES_128_CBC_SHA,
    0xc019 TLS_ECDH_anon_WITH_AES_256_CBC_SHA,
];
