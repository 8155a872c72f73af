use super::*;
use proptest::prelude::*;

fn ours() -> StandIns {
    let hosts = ["mail.example.org", "example.org", "beispiel.de"].map(str::to_owned);
    StandIns::new(&hosts, &["ada@example.org", "Cleo Patra", "bob", "info@example.org"].map(str::to_owned))
}

fn told(text: &str) -> String {
    ours().text(text, false)
}

#[test]
fn addresses_are_replaced_and_the_same_one_is_the_same_everywhere() {
    let mut ours = ours();
    let text = ours.text("ada@example.org and ADA@EXAMPLE.ORG, not <eve.x+y@else.example>.", false);
    assert_eq!(text, "address-1 and address-1, not <address-2>.");
    assert_eq!(ours.text("to=ada@example.org; `eve.x+y@else.example`", false), "to=address-1; `address-2`");
    assert_eq!(told("\"a b\"@[192.0.2.1] ö@ü.example"), "address-1 address-2");
    assert_eq!(told("@ a@ @b a@@b.example"), "@ a@ @b a@@b.example");
}

#[test]
fn our_hosts_and_what_is_below_them_are_replaced_others_are_not() {
    assert_eq!(
        told("mail.example.org, Example.ORG. and mx.example.org; myexample.org, example.orga"),
        "host-1, host-2. and host-3; myexample.org, example.orga"
    );
    assert_eq!(
        told("/etc/letsencrypt/live/mail.example.org/key.pem cert-example.org.pem"),
        "/etc/letsencrypt/live/host-1/key.pem host-2.pem"
    );
    let mut host = StandIns::new(&["mail", "poste-7"].map(str::to_owned), &[]);
    assert_eq!(host.text("mail of poste-7", false), "mail of host-1");
    assert_eq!(told("_dmarc.example.org _25._tcp.mail.example.org:25"), "_dmarc.host-2 _25._tcp.host-1:25");
}

#[test]
fn where_the_network_is_asked_all_hosts_are_replaced_but_no_files_and_settings() {
    let mut ours = ours();
    assert_eq!(
        ours.text("mx1.hoster.example (https://mta-sts.hoster.example/.well-known/mta-sts.txt), /etc/resolv.conf, v=spf1 include:_spf.hoster.example -all; OpenSSH_9.6 mailward.toml", true),
        "host-2 (https://host-3/.well-known/mta-sts.txt), /etc/resolv.conf, v=spf1 include:host-4 -all; OpenSSH_9.6 mailward.toml"
    );
    let ours_alone = "actions.json has changed; dns.servers, limits.connections; clamav-daemon.service";
    assert_eq!(ours.text(ours_alone, true), ours_alone);
}

#[test]
fn ip_addresses_are_replaced_but_those_that_are_the_same_everywhere() {
    assert_eq!(
        told(
            "192.0.2.1:25 [2001:db8::1]:25 ip4:192.0.2.1/24 IPv6:2001:db8::2 127.0.0.1:25 ::1 0.0.0.0 [::]:25 10.1.2.3."
        ),
        "ip-1:25 [ip-2]:25 ip4:ip-1/24 IPv6:ip-3 127.0.0.1:25 ::1 0.0.0.0 [::]:25 ip-4."
    );
    assert_eq!(told("1.2.0.192.in-addr.arpa 12:34:56 1.2.3"), "ip-1 12:34:56 1.2.3");
}

#[test]
fn people_are_replaced_and_words_of_the_catalogue_are_not() {
    assert_eq!(
        told("Ada may; so may cleo, in /home/eve/.ssh and ~bob. ada_access.pdf"),
        "person-1 may; so may person-2, in /home/person-3/.ssh and ~person-4. person-1_access.pdf"
    );
    let mut ours = StandIns::new(&[], &["mail@example.org", "is@example.org", "mailward"].map(str::to_owned));
    assert_eq!(ours.text("this is the mail of mailward", false), "this is the mail of mailward");
}

#[test]
fn what_is_longer_than_an_excerpt_is_cut() {
    assert_eq!(told(&"ä".repeat(AUDIT_EXCERPT_MAX)).len(), AUDIT_EXCERPT_MAX);
}

proptest! {
    #[test]
    fn no_secret_is_left_whatever_is_around_it(
        before in "[ -~\u{e4}\u{202e}\n]{0,30}[ (<\"/=:;,.]",
        secret in prop_oneof![
            Just("ada@example.org"), Just("Mail.Example.org"), Just("192.0.2.77"), Just("2001:db8::77"), Just("beispiel.de"),
        ],
        after in "([ )>\"/;,.:][ -~\u{e4}\n]{0,30})?",
        all_hosts: bool,
    ) {
        let told = ours().text(&format!("{before}{secret}{after}"), all_hosts).to_lowercase();
        prop_assert!(!told.contains(&secret.to_lowercase()), "{}", told);
    }

    #[test]
    fn any_text_is_told(text in "\\PC{0,200}", all_hosts: bool) {
        let _told = ours().text(&text, all_hosts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn a_text_of_nothing_but_joints_is_told(text in "[:.@_a1-]{4000}", all_hosts: bool) {
        let _told = ours().text(&text, all_hosts);
    }
}
