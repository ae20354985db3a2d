//! Trees: whether a new parent keeps a tree a tree, and which rows stand in a circle already.
//!
//! Guarantees: of two transactions that would close a circle together, the second sees what the first did or is
//! refused; a circle that is in the data ends every walk here.
//! Deliberately not here: what `within` means (`lower`, and the evaluator).

use super::statements::Statements;
use super::tables::{Place, Table};
use crate::crypto::sha256;
use crate::db::sql::{Params, Sql, fetch};
use crate::db::{Conn, DbError, Dialect};
use crate::domain::{Kind, Name, ObjectId, QName, Value};
use chrono::NaiveDateTime;
use std::fmt;

/// At most so many rows of a tree are named.
const MOST_NAMED: i64 = 20;

/// The self-association of a table that spans a tree.
pub(super) struct Tree<'t> {
    table: &'t Table,
    /// The association.
    pub member: &'t Name,
    column: &'t Name,
}

/// Rows of a tree from which the way up never ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circle {
    /// The entity.
    pub entity: QName,
    /// Its association to the parent.
    pub member: Name,
    /// The first of the rows, in order of their keys.
    pub objects: Vec<ObjectId>,
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<String> = self.objects.iter().map(|id| format!("#{}", id.0)).collect();
        write!(f, "{}: {} never reach a root along `{}`, ", self.entity, keys.join(", "), self.member)?;
        f.write_str("so nothing is within them; give one of them another parent")
    }
}

impl<'t> Tree<'t> {
    /// The tree of a table, if its entity has one.
    pub(super) fn of(table: &'t Table) -> Option<Self> {
        let member = table.entity.tree.as_ref()?;
        match table.members.get(member)? {
            Place::Column { column, .. } => Some(Self { table, member, column }),
            _ => None,
        }
    }

    /// Waits until no other transaction moves objects in this tree; the end of this one lets the others go on.
    ///
    // SECURITY: two moves that are fine alone can close a circle together. Take this before the row that moves is
    // read (`two_moves_that_close_a_circle_together_are_not_both_kept`).
    pub(super) fn lock(&self, conn: &mut Conn) -> Result<(), DbError> {
        match conn.dialect() {
            // A write transaction is alone.
            Dialect::Sqlite => Ok(()),
            Dialect::Postgres => conn.batch(&format!("SELECT pg_advisory_xact_lock({})", self.key())),
        }
    }

    /// The number of this tree's lock.
    fn key(&self) -> i64 {
        let mut first = [0; 8];
        sha256(format!("portcullis tree {}", self.table.name).as_bytes())
            .iter()
            .zip(&mut first)
            .for_each(|(from, to)| *to = *from);
        i64::from_be_bytes(first)
    }

    /// Whether the way up from a parent ends at a root, and does not pass the object that is to go below it.
    pub(super) fn admits(&self, conn: &mut Conn, params: &Params, object: ObjectId, parent: ObjectId) -> Result<bool, DbError> {
        let key = |id: ObjectId| (Value::Object(id), Kind::Object(self.table.entity.name.clone()));
        let ((object, kind), (parent, _)) = (key(object), key(parent));
        let mut sql = Sql::new();
        sql.raw("WITH RECURSIVE up(id) AS (SELECT CAST(").bind(&parent, &kind).raw(" AS BIGINT) UNION SELECT c.");
        sql.ident(self.column).raw(" FROM ").ident(&self.table.name).raw(" AS c JOIN up ON c.id = up.id WHERE c.");
        sql.ident(self.column).raw(" IS NOT NULL) SELECT NOT EXISTS (SELECT 1 FROM up WHERE up.id = ").bind(&object, &kind);
        sql.raw(") AND EXISTS (SELECT 1 FROM up JOIN ").ident(&self.table.name).raw(" AS c ON c.id = up.id WHERE c.");
        sql.ident(self.column).raw(" IS NULL)");
        let found = fetch(conn, &sql, params, &[Kind::Boolean])?;
        Ok(found.first().and_then(|row| row.first()).is_some_and(Value::holds))
    }

    /// What is said at the field when it does not.
    pub(super) fn refusal(&self) -> String {
        let label = self.table.entity.member_label(self.member).unwrap_or(self.member);
        format!("{label} can't be the object itself or one below it")
    }

    /// The first rows that no way down from a root reaches.
    fn circle(&self, conn: &mut Conn, params: &Params) -> Result<Option<Circle>, DbError> {
        let mut sql = Sql::new();
        sql.raw("WITH RECURSIVE fine(id) AS (SELECT c.id FROM ").ident(&self.table.name).raw(" AS c WHERE c.").ident(self.column);
        sql.raw(" IS NULL UNION ALL SELECT c.id FROM ").ident(&self.table.name).raw(" AS c JOIN fine ON c.").ident(self.column);
        sql.raw(" = fine.id) SELECT c.id FROM ").ident(&self.table.name).raw(" AS c WHERE c.id NOT IN (SELECT id FROM fine)");
        sql.raw(" ORDER BY c.id LIMIT ").int(MOST_NAMED);
        let entity = self.table.entity.name.clone();
        let found = fetch(conn, &sql, params, &[Kind::Object(entity.clone())])?;
        let objects: Vec<ObjectId> = found.iter().filter_map(|row| row.first().and_then(Value::as_object)).collect();
        Ok((!objects.is_empty()).then(|| Circle { entity, member: self.member.clone(), objects }))
    }
}

/// The rows that stand in a circle, tree by tree; empty when all is well.
pub fn circles(conn: &mut Conn, statements: &Statements, now: NaiveDateTime) -> Result<Vec<Circle>, DbError> {
    circles_where(conn, statements, now, |_, _| true)
}

/// The same for those trees of which the table and the column are there.
pub(super) fn circles_where(
    conn: &mut Conn,
    statements: &Statements,
    now: NaiveDateTime,
    there: impl Fn(&str, &str) -> bool,
) -> Result<Vec<Circle>, DbError> {
    let params = Params::new(None, now, now.date());
    let mut found = Vec::new();
    for tree in statements.tables.all().filter_map(|table| Tree::of(table)) {
        if there(&tree.table.name, tree.column) {
            found.extend(tree.circle(conn, &params)?);
        }
    }
    found.sort_by_key(|circle| circle.entity.to_string());
    Ok(found)
}
