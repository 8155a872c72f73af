//! What is read of a host has an end.

use mailward_audit::{Host, Missed, Program, Programs, Said};
use mailward_core::limits::{AUDIT_FILE_MAX, AUDIT_LIST_MAX};
use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn of_a_file_without_end_only_so_much_is_read() {
    let root = tempfile::tempdir().unwrap();
    File::create(root.path().join("long")).unwrap().set_len(AUDIT_FILE_MAX + 1_000).unwrap();
    let host = Host::at(root.path(), false, Box::new(BTreeMap::new()));
    assert_eq!(host.read("/long").unwrap().len() as u64, AUDIT_FILE_MAX);
}

#[test]
fn a_directory_with_too_many_names_is_no_answer() {
    let root = tempfile::tempdir().unwrap();
    // Names of one file: a link is made faster than a file.
    let first = root.path().join("0");
    File::create(&first).unwrap();
    let (mut one, mut links) = (first, 1);
    for number in 1..AUDIT_LIST_MAX {
        // File systems allow so many names of a file; the next one begins anew.
        if links == 30_000 {
            one = root.path().join(format!("n{number}"));
            File::create(&one).unwrap();
            links = 1;
        } else {
            std::fs::hard_link(&one, root.path().join(number.to_string())).unwrap();
            links += 1;
        }
    }
    let host = Host::at(root.path(), false, Box::new(BTreeMap::new()));
    assert_eq!(host.list("/").unwrap().len(), AUDIT_LIST_MAX);
    File::create(root.path().join("one more")).unwrap();
    let missed = host.list("/").unwrap_err();
    assert!(missed.to_string().contains("more than"), "{missed}");
}

/// Counts how often it is asked.
struct Counting(Arc<AtomicUsize>);
impl Programs for Counting {
    fn ask(&self, _: Program) -> Result<Said, Missed> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Said { code: 0, out: b"tcp".to_vec(), err: Vec::new() })
    }
}

#[test]
fn a_program_is_asked_once_however_many_want_to_know() {
    let root = tempfile::tempdir().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let host = Host::at(root.path(), true, Box::new(Counting(Arc::clone(&count))));
    for _ in 0..3 {
        assert_eq!(host.ask(Program::EnabledUnits).unwrap().out, b"tcp");
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
    host.ask(Program::Mounts).unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 2);
}
