//! A process that is killed, at any instant and under load, loses no acknowledged write, leaves
//! nothing half done, and leaves a trail that verifies (S1-25, ASVS 16.5.2).

use crate::support::actor::Actor;
use crate::support::http::{encoded, raw};
use crate::support::server::written;
use portcullis::config::DbTarget;
use portcullis::db::Db;
use portcullis::db::sql::{Params, Sql, fetch};
use portcullis::domain::{Kind, Value};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const APP: &str = "\
app: notes
title: Notes
level: production
language: en
modules: [notes]
userRoles:
  Writer: {moduleRoles: [notes.Writer]}
  Boss: {mayAssign: [Writer]}
administration: {users: [Boss]}
navigation: [{userRoles: [Writer], home: notes.New}]
demoUsers: [{key: ada, name: Ada Moss, email: ada@notes.example, userRoles: [Writer]}]
";
const DOMAIN: &str = "\
entities:
  Note:
    store: [owner, created]
    attributes:
      text: {type: string, required: true}
      number: {type: autonumber}
    unique: [[text]]
    access:
      - {roles: [Writer], create: true, read: [text, number], write: [text]}
";
const PAGE: &str = "\
title: New note
roles: [Writer]
content:
  - dataView:
      source: {new: Note}
      content:
        - input: {member: text}
        - button: {caption: Save, save: {then: stay}}
";

/// A server as an operator runs it, in a process of its own.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn start(app: &Path, data: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .args(["demo", "--listen", "127.0.0.1:0", "--app"])
            .arg(app)
            .arg("--data")
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.find_map(|line| line.unwrap().split_once("is ready at http://").map(|(_, address)| address.to_owned()));
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: ready.unwrap().parse().unwrap() }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sign_in(address: SocketAddr) -> Actor {
    let actor = Actor::new(address);
    let page = actor.open("/sign-in");
    let csrf = page.hidden("_csrf").unwrap().to_owned();
    assert_eq!(actor.post("/sign-in/demo", &[("_csrf", csrf.as_str()), ("key", "ada")]).status, 303);
    actor
}

/// Writes notes until the server is gone; those it was told are saved go into `saved`.
fn write(address: SocketAddr, name: &str, saved: &Mutex<Vec<String>>) {
    let actor = sign_in(address);
    let page = actor.open("/p/notes.New").fill("Text", "FIRST");
    let button = page.button("Save").clone();
    let (pairs, action) = (page.payload(&button), page.action(&button));
    for number in 0.. {
        let text = format!("{name}-{number}");
        let pairs: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(key, value)| (key.as_str(), if value == "FIRST" { text.as_str() } else { value.as_str() }))
            .collect();
        let body = encoded(&pairs);
        match raw(address, &actor.head("POST", &action, &[], body.len()), body.as_bytes()) {
            Some(answer) if answer.status == 303 => saved.lock().unwrap().push(text),
            Some(answer) => panic!("a note was refused with {}", answer.status),
            None => return,
        }
    }
}

fn texts(db: &Db, sql: &'static str) -> Vec<String> {
    let mut statement = Sql::new();
    statement.raw(sql);
    let now = crate::support::server::start();
    let rows = db.read(|conn| fetch(conn, &statement, &Params::new(None, now, now.date()), &[Kind::Text])).unwrap();
    rows.into_iter().filter_map(|row| row.first().and_then(Value::as_text).map(str::to_owned)).collect()
}

#[test]
fn a_killed_process_loses_no_acknowledged_write_and_leaves_a_trail_that_verifies() {
    let app = written(&[
        ("app.yaml", APP),
        ("notes/module.yaml", "roles: {Writer: Writes}\n"),
        ("notes/domain.yaml", DOMAIN),
        ("notes/pages/New.yaml", PAGE),
    ]);
    let data = tempfile::tempdir().unwrap();
    let saved = Arc::new(Mutex::new(Vec::new()));
    let started = AtomicUsize::new(0);
    for round in 0..6_u64 {
        let server = Process::start(app.path(), data.path());
        let address = server.address;
        let writers: Vec<_> = (0..3)
            .map(|_| {
                let (saved, name) = (saved.clone(), format!("w{}", started.fetch_add(1, Ordering::Relaxed)));
                std::thread::spawn(move || write(address, &name, &saved))
            })
            .collect();
        let before = saved.lock().unwrap().len();
        while saved.lock().unwrap().len() < before + 5 {
            std::thread::yield_now();
        }
        // The instants differ from round to round; what matters is that work is under way.
        std::thread::sleep(Duration::from_millis(37 * round));
        server.kill();
        writers.into_iter().for_each(|writer| writer.join().unwrap());

        let verified =
            Command::new(env!("CARGO_BIN_EXE_portcullis")).args(["audit", "verify", "--data"]).arg(data.path()).output().unwrap();
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
        let db = Db::open(&DbTarget::Sqlite(data.path().join("portcullis.db")), 1).unwrap();
        let kept: BTreeSet<String> = texts(&db, "SELECT text FROM notes_note").into_iter().collect();
        let lost: Vec<_> = saved.lock().unwrap().iter().filter(|text| !kept.contains(*text)).cloned().collect();
        assert_eq!(lost, Vec::<String>::new(), "acknowledged notes are gone after round {round}");
        // None half done: each note has its record, and no record is without its note.
        let recorded = texts(&db, "SELECT object FROM audit_record WHERE event = 'object.created'");
        assert_eq!(recorded.len(), kept.len());
        let sequence: BTreeSet<String> = texts(&db, "SELECT CAST(number AS TEXT) FROM notes_note").into_iter().collect();
        assert_eq!(sequence.len(), kept.len(), "each note has a number of its own");
    }
    assert!(saved.lock().unwrap().len() >= 30);
}
