//! A server's first flight of TLS, a certificate, and answers, as whoever answers an audit may send them.

use mailward_audit::knock::tls::{Heard, read};
use mailward_audit::knock::{Answer, Page, certificate};
use mailward_core::limits::KNOCK_CHAIN_MAX;

pub fn run(data: &[u8]) {
    if let Ok(Some(Heard::Agreed(hello))) = read(data) {
        assert!(hello.certificates.len() <= KNOCK_CHAIN_MAX);
        assert!(hello.certificates.iter().map(Vec::len).sum::<usize>() <= data.len());
    }
    // What is there of it only becomes more.
    for cut in [data.len() / 2, data.len().saturating_sub(1)] {
        if let (Some(start), Ok(None)) = (data.get(..cut), read(data)) {
            assert!(!matches!(read(start), Ok(Some(Heard::Agreed(_)))), "agreed, and then not");
        }
    }
    if let Ok(own) = certificate(data) {
        assert!(own.serial.len() <= data.len() * 3);
        assert!(own.names.len() <= data.len());
    }
    if let Some(page) = Page::read(data) {
        assert!(page.content.len() <= data.len() && page.fields.len() <= data.len());
    }
    let lines: Vec<Vec<u8>> = data.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    for answer in [Answer::smtp(lines.clone()), Answer::imap(lines.clone()), Answer::pop3(lines)] {
        assert!(!answer.text().chars().any(char::is_control));
        assert!(answer.features().len() <= data.len() + 1);
    }
}
