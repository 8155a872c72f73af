//! Every limit is used, and passed by a test that names it, or stands in a list of those that no test names. The list may only
//! get shorter: `MAILWARD_WRITE_DOCS=1 cargo test -p mailward-core limits_tested` takes out what a test names by now.

use super::printed::rooms;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Limits that no test names: times that would have to be waited for, sizes that take hours to reach, and what nobody has
/// written a test for yet.
const UNTESTED: &str = "src/config/tests/untested_limits.txt";
/// Directories that hold no sources of ours.
const PASSED_OVER: [&str; 4] = ["target", "corpus", ".git", "limits"];
/// Deepest that sources lie.
const DEPTH_MAX: usize = 12;

/// Words of the sources: of tests, and of what isn't one.
#[derive(Default)]
struct Words {
    tests: BTreeSet<String>,
    others: BTreeSet<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.contains('_') || word.len() > 4)
        .map(str::to_owned)
}

impl Words {
    fn of_tree(&mut self, directory: &Path, in_tests: bool, depth: usize) {
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if depth < DEPTH_MAX && !PASSED_OVER.contains(&name.as_str()) {
                    self.of_tree(
                        &path,
                        in_tests || name == "tests" || name == "fuzz" || name == "benches",
                        depth.saturating_add(1),
                    );
                }
            } else if name.ends_with(".rs") || (in_tests && (name.ends_with(".py") || name == "run")) {
                let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
                let is_test = in_tests || name == "tests.rs";
                // Where the limits are, and here, is no use of them; a file's own tests stand at its end.
                let (code, tests) = match text.split_once("#[cfg(test)]\nmod tests {") {
                    _ if name == "limits_tested.rs" || (name == "limits.rs" && directory.ends_with("core/src")) => {
                        continue;
                    }
                    _ if is_test => ("", text.as_str()),
                    Some((code, tests)) => (code, tests),
                    None => (text.as_str(), ""),
                };
                self.tests.extend(words(tests));
                self.others.extend(words(code));
            }
        }
    }
}

fn limits() -> BTreeSet<String> {
    let name = |line: &str| Some(line.strip_prefix("pub const ")?.split_once(':')?.0.to_owned());
    rooms().lines().filter_map(name).collect()
}

#[test]
fn every_limit_is_passed_by_a_test_or_known_not_to_be() {
    let mut found = Words::default();
    for directory in ["crates", "tests", "fuzz"] {
        found.of_tree(&root().join(directory), directory != "crates", 0);
    }
    let limits = limits();
    let unused: Vec<&String> = limits.iter().filter(|name| !found.others.contains(*name)).collect();
    assert_eq!(unused, Vec::<&String>::new(), "limits that nothing obeys");

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(UNTESTED);
    let text = std::fs::read_to_string(&path).unwrap();
    let known: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let untested: BTreeSet<String> = limits.difference(&found.tests).cloned().collect();
    let new: Vec<&String> = untested.difference(&known).collect();
    assert_eq!(new, Vec::<&String>::new(), "limits that no test names: write one that passes them");
    if std::env::var_os("MAILWARD_WRITE_DOCS").is_some() {
        std::fs::write(&path, untested.iter().map(|name| format!("{name}\n")).collect::<String>()).unwrap();
        return;
    }
    let gone: Vec<&String> = known.difference(&untested).collect();
    assert_eq!(gone, Vec::<&String>::new(), "these have a test by now: take them out of {UNTESTED}");
}

/// What opens messages of strangers: of these limits none is untested, but for the time that a worker is waited for.
#[test]
fn every_limit_of_the_scanner_is_passed_by_a_test() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(UNTESTED)).unwrap();
    let of_scanner = |name: &&str| {
        ["SCAN_", "KIND_", "OLE_", "DOCUMENT_", "PDF_", "PAGE_", "RTF_"].iter().any(|p| name.starts_with(p))
            && *name != "SCAN_WAIT"
    };
    assert_eq!(text.lines().filter(of_scanner).collect::<Vec<_>>(), Vec::<&str>::new());
}
