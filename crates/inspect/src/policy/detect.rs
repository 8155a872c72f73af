//! Numbers that give themselves away: payment cards and bank accounts.

/// Lengths of IBANs by country (ISO 13616, the registry of SWIFT).
const IBANS: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NL", 18),
    ("NO", 15),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("SA", 24),
    ("SC", 31),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
];

/// Digits of a card's number (ISO/IEC 7812-1).
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// Groups of digits that are looked at together; a table of numbers may be one long row.
const GROUPS_MAX: usize = 1_024;

/// Numbers of payment cards in a text, digits only: those of a known issuer whose check digit is right (Luhn), with single
/// blanks or hyphens between, and no digit around. At most `most` of them; in the order of the text.
pub(super) fn cards(text: &str, most: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut groups: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let from = rest.get(start..).unwrap_or_default();
        let length = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
        groups.push(from.get(..length).unwrap_or_default());
        rest = from.get(length..).unwrap_or_default();
        let mut after = rest.chars();
        let joins = matches!(after.next(), Some(' ' | '-')) && after.next().is_some_and(|c| c.is_ascii_digit());
        if !joins || groups.len() >= GROUPS_MAX {
            of_groups(&groups, most, &mut found);
            groups.clear();
        }
        if found.len() >= most {
            break;
        }
    }
    of_groups(&groups, most, &mut found);
    found
}

/// Cards that begin and end where groups do.
fn of_groups(groups: &[&str], most: usize, found: &mut Vec<String>) {
    let mut first = 0;
    while first < groups.len() && found.len() < most {
        let mut digits = String::new();
        let mut next = first.saturating_add(1);
        for (place, group) in groups.iter().enumerate().skip(first) {
            if digits.len().saturating_add(group.len()) > *CARD_DIGITS.end() {
                break;
            }
            digits.push_str(group);
            if is_card(&digits) {
                found.push(digits);
                next = place.saturating_add(1);
                break;
            }
        }
        first = next;
    }
}

fn is_card(digits: &str) -> bool {
    let begins = |places: usize| digits.get(..places).and_then(|first| first.parse::<u32>().ok()).unwrap_or(0);
    let issued = match digits.len() {
        15 => matches!(begins(2), 34 | 37),
        14 => matches!(begins(2), 36 | 38 | 39) || matches!(begins(3), 300..=305),
        13 | 19 if begins(1) == 4 => true,
        16..=19 => {
            matches!(begins(2), 35 | 50 | 56..=58 | 62 | 63 | 65 | 67 | 51..=55)
                || begins(1) == 4
                || matches!(begins(4), 2_221..=2_720 | 6_011)
                || matches!(begins(3), 644..=649)
        }
        _ => false,
    };
    CARD_DIGITS.contains(&digits.len()) && issued && luhn(digits)
}

/// ISO/IEC 7812-1 annex B.
fn luhn(digits: &str) -> bool {
    let sum = digits.bytes().rev().enumerate().fold(0_u32, |sum, (place, digit)| {
        let digit = u32::from(digit.saturating_sub(b'0'));
        let doubled = digit.saturating_mul(2);
        let worth =
            if place % 2 == 0 { digit } else { doubled.checked_rem(10).unwrap_or(0).saturating_add(doubled / 10) };
        sum.saturating_add(worth)
    });
    sum.is_multiple_of(10)
}

/// Numbers of bank accounts in a text, without blanks: those of a known country, of its length, whose check digits are right
/// (ISO 7064, modulo 97), with single blanks between. At most `most` of them.
pub(super) fn ibans(text: &str, most: usize) -> Vec<String> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(b' ');
    let mut free = true;
    for at in 0..bytes.len() {
        let begins = free && byte(at).is_ascii_alphabetic();
        free = !byte(at).is_ascii_alphanumeric();
        if !begins || !byte(at.saturating_add(1)).is_ascii_alphabetic() || !byte(at.saturating_add(2)).is_ascii_digit()
        {
            continue;
        }
        let country: String =
            [byte(at), byte(at.saturating_add(1))].map(|b| char::from(b.to_ascii_uppercase())).iter().collect();
        let Some((_, length)) = IBANS.iter().find(|(code, _)| *code == country) else { continue };
        let (mut number, mut place) = (String::new(), at);
        while number.len() < *length {
            match byte(place) {
                b if b.is_ascii_alphanumeric() => number.push(char::from(b.to_ascii_uppercase())),
                b' ' if place < bytes.len() && byte(place.saturating_add(1)).is_ascii_alphanumeric() => {}
                _ => break,
            }
            place = place.saturating_add(1);
        }
        if number.len() == *length && !byte(place).is_ascii_alphanumeric() && is_97(&number) {
            found.push(number);
            if found.len() >= most {
                break;
            }
        }
    }
    found
}

/// The number with its first four moved to its end, letters as 10 to 35, leaves 1.
fn is_97(number: &str) -> bool {
    let (head, tail) = number.split_at_checked(4).unwrap_or((number, ""));
    let rest = tail.chars().chain(head.chars()).try_fold(0_u32, |rest, c| {
        let digit = c.to_digit(36)?;
        let shift = if digit > 9 { 100 } else { 10 };
        rest.saturating_mul(shift).saturating_add(digit).checked_rem(97)
    });
    rest == Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cards_are_known_by_issuer_length_and_check_digit() {
        let text = "4111 1111 1111 1111, 5500-0000-0000-0004; 340000000000009 (30000000000004) 6011000000000004 2223003122003222";
        assert_eq!(cards(text, 99).len(), 6);
        assert_eq!(cards(text, 2), ["4111111111111111", "5500000000000004"]);
        for none in [
            "4111 1111 1111 1112",
            "4111  1111 1111 1111",
            "14111111111111111",
            "0000 0000 0000 0000",
            "order 1234567890123456",
            "+49 170 1234567 030 1234567",
            "",
        ] {
            assert_eq!(cards(none, 9), [""; 0], "{none}");
        }
    }

    #[test]
    fn a_card_is_found_among_other_numbers() {
        assert_eq!(cards("order 12 4111 1111 1111 1111 07", 9), ["4111111111111111"]);
        assert_eq!(cards(&"1 ".repeat(9_999), 9), [""; 0]);
    }

    #[test]
    fn ibans_are_known_by_country_length_and_check_digits() {
        let text = "DE89 3704 0044 0532 0130 00, gb82west12345698765432; NO93 8601 1117 947.";
        assert_eq!(ibans(text, 9), ["DE89370400440532013000", "GB82WEST12345698765432", "NO9386011117947"]);
        for none in [
            "DE88 3704 0044 0532 0130 00",
            "XX89370400440532013000",
            "DE8937040044053201300",
            "xDE89370400440532013000",
            "DE89370400440532013000x",
        ] {
            assert_eq!(ibans(none, 9), [""; 0], "{none}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "[0-9A-Z \\-ä]{0,200}") {
            prop_assert!(cards(&text, 3).len() <= 3);
            prop_assert!(ibans(&text, 3).len() <= 3);
        }
    }
}
