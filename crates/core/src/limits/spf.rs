//! Limits of SPF: what a domain's records may cost us, and others by way of us.

use std::time::Duration;

// ---- SPF ---------------------------------------------------------------------------------------------------

/// One check, its explanation included; what isn't known by then is a temporary error. RFC 7208 §4.6.4 asks for 20 seconds
/// at least (attacks D6).
pub const SPF_TIME: Duration = Duration::from_secs(20);
/// Terms of all records of one check that cost a lookup: `include`, `a`, `mx`, `ptr`, `exists`, `redirect`. RFC 7208 §4.6.4.
pub const SPF_LOOKUP_TERMS_MAX: usize = 10;
/// Hosts of one `mx` and names of one address (`ptr`, `%{p}`) that are looked up. More hosts are an error; more names are
/// left out. RFC 7208 §4.6.4.
pub const SPF_NAMES_MAX: usize = 10;
/// Terms of one check that may ask for something that isn't there. RFC 7208 §4.6.4, §11.1.
pub const SPF_VOID_LOOKUPS_MAX: usize = 2;
/// Questions that one check may cost, whoever is asked. What RFC 7208 allows adds up to 111; no record in use comes near
/// (attacks D6).
pub const SPF_QUESTIONS_MAX: usize = 100;
/// Questions that the check of a greeting may cost beside that of a sender, which decides.
pub const SPF_HELLO_QUESTIONS_MAX: usize = 30;
/// Questions about strangers' senders that are on their way at once.
pub const SPF_LOOKUPS_AT_ONCE: usize = 48;
/// The same for one host.
pub const SPF_LOOKUPS_PER_HOST_MAX: usize = 6;
/// Questions about what strangers greet with that are on their way at once: they take no turn from those about senders.
pub const SPF_HELLO_LOOKUPS_AT_ONCE: usize = 16;
/// The same for one host.
pub const SPF_HELLO_LOOKUPS_PER_HOST_MAX: usize = 2;
/// Largest record or explanation that is read, bytes. RFC 7208 §3.4 asks for 450 at most; some list networks by the hundred.
pub const SPF_RECORD_MAX: usize = 8 * 1024;
/// Terms of one record. As many networks as [`SPF_RECORD_MAX`] has room for.
pub const SPF_TERMS_MAX: usize = 700;
/// Macros of one term or explanation. RFC 7208 §7.4 has at most four together.
pub const SPF_MACROS_MAX: usize = 64;
/// Longest name that a client may greet with and still be known by it in macros, bytes. RFC 5321 §4.5.3.1.2.
pub const SPF_HELLO_MAX: usize = 255;
/// Longest explanation that is handed on, bytes. RFC 5321 §4.5.3.1.5 leaves 512 for a whole reply; it is cut.
pub const SPF_EXPLANATION_MAX: usize = 300;
/// Longest reason of a result, and longest term that is named in one, characters; they are cut.
pub const SPF_WORDS_MAX: usize = 255;
