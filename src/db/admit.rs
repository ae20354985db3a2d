//! What SQLite is answered when it asks whether a statement may be prepared.
//!
//! Guarantees: under the authority of a set of rights a statement reaches stored rows through the
//! views that were given to the set only, which stand on the connection and not in the file; it writes only what its
//! standing lists, and only where all that looks at such writes stands; nobody has no authority at all;
//! what is not named here is refused. Pure: the question is put by `guard`.
//! Deliberately not here: which rows and members those views show.

use super::shelf::Shelf;
use super::{Purpose, Standing, Watched};
use libsqlite3_sys as ffi;
use std::sync::Arc;

/// Whose statements run on a connection at the moment.
#[derive(Clone, Debug)]
pub(super) enum Authority {
    /// The owner of the schema: everything.
    Owner,
    /// The server: all data, but neither the schema nor the trail.
    System,
    /// Whoever appends to the trail.
    Trail,
    /// Nobody: nothing.
    Nobody,
    /// Whoever moves a transaction on, and does nothing else.
    Control,
    /// A set of rights.
    Set(Arc<Scope>),
}

/// The rights of a set, ready to be asked.
#[derive(Debug)]
pub(super) struct Scope {
    pub standing: Standing,
    pub purpose: Purpose,
    /// The comment at the head of each statement, which keeps apart what is prepared under different authority.
    pub tag: String,
}

impl Scope {
    pub(super) fn new(standing: &Standing, purpose: Purpose) -> Self {
        let set = &standing.set;
        let letter = if purpose == Purpose::Read { 'r' } else { 'w' };
        Self { tag: format!("/*{set} {letter}*/ "), standing: standing.clone(), purpose }
    }

    /// Whether a view, or a walk in one, was given to the set.
    fn owns(&self, name: &str) -> bool {
        !name.starts_with('g') && id_of(name).is_some_and(|id| self.standing.reach.piece(id).is_some())
    }
    fn writes(&self, table: &str, test: impl FnOnce(&Watched) -> bool) -> bool {
        self.purpose == Purpose::Write && self.standing.reach.may(table, test)
    }
}

/// What a statement wants to do, in SQLite's words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub action: i32,
    /// Mostly the table.
    pub first: &'a str,
    /// Mostly the column.
    pub second: &'a str,
    /// Which database file; SQLite leaves it out where the statement does.
    pub schema: Option<&'a str>,
    /// The innermost view or trigger that asks, not the statement itself.
    pub inside: Option<&'a str>,
}

/// Functions that the store's statements call, and those that say in whose name they run.
const FUNCTIONS: [&str; 22] = [
    "abs",
    "coalesce",
    "count",
    "date",
    "instr",
    "julianday",
    "length",
    "lower",
    "max",
    "min",
    "nullif",
    "portcullis_now",
    "portcullis_set",
    "portcullis_today",
    "portcullis_user",
    "portcullis_watched_by",
    "strftime",
    "substr",
    "sum",
    "trim",
    "typeof",
    "upper",
];
/// Functions that reach out of the database.
const DANGEROUS: [&str; 3] = ["load_extension", "fts3_tokenizer", "writefile"];
/// The trail: its records, their order, and the ends of the chains of before there were lanes.
const TRAIL: [&str; 3] = ["audit_record", "audit_seal", "audit_head"];
/// What the trail is added to.
const GROWS: [&str; 2] = ["audit_record", "audit_seal"];
/// What the owner of the schema notes: the model that was applied, and what was generated from it.
const NOTES: [&str; 2] = ["schema_state", "engine_set"];
/// Pragmas whose value the server relies on.
const SETTLED: [&str; 6] =
    ["query_only", "writable_schema", "trusted_schema", "foreign_keys", "recursive_triggers", "ignore_check_constraints"];

/// Whether a statement that asks this may be prepared.
pub(super) fn admits(authority: &Authority, question: &Question<'_>, shelf: &Shelf) -> bool {
    match authority {
        Authority::Owner => true,
        Authority::System => system(question),
        Authority::Trail => trail(question),
        Authority::Nobody => false,
        Authority::Control => matches!(question.action, ffi::SQLITE_TRANSACTION | ffi::SQLITE_SAVEPOINT),
        Authority::Set(scope) => set(scope, question, shelf),
    }
}

