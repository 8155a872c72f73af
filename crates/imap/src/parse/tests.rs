use super::*;
use crate::command::{
    BodySection, DateTest, FetchItem, NotifyMailboxes, SearchKey, SearchNode, SectionText, SetNumber, StatusItem,
};
use crate::sort::SortKey;
use crate::thread::ThreadAlgorithm;
use mailward_core::limits::{
    IMAP_APPEND_MESSAGES_MAX, IMAP_DEPTH_MAX, IMAP_FETCH_ITEMS_MAX, IMAP_LIST_PATTERNS_MAX, IMAP_NOTIFY_GROUPS_MAX,
    IMAP_NOTIFY_MAILBOXES_MAX, IMAP_SEARCH_KEYS_MAX, IMAP_SECTION_DEPTH_MAX, IMAP_SET_RANGES_MAX,
    IMAP_SORT_CRITERIA_MAX, IMAP_TAG_MAX, KEYWORDS_MAX, METADATA_NAME_MAX,
};
use mailward_message::decode::EnvelopeField;
use mailward_store::records::Rights;
use proptest::prelude::*;

fn command(text: &str) -> Result<Command, Fault> {
    parse(&Bytes::copy_from_slice(text.as_bytes()), false).map(|t| t.command).map_err(|e| e.fault)
}

fn bad(text: &str) -> &'static str {
    match command(text) {
        Err(Fault::Bad(why)) => why,
        other => panic!("{text:?} gave {other:?}"),
    }
}

fn program(text: &str) -> Vec<SearchNode> {
    match command(&format!("a SEARCH {text}")) {
        Ok(Command::Search(search)) => search.program,
        other => panic!("{text:?} gave {other:?}"),
    }
}

fn items(text: &str) -> Vec<FetchItem> {
    match command(&format!("a FETCH 1 {text}")) {
        Ok(Command::Fetch(fetch)) => fetch.items,
        other => panic!("{text:?} gave {other:?}"),
    }
}

#[test]
fn strings_come_in_three_forms() {
    for text in ["a LOGIN al@x p", "a LOGIN \"al@x\" \"p\"", "a login {4}\r\nal@x {1+}\r\np"] {
        let Ok(Command::Login { user, password }) = command(text) else { panic!("{text:?}") };
        assert_eq!((&user[..], password.expose()), (&b"al@x"[..], &b"p"[..]));
    }
    let Ok(Command::Login { password, .. }) = command("a LOGIN a \"p\\\"\\\\ \u{e4}\"") else { panic!() };
    assert_eq!(password.expose(), "p\"\\ \u{e4}".as_bytes());
}

/// Attacks G5.
#[test]
fn a_nul_never_passes() {
    for text in
        ["a LOGIN a \"p\0\"", "a LOGIN a\0 p", "a LOGIN a {1}\r\n\0", "a\0 NOOP", "a NOOP\0", "a LOGIN a \"p\\\0\""]
    {
        assert!(matches!(command(text), Err(Fault::Bad(_))), "{text:?}");
    }
}

