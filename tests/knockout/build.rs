//! The build itself: it is known by its marker, says so, and serves nobody.

use crate::support::project;
use crate::support::server::settings;
use portcullis::clock::Clock;
use portcullis::domain::knockout::MARKER;
use portcullis::log::Logs;
use portcullis::server::{Mode, StartError, assemble};
use std::process::Command;

#[test]
fn the_marker_stands_in_this_program_so_its_absence_from_another_means_something() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_portcullis")).unwrap();
    assert!(program.windows(MARKER.len()).any(|part| part == MARKER.as_bytes()));
}

#[test]
fn serve_refuses_and_every_other_command_warns() {
    let data = tempfile::tempdir().unwrap();
    let refused = assemble(settings(&project("apps/people"), data.path()), Mode::Serve, Clock::system(), Logs::detached());
    assert!(matches!(refused, Err(StartError::Knockout(MARKER))));
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_portcullis")).args(arguments).current_dir(project("")).output().unwrap()
    };
    let served = run(&["serve", "--data", data.path().to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    assert!(!served.status.success());
    assert!(String::from_utf8_lossy(&served.stderr).contains("It serves nobody"));
    let checked = run(&["check", "apps/people"]);
    assert!(checked.status.success());
    let told = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(told.contains(MARKER) && !String::from_utf8_lossy(&checked.stdout).contains(MARKER), "{told}");
}
