//! Files that hold what the program said when a person last looked.

use super::project;

/// Compares with `tests/golden/<path>`. With `UPDATE_GOLDEN=1` the file is written instead; the change is then
/// reviewed like code.
pub fn check(path: &str, found: &str) {
    let file = project("tests/golden").join(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, found).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    let (kept_lines, found_lines): (Vec<&str>, Vec<&str>) = (kept.lines().collect(), found.lines().collect());
    let gone = kept_lines.iter().filter(|line| !found_lines.contains(line)).map(|line| format!("- {line}"));
    let come = found_lines.iter().filter(|line| !kept_lines.contains(line)).map(|line| format!("+ {line}"));
    let differences: Vec<String> = gone.chain(come).take(40).collect();
    assert!(
        kept == found,
        "tests/golden/{path} does not agree; if this is meant, run with UPDATE_GOLDEN=1 and review the change\n{}",
        differences.join("\n")
    );
}
