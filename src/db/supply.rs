//! Making in PostgreSQL's schema what transactions missed: by its owner, outside of those transactions.
//!
//! Guarantees: what is made has the text of its piece and is owned by the holder, who sees what the model knows of tables
//! and nothing else; a piece that looks at writes has a role of its own, which writes the columns that the piece lists in
//! one table, through that piece; a set reads what was given to it; all of it is noted as it was made.
//! Deliberately not here: what a piece says, and which pieces a set may be given (`crate::store::engine`).

use super::generated::{self, Made};
use super::notes::{PIECE, noted, write_note};
use super::pieces::{ObjectKind, Piece};
use super::sql::{Params, Sql, fetch};
use super::stock::Need;
use super::{Conn, DbError, Roles};
use crate::domain::{Kind, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// One preparing at a time ("pcengine" in ASCII).
const LOCK: i64 = 0x7063_656e_6769_6e65;
/// So many sets of rights are made at most while the server runs: an administrator who assigns roles could combine them without end.
/// It is also about as many as can be listed at one view.
pub const MOST_SETS: i64 = 2_000;

/// Waits for others that prepare; the transaction's end lets them go on.
pub fn preparing(conn: &mut Conn, longest: Duration) -> Result<(), DbError> {
    conn.take_turn(LOCK, longest)
}

/// What is to be made.
#[derive(Default)]
struct Work {
    roles: String,
    /// What the holder makes, and gives rights on.
    objects: String,
    /// Rights on tables, which are the owner's to give.
    rights: String,
    /// What is to be noted under each id: what it is called, and what it stands on.
    notes: BTreeMap<String, Note>,
    /// The tables and views on which rights are given.
    touched: BTreeSet<String>,
}

#[derive(Default)]
struct Note {
    called: String,
    /// Entries that stand for nothing in the catalogue.
    entries: Made,
    /// Whether nothing is noted under the id yet.
    fresh: bool,
    /// The rights that come with this.
    rights: BTreeSet<String>,
}

/// Makes what is missing of this, in the present transaction of the owner.
pub fn make(conn: &mut Conn, needs: &[Need], params: &Params) -> Result<(), DbError> {
    let Some(roles) = conn.roles().cloned() else { return Ok(()) };
    let (mut pieces, mut seen) = (Vec::new(), BTreeSet::new());
    needs.iter().filter_map(|need| need.piece.as_ref()).for_each(|piece| in_order(piece, &mut seen, &mut pieces));
    let mut ids: Vec<&str> = pieces.iter().map(|piece| &*piece.id).chain(needs.iter().map(|need| &*need.set)).collect();
    ids.sort_unstable();
    ids.dedup();
    let noted = noted(conn, &ids, params)?;
    let mut work = Work::default();
    for piece in pieces.iter().filter(|piece| !noted.contains_key(&*piece.id)) {
        work.piece(&roles, piece);
    }
    for need in needs {
        work.need(&roles, need, noted.get(&*need.set));
    }
    if work.notes.is_empty() {
        return Ok(());
    }
    bounded(conn, needs.iter().any(|need| !noted.contains_key(&*need.set)), params)?;
    conn.batch(&work.text(&roles))?;
    let (ids, touched): (Vec<&str>, Vec<&str>) =
        (work.notes.keys().map(String::as_str).collect(), work.touched.iter().map(String::as_str).collect());
    let there = generated::there_of(conn, &ids, &touched, params)?;
    for (id, note) in &work.notes {
        let mut entries = there.get(id).cloned().unwrap_or_default();
        // SECURITY: what was noted before stays as it was noted, or a change by others would be noted as made here.
        entries.retain(|object, _| !object.starts_with(generated::OTHER) && (note.fresh || note.rights.contains(object)));
        entries.extend(note.entries.clone());
        write_note(conn, id, &note.called, &entries, params)?;
    }
    Ok(())
}

/// What a piece stands on comes before it.
fn in_order(piece: &Arc<Piece>, seen: &mut BTreeSet<Arc<str>>, all: &mut Vec<Arc<Piece>>) {
    if seen.insert(piece.id.clone()) {
        piece.needs.iter().for_each(|piece| in_order(piece, seen, all));
        all.push(piece.clone());
    }
}

/// Refuses more sets than are prepared at most.
fn bounded(conn: &mut Conn, more: bool, params: &Params) -> Result<(), DbError> {
    if !more {
        return Ok(());
    }
    let mut sql = Sql::new();
    sql.raw("SELECT count(*) FROM engine_set WHERE set_id <> ").bind(&Value::text(generated::EVERY), &Kind::Text);
    sql.raw(" AND NOT starts_with(rights, ").bind(&Value::text(PIECE), &Kind::Text).raw(")");
    let rows = fetch(conn, &sql, params, &[Kind::INTEGER])?;
    match rows.first().and_then(|row| row.first()) {
        Some(Value::Integer(sets)) if *sets < MOST_SETS => Ok(()),
        _ => Err(DbError::Refused(format!("{MOST_SETS} sets of rights are prepared in the database already"))),
    }
}

impl Work {
    /// The objects of a piece, and the role that writes through it.
    fn piece(&mut self, roles: &Roles, piece: &Piece) {
        let writer = roles.writer(&piece.id);
        if piece.looks() {
            self.role(&writer, &roles.writers(), &roles.system());
            for needed in &piece.needs {
                needed.views().for_each(|view| self.give(&writer, view));
            }
        }
        for object in &piece.objects {
            let (name, text) = (quoted(&object.name), &object.text);
            let _ = match object.kind {
                ObjectKind::Grant => {
                    self.touched.insert(object.name.clone());
                    write!(self.rights, "GRANT {text} TO {};", quoted(&writer))
                }
                ObjectKind::Function => write!(
                    self.objects,
                    "{text}; REVOKE ALL ON FUNCTION {name} FROM PUBLIC; GRANT EXECUTE ON FUNCTION {name} TO {};",
                    quoted(&writer)
                ),
                // The layer above looks at rows through the views of rules when it learns whose no it was.
                ObjectKind::View if object.name.starts_with('w') => {
                    write!(self.objects, "{text}; GRANT SELECT ON {name} TO {};", quoted(&roles.system()))
                }
                ObjectKind::View | ObjectKind::Trigger => write!(self.objects, "{text};"),
            };
        }
        let entries = piece.needs.iter().map(|needed| (format!("needs {}", needed.id), String::new())).collect();
        let about = piece.objects.first().map(|object| object.name.as_str()).unwrap_or_default();
        let note = Note { called: format!("{PIECE}{about}"), entries, fresh: true, rights: BTreeSet::new() };
        self.notes.insert(piece.id.to_string(), note);
    }

    /// A set's own role, and the right to look at the views of a piece.
    fn need(&mut self, roles: &Roles, need: &Need, noted: Option<&Made>) {
        let reader = roles.reader(&need.set);
        let known = |entry: &str| noted.is_some_and(|made| made.contains_key(entry));
        if noted.is_none() && !self.notes.contains_key(&*need.set) {
            self.role(&reader, &roles.readers(), &roles.system());
            self.note(need).fresh = true;
        }
        let Some(piece) = &need.piece else { return };
        if piece.looks() {
            let entry = format!("writes {}", piece.id);
            if !known(&entry) {
                self.note(need).entries.insert(entry, String::new());
            }
            return;
        }
        for view in piece.views() {
            let right = generated::right(&reader, view);
            if !known(&right) {
                self.note(need).rights.insert(right);
                self.give(&reader, view);
            }
        }
    }

    fn note(&mut self, need: &Need) -> &mut Note {
        let note = self.notes.entry(need.set.to_string()).or_default();
        note.called = need.rights.to_string();
        note
    }

    /// A role that nobody logs in as, that the server takes on, and that its owner may take away again.
    fn role(&mut self, name: &str, group: &str, system: &str) {
        let (literal, name) = (name.replace('\'', "''"), quoted(name));
        let _ = write!(
            self.roles,
            "DO $role$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{literal}') THEN CREATE ROLE {name} \
             NOLOGIN INHERIT; END IF; IF NOT pg_has_role('{literal}', 'MEMBER') THEN GRANT {name} TO CURRENT_USER; END IF; \
             END $role$; GRANT {} TO {name}; GRANT {name} TO {};",
            quoted(group),
            quoted(system)
        );
    }

    fn give(&mut self, role: &str, view: &str) {
        self.touched.insert(view.to_owned());
        let _ = write!(self.objects, "GRANT SELECT ON {} TO {};", quoted(view), quoted(role));
    }

    /// Everything in one message: a round trip for each would be felt.
    fn text(&self, roles: &Roles) -> String {
        let Self { roles: made, objects, rights, .. } = self;
        format!("{made} SET LOCAL ROLE {}; {objects} SET LOCAL ROLE NONE; {rights}", quoted(&roles.holder()))
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
