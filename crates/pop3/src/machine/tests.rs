use super::*;
use mailward_core::foreign::Foreign;
use mailward_core::limits::GUEST_COMMANDS_MAX;
use mailward_core::{Uid, UidValidity};
use proptest::prelude::*;

fn facts(tls: bool) -> WireFacts {
    WireFacts { tls, can_start_tls: !tls, mechanisms: if tls { vec!["SCRAM-SHA-256", "PLAIN"] } else { Vec::new() } }
}

/// A session that has said its greeting.
fn greeted(tls: bool) -> Machine {
    let mut machine = Machine::new(facts(tls));
    machine.output().clear();
    machine
}

/// Of a message in these maildrops.
fn size(uid: Uid) -> u64 {
    u64::from(uid.0 - 10) * 100
}

/// A session in a maildrop of so many messages: UIDs are 11, 12, …, sizes 100, 200, …
fn opened(messages: u32) -> Machine {
    let mut machine = greeted(true);
    let uids = UidRange { first: Uid(11), last: Uid(10 + messages) };
    let octets = (11..=10 + messages).map(|uid| size(Uid(uid))).sum();
    machine.welcome(Maildrop::new(UidValidity(5), &[uids], octets, u32::MAX));
    machine.output().clear();
    machine
}

/// A page of sizes, as a store gives them.
fn page(uids: UidRange) -> Vec<(Uid, u64)> {
    (uids.first.0..=uids.last.0).take(7).map(|uid| (Uid(uid), size(Uid(uid)))).collect()
}

/// Feeds, and gives back what is written until something other than more bytes or sizes is wanted.
fn say(machine: &mut Machine, bytes: impl AsRef<[u8]>) -> (String, Intent) {
    machine.feed(bytes.as_ref());
    let mut written = Vec::new();
    loop {
        let intent = machine.advance();
        written.append(machine.output());
        match intent {
            Intent::Write => {}
            Intent::Sizes(uids) => machine.sizes(page(uids)),
            intent => return (String::from_utf8(written).unwrap(), intent),
        }
    }
}

fn reply(machine: &mut Machine, bytes: impl AsRef<[u8]>) -> String {
    let (text, intent) = say(machine, bytes);
    assert!(matches!(intent, Intent::Read), "{intent:?} after {text}");
    text
}

#[test]
fn the_greeting_invites_no_apop() {
    let mut machine = Machine::new(facts(true));
    let greeting = String::from_utf8(machine.output().clone()).unwrap();
    assert!(greeting.starts_with("+OK ") && !greeting.contains('<'), "{greeting}");
    machine.output().clear();
    assert_eq!(reply(&mut machine, "APOP alice c4c9334bac560ecc979e58001b3e22fb\r\n"), "-ERR unknown command\r\n");
}

#[test]
fn nobody_logs_in_without_tls() {
    let mut machine = greeted(false);
    for line in ["USER alice@example.test\r\n", "PASS x\r\n", "AUTH PLAIN AGEAYg==\r\n", "AUTH SCRAM-SHA-256\r\n"] {
        assert!(reply(&mut machine, line).starts_with("-ERR no login in clear"), "{line}");
    }
    let capabilities = reply(&mut machine, "CAPA\r\n");
    assert!(capabilities.contains("\r\nSTLS\r\n"));
    assert!(!capabilities.contains("SASL") && !capabilities.contains("USER"));
}

#[test]
fn under_tls_capabilities_offer_logins_and_no_second_tls() {
    let mut machine = greeted(true);
    let capabilities = reply(&mut machine, "CAPA\r\n");
    let all = [
        "USER",
        "SASL SCRAM-SHA-256 PLAIN",
        "TOP",
        "UIDL",
        "RESP-CODES",
        "AUTH-RESP-CODE",
        "PIPELINING",
        "EXPIRE NEVER",
        "UTF8 USER",
        "LANG",
        "IMPLEMENTATION Mailward",
    ];
    for one in all {
        assert!(capabilities.contains(&format!("\r\n{one}\r\n")), "{one}");
    }
    // RFC 2449 §5: what is announced before the login is announced after it.
    let mut machine = opened(1);
    assert_eq!(reply(&mut machine, "CAPA\r\n"), capabilities);
    let mut machine = greeted(true);
    assert!(!capabilities.contains("STLS") && capabilities.ends_with("\r\n.\r\n"));
    assert_eq!(reply(&mut machine, "STLS\r\n"), "-ERR TLS is on already\r\n");
}

