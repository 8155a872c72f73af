//! Stories about qmails, made up.

use super::*;
use proptest::prelude::*;

fn files(control: &[(&str, &str)], alias: &[(&str, &str)]) -> Files {
    let map =
        |all: &[(&str, &str)]| all.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
    Files { control: map(control), alias: map(alias) }
}

fn became(plan: &Plan) -> Vec<String> {
    plan.became
        .iter()
        .map(|became| match &became.step {
            Step::Domain(domain) => format!("domain {domain}"),
            Step::Alias(alias, to) => {
                format!("alias {alias} {}", to.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
            }
            Step::CatchAll(domain, to) => format!("catch-all {domain} {to}"),
            Step::Rule(rule) => format!("rule {rule}"),
            Step::Gateway(gateway) => format!("gateway {} {}", gateway.domain, plain(&gateway.leads)),
            Step::Route(route) => format!("route {} {} {}", route.name, route.to, plain(&route.leads)),
            Step::Setting(key, value) => format!("{key} = {value}"),
        })
        .collect()
}

fn left(plan: &Plan) -> Vec<String> {
    plan.left.iter().map(|left| format!("{}:{} {}: {}", left.file, left.line, left.source, left.why)).collect()
}

#[test]
fn a_qmail_becomes_what_it_was() {
    let plan = plan(&files(
        &[
            ("me", "mail.example.org\n"),
            ("locals", "localhost\nexample.org\n# old\nmail.example.org  \n"),
            ("virtualdomains", "shop.example:alias-shop\nclub.example:clubuser\n"),
            ("rcpthosts", "localhost\nexample.org\nmail.example.org\nshop.example\nbranch.example\nbackup.example\n.wide.example\n"),
            ("databytes", "20000000\n"),
            ("badmailfrom", "spammer@bad.example\n@worse.example\n"),
            ("badrcptto", "old@example.org\n"),
            ("smtpgreeting", "mail.example.org No spam please\n"),
            ("concurrencyincoming", "40\n"),
            ("queuelifetime", "604800\n"),
            ("timeoutsmtpd", "1200\n"),
            ("smtproutes", "branch.example:inside.example:2525\n:smart.example\nexample.org:nowhere.example\n.far.example:[192.0.2.7]:26\n"),
            ("odd", "secret\n"),
        ],
        &[
            (".qmail-postmaster", "&joe\n"),
            (".qmail-info", "# to both\n&joe@example.org\nann@elsewhere.example\n"),
            (".qmail-first:last", "&joe@example.org\n"),
            (".qmail-shop-sales", "&joe@example.org\n"),
            (".qmail-shop-default", "&joe@example.org\n"),
            (".qmail-list", "|ezmlm-send list\n&x@example.org\n"),
            (".qmail-box", "./Maildir/\n"),
            (".qmail-both", "/var/mail/joe\n&joe@example.org\n"),
            (".qmail-gone", "# nothing\n"),
            (".qmail-news-default", "&joe@example.org\n"),
        ],
    ))
    .unwrap();
    assert_eq!(
        became(&plan),
        [
            "hostname = \"mail.example.org\"",
            "domain example.org",
            "domain mail.example.org",
            "domain shop.example",
            "domain club.example",
            "gateway branch.example host inside.example:2525",
            "route to-all * host smart.example",
            "route to-far-example .far.example host 192.0.2.7:26",
            "rule any from spammer@bad.example refuse",
            "rule any from @worse.example refuse",
            "rule any to old@example.org refuse",
            "limits.connections = 40",
            "limits.message_size = 20000000",
            "queue.lifetime = 168",
            "alias both@example.org joe@example.org",
            "alias both@mail.example.org joe@example.org",
            "alias first.last@example.org joe@example.org",
            "alias first.last@mail.example.org joe@example.org",
            "alias info@example.org joe@example.org ann@elsewhere.example",
            "alias info@mail.example.org joe@example.org ann@elsewhere.example",
            "alias postmaster@example.org joe@mail.example.org",
            "alias postmaster@mail.example.org joe@mail.example.org",
            "catch-all shop.example joe@example.org",
            "alias sales@shop.example joe@example.org",
        ]
    );
    let told = left(&plan).join("\n");
    for words in [
        "locals:1 localhost: is always this host",
        "virtualdomains:2 club.example:clubuser: its users are clubuser's",
        "rcpthosts:6 backup.example: mail was taken to be sent on by DNS",
        "rcpthosts:7 .wide.example: each domain is named by itself",
        "rcpthosts:0 club.example: isn't in rcpthosts",
        "smtproutes:3 example.org: is delivered here",
        "smtpgreeting:1 mail.example.org No spam please: greetings have a name only",
        "timeoutsmtpd:0 : times for commands",
        "odd:0 : isn't known; it wasn't read",
        ".qmail-list:1 |ezmlm-send list: no program is run",
        ".qmail-list:0 : a program may decide",
        ".qmail-box:1 ./Maildir/: a mailbox belongs to a user",
        ".qmail-both:1 /var/mail/joe: a mailbox",
        ".qmail-gone:0 : throws mail away",
        ".qmail-news-default:0 : addresses that begin alike",
    ] {
        assert!(told.contains(words), "{words}\n{told}");
    }
}

#[test]
fn without_locals_the_host_itself_is_ours_and_without_rcpthosts_nobody_relays() {
    let plan = plan(&files(&[("me", "mail.example.org")], &[])).unwrap();
    assert_eq!(became(&plan), ["hostname = \"mail.example.org\"", "domain mail.example.org"]);
    assert!(left(&plan)[0].contains("an open relay; never here"));
}

#[test]
fn patterns_of_the_patches_become_patterns_where_they_have_an_equal() {
    let plan = plan(&files(
        &[
            ("rcpthosts", ""),
            ("badmailfrom", "*@a.example\n*@*.b.example\n@.c.example\n*spam*@*\n!ok@a.example\nno address\n"),
        ],
        &[],
    ))
    .unwrap();
    assert_eq!(
        became(&plan),
        ["rule any from @a.example refuse", "rule any from @*.b.example refuse", "rule any from @*.c.example refuse"]
    );
    assert_eq!(plan.left.len(), 3, "{:?}", plan.left);
}

#[test]
fn a_password_in_a_route_is_neither_read_nor_shown() {
    let plan = plan(&files(&[("rcpthosts", ""), ("smtproutes", ":smart.example:587 joe hunter2\n")], &[])).unwrap();
    assert!(plan.became.is_empty() && plan.left[0].why.contains("--user"));
    assert!(!format!("{plan:?}").contains("hunter2"));
}

#[test]
fn numbers_that_can_t_be_are_told() {
    let control =
        [("rcpthosts", ""), ("databytes", "0"), ("queuelifetime", "99999999"), ("concurrencyincoming", "lots")];
    let plan = plan(&files(&control, &[])).unwrap();
    assert!(plan.became.is_empty(), "{:?}", plan.became);
    assert_eq!(plan.left.len(), 3);
}

#[test]
fn files_end_at_their_limits() {
    let of = |text: String| plan(&files(&[("badmailfrom", &text)], &[]));
    assert!(of("#".repeat(MIGRATE_LINE_MAX)).is_ok());
    assert_eq!(of("#".repeat(MIGRATE_LINE_MAX + 1)), Err(QmailError::TooLarge("badmailfrom".to_owned())));
    assert!(of("\n".repeat(MIGRATE_LINES_MAX - 1)).is_ok());
    assert!(of("\n".repeat(MIGRATE_LINES_MAX)).is_err());
    assert!(of("#\n".repeat(MIGRATE_FILE_MAX / 2 + 1)).is_err());
    let many: BTreeMap<String, Vec<u8>> =
        (0..=MIGRATE_ALIASES_MAX).map(|n| (format!(".qmail-{n}"), Vec::new())).collect();
    assert_eq!(plan(&Files { control: BTreeMap::new(), alias: many }), Err(QmailError::TooMany));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_and_nobody_relays_by_them(
        control in proptest::collection::vec(("(me|locals|virtualdomains|rcpthosts|smtproutes|badmailfrom|databytes|x)", "[-a-c.:@*\\[\\] 0-9\n]{0,60}"), 0..6),
        alias in proptest::collection::vec(("\\.qmail(-[a-c:-]{0,6})?(-default)?", proptest::collection::vec(any::<u8>(), 0..40)), 0..4),
        lines in proptest::collection::vec("[&|/.]?[a-c@.]{0,10}", 0..4),
    ) {
        let mut files = Files { control: control.into_iter().map(|(name, text)| (name, text.into_bytes())).collect(), alias: alias.into_iter().collect() };
        files.alias.insert(".qmail-a".to_owned(), lines.join("\n").into_bytes());
        let plan = plan(&files).unwrap();
        for became in &plan.became {
            if let Step::Rule(rule) = &became.step {
                prop_assert_eq!(rule.action().name(), "refuse");
            }
        }
    }
}

fn plain(leads: &crate::routes::Leads) -> String {
    leads.to_string().replace(" (opportunistic)", "")
}
