//! The command line that programs have used since sendmail(8) of 4.2BSD. What has a meaning here is read, what others
//! give a meaning to is taken and ignored, what is neither is refused: a program that asks for what isn't done must hear it.

use crate::failure::Failure;
use mailward_core::limits::SENDMAIL_ARGUMENTS_MAX;
use mailward_core::{Address, GiveBack, NotifyOn};
use mailward_message::submission::written;
use std::ffi::OsString;

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) mode: Mode,
    /// `-t`: recipients are in the message.
    pub(crate) recipients_in_header: bool,
    /// `-i`: a line with one dot is a line like any other.
    pub(crate) dots_are_text: bool,
    /// `-f`; `Some(None)` is the null path.
    pub(crate) sender: Option<Option<Address>>,
    /// `-F`.
    pub(crate) name: String,
    pub(crate) verbose: bool,
    pub(crate) notify: Option<NotifyOn>,
    pub(crate) ret: Option<GiveBack>,
    pub(crate) envid: Option<String>,
    pub(crate) recipients: Vec<Address>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Sends the message on standard input.
    #[default]
    Send,
    /// Speaks SMTP on standard input and output.
    Smtp,
    /// Lists the queue.
    Queue,
    /// Nothing; says why.
    Nothing(&'static str),
}

const QUEUE_RUNS: &str = "nothing to do: the server sends what is queued by itself (mailward queue retry hurries it)";
const ALIASES: &str = "nothing to do: aliases are in the server's store (mailward alias)";

/// Options whose value is taken and means nothing here: `-A` `-C` `-L` `-O` `-X` `-e` `-h` `-o` `-p`. Above all no file is
/// written or read because of them: programs pass on what strangers wrote.
const IGNORED_WITH_VALUE: &str = "ACLOXehop";
/// Flags that mean nothing here.
const IGNORED: &str = "GUcmn";

/// Reads the arguments behind the program's name. `called` is that name, without directories.
pub(crate) fn parse(called: &str, arguments: &[OsString]) -> Result<Asked, Failure> {
    let mut asked = Asked::default();
    match called {
        "mailq" => asked.mode = Mode::Queue,
        "newaliases" => asked.mode = Mode::Nothing(ALIASES),
        _ => {}
    }
    if arguments.len() > SENDMAIL_ARGUMENTS_MAX {
        return Err(usage(format!("more than {SENDMAIL_ARGUMENTS_MAX} arguments")));
    }
    let mut words = arguments.iter();
    let mut given = Vec::new();
    while let Some(word) = words.next() {
        let text = word.to_str().ok_or_else(|| usage("an argument is not UTF-8".to_owned()))?;
        match text.strip_prefix('-') {
            Some("-") => {
                given.extend(words);
                break;
            }
            Some(options) if !options.is_empty() => {
                asked.options(options, || words.next().and_then(|word| word.to_str()))?;
            }
            // What follows the first address is an address: one that begins with a hyphen is no option.
            _ => {
                given.push(word);
                given.extend(words);
                break;
            }
        }
    }
    if matches!(asked.mode, Mode::Send) {
        for word in given {
            let text = word.to_str().ok_or_else(|| usage("an address is not UTF-8".to_owned()))?;
            let addresses = written(text.as_bytes()).map_err(|e| usage(e.to_string()))?;
            asked.recipients.extend(addresses);
        }
    }
    Ok(asked)
}

