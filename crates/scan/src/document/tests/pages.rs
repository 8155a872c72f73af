use super::*;

fn archive() -> Vec<u8> {
    made::zip(&[("a.js", &[b'x'; 400])], false)
}

pub(super) fn smuggling() -> String {
    format!(
        "<html><body><script>var d = atob('{}'); var b = new Blob([d]); var a = document.createElement('a'); a.href = URL.createObjectURL(b); a.download = 'a.zip'; a.click();</script></body></html>",
        made::base64(&archive())
    )
}

fn inner(page: &str) -> Vec<Kind> {
    look_at(page.as_bytes()).inner.iter().map(|i| crate::kind::of(&i.bytes)).collect()
}

/// Attacks E3: HTML smuggling.
#[test]
fn files_that_a_page_puts_together_come_out() {
    let looked = look_at(smuggling().as_bytes());
    assert_eq!(looked.traits, [Trait::Script, Trait::Smuggles]);
    assert_eq!(looked.inner, [Inner { names: vec![], bytes: archive(), wrapping: Wrapping::Inline }]);
    let letters = made::base64(&archive());
    let (first, rest) = letters.split_at(150);
    for page in [
        format!("<html><a download='x.zip' href='data:application/zip;base64,{letters}'>x</a></html>"),
        format!("<html><script>x(\"{first}\" + \n \"{rest}\")</script></html>"),
        format!("<html><script>x(['{first}','{rest}'].join(''))</script></html>"),
        format!("<html><div hidden>{first}\n{rest}</div></html>"),
        format!(
            "<html><script>x('{}')</script></html>",
            archive().iter().map(|b| format!("{b:02x}")).collect::<String>()
        ),
        format!(
            "<html><script>x([{}])</script></html>",
            archive().iter().map(u8::to_string).collect::<Vec<_>>().join(", ")
        ),
        format!(
            "<html><script>x([{}])</script></html>",
            archive().iter().map(|b| format!("0x{b:02X}")).collect::<Vec<_>>().join(",")
        ),
        format!(
            "<html><script>x('{}'.split('').reverse().join(''))</script></html>",
            letters.chars().rev().collect::<String>()
        ),
        format!("<svg xmlns='http://www.w3.org/2000/svg'><script>x('{letters}')</script></svg>"),
    ] {
        assert!(look_at(page.as_bytes()).traits.contains(&Trait::Smuggles), "{page}");
        assert_eq!(inner(&page), [Kind::Zip], "{page}");
    }
    let hidden =
        "<html><script>var b = new Blob([decrypt(key)]); navigator.msSaveOrOpenBlob(b, 'a.iso');</script></html>";
    assert_eq!(traits(hidden.as_bytes()), [Trait::Script, Trait::Smuggles], "its file can't be known");
    let mut wide = b"\xff\xfe".to_vec();
    wide.extend(made::wide(&smuggling()));
    assert_eq!(traits(&wide), [Trait::Script, Trait::Smuggles]);
}

#[test]
fn a_page_in_a_page_is_looked_at_as_well() {
    let page = "<html><script>alert(document.cookie)</script></html>";
    let escaped: String = page.bytes().map(|b| format!("%{b:02X}")).collect();
    assert_eq!(inner(&format!("<html><script>document.write(unescape('{escaped}'))</script></html>")), [Kind::Html]);
    let escaped: String = page.bytes().map(|b| format!("\\x{b:02x}")).collect();
    assert_eq!(inner(&format!("<html><script>document.write(\"{escaped}\")</script></html>")), [Kind::Html]);
    assert_eq!(
        inner(&format!(
            "<html><iframe src=\"data:text/html,{}\"></iframe></html>",
            page.replace('<', "%3C").replace('>', "%3E")
        )),
        [Kind::Html]
    );
    assert_eq!(inner("<html><iframe srcdoc='&lt;script&gt;x&lt;/script&gt;'></iframe></html>"), [Kind::Html]);
}

