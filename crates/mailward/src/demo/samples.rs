//! A few real messages of several kinds, brought by SMTP like any other.

use super::people::Memory;
use super::send::Client;
use crate::compose::Started;
use crate::failure::Failure;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use mailward_core::Listener;
use std::net::SocketAddr;
use std::path::Path;

/// An envelope, drawn for this: PNG of 48 × 48.
const PICTURE: &str = "\
iVBORw0KGgoAAAANSUhEUgAAADAAAAAwCAIAAADYYG7QAAAApElEQVR42u3XQQqAIBCFYe/TTbpM\n\
124btK9FIBJlzviMjF9cWDjyOYOCYV3mT/UACBAgQIAA/Q80jNNr3QbamjUzKMa00xwDAyjdhzwx\n\
8dMGOm1IlZj0jwckMV2u4AfVlC8TWAXypSo/XwAymR5nakAl5SusrwyUT4AphUrQ3Uk2hYtBaXUc\n\
x7AJqOaiaghy35aAAAEC1MWrg4ciIECAAAHqCrQD9zho3TnZ8Z8AAAAASUVORK5CYII=";

/// One message and whose it is.
struct Sample {
    from: &'static str,
    to: &'static [&'static str],
    text: String,
}

/// Delivers them if this demo has none yet.
pub(crate) async fn deliver(started: &Started, data: &Path) -> Result<(), Failure> {
    let mut memory = Memory::read(data)?;
    if memory.samples {
        return Ok(());
    }
    let server: SocketAddr = started
        .running
        .doors()
        .iter()
        .find(|d| d.listener == Listener::Smtp)
        .and_then(|d| d.address.parse().ok())
        .ok_or_else(|| Failure::Bug("the demo has no SMTP listener".to_owned()))?;
    let mut client = Client::connect(server).await?;
    for sample in all(Timestamp::now()) {
        client.send(sample.from, sample.to, &sample.text).await?;
    }
    client.quit().await?;
    memory.samples = true;
    memory.write(data)
}

