//! The documents speak of what there is.

use crate::support::project;
use portcullis::model::{self, Files};
use regex::Regex;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Every Markdown file of the project's own, below its root.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![project("docs"), project("apps")];
    found.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(project));
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                found.push(path);
            }
        }
    }
    found
}

/// All texts of files with this ending below a folder.
fn texts(folder: &str, ending: &str) -> Vec<String> {
    fn walk(folder: &Path, ending: &str, into: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, ending, into);
            } else if path.extension().is_some_and(|found| found == ending) {
                into.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut all = Vec::new();
    walk(&project(folder), ending, &mut all);
    all
}

/// All that a pattern's first group finds.
fn all<'t>(pattern: &str, text: &'t str) -> Vec<&'t str> {
    let pattern = Regex::new(pattern).unwrap();
    pattern.captures_iter(text).map(|found| found.get(1).unwrap().as_str()).collect()
}

/// What GitHub calls a heading.
fn anchors(text: &str) -> BTreeSet<String> {
    let named = |heading: &str| {
        let kept = heading.to_lowercase().replace(' ', "-");
        kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
    };
    all(r"(?m)^#+ (.*)$", text).into_iter().map(named).collect()
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for link in all(r"\]\(([^)\s]+)\)", &text) {
            if link.starts_with("http") || link.contains("screenshots/") && !project("docs/screenshots").is_dir() {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { document.clone() } else { document.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", document.display());
            if !anchor.is_empty() {
                let there = anchors(&std::fs::read_to_string(&target).unwrap());
                assert!(there.contains(anchor), "{}: {link}: {there:?}", document.display());
            }
        }
    }
}

#[test]
fn every_file_that_is_named_is_there() {
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for path in all(r"`((?:src|tests|docs|templates|static|migrations|docker|benches)/[\w./-]+)`", &text) {
            assert!(project(path).exists(), "{}: {path}", document.display());
        }
    }
}

#[test]
fn every_test_that_is_named_is_one() {
    let code: String = ["src", "tests"].iter().flat_map(|folder| texts(folder, "rs")).collect();
    let known: BTreeSet<&str> = all(r"fn (\w+)\(", &code).into_iter().collect();
    let mut named = 0;
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for test in all(r"`([a-z0-9]+(?:_[a-z0-9]+){3,})`", &text) {
            assert!(known.contains(test), "{}: there is no test {test}", document.display());
            named += 1;
        }
    }
    assert!(named > 80, "{named}");
}

#[test]
fn every_code_of_a_finding_is_in_the_table_and_nothing_else_is() {
    let code: String = texts("src/model/check", "rs").concat();
    let reported = all(r#"(?s)self\.(?:error|warn|gap|whole_file|trouble)\([^"]*?"([a-z]+(?:-[a-z]+)*)""#, &code).into_iter();
    let placed = all(r#"Severity::\w+,\s*"([a-z-]+)""#, &code).into_iter();
    let read = all(r#"FaultKind::\w+ => "([a-z-]+)""#, &code).into_iter();
    let expected: BTreeSet<&str> = reported.chain(placed).chain(read).chain(all(r#""(expression)", &place"#, &code)).collect();
    let model = std::fs::read_to_string(project("docs/MODEL.md")).unwrap();
    let table = model.split("## Findings").nth(1).unwrap();
    let documented: BTreeSet<&str> = all(r"(?m)^\| `([a-z-]+)` \|", table).into_iter().collect();
    assert_eq!(documented, expected);
}

#[test]
fn the_complete_example_has_no_finding() {
    let text = std::fs::read_to_string(project("docs/MODEL.md")).unwrap();
    let blocks = Regex::new(r"(?ms)^```yaml (\S+)\n(.*?)^```$").unwrap();
    let files: Vec<(&str, &str)> =
        blocks.captures_iter(&text).map(|found| (found.get(1).unwrap().as_str(), found.get(2).unwrap().as_str())).collect();
    assert_eq!(files.len(), 4);
    let (model, findings) = model::load(&Files::of(files));
    assert!(model.is_some() && findings.0.is_empty(), "{}", findings.human());
}
