//! Messages in files: one each, mailboxes of the mbox kind, Maildirs, directories.

use crate::failure::Failure;
use mailward_core::limits::{SPAM_CORPUS_DEPTH_MAX, SPAM_CORPUS_MAX, SPAM_READ_MAX};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// Where a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    file: PathBuf,
    start: u64,
    /// Bytes; `None`: to the file's end.
    len: Option<u64>,
}

impl Message {
    /// Its first `limits::SPAM_READ_MAX` bytes. Of an mbox, lines that were quoted stay so.
    pub(super) fn read(&self) -> Result<Vec<u8>, Failure> {
        let failed = |e| Failure::io(self.file.display(), e);
        let mut file = File::open(&self.file).map_err(failed)?;
        file.seek(SeekFrom::Start(self.start)).map_err(failed)?;
        let most = self.len.unwrap_or(u64::MAX).min(SPAM_READ_MAX as u64);
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }
}

/// All messages at a path, those of a directory by the order of their names.
pub(super) fn messages(path: &Path) -> Result<Vec<Message>, Failure> {
    let mut found = Vec::new();
    let mut rest = vec![(path.to_owned(), 0usize)];
    while let Some((path, depth)) = rest.pop() {
        let failed = |e| Failure::io(path.display(), e);
        let kind = std::fs::metadata(&path).map_err(failed)?;
        if kind.is_dir() {
            if depth >= SPAM_CORPUS_DEPTH_MAX {
                return Err(Failure::Usage(format!(
                    "{}: deeper than {SPAM_CORPUS_DEPTH_MAX} directories",
                    path.display()
                )));
            }
            let mut inside = Vec::new();
            for entry in std::fs::read_dir(&path).map_err(failed)? {
                let name = entry.map_err(failed)?.file_name();
                // What is hidden is no mail; what is in tmp isn't delivered yet.
                let is_mail = !name.as_encoded_bytes().starts_with(b".") && name != "tmp";
                if is_mail {
                    inside.push(path.join(name));
                }
            }
            inside.sort();
            rest.extend(inside.into_iter().rev().map(|path| (path, depth.saturating_add(1))));
        } else if kind.is_file() {
            found.extend(of_file(&path)?);
            if found.len() > SPAM_CORPUS_MAX {
                return Err(Failure::Usage(format!("more than {SPAM_CORPUS_MAX} messages: take a part of them")));
            }
        }
    }
    Ok(found)
}

/// The one message of a file, or those of an mbox: each begins with `From ` after an empty line.
fn of_file(path: &Path) -> Result<Vec<Message>, Failure> {
    let failed = |e| Failure::io(path.display(), e);
    let whole = || vec![Message { file: path.to_owned(), start: 0, len: None }];
    let mut file = File::open(path).map_err(failed)?;
    let mut start = [0u8; 5];
    if file.read(&mut start).map_err(failed)? < start.len() || &start != b"From " {
        return Ok(whole());
    }
    file.rewind().map_err(failed)?;
    let mut starts = Vec::new();
    let (mut at, mut empty) = (0u64, true);
    for line in std::io::BufRead::split(std::io::BufReader::new(file), b'\n') {
        let line = line.map_err(failed)?;
        if empty && line.starts_with(b"From ") {
            starts.push(at);
        }
        empty = line.is_empty() || line == b"\r";
        at = at.saturating_add(line.len() as u64).saturating_add(1);
    }
    let ends = starts.iter().skip(1).map(|end| Some(*end)).chain([None]);
    let message = |(start, end): (&u64, Option<u64>)| Message {
        file: path.to_owned(),
        start: *start,
        len: end.map(|end| end.saturating_sub(*start)),
    };
    Ok(starts.iter().zip(ends).map(message).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_in_files_mailboxes_and_directories() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("maildir/cur")).unwrap();
        std::fs::create_dir_all(at("maildir/tmp")).unwrap();
        std::fs::write(at("maildir/cur/2"), "Subject: two\n\n").unwrap();
        std::fs::write(at("maildir/cur/1"), "Subject: one\n\n").unwrap();
        std::fs::write(at("maildir/tmp/3"), "Subject: half").unwrap();
        std::fs::write(at("maildir/.index"), "no mail").unwrap();
        let mbox = "From a Thu\nSubject: a\n\nFrom here on\n>From \n\nFrom b Fri\nSubject: b\n\n";
        std::fs::write(at("mbox"), mbox).unwrap();
        let texts = |path: &str| -> Vec<String> {
            let found = messages(&at(path)).unwrap();
            found.iter().map(|one| String::from_utf8(one.read().unwrap()).unwrap()).collect()
        };
        assert_eq!(texts("maildir"), ["Subject: one\n\n", "Subject: two\n\n"]);
        // A line within a text that follows an empty one looks like a beginning: the kind of file has no way to tell.
        assert_eq!(texts("mbox").len(), 3);
        assert_eq!(texts("mbox").concat(), mbox);
        assert_eq!(texts("maildir/cur/1").len(), 1);
        assert!(messages(&at("nothing")).is_err());
    }

    #[test]
    fn directories_end_at_a_depth_and_messages_at_their_beginning() {
        let dir = tempfile::tempdir().unwrap();
        let mut deep = dir.path().to_owned();
        for _ in 0..SPAM_CORPUS_DEPTH_MAX {
            deep.push("d");
        }
        std::fs::create_dir_all(&deep).unwrap();
        assert!(messages(dir.path()).is_err());
        let large = dir.path().join("large");
        std::fs::write(&large, vec![b'x'; SPAM_READ_MAX + 1]).unwrap();
        assert_eq!(messages(&large).unwrap()[0].read().unwrap().len(), SPAM_READ_MAX);
    }
}