/// Attacks B1.
#[test]
fn what_follows_stls_in_clear_ends_the_session() {
    let mut machine = greeted(false);
    let (text, intent) = say(&mut machine, "STLS\r\nUSER alice@example.test\r\n");
    assert!(text.starts_with("-ERR"), "{text}");
    assert!(matches!(intent, Intent::Close(CloseReason::StlsInjection)));
    assert!(matches!(say(&mut machine, "STLS\r\n").1, Intent::Close(_)), "closed is closed");
    // One byte is enough.
    let (_, intent) = say(&mut greeted(false), "STLS\r\nU");
    assert!(matches!(intent, Intent::Close(CloseReason::StlsInjection)));
}

#[test]
fn tls_starts_once_and_forgets_what_was_said() {
    let mut machine = greeted(false);
    let (text, intent) = say(&mut machine, "STLS\r\n");
    assert_eq!(text, "+OK begin TLS now\r\n");
    assert!(matches!(intent, Intent::StartTls));
    machine.tls_started(vec!["PLAIN"]);
    assert_eq!(reply(&mut machine, "PASS x\r\n"), "-ERR USER comes before PASS\r\n");
    assert!(reply(&mut machine, "CAPA\r\n").contains("SASL PLAIN"));
}

#[test]
fn a_user_and_a_password_are_handed_over_once() {
    let mut machine = greeted(true);
    let (text, intent) = say(&mut machine, "USER alice@example.test\r\nPASS two words\r\n");
    assert!(text.starts_with("+OK"));
    let Intent::Password { user, password } = intent else { panic!("{intent:?}") };
    assert_eq!((user.as_str(), password.expose()), ("alice@example.test", &b"two words"[..]));
    machine.deny(Denial::Refused);
    let text = reply(&mut machine, "PASS again\r\n");
    assert!(text.starts_with("-ERR [AUTH] ") && text.contains("USER comes before PASS"), "{text}");
}

#[test]
fn three_wrong_logins_end_the_session() {
    let mut machine = greeted(true);
    for n in 1..=AUTH_ATTEMPTS_MAX {
        let (_, intent) = say(&mut machine, "USER a@b.example\r\nPASS x\r\n");
        assert!(matches!(intent, Intent::Password { .. }), "attempt {n}: {intent:?}");
        machine.deny(Denial::Refused);
    }
    let (text, intent) = say(&mut machine, "USER a@b.example\r\nPASS x\r\n");
    assert_eq!(text, "-ERR [AUTH] user name or password is wrong\r\n");
    assert!(matches!(intent, Intent::Close(CloseReason::Logins)));
}

#[test]
fn sasl_goes_back_and_forth_in_base64() {
    let mut machine = greeted(true);
    let (_, intent) = say(&mut machine, "AUTH SCRAM-SHA-256 biws\r\n");
    let Intent::SaslBegin { mechanism, initial: Some(initial) } = intent else { panic!("{intent:?}") };
    assert_eq!((mechanism.as_str(), initial.expose()), ("SCRAM-SHA-256", &b"n,,"[..]));
    machine.challenge(b"r=1");
    let (text, intent) = say(&mut machine, "Yz1iaXdz\r\n");
    assert_eq!(text, "+ cj0x\r\n");
    assert!(matches!(intent, Intent::SaslResponse(response) if response.expose() == b"c=biws"));
    machine.challenge(b"");
    assert_eq!(reply(&mut machine, "*\r\n"), "+ \r\n-ERR given up\r\n");
    assert!(reply(&mut machine, "CAPA\r\n").starts_with("+OK"), "commands are commands again");
}

