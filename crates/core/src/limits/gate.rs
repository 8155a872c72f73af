//! Limits of the gate: who counts as one, how much is remembered of whom.

// ---- who counts as one -------------------------------------------------------------------------------------

/// Bits of an IPv6 address that are one customer's: whoever has one address has its /64 (RFC 6177 §2).
pub const HOST_PREFIX_V6: u8 = 64;
/// Bits of an IPv4 address that neighbours share: the smallest network that is routed.
pub const NEIGHBOURS_PREFIX_V4: u8 = 24;
/// Bits of an IPv6 address that neighbours share: one site (RFC 6177 §2).
pub const NEIGHBOURS_PREFIX_V6: u8 = 48;
