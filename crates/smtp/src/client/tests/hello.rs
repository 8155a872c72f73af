//! Greeting, EHLO, STARTTLS, AUTH, QUIT.
use super::*;
use mailward_core::EnhancedStatus;
use mailward_core::Secret;
use mailward_core::limits::SMTP_REPLY_LINES_MAX;

/// Greets a server that says these things, each after the one line it waits for.
async fn greeted(dialect: Dialect, turns: &[(&str, &str)]) -> (Result<Connection<DuplexStream>, Failure>, String) {
    let (ours, mut peer) = pair();
    let server = async {
        for (hear, say) in turns {
            peer.turn(hear, say).await;
        }
        peer
    };
    let (greeted, mut peer) = tokio::join!(Connection::greet(ours, dialect, "c.example", Security::Clear), server);
    let rest = if greeted.is_err() { peer.rest().await } else { String::new() };
    (greeted, rest)
}

#[tokio::test]
async fn a_server_is_greeted_and_tells_what_it_offers() {
    let turns = [("", "220-mx\r\n220 welcome\r\n"), ("EHLO c.example\r\n", "250-mx\r\n250-SIZE 9\r\n250 DSN\r\n")];
    let (connection, _) = greeted(Dialect::Smtp, &turns).await;
    let connection = connection.unwrap();
    assert!(connection.extensions().dsn && connection.extensions().size == Some(9));
    assert_eq!(connection.greeting().to_string(), "220 mx / welcome");
    assert!(connection.is_usable() && connection.security() == Security::Clear);
    let (connection, _) = greeted(Dialect::Lmtp, &[("", "220 x\r\n"), ("LHLO c.example\r\n", "250 x\r\n")]).await;
    assert_eq!(connection.unwrap().dialect(), Dialect::Lmtp);
}

#[tokio::test]
async fn helo_is_said_only_to_those_who_don_t_know_ehlo() {
    for unknown in ["500 what?\r\n", "502 what?\r\n", "504 what?\r\n"] {
        let turns = [("", "220 x\r\n"), ("EHLO c.example\r\n", unknown), ("HELO c.example\r\n", "250 x\r\n")];
        let (connection, _) = greeted(Dialect::Smtp, &turns).await;
        assert_eq!(*connection.unwrap().extensions(), Extensions::default());
    }
    for refusal in ["550 5.7.1 not you\r\n", "501 your name\r\n", "450 later\r\n"] {
        let (refused, rest) = greeted(Dialect::Smtp, &[("", "220 x\r\n"), ("EHLO c.example\r\n", refusal)]).await;
        let failure = refused.unwrap_err();
        assert!(failure.at == Step::Hello && matches!(failure.cause, Cause::Refused(_)), "{failure}");
        assert_eq!(rest, "QUIT\r\n");
    }
    let (refused, _) = greeted(Dialect::Lmtp, &[("", "220 x\r\n"), ("LHLO c.example\r\n", "500 what?\r\n")]).await;
    assert!(matches!(refused.unwrap_err().cause, Cause::Refused(_)));
}

#[tokio::test]
async fn a_server_that_doesn_t_want_us_says_why() {
    let (refused, rest) = greeted(Dialect::Smtp, &[("", "554 5.7.1 listed\r\n")]).await;
    let failure = refused.unwrap_err();
    assert_eq!(failure.to_string(), "at the greeting: the server refused: 554 5.7.1 listed");
    assert!(failure.is_of_host() && failure.status() == EnhancedStatus::new(5, 7, 1).unwrap());
    assert_eq!(rest, "QUIT\r\n");
    let (refused, _) = greeted(Dialect::Smtp, &[("", "421 4.3.2 busy\r\n")]).await;
    assert!(matches!(refused.unwrap_err().cause, Cause::Closing(answer) if answer.code() == 421));
    let (refused, _) = greeted(Dialect::Smtp, &[("", "220 x\r\n"), ("EHLO c.example\r\n", "421 bye\r\n")]).await;
    assert!(matches!(refused.unwrap_err(), Failure { at: Step::Hello, cause: Cause::Closing(_) }));
}