/// A date header's value, some hours before now.
fn hours_before(now: Timestamp, hours: i64) -> String {
    let then = now.as_second().saturating_sub(hours.saturating_mul(3_600));
    let then = Timestamp::from_second(then).unwrap_or(now).to_zoned(TimeZone::UTC);
    then.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";

fn all(now: Timestamp) -> Vec<Sample> {
    let date = |hours| hours_before(now, hours);
    vec![
        Sample { from: "welcome@example.net", to: &[ALICE, BOB], text: plain(&date(30)) },
        Sample { from: "news@example.net", to: &[ALICE], text: picture(&date(26)) },
        Sample { from: "accounts@example.net", to: &[ALICE, BOB], text: attachment(&date(22)) },
        Sample { from: "joerg@example.net", to: &[ALICE], text: beyond_ascii(&date(20)) },
        Sample { from: ALICE, to: &[BOB], text: thread(&date(5), 1) },
        Sample { from: BOB, to: &[ALICE], text: thread(&date(4), 2) },
        Sample { from: ALICE, to: &[BOB], text: thread(&date(3), 3) },
    ]
}

fn plain(date: &str) -> String {
    format!(
        "From: Mailward <welcome@example.net>\n\
         To: Alice Archer <alice@example.test>, Bob Baker <bob@example.test>\n\
         Subject: Welcome to Mailward\n\
         Date: {date}\n\
         Message-ID: <sample-plain@example.net>\n\
         MIME-Version: 1.0\n\
         Content-Type: text/plain; charset=us-ascii\n\
         \n\
         Hello,\n\
         \n\
         this message came in by SMTP and lies in the store once, although two of\n\
         you have it. Flag it, move it, answer it: it is a real mailbox.\n\
         \n\
         .\n\
         A line with a dot alone must not end a message, and this is the proof.\n\
         \n\
         -- \n\
         Mailward\n"
    )
}

fn picture(date: &str) -> String {
    format!(
        "From: The Envelope <news@example.net>\n\
         To: alice@example.test\n\
         Subject: A picture inside\n\
         Date: {date}\n\
         Message-ID: <sample-picture@example.net>\n\
         MIME-Version: 1.0\n\
         Content-Type: multipart/alternative; boundary=\"either-way\"\n\
         \n\
         --either-way\n\
         Content-Type: text/plain; charset=us-ascii\n\
         \n\
         An envelope, drawn for you. Your client shows text only.\n\
         --either-way\n\
         Content-Type: multipart/related; boundary=\"with-its-picture\"\n\
         \n\
         --with-its-picture\n\
         Content-Type: text/html; charset=us-ascii\n\
         \n\
         <html><body><h1>A picture inside</h1>\n\
         <p><img src=\"cid:envelope@example.net\" alt=\"An envelope\" width=\"48\" height=\"48\"></p>\n\
         <p>It came with the message: nothing is fetched from anywhere.</p></body></html>\n\
         --with-its-picture\n\
         Content-Type: image/png; name=\"envelope.png\"\n\
         Content-Transfer-Encoding: base64\n\
         Content-ID: <envelope@example.net>\n\
         Content-Disposition: inline; filename=\"envelope.png\"\n\
         \n\
         {PICTURE}\n\
         --with-its-picture--\n\
         --either-way--\n"
    )
}

fn attachment(date: &str) -> String {
    format!(
        "From: Accounts <accounts@example.net>\n\
         To: alice@example.test\n\
         Cc: bob@example.test\n\
         Subject: Figures of the quarter\n\
         Date: {date}\n\
         Message-ID: <sample-attachment@example.net>\n\
         MIME-Version: 1.0\n\
         Content-Type: multipart/mixed; boundary=\"two-things\"\n\
         \n\
         --two-things\n\
         Content-Type: text/plain; charset=us-ascii\n\
         \n\
         Please find the figures attached.\n\
         --two-things\n\
         Content-Type: text/csv; charset=utf-8\n\
         Content-Transfer-Encoding: base64\n\
         Content-Disposition: attachment; filename=\"figures.csv\";\n\
         \x20filename*=utf-8''figures%20%E2%82%AC.csv\n\
         \n\
         bW9udGgsaW5jb21lLGNvc3RzCkphbnVhcnksMTIwMCw4MDAKRmVicnVhcnksMTQwMCw4NTAKTWFy\n\
         Y2gsMTY1MCw5MDAK\n\
         --two-things--\n"
    )
}

fn beyond_ascii(date: &str) -> String {
    format!(
        "From: =?utf-8?q?J=C3=B6rg_M=C3=BCller?= <joerg@example.net>\n\
         To: alice@example.test\n\
         Subject: =?utf-8?b?R3LDvMOfZSBhdXMgS8O2bG4g4oCTIOS9oOWlvQ==?=\n\
         Date: {date}\n\
         Message-ID: <sample-beyond-ascii@example.net>\n\
         MIME-Version: 1.0\n\
         Content-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: quoted-printable\n\
         \n\
         Sch=C3=B6ne Gr=C3=BC=C3=9Fe! =F0=9F=93=AC\n\
         =E4=BD=A0=E5=A5=BD =E2=80=94 =D0=BF=D1=80=D0=B8=D0=B2=D0=B5=D1=82\n"
    )
}

/// Question, answer, and answer to the answer.
fn thread(date: &str, step: u8) -> String {
    let head = match step {
        1 => {
            "From: Alice Archer <alice@example.test>\nTo: Bob Baker <bob@example.test>\nSubject: Lunch?\n\
             Message-ID: <sample-thread-1@example.test>\n"
        }
        2 => {
            "From: Bob Baker <bob@example.test>\nTo: Alice Archer <alice@example.test>\nSubject: Re: Lunch?\n\
             Message-ID: <sample-thread-2@example.test>\nIn-Reply-To: <sample-thread-1@example.test>\n\
             References: <sample-thread-1@example.test>\n"
        }
        _ => {
            "From: Alice Archer <alice@example.test>\nTo: Bob Baker <bob@example.test>\nSubject: Re: Lunch?\n\
             Message-ID: <sample-thread-3@example.test>\nIn-Reply-To: <sample-thread-2@example.test>\n\
             References: <sample-thread-1@example.test> <sample-thread-2@example.test>\n"
        }
    };
    let body = match step {
        1 => "Shall we have lunch at one?\n\nAlice\n",
        2 => "> Shall we have lunch at one?\n\nGladly. The usual place?\n\nBob\n",
        _ => "> Gladly. The usual place?\n\nYes. See you there.\n\nAlice\n",
    };
    format!("{head}Date: {date}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=us-ascii\n\n{body}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_a_message_with_its_own_id() {
        let now = Timestamp::from_second(1_709_210_096).unwrap();
        let mut ids = std::collections::BTreeSet::new();
        for sample in all(now) {
            let (header, body) = sample.text.split_once("\n\n").unwrap();
            assert!(!body.is_empty());
            for field in ["From: ", "To: ", "Subject: ", "Date: ", "Message-ID: ", "MIME-Version: 1.0"] {
                assert!(header.lines().any(|l| l.starts_with(field)), "{field} in {header}");
            }
            assert!(header.is_ascii() && header.lines().all(|l| l.len() <= 78));
            let id = header.lines().find(|l| l.starts_with("Message-ID: ")).unwrap();
            assert!(ids.insert(id.to_owned()));
        }
        assert_eq!(ids.len(), 7);
    }

    #[test]
    fn dates_are_those_of_rfc_5322() {
        let now = Timestamp::from_second(1_709_210_096).unwrap();
        assert_eq!(hours_before(now, 0), "Thu, 29 Feb 2024 12:34:56 +0000");
        assert_eq!(hours_before(now, 13), "Wed, 28 Feb 2024 23:34:56 +0000");
    }
}