#[test]
fn a_sasl_line_may_be_longer_than_a_command_but_not_endless() {
    let mut machine = greeted(true);
    say(&mut machine, "AUTH PLAIN\r\n");
    machine.challenge(b"");
    machine.output().clear();
    let (_, intent) = say(&mut machine, format!("{}\r\n", "AAAA".repeat(1000)));
    assert!(matches!(intent, Intent::SaslResponse(response) if response.expose().len() == 3000));
    machine.challenge(b"");
    machine.output().clear();
    let text = reply(&mut machine, format!("{}\r\n", "A".repeat(SASL_LINE_MAX - 1)));
    assert_eq!(text, "-ERR that line is too long\r\n");
}

#[test]
fn listings_leave_out_what_is_marked_and_numbers_stay() {
    let mut machine = opened(3);
    assert_eq!(reply(&mut machine, "STAT\r\n"), "+OK 3 600\r\n");
    assert_eq!(reply(&mut machine, "DELE 2\r\n"), "+OK deleted at QUIT\r\n");
    assert_eq!(reply(&mut machine, "STAT\r\nLIST\r\n"), "+OK 2 400\r\n+OK\r\n1 100\r\n3 300\r\n.\r\n");
    assert_eq!(reply(&mut machine, "UIDL\r\n"), "+OK\r\n1 5.11\r\n3 5.13\r\n.\r\n");
    assert_eq!(reply(&mut machine, "UIDL 3\r\nLIST 3\r\n"), "+OK 3 5.13\r\n+OK 3 300\r\n");
    for line in ["LIST 2", "UIDL 2", "RETR 2", "TOP 2 0", "DELE 2", "DELE 0", "RETR 4", "RETR 99999999999"] {
        assert_eq!(reply(&mut machine, format!("{line}\r\n")), "-ERR no such message\r\n", "{line}");
    }
    assert_eq!(reply(&mut machine, "RSET\r\nSTAT\r\n"), "+OK\r\n+OK 3 600\r\n");
}

#[test]
fn an_empty_maildrop_has_empty_listings() {
    let mut machine = greeted(true);
    machine.welcome(Maildrop::new(UidValidity(5), &[], 0, u32::MAX));
    assert_eq!(
        reply(&mut machine, "STAT\r\nLIST\r\nUIDL\r\n"),
        "+OK 0 messages\r\n+OK 0 0\r\n+OK\r\n.\r\n+OK\r\n.\r\n"
    );
    let mut machine = opened(1);
    assert_eq!(reply(&mut machine, "DELE 1\r\nSTAT\r\nLIST\r\n"), "+OK deleted at QUIT\r\n+OK 0 0\r\n+OK\r\n.\r\n");
}

#[test]
fn what_is_gone_since_login_is_left_out_or_said() {
    let mut machine = opened(4);
    machine.feed(b"LIST\r\nLIST 2\r\nNOOP\r\n");
    assert!(matches!(machine.advance(), Intent::Sizes(UidRange { first: Uid(11), last: Uid(14) })));
    machine.sizes([(Uid(11), 1), (Uid(13), 3)]);
    assert!(matches!(machine.advance(), Intent::Sizes(UidRange { first: Uid(14), last: Uid(14) })));
    machine.sizes([]);
    assert!(matches!(machine.advance(), Intent::Sizes(UidRange { first: Uid(12), last: Uid(12) })));
    machine.sizes([]);
    let (text, _) = say(&mut machine, "");
    assert_eq!(text, "+OK\r\n1 1\r\n3 3\r\n.\r\n-ERR that message was deleted elsewhere\r\n+OK\r\n");
}

#[test]
fn half_a_listing_never_passes_for_a_whole_one() {
    let mut machine = opened(9);
    for command in ["LIST\r\n", "LIST 1\r\n", "DELE 1\r\nSTAT\r\n"] {
        machine.feed(command.as_bytes());
        while !matches!(machine.advance(), Intent::Sizes(_)) {}
        machine.output().clear();
        assert!(machine.sizes_failed(Gone::Temporary), "before its first line");
        assert!(reply(&mut machine, "").starts_with("-ERR [SYS/TEMP] "), "{command}");
    }
    machine.feed(b"LIST\r\n");
    let Intent::Sizes(uids) = machine.advance() else { panic!() };
    machine.sizes(page(uids));
    assert!(matches!(machine.advance(), Intent::Sizes(_)));
    assert!(!machine.sizes_failed(Gone::Temporary), "after it nothing can be said");
}

