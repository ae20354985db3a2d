//! The generated objects that stand on a connection to SQLite: made when a statement needs them, few at a time.
//!
//! Guarantees: they are temporary, so no file and no other connection has them; what a statement names stands before it
//! is prepared, made by the owner's authority from the texts of pieces and nothing else; what is held to be there is
//! there, also after a rollback; a connection that only reads goes on to refuse every write.
//! Deliberately not here: which pieces a set reaches (`pieces`), and what they say (`crate::store::engine`).

use super::admit::{Authority, Scope};
use super::pieces::{ObjectKind, Piece};
use super::sql::{Params, Sql, fetch};
use super::{Conn, DbError, Dialect, Purpose, Standing, Wire};
use crate::domain::{Kind, Value};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// So much text of generated objects stands on a connection at most, but for what one statement needs. SQLite keeps each
/// object parsed, in about fifteen times as much memory; the pages of one set come to some 30 kB.
pub(super) const MOST_TEXT: usize = 256 * 1024;
/// When that is too much, what was not used for longest goes until so much is left: each change makes SQLite prepare the
/// statements of the connection again, so changes should be few.
const KEPT_TEXT: usize = MOST_TEXT / 4 * 3;

/// What stands on a connection.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    made: HashMap<Arc<str>, Place>,
    /// How many statements have asked for pieces.
    uses: u64,
    size: usize,
    /// Whether anything was made or dropped since the transaction began.
    touched: bool,
    /// Whether the connection refuses every write.
    only_reads: bool,
}

#[derive(Debug)]
struct Place {
    piece: Arc<Piece>,
    used: u64,
}

/// What is to be made and dropped.
#[derive(Debug, Default)]
struct Todo {
    drops: Vec<Arc<Piece>>,
    makes: Vec<Arc<Piece>>,
}

impl Shelf {
    pub(super) fn only_reads(&mut self) {
        self.only_reads = true;
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.made.contains_key(id)
    }

    /// What there is to do before a statement that needs these can be prepared.
    fn plan(&mut self, wanted: &[Arc<Piece>]) -> Todo {
        self.uses += 1;
        let mut todo = Todo::default();
        wanted.iter().for_each(|piece| self.want(piece, &mut todo.makes));
        let more: usize = todo.makes.iter().map(|piece| piece.size()).sum();
        if more > 0 && self.size.saturating_add(more) > MOST_TEXT {
            todo.drops = self.oldest(self.size.saturating_add(more).saturating_sub(KEPT_TEXT));
        }
        todo
    }

    /// INVARIANT: what a piece stands on was used no earlier than the piece itself.
    fn want(&mut self, piece: &Arc<Piece>, makes: &mut Vec<Arc<Piece>>) {
        piece.needs.iter().for_each(|piece| self.want(piece, makes));
        match self.made.get_mut(&piece.id) {
            Some(place) => place.used = self.uses,
            None if makes.iter().any(|made| made.id == piece.id) => {}
            None => makes.push(piece.clone()),
        }
    }

    /// Pieces that were not used for longest, what stands on others first, until so much text is gone.
    fn oldest(&self, mut excess: usize) -> Vec<Arc<Piece>> {
        let mut all: Vec<&Place> = self.made.values().filter(|place| place.used < self.uses).collect();
        all.sort_by_key(|place| (place.used, std::cmp::Reverse(place.piece.depth())));
        let mut drops = Vec::new();
        for place in all {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(place.piece.size());
            drops.push(place.piece.clone());
        }
        drops
    }

    fn done(&mut self, todo: Todo) {
        self.touched = true;
        for piece in todo.drops {
            self.made.remove(&piece.id);
        }
        for piece in todo.makes {
            self.made.insert(piece.id.clone(), Place { piece, used: self.uses });
        }
        self.size = self.made.values().map(|place| place.piece.size()).sum();
    }

