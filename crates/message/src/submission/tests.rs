use super::*;

#[test]
fn what_is_missing_is_added_and_bcc_goes() {
    let (hostname, domain) = (Domain::parse("mx.s.example").unwrap(), Domain::parse("s.example").unwrap());
    let facts = Facts { date: Timestamp(0), id: "q1", hostname: &hostname, domain: Some(&domain), author: None };
    let message = b"From: Alice <alice>\r\nBcc: c@t.example\r\nTo: bob, x@t.example\r\n\r\nbody\r\n".to_vec();
    let mended = mend(message, 0, &facts).unwrap();
    let expected = format!(
        "Date: {}\r\nMessage-ID: <q1@mx.s.example>\r\nFrom: Alice <alice@s.example>\r\n\
         To: bob@s.example, x@t.example\r\n\r\nbody\r\n",
        date::format_header(Timestamp(0))
    );
    assert_eq!(String::from_utf8(mended.clone()).unwrap(), expected);
    let claimed = claims(&mended).unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].address.to_string(), "alice@s.example");
}
