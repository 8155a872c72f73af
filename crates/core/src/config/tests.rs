//! Stories about configuration files.

mod limits_tested;
mod printed;

use super::*;
use crate::limits::{CONFIG_ERRORS_MAX, CONFIG_SIZE_MAX, DNS_SERVERS_MAX, LISTEN_ADDRESSES_MAX};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn refused(text: &str) -> String {
    match Config::parse(text, "mailward.toml") {
        Ok(loaded) => panic!("{text:?} passed: {:?}", loaded.config),
        Err(errors) => errors.to_string(),
    }
}

fn taken(text: &str) -> Config {
    match Config::parse(text, "mailward.toml") {
        Ok(loaded) => loaded.config,
        Err(errors) => panic!("{text:?} refused: {errors}"),
    }
}

/// Every leaf of the serialized types, as `section.name`.
fn leaves() -> BTreeSet<String> {
    let table = toml::Table::try_from(Config::default()).unwrap();
    let mut paths = BTreeSet::new();
    for (name, value) in table {
        match value {
            toml::Value::Table(inner) => paths.extend(inner.keys().map(|key| format!("{name}.{key}"))),
            _ => drop(paths.insert(name)),
        }
    }
    paths
}

#[test]
fn the_table_of_keys_and_the_types_agree_both_ways() {
    let keys: BTreeSet<String> = KEYS.iter().map(|k| k.path.to_owned()).collect();
    assert_eq!(keys.len(), KEYS.len(), "a key stands twice");
    assert_eq!(keys, leaves());
}

#[test]
fn every_key_has_a_help_a_unit_and_a_default_that_reads_back() {
    for key in KEYS.iter() {
        assert!(!key.help.is_empty() && !key.unit.is_empty() && !key.form.is_empty(), "{}", key.path);
        assert!(key.help.lines().all(|l| l.len() <= 110), "{}: a line of help is too long", key.path);
        let section = if key.section().is_empty() { String::new() } else { format!("[{}]\n", key.section()) };
        let config = taken(&format!("{section}{} = {}\n", key.name(), key.default()));
        assert_eq!(config, Config::default(), "{}", key.path);
    }
}

#[test]
fn an_empty_file_is_every_default() {
    assert_eq!(taken(""), Config::default());
}

#[test]
fn the_commented_file_says_every_key_and_means_the_same() {
    let mut config =
        Config { hostname: Domain::parse("mail.example.org").ok(), listen: Listen::off(), ..Config::default() };
    config.listen.smtp = vec!["127.0.0.1:10025".parse().unwrap(), "[::1]:10025".parse().unwrap()];
    config.limits.message_size = 3 * 1024 * 1024 + 1;
    config.log.file = Some("a \"quoted\\name\".log".into());
    config.lmtp.socket = None;
    let text = config.commented();
    assert_eq!(taken(&text), config);
    for key in KEYS.iter() {
        let line = format!("{} = {}", key.name(), key.value(&config));
        assert!(text.lines().any(|l| l.trim_start_matches('#') == line), "{line}");
    }
    // With every comment sign before a key taken off, it still means the same.
    let active: String = text
        .lines()
        .map(|l| if l.starts_with("# ") { l } else { l.trim_start_matches('#') }.to_owned() + "\n")
        .collect();
    assert_eq!(taken(&active), config);
}

#[test]
fn a_port_out_of_range_is_told_with_file_line_key_and_value() {
    let text = "hostname = \"mail.example.org\"\n\n[listen]\nsmtp = \"0.0.0.0:2500000\"\n";
    assert_eq!(refused(text), "mailward.toml line 4: listen.smtp = \"0.0.0.0:2500000\": port must be 1 to 65535");
}

#[test]
fn the_first_ban_and_who_is_never_banned_have_their_limits() {
    let time = |minutes: usize| format!("[bans]\ntime = {minutes}\n");
    assert_eq!(taken(&time(limits::BAN_MINUTES_CONFIG_MAX)).bans.time, limits::BAN_MINUTES_CONFIG_MAX);
    for bad in [0, limits::BAN_MINUTES_CONFIG_MAX + 1] {
        assert!(refused(&time(bad)).contains("line 2: bans.time = "), "{bad}");
    }
    let never = |count: usize| {
        let all: Vec<String> = (0..count).map(|n| format!("\"u{n}@example.org\"")).collect();
        format!("[bans]\nnever = [{}]\n", all.join(", "))
    };
    assert_eq!(taken(&never(limits::BANS_NEVER_MAX)).bans.never.len(), limits::BANS_NEVER_MAX);
    assert!(refused(&never(limits::BANS_NEVER_MAX + 1)).contains("has more than 100 entries"));
}

