//! Writers at the same moment: what a check saw is true when the change is kept, on both databases.

mod random;
mod rooms;

use crate::support::actor::Page;
use crate::support::http::Answer;
use crate::support::notes::texts;
use crate::support::project;
use crate::support::server::{Kind, Server, Setup};
use std::path::Path;
use std::sync::Barrier;

/// A server of an app on each database that there is.
fn each(app: &Path, test: impl Fn(&Server)) {
    for kind in [Kind::Sqlite, Kind::Postgres] {
        if let Some(server) = Setup::of(app).on(kind).with(|settings| settings.pool = 8).try_run() {
            test(&server);
        }
    }
}

/// Does all of this at the same moment.
fn at_once<T: Send, A: Send>(all: Vec<A>, act: impl Fn(A) -> T + Sync) -> Vec<T> {
    let together = Barrier::new(all.len());
    std::thread::scope(|scope| {
        let (act, together) = (&act, &together);
        let one = |what: A| {
            scope.spawn(move || {
                together.wait();
                act(what)
            })
        };
        let running: Vec<_> = all.into_iter().map(one).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

/// Presses this button of each page at the same moment.
fn press_at_once(pages: Vec<Page>, caption: &str) -> Vec<Answer> {
    at_once(pages, |page| page.send(page.button(caption)))
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut all: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    all.sort_unstable();
    all
}

#[test]
fn of_twelve_leave_requests_for_one_day_at_once_one_is_stored() {
    each(&project("apps/people"), |server| {
        let nadia = server.sign_in("nadia");
        let before = texts(&server.web().app.db, LEAVES).len();
        let form = || {
            let page = nadia.open("/p/hr.LeaveRequestNew").fill("Kind", "Study leave");
            page.fill("First day", "2026-11-02").fill("Last day", "2026-11-03")
        };
        let answers = press_at_once((0..12).map(|_| form()).collect(), "Send request");
        assert_eq!(statuses(&answers), [[303].as_slice(), &[422; 11]].concat());
        assert_eq!(texts(&server.web().app.db, LEAVES).len(), before + 1);
        for refused in answers.iter().filter(|answer| answer.status == 422) {
            assert!(refused.body.contains("You already have a request from"), "{}", refused.body);
        }
    });
}

const LEAVES: &str = "SELECT CAST(id AS TEXT) FROM hr_leave_request";