#[test]
fn what_isn_t_a_command_is_bad_and_keeps_its_tag() {
    for text in [
        "",
        " ",
        "a",
        "a ",
        "a FOO",
        "a NOOP x",
        "a NOOP ",
        "a  NOOP",
        "a LOGIN a",
        "a LOGIN a b c",
        "a LOGIN \"a b",
        "a LOGIN \"a\\b\" c",
        "a UID",
        "a UID FOO 1",
        "a FETCH 0 FLAGS",
        "a FETCH 1",
        "a FETCH 1 (FLAGS",
        "a FETCH 1 ()",
        "a FETCH 1:",
        "a FETCH ,1 FLAGS",
        "a FETCH 4294967296 FLAGS",
        "a FETCH 1 (FAST)",
        "a FETCH 1 BODY[",
        "a FETCH 1 BODY[MIME]",
        "a FETCH 1 BODY[0]",
        "a FETCH 1 BODY[]<0.0>",
        "a FETCH 1 BODY[]<1>",
        "a FETCH 1 BODY[1.]x",
        "a FETCH 1 BODY[HEADER.FIELDS ()]",
        "a STORE 1 FLAGS",
        "a STORE 1 FLAGS (\\Foo)",
        "a STORE 1 LABELS x",
        "a STORE 1 +FLAGS (\\Seen",
        "a SEARCH",
        "a SEARCH ()",
        "a SEARCH (ALL",
        "a SEARCH ALL)",
        "a SEARCH NOT",
        "a SEARCH OR ALL",
        "a SEARCH FOO",
        "a SEARCH ON 1-2-3",
        "a SORT",
        "a SORT (DATE) UTF-8",
        "a SORT () UTF-8 ALL",
        "a SORT DATE UTF-8 ALL",
        "a SORT (REVERSE) UTF-8 ALL",
        "a SORT (REVERSE REVERSE DATE) UTF-8 ALL",
        "a SORT (DATE  SIZE) UTF-8 ALL",
        "a SORT RETURN (DATE) (DATE) UTF-8 ALL",
        "a SORT RETURN (COUNT) UTF-8 ALL",
        "a THREAD",
        "a THREAD REFERENCES UTF-8",
        "a THREAD REFERENCES UTF-8 ()",
        "a THREAD (REFERENCES) UTF-8 ALL",
        "a SELECT",
        "a SELECT x (FOO)",
        "a STATUS x ()",
        "a STATUS x (FOO)",
        "a LIST \"\"",
        "a LIST (FOO) \"\" *",
        "a APPEND x",
        "a APPEND x \"y\" {1}\r\na",
        "a APPEND x {5}\r\na",
        "a ENABLE",
        "a ID",
        "a ID (\"a\")",
        "a AUTHENTICATE PLAIN !",
        "a CREATE x (USE)",
        "a LOGIN {-1}\r\n x",
        "a LOGIN {1 }\r\na b",
        "a LIST (RECURSIVEMATCH) \"\" *",
    ] {
        assert!(matches!(command(text), Err(Fault::Bad(_))), "{text:?} gave {:?}", command(text));
    }
    let error = parse(&Bytes::from_static(b"x1 FOO"), false).unwrap_err();
    assert_eq!(error.tag.as_deref(), Some("x1"));
    assert_eq!(parse(&Bytes::from_static(b"+ NOOP"), false).unwrap_err().tag, None);
    assert!(command(&format!("{} NOOP", "t".repeat(IMAP_TAG_MAX))).is_ok());
    assert!(command(&format!("{} NOOP", "t".repeat(IMAP_TAG_MAX + 1))).is_err());
}

/// Attacks G9.
#[test]
fn mailbox_names_are_decoded_or_refused_with_no() {
    let Ok(Command::Delete(name)) = command("a DELETE Entw&APw-rfe/x/") else { panic!() };
    assert_eq!(name.as_str(), "Entwürfe/x");
    assert!(matches!(command("a DELETE inbox"), Ok(Command::Delete(n)) if n.is_inbox()));
    let deep = vec!["a"; 1000].join("/");
    let long = "a".repeat(60_000);
    for name in ["&", "&AOQ", "\"\u{e4}\"", "a//b", "\"a*\"", "\"\"", "/a", deep.as_str(), long.as_str()] {
        let text = format!("a DELETE {name}");
        assert!(matches!(command(&text), Err(Fault::Cannot(_))), "{name:?} gave {:?}", command(&text));
    }
}