#[test]
fn the_rate_guard_s_steps_and_what_it_ignores_are_lists() {
    let config =
        taken("[rates]\nhost = \"block 5/h\"\naccount = \"none\"\nignore = [\"a.example\", \"192.0.2.0/24\"]\n");
    assert_eq!(config.rates.host, crate::RateLimits::of([[0, 5, 0], [0; 3], [0; 3]]));
    assert_eq!(config.rates.account, crate::RateLimits::default());
    assert_eq!(config.rates.ignore.len(), 2);
    let twice = "[rates]\nhost = [\"warn 5/h\", \"messages block 7/h\"]\n";
    assert!(refused(twice).contains("line 2: rates.host = ") && refused(twice).contains("messages stands there twice"));
    let names: Vec<String> = (0..=limits::RATE_IGNORED_MAX).map(|number| format!("\"d{number}.example\"")).collect();
    assert!(refused(&format!("[rates]\nignore = [{}]\n", names.join(", "))).contains("has more than 1000 entries"));
}

#[test]
fn what_strangers_meet_ends_at_its_limits() {
    let most = [
        ("greylist_at", limits::GUARD_MARK_MAX),
        ("refuse_at", limits::GUARD_MARK_MAX),
        ("greeting_delay", limits::GREETING_DELAY_MAX),
        ("greylist_wait", limits::GREYLIST_WAIT_MAX),
    ];
    for (key, most) in most {
        // The marks have to agree.
        let agreeing = if key == "greylist_at" { format!("refuse_at = {most}\n") } else { String::new() };
        let _taken = taken(&format!("[gate]\n{key} = {most}\n{agreeing}"));
        let over = refused(&format!("[gate]\n{key} = {}\n{agreeing}", most + 1));
        assert!(over.starts_with(&format!("mailward.toml line 2: gate.{key} = {}: ", most + 1)), "{over}");
    }
    let lists = |count: usize| {
        let lines: Vec<String> = (0..count).map(|number| format!("\"bl{number}.example 5\"")).collect();
        lines.join(", ")
    };
    for key in ["hosts", "domains"] {
        let _taken = taken(&format!("[lists]\n{key} = [{}]\n", lists(limits::LISTS_MAX)));
        let over = refused(&format!("[lists]\n{key} = [{}]\n", lists(limits::LISTS_MAX + 1)));
        assert!(over.contains(&format!("has more than {} entries", limits::LISTS_MAX)), "{over}");
    }
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    assert_eq!(
        refused("[listen]\nsmpt = \"off\"\n"),
        "mailward.toml line 2: listen.smpt is no key; the nearest is listen.smtp"
    );
    assert_eq!(
        refused("hostnam = \"a.example\"\n"),
        "mailward.toml line 1: hostnam is no key; the nearest is hostname"
    );
    assert_eq!(
        refused("[listne]\nsmtp = \"off\"\n"),
        "mailward.toml line 1: listne.smtp is no key; the nearest is listen.smtp"
    );
    assert_eq!(
        refused("message_size = \"1 MiB\"\n"),
        "mailward.toml line 1: message_size is no key; the nearest is limits.message_size"
    );
    assert_eq!(
        refused("[whatever_this_is]\nxyzzy_plugh = 1\n"),
        "mailward.toml line 1: whatever_this_is.xyzzy_plugh is no key; `mailward config reference` lists all keys"
    );
    assert!(refused("[nothing]\n").contains("line 1: nothing is no key"));
    assert!(refused("hostname.x = 1\n").contains("hostname.x is no key"));
    assert!(refused("[limits.message_size]\nx = 1\n").contains("must be a string such as \"50 MiB\", not a table"));
    assert!(refused("listen = 5\n").contains("listen is a section: write [listen]"));
}

