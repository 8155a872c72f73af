use super::*;
use mailward_message::subject::base_subject;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// A message of a test: subject, sent, id, references.
#[derive(Clone, Debug)]
struct Mail {
    subject: String,
    sent: i64,
    id: Option<String>,
    references: Vec<String>,
}

fn mail(id: &str, references: &str, subject: &str, sent: i64) -> Mail {
    Mail {
        subject: subject.to_owned(),
        sent,
        id: (!id.is_empty()).then(|| id.to_owned()),
        references: references.split_whitespace().map(str::to_owned).collect(),
    }
}

/// Numbered from 1.
fn messages(mails: &[Mail]) -> Messages {
    numbered((1..).zip(mails))
}

fn numbered<'m>(mails: impl Iterator<Item = (u32, &'m Mail)>) -> Messages {
    let mut messages = Messages::default();
    for (number, mail) in mails {
        messages.add(&ThreadInput {
            number,
            sent: mail.sent,
            subject: &base_subject(&mail.subject),
            id: mail.id.as_deref(),
            references: &mail.references,
        });
    }
    messages
}

fn written(threads: &Threads) -> String {
    let mut out = Vec::new();
    threads.write(&mut out);
    String::from_utf8(out).unwrap()
}

fn by_references(mails: &[Mail]) -> String {
    written(&references(&messages(mails)))
}

fn by_subject(mails: &[Mail]) -> String {
    written(&ordered_subject(&messages(mails)))
}

#[test]
fn nothing_is_no_thread() {
    assert_eq!((by_references(&[]), by_subject(&[])), (String::new(), String::new()));
    assert_eq!(by_references(&[mail("", "", "", 0)]), " (1)");
    assert_eq!(by_subject(&[mail("", "", "", 0)]), " (1)");
}

/// The forms of RFC 5256 §4 and §5.
#[test]
fn threads_are_written_as_the_rfc_does() {
    // (2)(3 6 (4 23)(44 7 96)), numbered 1 to 8 for 2, 3, 6, 4, 23, 44, 7, 96.
    let mails = [
        mail("2", "", "a", 1),
        mail("3", "", "b", 2),
        mail("6", "3", "Re: b", 3),
        mail("4", "3 6", "Re: b", 4),
        mail("23", "3 6 4", "Re: b", 5),
        mail("44", "3 6", "Re: b", 6),
        mail("7", "3 6 44", "Re: b", 7),
        mail("96", "44 7", "Re: b", 8),
    ];
    assert_eq!(by_references(&mails), " (1)(2 3 (4 5)(6 7 8))");
    // ((3)(5)): siblings whose parent isn't there.
    assert_eq!(by_references(&[mail("3", "x", "a", 1), mail("5", "x", "b", 2)]), " ((1)(2))");
    // Three under one, and one under one.
    let mails = [
        mail("", "", "a", 1),
        mail("", "", "b", 2),
        mail("", "", "Re: a", 3),
        mail("", "", "A", 4),
        mail("", "", "[x] a (fwd)", 5),
        mail("", "", "b", 6),
    ];
    assert_eq!(by_subject(&mails), " (1 (3)(4)(5))(2 6)");
}

/// Messages that stand as a THREAD response says, in the order of their numbers: each refers to the one above it, each
/// thread has its subject, and they were sent in the order in which they are written.
fn told_by(response: &str) -> BTreeMap<u32, Mail> {
    let mut mails = BTreeMap::new();
    let mut above: Vec<String> = vec![String::new()];
    let mut at = response;
    let mut threads = 0;
    while let Some(first) = at.chars().next() {
        let digits = at.len() - at.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits > 0 {
            let (number, parent) = (&at[..digits], above.pop().unwrap());
            let subject = format!("thread {threads}");
            let sent = i64::try_from(mails.len()).unwrap();
            mails.insert(number.parse().unwrap(), mail(number, &parent, &subject, sent));
            above.push(number.to_owned());
        } else if first == '(' {
            threads += i32::from(above.len() == 1);
            let dummy = at.starts_with("((");
            above.push(if dummy { format!("none-{threads}") } else { above.last().unwrap().clone() });
        } else if first == ')' {
            above.pop();
        }
        at = &at[digits.max(1)..];
    }
    mails
}

