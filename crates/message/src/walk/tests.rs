#![allow(clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]

use super::walk;
use mailward_core::limits::MIME_DEPTH_MAX;

/// Bytes looked at for each byte of the message, rounded up.
fn work_per_byte(message: &str) -> u64 {
    walk(message.as_bytes()).1.div_ceil(message.len() as u64)
}

/// `n` multiparts inside each other; what makes boundary number k is given.
fn nested(n: usize, boundary: impl Fn(usize) -> String, inside: &str) -> String {
    let mut message = String::new();
    for k in 0..n {
        let b = boundary(k);
        message.push_str(&format!("Content-Type: multipart/mixed; boundary={b}\r\n\r\n--{b}\r\n"));
    }
    message + inside
}

#[test]
fn a_plain_message_is_looked_at_twice_at_most() {
    assert!(work_per_byte(&format!("Subject: x\r\n\r\n{}", "hello world\r\n".repeat(10_000))) <= 2);
}

#[test]
fn ten_thousand_parts_cost_no_more_for_each_byte_than_ten() {
    let parts = |n| format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", "--b\r\n\r\nx\r\n".repeat(n));
    assert!(work_per_byte(&parts(10)) <= 4);
    assert!(work_per_byte(&parts(10_000)) <= 4);
    assert!(work_per_byte(&parts(100_000)) <= 4);
}

#[test]
fn lines_like_delimiters_cost_once_for_each_open_multipart_at_most() {
    let lines = "--almost\r\n".repeat(20_000);
    // Boundaries of one length that differ in their last byte only, and lines that differ from all of them.
    let alike = nested(MIME_DEPTH_MAX, |k| format!("{}{k:02}", "a".repeat(200)), "\r\n");
    let near = format!("--{}xx\r\n", "a".repeat(200)).repeat(2_000);
    let deepest = MIME_DEPTH_MAX as u64 + 4;
    assert!(work_per_byte(&format!("{}{lines}", nested(MIME_DEPTH_MAX, |k| format!("b{k}"), "\r\n"))) <= deepest);
    assert!(work_per_byte(&format!("{alike}{near}")) <= deepest);
    assert!(work_per_byte(&format!("{alike}{near}{near}{near}")) <= deepest);
}

#[test]
fn messages_inside_messages_are_not_counted_again_at_each_level() {
    let inside = "Content-Type: message/rfc822\r\n\r\n".repeat(MIME_DEPTH_MAX);
    assert!(work_per_byte(&format!("{inside}Subject: x\r\n\r\n{}", "line\r\n".repeat(50_000))) <= 3);
}

#[test]
fn a_header_of_many_fields_is_looked_at_a_few_times() {
    assert!(work_per_byte(&"References: <a@b>\r\n <c@d>\r\n".repeat(50_000)) <= 2);
    let parts = format!("--b\r\n{}\r\n", "X: y\r\n".repeat(10_000));
    assert!(work_per_byte(&format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", parts.repeat(5))) <= 4);
}

#[test]
fn closing_and_reopening_never_goes_back() {
    let message = format!(
        "Content-Type: multipart/mixed; boundary=a\r\n\r\n{}",
        "--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b--\r\n".repeat(10_000)
    );
    assert!(work_per_byte(&message) <= 6);
}