#[test]
fn all_errors_of_a_file_are_told_in_the_order_of_its_lines() {
    let text = "[log]\nlevel = \"loud\"\n[listen]\nimap = [\"1.2.3.4\"]\n[limits]\nconnections = 0\n";
    assert_eq!(
        refused(text),
        "mailward.toml line 2: log.level = \"loud\": must be \"debug\", \"info\", \"warn\" or \"alert\"\n\
         mailward.toml line 4: listen.imap = [\"1.2.3.4\"]: \"1.2.3.4\" has no port: write 1.2.3.4:PORT\n\
         mailward.toml line 6: limits.connections = 0: must be 10 to 100000"
    );
}

#[test]
fn values_of_the_wrong_kind_say_what_is_wanted() {
    for (text, part) in [
        ("hostname = 5", "must be a string in quotes, not an integer"),
        ("hostname = \"a_b.example\"", "letters, digits and inner hyphens"),
        ("hostname = \"a\\u0000b\"", "no control characters"),
        ("data = \"\"", "must name a file or directory"),
        ("user = \"Root User\"", "must be the name of a system user"),
        ("user = \"-x\"", "must be the name of a system user"),
        ("[listen]\nsmtp = 25", "must be a list such as"),
        ("[listen]\nsmtp = [25]", "not a list of other things than strings"),
        ("[listen]\nsmtp = \"localhost:25\"", "\"localhost\" is not an IP address"),
        ("[listen]\nsmtp = \"::1:25\"", "is not an IP address"),
        ("[listen]\nsmtp = \"1.2.3.4:0\"", "port must be 1 to 65535"),
        ("[listen]\nsmtp = \"1.2.3.4:+25\"", "port must be 1 to 65535"),
        ("[listen]\nsmtp = \"1.2.3.4:\"", "port must be 1 to 65535"),
        ("[listen]\nsmtp = [\"1.2.3.4:25\", \"1.2.3.4:25\"]", "stands there twice"),
        ("[listen]\nsmtp = \"1.2.3.4:25\"\nimap = \"1.2.3.4:25\"", "listen.smtp has 1.2.3.4:25 already"),
        ("[dns]\nservers = 53", "must be a list such as"),
        ("[dns]\nservers = \"dns.example\"", "is not an IP address"),
        ("[dns]\nservers = \"dns.example:53\"", "is not an IP address"),
        ("[dns]\nservers = \"127.0.0.1:0\"", "port must be 1 to 65535"),
        ("[dns]\nservers = [\"::1\", \"[::1]:53\"]", "stands there twice"),
        ("[dns]\ndnssec = \"yes\"", "must be true or false without quotes"),
        ("[dns]\ntrust_anchor = \"\"", "must name a file"),
        ("[dns]\ntimeout = 0", "must be 1 to 20"),
        ("[dns]\ncache = 1000001", "must be 0 to 1000000"),
        ("[limits]\nmessage_size = \"1 KiB\"", "must be 64 KiB to 256 MiB"),
        ("[limits]\nmessage_size = \"1 TiB\"", "number with a unit"),
        ("[limits]\nmessage_size = \"99999999999999999999\"", "number with a unit"),
        ("[limits]\nmessage_size = \"99999999999999999 GiB\"", "number with a unit"),
        ("[limits]\nmessage_size = -1", "must be 64 KiB to 256 MiB"),
        ("[limits]\nmessage_size = 1.5", "not a number with a point"),
        ("[limits]\nrecipients = 99", "must be 100 to 10000"),
        ("[limits]\nrecipients = \"200\"", "must be an integer without quotes"),
        ("[limits]\nrecipients = 99999999999999999999", "more than 64 bits"),
        ("[log]\nlevel = true", "not true or false"),
        ("[tls_reports]\ncontact = \"me\"", "must be an address"),
        ("[tls_reports]\ncontact = \"me@[192.0.2.1]\"", "must have a domain"),
        ("[search]\nindex = \"yes\"", "must be true or false without quotes, not a string"),
        ("[lmtp]\nsocket = \"\"", "or be \"off\""),
    ] {
        let error = refused(text);
        assert!(error.contains(part), "{text:?}: {error}");
        assert!(error.starts_with("mailward.toml line "), "{error}");
    }
}

