//! The daily report: what is told to a domain of how TLS went with it (RFC 8460 §4.4, §5).

use crate::results::{Day, PolicyKind, Results, clean};
use base64::Engine as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use mailward_core::{Address, Domain, Timestamp};
use mailward_message::date;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;

/// What a report tells, and who does.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// Of which day.
    pub day: Day,
    /// To whom.
    pub domain: &'a Domain,
    /// How it went.
    pub results: &'a Results,
    /// Our name.
    pub hostname: &'a Domain,
    /// Where questions go.
    pub contact: &'a Address,
    /// Names this report; letters and digits, and nobody outside can guess it.
    pub id: &'a str,
}

impl Report<'_> {
    /// The report as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let policies: Vec<Value> = self
            .results
            .policies
            .iter()
            .map(|counted| {
                let mut policy = json!({ "policy-type": counted.policy.kind, "policy-domain": self.domain });
                if let Some(members) = policy.as_object_mut()
                    && counted.policy.kind != PolicyKind::NoPolicyFound
                {
                    members.insert("policy-string".to_owned(), json!(counted.policy.lines));
                    members.insert("mx-host".to_owned(), json!(counted.policy.hosts));
                }
                let details: Vec<Value> = counted
                    .details
                    .iter()
                    .map(|(failure, count)| {
                        let mut detail = json!({ "result-type": failure.result, "failed-session-count": count });
                        if let Some(members) = detail.as_object_mut() {
                            let mut add = |name: &str, value: Option<String>| {
                                members.extend(value.map(|value| (name.to_owned(), Value::String(value))));
                            };
                            add("sending-mta-ip", failure.sending_ip.map(|ip| ip.to_string()));
                            add("receiving-mx-hostname", failure.host.clone());
                            add("receiving-ip", failure.receiving_ip.map(|ip| ip.to_string()));
                            add("failure-reason-code", failure.reason.clone());
                        }
                        detail
                    })
                    .collect();
                json!({
                    "policy": policy,
                    "summary": {
                        "total-successful-session-count": counted.success,
                        "total-failure-session-count": counted.failure,
                    },
                    "failure-details": details,
                })
            })
            .collect();
        json!({
            "organization-name": self.hostname,
            "date-range": {
                "start-datetime": format!("{}T00:00:00Z", self.day),
                "end-datetime": format!("{}T23:59:59Z", self.day),
            },
            "contact-info": self.contact.to_string(),
            "report-id": self.id,
            "policies": policies,
        })
    }

    /// The same, packed: `application/tlsrpt+gzip`.
    ///
    /// # Errors
    /// What the packing says; there is nothing in memory that it could be.
    pub fn gzip(&self) -> std::io::Result<Vec<u8>> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(self.json().to_string().as_bytes())?;
        packer.finish()
    }

    /// The same as a message to one place (RFC 8460 §5.3): ASCII, lines ended by CRLF.
    ///
    /// # Errors
    /// What the packing says.
    pub fn mail(&self, to: &Address, now: Timestamp) -> std::io::Result<Vec<u8>> {
        let Self { day, domain, hostname, contact, id, .. } = *self;
        let packed = base64::engine::general_purpose::STANDARD.encode(self.gzip()?);
        let name =
            format!("{hostname}!{domain}!{}!{}!{id}.json.gz", day.begin().secs(), day.end().secs().saturating_sub(1));
        let boundary = format!("=_{id}");
        let mut text = String::with_capacity(packed.len().saturating_mul(2));
        // Writing to a String can't fail.
        let _infallible = write!(
            text,
            "From: <{contact}>\r\nTo: <{to}>\r\nDate: {}\r\nMessage-ID: <{day}.{id}@{hostname}>\r\n\
             Subject: Report Domain: {domain}\r\n Submitter: {hostname}\r\n Report-ID: <{day}.{id}@{hostname}>\r\n\
             TLS-Report-Domain: {domain}\r\nTLS-Report-Submitter: {hostname}\r\nTLS-Required: No\r\n\
             Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"{boundary}\"\r\n\r\n\
             --{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
             How TLS went between {hostname}\r\nand the mail servers of {domain}\r\non {day} (UTC), for programs to read \
             (RFC 8460).\r\n{}\r\n\
             --{boundary}\r\nContent-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment;\r\n filename=\"{name}\"\r\n\r\n",
            date::format_header(now),
            self.summary(),
        );
        let mut rest = packed.as_str();
        while let Some((line, after)) = rest.split_at_checked(rest.len().min(76)).filter(|(line, _)| !line.is_empty()) {
            text.push_str(line);
            text.push_str("\r\n");
            rest = after;
        }
        let _infallible = write!(text, "--{boundary}--\r\n");
        Ok(text.into_bytes())
    }

    /// For a person.
    fn summary(&self) -> String {
        let mut text = String::new();
        for counted in &self.results.policies {
            let kind = match counted.policy.kind {
                PolicyKind::Tlsa => "DANE",
                PolicyKind::Sts => "MTA-STS",
                PolicyKind::NoPolicyFound => "no policy",
            };
            let _infallible = write!(text, "{kind}: {} sessions well, {} not\r\n", counted.success, counted.failure);
            for (failure, count) in &counted.details {
                let host = failure.host.as_deref().map(clean).unwrap_or_default();
                let _infallible = write!(text, "  {} {host}: {count}\r\n", failure.result);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Counted, Failure, ResultType, Told};
    use std::io::Read as _;

    #[test]
    fn a_report_is_what_the_standard_shows() {
        let failure = Failure {
            result: ResultType::StarttlsNotSupported,
            sending_ip: Some("192.0.2.1".parse().unwrap()),
            host: Some("mx.a.example".to_owned()),
            receiving_ip: None,
            reason: None,
        };
        let policy = Told::new(PolicyKind::Sts, ["mode: enforce".to_owned()], ["mx.a.example".to_owned()]);
        let results = Results {
            policies: vec![
                Counted { policy, success: 5, failure: 2, details: vec![(failure, 2)] },
                Counted { policy: Told::nothing(), success: 1, failure: 0, details: Vec::new() },
            ],
            ..Results::default()
        };
        let report = Report {
            day: Day::parse("2026-11-26").unwrap(),
            domain: &Domain::parse("a.example").unwrap(),
            results: &results,
            hostname: &Domain::parse("mx.s.example").unwrap(),
            contact: &"postmaster@s.example".parse().unwrap(),
            id: "abc123",
        };
        let told = report.json();
        assert_eq!(told["date-range"]["end-datetime"], "2026-11-26T23:59:59Z");
        let first = &told["policies"][0];
        assert_eq!(first["policy"]["policy-type"], "sts");
        assert_eq!(first["policy"]["policy-string"][0], "mode: enforce");
        assert_eq!(first["policy"]["mx-host"][0], "mx.a.example");
        assert_eq!(first["summary"]["total-failure-session-count"], 2);
        assert_eq!(first["failure-details"][0]["result-type"], "starttls-not-supported");
        assert_eq!(first["failure-details"][0]["sending-mta-ip"], "192.0.2.1");
        assert_eq!(told["policies"][1]["policy"]["policy-type"], "no-policy-found");
        assert!(told["policies"][1]["policy"].get("policy-string").is_none());

        let mail = report.mail(&"tls@r.example".parse().unwrap(), Timestamp::from_secs(1_800_000_000)).unwrap();
        let mail = String::from_utf8(mail).unwrap();
        assert!(mail.contains("TLS-Report-Domain: a.example\r\n") && mail.contains("TLS-Required: No\r\n"));
        assert!(mail.contains("Content-Type: multipart/report; report-type=\"tlsrpt\";"));
        assert!(mail.contains("filename=\"mx.s.example!a.example!1795651200!1795737599!abc123.json.gz\""), "{mail}");
        assert!(!mail.replace("\r\n", "").contains(['\r', '\n']) && mail.lines().all(|line| line.len() < 200));
        let packed: String =
            mail.split("\r\n\r\n").last().unwrap().lines().take_while(|line| !line.starts_with("--")).collect();
        let packed = base64::engine::general_purpose::STANDARD.decode(packed).unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), told);
    }
}
