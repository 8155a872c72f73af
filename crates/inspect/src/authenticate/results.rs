//! What was found out, and its words.

use mailward_core::Domain;
use mailward_message::dkim::ChainStatus;

/// What a signature is worth, as RFC 8601 §2.7.1 names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It doesn't.
    Fail,
    /// It holds, and isn't to be believed all the same.
    Policy,
    /// It can't be known now.
    TempError,
    /// It can't be known.
    PermError,
}

impl Verdict {
    /// As a field says it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Policy => "policy",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

/// A DKIM signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dkim {
    /// What it is worth.
    pub verdict: Verdict,
    /// Why; empty if it passes. Words of ours: never quotes, control characters or what an outsider wrote.
    pub why: String,
    /// Who answers for it; none if the signature can't be read.
    pub signer: Option<(Domain, String)>,
    /// Its first characters, which tell it from others (RFC 6008): base64.
    pub mark: String,
}

/// The chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arc {
    /// Whether it holds.
    pub status: ChainStatus,
    /// Why not; empty if it does or there is none. Words as of [`Dkim::why`].
    pub why: String,
    /// Its newest set's number; 0 without.
    pub highest: u32,
    /// The number of the next set; none if nobody may add one (RFC 8617 §5.1).
    pub next: Option<u32>,
    /// The sets as the next seal signs them; empty unless the chain holds.
    pub relaxed: Vec<u8>,
    /// Who sealed last; none unless the chain holds.
    pub sealer: Option<Domain>,
    /// Who sealed and what each found out of the message as it came there, the newest first; empty unless the chain holds.
    pub told: Vec<Told>,
}

/// What a server says under its seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Whose key sealed.
    pub sealer: Domain,
    /// The value of its `ARC-Authentication-Results`, which an outsider wrote.
    pub results: Vec<u8>,
}

/// What a message proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Results {
    /// Its signatures, from the top, at most `limits::DKIM_SIGNATURES_MAX`.
    pub dkim: Vec<Dkim>,
    /// Its chain.
    pub arc: Arc,
}

impl Results {
    /// What an `Authentication-Results` field says behind its colon (RFC 8601 §2.2), folded, without line end: `server` is
    /// who found it out. It tells what was looked at and nothing else.
    #[must_use]
    pub fn text(&self, server: &Domain) -> String {
        let mut text = server.to_string();
        self.write_dkim(&mut text);
        self.write_arc(&mut text);
        text
    }

    pub(super) fn write_dkim(&self, text: &mut String) {
        if self.dkim.is_empty() {
            text.push_str(";\r\n\tdkim=none");
        }
        for dkim in &self.dkim {
            text.push_str(&format!(";\r\n\tdkim={}", dkim.verdict.name()));
            reason(&dkim.why, text);
            if let Some((domain, selector)) = &dkim.signer {
                text.push_str(&format!("\r\n\theader.d={domain} header.s={selector} header.b=\"{}\"", dkim.mark));
            }
        }
    }

    pub(super) fn write_arc(&self, text: &mut String) {
        text.push_str(&format!(";\r\n\tarc={}", self.arc.status.name()));
        reason(&self.arc.why, text);
    }
}

fn reason(why: &str, text: &mut String) {
    if !why.is_empty() {
        text.push_str(&format!(" reason=\"{why}\""));
    }
}
