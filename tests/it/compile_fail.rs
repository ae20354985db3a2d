//! Forgeries do not compile.
//!
//! Each file of `tests/compile_fail` is compiled against the library as this test uses it, so nothing is built a
//! second time. A line with `//~ E0123` must be refused with that code, and no other line may be.

use crate::support::project;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library beside this test's own program: the one built last.
fn library() -> PathBuf {
    let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let built = std::fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path());
    let ours = built.filter(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("libportcullis-") && name.ends_with(".rlib")
    });
    ours.max_by_key(|path| path.metadata().unwrap().modified().unwrap()).expect("the library is built")
}

/// Line and code of each error.
fn errors(file: &Path, library: &Path) -> BTreeSet<(u64, String)> {
    let deps = library.parent().unwrap();
    let out = tempfile::tempdir().unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let run = Command::new(rustc)
        .args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", "--error-format", "json"])
        .arg("--out-dir")
        .arg(out.path())
        .arg("-L")
        .arg(format!("dependency={}", deps.display()))
        .arg("--extern")
        .arg(format!("portcullis={}", library.display()))
        .args(dependency("serde", deps))
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    let mut found = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with('{')) {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        if message["level"] != "error" {
            continue;
        }
        let spans = message["spans"].as_array().unwrap();
        if let Some(at) = spans.iter().find(|span| span["is_primary"] == true) {
            let code = message["code"]["code"].as_str().unwrap_or("?").to_owned();
            found.insert((at["line_start"].as_u64().unwrap(), code));
        }
    }
    assert_eq!(run.status.success(), found.is_empty(), "{}: {text}", file.display());
    found
}

/// `--extern` for a dependency that the files use themselves.
fn dependency(name: &str, deps: &Path) -> Vec<String> {
    let begin = format!("lib{name}-");
    let built = std::fs::read_dir(deps).unwrap().flatten().map(|entry| entry.path());
    let found = built.filter(|path| {
        let file = path.file_name().unwrap().to_string_lossy();
        file.starts_with(&begin) && file.ends_with(".rlib")
    });
    let newest = found.max_by_key(|path| path.metadata().unwrap().modified().unwrap()).expect("a dependency");
    vec!["--extern".into(), format!("{name}={}", newest.display())]
}

fn expected(text: &str) -> BTreeSet<(u64, String)> {
    let marked = text.lines().zip(1..).filter_map(|(line, number)| Some((number, line.split_once("//~ ")?.1.trim().to_owned())));
    marked.collect()
}

#[test]
fn forgeries_do_not_compile() {
    let library = library();
    let mut files: Vec<PathBuf> = std::fs::read_dir(project("tests/compile_fail")).unwrap().flatten().map(|e| e.path()).collect();
    files.sort();
    assert!(files.len() > 10);
    let check = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).unwrap();
        let (wanted, found) = (expected(&text), errors(file, &library));
        let control = file.ends_with("control.rs");
        assert_eq!(control, wanted.is_empty(), "{}: only the control has no forgery", file.display());
        (wanted != found).then(|| format!("{}:\n  expected {wanted:?}\n  found    {found:?}", file.display()))
    };
    let (left, right) = files.split_at(files.len() / 2);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let other = scope.spawn(|| right.iter().filter_map(check).collect::<Vec<_>>());
        let mut all: Vec<String> = left.iter().filter_map(check).collect();
        all.extend(other.join().unwrap());
        all
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