#[test]
fn sizes_are_read_in_every_spelling() {
    for (text, bytes) in [
        ("\"1 MiB\"", 1 << 20),
        ("\"1MiB\"", 1 << 20),
        ("\"70000 b\"", 70_000),
        ("70000", 70_000),
        ("\"70000\"", 70_000),
    ] {
        assert_eq!(taken(&format!("[limits]\nmessage_size = {text}")).limits.message_size, bytes);
    }
}

#[test]
fn what_is_not_toml_is_told_with_its_line() {
    assert!(refused("a = 1\nb = = 2\n").starts_with("mailward.toml line 2: "));
    assert!(refused("user = \"\"\nuser = \"\"\n").starts_with("mailward.toml line 2: "));
    let error = Config::parse_bytes(b"# a\n# \xff\n", "f").map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "f line 2: has bytes that are not UTF-8");
}

#[test]
fn a_file_of_endless_errors_tells_the_first_ones_only() {
    let text: String = (0..CONFIG_ERRORS_MAX * 3).map(|n| format!("x{n} = 1\n")).collect();
    assert_eq!(refused(&text).lines().count(), CONFIG_ERRORS_MAX);
}

#[test]
fn a_file_over_its_size_is_refused_unread() {
    let text = "#".repeat(CONFIG_SIZE_MAX + 1);
    assert_eq!(refused(&text), format!("mailward.toml: is larger than {CONFIG_SIZE_MAX} bytes"));
    let text = "#".repeat(CONFIG_SIZE_MAX);
    assert_eq!(taken(&text), Config::default());
}

#[test]
fn a_door_with_too_many_addresses_is_refused() {
    let list = |n: usize| {
        let addresses: Vec<String> = (1..=n).map(|p| format!("\"127.0.0.1:{p}\"")).collect();
        format!("[listen]\nsmtp = [{}]\n", addresses.join(","))
    };
    assert_eq!(taken(&list(LISTEN_ADDRESSES_MAX)).listen.smtp.len(), LISTEN_ADDRESSES_MAX);
    assert!(refused(&list(LISTEN_ADDRESSES_MAX + 1)).contains("has more than"));
}

#[test]
fn networks_and_grants_are_read_counted_and_not_guessed_at() {
    let config = taken("[relay]\nfrom = [\"192.0.2.0/24\", \"2001:db8::/48\"]\nany_sender = true\n");
    assert_eq!(
        config.relay.from.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["192.0.2.0/24", "2001:db8::/48"]
    );
    assert_eq!(taken("[relay]\nfrom = \"none\"\n").relay.from, []);
    assert!(
        refused("[relay]\nfrom = [\"0.0.0.0/0\"]\n").contains("relay.from = [\"0.0.0.0/0\"]: 0.0.0.0/0 is too wide")
    );
    assert!(refused("[relay]\nfrom = [\"192.0.2.1\", \"192.0.2.1/32\"]\n").contains("stands there twice"));
    let many: Vec<String> =
        (0..=crate::limits::INSIDE_NETWORKS_MAX).map(|n| format!("\"10.{}.{}.0/24\"", n / 256, n % 256)).collect();
    assert!(refused(&format!("[relay]\nfrom = [{}]\n", many.join(","))).contains("has more than 256 entries"));
    assert_eq!(taken("[sendmail]\nusers = [\"www-data=a@b.example\"]\n").sendmail.users[0].user, "www-data");
    assert!(refused("[sendmail]\nusers = [\"www-data\"]\n").contains("write \"user=address\""));
    let many: Vec<String> = (0..=crate::limits::SENDMAIL_GRANTS_MAX).map(|n| format!("\"u{n}=*\"")).collect();
    assert!(refused(&format!("[sendmail]\nusers = [{}]\n", many.join(","))).contains("has more than 1000 entries"));
    assert_eq!(taken("[sendmail]\ndirectory = \"off\"\n").sendmail.directory, None);
}

#[test]
fn endless_nesting_is_refused_without_harm() {
    let deep = "[".repeat(100_000);
    assert!(Config::parse(&format!("a = {deep}"), "f").is_err());
    let dotted = "a.".repeat(50_000);
    assert!(Config::parse(&format!("{dotted}a = 1"), "f").is_err());
}