/// RFC 5256 §3, the examples of both algorithms.
#[test]
fn the_rfc_s_mailbox_is_threaded_as_it_says() {
    let by_subject = " (166)(167)(168)(169)(172)(170)(171)(173)(174 (175)(176)(178)(181)(180))(179)(177 (183)(182)(188)\
        (184)(185)(186)(187)(189))(190)(191)(192)(193)(194 195)(196 (197)(198))(199)(200 202)(201)(203)(204)(205)\
        (206 207)(208)";
    let mails = told_by(by_subject);
    let messages = numbered(mails.iter().map(|(number, mail)| (*number, mail)));
    assert_eq!(written(&ordered_subject(&messages)), by_subject);
    let by_references = " (166)(167)(168)(169)(172)((170)(179))(171)(173)((174)(175)(176)(178)(181)(180))\
        ((177)(183)(182)(188 (184)(189))(185 186)(187))(190)(191)(192)(193)((194)(195 196))(197 198)(199)(200 202)\
        (201)(203)(204)(205 206 207)(208)";
    let mails = told_by(by_references);
    let messages = numbered(mails.iter().map(|(number, mail)| (*number, mail)));
    assert_eq!(written(&references(&messages)), by_references);
}

#[test]
fn ordered_subject_goes_by_subject_and_date() {
    let mails = [
        mail("", "", "late", 9),
        mail("", "", "early", 5),
        mail("", "", "Re: early", 2),
        mail("", "", "RE: Late", 1),
        mail("", "", "", 7),
        mail("", "", "Re:", 7),
        mail("", "", "\u{e4}", 3),
        mail("", "", "\u{c4}", 3),
    ];
    assert_eq!(by_subject(&mails), " (4 1)(3 2)(7 8)(5 6)");
}

#[test]
fn references_link_whatever_the_order_of_arrival() {
    let chain = [mail("a", "", "s", 1), mail("b", "a", "s", 2), mail("c", "a b", "s", 3), mail("d", "c", "s", 4)];
    assert_eq!(by_references(&chain), " (1 2 3 4)");
    let mut backwards = chain.to_vec();
    backwards.reverse();
    assert_eq!(by_references(&backwards), " (4 3 2 1)");
    // Those that are missing in the middle leave no gap.
    let gaps = [mail("a", "", "s", 1), mail("d", "a x y", "t", 4), mail("e", "a x z", "u", 5)];
    assert_eq!(by_references(&gaps), " (1 (2)(3))");
}

#[test]
fn a_message_s_own_word_counts_for_its_parent() {
    // c's shortened References make it a child of a; it says itself that its parent is b.
    let mails = [mail("d", "a c", "s", 4), mail("a", "", "s", 1), mail("b", "a", "s", 2), mail("c", "a b", "s", 3)];
    assert_eq!(by_references(&mails), " (2 3 4 1)");
    // It says that it has none, though d's References say otherwise: only the subject brings them together.
    let mails = [mail("d", "a c", "t", 4), mail("a", "", "s", 1), mail("c", "", "u", 3)];
    assert_eq!(by_references(&mails), " (2)(3 1)");
    // A link that is there isn't changed by what others say.
    let mails = [mail("b", "a", "s", 2), mail("c", "x b", "t", 3), mail("a", "", "s", 1)];
    assert_eq!(by_references(&mails), " (3 1 2)");
}

#[test]
fn circles_are_not_closed() {
    // The first that speaks is heard.
    assert_eq!(by_references(&[mail("a", "b", "x", 1), mail("b", "a", "y", 2)]), " (2 1)");
    assert_eq!(by_references(&[mail("a", "a", "x", 1)]), " (1)");
    assert_eq!(by_references(&[mail("a", "b c a b", "x", 1), mail("b", "a", "y", 2)]), " (2 1)");
    let ring: Vec<Mail> =
        (0..5).map(|n| mail(&n.to_string(), &((n + 1) % 5).to_string(), &format!("x{n}"), n)).collect();
    assert_eq!(by_references(&ring), " (5 4 3 2 1)");
}

#[test]
fn an_id_that_is_used_twice_is_the_first_one_s() {
    let mails = [mail("a", "", "x", 1), mail("a", "", "y", 2), mail("b", "a", "z", 3), mail("a", "b", "u", 4)];
    // The others have none: the second isn't a parent, and the fourth is a child.
    assert_eq!(by_references(&mails), " (1 3 4)(2)");
}