    /// Forgets every piece that is not there as a whole. Returns those, and the objects that belong to no piece.
    fn settle(&mut self, there: &HashMap<String, ObjectKind>) -> (Vec<Arc<Piece>>, Vec<(String, ObjectKind)>) {
        let whole = |piece: &Piece| piece.objects.iter().all(|object| there.contains_key(&object.name));
        let (kept, lost): (Vec<_>, Vec<_>) = self.made.drain().partition(|(_, place)| whole(&place.piece));
        self.made = kept.into_iter().collect();
        self.size = self.made.values().map(|place| place.piece.size()).sum();
        let known: HashSet<&str> =
            self.made.values().flat_map(|place| place.piece.objects.iter().map(|object| object.name.as_str())).collect();
        let strays = there.iter().filter(|(name, _)| !known.contains(name.as_str()));
        let strays = strays.map(|(name, kind)| (name.clone(), *kind)).collect();
        let mut lost: Vec<Arc<Piece>> = lost.into_iter().map(|(_, place)| place.piece).collect();
        lost.sort_by_key(|piece| piece.depth());
        (lost, strays)
    }

    /// Each object that has to be there, with its text as SQLite keeps it.
    fn expected(&self) -> BTreeMap<String, String> {
        let objects = self.made.values().flat_map(|place| &place.piece.objects);
        objects.map(|object| (object.name.clone(), object.text.replacen("CREATE TEMP ", "CREATE ", 1))).collect()
    }
}

impl Conn {
    /// Makes what a statement with the rights of a set needs and is not on this connection yet.
    pub(super) fn provide(&mut self, scope: &Scope, sql: &Sql) -> Result<(), DbError> {
        let Wire::Sqlite(_, guard) = self.wire() else { return self.require_pieces(scope, sql) };
        let wanted = scope.standing.reach.wanted(sql, scope.purpose == Purpose::Write);
        if wanted.is_empty() {
            return Ok(());
        }
        let todo = guard.shelf(|shelf| shelf.plan(&wanted));
        if todo.makes.is_empty() { Ok(()) } else { self.change_shelf(todo) }
    }

    /// Makes beforehand what a statement with these rights will need, so that it stays when the statement is undone.
    pub fn make_ready(&mut self, standing: &Standing, purpose: Purpose, sql: &Sql) -> Result<(), DbError> {
        match self.dialect() {
            Dialect::Sqlite => self.provide(&Scope::new(standing, purpose), sql),
            Dialect::Postgres => Ok(()),
        }
    }

    /// After something was undone: nothing is held to be there that is not. Outside of a transaction what was lost with
    /// it is made again, so that a retry does not lose it again.
    pub(super) fn settle_shelf(&mut self, outside: bool) {
        let Wire::Sqlite(_, guard) = self.wire() else { return };
        if !guard.shelf(|shelf| shelf.touched) {
            return;
        }
        if self.agree(outside).is_err() {
            self.give_up();
        }
    }

    /// The transaction is over.
    pub(super) fn rest_shelf(&mut self) {
        if let Wire::Sqlite(_, guard) = self.wire() {
            guard.shelf(|shelf| shelf.touched = false);
        }
        self.rest_prepared();
    }

    /// Drops everything that was generated, before the schema changes.
    pub(super) fn clear_shelf(&mut self) -> Result<(), DbError> {
        let Wire::Sqlite(_, guard) = self.wire() else { return Ok(()) };
        let todo = guard.shelf(|shelf| {
            shelf.uses += 1;
            Todo { drops: shelf.oldest(usize::MAX), makes: Vec::new() }
        });
        if todo.drops.is_empty() { Ok(()) } else { self.change_shelf(todo) }
    }

    /// How the generated objects of this connection differ from what was composed; those of users' reads, where a
    /// connection of their own belongs to this transaction.
    pub fn shelf_faults(&mut self) -> Result<Vec<String>, DbError> {
        if let Some(line) = self.lent() {
            return line.shelf_faults();
        }
        let Wire::Sqlite(_, guard) = self.wire() else { return Ok(Vec::new()) };
        let mut expected = guard.shelf(|shelf| shelf.expected());
        let mut found = Vec::new();
        for (name, (kind, text)) in self.generated()? {
            let kind = word(kind);
            match expected.remove(&name) {
                None => found.push(format!("{kind} {name} is there but was not made here")),
                Some(made) if made != text => found.push(format!("{kind} {name} was changed")),
                Some(_) => {}
            }
        }
        found.extend(expected.into_keys().map(|name| format!("{name} is gone")));
        Ok(found)
    }