/// Attacks H6: not SMTP, or more of it than anybody needs.
#[tokio::test]
async fn a_server_that_doesn_t_speak_smtp_is_left() {
    let endless = "220-x\r\n".repeat(SMTP_REPLY_LINES_MAX + 1);
    for (first, fault) in [
        ("+OK POP3\r\n", Malformed::NoCode),
        ("250 hello\r\n", Malformed::OutOfPlace),
        ("354 hello\r\n", Malformed::OutOfPlace),
        ("220 x\n", Malformed::LineEnd),
        (endless.as_str(), Malformed::TooManyLines),
        // Answers to what will be said.
        ("220 x\r\n250 x\r\n", Malformed::Early),
    ] {
        let (left, _) = greeted(Dialect::Smtp, &[("", first)]).await;
        assert_eq!(left.unwrap_err().cause, Cause::Malformed(fault), "{first:.20}");
    }
    let (left, _) = greeted(Dialect::Smtp, &[("", "220 x\r\n"), ("EHLO c.example\r\n", "354 x\r\n")]).await;
    assert_eq!(left.unwrap_err().cause, Cause::Malformed(Malformed::OutOfPlace));
}

#[tokio::test]
async fn a_reply_without_end_is_left_whatever_it_is() {
    for flood in ["220-x\r\n", "220 xxxxxxxxxx", "\0\0\0", "x\r\n"] {
        let (ours, mut peer) = pair();
        let server = async { while peer.wire.write_all(flood.as_bytes()).await.is_ok() {} };
        let (left, ()) = tokio::join!(Connection::greet(ours, Dialect::Smtp, "c", Security::Clear), server);
        assert!(matches!(left.unwrap_err().cause, Cause::Malformed(_)), "{flood:?}");
    }
}

#[tokio::test]
async fn names_that_could_hide_a_command_are_refused() {
    for name in ["c\r\nQUIT", "", "a b", "c\n", "<c>", "\u{10a}"] {
        let (ours, _peer) = pair();
        let refused = Connection::greet(ours, Dialect::Smtp, name, Security::Clear).await;
        assert_eq!(refused.unwrap_err().cause, Cause::Name, "{name:?}");
    }
}

/// Attacks B2: what was said in clear is forgotten.
#[tokio::test]
async fn after_starttls_everything_begins_anew() {
    let (connection, mut peer) = smtp("STARTTLS PIPELINING SIZE=1 AUTH=PLAIN").await;
    let server = async {
        peer.turn("STARTTLS\r\n", "220 go\r\n").await;
        peer
    };
    let (begun, mut peer) = tokio::join!(connection.starttls_begin(), server);
    let StartTls::Ready(stream, resume) = begun.unwrap() else { panic!("refused") };
    let (done, ()) =
        tokio::join!(resume.starttls_done(stream), peer.turn("EHLO c.example\r\n", "250-mx\r\n250 DSN\r\n"));
    let connection = done.unwrap();
    let extensions = Extensions { name: "mx".into(), dsn: true, ..Extensions::default() };
    assert_eq!((connection.security(), connection.extensions()), (Security::Tls, &extensions));
    assert_eq!(connection.starttls_begin().await.unwrap_err().cause, Cause::NotOffered("STARTTLS"));
}

/// Attacks B2: whole answers and beginnings of them.
#[tokio::test]
async fn bytes_behind_the_answer_to_starttls_end_it() {
    for forged in ["220 go\r\n250 forged\r\n", "220 go\r\n2", "220-go\r\n220 go\r\n\x16"] {
        let (connection, mut peer) = smtp("STARTTLS").await;
        let (begun, ()) = tokio::join!(connection.starttls_begin(), peer.turn("STARTTLS\r\n", forged));
        assert_eq!(begun.unwrap_err().cause, Cause::BytesBeforeTls, "{forged:?}");
    }
}

/// Attacks B3: whether to go on in clear isn't decided here, but can be.
#[tokio::test]
async fn a_server_may_refuse_starttls() {
    let (connection, mut peer) = smtp("STARTTLS DSN").await;
    let (begun, ()) = tokio::join!(connection.starttls_begin(), peer.turn("STARTTLS\r\n", "454 4.7.0 no key\r\n"));
    let StartTls::Refused(connection, answer) = begun.unwrap() else { panic!("agreed") };
    assert!(answer.code() == 454 && connection.is_usable() && connection.extensions().dsn);
    let (connection, mut peer) = smtp("STARTTLS").await;
    let (begun, ()) = tokio::join!(connection.starttls_begin(), peer.turn("STARTTLS\r\n", "250 sure\r\n"));
    assert_eq!(begun.unwrap_err().cause, Cause::Malformed(Malformed::OutOfPlace));
    let (connection, _peer) = smtp("DSN").await;
    assert_eq!(connection.starttls_begin().await.unwrap_err().cause, Cause::NotOffered("STARTTLS"));
}