#[test]
fn dummies_are_pruned_but_at_the_top() {
    // One under two dummies comes to the top; two under a dummy stay together; dummies in the middle go.
    assert_eq!(by_references(&[mail("a", "x y", "s", 1)]), " (1)");
    assert_eq!(by_references(&[mail("a", "x y", "s", 1), mail("b", "x z", "t", 2)]), " ((1)(2))");
    assert_eq!(
        by_references(&[mail("r", "", "q", 0), mail("a", "r x", "s", 1), mail("b", "r x", "t", 2)]),
        " (1 (2)(3))"
    );
    // The top's date is that of its first child.
    let mails = [mail("", "", "early", 3), mail("a", "x", "s", 9), mail("b", "x", "t", 2), mail("", "", "late", 5)];
    assert_eq!(by_references(&mails), " ((3)(2))(1)(4)");
}

#[test]
fn threads_of_one_subject_are_gathered() {
    // An answer without references goes under what it answers.
    assert_eq!(by_references(&[mail("", "", "Re: s", 2), mail("", "", "S", 5)]), " (2 1)");
    // Two that don't answer each other become siblings, and so do two answers.
    assert_eq!(by_references(&[mail("", "", "s", 2), mail("", "", "s", 1)]), " ((2)(1))");
    assert_eq!(by_references(&[mail("", "", "Re: s", 2), mail("", "", "Fwd: s", 1)]), " ((2)(1))");
    // Then all others join them.
    let mails = [mail("", "", "s", 1), mail("", "", "s", 2), mail("", "", "Re: s", 3), mail("", "", "s", 4)];
    assert_eq!(by_references(&mails), " ((1)(2)(3)(4))");
    // What stands under them comes along.
    let mails = [mail("a", "", "s", 1), mail("", "a", "x", 2), mail("b", "", "Re: s", 3), mail("", "b", "y", 4)];
    assert_eq!(by_references(&mails), " (1 (2)(3 4))");
    // A group takes single ones and other groups in; its subject is that of its first.
    let mails = [
        mail("", "x", "s", 1),
        mail("", "x", "t", 2),
        mail("", "", "s", 3),
        mail("", "y", "Re: s", 4),
        mail("", "y", "u", 5),
    ];
    assert_eq!(by_references(&mails), " ((1)(2)(3)(4)(5))");
    // No subject gathers nothing.
    assert_eq!(by_references(&[mail("", "", "", 1), mail("", "", "Re:", 2)]), " (1)(2)");
}

/// Attacks G7, H11: deep chains in whatever order, and what makes a walk upwards long each time.
#[test]
fn two_hundred_thousand_messages_in_one_chain_are_threaded() {
    let length = 200_000_usize;
    let id = |n: usize| n.to_string();
    let chain: Vec<Mail> = (0..length)
        .map(|n| mail(&id(n), &n.checked_sub(1).map(id).unwrap_or_default(), "s", i64::try_from(n).unwrap()))
        .collect();
    let forwards: Vec<String> = (1..=length).map(|n| n.to_string()).collect();
    assert_eq!(by_references(&chain), format!(" ({})", forwards.join(" ")));
    let mut backwards = chain.clone();
    backwards.reverse();
    let numbers: Vec<String> = (1..=length).rev().map(|n| n.to_string()).collect();
    assert_eq!(by_references(&backwards), format!(" ({})", numbers.join(" ")));
    // Evens first, then the odd ones join them: each has somebody under it when it finds its parent.
    let mut halves: Vec<Mail> = chain.iter().step_by(2).cloned().collect();
    halves.extend(chain.iter().skip(1).step_by(2).cloned());
    assert_eq!(by_references(&halves).split(' ').count(), length + 1);
    // Half of them one deep chain, the others under its end, each with a child that came before it.
    let mut comb: Vec<Mail> = chain.iter().take(length / 2).cloned().collect();
    let end = id(length / 2 - 1);
    for n in length / 2..length * 3 / 4 {
        comb.push(mail("", &format!("p{n}"), &format!("c{n}"), 0));
        comb.push(mail(&format!("p{n}"), &end, &format!("d{n}"), 0));
    }
    assert_eq!(by_references(&comb).matches('(').count(), 1 + length / 4);
    // A ladder: each has an answer beside the next one, so that each list stands in another.
    let mut ladder = chain;
    ladder.truncate(length / 2);
    ladder.extend((0..length / 2).map(|n| mail("", &id(n), "s", 0)));
    let written = by_references(&ladder);
    // The last one's only child needs no list of its own.
    assert_eq!(written.matches('(').count(), length - 1);
    assert_eq!(written.matches(')').count(), length - 1);
}

