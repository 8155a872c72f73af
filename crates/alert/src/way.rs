//! How a message gets to the administrator.

pub(crate) mod mail;
pub(crate) mod syslog;
pub(crate) mod webhook;

use crate::message::Message;
use std::future::Future;
use std::pin::Pin;

/// What comes of one try.
pub type Brought<'a> = Pin<Box<dyn Future<Output = Result<(), WayError>> + Send + 'a>>;

/// Why a message couldn't be brought, in words for the log: without a secret, and tamed where it is shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WayError(pub String);

/// A way that messages go. It tries once; who calls it bounds its time and tries again.
pub trait Way: Send + Sync + 'static {
    /// Its name, one word.
    fn name(&self) -> &'static str;
    /// Where it leads, for people; without a secret.
    fn leads_to(&self) -> String;
    /// Brings a message. May be dropped at any instant. A message may come twice, under the same id.
    fn bring<'a>(&'a self, message: &'a Message) -> Brought<'a>;
}
