//! The process, and the database, killed at any instant and under load: no acknowledged write is lost, none is half
//! done, the trail verifies, nobody is told anything wrong, and service resumes by itself (S1-25, ASVS 16.5.2).
//!
//! `PORTCULLIS_SOAK=1000` makes each of the three go on for so many rounds. The private cluster runs with `fsync=off`;
//! a server that is killed recovers all the same, because what it wrote is with the operating system, which lives on.

use crate::support::http::Answer;
use crate::support::notes::{self, Form};
use crate::support::process::Process;
use crate::support::server::cluster::{Cluster, available};
use crate::support::server::{Setup, start};
use crate::support::town::Town;
use portcullis::audit;
use portcullis::clock::Clock;
use portcullis::crypto::random_bytes;
use portcullis::db::Db;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long it may take until a write succeeds again.
const RESUMES: Duration = Duration::from_secs(15);

fn rounds(usual: usize) -> usize {
    std::env::var("PORTCULLIS_SOAK").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// A pause of up to so many milliseconds: the instants differ from round to round and from run to run.
fn pause(up_to: u64) {
    let random = u64::from_be_bytes(random_bytes::<8>());
    std::thread::sleep(Duration::from_micros(random % (up_to * 1_000)));
}

/// What the writers were told.
#[derive(Default)]
struct Told {
    /// That it is saved.
    saved: Mutex<Vec<String>>,
    /// That nothing was changed.
    refused: Mutex<Vec<String>>,
    /// Nothing, or that it is not known.
    unsettled: AtomicUsize,
}

impl Told {
    /// Takes down an answer to a note; anything but these is wrong.
    fn hear(&self, text: String, answer: Option<&Answer>) {
        match answer {
            Some(answer) if answer.status == 303 => self.saved.lock().unwrap().push(text),
            Some(answer) if answer.status == 503 && answer.body.contains("Nothing was changed") => {
                self.refused.lock().unwrap().push(text);
            }
            Some(answer) if answer.status == 503 && answer.body.contains("it is not known whether") => {
                self.unsettled.fetch_add(1, Ordering::SeqCst);
            }
            Some(answer) => panic!("{text} was answered with {}: {}", answer.status, answer.body),
            None => drop(self.unsettled.fetch_add(1, Ordering::SeqCst)),
        }
    }

    fn saved(&self) -> usize {
        self.saved.lock().unwrap().len()
    }

    /// Waits until more is saved than there was.
    fn goes_on(&self, than: usize) {
        let end = Instant::now() + RESUMES;
        while self.saved() <= than {
            assert!(Instant::now() < end, "nothing is saved any more");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Compares what is stored with what was told.
    fn check(&self, db: &Db) {
        // Taken before the look at the database: work goes on.
        let (saved, refused) = (self.saved.lock().unwrap().clone(), self.refused.lock().unwrap().clone());
        let kept: BTreeSet<String> = notes::stored(db);
        let lost: Vec<&String> = saved.iter().filter(|text| !kept.contains(*text)).collect();
        assert!(lost.is_empty(), "acknowledged and gone: {lost:?}");
        let done: Vec<&String> = refused.iter().filter(|text| kept.contains(*text)).collect();
        assert!(done.is_empty(), "refused and done: {done:?}");
    }
}

/// Tells the others to stop, also when a check fails.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Writes notes to wherever the server is, until told to stop.
fn write(form: &Form, name: usize, server: &Mutex<Option<SocketAddr>>, stop: &AtomicBool, told: &Told) {
    for number in 0.. {
        let address = loop {
            if stop.load(Ordering::SeqCst) {
                return;
            }
            match *server.lock().unwrap() {
                Some(address) => break address,
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        let text = format!("w{name}-{number}");
        let answer = form.send(address, &text);
        told.hear(text, answer.as_ref());
    }
}

fn kill_the_process(town: &Town, rounds: usize) {
    let links: Vec<String> = (0..3).map(|n| town.invite(n)).collect();
    let (told, stop, server) = (Told::default(), AtomicBool::new(false), Mutex::new(None));
    let first = town.node("one");
    let forms: Vec<Form> = links.iter().map(|link| Form::open(&Town::accept(link, first.address))).collect();
    std::thread::scope(|scope| {
        let _stops = Stops(&stop);
        for (name, form) in forms.iter().enumerate() {
            let (told, stop, server) = (&told, &stop, &server);
            scope.spawn(move || write(form, name, server, stop, told));
        }
        let mut node: Option<Process> = Some(first);
        for round in 0..rounds {
            let running = node.take().unwrap_or_else(|| town.node("one"));
            let before = told.saved();
            *server.lock().unwrap() = Some(running.address);
            told.goes_on(before);
            pause(40);
            running.kill();
            *server.lock().unwrap() = None;
            let db = town.db();
            told.check(&db);
            if round % 5 == 0 {
                assert!(town.trail_is_whole(&db), "the trail is broken after round {round}");
            }
        }
    });
    told.check(&town.db());
    assert!(told.saved() >= rounds && told.unsettled.load(Ordering::SeqCst) >= rounds / 2, "work was under way");
    town.verified();
}

#[test]
fn a_process_killed_over_sqlite_loses_no_acknowledged_write_and_leaves_a_trail_that_verifies() {
    kill_the_process(&Town::small(), rounds(50));
}

#[test]
fn a_process_killed_over_postgresql_loses_no_acknowledged_write_and_leaves_a_trail_that_verifies() {
    let Some(town) = Town::found() else { return };
    kill_the_process(&town, rounds(50));
}

#[test]
fn a_database_killed_under_load_is_told_as_503_and_service_resumes_by_itself() {
    let Some(cluster) = available(Cluster::start()) else { return };
    let urls = cluster.served_database();
    let app = notes::app();
    let clock = Clock::fixed(start());
    let server = Setup { clock, ..Setup::of(app.path()).scheduled() }.over_database(urls);
    let address = server.address();
    let forms: Vec<Form> = (0..3).map(|_| Form::open(&notes::sign_in(address, "ada"))).collect();
    let (told, stop, at) = (Told::default(), AtomicBool::new(false), Mutex::new(Some(address)));
    let (reader, boss) = (notes::sign_in(address, "ada"), notes::sign_in(address, "bo"));
    std::thread::scope(|scope| {
        let _stops = Stops(&stop);
        for (name, form) in forms.iter().enumerate() {
            let (told, stop, at) = (&told, &stop, &at);
            scope.spawn(move || write(form, name, at, stop, told));
        }
        scope.spawn(|| {
            let visitor = server.visitor();
            while !stop.load(Ordering::SeqCst) {
                for (actor, path, shows) in [
                    (&reader, "/p/notes.All", "All notes"),
                    (&reader, "/account", "Ada Moss"),
                    (&boss, "/admin/users", "Ada Moss"),
                ] {
                    let answer = actor.get(path);
                    let whole = answer.status == 200 && answer.body.contains(shows) && answer.body.contains("</html>");
                    assert!(whole || answer.status == 503, "{path} {}: {}", answer.status, answer.body);
                }
                let (_, status) = server.password_sign_in("ada@notes.example", "not the password");
                assert!(matches!(status, 422 | 429 | 503), "{status}");
                assert_eq!(visitor.get("/p/notes.Board").status, 200, "visitors notice nothing");
            }
        });
        for round in 0..rounds(100) {
            told.goes_on(told.saved());
            pause(30);
            cluster.down().unwrap();
            pause(10);
            cluster.up().unwrap();
            server.clock.advance(Duration::from_secs(1));
            if round % 10 == 9 {
                told.goes_on(told.saved());
                told.check(&server.web().app.db);
            }
        }
        told.goes_on(told.saved());
    });
    told.check(&server.web().app.db);
    let report = server.web().app.db.read(|conn| audit::verify(conn, &server.web().app.keys, None)).unwrap();
    assert!(report.is_whole(), "{report}");
    let log = server.log();
    assert!(!log.iter().any(|line| line.contains("panic") || line.contains("fault:")), "{log:?}");
    let refused = told.refused.lock().unwrap().len();
    assert!(refused + told.unsettled.load(Ordering::SeqCst) > 0, "nothing was under way when it was killed");
    eprintln!("{} saved, {refused} refused, {} unsettled", told.saved(), told.unsettled.load(Ordering::SeqCst));
}