#[test]
fn fetch_items_are_read_as_the_rfc_writes_them() {
    assert_eq!(items("FAST"), [FetchItem::Flags, FetchItem::InternalDate, FetchItem::Rfc822Size]);
    assert_eq!(items("full").len(), 5);
    assert_eq!(items("(BODY BODYSTRUCTURE modseq)"), [FetchItem::Body, FetchItem::BodyStructure, FetchItem::ModSeq]);
    let section = |peek, path: &[u32], text, partial| {
        FetchItem::Section(BodySection { peek, path: path.to_vec(), text, partial })
    };
    assert_eq!(items("BODY[]"), [section(false, &[], SectionText::All, None)]);
    assert_eq!(items("BODY.PEEK[1.2.MIME]<5.6>"), [section(true, &[1, 2], SectionText::Mime, Some((5, 6)))]);
    let names = vec!["From".to_owned(), "x y".to_owned()];
    assert_eq!(
        items("body[HEADER.FIELDS.NOT (From \"x y\")]"),
        [section(false, &[], SectionText::Fields { names, negate: true }, None)]
    );
    let Ok(Command::Fetch(fetch)) = command("a UID FETCH 1:* FLAGS (CHANGEDSINCE 12)") else { panic!() };
    assert_eq!((fetch.uid, fetch.changed_since), (true, Some(ModSeq(12))));
}

#[test]
fn stores_take_flags_with_or_without_parentheses() {
    let Ok(Command::Store(store)) = command("a UID STORE 1,3:* (UNCHANGEDSINCE 5) +FLAGS.SILENT (\\seen $Junk)") else {
        panic!()
    };
    assert_eq!(store.flags, Flags::SEEN);
    assert_eq!(store.keywords, ["$Junk"]);
    assert_eq!(
        (store.uid, store.silent, store.action, store.unchanged_since),
        (true, true, FlagAction::Add, Some(ModSeq(5)))
    );
    let one = |n| (SetNumber::Number(n), SetNumber::Number(n));
    assert_eq!(store.set.0, [one(1), (SetNumber::Number(3), SetNumber::Star)]);
    let Ok(Command::Store(store)) = command("a STORE 1 FLAGS \\Deleted \\Recent x") else { panic!() };
    assert_eq!((store.flags, store.action), (Flags::DELETED, FlagAction::Replace));
    assert!(matches!(command("a STORE 1 FLAGS ()"), Ok(Command::Store(s)) if s.flags == Flags::NONE));
}

#[test]
fn search_programs_are_flat() {
    use SearchNode::{And, Leaf, Not, Or};
    let seen = || Leaf(SearchKey::Flag(Flags::SEEN, true));
    assert_eq!(program("SEEN"), [And(1), seen()]);
    assert_eq!(
        program("OR SEEN (NOT SEEN SEEN) ALL"),
        [And(2), Or, seen(), And(2), Not, seen(), seen(), Leaf(SearchKey::All)]
    );
    assert_eq!(
        program("CHARSET utf-8 SUBJECT {3}\r\n\u{c4}x"),
        [And(1), Leaf(SearchKey::Envelope { field: EnvelopeField::Subject, text: "a\u{308}x".to_owned() })]
    );
    assert_eq!(program("SENTSINCE 2-Jan-1970"), [And(1), Leaf(SearchKey::Sent(DateTest::Since(1)))]);
    assert_eq!(program("MODSEQ \"/flags/\\\\draft\" all 62"), [And(1), Leaf(SearchKey::ModSeq(ModSeq(62)))]);
    assert!(matches!(command("a SEARCH CHARSET latin-1 ALL"), Err(Fault::BadCharset { save: false })));
    let Ok(Command::Search(search)) = command("a UID SEARCH RETURN () 1:5") else { panic!() };
    assert!(search.returns.is_some_and(|r| r.all && !r.min));
}

