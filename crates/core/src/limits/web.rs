//! Limits of pages.

use std::time::Duration;

/// Longest `web.origin`, bytes: a host's name with a scheme and a port.
pub const WEB_ORIGIN_MAX: usize = 300;
/// Bytes of a request's line and header. hyper reads no more; a browser without cookies sends below 2 KiB.
pub const WEB_HEADER_BYTES_MAX: usize = 16 * 1024;
/// Fields of a request's header. Browsers send some twenty.
pub const WEB_HEADER_FIELDS_MAX: usize = 64;
/// Longest path of a request, bytes: those of ours are below 100.
pub const WEB_PATH_MAX: usize = 512;
/// Bytes of a request's body: forms of ours have an empty one.
pub const WEB_BODY_MAX: usize = 4 * 1024;
/// Time for a request's header, from the end of the handshake. Slowloris.
pub const WEB_HEADER_TIME: Duration = Duration::from_secs(10);
/// Time for a request's body.
pub const WEB_BODY_TIME: Duration = Duration::from_secs(10);
/// Time for one whole connection behind the handshake: one request, one answer.
pub const WEB_CONNECTION_TIME: Duration = Duration::from_secs(60);
/// Connections for pages at once: less than there are places in all, so that pages take none from mail.
pub const WEB_CONNECTIONS_MAX: usize = 256;
/// Connections for pages at once from one address (IPv4) or one /64 (IPv6). On loopback, where a proxy is, only
/// [`WEB_CONNECTIONS_MAX`] counts.
pub const WEB_CONNECTIONS_PER_ADDRESS_MAX: usize = 16;
/// Links from one address (IPv4) or one /64 (IPv6) that are none, within [`WEB_WRONG_TIME`]; after it nothing is looked up for that
/// address. Programs that follow links in old mail stay below.
pub const WEB_WRONG_LINKS_MAX: u32 = 30;
/// The same from loopback, where a proxy is that stands for everybody.
pub const WEB_WRONG_LINKS_HERE_MAX: u32 = 600;
/// How long wrong links count.
pub const WEB_WRONG_TIME: Duration = Duration::from_secs(600);
/// Addresses whose wrong links are counted; beyond, those that count least give way.
pub const WEB_WRONG_ADDRESSES_MAX: usize = 10_000;
/// Bytes of a message that are read for a page, for its parts and its text.
pub const WEB_PREVIEW_READ_MAX: usize = 1024 * 1024;
/// Text of a message on a page, bytes.
pub const WEB_PREVIEW_TEXT_MAX: usize = 8 * 1024;
/// Files of a message that a page names.
pub const WEB_PREVIEW_PARTS_MAX: usize = 20;
