//! Answers: a status and a page, with the fields that every one of them has.

use crate::page::{STYLE, style_source};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    RETRY_AFTER, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Response, StatusCode};

/// What is answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// HTML, whole.
    pub(crate) html: String,
    /// Methods that are taken there, where it wasn't one of them.
    pub(crate) allow: Option<&'static str>,
    /// When to come again, seconds.
    pub(crate) retry_after: Option<u64>,
}

/// What every answer has, beside those that are made: nobody keeps it, frames it, reads anything else out of it, or hears where
/// its reader comes from.
fn always() -> [(HeaderName, &'static str); 9] {
    [
        (CACHE_CONTROL, "no-store"),
        (CONNECTION, "close"),
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    ]
}

/// Two years (RFC 6797 §6.1.1).
const HSTS: &str = "max-age=63072000";

/// What a page may load and do: its own style, and forms to where it is from.
#[derive(Debug)]
pub(crate) struct Policy {
    csp: HeaderValue,
    /// Only what comes by TLS may say it (RFC 6797 §7.2).
    hsts: bool,
}

impl Policy {
    pub(crate) fn new(is_tls: bool) -> Self {
        let csp = format!(
            "default-src 'none'; style-src '{}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            style_source(STYLE)
        );
        // Base64 and words of ours can always stand there.
        let csp = HeaderValue::try_from(csp).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
        Self { csp, hsts: is_tls }
    }

    /// An answer as it goes out.
    pub(crate) fn response(&self, answer: Answer) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(Bytes::from(answer.html)));
        *response.status_mut() = answer.status;
        let fields = response.headers_mut();
        for (name, value) in always() {
            fields.insert(name, HeaderValue::from_static(value));
        }
        fields.insert(CONTENT_SECURITY_POLICY, self.csp.clone());
        if self.hsts {
            fields.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
        }
        if let Some(allow) = answer.allow {
            fields.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(seconds) = answer.retry_after {
            fields.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// The answer to whom there is no place for, as bytes: nothing is read for it.
    pub(crate) fn busy(&self) -> Vec<u8> {
        let answer = Answer::retry(StatusCode::SERVICE_UNAVAILABLE, "Please try again", "Too many are here now.", 30);
        let response = self.response(Answer { html: String::new(), ..answer });
        let mut text = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n".to_vec();
        for (name, value) in response.headers() {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b"\r\n");
        text
    }
}

impl Answer {
    /// A page.
    pub(crate) fn page(status: StatusCode, page: crate::page::Page) -> Self {
        Self { status, html: page.html(), allow: None, retry_after: None }
    }

    /// A page of a few words, all of them ours.
    pub(crate) fn words(status: StatusCode, title: &str, words: &str) -> Self {
        let mut page = crate::page::Page::new(title);
        page.paragraph(words);
        Self::page(status, page)
    }

    /// The same, with when to come again.
    pub(crate) fn retry(status: StatusCode, title: &str, words: &str, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..Self::words(status, title, words) }
    }

    /// The way is right and the method isn't.
    pub(crate) fn wrong_method(allow: &'static str) -> Self {
        let words = "That can't be done here.";
        Self { allow: Some(allow), ..Self::words(StatusCode::METHOD_NOT_ALLOWED, "Not here", words) }
    }

    /// There is no such page.
    pub(crate) fn nothing() -> Self {
        Self::words(StatusCode::NOT_FOUND, "Nothing is here", "This server has no such page.")
    }
}