#[test]
fn deletions_are_handed_over_at_quit_only() {
    let mut machine = opened(4);
    reply(&mut machine, "DELE 1\r\nDELE 2\r\nDELE 4\r\n");
    let (_, intent) = say(&mut machine, "QUIT\r\n");
    let Intent::Update(ranges) = intent else { panic!("{intent:?}") };
    assert_eq!(ranges, [UidRange { first: Uid(11), last: Uid(12) }, UidRange::one(Uid(14))]);
    machine.updated(true);
    let (text, intent) = say(&mut machine, "");
    assert_eq!(text, "+OK bye\r\n");
    assert!(matches!(intent, Intent::Close(CloseReason::Quit)));
}

#[test]
fn a_deletion_that_failed_is_told() {
    let mut machine = opened(1);
    reply(&mut machine, "DELE 1\r\n");
    say(&mut machine, "QUIT\r\n");
    machine.updated(false);
    assert!(say(&mut machine, "").0.starts_with("-ERR [SYS/TEMP]"));
}

#[test]
fn pipelined_commands_are_answered_in_order() {
    let mut machine = opened(3);
    let (text, intent) = say(&mut machine, "STAT\r\nLIST 1\r\nRETR 2\r\nNOOP\r\n");
    assert_eq!(text, "+OK 3 600\r\n+OK 1 100\r\n");
    let Intent::Send { number: 2, uids, lines: None } = intent else { panic!("{intent:?}") };
    assert_eq!(uids, UidRange { first: Uid(12), last: Uid(13) });
    machine.message_follows(Some(20));
    machine.output().extend_from_slice(b"text\r\n.\r\n");
    assert_eq!(reply(&mut machine, ""), "+OK 20 octets\r\ntext\r\n.\r\n+OK\r\n");
}

#[test]
fn replies_to_pipelined_commands_wait_for_each_other() {
    let mut machine = opened(3);
    machine.feed("STAT\r\n".repeat(100).as_bytes());
    assert!(matches!(machine.advance(), Intent::Read), "and are written together before more is read");
    assert_eq!(machine.output().len(), 100 * "+OK 3 600\r\n".len());
}

#[test]
fn a_long_listing_is_written_piece_by_piece() {
    for (command, last) in [("UIDL", "20000 5.20010"), ("LIST", "20000 2000000")] {
        let mut machine = opened(20_000);
        machine.feed(format!("{command}\r\nNOOP\r\n").as_bytes());
        let mut written = Vec::new();
        let mut pieces = 0;
        loop {
            match machine.advance() {
                Intent::Write => {}
                Intent::Sizes(uids) => {
                    machine.sizes(page(uids));
                    continue;
                }
                _ => break,
            }
            assert!(machine.output().len() < WRITE_BUFFER_MAX + 200);
            written.append(machine.output());
            pieces += 1;
        }
        written.append(machine.output());
        assert!(pieces > 2);
        let text = String::from_utf8(written).unwrap();
        assert_eq!(text.lines().count(), 1 + 20_000 + 1 + 1);
        assert!(text.ends_with(&format!("{last}\r\n.\r\n+OK\r\n")));
    }
}

/// RFC 6856 §2.1.
#[test]
fn utf8_is_said_under_tls_before_the_login() {
    let mut machine = greeted(false);
    assert!(!reply(&mut machine, "CAPA\r\n").contains("UTF8"));
    assert!(reply(&mut machine, "UTF8\r\n").starts_with("-ERR start TLS first"));
    let mut machine = greeted(true);
    assert!(!machine.is_utf8());
    assert_eq!(reply(&mut machine, "UTF8\r\n"), "+OK messages as they are\r\n");
    assert!(machine.is_utf8());
    assert!(reply(&mut machine, "STLS\r\n").starts_with("-ERR"));
    assert!(reply(&mut opened(1), "UTF8\r\n").starts_with("-ERR UTF8 comes before the login"));
}

