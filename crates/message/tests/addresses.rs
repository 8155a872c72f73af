//! Address lists: the examples of RFC 5322's appendix A, the confusions of address parsing, and the limits.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests may stop at what isn't as it should be")]

use mailward_core::limits::{ENVELOPE_ADDRESSES_MAX, ENVELOPE_STRING_MAX};
use mailward_message::address_list::parse;
use mailward_message::header::unfold;
use proptest::prelude::*;

/// Addresses in a short form: `name|@route|mailbox@host`, `Group:` and `;` for marks; parts that are `None` left out.
fn read(value: &str) -> Vec<String> {
    parse(&unfold(value.as_bytes()))
        .into_iter()
        .map(|a| {
            if a.is_group_end() {
                return ";".to_owned();
            }
            let mailbox = a.mailbox.clone().unwrap();
            if a.is_group_start() {
                return format!("{mailbox}:");
            }
            let name = a.name.map(|n| format!("{n}|")).unwrap_or_default();
            let route = a.route.map(|r| format!("{r}|")).unwrap_or_default();
            format!("{name}{route}{mailbox}@{}", a.host.unwrap())
        })
        .collect()
}

#[test]
fn appendix_a_1_1_simple_addressing() {
    assert_eq!(read("John Doe <jdoe@machine.example>"), ["John Doe|jdoe@machine.example"]);
    assert_eq!(read("Mary Smith <mary@example.net>"), ["Mary Smith|mary@example.net"]);
}

#[test]
fn appendix_a_1_2_different_types_of_mailboxes() {
    assert_eq!(read("\"Joe Q. Public\" <john.q.public@example.com>"), ["Joe Q. Public|john.q.public@example.com"]);
    assert_eq!(
        read("Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>"),
        ["Mary Smith|mary@x.test", "jdoe@example.org", "Who?|one@y.test"]
    );
    assert_eq!(
        read("<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>"),
        ["boss@nil.test", "Giant; \"Big\" Box|sysservices@example.net"]
    );
}

#[test]
fn appendix_a_1_3_group_addresses() {
    assert_eq!(
        read("A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;"),
        ["A Group:", "Ed Jones|c@a.test", "joe@where.test", "John|jdoe@one.test", ";"]
    );
    assert_eq!(read("Undisclosed recipients:;"), ["Undisclosed recipients:", ";"]);
}

#[test]
fn appendix_a_5_white_space_comments_and_other_oddities() {
    assert_eq!(read("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>"), ["Pete|pete@silly.test"]);
    assert_eq!(
        read(
            "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)"
        ),
        ["A Group:", "Chris Jones|c@public.example", "joe@example.org", "John|jdoe@one.test", ";"]
    );
    assert_eq!(read("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;"), ["Hidden recipients:", ";"]);
}

#[test]
fn appendix_a_6_obsolete_forms() {
    assert_eq!(read("Joe Q. Public <john.q.public@example.com>"), ["Joe Q. Public|john.q.public@example.com"]);
    assert_eq!(
        read("Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example"),
        ["Mary Smith|@node.test|mary@example.net", "jdoe@test.example"]
    );
    assert_eq!(read("<@a.test,@b.test:c@d.test>"), ["@a.test,@b.test|c@d.test"]);
    assert_eq!(read("John Doe <jdoe@machine(comment).  example>"), ["John Doe|jdoe@machine.example"]);
    assert_eq!(read("jdoe . x @ example . org"), ["jdoe.x@example.org"]);
    assert_eq!(read("pete@silly.test (Pete (the \\) man))"), ["Pete (the ) man)|pete@silly.test"]);
}

