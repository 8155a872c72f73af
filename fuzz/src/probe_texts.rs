//! What a look from outside reads: a web server's answer, an answer of ManageSieve, pages of settings for mail programs, a list of
//! ports, and the file that is kept.

use mailward_audit::knock::Answer;
use mailward_audit::probe::{FORMAT, Kept, parse_ports, read_page};
use mailward_audit::programs::{autoconfig, autodiscover};
use mailward_core::Domain;
use mailward_core::limits::{DOMAIN_MAX, PROBE_PAGE_MAX, PROBE_PORTS_MAX, PROBE_STATE_MAX, PROGRAM_SETTINGS_MAX};

pub fn run(data: &[u8]) {
    if let Ok(page) = read_page(data) {
        assert!((100..600).contains(&page.status));
        assert!(page.body.len() <= PROBE_PAGE_MAX.min(data.len()));
        assert!(!page.banner().chars().any(char::is_control));
    }
    let lines: Vec<Vec<u8>> = data.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let answer = Answer::sieve(lines);
    assert!(!answer.text().chars().any(char::is_control));
    assert!(answer.features().len() <= data.len() + 1);
    if let Ok(domain) = Domain::parse("example.org") {
        for told in [autoconfig(data, &domain), autodiscover(data)].into_iter().flatten() {
            assert!(told.len() <= PROGRAM_SETTINGS_MAX);
            for one in told {
                assert!(one.host.chars().count() <= DOMAIN_MAX && !one.host.chars().any(char::is_control));
            }
        }
    }
    match parse_ports(&String::from_utf8_lossy(data)) {
        Ok(ports) => {
            assert!(ports.len() <= PROBE_PORTS_MAX && ports.iter().all(|port| port.number > 0));
            assert!(ports.iter().all(|port| port.role.is_none() || port.speaks().is_some()), "a role nobody speaks");
        }
        Err(why) => assert!(!why.chars().any(char::is_control)),
    }
    if let Ok(kept) = Kept::parse(data) {
        assert!(data.len() <= PROBE_STATE_MAX);
        assert!(kept.last.is_none_or(|look| look.format == FORMAT));
    }
}
