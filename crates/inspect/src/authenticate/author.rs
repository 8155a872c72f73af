//! Who a message says that it is from.

use mailward_core::{Address, Domain};
use mailward_message::header::header_end;
use mailward_message::submission::{self, ClaimFault};

/// The one author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// As it stands in `From`.
    pub address: Address,
    /// Its domain.
    pub domain: Domain,
}

/// Why nobody can say who a message is from (attacks D1). The words hold nothing of the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorFault {
    /// There isn't one author, or readers could find different ones.
    #[error(transparent)]
    Header(#[from] ClaimFault),
    /// An address without a domain that could say anything of its mail: `[192.0.2.1]`.
    #[error("the From field has an address without a domain")]
    NoDomain,
}

/// The author of a message: of the one address in its one `From`, read by the parser whose words IMAP shows.
///
/// # Errors
/// [`AuthorFault`].
pub fn author(message: &[u8]) -> Result<Author, AuthorFault> {
    let header = message.get(..header_end(message)).unwrap_or_default();
    let address = submission::author(header)?;
    match address.domain().cloned() {
        Some(domain) => Ok(Author { address, domain }),
        None => Err(AuthorFault::NoDomain),
    }
}
