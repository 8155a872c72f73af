//! What a POP3 server elsewhere answers, and the message that it sends.

use mailward_fetch::pop3::answer::{Capabilities, id, size, status, unstuffed};
use mailward_fetch::{clean, envelope};

pub fn run(data: &[u8]) {
    let mut capabilities = Capabilities::default();
    for line in data.split(|b| *b == b'\n') {
        let _status = status(line);
        let _size = size(line);
        if let Some((_, id)) = id(line) {
            assert!(id.iter().all(u8::is_ascii_graphic), "a name stays in its line");
        }
        assert_eq!(unstuffed(line).is_none(), line == b".", "one line ends a message");
        capabilities.add(line);
    }
    let mut whole = Vec::new();
    if clean::clean(data, &mut whole).is_ok() {
        assert!(whole.is_empty() || whole.ends_with(b"\r\n"));
        let mut again = Vec::new();
        clean::clean(&whole, &mut again).expect("what is clean stays clean");
        assert_eq!(whole, again);
    }
    let _sender = envelope::sender(data);
    let _recipients = envelope::recipients(data, Some("X-Rcpt"));
    let _back = envelope::came_back(data, "by mx.example.org (Mailward");
}
