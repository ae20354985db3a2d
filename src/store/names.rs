//! Names of tables, columns and indexes, derived from names of the model.

use crate::db::sql::Sql;
use crate::domain::{Name, QName};

/// The longest name: PostgreSQL cuts at 63 bytes.
const LONGEST: usize = 60;
/// Columns that every table has.
const KEPT: [&str; 2] = ["id", "version"];

/// `leaveRequest` → `leave_request`. An underscore of the model is doubled, so that no two names become one.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for (at, c) in name.char_indices() {
        if c == '_' {
            out.push_str("__");
        } else if c.is_ascii_uppercase() {
            if at > 0 {
                out.push('_');
            }
            out.push(c.to_ascii_lowercase());
        } else {
            out.push(c);
        }
    }
    out
}

/// The table of an entity.
pub(super) fn table(entity: &QName) -> Name {
    bounded(format!("{}_{}", snake(&entity.module), snake(&entity.name)))
}

/// The column of an attribute; never one that an association or the server could have.
pub(super) fn attribute(name: &str) -> Name {
    let column = snake(name);
    let taken = KEPT.contains(&column.as_str()) || column.ends_with("_id");
    bounded(if taken { format!("{column}_") } else { column })
}

/// The column of a to-one association.
pub(super) fn association(name: &str) -> Name {
    bounded(format!("{}_id", snake(name)))
}

/// The table of a many-to-many association.
pub(super) fn link(owner: &QName, name: &str) -> Name {
    bounded(format!("{}_{}__{}", snake(&owner.module), snake(&owner.name), snake(name)))
}

/// The name of an index or constraint.
pub(super) fn index(prefix: &str, table: &str, columns: &[Name]) -> Name {
    let columns: Vec<&str> = columns.iter().map(Name::as_str).collect();
    bounded(format!("{prefix}_{table}_{}", columns.join("_")))
}

/// The view through which a table is read: rows and members cut down by rules.
pub(super) fn reader(id: &str, table: &str) -> Name {
    bounded(format!("r_{id}_{table}"))
}

/// Whether this is the name of a view through which the table is read, with any id.
pub(super) fn is_of(view: &str, table: &str) -> bool {
    let id = view.strip_prefix("r_").and_then(|rest| rest.get(..16));
    id.is_some_and(|id| *reader(id, table) == *view)
}

/// The view through which rules look at a table: every row, and only what rules compare.
pub(super) fn witness(id: &str, table: &str) -> Name {
    bounded(format!("w_{id}_{table}"))
}

/// A trigger on a table.
pub(super) fn trigger(id: &str, table: &str, when: &str) -> Name {
    bounded(format!("g_{id}_{when}_{table}"))
}

/// What looks at writes through a piece on PostgreSQL; under [`crate::db::EVERY`], what asks for the piece.
pub(super) fn look(id: &str) -> Name {
    Name::from(format!("g_{id}_look"))
}

/// A table as generated objects speak of it: on SQLite these are temporary, and the table is in the file.
pub(super) fn stored(table: &Name) -> Sql {
    let mut sql = Sql::new();
    sql.raw_by("main.", "").ident(table);
    sql
}

/// A generated view as other generated objects speak of it.
pub(super) fn temporary(view: &Name) -> Sql {
    let mut sql = Sql::new();
    sql.raw_by("temp.", "").ident(view);
    sql
}

/// A member's column in a reader's view. No column of a table has this mark in its name.
pub(super) fn masked(column: &str) -> Name {
    bounded(format!("m${column}"))
}

/// A long name is cut, and a digest of the whole keeps it apart from others.
fn bounded(name: String) -> Name {
    if name.len() <= LONGEST {
        return Name::from(name);
    }
    let digest =
        name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let kept: String = name.chars().take(LONGEST - 17).collect();
    Name::from(format!("{kept}_{digest:016x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_lower_case_and_stay_apart() {
        assert_eq!(table(&QName::new("hr", "LeaveRequest")).as_str(), "hr_leave_request");
        assert_ne!(attribute("leaveDay"), attribute("leave_day"));
        assert_ne!(attribute("departmentId"), association("department"));
        assert_eq!((attribute("version").as_str(), attribute("id").as_str()), ("version_", "id_"));
    }

    #[test]
    fn a_name_of_any_length_fits_and_differs_from_its_neighbour() {
        let (one, other) = ("a".repeat(300) + "x", "a".repeat(300) + "y");
        assert!(attribute(&one).len() <= LONGEST);
        assert_ne!(attribute(&one), attribute(&other));
    }
}
