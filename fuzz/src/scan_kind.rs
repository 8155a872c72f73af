//! What a file is: any bytes, and any bytes behind the marks of those kinds that have a structure.

use mailward_scan::kind;

pub fn run(data: &[u8]) {
    let is = kind::of(data);
    assert_eq!(is == kind::Kind::Empty, data.is_empty());
    let others = kind::others(data);
    assert!(!others.contains(&is), "what it is first isn't told twice");
    let text = String::from_utf8_lossy(data);
    let (name, declared) = text.split_once('\n').unwrap_or((&text, "text/plain"));
    let names = [name.to_owned()];
    if let Some(named) = kind::by_name(name) {
        assert!(!named.extension.is_empty() && named.extension == named.extension.to_lowercase());
        let again = format!("file.{}", named.extension);
        assert!(named.extension == "{class}" || kind::by_name(&again).as_ref() == Some(&named), "{again}");
    }
    let traits = kind::disagree(&names, declared, is);
    assert!(traits.len() <= 3);
    assert_eq!(kind::hides(name), traits.contains(&mailward_scan::Trait::NameHides));
    assert!(!kind::readings(is, &names, declared).contains(&is));
}