impl Asked {
    /// One word of options: flags, up to one with a value, which is the rest of the word or the next one.
    fn options<'a>(&mut self, word: &'a str, next: impl FnOnce() -> Option<&'a str>) -> Result<(), Failure> {
        let mut next = Some(next);
        let mut rest = word.chars();
        while let Some(option) = rest.next() {
            let left = rest.as_str();
            let mut value = || {
                let value = if left.is_empty() { next.take().and_then(|next| next()) } else { Some(left) };
                value.ok_or_else(|| usage(format!("-{option} needs a value")))
            };
            match option {
                't' => self.recipients_in_header = true,
                'i' => self.dots_are_text = true,
                'v' => self.verbose = true,
                'b' => return self.mode(value()?),
                'f' | 'r' => {
                    self.sender = Some(sender(value()?)?);
                    return Ok(());
                }
                'F' => {
                    value()?.clone_into(&mut self.name);
                    return Ok(());
                }
                'N' => {
                    self.notify = Some(notify(value()?)?);
                    return Ok(());
                }
                'R' => {
                    self.ret = Some(match value()?.to_ascii_lowercase().as_str() {
                        "full" => GiveBack::Full,
                        "hdrs" => GiveBack::Headers,
                        other => return Err(usage(format!("-R {other}: write full or hdrs"))),
                    });
                    return Ok(());
                }
                'V' => {
                    self.envid = Some(envid(value()?)?);
                    return Ok(());
                }
                'B' => {
                    // Which it is, is seen by a look at the message.
                    let kind = value()?;
                    let known = kind.eq_ignore_ascii_case("7BIT") || kind.eq_ignore_ascii_case("8BITMIME");
                    return if known { Ok(()) } else { Err(usage(format!("-B {kind}: write 7BIT or 8BITMIME"))) };
                }
                'o' => {
                    // The one of these that matters.
                    self.dots_are_text |= value()? == "i";
                    return Ok(());
                }
                // Its value, if it has one, stands in the same word; so has that of -d, debugging.
                'q' => {
                    self.mode = Mode::Nothing(QUEUE_RUNS);
                    return Ok(());
                }
                'd' => return Ok(()),
                'I' => self.mode = Mode::Nothing(ALIASES),
                option if IGNORED.contains(option) => {}
                option if IGNORED_WITH_VALUE.contains(option) => {
                    value()?;
                    return Ok(());
                }
                option => return Err(usage(format!("there is no option -{option}"))),
            }
        }
        Ok(())
    }

    fn mode(&mut self, value: &str) -> Result<(), Failure> {
        self.mode = match value {
            "m" => Mode::Send,
            "s" => Mode::Smtp,
            "p" => Mode::Queue,
            "i" => Mode::Nothing(ALIASES),
            "d" | "D" => return Err(usage(format!("-b{value}: the server is started by `mailward serve`"))),
            other => return Err(usage(format!("-b{other} isn't there: -bm, -bs, -bp and -bi are"))),
        };
        Ok(())
    }
}

/// The value of `-f`: one address, or nothing for the null path.
fn sender(text: &str) -> Result<Option<Address>, Failure> {
    if text.is_empty() || text == "<>" {
        return Ok(None);
    }
    let mut all = written(text.as_bytes()).map_err(|e| usage(format!("-f: {e}")))?;
    match all.pop() {
        Some(one) if all.is_empty() => Ok(Some(one)),
        _ => Err(usage(format!("-f {text:?}: give one address"))),
    }
}

/// The value of `-N` (RFC 3461 §4.1).
fn notify(text: &str) -> Result<NotifyOn, Failure> {
    let mut notify = NotifyOn::default();
    if text.eq_ignore_ascii_case("never") {
        return Ok(notify);
    }
    for word in text.split(',') {
        match word.trim().to_ascii_lowercase().as_str() {
            "success" => notify.success = true,
            "failure" => notify.failure = true,
            "delay" => notify.delay = true,
            _ => return Err(usage(format!("-N {text}: write never, or success, failure and delay with commas"))),
        }
    }
    Ok(notify)
}

/// The value of `-V` (RFC 3461 §4.4).
fn envid(text: &str) -> Result<String, Failure> {
    let good = (1..=100).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'!'..=b'~'));
    if good { Ok(text.to_owned()) } else { Err(usage("-V: 1 to 100 printable characters without blanks".to_owned())) }
}