async fn login(offer: &str, user: &str, password: &str, turns: &[(&str, &str)]) -> (Result<(), Failure>, bool) {
    let (mut connection, mut peer) = connected(Dialect::Smtp, Security::Tls, offer).await;
    let server = async {
        for (hear, say) in turns {
            peer.turn(hear, say).await;
        }
    };
    let password = Secret::new(password);
    let (outcome, ()) = tokio::join!(connection.auth(user, &password), server);
    (outcome, connection.is_usable())
}

#[tokio::test]
async fn a_login_takes_plain_or_else_login() {
    let (done, _) = login("AUTH=LOGIN_X_PLAIN", "u", "p", &[]).await;
    assert_eq!(done.unwrap_err().cause, Cause::NotOffered("AUTH PLAIN or LOGIN"));
    let (mut connection, mut peer) = connected(Dialect::Smtp, Security::Tls, "AUTH=PLAIN").await;
    let password = Secret::new("p");
    let (done, ()) =
        tokio::join!(connection.auth("u", &password), peer.turn("AUTH PLAIN AHUAcA==\r\n", "235 2.7.0 in\r\n"));
    done.unwrap();
    let turns = [("AUTH LOGIN\r\n", "334 VXNlcg==\r\n"), ("dQ==\r\n", "334 UGFzcw==\r\n"), ("cA==\r\n", "235 in\r\n")];
    login("AUTH=LOGIN", "u", "p", &turns).await.0.unwrap();
}

#[tokio::test]
async fn a_long_password_waits_to_be_asked_for() {
    let (user, password) = ("u", "p".repeat(500));
    let (mut connection, mut peer) = connected(Dialect::Smtp, Security::Tls, "AUTH=PLAIN").await;
    let server = async {
        peer.turn("AUTH PLAIN\r\n", "334 \r\n").await;
        peer.hear("AHUAcHBw").await;
        peer.say("235 in\r\n").await;
    };
    let password = Secret::new(password);
    let (done, ()) = tokio::join!(connection.auth(user, &password), server);
    done.unwrap();
    let endless = "p".repeat(mailward_core::limits::SASL_LINE_MAX);
    assert_eq!(login("AUTH=PLAIN", "u", &endless, &[]).await.0.unwrap_err().cause, Cause::Credentials);
}

#[tokio::test]
async fn a_login_that_fails_says_why_and_the_connection_lives() {
    let (refused, usable) = login("AUTH=PLAIN", "u", "p", &[("AUTH PLAIN AHUAcA==\r\n", "535 5.7.8 no\r\n")]).await;
    assert!(matches!(refused.unwrap_err().cause, Cause::Refused(answer) if answer.code() == 535) && usable);
    // Asked for more than there is to say.
    let (left, usable) = login("AUTH=PLAIN", "u", "p", &[("AUTH PLAIN AHUAcA==\r\n", "334 more\r\n")]).await;
    assert!(left.unwrap_err().cause == Cause::Malformed(Malformed::OutOfPlace) && !usable);
}

#[tokio::test]
async fn a_password_is_never_sent_in_clear() {
    let (mut connection, mut peer) = smtp("AUTH=PLAIN").await;
    let refused = connection.auth("u", &Secret::new("p")).await.unwrap_err();
    assert_eq!(refused.cause, Cause::ClearPassword);
    drop(connection);
    assert_eq!(peer.rest().await, "");
    for (user, password) in [("u\0x", "p"), ("u", "p\0x"), ("", "p"), ("u", "")] {
        assert_eq!(login("AUTH=PLAIN", user, password, &[]).await.0.unwrap_err().cause, Cause::Credentials);
    }
}

#[tokio::test(start_paused = true)]
async fn quit_is_said_and_its_answer_doesn_t_matter() {
    // With the last two nothing more comes, and the wait ends by itself.
    for say in ["221 bye\r\n", "500 what?\r\n", "421 bye\r\n", "x", ""] {
        let (connection, mut peer) = smtp("").await;
        let server = async {
            peer.turn("QUIT\r\n", say).await;
            peer.rest().await
        };
        assert_eq!(tokio::join!(connection.quit(), server).1, "");
    }
}

#[tokio::test]
async fn a_connection_that_was_kept_shows_whether_it_lives() {
    let (mut connection, mut peer) = smtp("").await;
    assert!(connection.is_still_there().await && connection.is_usable());
    peer.say("421 4.4.2 idle too long\r\n").await;
    assert!(!connection.is_still_there().await && !connection.is_usable());
    let (mut connection, peer) = smtp("").await;
    drop(peer);
    assert!(!connection.is_still_there().await && !connection.is_usable());
}
