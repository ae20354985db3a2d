//! A changed model takes effect while people work: no request fails meanwhile, and an error leaves what was running.

use crate::support::notes;
use crate::support::server::{Kind, Server, Setup};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a change may take on a busy machine before the test gives up.
const LONGEST: Duration = Duration::from_secs(60);

fn edit(folder: &Path, file: &str, from: &str, to: &str) {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

fn shown(server: &Server, text: &str) {
    let boss = notes::sign_in(server.address(), "ada");
    let begun = Instant::now();
    while !boss.get("/p/notes.All").body.contains(text) {
        assert!(begun.elapsed() < LONGEST, "{text} is not shown: {:?}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn titled(body: &str) -> &str {
    body.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next()).unwrap_or(body)
}

/// Every answer that was an error, from readers and writers that go on while something else happens.
fn failures(server: &Server, act: impl FnOnce()) -> (Vec<String>, usize) {
    let (stop, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    let address = server.address();
    let reads = || {
        let actor = notes::sign_in(address, "ada");
        let mut wrong = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let answer = actor.get("/p/notes.All");
            count.fetch_add(1, Ordering::Relaxed);
            if answer.status != 200 {
                wrong.push(format!("read: {} {}", answer.status, titled(&answer.body)));
            }
        }
        wrong
    };
    let writes = |writer: usize| {
        let actor = notes::sign_in(address, "ada");
        let mut wrong = Vec::new();
        for number in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let text = format!("note {writer}.{number}");
            let form = actor.open("/p/notes.New").fill("Text", &text);
            let answer = form.send(&form.button("Save").clone());
            count.fetch_add(1, Ordering::Relaxed);
            // A form that was made by the model before may have to be looked at again, and says so.
            if !matches!(answer.status, 200 | 303 | 409 | 422) {
                wrong.push(format!("write: {} {}", answer.status, titled(&answer.body)));
            }
        }
        wrong
    };
    let wrong = std::thread::scope(|scope| {
        let mut all = vec![scope.spawn(reads)];
        all.extend((0..2).map(|writer| scope.spawn(move || writes(writer))));
        act();
        stop.store(true, Ordering::Relaxed);
        all.into_iter().flat_map(|one| one.join().unwrap()).collect()
    });
    (wrong, count.into_inner())
}

#[test]
fn no_request_fails_while_a_changed_model_takes_effect() {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let folder = notes::app();
        let Some(server) = Setup::of(folder.path()).on(kind).scheduled().try_run() else { continue };
        let (wrong, count) = failures(&server, || {
            edit(folder.path(), "app.yaml", "title: Notes", "title: Other notes");
            shown(&server, "Other notes");
            edit(
                folder.path(),
                "notes/domain.yaml",
                "      number: {type: autonumber}\n    unique",
                "      number: {type: autonumber}\n      rank: {type: integer, required: true, default: \"7\"}\n    unique",
            );
            edit(
                folder.path(),
                "notes/domain.yaml",
                "read: [text, number, owner, created]",
                "read: [text, number, rank, owner, created]",
            );
            edit(folder.path(), "notes/pages/All.yaml", "columns: [", "columns: [{show: rank, title: Rank}, ");
            shown(&server, "Rank");
            edit(folder.path(), "notes/domain.yaml", "write: [text]}", "write: [text], where: \"this.rank == 7\"}");
            edit(folder.path(), "notes/pages/All.yaml", "title: All notes", "title: Sevens");
            shown(&server, "Sevens");
        });
        let first = &wrong[..wrong.len().min(3)];
        assert!(wrong.is_empty(), "{kind:?}: {} of {count} failed: {first:#?}\n{:#?}", wrong.len(), server.log());
        assert!(count > 20, "{kind:?}: only {count} requests");
    }
}

#[test]
fn a_change_waits_for_a_job_and_requests_are_answered_meanwhile() {
    let folder = notes::app();
    let server = Setup::of(folder.path()).scheduled().run();
    let ada = notes::sign_in(server.address(), "ada");
    {
        let _job = server.web().app.at_jobs();
        edit(folder.path(), "app.yaml", "title: Notes", "title: Other notes");
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(1) {
            let answer = ada.get("/p/notes.All");
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert!(!answer.body.contains("Other notes"), "the change did not wait");
        }
    }
    shown(&server, "Other notes");
}

#[test]
fn an_error_in_the_files_leaves_the_last_good_model_running_until_it_is_corrected() {
    let folder = notes::app();
    let server = Setup::of(folder.path()).scheduled().run();
    let said = |text: &str| {
        let begun = Instant::now();
        while !server.log().iter().any(|line| line.contains(text)) {
            assert!(begun.elapsed() < LONGEST, "{text}: {:?}", server.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    edit(folder.path(), "notes/pages/All.yaml", "show: text", "show: txet");
    said("the last good one is still running");
    let ada = notes::sign_in(server.address(), "ada");
    assert_eq!(ada.get("/p/notes.All").status, 200);
    std::fs::remove_file(folder.path().join("notes/pages/Board.yaml")).unwrap();
    edit(folder.path(), "notes/pages/All.yaml", "show: txet", "show: text");
    edit(folder.path(), "notes/pages/All.yaml", "title: All notes", "title: All words");
    // A page that the navigation names is gone now: still an error.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(ada.get("/p/notes.All").status, 200);
    assert!(!ada.get("/p/notes.All").body.contains("All words"));
    edit(folder.path(), "app.yaml", "  - {userRoles: [Guest], home: notes.Board}\n", "");
    shown(&server, "All words");
}
