//! By HTTPS: one POST of one JSON object, to the one place that the administrator named.

use super::{Brought, Way, WayError};
use crate::message::Message;
use mailward_core::Domain;
use mailward_core::config::Webhook;
use mailward_sts::Https;
use mailward_vault::Signer;

/// The field that has the signature: `sha256=` and 64 digits, an HMAC of the body.
const SIGNATURE: &str = "mailward-signature";

/// See the module.
pub struct ByWebhook {
    https: Https,
    to: Webhook,
    signer: Option<Signer>,
    hostname: Domain,
}

impl ByWebhook {
    /// To this place, signed if there is who signs.
    #[must_use]
    pub const fn new(https: Https, to: Webhook, signer: Option<Signer>, hostname: Domain) -> Self {
        Self { https, to, signer, hostname }
    }
}

impl Way for ByWebhook {
    fn name(&self) -> &'static str {
        "webhook"
    }
    fn leads_to(&self) -> String {
        self.to.to_string()
    }
    fn bring<'a>(&'a self, message: &'a Message) -> Brought<'a> {
        Box::pin(async move {
            let body =
                serde_json::to_vec(&message.json(self.hostname.as_str())).map_err(|e| WayError(e.to_string()))?;
            let proof = self.signer.as_ref().map(|signer| (SIGNATURE, format!("sha256={}", signer.sign(&body))));
            let (host, port, path) = (self.to.host(), self.to.port(), self.to.path());
            let posted = self.https.post_signed(host, port, path, "application/json", body.into(), proof).await;
            posted.map_err(|error| WayError(error.to_string()))
        })
    }
}
