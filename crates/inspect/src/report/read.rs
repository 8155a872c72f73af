//! A report of others, read: of RFC 9990, or of RFC 7489 which many still send.

use super::{Published, Report, Row, SignedBy, plain};
use crate::xml::{self, Bounds, Piece};
use mailward_core::limits::{
    DKIM_SIGNATURES_MAX, DMARC_ROWS_MAX, DMARC_TEXT_MAX, DMARC_XML_DEPTH_MAX, DMARC_XML_MAX, DMARC_XML_PIECES_MAX,
};

/// Reads a report; none if it isn't one, has a document type, or is beyond a limit (attacks D9). What isn't known is stepped
/// over, and rows that can't be read are counted as more.
#[must_use]
pub fn read(xml: &[u8]) -> Option<Report> {
    if xml.len() > DMARC_XML_MAX {
        return None;
    }
    let bounds = Bounds { pieces: DMARC_XML_PIECES_MAX, depth: DMARC_XML_DEPTH_MAX, text: DMARC_TEXT_MAX };
    let mut building = Building::default();
    xml::walk(xml, bounds, |piece| match piece {
        Piece::Begins(path, _) => building.open(path),
        // Most elements around others have nothing of their own.
        Piece::Ends(path, value) => building.close(path, &if value.is_empty() { String::new() } else { plain(value) }),
    })?;
    building.report()
}

#[derive(Default)]
struct Building {
    organization: String,
    email: String,
    id: String,
    begin: Option<i64>,
    end: Option<i64>,
    error: Option<String>,
    published: Published,
    rows: Vec<Row>,
    more: u64,
    row: Partial,
}

/// A row that isn't whole yet.
#[derive(Default)]
struct Partial {
    source: Option<std::net::IpAddr>,
    count: Option<u64>,
    disposition: String,
    dkim_aligned: bool,
    spf_aligned: bool,
    reason: Option<(String, String)>,
    header_from: String,
    envelope_from: Option<String>,
    dkim: Vec<SignedBy>,
    spf: Option<(String, String)>,
    signature: SignedBy,
    host: (String, String),
    why: (String, String),
}

/// The elements around, without the outermost.
fn names(path: &[String]) -> Vec<&str> {
    path.iter().skip(1).map(String::as_str).collect()
}

impl Building {
    fn open(&mut self, path: &[String]) {
        if let [_, record] = path
            && record == "record"
        {
            self.row = Partial::default();
        }
    }

    fn close(&mut self, path: &[String], value: &str) {
        if path.first().is_none_or(|root| root != "feedback") {
            return;
        }
        match names(path).as_slice() {
            ["report_metadata", rest @ ..] => self.metadata(rest, value),
            ["policy_published", name] => self.published(name, value),
            ["record"] => self.end_of_row(),
            ["record", rest @ ..] => self.row.take(rest, value),
            _ => {}
        }
    }

    fn metadata(&mut self, path: &[&str], value: &str) {
        match path {
            ["org_name"] => value.clone_into(&mut self.organization),
            ["email"] => value.clone_into(&mut self.email),
            ["report_id"] => value.clone_into(&mut self.id),
            ["error"] => self.error = self.error.take().or_else(|| some(value)),
            ["date_range", "begin"] => self.begin = value.parse().ok(),
            ["date_range", "end"] => self.end = value.parse().ok(),
            _ => {}
        }
    }

    fn published(&mut self, name: &str, value: &str) {
        let published = &mut self.published;
        match name {
            "domain" => published.domain = value.to_ascii_lowercase(),
            "p" => value.clone_into(&mut published.p),
            "sp" => published.sp = some(value),
            "np" => published.np = some(value),
            "adkim" => published.adkim = some(value),
            "aspf" => published.aspf = some(value),
            "fo" => published.fo = some(value),
            "testing" => published.testing = some(value),
            _ => {}
        }
    }

    fn end_of_row(&mut self) {
        let row = std::mem::take(&mut self.row);
        let count = row.count.unwrap_or(0);
        let (Some(source), true) = (row.source, self.rows.len() < DMARC_ROWS_MAX && count > 0) else {
            self.more = self.more.saturating_add(count);
            return;
        };
        self.rows.push(Row {
            source,
            count,
            disposition: row.disposition,
            dkim_aligned: row.dkim_aligned,
            spf_aligned: row.spf_aligned,
            reason: row.reason,
            header_from: row.header_from,
            envelope_from: row.envelope_from,
            dkim: row.dkim,
            spf: row.spf,
        });
    }

    fn report(self) -> Option<Report> {
        let whole = !self.published.domain.is_empty() && !self.organization.is_empty();
        let (begin, end) = (self.begin?, self.end?);
        (whole && begin >= 0 && end >= begin).then_some(Report {
            organization: self.organization,
            email: self.email,
            id: self.id,
            begin,
            end,
            error: self.error,
            published: self.published,
            rows: self.rows,
            more: self.more,
        })
    }
}

fn some(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

impl Partial {
    fn take(&mut self, path: &[&str], value: &str) {
        let pass = value.eq_ignore_ascii_case("pass");
        match path {
            ["row", "source_ip"] => self.source = value.parse().ok(),
            ["row", "count"] => self.count = value.parse().ok(),
            ["row", "policy_evaluated", "disposition"] => self.disposition = value.to_ascii_lowercase(),
            ["row", "policy_evaluated", "dkim"] => self.dkim_aligned = pass,
            ["row", "policy_evaluated", "spf"] => self.spf_aligned = pass,
            ["row", "policy_evaluated", "reason", "type"] => value.clone_into(&mut self.why.0),
            ["row", "policy_evaluated", "reason", "comment"] => value.clone_into(&mut self.why.1),
            ["row", "policy_evaluated", "reason"] => {
                let why = std::mem::take(&mut self.why);
                self.reason = self.reason.take().or(Some(why));
            }
            ["identifiers", "header_from"] => self.header_from = value.to_ascii_lowercase(),
            ["identifiers", "envelope_from"] => self.envelope_from = Some(value.to_owned()),
            ["auth_results", "dkim", "domain"] => value.clone_into(&mut self.signature.domain),
            ["auth_results", "dkim", "selector"] => value.clone_into(&mut self.signature.selector),
            ["auth_results", "dkim", "result"] => value.clone_into(&mut self.signature.result),
            ["auth_results", "dkim"] => {
                let signature = std::mem::take(&mut self.signature);
                if self.dkim.len() < DKIM_SIGNATURES_MAX {
                    self.dkim.push(signature);
                }
            }
            ["auth_results", "spf", "domain"] => value.clone_into(&mut self.host.0),
            ["auth_results", "spf", "result"] => value.clone_into(&mut self.host.1),
            ["auth_results", "spf"] => {
                let host = std::mem::take(&mut self.host);
                self.spf = self.spf.take().or(Some(host));
            }
            _ => {}
        }
    }
}
