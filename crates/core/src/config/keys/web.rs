//! Keys of pages.

use super::Key;
use crate::config::Origin;
use crate::config::value::quoted;

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[Key {
    path: "web.origin",
    form: "\"https://host\" or \"https://host:port\", or \"none\"",
    unit: "what links begin with",
    help: "Where users reach the pages of `listen.https`, or of the proxy before `listen.http`. Links in mail begin\nwith it, whatever a browser says that this host is called. See docs/web.md.",
    reloads: false,
    read: |c, v| v.origin().map(|origin| c.web.origin = origin),
    write: |c| quoted(c.web.origin.as_ref().map_or("none", Origin::as_str)),
}];