#[test]
fn what_a_page_does_is_told() {
    let cases: &[(&str, &[Trait])] = &[
        ("<html><script>x()</script></html>", &[Trait::Script]),
        ("<html><img src=x onerror=x()></html>", &[Trait::Script]),
        ("<html><a href='java\nscript:x()'>x</a></html>", &[Trait::Script]),
        ("<html><a href='&#106;avascript:x()'>x</a></html>", &[Trait::Script]),
        ("<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>", &[Trait::Script]),
        (
            "<html><form action='https://example.com/x'><input name=a><input type=password></form></html>",
            &[Trait::Form],
        ),
        ("<html><meta http-equiv=refresh content='0; url=https://example.com'></html>", &[Trait::Remote]),
        ("<html><iframe src='https://example.com'></iframe></html>", &[Trait::Remote]),
        ("<html><script src='https://example.com/a.js'></script></html>", &[Trait::Remote, Trait::Script]),
        ("<html><a href='search-ms:query=x&amp;crumb=location:\\\\192.0.2.1\\x'>x</a></html>", &[Trait::Launches]),
        ("<html><script type='application/ld+json'>{\"a\": 1}</script></html>", &[]),
        ("<html><form action='https://example.com/search'><input name=q></form></html>", &[]),
        ("<html><!-- <script>x()</script> --><p>Hello</p></html>", &[]),
    ];
    for (page, wanted) in cases {
        assert_eq!(traits(page.as_bytes()), *wanted, "{page}");
    }
}

#[test]
fn ordinary_pages_are_neither_scripts_nor_smuggle() {
    let picture = made::base64(&[made::gif(), vec![0; 600]].concat());
    for page in [
        format!("<html><head><style>p {{ background: url(data:image/gif;base64,{picture}) }}</style></head><body><p>Hello</p></body></html>"),
        format!("<html><body><img src=\"data:image/gif;base64,{picture}\"></body></html>"),
        "<html><body><img src=\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'%3E%3Cpath d='M0 0'/%3E%3C/svg%3E\"></body></html>".to_owned(),
        format!("<html><body><img src='data:image/svg+xml;base64,{}'></body></html>", made::base64(b"<svg xmlns='http://www.w3.org/2000/svg'><path d='M0 0'/></svg>")),
        format!("<html><body><a href='https://example.com/t/{}'>Unsubscribe</a></body></html>", "Ab0-_x9Z".repeat(60)),
        "<!DOCTYPE html><html><head><title>News</title><style>.a{color:red}</style><!--[if mso]><style>.b{}</style><![endif]--></head><body><table width='600'><tr><td><a href='https://example.com'>Download our report</a> at this location</td></tr></table><img src='https://example.com/open.gif' width=1></body></html>".to_owned(),
        "<html><p>let x = Pin { data: unpinned.data,\n<a href=#672>672</a> }</p></html>".to_owned(),
        "<html><body><p>The numbers: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10</p></body></html>".to_owned(),
    ] {
        let looked = look_at(page.as_bytes());
        assert_eq!((looked.traits, looked.inner), (vec![], vec![]), "{page}");
    }
}

#[test]
fn text_of_a_page_comes_out() {
    assert_eq!(
        look_at(b"<html><style>x{}</style><p>Hello &amp; <b>you</b></p><p>there</p></html>").text,
        "Hello & you\nthere"
    );
}

#[test]
fn a_web_archive_gives_its_parts() {
    let archive = format!(
        "MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=x\r\n\r\n--x\r\nContent-Location: file:///C:/a.htm\r\nContent-Type: text/html\r\n\r\n<html><script>x()</script></html>\r\n--x\r\nContent-Location: file:///C:/a_files/editdata.mso\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--x--\r\n",
        made::base64(b"ActiveMime\0\0")
    );
    let looked = look_at(archive.as_bytes());
    let parts: Vec<_> = looked.inner.iter().map(|i| (crate::kind::of(&i.bytes), i.names[0].as_str())).collect();
    assert_eq!(parts, [(Kind::Html, "a.htm"), (Kind::ActiveMime, "editdata.mso")]);
}
