//! What domains say of TLS: policies, and the records that point to them and to where reports go.

use mailward_core::limits::{STS_AGE_MAX, STS_ID_MAX, STS_PATTERNS_MAX, TLS_REPORT_PLACES_MAX};
use mailward_sts::{Mode, Policy, report_places, sts_id};

pub fn run(data: &[u8]) {
    let Some((steer, rest)) = super::steered(data) else { return };
    match steer % 3 {
        0 => policy(rest),
        1 => {
            if let Some(id) = sts_id(&texts(rest)) {
                assert!((1..=STS_ID_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            }
        }
        _ => {
            let places = report_places(&texts(rest));
            assert!(places.len() <= TLS_REPORT_PLACES_MAX);
            for place in places {
                let shown = place.to_string();
                assert!(!shown.contains(['\r', '\n', '\0']), "{shown:?}");
            }
        }
    }
}

fn policy(text: &[u8]) {
    let Ok(policy) = Policy::parse(text) else { return };
    assert!(policy.mx.len() <= STS_PATTERNS_MAX && policy.max_age <= STS_AGE_MAX);
    assert!(policy.mode == Mode::None || !policy.mx.is_empty());
    let told: Vec<String> = policy.lines().collect();
    assert_eq!(Policy::parse(told.join("\r\n").as_bytes()), Ok(policy), "one meaning");
}

/// Records, a line each.
fn texts(data: &[u8]) -> Vec<Vec<u8>> {
    data.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}
