//! Stories of owners: at home beside somebody who guesses, on their way while strangers attack, on the day of a move.

use super::*;
use mailward_core::limits::{
    BAN_TIMES, LOGIN_NEAR_PAUSE, LOGIN_NEIGHBOUR_HOSTS, LOGIN_OWN_WRONG, LOGIN_PAIR_TIME, LOGIN_SAME_AT_ONCE,
    LOGIN_STRANGER_PAUSE, LOGIN_UNSEEN_MAX, LOGINS_AT_ONCE_PER_PAIR,
};

/// Attacks C1: who shares the owner's address and opens hundreds of connections at once.
#[tokio::test]
async fn an_account_can_t_be_guessed_from_where_its_owner_is_at_home() {
    let h = house().await;
    let user = "user1@example.test";
    h.right(HOME, user);
    let passwords: Vec<String> = (0..20_000).map(|n| format!("guess {n}")).collect();
    let mut passwords = passwords.iter();
    let mut looked_at = 0;
    // Ten volleys of 200 connections, and in between the owner's device logs in.
    for _ in 0..10 {
        let (mut going, mut waiting) = (Vec::new(), Vec::new());
        for password in passwords.by_ref().take(200) {
            let tried = Try { from: HOME, user, password };
            match h.before(tried) {
                Before::Go => going.push(tried),
                Before::Wait(_) => waiting.push(tried),
                Before::Refuse => h.with(tried, |attempt| h.logins.failed(attempt, Failed::Refused)),
            }
        }
        while !going.is_empty() {
            looked_at += going.len();
            going.drain(..).for_each(|tried| h.with(tried, |attempt| h.logins.failed(attempt, Failed::Wrong)));
            for tried in waiting.drain(..) {
                match h.with(tried, |attempt| h.logins.again(attempt)) {
                    Before::Go => going.push(tried),
                    _ => h.with(tried, |attempt| h.logins.failed(attempt, Failed::Refused)),
                }
            }
        }
        h.right(HOME, user);
    }
    let most = LOGIN_SHARED_FAILURES + LOGINS_AT_ONCE_PER_PAIR;
    assert!(looked_at <= usize::try_from(most).unwrap(), "{looked_at} guesses");
    assert!(!h.is_banned(HOME));
    assert!(h.right(HOME, "user2@example.test"), "others there aren't concerned");
    assert_eq!(h.told("account.attacked").len(), 1);
}

#[tokio::test]
async fn a_pair_that_guesses_is_refused_longer_each_time_and_what_was_right_lately_passes() {
    let h = house().await;
    let user = "user1@example.test";
    h.right(HOME, user);
    let mut number = 0;
    let mut guess = || {
        number += 1;
        h.wrong(HOME, user, &format!("guess {number}"))
    };
    for times in BAN_TIMES {
        let mut looked_at = 0;
        while guess() {
            looked_at += 1;
            assert!(looked_at <= LOGIN_SHARED_FAILURES, "it never ends");
        }
        let remembered = Try { from: HOME, user, password: "remembered" };
        assert!(h.play(remembered, true), "the owner's device works on");
        assert!(!h.right(HOME, user), "one that has to be hashed doesn't");
        h.forward(LOGIN_PAIR_TIME * times - Duration::from_millis(1));
        assert!(!guess(), "{times}");
        h.forward(Duration::from_millis(1));
    }
    while guess() {}
    for _ in 0..LOGIN_UNSEEN_MAX {
        guess();
    }
    let remembered = Try { from: HOME, user, password: "remembered" };
    assert!(!h.play(remembered, true), "else that would tell which guess is right");
    h.forward(LOGIN_WINDOW / 2);
    assert!(h.play(remembered, true));
    let elsewhere = Try { from: STRANGER, ..remembered };
    assert_eq!(h.before(elsewhere), Before::Go);
    assert!(!h.is_banned(HOME));
}

/// A device with SCRAM has no password to tell from others: it tries again and again while its owner is attacked.
#[tokio::test]
async fn who_is_refused_because_of_an_attack_neither_prolongs_it_nor_gets_banned() {
    let h = house().await;
    let user = "user1@example.test";
    for (number, from) in hosts(LOGIN_USER_FAILURES).iter().enumerate() {
        h.wrong(from, user, &format!("guess {number}"));
    }
    let peer = Peer { session: 1, address: Some(HOME.parse().unwrap()), port: None, listener: Listener::Imaps };
    let address = user.parse().unwrap();
    let account = Some((AccountId(1), &address));
    let attempt = Attempt { user, account, peer: &peer, mark: None, remembered: false, tls: None };
    let mut refused = 0;
    for _ in 0..LOGIN_STRANGER_PAUSE.as_secs() / 10 {
        if h.logins.before(&attempt) != Before::Refuse {
            break;
        }
        h.logins.failed(&attempt, Failed::Refused);
        refused += 1;
        h.forward(Duration::from_secs(10));
    }
    assert!(refused > 0);
    assert!(!h.is_banned(HOME));
    assert_eq!(h.logins.before(&attempt), Before::Go, "a minute of patience");
    h.logins.succeeded(&attempt);
    assert_eq!(h.logins.before(&attempt), Before::Go, "and it is known");
}