#[test]
fn resolvers_need_no_port_and_are_counted() {
    let dns = taken("[dns]\nservers = [\"127.0.0.1\", \"::1\", \"192.0.2.1:5353\", \"[2001:db8::1]:53\"]\n").dns;
    let read: Vec<String> = dns.servers.iter().map(ToString::to_string).collect();
    assert_eq!(read, ["127.0.0.1:53", "[::1]:53", "192.0.2.1:5353", "[2001:db8::1]:53"]);
    assert!(taken("[dns]\nservers = \"system\"\n").dns.servers.is_empty());
    let list = |n: usize| {
        let all: Vec<String> = (1..=n).map(|i| format!("\"192.0.2.{i}\"")).collect();
        format!("[dns]\nservers = [{}]\n", all.join(", "))
    };
    assert_eq!(taken(&list(DNS_SERVERS_MAX)).dns.servers.len(), DNS_SERVERS_MAX);
    assert!(refused(&list(DNS_SERVERS_MAX + 1)).contains("has more than"));
}

#[test]
fn relative_paths_start_where_the_file_and_the_data_lie() {
    let mut config = taken("data = \"mail\"\n[tls]\nkey = \"/etc/ssl/private/mail.pem\"\n");
    config.resolve(Path::new("/srv"));
    assert_eq!(config.data, Path::new("/srv/mail"));
    assert_eq!(config.tls.certificate, Path::new("/srv/mail/tls/certificate.pem"));
    assert_eq!(config.tls.key, Path::new("/etc/ssl/private/mail.pem"));
    assert_eq!(config.lmtp.socket.as_deref(), Some(Path::new("/srv/mail/lmtp.sock")));
}

/// The path of a webhook is a password, whatever is found wrong with it.
#[test]
fn no_fault_shows_a_webhook() {
    let text = "[alerts]\nwebhook = \"https://hooks.example/services/s3cret\"\nwebhook_private = true\n";
    let loaded = Config::parse(text, "mailward.toml").unwrap();
    for key in KEYS.iter() {
        assert!(!loaded.fault(key.path, "is wrong").to_string().contains("s3cret"), "{}", key.path);
    }
    assert_eq!(
        loaded.fault("alerts.webhook", "is wrong").to_string(),
        "mailward.toml line 2: alerts.webhook = \"…\": is wrong"
    );
    assert_eq!(
        Loaded::built(Config::default(), "f").fault("alerts.webhook", "is off").to_string(),
        "f: alerts.webhook = \"off\" (by default): is off"
    );
    for bad in ["http://hooks.example/s3cret", "https://u:s3cret@hooks.example/", "https://hooks.example/s3cret é"] {
        let errors = Config::parse(&format!("[alerts]\nwebhook = \"{bad}\"\n"), "f").unwrap_err();
        assert!(!errors.to_string().contains("s3cret"), "{errors}");
    }
}

#[test]
fn a_fault_found_later_is_told_with_its_line_too() {
    let loaded = Config::parse("[listen]\n\nsmtp = \"127.0.0.1:25\"\n", "m.toml").unwrap();
    assert_eq!(
        loaded.fault("listen.smtp", "in use").to_string(),
        "m.toml line 3: listen.smtp = [\"127.0.0.1:25\"]: in use"
    );
    assert_eq!(
        loaded.fault("user", "there is no such user").to_string(),
        "m.toml: user = \"mailward\" (by default): there is no such user"
    );
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = Config::parse(&text, "f");
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Config::parse_bytes(&bytes, "f");
    }

    #[test]
    fn keys_with_odd_values_never_panic(index in 0..KEYS.len(), value in "[\\[\"0-9a-zA-Z:. ,\\]'{}=\\-]{0,40}") {
        let key = KEYS[index];
        let text = format!("[{}]\n{} = {value}\n", if key.section().is_empty() { "x" } else { key.section() }, key.name());
        if let Err(errors) = Config::parse(&text, "f") {
            prop_assert!(!errors.0.is_empty());
            prop_assert!(errors.0.iter().all(|e| e.what.len() < 1_000 && !e.to_string().contains('\n')));
        }
    }

    #[test]
    fn every_configuration_written_is_read_back(
        size in 65_536u64..=256 * 1024 * 1024, recipients in 100usize..=10_000, ports in proptest::collection::btree_set(1u16.., 0..5),
        socket in proptest::option::of("[a-z/\"\\\\ é]{1,20}"), level in 0usize..4,
    ) {
        let mut config = Config::default();
        config.limits.message_size = size;
        config.limits.recipients = recipients;
        config.listen = Listen::off();
        config.listen.pop3 = ports.into_iter().map(|p| SocketAddr::from((Ipv6Addr::LOCALHOST, p))).collect();
        config.lmtp.socket = socket.filter(|s| s != "off").map(PathBuf::from);
        config.log.level = LogLevel::ALL[level];
        let read = Config::parse(&config.commented(), "f").map(|l| l.config);
        prop_assert_eq!(read, Ok(config));
    }
}

