//! What the test's server says by HTTP.

use crate::house::Fault::{self, *};
use crate::house::Place;
use crate::session::Session;

const CSP: &str = "default-src 'none'; style-src 'sha256-x'; frame-ancestors 'none'";

pub(crate) async fn serve(mut session: Session, place: &Place) {
    let has = |fault: Fault| place.does(fault);
    let Some(head) = session.until(&[b"\r\n\r\n"]).await else { return };
    if has(NoHttp) {
        return session.say("220 hello\r\n").await;
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let foreign = field("Origin: ").contains("evil") || field("Sec-Fetch-Site: ").contains("cross");
    let is_user = head.contains("Authorization: Basic ");
    let status = match (method, target) {
        ("POST", _) if has(NoForms) || (foreign && !has(AnySite)) => "403 Forbidden",
        (_, "/metrics") if has(MetricsOpen) => "200 OK",
        (_, "/admin") if has(AdminForUsers) && is_user => "302 Found",
        _ => "404 Not Found",
    };
    let csp = match () {
        () if has(InlineScripts) => "default-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
        () if has(InlineStyles) => "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        () if has(MayBeFramed) => "default-src 'none'",
        () => CSP,
    };
    let mut answer =
        format!("HTTP/1.1 {status}\r\nContent-Security-Policy: {csp}\r\nX-Content-Type-Options: nosniff\r\n");
    if !has(NoHsts) {
        answer += "Strict-Transport-Security: max-age=63072000\r\n";
    }
    answer += if has(PlainCookie) {
        "Set-Cookie: s=1; Path=/\r\n"
    } else {
        "Set-Cookie: s=1; Secure; HttpOnly; SameSite=Lax\r\n"
    };
    let called = if has(TrustsHost) { field("Host: ") + &field("X-Forwarded-Host: ") } else { String::new() };
    session.say(&format!("{answer}\r\n<a href=https://{called}/reset>reset</a>")).await;
}
