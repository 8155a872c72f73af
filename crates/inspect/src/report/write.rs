//! A report as XML (RFC 9990 §3.1.1).

use super::{Report, Row, plain};
use flate2::Compression;
use flate2::write::GzEncoder;
use quick_xml::escape::escape;
use std::io::Write as _;

/// Lines of elements.
struct Xml {
    text: String,
    depth: usize,
}

impl Xml {
    fn line(&mut self, line: &str) {
        self.text.extend(std::iter::repeat_n("  ", self.depth));
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// An element with elements in it.
    fn within(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.line(&format!("<{name}>"));
        self.depth = self.depth.saturating_add(1);
        write(self);
        self.depth = self.depth.saturating_sub(1);
        self.line(&format!("</{name}>"));
    }

    /// An element with text in it.
    fn value(&mut self, name: &str, value: &str) {
        let value = plain(value);
        self.line(&format!("<{name}>{}</{name}>", escape(value.as_str())));
    }

    fn value_if(&mut self, name: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.value(name, value);
        }
    }
}

const fn pass(aligned: bool) -> &'static str {
    if aligned { "pass" } else { "fail" }
}

impl Report {
    /// The report as RFC 9990 has it.
    #[must_use]
    pub fn xml(&self) -> String {
        let mut xml = Xml { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(), depth: 0 };
        xml.line("<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">");
        xml.depth = 1;
        xml.value("version", "1.0");
        xml.within("report_metadata", |xml| {
            xml.value("org_name", &self.organization);
            xml.value("email", &self.email);
            xml.value("report_id", &self.id);
            xml.within("date_range", |xml| {
                xml.value("begin", &self.begin.to_string());
                xml.value("end", &self.end.to_string());
            });
            xml.value_if("error", self.error.as_ref());
            xml.value("generator", concat!("Mailward ", env!("CARGO_PKG_VERSION")));
        });
        let published = &self.published;
        xml.within("policy_published", |xml| {
            xml.value("domain", &published.domain);
            xml.value("discovery_method", "treewalk");
            xml.value("p", &published.p);
            xml.value_if("sp", published.sp.as_ref());
            xml.value_if("np", published.np.as_ref());
            xml.value_if("fo", published.fo.as_ref());
            xml.value_if("adkim", published.adkim.as_ref());
            xml.value_if("aspf", published.aspf.as_ref());
            xml.value_if("testing", published.testing.as_ref());
        });
        for row in &self.rows {
            xml.within("record", |xml| record(xml, row));
        }
        xml.depth = 0;
        xml.line("</feedback>");
        xml.text
    }

    /// The same, packed.
    ///
    /// # Errors
    /// What the packing says; there is nothing in memory that it could be.
    pub fn gzip(&self) -> std::io::Result<Vec<u8>> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(self.xml().as_bytes())?;
        packer.finish()
    }
}

fn record(xml: &mut Xml, row: &Row) {
    xml.within("row", |xml| {
        xml.value("source_ip", &row.source.to_canonical().to_string());
        xml.value("count", &row.count.to_string());
        xml.within("policy_evaluated", |xml| {
            xml.value("disposition", &row.disposition);
            xml.value("dkim", pass(row.dkim_aligned));
            xml.value("spf", pass(row.spf_aligned));
            if let Some((kind, words)) = &row.reason {
                xml.within("reason", |xml| {
                    xml.value("type", kind);
                    xml.value("comment", words);
                });
            }
        });
    });
    xml.within("identifiers", |xml| {
        xml.value("header_from", &row.header_from);
        xml.value_if("envelope_from", row.envelope_from.as_ref());
    });
    xml.within("auth_results", |xml| {
        for signature in &row.dkim {
            xml.within("dkim", |xml| {
                xml.value("domain", &signature.domain);
                xml.value("selector", &signature.selector);
                xml.value("result", &signature.result);
            });
        }
        if let Some((domain, result)) = &row.spf {
            xml.within("spf", |xml| {
                xml.value("domain", domain);
                xml.value("scope", "mfrom");
                xml.value("result", result);
            });
        }
    });
}
