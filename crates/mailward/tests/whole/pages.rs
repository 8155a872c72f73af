//! Pages that must say what the code does.

use crate::support::done;
use std::path::Path;

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).unwrap()
}

#[test]
fn every_dependency_has_its_reason() {
    let manifest: toml::Table = page("Cargo.toml").parse().unwrap();
    let reasons = page("docs/dependencies.md");
    let names = manifest["workspace"]["dependencies"].as_table().unwrap().keys();
    let ours = |name: &&String| !name.starts_with("mailward-");
    let missing: Vec<_> = names.filter(ours).filter(|n| !reasons.contains(&format!("| `{n}` |"))).collect();
    assert!(missing.is_empty(), "docs/dependencies.md gives no reason for {missing:?}");
}

#[test]
fn the_reference_and_a_whole_file_are_printed() {
    assert_eq!(done(&["config", "reference"]), page("docs/configuration.md"));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mailward.toml");
    std::fs::write(&file, done(&["config", "reference", "--file"])).unwrap();
    let shown = done(&["config", "show", "--config", file.to_str().unwrap()]);
    assert!(shown.contains("limits.message_size = \"50 MiB\"  # default"), "{shown}");
}

#[test]
fn the_readme_has_every_verb_and_none_that_isn_t_there() {
    let help = done(&["help"]);
    let listed = help.split("Commands:\n").nth(1).unwrap().lines().take_while(|line| !line.is_empty());
    let verbs: Vec<&str> = listed.map(|line| line.split_whitespace().next().unwrap()).collect();
    assert!(verbs.contains(&"demo"), "{help}");
    let readme = page("README.md");
    let section = readme.split("## Every command").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut named = Vec::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let mut verb = "";
        for words in row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2) {
            let mut command: Vec<&str> = words.split(' ').collect();
            if verbs.contains(&command[0]) {
                verb = command[0];
                named.push(verb);
            } else {
                command.insert(0, verb);
            }
            command.push("--help");
            done(&command);
        }
    }
    let missing: Vec<_> = verbs.iter().filter(|verb| !named.contains(verb) && **verb != "help").collect();
    assert!(missing.is_empty(), "README.md doesn't name {missing:?}");
}

#[test]
fn links_between_pages_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let pages = |folder: &str| -> Vec<String> {
        let entries = std::fs::read_dir(root.join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".md")).map(|name| format!("{folder}{name}")).collect()
    };
    let index = page("docs/README.md");
    for name in pages("docs/") {
        let name = name.trim_start_matches("docs/");
        assert!(name == "README.md" || index.contains(&format!("]({name})")), "docs/README.md doesn't name {name}");
    }
    for name in [pages(""), pages("docs/")].concat() {
        let name = name.as_str();
        let text = page(name);
        let folder = root.join(name).parent().unwrap().to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            if !target.is_empty() && !target.contains("://") {
                assert!(folder.join(target).exists(), "{name}: {link}");
            }
        }
    }
}
