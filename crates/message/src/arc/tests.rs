use super::*;
use proptest::prelude::*;

fn set(number: u32, cv: &str) -> String {
    let domain = "d=a.example; s=x";
    format!(
        "ARC-Seal: i={number}; a=rsa-sha256; t=1; cv={cv}; {domain}; b=AAAA\r\n\
         ARC-Message-Signature: i={number}; a=rsa-sha256; {domain}; h=from; bh=AAAA; b=AAAA\r\n\
         ARC-Authentication-Results: i={number}; mx.a.example; arc=none\r\n"
    )
}

fn chain(text: &str) -> ArcChain<'_> {
    ArcChain::of(text.as_bytes())
}

fn fault(text: &str) -> Option<ArcFault> {
    match chain(text) {
        ArcChain::Broken { why, .. } => Some(why),
        _ => None,
    }
}

#[test]
fn sets_are_read_by_their_numbers_wherever_they_stand() {
    let text = format!("{}From: a@b.example\r\n{}\r\n", set(1, "none"), set(2, "pass"));
    let ArcChain::Sets(sets) = chain(&text) else { panic!("{:?}", chain(&text)) };
    assert_eq!(sets.iter().map(|s| s.seal_signature.instance).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(chain(&text).next(), Some(3));
    let mut relaxed = Vec::new();
    relax_set(text.as_bytes(), &sets[0], &mut relaxed);
    let relaxed = String::from_utf8(relaxed).unwrap();
    assert!(relaxed.starts_with("arc-authentication-results:i=1; mx.a.example; arc=none\r\narc-message-"), "{relaxed}");
    assert!(matches!(chain("From: a@b.example\r\n"), ArcChain::None));
    assert_eq!(chain("").next(), Some(1));
}

#[test]
fn a_chain_with_a_gap_a_double_or_a_part_is_broken() {
    let two = set(2, "pass");
    assert_eq!(fault(&two), Some(ArcFault::Sets));
    let one = set(1, "none");
    assert_eq!(fault(&format!("{one}{one}")), Some(ArcFault::Sets));
    let seal_only = one.lines().next().unwrap();
    assert_eq!(fault(&format!("{seal_only}\r\n")), Some(ArcFault::Sets));
    assert_eq!(chain(&format!("{two}{one}{two}")).next(), Some(3));
}

#[test]
fn what_a_seal_says_of_the_chain_must_fit() {
    assert_eq!(fault(&set(1, "pass")), Some(ArcFault::Status(1)));
    assert_eq!(fault(&format!("{}{}", set(2, "none"), set(1, "none"))), Some(ArcFault::Status(2)));
    let seal = |text: &str| set(1, "none").replacen("cv=none", text, 1);
    let wrong = |text: &str| matches!(fault(&seal(text)), Some(ArcFault::Signature(1, _)));
    assert!(wrong("cv=good") && wrong("t2=1"));
    assert!(wrong("cv=none; h=from"), "RFC 8617 §4.1.3");
    let sealed = set(1, "none").replacen("h=from", "h=from:arc-seal", 1);
    assert_eq!(fault(&sealed), Some(ArcFault::Signature(1, SignatureFault::Names)));
}

#[test]
fn nobody_seals_behind_a_seal_that_says_fail() {
    let text = format!("{}{}", set(2, "fail"), set(1, "none"));
    assert!(matches!(chain(&text), ArcChain::Ended { highest: 2 }));
    assert_eq!(chain(&text).next(), None);
}

#[test]
fn chains_end_at_their_limit() {
    let all = |n: u32| (1..=n).map(|i| set(i, if i == 1 { "none" } else { "pass" })).collect::<String>();
    assert_eq!(chain(&all(ARC_SETS_MAX - 1)).next(), Some(ARC_SETS_MAX));
    assert!(matches!(chain(&all(ARC_SETS_MAX)), ArcChain::Sets(_)));
    assert_eq!(chain(&all(ARC_SETS_MAX)).next(), None);
    assert_eq!(fault(&all(ARC_SETS_MAX + 1)), Some(ArcFault::Number));
    for number in ["0", "-1", "007", "", "99", "x"] {
        let text = set(1, "none").replace("i=1;", &format!("i={number};"));
        assert_eq!(fault(&text), Some(ArcFault::Number), "{number}");
        assert_eq!(chain(&text).next(), Some(1));
    }
}

proptest! {
    #[test]
    fn any_header_is_a_chain_or_none(parts in proptest::collection::vec(0_usize..9, 0..12), cut in any::<prop::sample::Index>()) {
        let pieces = [set(1, "none"), set(2, "pass"), set(3, "pass"), set(2, "fail"), "ARC-Seal:".into(), "i=1;".into(), "\r\n".into(), "ARC-Authentication-Results: i=3".into(), " \r\n\t".into()];
        let text: String = parts.iter().map(|p| pieces[*p].as_str()).collect();
        let text = &text.as_bytes()[..cut.index(text.len().saturating_add(1))];
        let chain = ArcChain::of(text);
        if let ArcChain::Sets(sets) = &chain {
            prop_assert!(!sets.is_empty());
            for (number, set) in (1..).zip(sets) {
                prop_assert_eq!((set.seal_signature.instance, set.message_signature.instance), (number, number));
            }
        }
        prop_assert!(chain.next().is_none_or(|next| (1..=ARC_SETS_MAX).contains(&next)));
    }
}
