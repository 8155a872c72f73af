//! Commands: one line each, RFC 5321 §4.1.1 with RFC 2033, 3030, 3207, 4954.

use crate::params::number;
use crate::path::bracketed;
use crate::reply::Reply;

/// A command as it was read; borrowed from the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// EHLO, HELO or LHLO with the name given.
    Hello(Hello, &'a str),
    /// `MAIL FROM:<path>` and its parameters, unread.
    Mail(Envelope<'a>),
    /// `RCPT TO:<path>` and its parameters, unread.
    Rcpt(Envelope<'a>),
    /// DATA
    Data,
    /// BDAT
    Bdat(Chunk),
    /// RSET
    Rset,
    /// NOOP
    Noop,
    /// HELP
    Help,
    /// VRFY
    Vrfy,
    /// EXPN
    Expn,
    /// QUIT
    Quit,
    /// STARTTLS
    StartTls,
    /// AUTH with mechanism and initial response, not yet decoded.
    Auth {
        /// As written.
        mechanism: &'a str,
        /// Base64, or `=` for an empty one.
        initial: Option<&'a str>,
    },
    /// The first line of an HTTP request (attacks B8).
    Http,
}

/// Which greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hello {
    /// EHLO
    Ehlo,
    /// HELO
    Helo,
    /// LHLO
    Lhlo,
}

/// A path and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// What stands between the brackets.
    pub path: &'a str,
    /// What follows, for [`crate::params`].
    pub parameters: &'a str,
}

/// What BDAT announces, RFC 3030 §2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Bytes that follow.
    pub size: u64,
    /// Whether the message ends with them.
    pub last: bool,
}

/// Longest name of a greeting, bytes: a domain, or an IPv6 literal.
const HELLO_NAME_MAX: usize = 255;

/// Reads one command line without its CRLF. No line makes it panic; a fuzz target calls it with any bytes.
///
/// # Errors
/// The reply to give.
pub fn parse(line: &[u8]) -> Result<Command<'_>, Reply> {
    if line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Err(Reply::LINE_BYTES);
    }
    let text = std::str::from_utf8(line).map_err(|_| Reply::LINE_BYTES)?;
    let (verb, rest) = match text.find([' ', ':']) {
        // `MAIL FROM:` is the only colon a command has, and not in its first word.
        Some(at) => text.split_at_checked(at).unwrap_or((text, "")),
        None => (text, ""),
    };
    let argument = rest.trim_matches(' ');
    if rest.starts_with(':') {
        return Err(Reply::UNKNOWN_COMMAND);
    }
    let mut upper = [0u8; 8];
    let Some(verb_upper) = upper.get_mut(..verb.len()) else { return Err(Reply::UNKNOWN_COMMAND) };
    verb_upper.copy_from_slice(verb.as_bytes());
    verb_upper.make_ascii_uppercase();
    match &*verb_upper {
        b"MAIL" => envelope(argument, "FROM:").map(Command::Mail),
        b"RCPT" => envelope(argument, "TO:").map(Command::Rcpt),
        b"DATA" => alone(argument, Command::Data),
        b"BDAT" => chunk(argument).map(Command::Bdat),
        b"RSET" => alone(argument, Command::Rset),
        b"QUIT" => alone(argument, Command::Quit),
        b"STARTTLS" => alone(argument, Command::StartTls),
        b"EHLO" => hello(Hello::Ehlo, argument),
        b"HELO" => hello(Hello::Helo, argument),
        b"LHLO" => hello(Hello::Lhlo, argument),
        // These take an argument that means nothing to us.
        b"NOOP" => Ok(Command::Noop),
        b"HELP" => Ok(Command::Help),
        b"VRFY" => Ok(Command::Vrfy),
        b"EXPN" => Ok(Command::Expn),
        b"AUTH" => auth(argument),
        b"GET" | b"HEAD" | b"POST" | b"PUT" | b"DELETE" | b"CONNECT" | b"OPTIONS" | b"TRACE" | b"PATCH" | b"PRI" => {
            Ok(Command::Http)
        }
        _ => Err(Reply::UNKNOWN_COMMAND),
    }
}

fn alone<'a>(argument: &str, command: Command<'a>) -> Result<Command<'a>, Reply> {
    if argument.is_empty() { Ok(command) } else { Err(Reply::SYNTAX) }
}

/// A name that can stand in a Received field as it is: letters, digits and `.-_:[]`. RFC 5321 §4.1.4 forbids
/// refusing a name because it is wrong; underscores and bare words are common.
fn hello(kind: Hello, name: &str) -> Result<Command<'_>, Reply> {
    let good = !name.is_empty()
        && name.len() <= HELLO_NAME_MAX
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b));
    if good { Ok(Command::Hello(kind, name)) } else { Err(Reply::HELLO_NAME) }
}

fn envelope<'a>(argument: &'a str, keyword: &str) -> Result<Envelope<'a>, Reply> {
    let (word, rest) = argument.split_at_checked(keyword.len()).ok_or(Reply::PATH_SYNTAX)?;
    if !word.eq_ignore_ascii_case(keyword) {
        return Err(Reply::PATH_SYNTAX);
    }
    // A space before the bracket is wrong (RFC 5321 §3.3), common, and changes nothing.
    let (path, parameters) = bracketed(rest.trim_start_matches(' ')).ok_or(Reply::PATH_SYNTAX)?;
    if !parameters.is_empty() && !parameters.starts_with(' ') {
        return Err(Reply::PATH_SYNTAX);
    }
    Ok(Envelope { path, parameters })
}

