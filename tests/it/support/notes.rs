//! A small app whose every write can be counted: notes, each with its record, and ticks of a schedule.

use super::actor::Actor;
use super::html;
use super::http::{Answer, encoded, raw};
use super::server::{start, written};
use portcullis::db::sql::{Params, Sql, fetch};
use portcullis::db::{Conn, Db, DbError};
use portcullis::domain::{Kind, Value};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use tempfile::TempDir;

const APP: &str = "\
app: notes
title: Notes
level: production
language: en
modules: [notes]
userRoles:
  Guest: {anonymous: true, moduleRoles: [notes.Guest]}
  Writer: {moduleRoles: [notes.Writer]}
  Boss: {mayAssign: [Writer]}
administration: {users: [Boss], log: [Boss]}
navigation:
  - {userRoles: [Writer], home: notes.New}
  - {userRoles: [Guest], home: notes.Board}
demoUsers:
  - {key: ada, name: Ada Moss, email: ada@notes.example, userRoles: [Writer]}
  - {key: bo, name: Bo Lind, email: bo@notes.example, userRoles: [Boss]}
";
const MODULE: &str = "\
roles: {Guest: Reads the board, Writer: Writes}
scheduledEvents:
  Tick: {every: 10s, run: Tick, atStart: true}
snapshots:
  Board: {entity: Line, roles: [Guest, Writer]}
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
      - {roles: [Writer], create: true, read: [text, number, owner, created], write: [text]}
  Beat:
    attributes:
      number: {type: autonumber}
    access:
      - {roles: [Writer], read: [number]}
  Line:
    persistable: false
    attributes:
      beat: {type: integer}
    access:
      - {roles: [Guest, Writer], read: [beat]}
";
const TICK: &str = "\
doc: One more beat, and the board says how many there are
roles: []
applyEntityAccess: false
elevation:
  - {entity: Beat, create: true, read: [number], doc: It counts}
  - {entity: Line, create: true, read: [beat], write: [beat], doc: The board is made here}
do:
  - create: {as: Beat, entity: Beat, set: {}}
  - create: {as: Line, entity: Line, set: {beat: $Beat.number}}
  - retrieve: {as: Lines, entity: Line, sort: [beat]}
  - publish: {snapshot: Board, list: $Lines}
";
const NEW: &str = "\
title: New note
roles: [Writer]
content:
  - dataView:
      source: {new: Note}
      content:
        - input: {member: text}
        - button: {caption: Save, save: {then: stay}}
";
const ALL: &str = "\
title: All notes
roles: [Writer]
content:
  - dataGrid:
      source: {entity: Note, sort: [-number]}
      pageSize: 100
      columns: [{show: text, title: Text}]
";
const BOARD: &str = "\
title: Board
roles: [Guest, Writer]
content:
  - listView:
      source: {snapshot: Board}
      content: [{text: {value: \"beat {this.beat}\"}}]
";

/// The app, as files; `title` tells one edition of it from another.
pub fn edition(title: &str) -> TempDir {
    written(&[
        ("app.yaml", &APP.replace("title: Notes", &format!("title: {title}"))),
        ("notes/module.yaml", MODULE),
        ("notes/domain.yaml", DOMAIN),
        ("notes/microflows/Tick.yaml", TICK),
        ("notes/pages/New.yaml", NEW),
        ("notes/pages/All.yaml", ALL),
        ("notes/pages/Board.yaml", BOARD),
    ])
}

pub fn app() -> TempDir {
    edition("Notes")
}

/// A demo user, signed in with the one-click button.
pub fn sign_in(address: SocketAddr, key: &str) -> Actor {
    let actor = Actor::new(address);
    let csrf = actor.open("/sign-in").hidden("_csrf").unwrap().to_owned();
    assert_eq!(actor.post("/sign-in/demo", &[("_csrf", csrf.as_str()), ("key", key)]).status, 303);
    actor
}

/// The form for a new note, drawn and filled in anew for each: a form makes one note.
pub struct Form {
    pub actor: Actor,
    pairs: Vec<(String, String)>,
    action: String,
}

impl Form {
    pub fn open(actor: &Actor) -> Self {
        Self::open_at(actor, "/p/notes.New", "Text")
    }

    /// The form of another page, with one field.
    pub fn open_at(actor: &Actor, page: &str, field: &str) -> Self {
        let page = actor.open(page).fill(field, "FIRST");
        let button = page.button("Save").clone();
        Self { actor: actor.clone(), pairs: page.payload(&button), action: page.action(&button) }
    }

    /// The state that it was drawn with.
    pub fn state(&self) -> &str {
        self.pairs.iter().find(|(key, _)| key == "_state").map(|(_, value)| value.as_str()).unwrap()
    }

    /// Sends a note to one address of the server; `None`: nobody answered. Where no form is given out, that is the answer.
    pub fn send(&self, address: SocketAddr, text: &str) -> Option<Answer> {
        let drawn = raw(address, &self.actor.at(address).head("GET", &self.action, &[], 0), b"")?;
        if drawn.status != 200 {
            assert_ne!(drawn.status, 303, "the writer is signed in");
            return Some(drawn);
        }
        let fresh = html::read(&drawn.body).controls.into_iter().find(|control| control.name == "_state");
        self.send_state(address, text, &fresh.unwrap().value)
    }

    /// The same with this state.
    pub fn send_state(&self, address: SocketAddr, text: &str, state: &str) -> Option<Answer> {
        let filled = |(key, value): &(String, String)| match (key.as_str(), value.as_str()) {
            ("_state", _) => state.to_owned(),
            (_, "FIRST") => text.to_owned(),
            (_, value) => value.to_owned(),
        };
        let pairs: Vec<(String, String)> = self.pairs.iter().map(|pair| (pair.0.clone(), filled(pair))).collect();
        let body = encoded(&pairs);
        raw(address, &self.actor.at(address).head("POST", &self.action, &[], body.len()), body.as_bytes())
    }
}

/// The texts that a statement finds.
pub fn texts(db: &Db, sql: &'static str) -> Vec<String> {
    db.read(|conn| found(conn, sql)).unwrap()
}

fn found(conn: &mut Conn, sql: &'static str) -> Result<Vec<String>, DbError> {
    let mut statement = Sql::new();
    statement.raw(sql);
    let now = start();
    let rows = fetch(conn, &statement, &Params::new(None, now, now.date()), &[Kind::Text])?;
    Ok(rows.into_iter().filter_map(|row| row.first().and_then(Value::as_text).map(str::to_owned)).collect())
}

/// What is stored at one moment, after asking that none of it is half done: each note has its record and a number of
/// its own.
pub fn stored(db: &Db) -> BTreeSet<String> {
    let looked = db.read(|conn| {
        let kept = found(conn, "SELECT text FROM notes_note")?;
        let made = "SELECT object FROM audit_record WHERE event = 'object.created' AND object LIKE 'notes.Note#%'";
        let numbers: BTreeSet<String> = found(conn, "SELECT CAST(number AS TEXT) FROM notes_note")?.into_iter().collect();
        Ok::<_, DbError>((kept, found(conn, made)?.len(), numbers.len()))
    });
    let (kept, recorded, numbers) = looked.unwrap();
    assert_eq!((recorded, numbers), (kept.len(), kept.len()), "deeds and records differ");
    kept.into_iter().collect()
}
