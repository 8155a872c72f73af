//! Small records of rooms above, as values.

use bytes::Bytes;
use mailward_core::Timestamp;

/// Who keeps records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shelf {
    /// Where mail is brought that doesn't go by DNS.
    Routes,
    /// Policies of other domains (RFC 8461).
    MtaSts,
    /// How TLS went with other domains (RFC 8460).
    TlsReports,
    /// Accounts elsewhere that mail is fetched from.
    Fetch,
    /// What is settled about sending: by whom how much, to whom how.
    Sending,
    /// Rules for addresses, networks and names.
    Rules,
    /// Who is banned, until when.
    Bans,
    /// What is remembered of lists in the DNS.
    Lists,
    /// Senders that were rewritten and have no room in an address.
    Senders,
    /// Who was put off and who came back.
    Greylist,
    /// From where users logged in.
    Devices,
    /// How much came from whom.
    Rates,
    /// What was refused, to whom, why.
    Refusals,
    /// What the administrator was told.
    Alerts,
    /// What was found in messages.
    Verdicts,
    /// Rules for what messages may hold.
    Attachments,
    /// What is remembered of virus scanners and other judges.
    Engines,
    /// What users taught the spam filter.
    Trained,
    /// How mail of other domains was authenticated, until it is reported to them (RFC 9990).
    DmarcReports,
    /// What others report of mail in the name of domains here (RFC 9990).
    DmarcHeard,
    /// To whom the quarantine was shown, and by what word they answer.
    Digests,
    /// What users' programs logged in over.
    Clients,
    /// What came of looking after the store.
    Upkeep,
}

impl Shelf {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::Routes,
        Self::MtaSts,
        Self::TlsReports,
        Self::Fetch,
        Self::Sending,
        Self::Rules,
        Self::Bans,
        Self::Lists,
        Self::Senders,
        Self::Greylist,
        Self::Devices,
        Self::Rates,
        Self::Refusals,
        Self::Alerts,
        Self::Verdicts,
        Self::Attachments,
        Self::Engines,
        Self::Trained,
        Self::DmarcReports,
        Self::DmarcHeard,
        Self::Digests,
        Self::Clients,
        Self::Upkeep,
    ];

    /// Its number in the database, for good.
    pub(crate) const fn number(self) -> i64 {
        match self {
            Self::Routes => 1,
            Self::MtaSts => 2,
            Self::TlsReports => 3,
            Self::Fetch => 4,
            Self::Sending => 5,
            Self::Rules => 6,
            Self::Bans => 7,
            Self::Lists => 8,
            Self::Senders => 9,
            Self::Greylist => 10,
            Self::Devices => 11,
            Self::Rates => 12,
            Self::Refusals => 13,
            Self::Alerts => 14,
            Self::Verdicts => 15,
            Self::Attachments => 16,
            Self::Engines => 17,
            Self::Trained => 18,
            Self::DmarcReports => 19,
            Self::DmarcHeard => 20,
            Self::Digests => 21,
            Self::Clients => 22,
            Self::Upkeep => 23,
        }
    }
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelved {
    /// 1 to `limits::SHELF_KEY_MAX` bytes.
    pub key: String,
    /// At most `limits::SHELF_VALUE_MAX` bytes.
    pub value: Bytes,
    /// From then on it isn't there.
    pub expires: Option<Timestamp>,
}

/// A change of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShelfChange {
    /// It is so from now on, whether or not there was one.
    Put(Shelf, Shelved),
    /// It is new.
    Add(Shelf, Shelved),
    /// It goes.
    Remove(Shelf, String),
}