fn usage(what: String) -> Failure {
    Failure::Usage(format!("sendmail: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(line: &str) -> Result<Asked, Failure> {
        let words: Vec<OsString> = line.split(' ').filter(|w| !w.is_empty()).map(OsString::from).collect();
        parse("sendmail", &words)
    }

    fn taken(line: &str) -> Asked {
        read(line).unwrap_or_else(|e| panic!("{line}: {e}"))
    }

    fn address(text: &str) -> Address {
        Address::parse(text, true).unwrap()
    }

    #[test]
    fn what_programs_have_always_said_is_understood() {
        // PHP, cron of Debian, mutt, git send-email, Python's examples, logwatch, mdadm.
        for line in ["-t -i", "-ti", "-t -oi"] {
            let asked = taken(line);
            assert!(asked.recipients_in_header && asked.dots_are_text && asked.recipients.is_empty(), "{line}");
        }
        let cron = taken("-FCronDaemon -i -B8BITMIME -oem root");
        assert_eq!((cron.name.as_str(), cron.recipients), ("CronDaemon", vec![address("root@localhost")]));
        let mutt = taken("-oem -oi -f joe@s.example -N failure,delay -R hdrs -- ann@t.example bob@t.example");
        assert_eq!(mutt.sender, Some(Some(address("joe@s.example"))));
        assert_eq!(mutt.notify, Some(NotifyOn { success: false, failure: true, delay: true }));
        assert_eq!((mutt.ret, mutt.recipients.len()), (Some(GiveBack::Headers), 2));
        assert_eq!(
            taken("-odb -oQ/tmp -om -O DeliveryMode=b -X /tmp/log -C /tmp/cf -Am a@t.example").recipients.len(),
            1
        );
        assert_eq!(taken("-r joe a").sender, Some(Some(address("joe@localhost"))));
        assert_eq!(taken("-f <> a").sender, Some(None));
        let nothing: Vec<OsString> = ["-f", "", "a"].map(OsString::from).to_vec();
        assert_eq!(parse("sendmail", &nothing).unwrap().sender, Some(None));
        assert_eq!(taken("-V abc=1 a").envid.as_deref(), Some("abc=1"));
        assert_eq!(taken("-v a@t.example,b@t.example").recipients.len(), 2);
    }

    #[test]
    fn modes_are_known_by_option_and_by_name() {
        assert_eq!(taken("-bs").mode, Mode::Smtp);
        assert_eq!(taken("-bp").mode, Mode::Queue);
        assert_eq!(taken("-bm a").mode, Mode::Send);
        for line in ["-q", "-q30m", "-qf", "-q 30m", "-bi", "-I"] {
            assert!(matches!(taken(line).mode, Mode::Nothing(_)), "{line}");
        }
        assert_eq!(parse("mailq", &[]).unwrap().mode, Mode::Queue);
        assert!(matches!(parse("newaliases", &[]).unwrap().mode, Mode::Nothing(_)));
    }

    #[test]
    fn an_address_that_begins_with_a_hyphen_is_no_option() {
        assert_eq!(taken("-i -- -t@t.example").recipients, [address("-t@t.example")]);
        let asked = taken("-i a@t.example -t");
        assert!(!asked.recipients_in_header);
        assert_eq!(asked.recipients[1], address("-t@localhost"));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_64() {
        for line in [
            "-z",
            "-f",
            "-bd",
            "-bv a",
            "-b",
            "-N sometimes a",
            "-R some a",
            "-B 9BIT a",
            "-f a@b@c a",
            "-f a,b a",
            "Joe,,a@b@c",
            "a@",
            "-V",
            "-F",
        ] {
            let failure = read(line).unwrap_err();
            assert_eq!(failure.code(), 64, "{line}");
            assert!(failure.to_string().starts_with("sendmail: "), "{failure}");
        }
        let many = vec![OsString::from("a"); SENDMAIL_ARGUMENTS_MAX + 1];
        assert_eq!(parse("sendmail", &many).unwrap_err().code(), 64);
        use std::os::unix::ffi::OsStringExt as _;
        assert_eq!(parse("sendmail", &[OsString::from_vec(vec![0xff])]).unwrap_err().code(), 64);
    }

    proptest! {
        #[test]
        fn no_command_line_makes_it_panic(words in proptest::collection::vec("-?[a-zA-Z@<>,.\u{e9}=-]{0,12}", 0..8)) {
            let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
            let _ = parse("sendmail", &words);
        }
    }
}