#[test]
fn address_confusions_have_one_reading() {
    assert_eq!(read("\"a@b\"@c"), ["a@b@c"]);
    assert_eq!(read("\"a\\\"b\"@c"), ["a\"b@c"]);
    assert_eq!(read("a(comment@x)@c"), ["a@c"]);
    assert_eq!(read("(c)a@c"), ["a@c"]);
    assert_eq!(read("a@c(comment)"), ["comment|a@c"]);
    assert_eq!(read("<aaa@bbb.com>ccc@ddd.com"), ["aaa@bbb.com"]);
    assert_eq!(read("<a@b> <c@d>, e@f"), ["a@b", "e@f"]);
    assert_eq!(read("Group: a@b, c@d;"), ["Group:", "a@b", "c@d", ";"]);
    assert_eq!(read("a@b,c@d"), ["a@b", "c@d"]);
    assert_eq!(read("a@b; c@d"), ["a@b", "c@d"]);
    assert_eq!(read("a b@c"), ["a b@c"]);
    assert_eq!(read("\" \"@c"), [" @c"]);
    assert_eq!(read("\"\"@c"), ["@c"]);
    assert_eq!(read(".a@c, a.@c, a..b@c"), [".a@c", "a.@c", "a..b@c"]);
    // An encoded word in an address stays what it is.
    assert_eq!(read("=?utf-8?q?a=40b?=@c"), ["=?utf-8?q?a=40b?=@c"]);
    assert_eq!(read("=?x?q?=3e?= <a@b>"), ["=?x?q?=3e?=|a@b"]);
    assert_eq!(read("a@[1.2.3.4], b@[IPv6:::1], <c@[IPv6:::2]>"), ["a@[1.2.3.4]", "b@[IPv6:::1]", "c@[IPv6:::2]"]);
    // What is wrong stays visibly wrong.
    assert_eq!(read("a@b@c"), ["a@b@c"]);
    assert_eq!(parse(b"a@b@c").first().unwrap().host.as_deref(), Some("b@c"));
    assert_eq!(read("john@x.test <evil@y.test>"), ["john@x.test|evil@y.test"]);
    assert_eq!(read("\"a@b, c@d\" <e@f>"), ["a@b, c@d|e@f"]);
    assert_eq!(read("root"), ["root@"]);
    assert_eq!(read("<>"), ["@"]);
    assert_eq!(read("\"\" <a@b>"), ["a@b"]);
    assert_eq!(read("a: b: c@d;"), ["a:", "b: c@d", ";"]);
}

#[test]
fn what_is_never_closed_ends_with_its_list() {
    assert_eq!(read("Group: a@b"), ["Group:", "a@b", ";"]);
    assert_eq!(read("<a@b, c@d"), ["a@b", "c@d"]);
    assert_eq!(read("(((( a@b"), Vec::<String>::new());
    assert_eq!(read("x \"open a@b, c@d"), ["x open a@b, c@d@"]);
    assert_eq!(read("a@[1.2, c@d"), ["a@[1.2, c@d"]);
    assert_eq!(read("a\\"), ["a\\@"]);
    assert_eq!(read("\"a\\"), ["a@"]);
    assert_eq!(read(",,;;,>>,"), Vec::<String>::new());
}

#[test]
fn bytes_that_are_no_text_are_read_as_windows_1252() {
    let list = parse(b"J\xf6rg <a@b>");
    assert_eq!(list.first().unwrap().name.as_deref(), Some("J\u{f6}rg"));
}

#[test]
fn a_hundred_thousand_addresses_are_cut_at_the_limit() {
    let value = "a@b,".repeat(100_000);
    assert_eq!(parse(value.as_bytes()).len(), ENVELOPE_ADDRESSES_MAX);
    // A group that is cut is closed all the same.
    let list = parse(format!("g:{value};").as_bytes());
    assert_eq!(list.len(), ENVELOPE_ADDRESSES_MAX + 1);
    assert!(list.last().unwrap().is_group_end());
}

#[test]
fn a_long_name_is_cut_at_the_limit() {
    let value = format!("{} <a@b>", "\u{fc}".repeat(ENVELOPE_STRING_MAX));
    let list = parse(value.as_bytes());
    assert_eq!(list.first().unwrap().name.as_ref().unwrap().len(), ENVELOPE_STRING_MAX);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(value in proptest::collection::vec(any::<u8>(), 0..400)) {
        for address in parse(&value) {
            for text in [address.name, address.route, address.mailbox, address.host].into_iter().flatten() {
                prop_assert!(!text.contains(['\r', '\n', '\0']));
            }
        }
    }

    #[test]
    fn specials_in_any_order_give_balanced_groups(value in "[ab .,:;<>@()\"\\\\\\[\\]\r\n]{0,80}") {
        let mut open = false;
        for address in parse(value.as_bytes()) {
            if address.is_group_start() {
                prop_assert!(!open);
                open = true;
            } else if address.is_group_end() {
                prop_assert!(open);
                open = false;
            }
        }
        prop_assert!(!open);
    }

    #[test]
    fn well_formed_addresses_come_back(
        members in proptest::collection::vec(("[A-Za-z ,;:@<>()]{0,12}", "[a-z0-9.+-]{1,12}", "[a-z0-9.-]{1,12}"), 1..20)
    ) {
        let list: Vec<String> = members.iter().map(|(name, local, host)| format!("\"{name}\" (x) < {local}@{host} >")).collect();
        let read = parse(list.join(" , ").as_bytes());
        prop_assert_eq!(read.len(), members.len());
        for (address, (name, local, host)) in read.iter().zip(&members) {
            prop_assert_eq!(address.name.clone().unwrap_or_default(), name.clone());
            prop_assert_eq!(address.mailbox.as_deref(), Some(local.as_str()));
            prop_assert_eq!(address.host.as_deref(), Some(host.as_str()));
        }
    }
}