/// The algorithm as the RFC tells it: nodes that own lists, walks from the top, and recursion. Slow, and short enough
/// to be seen to be right.
#[derive(Clone, Debug, Default)]
struct Slow {
    parent: BTreeMap<String, String>,
    mails: HashMap<String, (u32, Mail)>,
}

#[derive(Clone, Debug)]
struct Node {
    mail: Option<(u32, Mail)>,
    children: Vec<Node>,
}

impl Node {
    fn key(&self) -> (i64, u32) {
        match &self.mail {
            Some((number, mail)) => (mail.sent, *number),
            None => self.children.iter().map(Node::key).min().unwrap(),
        }
    }

    fn first(&self) -> (u32, Mail) {
        match &self.mail {
            Some(mail) => mail.clone(),
            None => self.children.iter().min_by_key(|child| child.key()).unwrap().first(),
        }
    }

    fn subject(&self) -> String {
        collate::key(&base_subject(&self.first().1.subject).text)
    }

    fn is_reply(&self) -> bool {
        base_subject(&self.mail.as_ref().unwrap().1.subject).is_reply_or_forward
    }

    fn sort(&mut self) {
        self.children.iter_mut().for_each(Node::sort);
        self.children.sort_by_key(Node::key);
    }

    fn write(&self, out: &mut String) {
        if let Some((number, _)) = &self.mail {
            out.push_str(&number.to_string());
        }
        match &self.children[..] {
            [] => {}
            [only] => {
                out.push(' ');
                only.write(out);
            }
            several => {
                if self.mail.is_some() {
                    out.push(' ');
                }
                for child in several {
                    out.push('(');
                    child.write(out);
                    out.push(')');
                }
            }
        }
    }
}

impl Slow {
    fn is_above(&self, upper: &str, lower: &str) -> bool {
        let mut at = Some(lower.to_owned());
        while let Some(id) = at {
            if id == upper {
                return true;
            }
            at = self.parent.get(&id).cloned();
        }
        false
    }

    fn link(&mut self, parent: &str, child: &str) {
        if !self.is_above(child, parent) {
            self.parent.insert(child.to_owned(), parent.to_owned());
        }
    }

    fn under(&self, ids: &[String], parent: Option<&String>) -> Vec<Node> {
        let mut nodes = Vec::new();
        for id in ids.iter().filter(|id| self.parent.get(*id) == parent) {
            let children = self.under(ids, Some(id));
            match self.mails.get(id) {
                Some(mail) => nodes.push(Node { mail: Some(mail.clone()), children }),
                // (3): at the top, more than one stay under their dummy.
                None if parent.is_none() && children.len() > 1 => nodes.push(Node { mail: None, children }),
                None => nodes.extend(children),
            }
        }
        nodes
    }

