//! Requests, looked at before anything is done: whether they are whole, of a form that can't be read in two ways, and whether a
//! browser says that another site sent them.

use crate::answer::Answer;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_LENGTH, HOST, HeaderMap, ORIGIN, TRANSFER_ENCODING};
use hyper::{Method, Request, StatusCode, Version};
use mailward_core::config::Origin;
use mailward_core::limits::{WEB_BODY_MAX, WEB_BODY_TIME, WEB_PATH_MAX};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The path, as it was sent: at most `limits::WEB_PATH_MAX` bytes.
    pub(crate) path: String,
    pub(crate) what: What,
}

/// What is wanted of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// To see it: GET or HEAD.
    See,
    /// To do it: POST, and no other site's.
    Do,
    /// Something else.
    Other,
}

/// Reads a request to its end.
pub(crate) async fn read(request: Request<Incoming>, origin: &Origin) -> Result<Asked, Box<Answer>> {
    let (head, mut body) = request.into_parts();
    let path = head.uri.path().to_owned();
    if path.len() > WEB_PATH_MAX {
        return Err(refused(StatusCode::URI_TOO_LONG, "This address is too long."));
    }
    if !is_plain(&head.headers, head.version) {
        return Err(refused(StatusCode::BAD_REQUEST, "This request can't be read without doubt."));
    }
    let what = match head.method {
        Method::GET | Method::HEAD => What::See,
        Method::POST => What::Do,
        _ => What::Other,
    };
    if what == What::Do && is_of_another_site(&head.headers, origin) {
        return Err(refused(StatusCode::FORBIDDEN, "Another site sent this; open the link of your mail instead."));
    }
    match tokio::time::timeout(WEB_BODY_TIME, drain(&mut body)).await {
        Ok(Some(())) => Ok(Asked { path, what }),
        Ok(None) => Err(refused(StatusCode::PAYLOAD_TOO_LARGE, "That is too much.")),
        Err(_) => Err(refused(StatusCode::REQUEST_TIMEOUT, "That took too long.")),
    }
}

fn refused(status: StatusCode, words: &str) -> Box<Answer> {
    Box::new(Answer::words(status, "That didn't work", words))
}

/// Whether its length has one meaning, and it names one host (RFC 9112 §3.2, §6.3; attacks F15). Forms here have a length that is
/// told before; what comes in chunks is none of them, and hyper would hide a length that is told beside.
fn is_plain(fields: &HeaderMap, version: Version) -> bool {
    let count = |name| fields.get_all(name).iter().count();
    let hosts = count(HOST);
    let hosts_fit = hosts == 1 || (hosts == 0 && version == Version::HTTP_10);
    let lengths_fit = count(CONTENT_LENGTH) <= 1 && count(TRANSFER_ENCODING) == 0;
    hosts_fit && lengths_fit && matches!(version, Version::HTTP_10 | Version::HTTP_11)
}

/// Whether a browser says that it comes from elsewhere. A page that says `no-referrer` has browsers send `Origin: null` with its own
/// forms (Fetch §3.2), so that counts only with the word that it is the same site. Who sends neither is no browser, and
/// has the link's word all the same.
fn is_of_another_site(fields: &HeaderMap, origin: &Origin) -> bool {
    let mut sites = fields.get_all("sec-fetch-site").iter().peekable();
    let is_told = sites.peek().is_some();
    if sites.any(|site| site != "same-origin") {
        return true;
    }
    fields.get_all(ORIGIN).iter().any(|told| told != origin.as_str() && !(told == "null" && is_told))
}

/// Reads and drops a body: forms here say all by their address. None: it is too long, or broken off.
async fn drain(body: &mut Incoming) -> Option<()> {
    let most = u64::try_from(WEB_BODY_MAX).unwrap_or(u64::MAX);
    if body.size_hint().lower() > most {
        return None;
    }
    let mut came = 0usize;
    while let Some(frame) = body.frame().await {
        came = came.saturating_add(frame.ok()?.data_ref().map_or(0, bytes::Bytes::len));
        if came > WEB_BODY_MAX {
            return None;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    fn fields(all: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for (name, value) in all {
            fields.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        fields
    }

    /// Attacks F8.
    #[test]
    fn a_form_of_another_site_is_known_by_what_browsers_say() {
        let origin = Origin::parse("https://mail.s.example").unwrap();
        let other = |all: &[(&'static str, &'static str)]| is_of_another_site(&fields(all), &origin);
        for ours in [
            &[][..],
            &[("origin", "https://mail.s.example")],
            &[("origin", "https://mail.s.example"), ("sec-fetch-site", "same-origin")],
            &[("origin", "null"), ("sec-fetch-site", "same-origin")],
        ] {
            assert!(!other(ours), "{ours:?}");
        }
        for theirs in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "null")],
            &[("origin", "http://mail.s.example")],
            &[("origin", "https://mail.s.example:8443")],
            &[("origin", "https://mail.s.example.evil.example")],
            &[("origin", "https://mail.s.example"), ("origin", "https://evil.example")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("origin", "null"), ("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
        ] {
            assert!(other(theirs), "{theirs:?}");
        }
    }

    /// Attacks F15.
    #[test]
    fn a_length_that_is_told_twice_is_no_length() {
        let plain = |all: &[(&'static str, &'static str)]| is_plain(&fields(all), Version::HTTP_11);
        assert!(plain(&[("host", "a"), ("content-length", "0")]));
        assert!(!plain(&[("host", "a"), ("transfer-encoding", "chunked")]));
        assert!(!plain(&[("host", "a"), ("content-length", "0"), ("transfer-encoding", "chunked")]));
        assert!(!plain(&[("host", "a"), ("content-length", "0"), ("content-length", "0")]));
        assert!(!plain(&[("host", "a"), ("host", "b")]) && !plain(&[]));
        assert!(is_plain(&fields(&[]), Version::HTTP_10));
    }
}
