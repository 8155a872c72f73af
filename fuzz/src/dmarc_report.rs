//! Reports of others: any bytes as an attachment, and as XML.

use mailward_core::limits::{DKIM_SIGNATURES_MAX, DMARC_ROWS_MAX, DMARC_TEXT_MAX, DMARC_XML_MAX};
use mailward_inspect::report::{read, unpack};

pub fn run(data: &[u8]) {
    let unpacked = unpack(data);
    let xml = unpacked.as_deref().unwrap_or(data);
    assert!(unpacked.is_none() || xml.len() <= DMARC_XML_MAX);
    let Some(report) = read(xml) else { return };
    assert!(report.rows.len() <= DMARC_ROWS_MAX && report.end >= report.begin);
    let texts = report.rows.iter().flat_map(|row| [&row.header_from, &row.disposition]);
    for text in texts.chain([&report.organization, &report.id, &report.published.domain]) {
        assert!(text.chars().count() <= DMARC_TEXT_MAX && !text.chars().any(char::is_control));
    }
    assert!(report.rows.iter().all(|row| row.dkim.len() <= DKIM_SIGNATURES_MAX));
    let again = read(report.xml().as_bytes());
    if report.more == 0 && report.rows.iter().all(|row| row.reason.is_none()) {
        assert_eq!(again.map(|again| again.rows.len()), Some(report.rows.len()), "what is written reads again");
    }
}
