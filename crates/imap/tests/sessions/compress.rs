//! COMPRESS=DEFLATE (RFC 4978).

use crate::harness::{House, mail};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use mailward_core::limits::IMAP_LINE_MAX;

struct Packed {
    pack: Compress,
    unpack: Decompress,
}

impl Packed {
    fn new() -> Self {
        Self { pack: Compress::new(Compression::best(), false), unpack: Decompress::new(false) }
    }
    fn pack(&mut self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() + 1_000);
        self.pack.compress_vec(text, &mut out, FlushCompress::Sync).unwrap();
        out
    }
    fn unpack(&mut self, bytes: &[u8]) -> String {
        let mut out = Vec::with_capacity(10_000_000);
        self.unpack.decompress_vec(bytes, &mut out, FlushDecompress::Sync).unwrap();
        String::from_utf8(out).unwrap()
    }
}

#[tokio::test]
async fn everything_goes_on_compressed() {
    let house = House::new().await;
    let text = mail("large", &"the same line again and again\r\n".repeat(4_000));
    house.deliver(None, &text).await;
    let mut client = house.login("alice").await;
    client.talk("C: a COMPRESS DEFLATE\nS: a OK …").await;
    let mut packed = Packed::new();
    client.send(packed.pack(b"b SELECT INBOX\r\nc FETCH 1 BODY.PEEK[]\r\nd COMPRESS DEFLATE\r\n")).await;
    let (mut told, mut bytes) = (String::new(), 0);
    while !told.contains("\r\nd ") {
        let more = client.bytes().await;
        assert!(!more.is_empty(), "{told}");
        bytes += more.len();
        told.push_str(&packed.unpack(&more));
    }
    assert!(told.contains(&text) && told.contains("d NO [COMPRESSIONACTIVE]"));
    assert!(bytes < text.len() / 10, "{bytes} bytes");
    // An idling session wakes up and flushes.
    client.send(packed.pack(b"e IDLE\r\n")).await;
    assert!(packed.unpack(&client.bytes().await).starts_with("+ "));
    house.deliver(None, &mail("more", "x")).await;
    assert_eq!(packed.unpack(&client.bytes().await), "* 2 EXISTS\r\n");
    client.send(packed.pack(b"DONE\r\nf LOGOUT\r\n")).await;
}

#[tokio::test]
async fn it_needs_a_login_and_comes_once() {
    let house = House::new().await;
    let mut client = house.tls().await;
    assert!(client.ask("COMPRESS DEFLATE").await[0].starts_with("BAD"));
    let mut client = house.login("alice").await;
    assert!(client.ask("COMPRESS LZ4").await[0].starts_with("BAD"));
    client.send("a COMPRESS DEFLATE\r\nb NOOP\r\n").await;
    assert!(client.ends().await[0].starts_with("* BYE"), "what follows can't be plain and packed");
}

/// Attacks G6: a few packed bytes that would be a gigabyte meet the limit of a line.
#[tokio::test]
async fn a_bomb_meets_the_limits_of_plain_commands() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    client.talk("C: a COMPRESS DEFLATE\nS: a OK …").await;
    let mut packed = Packed::new();
    let bomb = packed.pack(&vec![b'x'; IMAP_LINE_MAX * 64]);
    assert!(bomb.len() < IMAP_LINE_MAX / 4);
    client.send(bomb).await;
    let mut told = String::new();
    loop {
        let more = client.bytes().await;
        if more.is_empty() {
            break;
        }
        told.push_str(&packed.unpack(&more));
    }
    assert!(told.contains("* BYE") || told.contains("BAD"), "{told}");
}

#[tokio::test]
async fn what_isn_t_packed_ends_the_session() {
    let house = House::new().await;
    let mut client = house.login("alice").await;
    client.talk("C: a COMPRESS DEFLATE\nS: a OK …").await;
    client.send([0xff; 64]).await;
    while !client.bytes().await.is_empty() {}
}