/// RFC 6856 §3.
#[test]
fn languages_are_listed_and_chosen() {
    for mut machine in [greeted(false), greeted(true), opened(1)] {
        assert_eq!(reply(&mut machine, "LANG\r\n"), "+OK\r\nen English\r\ni-default English, as of old\r\n.\r\n");
        for range in ["en", "EN", "*", "en-GB", "en-Latn-GB"] {
            assert!(reply(&mut machine, format!("LANG {range}\r\n")).starts_with("+OK en "), "{range}");
        }
        assert!(reply(&mut machine, "LANG i-default\r\n").starts_with("+OK i-default "));
        for range in ["MUL", "de", "english", "e"] {
            assert!(reply(&mut machine, format!("LANG {range}\r\n")).starts_with("-ERR"), "{range}");
        }
    }
}

/// Attacks B5.
#[test]
fn a_login_is_taken_once() {
    let mut machine = opened(1);
    for line in ["AUTH PLAIN AGEAYg==", "AUTH PLAIN =", "AUTH PLAIN", "USER a", "PASS b"] {
        assert_eq!(reply(&mut machine, format!("{line}\r\n")), "-ERR logged in already\r\n", "{line}");
    }
}

/// RFC 3206: what isn't about the credentials doesn't make a client ask for them.
#[test]
fn only_wrong_credentials_carry_the_code_auth() {
    let all = [
        Denial::Malformed,
        Denial::UnknownMechanism,
        Denial::NeedsTls,
        Denial::Temporary,
        Denial::Broken,
        Denial::InUse,
    ];
    for denial in all {
        let mut machine = greeted(true);
        machine.deny(denial);
        let text = reply(&mut machine, "");
        assert!(text.starts_with("-ERR ") && !text.contains("[AUTH]"), "{text}");
    }
}

#[test]
fn lines_end_at_their_limit_and_the_session_lives() {
    let mut machine = greeted(true);
    let longest = format!("USER {}\r\n", "a".repeat(POP3_LINE_MAX - 7));
    assert!(reply(&mut machine, &longest).starts_with("+OK"));
    let longer = format!("USER {}\r\n", "a".repeat(POP3_LINE_MAX - 6));
    assert_eq!(reply(&mut machine, &longer), "-ERR that line is too long\r\n");
    // In pieces it is the same line.
    let mut text = String::new();
    for piece in longer.as_bytes().chunks(7) {
        text.push_str(&reply(&mut machine, piece));
    }
    assert_eq!(text, "-ERR that line is too long\r\n");
    assert!(reply(&mut machine, "CAPA\r\n").starts_with("+OK"));
}

/// Attacks G1, H2.
#[test]
fn a_line_without_end_is_neither_kept_nor_suffered() {
    let mut machine = greeted(true);
    for _ in 0..100 {
        let (_, intent) = say(&mut machine, [b'('; 1000]);
        assert!(machine.input.bytes.len() <= 1000 + POP3_LINE_MAX);
        if matches!(intent, Intent::Close(CloseReason::Line)) {
            return;
        }
    }
    panic!("nobody closed");
}

#[test]
fn bare_line_ends_and_nul_are_errors() {
    let mut machine = greeted(true);
    for line in ["CAPA\n", "CA\rPA\r\n", "CAPA\0\r\n", "CAPA\r\r\n", "PASS a\0b\r\n"] {
        assert!(reply(&mut machine, line).starts_with("-ERR a line ends with CRLF"), "{line:?}");
    }
}

#[test]
fn too_many_errors_end_the_session() {
    let mut machine = greeted(true);
    let (text, intent) = say(&mut machine, "JUNK\r\n".repeat(POP3_ERRORS_MAX + 5));
    assert_eq!(text.matches("-ERR unknown command\r\n").count(), POP3_ERRORS_MAX);
    assert!(text.ends_with("-ERR too many errors\r\n"));
    assert!(matches!(intent, Intent::Close(CloseReason::Errors)));
}