/// Owners who move while strangers attack them.
#[tokio::test]
async fn owners_on_their_way_get_in_with_patience_and_guessers_are_slow() {
    let h = house().await;
    let user = "user1@example.test";
    h.right(HOME, user);
    h.right("192.0.2.50", "user2@example.test");
    let attack = || {
        for (number, from) in hosts(LOGIN_USER_FAILURES).iter().enumerate() {
            h.wrong(from, user, &format!("guess {number}"));
        }
    };
    attack();
    assert!(h.right("192.0.2.50", user), "an office where a colleague is known");
    assert!(!h.right("203.0.113.99", user), "slowly");
    h.forward(LOGIN_NEAR_PAUSE);
    assert!(h.right("203.0.113.99", user), "a neighbour of home");
    assert!(!h.right(STRANGER, user), "a hotel");
    h.forward(LOGIN_STRANGER_PAUSE);
    assert!(h.right(STRANGER, user), "a minute later");
    // From a thousand hosts together no more than one guess a minute.
    attack();
    let (mut looked_at, minutes) = (0, 30);
    for minute in 0..minutes {
        for number in 0..100 {
            let from = format!("100.{}.{number}.9", 70 + minute);
            looked_at += u32::from(h.wrong(&from, user, &format!("more {minute} {number}")));
        }
        h.forward(LOGIN_STRANGER_PAUSE);
    }
    assert!(looked_at <= minutes, "{looked_at}");
    assert!(h.right(HOME, user), "while home works");
}

/// On the day of a move programs come with old passwords, each again and again.
#[tokio::test]
async fn an_office_with_old_passwords_isn_t_banned_and_who_guesses_as_many_users_is() {
    let users = 30;
    let h = house().await;
    let user = |number: u32| format!("user{number}@example.test");
    for _ in 0..60 {
        for number in 0..users {
            h.wrong(HOME, &user(number), &format!("old password of {number}"));
        }
        h.forward(Duration::from_secs(60));
    }
    assert!(!h.is_banned(HOME));
    assert!((0..users).all(|number| h.right(HOME, &user(number))), "the new ones work");
    // One password for all, and two for each.
    for (from, same) in [("192.0.2.1", true), ("192.0.2.2", false)] {
        for number in 0..LOGIN_HOST_FAILURES {
            let password = if same { "Summer2026".to_owned() } else { format!("guess {number}") };
            h.wrong(from, &user(if same { number } else { number / 2 }), &password);
        }
        assert!(h.is_banned(from), "{from}");
    }
    // Each user their own, and too many: stolen passwords.
    for number in 0..LOGIN_HOST_FAILURES * LOGIN_OWN_WRONG {
        h.wrong("192.0.2.3", &user(1_000 + number), &format!("theirs {number}"));
    }
    assert!(h.is_banned("192.0.2.3"));
}

#[tokio::test]
async fn a_wrong_password_that_comes_again_too_often_counts() {
    let h = house().await;
    for _ in 0..=LOGIN_SAME_AT_ONCE {
        h.wrong(STRANGER, "user1@example.test", "the old one");
    }
    for _ in 0..LOGIN_HOST_FAILURES * LOGIN_SAME_WRONG {
        h.wrong(STRANGER, "user1@example.test", "the old one");
    }
    assert!(h.is_banned(STRANGER));
}

/// A site of one customer before all of a provider's.
#[tokio::test]
async fn in_ipv6_a_56_is_banned_before_a_48() {
    let h = house().await;
    for number in 0..LOGIN_NEIGHBOUR_FAILURES {
        let from = format!("2001:db8:1:{:x}::1", 0xa00 + number % 12);
        h.wrong(&from, &format!("user{number}@example.test"), &number.to_string());
    }
    assert!(h.is_banned("2001:db8:1:aff::1"), "{:?}", h.bans.list(None, 9));
    assert!(!h.is_banned("2001:db8:1:b00::1"), "the customer next door");
    for number in 0..LOGIN_NEIGHBOUR_FAILURES {
        let site = 0x10 + number % u32::try_from(LOGIN_NEIGHBOUR_HOSTS).unwrap();
        let from = format!("2001:db8:1:{site:x}{:02x}::1", number / 8);
        h.wrong(&from, &format!("user{number}@example.test"), &format!("other {number}"));
    }
    assert!(h.is_banned("2001:db8:1:b00::1"), "who has many sites has the network");
}
