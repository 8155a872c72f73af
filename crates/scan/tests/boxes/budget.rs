//! What ends a look.

use crate::build::{INNER, Zipped, found, gzip, message, not_opened, zip};
use mailward_scan::{Budget, Contents, Stopped, Trait, open};
use std::cell::Cell;
use std::time::Duration;

fn with(message: &[u8], change: impl Fn(&mut Budget<'_>)) -> Contents {
    let none = || Duration::ZERO;
    let mut budget = Budget::within_limits(&none);
    change(&mut budget);
    open(message, budget)
}

/// Every byte that comes out is counted, and no more come out than there may.
fn unwrapped(contents: &Contents) -> u64 {
    contents.items.iter().filter(|item| item.hash != [0; 32]).map(|item| item.size).sum()
}

#[test]
fn time_that_is_over_ends_it_within_a_file() {
    let asked = Cell::new(0_u64);
    let clock = || {
        asked.set(asked.get() + 1);
        Duration::from_millis(asked.get())
    };
    let bytes = message("a.gz", &gzip(&vec![7; 8 << 20]));
    let mut budget = Budget::within_limits(&clock);
    budget.time = Duration::from_millis(20);
    budget.ratio = u64::MAX;
    let contents = open(&bytes, budget);
    assert_eq!(contents.stopped, [Stopped::Time]);
    assert!(asked.get() < 30, "asked {} times", asked.get());
    assert!(not_opened(&contents));
}

#[test]
fn each_measure_ends_it_and_is_told() {
    let noise: Vec<u8> = (0..300_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let entries: Vec<Zipped> =
        (0..20).map(|n| Zipped::deflated(&format!("{n}"), &[&noise[..], &[n]].concat())).collect();
    let bytes = message("a.zip", &zip(&entries));
    let whole = with(&bytes, |_| {});
    assert_eq!((whole.items.len(), whole.stopped.len()), (22, 0), "{:?}", whole.stopped);

    let contents = with(&bytes, |budget| budget.items = 10);
    assert_eq!((contents.items.len(), &contents.stopped[..]), (10, &[Stopped::Items][..]));

    let contents = with(&bytes, |budget| budget.bytes = 4_000_000);
    assert_eq!(contents.stopped, [Stopped::Bytes]);
    assert!(unwrapped(&contents) <= 4_000_000 && not_opened(&contents));

    let contents = with(&bytes, |budget| budget.depth = 0);
    assert_eq!((contents.items.len(), &contents.stopped[..]), (2, &[Stopped::Depth][..]));

    let contents = with(&bytes, |budget| budget.file = 100_000);
    assert_eq!(contents.items.len(), 22);
    let larger = contents.items.iter().skip(2).all(|item| {
        item.size == 300_001 && item.hash == [0; 32] && item.traits.iter().any(|t| matches!(t, Trait::NotOpened(_)))
    });
    assert!(larger, "{contents:?}");

    let contents = with(&bytes, |budget| {
        budget.ratio = 1;
        budget.ratio_free = 0;
    });
    assert_eq!(contents.stopped, [Stopped::Ratio]);
}

#[test]
fn what_is_held_at_once_has_a_limit() {
    let mut nest = zip(&[Zipped::stored("it.exe", INNER)]);
    for _ in 0..4 {
        let filler: Vec<u8> = (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        nest = zip(&[Zipped::stored("filler", &filler), Zipped::stored("nest.zip", &nest)]);
    }
    let bytes = message("a.zip", &nest);
    assert!(found(&with(&bytes, |_| {})));
    let contents = with(&bytes, |budget| budget.held = 600_000);
    assert_eq!(contents.stopped, [Stopped::Bytes]);
    assert!(!found(&contents) && not_opened(&contents));
}

/// Attacks E3: the look never takes more bytes than it may, whatever is nested in what.
#[test]
fn e3_no_bomb_unwraps_more_than_there_is_room_for() {
    let layer = gzip(&vec![0; 30 << 20]);
    let many: Vec<Zipped> =
        (0..200).map(|n| Zipped::stored(&format!("{n}.gz"), &[layer.clone(), gzip(&[n])].concat())).collect();
    let contents = with(&message("a.zip", &zip(&many)), |budget| budget.bytes = 64 << 20);
    assert!(contents.stopped.contains(&Stopped::Bytes) && contents.stopped.contains(&Stopped::Ratio));
    assert!(unwrapped(&contents) <= 64 << 20);
}