fn chunk(argument: &str) -> Result<Chunk, Reply> {
    let (size, last) = match argument.split_once(' ') {
        Some((size, word)) if word.trim_start_matches(' ').eq_ignore_ascii_case("LAST") => (size, true),
        Some(_) => return Err(Reply::CHUNK_SYNTAX),
        None => (argument, false),
    };
    let size = number(size).ok_or(Reply::CHUNK_SYNTAX)?;
    Ok(Chunk { size, last })
}

fn auth(argument: &str) -> Result<Command<'_>, Reply> {
    let (mechanism, initial) = match argument.split_once(' ') {
        Some((mechanism, initial)) => (mechanism, Some(initial.trim_start_matches(' '))),
        None => (argument, None),
    };
    // RFC 4422 §3.1: 1 to 20 capitals, digits, hyphens, underscores.
    let named = (1..=20).contains(&mechanism.len())
        && mechanism.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !named || initial.is_some_and(|i| i.is_empty() || i.contains(' ')) {
        return Err(Reply::SYNTAX);
    }
    Ok(Command::Auth { mechanism, initial })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commands_are_read_in_any_case() {
        assert_eq!(parse(b"ehlo [192.0.2.1]"), Ok(Command::Hello(Hello::Ehlo, "[192.0.2.1]")));
        let mail = Envelope { path: "a@b.example", parameters: " SIZE=10" };
        assert_eq!(parse(b"mail from:<a@b.example> SIZE=10"), Ok(Command::Mail(mail)));
        assert_eq!(parse(b"RCPT TO: <a@b.example>").map(|c| matches!(c, Command::Rcpt(_))), Ok(true));
        assert_eq!(parse(b"BDAT 86 LAST"), Ok(Command::Bdat(Chunk { size: 86, last: true })));
        assert_eq!(parse(b"bdat 0"), Ok(Command::Bdat(Chunk { size: 0, last: false })));
        assert_eq!(parse(b"NOOP whatever"), Ok(Command::Noop));
        assert_eq!(parse(b"QUIT  "), Ok(Command::Quit));
        assert_eq!(parse(b"AUTH PLAIN ="), Ok(Command::Auth { mechanism: "PLAIN", initial: Some("=") }));
    }

    #[test]
    fn a_path_needs_its_brackets_and_its_colon() {
        for bad in
            ["MAIL", "MAIL FROM", "MAIL a@b", "MAIL FROM:a@b", "MAIL FROM:<a@b", "MAIL TO:<a@b>", "MAIL FROM:<a@b>x"]
        {
            assert_eq!(parse(bad.as_bytes()), Err(Reply::PATH_SYNTAX), "{bad}");
        }
    }

    #[test]
    fn chunk_sizes_are_numbers_of_64_bits() {
        assert_eq!(parse(b"BDAT 18446744073709551615"), Ok(Command::Bdat(Chunk { size: u64::MAX, last: false })));
        for bad in ["BDAT", "BDAT -1", "BDAT +1", "BDAT 0x10", "BDAT 18446744073709551616", "BDAT 1 FIRST", "BDAT LAST"]
        {
            assert_eq!(parse(bad.as_bytes()), Err(Reply::CHUNK_SYNTAX), "{bad}");
        }
    }

    #[test]
    fn greetings_hold_only_what_a_trace_may() {
        assert!(parse(b"EHLO DESKTOP_1").is_ok());
        for bad in ["EHLO", "HELO a b", "EHLO a(b)", "EHLO <a>", "EHLO a;b", "EHLO \"a\"", "EHLO m\u{fc}nchen"] {
            assert_eq!(parse(bad.as_bytes()), Err(Reply::HELLO_NAME), "{bad}");
        }
        assert!(parse(format!("EHLO {}", "a".repeat(HELLO_NAME_MAX)).as_bytes()).is_ok());
        assert_eq!(parse(format!("EHLO {}", "a".repeat(HELLO_NAME_MAX + 1)).as_bytes()), Err(Reply::HELLO_NAME));
    }

    #[test]
    fn stray_bytes_are_no_command() {
        for bad in [&b"NOOP\rQUIT"[..], b"NOOP\0", b"NOOP\nQUIT", b"NOOP \xff"] {
            assert_eq!(parse(bad), Err(Reply::LINE_BYTES));
        }
        for bad in ["", " ", "XCLIENT ADDR=127.0.0.1", "PROXY TCP4 127.0.0.1 127.0.0.1 1 2", "MAIL:FROM<a@b>"] {
            assert_eq!(parse(bad.as_bytes()), Err(Reply::UNKNOWN_COMMAND), "{bad}");
        }
    }

    #[test]
    fn http_is_known_by_its_verbs() {
        for verb in ["GET / HTTP/1.1", "POST /x HTTP/1.0", "CONNECT a:25 HTTP/1.1", "PRI * HTTP/2.0"] {
            assert_eq!(parse(verb.as_bytes()), Ok(Command::Http));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&line);
        }
        #[test]
        fn no_line_like_a_command_makes_it_panic(
            line in "(MAIL FROM:|RCPT TO:|BDAT |EHLO |AUTH )[ <>\"\\\\@:;=a-z0-9\u{10a}]{0,60}"
        ) {
            let _ = parse(line.as_bytes());
        }
    }
}
