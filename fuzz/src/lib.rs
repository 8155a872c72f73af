//! What each fuzz target does with its bytes: more than not to panic, it says what must hold. The same functions
//! replay the corpus in `crates/mailward/tests/corpus.rs`, which includes this file.

pub mod address;
pub mod ambiguity;
pub mod arc;
pub mod authentication_results;
pub mod config;
pub mod content_rule;
pub mod dkim;
pub mod dmarc_record;
pub mod dmarc_report;
pub mod dns_answer;
pub mod engine_answer;
pub mod event;
pub mod fetch_imap;
pub mod fetch_pop3;
pub mod foreign;
pub mod guard;
pub mod host_files;
pub mod imap_command;
pub mod lists;
pub mod mailbox_name;
pub mod milter_line;
pub mod milter_packet;
pub mod mime;
pub mod names;
pub mod pack;
pub mod parcel;
pub mod pop3_command;
pub mod probe_texts;
pub mod qmail;
pub mod qmail_scanner;
pub mod rates;
pub mod report;
pub mod route;
pub mod rule_line;
pub mod sasl;
pub mod scan_document;
pub mod scan_kind;
pub mod scan_open;
pub mod scanner_answer;
pub mod smtp_answer;
pub mod smtp_body;
pub mod smtp_command;
pub mod smtp_extensions;
pub mod spam_tokens;
pub mod spf;
pub mod sts;
pub mod submission;
pub mod tcprules;
pub mod thread;
pub mod tls_flight;
pub mod written;

/// A target's name, which is also its corpus's, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 51] = [
    ("address", address::run),
    ("ambiguity", ambiguity::run),
    ("arc", arc::run),
    ("authentication_results", authentication_results::run),
    ("config", config::run),
    ("content_rule", content_rule::run),
    ("dkim", dkim::run),
    ("dmarc_record", dmarc_record::run),
    ("dmarc_report", dmarc_report::run),
    ("dns_answer", dns_answer::run),
    ("engine_answer", engine_answer::run),
    ("event", event::run),
    ("fetch_imap", fetch_imap::run),
    ("fetch_pop3", fetch_pop3::run),
    ("foreign", foreign::run),
    ("guard", guard::run),
    ("host_files", host_files::run),
    ("imap_command", imap_command::run),
    ("lists", lists::run),
    ("mailbox_name", mailbox_name::run),
    ("milter_line", milter_line::run),
    ("milter_packet", milter_packet::run),
    ("mime", mime::run),
    ("names", names::run),
    ("pack", pack::run),
    ("parcel", parcel::run),
    ("pop3_command", pop3_command::run),
    ("probe_texts", probe_texts::run),
    ("qmail", qmail::run),
    ("qmail_scanner", qmail_scanner::run),
    ("rates", rates::run),
    ("report", report::run),
    ("route", route::run),
    ("rule_line", rule_line::run),
    ("sasl", sasl::run),
    ("scan_document", scan_document::run),
    ("scan_kind", scan_kind::run),
    ("scan_open", scan_open::run),
    ("scanner_answer", scanner_answer::run),
    ("smtp_answer", smtp_answer::run),
    ("smtp_body", smtp_body::run),
    ("smtp_command", smtp_command::run),
    ("smtp_extensions", smtp_extensions::run),
    ("spam_tokens", spam_tokens::run),
    ("spf", spf::run),
    ("sts", sts::run),
    ("submission", submission::run),
    ("tcprules", tcprules::run),
    ("thread", thread::run),
    ("tls_flight", tls_flight::run),
    ("written", written::run),
];

/// Splits off a first byte that steers the target, so that one input holds everything.
fn steered(data: &[u8]) -> Option<(u8, &[u8])> {
    data.split_first().map(|(first, rest)| (*first, rest))
}

/// Pieces of varying length that make up `data`: how bytes may come from a network. `seed` 0 gives all in one.
fn pieces(data: &[u8], seed: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    let mut state = u32::from(seed);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        let wanted =
            if seed == 0 { rest.len() } else { 1 + usize::try_from(state >> 16).unwrap_or(0) % usize::from(seed) };
        let (piece, after) = rest.split_at(wanted.min(rest.len()));
        rest = after;
        Some(piece)
    })
}