    fn references(mails: &[Mail]) -> String {
        let mut slow = Slow::default();
        let mut ids: Vec<String> = Vec::new();
        let mut own: Vec<String> = Vec::new();
        for (mail, number) in mails.iter().zip(1..) {
            let id = mail.id.clone().filter(|id| !slow.mails.contains_key(id));
            let id = id.unwrap_or_else(|| format!("own {number}"));
            slow.mails.insert(id.clone(), (number, mail.clone()));
            own.push(id);
        }
        for (mail, id) in mails.iter().zip(&own) {
            for reference in mail.references.iter().chain([id]) {
                if !ids.contains(reference) {
                    ids.push(reference.clone());
                }
            }
        }
        for (mail, id) in mails.iter().zip(&own) {
            for pair in mail.references.windows(2) {
                if !slow.parent.contains_key(&pair[1]) {
                    slow.link(&pair[0], &pair[1]);
                }
            }
            slow.parent.remove(id);
            if let Some(last) = mail.references.last() {
                slow.link(last, id);
            }
        }
        let mut tops = slow.under(&ids, None);
        tops.sort_by_key(Node::key);
        let mut table: HashMap<String, usize> = HashMap::new();
        for (at, top) in tops.iter().enumerate() {
            let subject = top.subject();
            if subject.is_empty() {
                continue;
            }
            match table.get(&subject).map(|known| &tops[*known]) {
                None => {
                    table.insert(subject, at);
                }
                Some(known) if known.mail.is_none() => {}
                Some(known) if top.mail.is_none() || known.is_reply() && !top.is_reply() => {
                    table.insert(subject, at);
                }
                Some(_) => {}
            }
        }
        let mut slots: Vec<Option<Node>> = tops.into_iter().map(Some).collect();
        for at in 0..slots.len() {
            let Some(subject) = slots[at].as_ref().map(Node::subject).filter(|s| !s.is_empty()) else { continue };
            let known = table[&subject];
            if known == at {
                continue;
            }
            let this = slots[at].take().unwrap();
            let mut other = slots[known].take().unwrap();
            match (other.mail.is_some(), this.mail.is_some()) {
                (false, false) => other.children.extend(this.children),
                (false, true) => other.children.push(this),
                (true, true) if this.is_reply() && !other.is_reply() => other.children.push(this),
                (true, true) => other = Node { mail: None, children: vec![other, this] },
                (true, false) => panic!("a dummy would be in the table"),
            }
            slots[known] = Some(other);
        }
        let mut root = Node { mail: None, children: slots.into_iter().flatten().collect() };
        root.sort();
        let mut out = String::new();
        for top in &root.children {
            out.push('(');
            top.write(&mut out);
            out.push(')');
        }
        if out.is_empty() { out } else { format!(" {out}") }
    }

    fn ordered_subject(mails: &[Mail]) -> String {
        let mut threads: BTreeMap<String, Vec<(i64, u32)>> = BTreeMap::new();
        for (mail, number) in mails.iter().zip(1..) {
            let subject = collate::key(&base_subject(&mail.subject).text);
            threads.entry(subject).or_default().push((mail.sent, number));
        }
        let mut threads: Vec<Vec<(i64, u32)>> = threads.into_values().collect();
        threads.iter_mut().for_each(|thread| thread.sort_unstable());
        threads.sort_by_key(|thread| thread[0]);
        let write = |thread: &Vec<(i64, u32)>| match &thread[..] {
            [(_, first)] => format!("({first})"),
            [(_, first), (_, second)] => format!("({first} {second})"),
            [(_, first), rest @ ..] => {
                let rest: String = rest.iter().map(|(_, number)| format!("({number})")).collect();
                format!("({first} {rest})")
            }
            [] => String::new(),
        };
        let out: String = threads.iter().map(write).collect();
        if out.is_empty() { out } else { format!(" {out}") }
    }
}

/// A few mails with a few ids, so that everything happens: circles, ids used twice, what is missing.
fn mails() -> impl Strategy<Value = Vec<Mail>> {
    let id = || proptest::sample::select(vec!["a", "b", "c", "d", "e", "f", "g"]).prop_map(str::to_owned);
    let subject =
        proptest::sample::select(vec!["", "s", "Re: s", "[x] S (fwd)", "t", "Re: t", "u", "v", "w", "x", "Re:"]);
    let mail = (proptest::option::weighted(0.8, id()), proptest::collection::vec(id(), 0..4), subject, 0_i64..4);
    let mail =
        mail.prop_map(|(id, references, subject, sent)| Mail { subject: subject.to_owned(), sent, id, references });
    proptest::collection::vec(mail, 0..9)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn threads_are_what_the_rfc_s_steps_make(mails in mails()) {
        prop_assert_eq!(by_references(&mails), Slow::references(&mails));
        prop_assert_eq!(by_subject(&mails), Slow::ordered_subject(&mails));
    }

    #[test]
    fn each_message_is_in_one_thread_once(mails in mails()) {
        for threads in [references(&messages(&mails)), ordered_subject(&messages(&mails))] {
            let mut met: Vec<u32> = Vec::new();
            let mut nodes: Vec<u32> = threads.tops().to_vec();
            while let Some(node) = nodes.pop() {
                met.extend(threads.number(node));
                prop_assert!(threads.number(node).is_some() || threads.children(node).len() > 1);
                nodes.extend(threads.children(node));
            }
            met.sort_unstable();
            prop_assert_eq!(met, (1..).take(mails.len()).collect::<Vec<u32>>());
        }
    }
}
