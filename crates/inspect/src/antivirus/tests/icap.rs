//! ICAP servers, honest and not.

use super::*;
use mailward_core::limits::ICAP_PREVIEW_MAX;

/// What a server says of itself that wishes for so much of a message first.
fn options(preview: Option<usize>) -> Vec<u8> {
    let preview = preview.map(|bytes| format!("Preview: {bytes}\r\n")).unwrap_or_default();
    format!("ICAP/1.0 200 OK\r\nMethods: RESPMOD\r\n{preview}Encapsulated: null-body=0\r\n\r\n").into_bytes()
}

/// The question about a message, where the one how the server is was answered before it if it came.
async fn brought(stream: &mut TcpStream) {
    let mut held = Vec::new();
    while let Some((head, _)) = question(stream, &mut held).await {
        if !head.starts_with("OPTIONS ") {
            return;
        }
        stream.write_all(&options(None)).await.unwrap();
    }
}

/// One question: its head, and the body of the message that it brings, or its beginning.
async fn question(stream: &mut TcpStream, held: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    parts(stream, held, None).await
}

/// The same; `head` is there if only a body is to come.
async fn parts(stream: &mut TcpStream, held: &mut Vec<u8>, mut head: Option<String>) -> Option<(String, Vec<u8>)> {
    let mut body = Vec::new();
    loop {
        let text = String::from_utf8_lossy(held).into_owned();
        if head.is_none() && text.starts_with("OPTIONS ") && text.contains("\r\n\r\n") {
            held.clear();
            return Some((text, body));
        }
        // The heads of ICAP, of the request and of the answer within.
        let heads = held.windows(4).enumerate().filter(|(_, four)| *four == b"\r\n\r\n").nth(2);
        if let Some((at, _)) = heads.filter(|_| head.is_none()) {
            head = Some(String::from_utf8(held.drain(..at + 4).collect()).unwrap());
        }
        while head.is_some() {
            let Some(end) = held.windows(2).position(|two| two == b"\r\n") else { break };
            let length = usize::from_str_radix(std::str::from_utf8(&held[..end]).unwrap(), 16).unwrap();
            if held.len() < end + 2 + length + 2 {
                break;
            }
            body.extend_from_slice(&held[end + 2..end + 2 + length]);
            held.drain(..end + 2 + length + 2);
            if length == 0 {
                return Some((head.unwrap(), body));
            }
        }
        let mut piece = vec![0; 65_536];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => held.extend_from_slice(&piece[..read]),
        }
    }
}

fn copied(body: &[u8]) -> Vec<u8> {
    let http = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut all =
        format!("ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body={}\r\n\r\n{http}", http.len()).into_bytes();
    for chunk in body.chunks(1_000) {
        all.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        all.extend_from_slice(chunk);
        all.extend(b"\r\n");
    }
    all.extend(b"0\r\n\r\n");
    all
}

