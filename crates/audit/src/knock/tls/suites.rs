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

    /// Broken, or no protection at all: RC4, DES, 3DES, export's short keys, none, nobody's signature; or signed with DSA, whose keys in
    /// TLS are of 1,024 bits.
    pub fn is_broken(&self) -> bool {
        ["RC4", "_DES", "3DES", "EXPORT", "NULL", "anon", "_MD5", "_DSS_"].iter().any(|weak| self.name.contains(weak))
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
pub const SUITES: [Suite; 145] = suites![
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
    0x00a2 TLS_DHE_DSS_WITH_AES_128_GCM_SHA256,
    0x00a3 TLS_DHE_DSS_WITH_AES_256_GCM_SHA384,
    0xc052 TLS_DHE_RSA_WITH_ARIA_128_GCM_SHA256,
    0xc053 TLS_DHE_RSA_WITH_ARIA_256_GCM_SHA384,
    0xc056 TLS_DHE_DSS_WITH_ARIA_128_GCM_SHA256,
    0xc057 TLS_DHE_DSS_WITH_ARIA_256_GCM_SHA384,
    0xc05c TLS_ECDHE_ECDSA_WITH_ARIA_128_GCM_SHA256,
    0xc05d TLS_ECDHE_ECDSA_WITH_ARIA_256_GCM_SHA384,
    0xc060 TLS_ECDHE_RSA_WITH_ARIA_128_GCM_SHA256,
    0xc061 TLS_ECDHE_RSA_WITH_ARIA_256_GCM_SHA384,
    0xc07c TLS_DHE_RSA_WITH_CAMELLIA_128_GCM_SHA256,
    0xc07d TLS_DHE_RSA_WITH_CAMELLIA_256_GCM_SHA384,
    0xc086 TLS_ECDHE_ECDSA_WITH_CAMELLIA_128_GCM_SHA256,
    0xc087 TLS_ECDHE_ECDSA_WITH_CAMELLIA_256_GCM_SHA384,
    0xc08a TLS_ECDHE_RSA_WITH_CAMELLIA_128_GCM_SHA256,
    0xc08b TLS_ECDHE_RSA_WITH_CAMELLIA_256_GCM_SHA384,
    0xc09f TLS_DHE_RSA_WITH_AES_256_CCM,
    0xc0a2 TLS_DHE_RSA_WITH_AES_128_CCM_8,
    0xc0a3 TLS_DHE_RSA_WITH_AES_256_CCM_8,
    0xc0ae TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
    0xc0af TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8,
    0x0011 TLS_DHE_DSS_EXPORT_WITH_DES40_CBC_SHA,
    0x0012 TLS_DHE_DSS_WITH_DES_CBC_SHA,
    0x0040 TLS_DHE_DSS_WITH_AES_128_CBC_SHA256,
    0x0044 TLS_DHE_DSS_WITH_CAMELLIA_128_CBC_SHA,
    0x006a TLS_DHE_DSS_WITH_AES_256_CBC_SHA256,
    0x0087 TLS_DHE_DSS_WITH_CAMELLIA_256_CBC_SHA,
    0x0099 TLS_DHE_DSS_WITH_SEED_CBC_SHA,
    0x00ba TLS_RSA_WITH_CAMELLIA_128_CBC_SHA256,
    0x00bd TLS_DHE_DSS_WITH_CAMELLIA_128_CBC_SHA256,
    0x00be TLS_DHE_RSA_WITH_CAMELLIA_128_CBC_SHA256,
    0x00c0 TLS_RSA_WITH_CAMELLIA_256_CBC_SHA256,
    0x00c3 TLS_DHE_DSS_WITH_CAMELLIA_256_CBC_SHA256,
    0x00c4 TLS_DHE_RSA_WITH_CAMELLIA_256_CBC_SHA256,
    0xc03c TLS_RSA_WITH_ARIA_128_CBC_SHA256,
    0xc03d TLS_RSA_WITH_ARIA_256_CBC_SHA384,
    0xc044 TLS_DHE_RSA_WITH_ARIA_128_CBC_SHA256,
    0xc045 TLS_DHE_RSA_WITH_ARIA_256_CBC_SHA384,
    0xc048 TLS_ECDHE_ECDSA_WITH_ARIA_128_CBC_SHA256,
    0xc049 TLS_ECDHE_ECDSA_WITH_ARIA_256_CBC_SHA384,
    0xc04c TLS_ECDHE_RSA_WITH_ARIA_128_CBC_SHA256,
    0xc04d TLS_ECDHE_RSA_WITH_ARIA_256_CBC_SHA384,
    0xc050 TLS_RSA_WITH_ARIA_128_GCM_SHA256,
    0xc051 TLS_RSA_WITH_ARIA_256_GCM_SHA384,
    0xc072 TLS_ECDHE_ECDSA_WITH_CAMELLIA_128_CBC_SHA256,
    0xc073 TLS_ECDHE_ECDSA_WITH_CAMELLIA_256_CBC_SHA384,
    0xc076 TLS_ECDHE_RSA_WITH_CAMELLIA_128_CBC_SHA256,
    0xc077 TLS_ECDHE_RSA_WITH_CAMELLIA_256_CBC_SHA384,
    0xc07a TLS_RSA_WITH_CAMELLIA_128_GCM_SHA256,
    0xc07b TLS_RSA_WITH_CAMELLIA_256_GCM_SHA384,
    0xc0a0 TLS_RSA_WITH_AES_128_CCM_8,
    0xc0a1 TLS_RSA_WITH_AES_256_CCM_8,
    0x0017 TLS_DH_anon_EXPORT_WITH_RC4_40_MD5,
    0x0019 TLS_DH_anon_EXPORT_WITH_DES40_CBC_SHA,
    0x001a TLS_DH_anon_WITH_DES_CBC_SHA,
    0x001b TLS_DH_anon_WITH_3DES_EDE_CBC_SHA,
    0x0046 TLS_DH_anon_WITH_CAMELLIA_128_CBC_SHA,
    0x006c TLS_DH_anon_WITH_AES_128_CBC_SHA256,
    0x006d TLS_DH_anon_WITH_AES_256_CBC_SHA256,
    0x0089 TLS_DH_anon_WITH_CAMELLIA_256_CBC_SHA,
    0x009b TLS_DH_anon_WITH_SEED_CBC_SHA,
    0x00a6 TLS_DH_anon_WITH_AES_128_GCM_SHA256,
    0x00a7 TLS_DH_anon_WITH_AES_256_GCM_SHA384,
    0x00bf TLS_DH_anon_WITH_CAMELLIA_128_CBC_SHA256,
    0x00c5 TLS_DH_anon_WITH_CAMELLIA_256_CBC_SHA256,
    0xc015 TLS_ECDH_anon_WITH_NULL_SHA,
    0xc016 TLS_ECDH_anon_WITH_RC4_128_SHA,
    0xc017 TLS_ECDH_anon_WITH_3DES_EDE_CBC_SHA,
    0xc046 TLS_DH_anon_WITH_ARIA_128_CBC_SHA256,
    0xc047 TLS_DH_anon_WITH_ARIA_256_CBC_SHA384,
    0xc05a TLS_DH_anon_WITH_ARIA_128_GCM_SHA256,
    0xc05b TLS_DH_anon_WITH_ARIA_256_GCM_SHA384,
    0xc084 TLS_DH_anon_WITH_CAMELLIA_128_GCM_SHA256,
    0xc085 TLS_DH_anon_WITH_CAMELLIA_256_GCM_SHA384,
];
