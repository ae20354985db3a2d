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
fn errors(file: &Path, library: &Path, serde: &Path) -> BTreeSet<(u64, String)> {
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
        .arg("--extern")
        .arg(format!("serde={}", serde.display()))
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

/// The `serde` that the library was built with: the one with which the control compiles.
fn serde(library: &Path) -> PathBuf {
    let built = std::fs::read_dir(library.parent().unwrap()).unwrap().flatten().map(|entry| entry.path());
    let mut all: Vec<PathBuf> = built
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with("libserde-") && name.ends_with(".rlib")
        })
        .collect();
    all.sort_by_key(|path| std::cmp::Reverse(path.metadata().unwrap().modified().unwrap()));
    let control = project("tests/compile_fail/control.rs");
    all.into_iter().find(|serde| errors(&control, library, serde).is_empty()).expect("the control compiles")
}

fn expected(text: &str) -> BTreeSet<(u64, String)> {
    let marked = text.lines().zip(1..).filter_map(|(line, number)| Some((number, line.split_once("//~ ")?.1.trim().to_owned())));
    marked.collect()
}

#[test]
fn forgeries_do_not_compile() {
    let library = library();
    let serde = serde(&library);
    let mut files: Vec<PathBuf> = std::fs::read_dir(project("tests/compile_fail")).unwrap().flatten().map(|e| e.path()).collect();
    files.sort();
    assert!(files.len() > 10);
    let check = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).unwrap();
        let (wanted, found) = (expected(&text), errors(file, &library, &serde));
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
