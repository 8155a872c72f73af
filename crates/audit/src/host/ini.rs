//! Settings in systemd's form: sections, `Key=value`, drop-ins.

use super::{Host, Missed};

/// `(section, key, value)`, in the order in which they count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ini(Vec<(String, String, String)>);

impl Ini {
    /// Comments begin with `#` or `;`; a line that ends with a backslash goes on (systemd.syntax).
    pub(crate) fn parse(text: &str) -> Self {
        let (mut section, mut settings) = (String::new(), Vec::new());
        let mut begun = String::new();
        for line in text.lines() {
            let line = line.trim();
            if line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(begins) = line.strip_suffix('\\') {
                begun.push_str(begins.trim_end());
                begun.push(' ');
                continue;
            }
            let whole = std::mem::take(&mut begun) + line;
            if let Some(name) = whole.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                name.clone_into(&mut section);
            } else if let Some((key, value)) = whole.split_once('=') {
                settings.push((section.clone(), key.trim().to_owned(), value.trim().to_owned()));
            }
        }
        Self(settings)
    }

    /// A file and what is laid over it: `FILE` of the first directory that has it, then `FILE.d/*.conf` of all, by name, the
    /// first directory's counting where two have one name. `None`: there is neither.
    pub(crate) fn layered(host: &Host, directories: &[&str], file: &str) -> Result<Option<Self>, Missed> {
        let mut found = None;
        for directory in directories {
            if let Some(text) = host.text_if_there(&format!("{directory}/{file}"))? {
                found = Some(Self::parse(&text));
                break;
            }
        }
        let mut over: Vec<(String, String)> = Vec::new();
        for directory in directories {
            for path in host.files_in(&format!("{directory}/{file}.d"), &[".conf"])? {
                let name = path.rsplit('/').next().unwrap_or_default().to_owned();
                if !over.iter().any(|(known, _)| *known == name) {
                    over.push((name, path));
                }
            }
        }
        over.sort();
        for (_, path) in over {
            if let Some(text) = host.text_if_there(&path)? {
                found.get_or_insert_default().0.extend(Self::parse(&text).0);
            }
        }
        Ok(found)
    }

    /// The last value of a key.
    pub(crate) fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.all(section, key).last().copied()
    }

    /// The values of a key that is a list: an empty one forgets those before it.
    pub(crate) fn all(&self, section: &str, key: &str) -> Vec<&str> {
        let mut values = Vec::new();
        for (_, _, value) in self.0.iter().filter(|(in_section, name, _)| in_section == section && name == key) {
            if value.is_empty() {
                values.clear();
            } else {
                values.push(value.as_str());
            }
        }
        values
    }
}
