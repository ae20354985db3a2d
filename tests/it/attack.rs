//! The attack as a command: it gains nothing from either app, says so for tools, and leaves nothing behind.

use crate::support::project;
use portcullis::attack::{self, Class, Options};
use portcullis::domain::Name;
use serde_json::Value;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

/// Runs the program; tells its process too.
fn portcullis(arguments: &[&str]) -> (Output, u32) {
    let child = begin(arguments);
    let id = child.id();
    (child.wait_with_output().unwrap(), id)
}

fn begin(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(arguments).current_dir(project("")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Throw-away folders of a process.
fn left(process: u32) -> Vec<String> {
    let folders = [std::path::PathBuf::from("/dev/shm"), std::env::temp_dir()];
    let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(&format!("portcullis-attack-{process}-"))).collect()
}

#[test]
fn the_attack_gains_nothing_from_the_apps_and_tries_every_class_that_applies() {
    for app in ["apps/people", "tests/apps/library"] {
        let report = attack::run(&Options { thin: 60, ..Options::of(project(app)) }).unwrap();
        assert!(report.is_clean(false), "{}", report.table());
        assert!(report.tried > 2_000 && report.canaries > 200 && report.row_classes > 30, "{}", report.table());
        assert!(report.faults.is_empty(), "{:?}", report.faults);
        for tally in &report.classes {
            assert!(tally.tried > 0 || tally.not_applicable.is_some(), "{app}: {} was not tried", tally.id);
        }
    }
}

#[test]
fn the_same_attack_gains_nothing_on_postgresql_and_removes_the_database_that_it_made() {
    let Some(url) = crate::support::server::postgres() else { return };
    let app = project("tests/apps/library");
    let (run, _) =
        portcullis(&["attack", "--app", app.to_str().unwrap(), "--database", &url, "--thin", "60", "--format", "json"]);
    let report: Value =
        serde_json::from_slice(&run.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&run.stderr)));
    assert!(run.status.success(), "{report:#}");
    assert_eq!((report["database"].as_str(), report["gained"].as_u64()), (Some("PostgreSQL"), Some(0)));
    // The one that was named is as empty as it was.
    let target = portcullis::config::DbTarget::Postgres(portcullis::config::Secret::new(url));
    assert!(!portcullis::db::Db::open(&target, 1).unwrap().pending_migrations().unwrap().is_empty());
}

#[test]
fn the_command_speaks_json_and_its_exit_code_says_whether_something_was_gained() {
    let library = ["attack", "--app", "tests/apps/library"];
    let with = |more: &[&'static str]| [&library, more].concat();
    let (run, process) = portcullis(&with(&["--class", "unoffered-buttons", "--role", "Reader", "--format", "json"]));
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    let class = &report["classes"][0];
    assert_eq!((class["id"].as_str(), &class["tried"]), (Some("unoffered-buttons"), &report["tried"]));
    assert!(report["tried"].as_u64().unwrap() > 10 && report["gained"] == 0, "{report:#}");
    assert_eq!(report["findings"], serde_json::json!([]));
    assert_eq!(left(process), Vec::<String>::new(), "the throw-away folder is gone");
    for wrong in [["--class", "no-such-class"], ["--database", "sqlite.db"], ["--only", "no-such-attack"], ["--role", "Nobody"]] {
        let (run, process) = portcullis(&with(&wrong));
        assert!(!run.status.success(), "{wrong:?}: {}", String::from_utf8_lossy(&run.stdout));
        assert_eq!(left(process), Vec::<String>::new());
    }
    assert!(!portcullis(&["attack", "--app", "no/such/app"]).0.status.success());
}

#[test]
fn an_attack_that_is_interrupted_removes_what_it_made() {
    let child = begin(&["attack", "--app", "tests/apps/library"]);
    let process = child.id();
    let begun = std::time::Instant::now();
    while left(process).is_empty() {
        assert!(begun.elapsed().as_secs() < 60, "it did not begin");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let told = Command::new("kill").args(["-INT", &process.to_string()]).status().unwrap();
    let run = child.wait_with_output().unwrap();
    assert!(told.success() && !run.status.success() && run.stdout.is_empty());
    assert!(String::from_utf8_lossy(&run.stderr).contains("stopped"), "{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(left(process), Vec::<String>::new());
}

#[test]
fn a_planted_flaw_is_found_and_its_command_finds_it_again() {
    let options = Options { class: Some(Class::ForcedPages), thin: 60, ..Options::of(project("apps/people")) };
    // The server shows everybody's national id to everyone whom it shows anything; the oracle knows the rules as written.
    let open = |model: &mut portcullis::model::Model| {
        let employee = model.entities.values_mut().find(|entity| entity.name.to_string() == "hr.Employee").unwrap();
        for rule in &mut Arc::make_mut(employee).rules {
            Arc::make_mut(rule).read.insert(Name::new("nationalId"));
        }
    };
    let report = attack::run_altered(&options, &open).unwrap();
    let finding = report
        .findings
        .iter()
        .find(|finding| finding.gained.contains(".nationalId"))
        .unwrap_or_else(|| panic!("{}", report.table()));
    assert!(!report.is_clean(false) && finding.again.contains("--only"));
    let only = finding.again.split("--only '").nth(1).unwrap().trim_end_matches('\'').to_owned();
    let again = attack::run_altered(&Options { class: None, only: Some(only), ..options }, &open).unwrap();
    assert!(again.findings.iter().any(|found| found.id == finding.id && found.gained == finding.gained));
}