#[test]
fn sorts_have_criteria_a_charset_and_a_program() {
    let sorted = |text: &str| match command(text) {
        Ok(Command::Sort(sort)) => sort,
        other => panic!("{text:?} gave {other:?}"),
    };
    let sort = sorted("a SORT (subject REVERSE date DISPLAYFROM) \"utf-8\" SINCE 1-Feb-1994 SEEN");
    let criteria: Vec<(SortKey, bool)> = sort.criteria.iter().map(|c| (c.key, c.reverse)).collect();
    assert_eq!(criteria, [(SortKey::Subject, false), (SortKey::Date, true), (SortKey::DisplayFrom, false)]);
    assert_eq!((sort.uid, sort.returns, sort.program.len()), (false, None, 3));
    let sort = sorted("a UID SORT RETURN (MIN COUNT) (ARRIVAL CC FROM SIZE TO DISPLAYTO) US-ASCII ALL");
    assert_eq!((sort.uid, sort.criteria.len()), (true, 6));
    assert!(sort.returns.is_some_and(|r| r.min && r.count && !r.max && !r.all));
    assert!(sorted("a SORT RETURN () (SIZE) UTF-8 ALL").returns.is_some_and(|r| r.all));
    assert!(matches!(command("a SORT (DATE) KOI8-R ALL"), Err(Fault::BadCharset { save: false })));
    assert!(matches!(command("a SORT (DATE COLOUR) UTF-8 ALL"), Err(Fault::Cannot(_))));
    let many = |n: usize| format!("a SORT ({}) UTF-8 ALL", vec!["DATE"; n].join(" "));
    assert!(command(&many(IMAP_SORT_CRITERIA_MAX)).is_ok());
    assert_eq!(bad(&many(IMAP_SORT_CRITERIA_MAX + 1)), "too many SORT criteria");
}

#[test]
fn threads_have_an_algorithm_a_charset_and_a_program() {
    let Ok(Command::Thread(thread)) = command("a THREAD orderedsubject UTF-8 OR SEEN SUBJECT {2}\r\n\u{e4}") else {
        panic!()
    };
    assert_eq!((thread.uid, thread.algorithm), (false, ThreadAlgorithm::OrderedSubject));
    assert_eq!(thread.program.len(), 4);
    let Ok(Command::Thread(thread)) = command("a UID THREAD REFERENCES US-ASCII ALL") else { panic!() };
    assert_eq!((thread.uid, thread.algorithm), (true, ThreadAlgorithm::References));
    assert!(matches!(command("a THREAD REFERENCES KOI8-R ALL"), Err(Fault::BadCharset { save: false })));
    assert!(matches!(command("a THREAD REFS UTF-8 ALL"), Err(Fault::Cannot(_))));
}

/// Attacks G2.
#[test]
fn parentheses_end_at_their_depth() {
    let nest = |n: usize| format!("a SEARCH {}ALL{}", "(".repeat(n), ")".repeat(n));
    assert!(command(&nest(IMAP_DEPTH_MAX)).is_ok());
    assert_eq!(bad(&nest(IMAP_DEPTH_MAX + 1)), "parentheses too deep");
    assert!(matches!(command(&format!("a NOOP {}", "(".repeat(60_000))), Err(Fault::Bad(_))));
    // NOT and OR nest without parentheses; only their number is bounded, and nothing recurses.
    assert!(command(&format!("a SEARCH {}ALL", "NOT ".repeat(IMAP_SEARCH_KEYS_MAX - 2))).is_ok());
    assert_eq!(bad(&format!("a SEARCH {}ALL", "NOT ".repeat(IMAP_SEARCH_KEYS_MAX + 1))), "too many SEARCH keys");
    assert_eq!(bad(&format!("a SEARCH {}ALL", "OR ALL ".repeat(15_000))), "too many SEARCH keys");
}