    fn agree(&mut self, outside: bool) -> Result<(), DbError> {
        let there = self.generated()?.into_iter().map(|(name, (kind, _))| (name, kind)).collect();
        let Wire::Sqlite(_, guard) = self.wire() else { return Ok(()) };
        let (lost, strays) = guard.shelf(|shelf| shelf.settle(&there));
        let drops: Vec<String> = strays.iter().map(|(name, kind)| dropped_object(name, *kind)).collect();
        if !drops.is_empty() {
            self.change_schema(&drops)?;
        }
        if outside && !lost.is_empty() {
            self.change_shelf(Todo { drops: Vec::new(), makes: lost })?;
        }
        Ok(())
    }

    fn change_shelf(&mut self, todo: Todo) -> Result<(), DbError> {
        let dropped = todo.drops.iter().flat_map(|piece| piece.objects.iter().rev());
        let dropped = dropped.map(|object| dropped_object(&object.name, object.kind));
        let made = todo.makes.iter().flat_map(|piece| piece.objects.iter().map(|object| object.text.clone()));
        let statements: Vec<String> = dropped.chain(made).collect();
        let done = self.change_schema(&statements);
        match (&done, self.wire()) {
            (Ok(()), Wire::Sqlite(_, guard)) => guard.shelf(|shelf| shelf.done(todo)),
            (Err(_), Wire::Sqlite(_, guard)) => {
                guard.shelf(|shelf| shelf.touched = true);
                self.settle_shelf(false);
            }
            _ => {}
        }
        done
    }

    /// Runs statements about temporary objects by the owner's authority.
    fn change_schema(&mut self, statements: &[String]) -> Result<(), DbError> {
        let Wire::Sqlite(_, guard) = self.wire() else { return Ok(()) };
        let only_reads = guard.shelf(|shelf| shelf.only_reads);
        self.acting(Authority::Owner, |conn| {
            if only_reads {
                // SECURITY: nothing but these statements runs before the connection refuses writes again.
                conn.batch("PRAGMA query_only=OFF")?;
            }
            let done = conn.batch(&statements.join(";\n"));
            let closed = if only_reads { conn.batch("PRAGMA query_only=ON") } else { Ok(()) };
            if closed.is_err() {
                conn.give_up();
            }
            done.and(closed)
        })
    }

    /// The temporary objects that are there, with their texts.
    fn generated(&mut self) -> Result<BTreeMap<String, (ObjectKind, String)>, DbError> {
        let mut sql = Sql::new();
        sql.raw("SELECT type, name, sql FROM sqlite_temp_master WHERE type IN ('view', 'trigger')");
        let never = chrono::NaiveDateTime::default();
        let params = Params::new(None, never, never.date());
        let rows = self.acting(Authority::Owner, |conn| fetch(conn, &sql, &params, &[Kind::Text, Kind::Text, Kind::Text]))?;
        let mut found = BTreeMap::new();
        for row in rows {
            if let [Value::Text(kind), Value::Text(name), Value::Text(text)] = row.as_slice() {
                let kind = if &**kind == "trigger" { ObjectKind::Trigger } else { ObjectKind::View };
                found.insert(name.to_string(), (kind, text.to_string()));
            }
        }
        Ok(found)
    }
}

fn word(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::View => "view",
        ObjectKind::Trigger => "trigger",
        ObjectKind::Function => "function",
        ObjectKind::Grant => "right",
    }
}

