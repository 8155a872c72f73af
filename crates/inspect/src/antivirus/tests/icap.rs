//! ICAP servers, honest and not.

use super::*;

/// One question: its head, and the body of the message that it brings.
async fn question(stream: &mut TcpStream, held: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    let mut body = Vec::new();
    let mut head = None;
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
                question(&mut stream, &mut Vec::new()).await;
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
        question(&mut stream, &mut Vec::new()).await;
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
        stream.write_all(CLEAN).await.unwrap();
        std::future::pending().await
    })
    .await;
    let (antivirus, _) = of(&[format!("icap icap://{at}/av")], |_| {});
    assert_eq!(look(&antivirus, &vec![b'x'; 64 << 20]).await.unscannable.len(), 1);
}

#[tokio::test]
async fn an_icap_service_says_how_it_is() {
    let options = |methods: &str, status: u16| {
        format!(
            "ICAP/1.0 {status} OK\r\nMethods: {methods}\r\nService: Test/1\r\nISTag: \"7\"\r\nEncapsulated: null-body=0\r\n\r\n"
        )
    };
    for (answer, health) in [
        (options("REQMOD, RESPMOD", 200), Health::Good),
        (options("REQMOD", 200), Health::Failing),
        (options("RESPMOD", 404), Health::Failing),
    ] {
        let (line, _) = answering(move |head, _| {
            assert!(head.starts_with("OPTIONS icap://"), "{head}");
            answer.clone().into_bytes()
        })
        .await;
        let (antivirus, _) = of(&[line], |_| {});
        antivirus.check().await;
        let state = antivirus.states().remove(0);
        assert_eq!(state.health, health, "{state:?}");
        if health == Health::Good {
            assert_eq!(state.version.as_deref(), Some("Test/1 (7)"));
        }
    }
}
