//! Asking whether a recipient is taken.
use super::*;

/// What comes of asking for `ann@s.example`, against a server that says these things.
async fn asked(turns: &[(&str, &str)]) -> (Result<Answer, Failure>, bool) {
    let (mut connection, mut peer) = smtp("SIZE=9").await;
    let server = async {
        for (hear, say) in turns {
            peer.turn(hear, say).await;
        }
    };
    let recipient = address("ann@s.example");
    let (answer, ()) = tokio::join!(connection.probe(&recipient), server);
    (answer, connection.is_usable())
}

const MAIL: &str = "MAIL FROM:<>\r\n";
const RCPT: &str = "RCPT TO:<ann@s.example>\r\n";

#[tokio::test]
async fn the_answer_to_rcpt_is_the_answer_and_nothing_is_left_of_it() {
    for said in ["250 2.1.5 ok\r\n", "550 5.1.1 never heard of\r\n", "450 later\r\n"] {
        let (answer, usable) = asked(&[(MAIL, "250 ok\r\n"), (RCPT, said), ("RSET\r\n", "250 ok\r\n")]).await;
        assert_eq!(answer.unwrap().code().to_string(), said[..3]);
        assert!(usable);
    }
}

#[tokio::test]
async fn a_server_that_refuses_the_null_path_is_heard() {
    let (answer, usable) = asked(&[(MAIL, "550 no\r\n")]).await;
    assert_eq!(answer.unwrap().code(), 550);
    assert!(usable);
}

#[tokio::test]
async fn what_is_no_answer_is_a_failure() {
    for said in ["354 go on\r\n", "421 bye\r\n", "what?\r\n"] {
        let (answer, usable) = asked(&[(MAIL, "250 ok\r\n"), (RCPT, said)]).await;
        assert!(answer.is_err() && !usable, "{said}");
    }
    // The answer is known: how the server ends doesn't matter.
    let turns = [(MAIL, "250 ok\r\n"), (RCPT, "250 ok\r\n"), ("RSET\r\n", "421 bye\r\n")];
    let (answer, usable) = asked(&turns).await;
    assert!(answer.unwrap().is_positive() && !usable);
}

#[tokio::test]
async fn an_address_outside_ascii_is_asked_for_only_where_such_are_taken() {
    let (mut connection, _peer) = smtp("").await;
    let failure = connection.probe(&address("j\u{fc}rgen@s.example")).await.unwrap_err();
    assert_eq!(failure.cause, Cause::NotOffered("SMTPUTF8"));
    assert!(connection.is_usable());
}