/// SECURITY: the names come from pieces, or from the connection's own catalogue.
fn dropped_object(name: &str, kind: ObjectKind) -> String {
    let what = if kind == ObjectKind::View { "VIEW" } else { "TRIGGER" };
    format!("DROP {what} temp.`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::admit::{Question, admits};
    use crate::db::{Object, Reach, TableWrites, Watched, set_id};
    use libsqlite3_sys as ffi;

    fn piece(name: &str, size: usize, needs: &[&Arc<Piece>]) -> Arc<Piece> {
        let object = Object { name: name.to_owned(), kind: ObjectKind::View, text: "x".repeat(size) };
        Arc::new(Piece { id: set_id(name), objects: vec![object], needs: needs.iter().map(|piece| (*piece).clone()).collect() })
    }

    /// Lets a statement ask for pieces; says what is dropped and made for it.
    fn ask(shelf: &mut Shelf, wanted: &[&Arc<Piece>]) -> (Vec<String>, Vec<String>) {
        let wanted: Vec<Arc<Piece>> = wanted.iter().map(|piece| (*piece).clone()).collect();
        let todo = shelf.plan(&wanted);
        let called = |all: &[Arc<Piece>]| all.iter().map(|piece| piece.objects[0].name.clone()).collect();
        let names = (called(&todo.drops), called(&todo.makes));
        shelf.done(todo);
        names
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first_and_never_before_what_stands_on_it() {
        let part = MOST_TEXT / 4;
        let witness = piece("w", part, &[]);
        let [a, b, c] = ["a", "b", "c"].map(|name| piece(name, part, &[&witness]));
        let d = piece("d", part, &[]);
        let mut shelf = Shelf::default();
        assert_eq!(ask(&mut shelf, &[&a]), (vec![], vec!["w".into(), "a".into()]));
        assert_eq!(ask(&mut shelf, &[&b, &c]), (vec![], vec!["b".into(), "c".into()]));
        assert_eq!(ask(&mut shelf, &[&a]), (vec![], vec![]), "all of it is there");
        // Full: `b` and `c` were used before `a`, and with `a` what it stands on.
        assert_eq!(ask(&mut shelf, &[&d]).1, ["d"]);
        assert!(shelf.has(&a.id) && shelf.has(&witness.id) && shelf.has(&d.id) && !shelf.has(&b.id) && !shelf.has(&c.id));
        assert!(shelf.size <= MOST_TEXT);
        assert_eq!(ask(&mut shelf, &[&c]).1, ["c"]);
        // What one statement needs stands, however much it is.
        let huge = piece("huge", MOST_TEXT * 2, &[]);
        let (drops, makes) = ask(&mut shelf, &[&huge]);
        assert_eq!(makes, ["huge"]);
        let at = |name: &str| drops.iter().position(|drop| drop == name).unwrap();
        assert!(at("a") < at("w") && at("c") < at("w"), "{drops:?}");
        assert_eq!(shelf.made.len(), 1);
    }

    /// SQLite asks only this about a write; what the store lists, and what looks at it, is in the reach.
    #[test]
    fn a_write_is_refused_where_its_triggers_do_not_stand() {
        let (trigger, reach) = (piece("g", 10, &[]), Reach::default());
        let writes = TableWrites { insert: true, delete: true, update: ["name".to_owned()].into(), ..TableWrites::default() };
        reach.allow("t", Watched { writes, pieces: vec![trigger.clone()], follow: Vec::new() });
        let now = chrono::NaiveDateTime::default();
        let standing =
            Standing { set: set_id("set"), rights: "set".into(), user: None, now, reach: Arc::new(reach), watch: None };
        let writer = Authority::Set(Arc::new(Scope::new(&standing, Purpose::Write)));
        let reader = Authority::Set(Arc::new(Scope::new(&standing, Purpose::Read)));
        let mut shelf = Shelf::default();
        for stands in [false, true] {
            for (action, second) in [(ffi::SQLITE_INSERT, ""), (ffi::SQLITE_DELETE, ""), (ffi::SQLITE_UPDATE, "name")] {
                let question = |first| Question { action, first, second, schema: Some("main"), inside: None };
                assert_eq!(admits(&writer, &question("t"), &shelf), stands, "{action}");
                assert!(!admits(&reader, &question("t"), &shelf) && !admits(&writer, &question("other"), &shelf));
                let temporary = Question { schema: Some("temp"), ..question("t") };
                assert!(!admits(&writer, &temporary, &shelf), "a temporary table is nobody's");
            }
            ask(&mut shelf, &[&trigger]);
        }
    }
}