/// One that answers what it is told, until a question breaks off.
async fn answering(
    answer: impl Fn(&str, &[u8]) -> Vec<u8> + Clone + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let (at, connections) = played(move |mut stream: TcpStream| {
        let answer = answer.clone();
        async move {
            let mut held = Vec::new();
            while let Some((head, body)) = question(&mut stream, &mut held).await {
                if head.starts_with("OPTIONS ") {
                    stream.write_all(&options(None)).await.unwrap();
                    continue;
                }
                if stream.write_all(&answer(&head, &body)).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    (format!("icap icap://{at}/avscan?x=1"), connections)
}

const CLEAN: &[u8] = b"ICAP/1.0 204 No Content\r\nISTag: \"1\"\r\n\r\n";

#[tokio::test]
async fn an_icap_server_is_asked_message_after_message_over_one_connection() {
    let (line, connections) = answering(|head, body| {
        assert!(head.starts_with("RESPMOD icap://127.0.0.1:") && head.contains("/avscan?x=1 ICAP/1.0\r\n"), "{head}");
        assert!(head.contains("\r\nAllow: 204\r\n") && head.contains("HTTP/1.1 200 OK\r\n"), "{head}");
        // Where its parts begin is as it says.
        let offset = |name: &str| -> usize {
            let rest = head.split(&format!("{name}=")).nth(1).unwrap();
            rest.split([',', '\r']).next().unwrap().parse().unwrap()
        };
        let within = head.split_once("\r\n\r\n").unwrap().1;
        assert!(within[offset("res-hdr")..].starts_with("HTTP/1.1 200 OK\r\n"));
        assert_eq!(offset("res-body"), within.len());
        if is_bad(body) {
            let head = "ICAP/1.0 200 OK\r\nX-Infection-Found: Type=0; Resolution=2; Threat=Test.Bad;\r\n";
            return format!("{head}Encapsulated: null-body=0\r\n\r\n").into_bytes();
        }
        CLEAN.to_vec()
    })
    .await;
    let (antivirus, _) = of(&[line], |_| {});
    for _ in 0..4 {
        assert_eq!(look(&antivirus, &vec![b'x'; 300_000]).await.clean.len(), 1);
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
    let scanned = look(&antivirus, BAD).await;
    assert_eq!((scanned.found[0].name.as_str(), strongest(&antivirus, &scanned)), ("Test.Bad", Action::Reject));
    // Behind a finding the connection isn't used again, whatever it came with.
    assert_eq!(look(&antivirus, b"hello").await.clean.len(), 1);
    assert_eq!(connections.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn the_same_bytes_again_are_clean_and_others_are_not() {
    let (line, connections) = answering(|_, body| copied(body)).await;
    let (antivirus, _) = of(&[line], |_| {});
    for _ in 0..3 {
        assert_eq!(look(&antivirus, &vec![b'x'; 100_000]).await.clean.len(), 1);
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
    let changes: [fn(&[u8]) -> Vec<u8>; 4] = [
        |body| body[1..].to_vec(),
        |body| [body, b"x"].concat(),
        |_| Vec::new(),
        |body| body.iter().map(|byte| byte ^ 1).collect(),
    ];
    for change in changes {
        let (line, _) = answering(move |_, body| copied(&change(body))).await;
        let (antivirus, _) = of(&[line], |_| {});
        let scanned = look(&antivirus, b"hello there").await;
        assert_eq!(scanned.found.len(), 1, "{scanned:?}");
        assert_eq!(scanned.found[0].name, "blocked");
    }
}

#[tokio::test]
async fn a_page_that_says_no_is_a_finding() {
    let page = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\n\r\n";
    let (line, _) = answering(move |_, _| {
        format!("ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body={}\r\n\r\n{page}2\r\nno\r\n0\r\n\r\n", page.len())
            .into()
    })
    .await;
    let (antivirus, _) = of(&[line], |_| {});
    assert_eq!(look(&antivirus, b"hello").await.found[0].name, "blocked");
}

#[tokio::test]
async fn lies_garbage_and_broken_answers_of_an_icap_server_are_failures() {
    let long = "ICAP/1.0 204 No Content\r\nX: ".to_owned() + &"x".repeat(100_000);
    let many = "ICAP/1.0 204 No Content\r\n".to_owned() + &"X: y\r\n".repeat(10_000) + "\r\n";
    for answer in [
        "",
        "ICAP/1.0 204",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "ICAP/1.0 100 Continue\r\n\r\n",
        "ICAP/1.0 404 Not Found\r\n\r\n",
        "ICAP/1.0 500 No\r\n\r\n",
        "ICAP/1.0 206 Partial\r\n\r\n",
        "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=7\r\n\r\n",
        "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n5\r\nhello",
        "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=19\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello\r\n",
        long.as_str(),
        many.as_str(),
    ] {
        let bytes = answer.as_bytes().to_vec();
        let (at, _) = played(move |mut stream: TcpStream| {
            let bytes = bytes.clone();
            async move {
                brought(&mut stream).await;
                let _gone = stream.write_all(&bytes).await;
            }
        })
        .await;
        let (antivirus, _) = of(&[format!("icap icap://{at}/av")], |_| {});
        let scanned = look(&antivirus, b"hello").await;
        assert_eq!(scanned.unscannable.len(), 1, "{:?}: {scanned:?}", &answer[..answer.len().min(60)]);
    }
}

/// A body without an end is given up, and isn't the message.
#[tokio::test]
async fn an_answer_of_any_length_ends() {
    let (at, _) = played(|mut stream: TcpStream| async move {
        brought(&mut stream).await;
        let head = "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
        while stream.write_all(&chunk).await.is_ok() {}
    })
    .await;
    let (antivirus, _) = of(&[format!("icap icap://{at}/av")], |_| {});
    assert_eq!(look(&antivirus, b"hello").await.found[0].name, "blocked");
}

#[tokio::test]
async fn an_answer_that_comes_before_the_message_is_not_believed_to_be_clean() {
    let (at, _) = played(|mut stream: TcpStream| async move {
        let mut beginning = [0; 1_000];
        while let Ok(1..) = stream.read(&mut beginning).await {
            if !beginning.starts_with(b"OPTIONS ") {
                stream.write_all(CLEAN).await.unwrap();
                std::future::pending::<()>().await;
            }
            stream.write_all(&options(None)).await.unwrap();
        }
    })
    .await;
    let (antivirus, _) = of(&[format!("icap icap://{at}/av")], |_| {});
    assert_eq!(look(&antivirus, &vec![b'x'; 64 << 20]).await.unscannable.len(), 1);
}

#[tokio::test]
async fn an_icap_service_says_how_it_is() {
    let said = |methods: &str, status: u16| {
        format!(
            "ICAP/1.0 {status} OK\r\nMethods: {methods}\r\nService: Test/1\r\nISTag: \"7\"\r\nEncapsulated: null-body=0\r\n\r\n"
        )
    };
    for (answer, health) in [
        (said("REQMOD, RESPMOD", 200), Health::Good),
        (said("REQMOD", 200), Health::Failing),
        (said("RESPMOD", 404), Health::Failing),
    ] {
        let (at, _) = played(move |mut stream: TcpStream| {
            let answer = answer.clone();
            async move {
                let (head, _) = question(&mut stream, &mut Vec::new()).await.unwrap();
                assert!(head.starts_with("OPTIONS icap://"), "{head}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        })
        .await;
        let (antivirus, _) = of(&[format!("icap icap://{at}/av")], |_| {});
        antivirus.check().await;
        let state = antivirus.states().remove(0);
        assert_eq!(state.health, health, "{state:?}");
        if health == Health::Good {
            assert_eq!(state.version.as_deref(), Some("Test/1 (7)"));
        }
    }
}

/// One that wishes for a preview of so much, and wants the rest of what doesn't begin with "GIF"; how much it was shown first.
async fn previewing(wishes: usize) -> (String, Arc<AtomicUsize>) {
    let shown = Arc::new(AtomicUsize::new(usize::MAX));
    let told = shown.clone();
    let (at, _) = played(move |mut stream: TcpStream| {
        let told = told.clone();
        async move {
            let mut held = Vec::new();
            while let Some((head, mut body)) = question(&mut stream, &mut held).await {
                if head.starts_with("OPTIONS ") {
                    stream.write_all(&options(Some(wishes))).await.unwrap();
                    continue;
                }
                assert!(head.contains(&format!("\r\nPreview: {}\r\n", body.len())), "{head}");
                told.store(body.len(), Ordering::Relaxed);
                if !body.starts_with(b"GIF") {
                    stream.write_all(b"ICAP/1.0 100 Continue\r\n\r\n").await.unwrap();
                    body.extend(parts(&mut stream, &mut held, Some(head)).await.unwrap().1);
                }
                let answer: &[u8] = if is_bad(&body) { b"ICAP/1.0 204 -\r\nX-Virus-ID: Bad\r\n\r\n" } else { CLEAN };
                stream.write_all(answer).await.unwrap();
            }
        }
    })
    .await;
    (format!("icap icap://{at}/av"), shown)
}

#[tokio::test]
async fn a_server_that_does_not_ask_for_the_rest_has_not_seen_it() {
    let (line, shown) = previewing(8).await;
    let (antivirus, _) = of(&[line], |_| {});
    for _ in 0..2 {
        let scanned = look(&antivirus, b"Subject: hello\r\n\r\nhello\r\n").await;
        assert_eq!((scanned.clean.len(), shown.load(Ordering::Relaxed)), (1, 8), "{scanned:?}");
        let scanned = look(&antivirus, &[b"Subject: hello\r\n\r\n", BAD].concat()).await;
        assert_eq!(scanned.found[0].name, "Bad", "it is in what came behind the preview");
        let scanned = look(&antivirus, &[b"GIF89a, or not", BAD].concat()).await;
        assert_eq!((scanned.unscannable.len(), scanned.clean.len()), (1, 0), "{scanned:?}");
        assert!(scanned.unscannable[0].1.contains("doesn't want the rest"), "{scanned:?}");
        assert_eq!(strongest(&antivirus, &scanned), Action::Quarantine);
    }
    assert_eq!(antivirus.states()[0].health, Health::Good, "it does what it was told to");
}

#[tokio::test]
async fn a_preview_is_never_all_of_a_message_nor_longer_than_its_limit() {
    for (wishes, message, first) in [
        (1_024, &b"hello"[..], 2),
        (1_024, b"x", 0),
        (0, b"hello", 0),
        (usize::MAX, &[b'x'; 3 * ICAP_PREVIEW_MAX], ICAP_PREVIEW_MAX),
        (usize::MAX, &[b'x'; ICAP_PREVIEW_MAX], ICAP_PREVIEW_MAX / 2),
    ] {
        let (line, shown) = previewing(wishes).await;
        let (antivirus, _) = of(&[line], |_| {});
        assert_eq!(look(&antivirus, message).await.clean.len(), 1, "{wishes}");
        assert_eq!(shown.load(Ordering::Relaxed), first, "{wishes}");
    }
}

#[tokio::test]
async fn a_server_that_has_too_much_to_do_is_asked_again_later() {
    let (line, _) = answering(|_, _| b"ICAP/1.0 503 Service overloaded\r\n\r\n".to_vec()).await;
    let (antivirus, _) = of(&[line], |_| {});
    let scanned = look(&antivirus, b"hello").await;
    assert_eq!((scanned.failed.len(), strongest(&antivirus, &scanned)), (1, Action::Defer), "{scanned:?}");
}

#[tokio::test]
async fn a_service_that_there_is_not_is_its_fault_and_no_message_s() {
    let (at, _) = played(|mut stream: TcpStream| async move {
        question(&mut stream, &mut Vec::new()).await;
        stream.write_all(b"ICAP/1.0 404 Not found\r\n\r\n").await.unwrap();
    })
    .await;
    let (antivirus, events) = of(&[format!("icap icap://{at}/typo")], |_| {});
    let scanned = look(&antivirus, b"hello").await;
    assert_eq!((scanned.failed.len(), strongest(&antivirus, &scanned)), (1, Action::Defer), "{scanned:?}");
    assert_eq!(told(&events, "antivirus.failing"), 1, "{:?}", events.lines());
}