/// Attacks B8.
#[test]
fn other_protocols_get_nothing() {
    for (first, what) in [
        ("POST / HTTP/1.1\r\nHost: a\r\n\r\nUSER a\r\n", Foreign::Http),
        ("GET /", Foreign::Http),
        ("get / http/1.0\n", Foreign::Http),
        ("CONNECT a.example:110 HTTP/1.1\r\n", Foreign::Http),
        ("\u{16}\u{3}\u{1}", Foreign::Tls),
        ("SSH-2.0-x\r\n", Foreign::Ssh),
    ] {
        for tls in [false, true] {
            let (text, intent) = say(&mut greeted(tls), first);
            assert_eq!(text, "");
            assert!(matches!(intent, Intent::Close(CloseReason::Foreign(known)) if known == what), "{what}");
        }
    }
}

/// Attacks H3.
#[test]
fn who_only_chats_before_a_login_is_sent_away() {
    let (text, intent) = say(&mut greeted(true), "CAPA\r\n".repeat(GUEST_COMMANDS_MAX + 5));
    assert_eq!(
        text.matches("+OK").count(),
        GUEST_COMMANDS_MAX + 1,
        "the last one is answered, and with it the session ends"
    );
    assert!(text.ends_with("-ERR too many commands before a login\r\n"));
    assert!(matches!(intent, Intent::Close(CloseReason::Commands)));
}

#[test]
fn passwords_don_t_stay_in_the_input() {
    let mut machine = greeted(true);
    say(&mut machine, "USER a\r\nPASS correct horse\r\nNO");
    assert!(!machine.input.bytes.windows(5).any(|w| w == b"horse"));
}

proptest! {
    /// Whatever comes, in whatever pieces: no panic, bounded buffers, and the same replies.
    #[test]
    fn pieces_make_no_difference(
        lines in proptest::collection::vec(
            prop_oneof![
                "(CAPA|STLS|UTF8|LANG|LANG en|NOOP|STAT|LIST|UIDL|RSET|RETR 1|TOP 1 2|DELE 1|DELE 2|LIST 2|QUIT)\r\n",
                "[A-Za-z0-9 \\x00*=+]{0,12}(\r\n|\n|\r)",
                Just("x".repeat(700) + "\r\n"),
            ],
            0..30,
        ),
        cut in 1usize..40,
        logged_in in any::<bool>(),
    ) {
        let whole: String = lines.concat();
        let run = |step: usize| {
            let mut machine = if logged_in { opened(3) } else { greeted(true) };
            let mut written = String::new();
            for piece in whole.as_bytes().chunks(step) {
                machine.feed(piece);
                loop {
                    let intent = machine.advance();
                    match intent {
                        Intent::Read => break,
                        Intent::Close(_) => {
                            written.push_str(std::str::from_utf8(machine.output()).unwrap());
                            return written;
                        }
                        Intent::Password { .. } | Intent::SaslBegin { .. } | Intent::SaslResponse(_) => {
                            machine.deny(Denial::Refused);
                        }
                        Intent::Send { .. } => machine.message_gone(Gone::Elsewhere),
                        Intent::Sizes(uids) => machine.sizes(page(uids)),
                        Intent::Update(_) => machine.updated(true),
                        Intent::StartTls => machine.tls_started(Vec::new()),
                        Intent::Write => {}
                    }
                    written.push_str(std::str::from_utf8(machine.output()).unwrap());
                    machine.output().clear();
                }
                written.push_str(std::str::from_utf8(machine.output()).unwrap());
                machine.output().clear();
                assert!(machine.input.bytes.len() <= step + SASL_LINE_MAX);
            }
            written
        };
        prop_assert_eq!(run(cut), run(usize::MAX >> 1));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000), tls in any::<bool>()) {
        let mut machine = greeted(tls);
        machine.feed(&bytes);
        for _ in 0..200 {
            match machine.advance() {
                Intent::Read | Intent::Close(_) => break,
                _ => machine.deny(Denial::Refused),
            }
        }
    }
}
