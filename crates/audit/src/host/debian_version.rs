//! Debian's order of versions (Debian Policy §5.6.12): `[epoch:]upstream[-revision]`.

use std::cmp::Ordering;

/// Which of two versions is older. Any text has a place in the order, so that a hostile one can't break it.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (Parts::of(a), Parts::of(b));
    numbers(a.epoch, b.epoch).then_with(|| piece(a.upstream, b.upstream)).then_with(|| piece(a.revision, b.revision))
}

struct Parts<'a> {
    epoch: &'a [u8],
    upstream: &'a [u8],
    /// None is the same as `0`, which an empty one is as well.
    revision: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(version: &'a str) -> Self {
        let version = version.trim();
        let (epoch, rest) = match version.split_once(':') {
            Some((epoch, rest)) if epoch.bytes().all(|byte| byte.is_ascii_digit()) => (epoch, rest),
            _ => ("", version),
        };
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        Self { epoch: epoch.as_bytes(), upstream: upstream.as_bytes(), revision: revision.as_bytes() }
    }
}

/// Pieces without digits and numbers, by turns.
fn piece(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        let (word_a, word_b);
        (word_a, a) = split(a, |byte| !byte.is_ascii_digit());
        (word_b, b) = split(b, |byte| !byte.is_ascii_digit());
        let (number_a, number_b);
        (number_a, a) = split(a, |byte| byte.is_ascii_digit());
        (number_b, b) = split(b, |byte| byte.is_ascii_digit());
        let order = words(word_a, word_b).then_with(|| numbers(number_a, number_b));
        if order.is_ne() || (a.is_empty() && b.is_empty()) {
            return order;
        }
    }
}

fn split(bytes: &[u8], of: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| !of(byte)).unwrap_or(bytes.len());
    bytes.split_at_checked(end).unwrap_or((bytes, &[]))
}

/// A tilde sorts before everything, even before the end; letters before what is no letter.
fn words(a: &[u8], b: &[u8]) -> Ordering {
    let weight = |byte: Option<&u8>| match byte {
        Some(b'~') => -1_i32,
        None => 0,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(*letter),
        Some(other) => i32::from(*other).saturating_add(256),
    };
    let longer = a.len().max(b.len());
    (0..longer)
        .map(|at| weight(a.get(at)).cmp(&weight(b.get(at))))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Of any length: no number overflows.
fn numbers(a: &[u8], b: &[u8]) -> Ordering {
    let (_, a) = split(a, |byte| *byte == b'0');
    let (_, b) = split(b, |byte| *byte == b'0');
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn versions_are_ordered_as_debian_orders_them() {
        // Each line: older, newer.
        for (older, newer) in [
            ("1.0", "1.1"),
            ("1.9", "1.10"),
            ("1.0~rc1", "1.0"),
            ("1.0~~", "1.0~~a"),
            ("1.0~~a", "1.0~"),
            ("1.0~", "1.0"),
            ("1.0", "1.0a"),
            ("1.0a", "1.0+b1"),
            ("9.9", "1:0.1"),
            ("2.36-9+deb12u9", "2.36-9+deb12u10"),
            ("3.0.15-1~deb12u1", "3.0.15-1"),
            ("1.0", "1.0-1"),
            ("1.2-3", "1.2-3.1"),
            ("1.0-1", "1.0-1+b1"),
            ("2:9.0.1378-2", "2:9.0.1378-2+deb12u2"),
            ("18446744073709551615", "18446744073709551616"),
        ] {
            assert_eq!(compare(older, newer), Ordering::Less, "{older} {newer}");
            assert_eq!(compare(newer, older), Ordering::Greater, "{newer} {older}");
        }
        for (a, b) in [("1.0", "0:1.0"), ("1.0", "1.0-0"), ("1.00", "1.0"), ("1.0-01", "1.0-1")] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
        }
    }

    fn version() -> impl Strategy<Value = String> {
        prop_oneof!["([0-9]:)?[0-9a-b.+~-]{0,8}", "\\PC{0,6}"]
    }

    proptest! {
        #[test]
        fn it_is_an_order(a in version(), b in version(), c in version()) {
            prop_assert_eq!(compare(&a, &a), Ordering::Equal);
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le(), "{} {} {}", a, b, c);
            }
        }

        #[test]
        fn a_tilde_makes_older_and_a_suffix_newer(version in "[0-9]{1,4}(\\.[0-9]{1,4}){0,3}") {
            prop_assert_eq!(compare(&format!("{version}~x"), &version), Ordering::Less);
            prop_assert_eq!(compare(&format!("{version}+x"), &version), Ordering::Greater);
        }
    }
}