#[test]
fn lists_end_at_their_limits() {
    let set = |n: usize| format!("a FETCH {} FLAGS", vec!["1"; n].join(","));
    assert!(command(&set(IMAP_SET_RANGES_MAX)).is_ok());
    assert_eq!(bad(&set(IMAP_SET_RANGES_MAX + 1)), "the set has too many ranges");
    let fetch = |n: usize| format!("a FETCH 1 ({})", vec!["UID"; n].join(" "));
    assert!(command(&fetch(IMAP_FETCH_ITEMS_MAX)).is_ok());
    assert_eq!(bad(&fetch(IMAP_FETCH_ITEMS_MAX + 1)), "too many items");
    let names = vec!["A"; IMAP_FETCH_ITEMS_MAX + 1].join(" ");
    assert_eq!(bad(&format!("a FETCH 1 BODY[HEADER.FIELDS ({names})]")), "too many field names");
    let part = vec!["1"; IMAP_SECTION_DEPTH_MAX + 1].join(".");
    assert_eq!(bad(&format!("a FETCH 1 BODY[{part}]")), "the section is too deep");
    let patterns = vec!["%"; IMAP_LIST_PATTERNS_MAX + 1].join(" ");
    assert_eq!(bad(&format!("a LIST \"\" ({patterns})")), "too many patterns");
    let keywords: Vec<String> = (0..=KEYWORDS_MAX).map(|n| format!("k{n}")).collect();
    assert!(matches!(command(&format!("a STORE 1 FLAGS ({})", keywords.join(" "))), Err(Fault::Limit(_))));
    let long = "k".repeat(mailward_core::limits::KEYWORD_LEN_MAX + 1);
    assert!(matches!(command(&format!("a STORE 1 FLAGS {long}")), Err(Fault::Limit(_))));
    assert_eq!(bad(&format!("a ID ({})", vec!["\"a\" NIL"; 31].join(" "))), "ID takes at most 30 pairs");
    assert!(command(&format!("a ID ({})", vec!["\"a\" NIL"; 30].join(" "))).is_ok());
    assert_eq!(bad(&format!("a ENABLE{}", " X".repeat(101))), "too many names");
}

#[test]
fn lists_have_their_extensions() {
    let Ok(Command::List(list)) =
        command("a LIST (SUBSCRIBED RECURSIVEMATCH) \"a/\" (\"%\" b*) RETURN (CHILDREN STATUS (MESSAGES UNSEEN))")
    else {
        panic!()
    };
    assert_eq!(list.patterns, ["a/%", "a/b*"]);
    assert!(list.subscribed_only && list.recursive && list.extended);
    assert_eq!(list.status, [StatusItem::Messages, StatusItem::Unseen]);
    assert!(matches!(command("a LIST \"\" \"\""), Ok(Command::List(l)) if l.delimiter_only));
    assert!(matches!(command("a LIST () \"\" %"), Ok(Command::List(l)) if l.patterns == ["%"]));
    assert!(
        matches!(command("a CREATE x (USE (\\Sent))"), Ok(Command::Create { special_use: Some(u), .. }) if u == "\\Sent")
    );
}

#[test]
fn appends_carry_their_message_untouched() {
    let text = "a APPEND x (\\Seen) \" 1-Jan-1970 00:00:01 +0000\" {4}\r\na\0\r\n (a) ~{1}\r\nb UTF8 (~{2}\r\ncd)";
    let Ok(Command::Append { messages, .. }) = command(text) else { panic!("{:?}", command(text)) };
    let [first, second, third] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(&first.message[..], b"a\0\r\n");
    assert_eq!(first.date.map(|d| d.secs()), Some(1));
    assert_eq!(first.flags, Flags::SEEN);
    assert_eq!((&second.message[..], &second.keywords[..]), (&b"b"[..], &["a".to_owned()][..]));
    assert_eq!(&third.message[..], b"cd");
    let one = " {1}\r\nx";
    assert!(command(&format!("a APPEND x{}", one.repeat(IMAP_APPEND_MESSAGES_MAX))).is_ok());
    assert!(matches!(
        command(&format!("a APPEND x{}", one.repeat(IMAP_APPEND_MESSAGES_MAX + 1))),
        Err(Fault::Limit(_))
    ));
    assert!(matches!(
        command("a UID REPLACE 7 x {1}\r\ny"),
        Ok(Command::Replace { uid: true, number: SetNumber::Number(7), .. })
    ));
}

