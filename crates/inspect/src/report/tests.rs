use super::*;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use mailward_core::limits::{
    DMARC_PACKED_MAX, DMARC_ROWS_MAX, DMARC_XML_DEPTH_MAX, DMARC_XML_MAX, DMARC_XML_PIECES_MAX,
};
use proptest::prelude::*;
use std::io::Write as _;

fn row(ip: &str) -> Row {
    Row {
        source: ip.parse().unwrap(),
        count: 3,
        disposition: "reject".to_owned(),
        dkim_aligned: false,
        spf_aligned: false,
        reason: Some(("local_policy".to_owned(), "a <b> & \"c\"".to_owned())),
        header_from: "a.example".to_owned(),
        envelope_from: Some(String::new()),
        dkim: vec![SignedBy { domain: "b.example".to_owned(), selector: "s".to_owned(), result: "pass".to_owned() }],
        spf: Some(("c.example".to_owned(), "softfail".to_owned())),
    }
}

fn report() -> Report {
    Report {
        organization: "mx.b.example".to_owned(),
        email: "postmaster@b.example".to_owned(),
        id: "2026-11-25.x@b.example".to_owned(),
        begin: 1_795_564_800,
        end: 1_795_651_199,
        error: None,
        published: Published {
            domain: "a.example".to_owned(),
            p: "reject".to_owned(),
            testing: Some("n".to_owned()),
            ..Published::default()
        },
        rows: vec![row("192.0.2.1"), Row { dkim_aligned: true, reason: None, ..row("2001:db8::1") }],
        more: 0,
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn zip(bytes: &[u8], method: u16, flags: u16) -> Vec<u8> {
    let content = if method == 8 {
        let mut packer = DeflateEncoder::new(Vec::new(), Compression::best());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    } else {
        bytes.to_vec()
    };
    let mut out = b"PK\x03\x04\x14\x00".to_vec();
    out.extend(flags.to_le_bytes());
    out.extend(method.to_le_bytes());
    out.extend([0; 8]);
    out.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
    out.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
    out.extend(5u16.to_le_bytes());
    out.extend(0u16.to_le_bytes());
    out.extend(b"a.xml");
    out.extend(content);
    out.extend(b"PK\x01\x02");
    out
}

#[test]
fn what_is_written_reads_back_packed_in_any_way() {
    let report = report();
    let xml = report.xml();
    assert!(xml.contains("<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">"), "{xml}");
    assert!(xml.contains("<comment>a &lt;b&gt; &amp; &quot;c&quot;</comment>"), "{xml}");
    let plain = xml.as_bytes();
    for packed in [report.gzip().unwrap(), plain.to_vec(), zip(plain, 8, 0), zip(plain, 8, 8), zip(plain, 0, 0)] {
        assert_eq!(read(&unpack(&packed).unwrap()), Some(report.clone()));
    }
    let starts: [&[u8]; 4] = [b"PK\x03\x04", b"\x1f\x8b\x08\x04", b"x", b""];
    for bad in starts {
        assert_eq!(unpack(bad), None);
    }
    for bad in [zip(plain, 8, 1), zip(plain, 0, 8), zip(plain, 12, 0)] {
        assert_eq!(unpack(&bad), None);
    }
}

/// RFC 7489, appendix C, as many still write it; other elements, namespaces and order.
#[test]
fn reports_of_the_older_kind_are_read() {
    let xml = "\u{feff}<?xml version=\"1.0\"?>\n<!-- x --><d:feedback xmlns:d=\"http://dmarc.org/dmarc-xml/0.1\">\
        <d:report_metadata><d:org_name><![CDATA[Acme & Co]]></d:org_name><d:report_id>1</d:report_id>\
        <d:date_range><d:begin>10</d:begin><d:end> 20 </d:end></d:date_range><d:new><d:org_name>x</d:org_name></d:new>\
        </d:report_metadata><d:policy_published><d:domain>A.example</d:domain><d:p>none</d:p><d:sp/><d:pct>100</d:pct>\
        </d:policy_published><d:record><d:row><d:source_ip>192.0.2.9</d:source_ip><d:count>2</d:count>\
        <d:policy_evaluated><d:disposition>none</d:disposition><d:dkim>pass</d:dkim><d:spf>fail</d:spf>\
        </d:policy_evaluated></d:row><d:identifiers><d:header_from>a.example</d:header_from></d:identifiers>\
        <d:auth_results/></d:record><d:record><d:row><d:source_ip>nowhere</d:source_ip><d:count>5</d:count></d:row>\
        </d:record></d:feedback>";
    let read = read(xml.as_bytes()).unwrap();
    assert_eq!((read.organization.as_str(), read.published.domain.as_str()), ("Acme & Co", "a.example"));
    assert_eq!((read.begin, read.end, read.rows.len(), read.more), (10, 20, 1, 5));
    assert!(read.rows[0].passes() && !read.rows[0].spf_aligned && read.published.sp.is_none());
}

/// Attacks D9: entities that grow, and bombs.
#[test]
fn no_report_grows_beyond_its_limits() {
    let xml = report().xml();
    let with = |from: &str, to: &str| read(xml.replacen(from, to, 1).as_bytes());
    let doctype = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>\n<feedback";
    assert_eq!(with("<feedback", doctype), None);
    assert_eq!(with("<feedback", "<!DOCTYPE feedback SYSTEM \"file:///etc/passwd\"><feedback"), None);
    assert_eq!(with("mx.b.example", "&b;"), None);
    assert_eq!(with("mx.b.example", "&#x41;&lt;&#10;b").unwrap().organization, "A< b");
    let long = with("mx.b.example", &"x".repeat(100_000)).unwrap();
    assert_eq!(long.organization.len(), DMARC_TEXT_MAX);
    let deep = |depth: usize| with("<version>", &format!("{}{}<version>", "<x>".repeat(depth), "</x>".repeat(depth)));
    assert!(deep(DMARC_XML_DEPTH_MAX - 1).is_some() && deep(DMARC_XML_DEPTH_MAX).is_none());
    let (start, rest) = xml.split_once("  <record>").unwrap();
    let (records, _) = rest.rsplit_once("</feedback>").unwrap();
    let many = |times: usize| {
        let xml = format!("{start}{}</feedback>", format!("  <record>{records}").repeat(times));
        let read = read(xml.as_bytes()).unwrap();
        (read.rows.len(), read.more)
    };
    assert_eq!(many(DMARC_ROWS_MAX / 2), (DMARC_ROWS_MAX, 0));
    assert_eq!(many(DMARC_ROWS_MAX), (DMARC_ROWS_MAX, 3 * DMARC_ROWS_MAX as u64));
    let bytes = |size: usize| vec![b'<'; size];
    assert!(unpack(&gzip(&bytes(DMARC_XML_MAX))).is_some());
    assert_eq!(unpack(&gzip(&bytes(DMARC_XML_MAX + 1))), None, "a bomb");
    assert_eq!(unpack(&zip(&bytes(DMARC_XML_MAX * 20), 8, 0)), None, "a bomb");
    assert!(unpack(&bytes(DMARC_PACKED_MAX)).is_some() && unpack(&bytes(DMARC_PACKED_MAX + 1)).is_none());
    assert_eq!(read(&bytes(DMARC_XML_MAX + 1)), None);
    for cut in [start, "<a>", "<feedback></feedback>", "", "<feedback/>", "</feedback>"] {
        assert_eq!(read(cut.as_bytes()), None, "{cut}");
    }
    let packed = gzip(xml.as_bytes());
    assert_eq!(unpack(&packed[..packed.len() / 2]), None);
}

/// Attacks D9: ten megabytes of pieces that each cost something, packed into some kilobytes.
#[test]
fn a_report_of_too_many_pieces_is_none() {
    let xml = report().xml();
    let with = |pieces: &str| read(xml.replacen("<version>", &format!("{pieces}<version>"), 1).as_bytes());
    for piece in ["<a></a>", "<a/>-", "<!---->-", "<?a?>-"] {
        assert!(with(&piece.repeat(DMARC_XML_PIECES_MAX / 4)).is_some(), "{piece}");
        assert_eq!(with(&piece.repeat(DMARC_XML_PIECES_MAX / 2)), None, "{piece}");
    }
    assert_eq!(with(&"&lt;".repeat(DMARC_XML_PIECES_MAX)), None);
}

proptest! {
    #[test]
    fn nothing_outside_makes_it_stop(bytes in prop::collection::vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let _read = read(&bytes);
        let _unpacked = unpack(&bytes);
        let mut changed = gzip(report().xml().as_bytes());
        let at = at.index(changed.len());
        changed[at] = with;
        let _unpacked = unpack(&changed).map(|xml| read(&xml));
        let _gzip = unpack(&[b"\x1f\x8b\x08".as_slice(), &bytes].concat());
        let _zip = unpack(&[b"PK\x03\x04".as_slice(), &bytes].concat());
    }

    #[test]
    fn any_words_come_back_as_they_were(words in "\\PC{0,40}") {
        let organization = format!("x{}", plain(&words));
        let written = Report { organization: organization.clone(), ..report() };
        prop_assert_eq!(read(written.xml().as_bytes()).map(|read| read.organization), Some(plain(&organization)));
    }
}
