//! Limits of what strangers who bring mail meet: marks, greeting, greylisting, unknown recipients.

use std::time::Duration;

// ---- strangers who bring mail ------------------------------------------------------------------------------

/// Points from which a stranger looks bad: two weak signs, or one strong one. Default of `gate.greylist_at`.
pub const GUARD_GREYLIST_AT: usize = 3;
/// Points from which a stranger is refused: more than any one sign that isn't a list's has. Default of `gate.refuse_at`.
pub const GUARD_REFUSE_AT: usize = 8;
/// Most that a mark may be: out of reach.
pub const GUARD_MARK_MAX: usize = 1_000;
/// Signs that one judgement keeps: every one that there is, and a list's each.
pub const JUDGEMENT_SIGNS_MAX: usize = 64;
/// Connections open at once from neighbours (an IPv4 /24, an IPv6 /48): a quarter of all. This host isn't counted.
pub const CONNECTIONS_PER_NETWORK_MAX: usize = 1_000;
/// Recipients of one message of a stranger: what RFC 5321 §4.5.3.1.8 demands. Who has more sends in parts.
pub const SMTP_STRANGER_RECIPIENTS_MAX: usize = 100;

/// Seconds that a stranger waits for the greeting who looks bad or isn't known yet: longer than programs wait that don't
/// wait. RFC 5321 §4.5.3.2.1 gives it 5 minutes. Default of `gate.greeting_delay`.
pub const GREETING_DELAY: usize = 5;
/// Most that `gate.greeting_delay` may be, seconds: some clients give up after half a minute, whatever the standard says.
pub const GREETING_DELAY_MAX: usize = 30;
/// How long what the DNS says of a client is waited for before it is greeted late: one round trip of an answer that isn't
/// in the resolver's memory is less.
pub const STANDING_WAIT: Duration = Duration::from_secs(2);
/// How long the same is waited for before a recipient is decided on: a little longer than whatever is asked may take
/// ([`super::INQUIRY_TIME`], [`super::SPF_TIME`]), so that who makes it slow gains nothing by it.
pub const JUDGEMENT_WAIT: Duration = Duration::from_secs(22);
/// What was found of greeting and sender of a message counts so long for the next ones of its session.
pub const JUDGEMENT_KEPT: Duration = Duration::from_secs(300);
/// MAIL commands of a session that no recipient followed, before 421: each has the DNS asked about a domain.
pub const SMTP_EMPTY_MAILS_MAX: usize = 10;
/// Bytes that are read of whoever speaks before the greeting, to tell what it speaks.
pub const EARLY_BYTES_MAX: usize = 1_024;

// ---- unknown recipients ------------------------------------------------------------------------------------

/// Recipients that may be refused in a session before each further one is answered late: typing errors and old lists.
pub const TARPIT_FREE: usize = 2;
/// How much later each is answered than the one before: a guesser gets slower and slower (attacks A6).
pub const TARPIT_STEP: Duration = Duration::from_secs(1);
/// Longest delay of one answer: honest senders wait 5 minutes (RFC 5321 §4.5.3.2.3), several RCPT in one go included.
pub const TARPIT_MAX: Duration = Duration::from_secs(10);
/// Recipients refused in a session that count as a sign against its host.
pub const UNKNOWN_RECIPIENTS_SIGN: usize = 5;
/// Refused recipients in a session before 421 if the stranger looks bad: instead of `SMTP_UNKNOWN_RECIPIENTS_MAX`.
pub const SMTP_UNKNOWN_RECIPIENTS_BAD_MAX: usize = 10;

/// Recipients put off (4xx) in a session before 421: as many as one message may have; who has more comes back with the rest,
/// and nobody goes on for an hour at the speed of the line.
pub const SMTP_DEFERRED_RECIPIENTS_MAX: usize = 1_000;

// ---- greylisting -------------------------------------------------------------------------------------------

/// Seconds that whoever looks bad is put off: real servers try again after a minute or more (RFC 6647 §4.5). Default of
/// `gate.greylist_wait`.
pub const GREYLIST_WAIT: usize = 60;
/// Most that `gate.greylist_wait` may be, seconds: five minutes.
pub const GREYLIST_WAIT_MAX: usize = 300;
/// How long it is remembered that somebody was put off: a server that tries again does so within a day.
pub const GREYLIST_TRY_TIME: Duration = Duration::from_secs(2 * 24 * 3_600);
/// How long it is remembered that somebody came back, from the last time on: a newsletter of each month isn't put off.
pub const GREYLIST_PASS_TIME: Duration = Duration::from_secs(35 * 24 * 3_600);
/// Tries and passes that are remembered, some 100 bytes of memory and a row each; beyond, one
/// goes of the region, neighbourhood and network that have most.
pub const GREYLIST_ENTRIES_MAX: usize = 200_000;
/// Tries that are remembered of one network (an IPv4 /24, an IPv6 /64); beyond, its oldest goes.
pub const GREYLIST_TRIES_PER_NETWORK: usize = 1_000;
/// Tries that are remembered of neighbours (an IPv6 /48, which one customer may have); beyond, one goes of its network that has
/// most.
pub const GREYLIST_TRIES_PER_NEIGHBOURS: usize = 2_000;
/// Tries that are remembered of a region (an IPv4 /16, an IPv6 /32, about one provider): a twentieth of all; beyond, one goes
/// of its neighbours that have most.
pub const GREYLIST_TRIES_PER_REGION: usize = 10_000;
/// Least time between two writes of what greylisting remembers: a flood is one commit a second, a lone try is written at once.
pub const GREYLIST_WRITE_PAUSE: Duration = Duration::from_secs(1);
/// Changes in one write: of a flood, the rest waits for the next.
pub const GREYLIST_WRITE_CHANGES: usize = 500;
/// How late it may be noted that a pass was used anew: most messages write nothing for it.
pub const GREYLIST_NOTE_TIME: Duration = Duration::from_secs(24 * 3_600);