#[test]
fn what_a_client_knows_is_read() {
    let Ok(Command::Select { qresync: Some(qresync), condstore, .. }) =
        command("a SELECT x (CONDSTORE QRESYNC (7 20 1,3:5 (1:2 3:4)))")
    else {
        panic!()
    };
    assert!(condstore);
    assert_eq!((qresync.uid_validity, qresync.mod_seq), (7, ModSeq(20)));
    assert_eq!(qresync.known.map(|set| set.0.len()), Some(2));
    for good in ["(7 20)", "(7 20 1:5)", "(7 20 (1 2))"] {
        assert!(command(&format!("a SELECT x (QRESYNC {good})")).is_ok(), "{good}");
    }
    for bad in ["", "(0 20)", "(7)", "(7 20 1:*)", "(7 20 $)", "(7 20 1 (1))", "(7 20 1 2)", "(7 20", "(7 20))"] {
        assert!(command(&format!("a SELECT x (QRESYNC {bad})")).is_err(), "{bad}");
    }
}

#[test]
fn windows_count_from_one_end() {
    let partial = |text: &str| match command(&format!("a UID FETCH 1:* UID (PARTIAL {text})")) {
        Ok(Command::Fetch(fetch)) => fetch.partial.map(|p| (p.first, p.last, p.from_end)),
        _ => None,
    };
    assert_eq!(partial("1:10"), Some((1, 10, false)));
    assert_eq!(partial("-10:-1"), Some((1, 10, true)));
    for bad in ["0:1", "1:-2", "-1:2", "1", "1:*"] {
        assert_eq!(partial(bad), None, "{bad}");
    }
    assert!(command("a FETCH 1 UID (PARTIAL 1:2)").is_err(), "of UIDs only");
    assert!(command("a UID FETCH 1 UID (VANISHED)").is_err(), "needs CHANGEDSINCE");
}

#[test]
fn parts_decoded_are_named_by_numbers_only() {
    assert!(matches!(&items("BINARY.PEEK[1.2]<3.4>")[..], [FetchItem::Binary(s)] if s.peek && s.path == [1, 2]));
    assert_eq!(items("(BINARY.SIZE[2] PREVIEW (LAZY) SAVEDATE)").len(), 3);
    for bad in ["BINARY[HEADER]", "BINARY.SIZE[1]<0.1>", "PREVIEW (SLOW)", "(PREVIEW ())"] {
        assert!(command(&format!("a FETCH 1 {bad}")).is_err(), "{bad}");
    }
}

#[test]
fn rights_are_letters() {
    let rights = |text: &str| match command(&format!("a SETACL x bob@example.test {text}")) {
        Ok(Command::SetAcl { action, rights, .. }) => Some((action, rights)),
        _ => None,
    };
    assert_eq!(rights("lr"), Some((FlagAction::Replace, Rights::LOOKUP.union(Rights::READ))));
    assert_eq!(rights("+c"), Some((FlagAction::Add, Rights::CREATE.union(Rights::DELETE_MAILBOX))));
    assert_eq!(rights("-d"), Some((FlagAction::Remove, Rights::DELETE_MESSAGES.union(Rights::EXPUNGE))));
    assert_eq!(rights("\"\""), Some((FlagAction::Replace, Rights::NONE)));
    assert_eq!(rights("lz"), None);
}

#[test]
fn entries_begin_with_whose_they_are() {
    let Ok(Command::GetMetadata(asked)) = command("a GETMETADATA (DEPTH 1 MAXSIZE 10) \"\" (/Shared /private/Comment)")
    else {
        panic!()
    };
    assert_eq!((asked.mailbox, asked.depth, asked.max_size), (None, Some(1), Some(10)));
    assert_eq!(
        asked.entries.iter().map(|e| (e.shared, e.name.as_str())).collect::<Vec<_>>(),
        [(true, ""), (false, "comment")]
    );
    for bad in ["/other/x", "/private/", "/private//x", "/private/x/", "/private/a*", "/privatex", "/shared/\u{e4}"] {
        assert!(command(&format!("a GETMETADATA INBOX \"{bad}\"")).is_err(), "{bad}");
    }
    let named = |length: usize| command(&format!("a GETMETADATA INBOX /private/{}", "x".repeat(length)));
    assert!(named(METADATA_NAME_MAX).is_ok());
    assert!(matches!(named(METADATA_NAME_MAX + 1), Err(Fault::Limit(_))));
    let Ok(Command::SetMetadata { entries, .. }) = command("a SETMETADATA x (/private/a ~{2}\r\n\0b /shared/b NIL)")
    else {
        panic!()
    };
    assert_eq!(entries.iter().map(|(_, v)| v.as_ref().map(|v| v.len())).collect::<Vec<_>>(), [Some(2), None]);
    assert!(command("a SETMETADATA x (/private NIL)").is_err());
}

