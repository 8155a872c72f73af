use super::*;
use mailward_core::limits::{DOMAIN_MAX, PROGRAM_XML_DEPTH_MAX, PROGRAM_XML_PIECES_MAX};
use proptest::prelude::*;

fn domain() -> Domain {
    Domain::parse("example.org").unwrap()
}

/// Autoconfig's page with this inside.
fn page(inside: &str) -> Vec<u8> {
    format!("<clientConfig><emailProvider>{inside}</emailProvider></clientConfig>").into_bytes()
}

fn read(inside: &str) -> Option<Vec<Told>> {
    autoconfig(&page(inside), &domain())
}

#[test]
fn a_page_of_autoconfig_is_read_with_what_it_leaves_to_the_program() {
    let told = read(
        "<domain>example.org</domain><incomingServer type=\"imap\"><hostname> MX.%EMAILDOMAIN% </hostname><port>993</port>\
         <socketType>SSL</socketType></incomingServer><incomingServer type=\"exchange\"><port>1</port></incomingServer>\
         <outgoingServer type=\"smtp\"><hostname>a&amp;b</hostname><port>x</port></outgoingServer>",
    );
    let first = Told { service: Service::Imap, host: "mx.example.org".to_owned(), port: 993, begins: Begins::AtOnce };
    let other = Told { service: Service::Submission, host: "a&b".to_owned(), port: 0, begins: Begins::Never };
    assert!(first.is_good() && !other.is_good());
    assert_eq!(told, Some(vec![first, other]));
    let at = |socket: &str| {
        let page =
            format!("<incomingServer type='pop3'><port>995</port><socketType>{socket}</socketType></incomingServer>");
        read(&page).unwrap().remove(0).begins
    };
    assert_eq!(
        [at("ssl"), at("STARTTLS"), at("plain"), at("never-heard-of"), at("")],
        [Begins::AtOnce, Begins::ByCommand, Begins::Never, Begins::Somehow, Begins::Somehow]
    );
}

#[test]
fn a_page_of_autodiscover_is_read_and_its_encryption_counts_more_than_ssl() {
    let of = |inside: &str| {
        let page = format!(
            "<Autodiscover xmlns=\"x\"><Response xmlns=\"y\"><Account><Protocol><Type>IMAP</Type><Server>mx</Server>\
             <Port>993</Port>{inside}</Protocol></Account></Response></Autodiscover>"
        );
        autodiscover(page.as_bytes()).unwrap().remove(0).begins
    };
    assert_eq!(of(""), Begins::AtOnce);
    assert_eq!(of("<SSL>on</SSL>"), Begins::AtOnce);
    assert_eq!(of("<SSL>off</SSL>"), Begins::Never);
    assert_eq!(of("<Encryption>TLS</Encryption><SSL>off</SSL>"), Begins::ByCommand);
    assert_eq!(of("<SSL>off</SSL><Encryption>SSL</Encryption>"), Begins::AtOnce);
    assert_eq!(of("<Encryption>Auto</Encryption>"), Begins::Somehow);
}

#[test]
fn what_is_no_page_or_too_much_of_one_is_not_read() {
    let server = "<incomingServer type='imap'></incomingServer>";
    assert_eq!(read(&server.repeat(PROGRAM_SETTINGS_MAX)).unwrap().len(), PROGRAM_SETTINGS_MAX);
    assert_eq!(read(&server.repeat(PROGRAM_SETTINGS_MAX + 1)), None);
    assert!(read(&"<x/>".repeat(PROGRAM_XML_PIECES_MAX - 10)).is_some());
    assert_eq!(read(&"<x/>".repeat(PROGRAM_XML_PIECES_MAX)), None);
    let deep = |depth: usize| "<x>".repeat(depth) + &"</x>".repeat(depth);
    assert!(read(&deep(PROGRAM_XML_DEPTH_MAX - 2)).is_some());
    assert_eq!(read(&deep(PROGRAM_XML_DEPTH_MAX - 1)), None);
    for bad in [
        "",
        "<clientConfig>",
        "<html></html>",
        "<!DOCTYPE a [<!ENTITY x \"y\">]><clientConfig/>",
        "<clientConfig>&x;</clientConfig>",
    ] {
        assert_eq!(autoconfig(bad.as_bytes(), &domain()), None, "{bad}");
        assert_eq!(autodiscover(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn sources_that_say_more_or_less_don_t_agree() {
    let at = |service: Service| Told { service, host: "mx".to_owned(), port: service.port(), begins: Begins::AtOnce };
    let all = Source::Tells(vec![at(Service::Imap), at(Service::Submission)], Vec::new());
    let with_pop = Source::Tells(vec![at(Service::Imap), at(Service::Submission), at(Service::Pop3)], Vec::new());
    let of = |records: &Source, autoconfig: &Source| Published {
        records: records.clone(),
        autoconfig: autoconfig.clone(),
        autodiscover: all.clone(),
    };
    let agree = |published: Published| published.agrees(&|_| None);
    assert!(matches!(agree(of(&all, &all)), Is::Good(_)));
    assert!(matches!(agree(of(&all, &with_pop)), Is::Good(_)), "POP3 may be left out");
    let no_pop = Source::Tells(vec![at(Service::Imap), at(Service::Submission)], vec![Service::Pop3]);
    assert!(matches!(agree(of(&no_pop, &all)), Is::Good(_)));
    assert!(matches!(agree(of(&no_pop, &with_pop)), Is::Bad(_)), "one says that there is none");
    let unknown = Source::Unknown("late".to_owned());
    assert!(matches!(agree(of(&all, &unknown)), Is::Unknown(_)));
    assert!(matches!(of(&all, &unknown).is_safe(), Some(Is::Unknown(_))));
    assert!(matches!(of(&all, &all).agrees(&|_| Some(Err("shut".to_owned()))), Is::Bad(_)));
}

proptest! {
    #[test]
    fn whatever_a_page_holds_its_places_are_bounded_and_act_on_no_terminal(
        inside in "(<incomingServer type='imap'>|</incomingServer>|<hostname>|</hostname>|<port>|</port>|[a-z0-9&;<>\u{1b}\u{202e}]{0,9}){0,40}",
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        for told in [read(&inside), autoconfig(&bytes, &domain()), autodiscover(&bytes)].into_iter().flatten() {
            prop_assert!(told.len() <= PROGRAM_SETTINGS_MAX);
            for one in told {
                let acts = one.host.contains(['\u{1b}', '\u{202e}']);
                prop_assert!(one.host.chars().count() <= DOMAIN_MAX && !acts);
            }
        }
    }
}