fn system(asked: &Question<'_>) -> bool {
    match asked.action {
        ffi::SQLITE_SELECT | ffi::SQLITE_READ | ffi::SQLITE_RECURSIVE | ffi::SQLITE_TRANSACTION | ffi::SQLITE_SAVEPOINT => true,
        ffi::SQLITE_INSERT | ffi::SQLITE_UPDATE | ffi::SQLITE_DELETE => {
            !asked.first.starts_with("sqlite_") && !TRAIL.contains(&asked.first) && !NOTES.contains(&asked.first)
        }
        ffi::SQLITE_FUNCTION => !DANGEROUS.contains(&asked.second),
        ffi::SQLITE_PRAGMA => asked.second.is_empty() || !SETTLED.contains(&asked.first),
        _ => false,
    }
}

fn trail(asked: &Question<'_>) -> bool {
    match asked.action {
        ffi::SQLITE_SELECT => true,
        ffi::SQLITE_INSERT => GROWS.contains(&asked.first),
        _ => false,
    }
}

fn set(scope: &Scope, asked: &Question<'_>, shelf: &Shelf) -> bool {
    let here = asked.schema == Some("main") && asked.inside.is_none();
    // SECURITY: what looks at writes stands on the connection before one is prepared, or there is none
    // (`a_write_is_refused_where_its_triggers_do_not_stand`).
    let writes = |what: &dyn Fn(&Watched) -> bool| {
        here && scope.writes(asked.first, |table| what(table) && table.pieces.iter().all(|piece| shelf.has(&piece.id)))
    };
    match asked.action {
        // A walk down a tree asks for recursion; what it reads is asked for by itself.
        ffi::SQLITE_SELECT | ffi::SQLITE_RECURSIVE => true,
        ffi::SQLITE_FUNCTION => FUNCTIONS.contains(&asked.second),
        ffi::SQLITE_READ => reads(scope, asked),
        ffi::SQLITE_INSERT => writes(&|table| table.writes.insert),
        ffi::SQLITE_DELETE => writes(&|table| table.writes.delete),
        ffi::SQLITE_UPDATE => writes(&|table| table.writes.update.contains(asked.second)),
        _ => false,
    }
}

fn reads(scope: &Scope, asked: &Question<'_>) -> bool {
    // A row of which no column is read is asked for by the name of its table alone; the schema is given only where
    // a view or trigger of the owner led there, because statements do not name it (see `sql::deceives`).
    if asked.second.is_empty() {
        return matches!(asked.schema, Some("main" | "temp")) || scope.owns(asked.first);
    }
    // The set's own views are what the owner made them. A write also brings in the triggers of its table, of
    // every set, and what these look at; the first step into such a view or table is asked for without them.
    let made = |inside: &str| scope.owns(inside) || (scope.purpose == Purpose::Write && is_generated(inside));
    let led = asked.inside.is_some_and(made);
    match asked.schema {
        Some("temp") => led || scope.owns(asked.first),
        Some("main") => {
            let key = |table: &Watched| matches!(asked.second, "id" | "version") || table.writes.keys.contains(asked.second);
            led || (asked.inside.is_none() && scope.writes(asked.first, key))
        }
        _ => false,
    }
}

/// Whether only the owner may give something this name: `r_`, `w_` or `g_`, an id, and what it is made for.
pub(super) fn is_generated(name: &str) -> bool {
    id_of(name).is_some()
}

/// The id in such a name.
pub(super) fn id_of(name: &str) -> Option<&str> {
    let (id, rest) = name.strip_prefix(['r', 'w', 'g'])?.strip_prefix('_')?.split_at_checked(16)?;
    let hex = id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (hex && rest.starts_with('_')).then_some(id)
}

/// Whether fixed text speaks of something that only the owner names, which statements name by identifiers only.
pub(super) fn speaks_of_generated(text: &str) -> bool {
    text.match_indices('_').filter_map(|(at, _)| text.get(at.checked_sub(1)?..)).any(is_generated)
}
