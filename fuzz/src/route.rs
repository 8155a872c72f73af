//! Routes as an administrator says them, and as the store keeps them: what is read comes back from its own words.

use mailward_directory::routes::{ForWhom, FromWhom, Leads, Place, RouteName, RouteTls};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(found) = ForWhom::parse(text) {
        assert_eq!(ForWhom::parse(&found.to_string()), Ok(found));
    }
    if let Ok(found) = FromWhom::parse(text) {
        assert_eq!(FromWhom::parse(&found.to_string()), Ok(found));
    }
    if let Ok(found) = Place::parse(text) {
        assert_eq!(Place::parse(&found.to_string()), Ok(found));
    }
    if let Ok(found) = RouteName::parse(text) {
        assert_eq!(found.as_str(), text);
    }
    let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    for (tls, user) in [(None, None), (Some(RouteTls::Tls), Some("joe"))] {
        if let Ok(found) = Leads::parse(&words, tls, user) {
            assert_eq!(found.check(), Ok(()));
            assert!(!found.to_string().contains(['\r', '\n']));
        }
    }
}