#[test]
fn marks_that_contradict_each_other_are_refused_with_both_keys() {
    let fault = |text: &str| Config::parse(text, "f").map(|_| ()).map_err(|errors| errors.to_string());
    assert_eq!(
        fault("[gate]\ngreylist_at = 10\nrefuse_at = 5\n").unwrap_err(),
        "f line 2: gate.greylist_at = 10: that is more than gate.refuse_at = 5: nobody would be put off before being refused \
         (gate.greylist_wait = 0 puts nobody off)"
    );
    let low = fault("[gate]\nrefuse_at = 2\n").unwrap_err();
    assert!(low.starts_with("f line 2: gate.refuse_at = 2: that is less than gate.greylist_at = 3: "), "{low}");
    let stress = fault("[limits]\nstress_enter = 50\nstress_leave = 90\n").unwrap_err();
    assert!(
        stress.starts_with("f line 3: limits.stress_leave = 90: that is more than limits.stress_enter = 50: "),
        "{stress}"
    );
    for well in [
        "[gate]\ngreylist_at = 5\nrefuse_at = 5\n",
        "[limits]\nstress_enter = 20\n",
        "[limits]\nstress_enter = 50\nstress_leave = 50\n",
    ] {
        assert_eq!(fault(well), Ok(()), "{well}");
    }
}

#[test]
fn a_digest_whose_links_would_lead_nowhere_is_refused_and_says_what_is_missing() {
    let told = refused("[quarantine]\ndigest = \"daily\"\n");
    for part in ["line 2: quarantine.digest", "web.origin = \"https://", "https = [\"0.0.0.0:443\""] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let told = refused("[listen]\nhttps = \"127.0.0.1:8443\"\n[quarantine]\ndigest = \"daily\"\n");
    assert!(told.contains("line 2: listen.https") && told.contains("line 4: quarantine.digest"), "{told}");
    let whole = "[listen]\nhttps = \"127.0.0.1:8443\"\n[web]\norigin = \"https://mail.example.org\"\n";
    let config = taken(&format!("{whole}[quarantine]\ndigest = \"weekly\"\n"));
    assert_eq!(config.quarantine.digest, DigestPace::Weekly);
}

#[test]
fn pages_in_clear_text_stay_on_this_host() {
    let origin = "[web]\norigin = \"https://mail.example.org\"\n";
    for address in ["0.0.0.0:80", "192.0.2.1:80", "[::]:80", "[::ffff:192.0.2.1]:80"] {
        assert!(refused(&format!("{origin}[listen]\nhttp = \"{address}\"\n")).contains("listen.https"), "{address}");
    }
    for address in ["127.0.0.1:8080", "[::1]:8080"] {
        taken(&format!("{origin}[listen]\nhttp = \"{address}\"\n"));
    }
}

#[test]
fn no_setting_lets_users_release_a_virus() {
    for reason in ["antivirus", "authentication", "milter", "everything"] {
        let told = refused(&format!("[quarantine]\nusers_release = [\"spam\", \"{reason}\"]\n"));
        assert!(told.contains("administrators alone"), "{told}");
    }
    assert_eq!(taken("[quarantine]\nusers_release = \"none\"\n").quarantine.users_release, []);
}
