//! What a web server may do.

use crate::host::*;
use mailward_core::Domain;
use mailward_core::limits::{HTTPS_ADDRESSES_TRIED, HTTPS_FIELDS_MAX, STS_POLICY_MAX};
use mailward_dns::Resolver;
use mailward_dns_zone::{Zone, Zones};
use mailward_sts::{Https, HttpsError};
use std::sync::Arc;
use std::time::Duration;

const PATH: &str = "/.well-known/mta-sts.txt";

async fn zones() -> Zones {
    Zones::start(&[Zone::plain("plain.", "here 300 IN A 127.0.0.1\ninside 300 IN A 10.0.0.1\n")]).await
}

fn https(zones: &Zones, loopback: bool) -> Https {
    Https::new(Arc::new(Resolver::new(&zones.config()).unwrap()), trusting(), loopback)
}

fn here() -> Domain {
    Domain::parse("here.plain").unwrap()
}

#[tokio::test]
async fn a_text_is_fetched_over_tls_from_who_proves_its_name() {
    let zones = zones().await;
    let web = Web::start("here.plain", plain("200 OK", "Text/Plain; charset=utf-8", "hello")).await;
    let text = https(&zones, true).text(&here(), web.port, PATH).await.unwrap();
    assert_eq!(text, "hello");
    let request = String::from_utf8(web.requests().remove(0)).unwrap().to_ascii_lowercase();
    assert!(request.starts_with("get /.well-known/mta-sts.txt http/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("host: here.plain:{}\r\n", web.port)));
    // Without a length, and in pieces.
    web.says(Say::Bytes(b"HTTP/1.0 200 OK\r\ncontent-type:text/plain\r\n\r\nhello".to_vec()));
    assert_eq!(https(&zones, true).text(&here(), web.port, PATH).await.unwrap(), "hello");
    let pieces = b"HTTP/1.1 200 OK\r\ncontent-type:text/plain\r\ntransfer-encoding:chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    web.says(Say::Bytes(pieces.to_vec()));
    assert_eq!(https(&zones, true).text(&here(), web.port, PATH).await.unwrap(), "hello");
}

#[tokio::test]
async fn what_is_no_good_answer_is_none() {
    let zones = zones().await;
    let web = Web::start("here.plain", Say::Endless).await;
    let https = https(&zones, true);
    let ask = async || https.text(&here(), web.port, PATH).await.unwrap_err();
    assert!(matches!(ask().await, HttpsError::Large));
    web.says(plain("200 OK", "text/plain", &"x".repeat(STS_POLICY_MAX + 1)));
    assert!(matches!(ask().await, HttpsError::Large));
    for (status, code) in [("301 Moved\r\nLocation: https://here.plain/", 301), ("404 No", 404), ("204 Empty", 204)] {
        web.says(plain(status, "text/plain", ""));
        assert!(matches!(ask().await, HttpsError::Status(status) if status == code), "{status}");
    }
    assert_eq!(web.asked(), 5, "no redirect is followed");
    web.says(plain("200 OK", "text/html", "<html>"));
    assert!(matches!(ask().await, HttpsError::Type(kind) if kind == "text/html"));
    web.says(Say::Bytes(b"HTTP/1.1 200 OK\r\n\r\nhello".to_vec()));
    assert!(matches!(ask().await, HttpsError::Type(_)));
    let fields = "X: y\r\n".repeat(HTTPS_FIELDS_MAX + 1);
    for garbage in [
        "".to_owned(),
        "220 mx.example ESMTP\r\n".to_owned(),
        "\0\0\0\0\0".to_owned(),
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{fields}\r\nhello"),
        format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(64 * 1024)),
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 50\r\n\r\ntorn".to_owned(),
    ] {
        web.says(Say::Bytes(garbage.into_bytes()));
        let error = ask().await;
        assert!(matches!(error, HttpsError::Http(_)), "{error:?}");
    }
}

#[tokio::test]
async fn who_is_slow_is_not_waited_for() {
    let zones = zones().await;
    let web = Web::start("here.plain", Say::Drip).await;
    let https = https(&zones, true).within(Duration::from_millis(300));
    assert!(matches!(https.text(&here(), web.port, PATH).await, Err(HttpsError::Timeout)));
}

#[tokio::test]
async fn a_certificate_for_another_or_of_nobody_proves_nothing() {
    let zones = zones().await;
    let other = mailward_tls::authority::create(&["plain"], std::time::SystemTime::now()).unwrap();
    for web in [Web::start("else.plain", policy("x")).await, Web::signed(&other, "here.plain", policy("x")).await] {
        let error = https(&zones, true).text(&here(), web.port, PATH).await.unwrap_err();
        assert!(matches!(error, HttpsError::Tls(_)), "{error:?}");
        assert_eq!(web.asked(), 0, "it isn't even asked");
    }
}

#[tokio::test]
async fn nobody_leads_us_into_our_own_network() {
    let zones = zones().await;
    let web = Web::start("here.plain", policy("x")).await;
    let inside = Domain::parse("inside.plain").unwrap();
    for (host, loopback) in [(here(), false), (inside.clone(), false), (inside, true)] {
        let error = https(&zones, loopback).text(&host, web.port, PATH).await.unwrap_err();
        assert!(matches!(error, HttpsError::NotPublic(_)), "{error:?}");
    }
    assert_eq!(web.asked(), 0);
}

#[tokio::test]
async fn the_first_addresses_of_a_host_are_tried_and_no_more() {
    let web = Web::start("here.plain", policy("x")).await;
    let at = |last: usize| std::net::IpAddr::from([127, 0, 0, u8::try_from(last).unwrap()]);
    for (dead, reached) in [(HTTPS_ADDRESSES_TRIED - 1, true), (HTTPS_ADDRESSES_TRIED, false)] {
        // Nobody listens but at the last one.
        let addresses = (0..dead).map(|number| at(number + 2)).chain([at(1)]).collect();
        let https = Https::new(Arc::new(crate::keeping::Texts::at(addresses)), trusting(), true);
        let came = https.text(&here(), web.port, PATH).await;
        assert_eq!(came.is_ok(), reached, "{came:?}");
    }
}

#[tokio::test]
async fn a_report_is_brought_whole() {
    let zones = zones().await;
    let web = Web::start("here.plain", plain("201 Created", "text/html", "thanks")).await;
    let https = https(&zones, true);
    let content = bytes::Bytes::from(vec![7_u8; 100_000]);
    https.post(&here(), web.port, "/v1?x=y", "application/tlsrpt+gzip", content.clone()).await.unwrap();
    let request = web.requests().remove(0);
    assert!(request.starts_with(b"POST /v1?x=y HTTP/1.1\r\n") && request.ends_with(&content));
    // However much it has to say to it.
    web.says(Say::Endless);
    https.post(&here(), web.port, "/", "application/tlsrpt+gzip", content.clone()).await.unwrap();
    web.says(plain("500 Broken", "text/html", ""));
    let error = https.post(&here(), web.port, "/", "application/tlsrpt+gzip", content).await.unwrap_err();
    assert!(matches!(error, HttpsError::Status(500)));
}