#[test]
fn notifications_are_read_in_their_groups() {
    let text = "a NOTIFY SET STATUS (selected (MessageNew (UID BODY.PEEK[HEADER.FIELDS (From)]) MessageExpunge)) \
                (subtree (A B) (MessageNew MessageExpunge FlagChange)) (personal (MailboxName)) (inboxes NONE)";
    let Ok(Command::Notify(notify)) = command(text) else { panic!("{:?}", command(text)) };
    assert!(notify.status && notify.groups.len() == 4);
    assert_eq!(notify.groups[0].events.fetch.len(), 2);
    assert!(matches!(&notify.groups[1].mailboxes, NotifyMailboxes::Subtree(names) if names.len() == 2));
    assert!(matches!(command("a NOTIFY NONE"), Ok(Command::Notify(n)) if n.groups.is_empty()));
    assert!(matches!(command("a NOTIFY SET (personal (AnnotationChange))"), Err(Fault::BadEvent)));
    for bad in ["SET", "SET (personal)", "SET (personal (MessageNew))", "SET (selected (FlagChange))", "SET (x NONE)"] {
        assert!(matches!(command(&format!("a NOTIFY {bad}")), Err(Fault::Bad(_))), "{bad}");
    }
    let many = "(inboxes NONE) ".repeat(IMAP_NOTIFY_GROUPS_MAX + 1);
    assert!(command(&format!("a NOTIFY SET {}", many.trim_end())).is_err());
    let names = "x ".repeat(IMAP_NOTIFY_MAILBOXES_MAX + 1);
    assert!(command(&format!("a NOTIFY SET (mailboxes ({}) NONE)", names.trim_end())).is_err());
}

#[test]
fn names_are_utf8_where_the_client_has_said_so() {
    let text = Bytes::from("a DELETE \"Entw\u{fc}rfe & x\"");
    let Ok(Command::Delete(name)) = parse(&text, true).map(|t| t.command) else { panic!() };
    assert_eq!(name.as_str(), "Entw\u{fc}rfe & x");
    assert!(parse(&text, false).is_err());
    assert!(parse(&Bytes::from_static(b"a DELETE \"\xff\""), true).is_err());
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&Bytes::from(bytes), false);
    }

    #[test]
    fn nothing_like_a_command_makes_it_panic(
        verb in "(UID )?(FETCH|STORE|SEARCH|SORT|THREAD|LIST|STATUS|APPEND|LOGIN|ID|SELECT|CREATE|AUTHENTICATE|COPY|ENABLE|REPLACE|NOTIFY|SETACL|GETMETADATA|SETMETADATA)",
        rest in "[ ()\\[\\]<>{}\"\\\\*%:,.+0-9a-zA-Z&=\r\n\u{0}\u{e4}-]{0,120}",
    ) {
        let _ = parse(&Bytes::from(format!("a {verb} {rest}")), true);
    }

    #[test]
    fn search_programs_are_whole(text in "((NOT |OR |\\()*(ALL|SEEN|1:5|LARGER 5)\\)* ?){1,6}") {
        if let Ok(Command::Search(search)) = command(&format!("a SEARCH {text}")) {
            // Every operator has its operands, and nothing is left over.
            let mut missing = 1usize;
            for node in &search.program {
                prop_assert!(missing > 0);
                missing = missing - 1 + match node {
                    SearchNode::And(n) => *n,
                    SearchNode::Or => 2,
                    SearchNode::Not => 1,
                    SearchNode::Leaf(_) => 0,
                };
            }
            prop_assert_eq!(missing, 0);
        }
    }
}
