//! Taking generated objects away: what the database has, not what a note says.

use crate::db::sql::Sql;
use crate::db::{EVERY, Made, OTHER};
use crate::store::sync::Step;
use std::collections::BTreeMap;

/// What stands on others goes before them.
const ORDER: [&str; 7] = ["other ", "trigger ", "policy ", "function ", "view r_", "view w_", "role "];

/// Drops all of these.
pub(super) fn all(there: &BTreeMap<String, Made>) -> Vec<Step> {
    let objects = || there.values().flat_map(|made| made.keys());
    let of = |kind: &&str| {
        let sql: Vec<Sql> = objects().filter(|object| object.starts_with(*kind)).flat_map(|object| one(object)).collect();
        Step::new(format!("drop each generated {}", kind.trim_end()), sql)
    };
    // Roles that stay lose what they were given.
    let rights = there.get(EVERY).into_iter().flat_map(|made| made.keys()).filter_map(|object| revoked(object)).collect();
    let rights = Step::new("take back what was given for every table", rights);
    // What such a role owns when its views are gone was given to it by others, and may be a table with all its rows.
    let owned = there.get(EVERY).into_iter().flat_map(|made| made.keys()).filter_map(|object| taken_back(object)).collect();
    let owned = Step::new("take back what roles own that were given it", owned);
    std::iter::once(rights).chain(ORDER.iter().map(of)).chain([owned]).filter(|step| !step.is_empty()).collect()
}

fn taken_back(object: &str) -> Option<Sql> {
    let role = object.strip_prefix("server role ")?;
    ["holder", "readers", "writers"].iter().any(|kind| role.ends_with(kind)).then(|| {
        let mut sql = Sql::new();
        sql.raw("REASSIGN OWNED BY ").ident(role).raw(" TO CURRENT_USER");
        sql
    })
}

/// `right ROLE ON table` or `… ON table.column`.
fn revoked(object: &str) -> Option<Sql> {
    let (role, table) = object.strip_prefix("right ")?.split_once(" ON ")?;
    let mut sql = Sql::new();
    sql.raw("REVOKE ALL ON ").ident(table.split('.').next().unwrap_or_default()).raw(" FROM ").ident(role);
    Some(sql)
}

fn one(object: &str) -> Vec<Sql> {
    let object = object.strip_prefix(OTHER).unwrap_or(object);
    let Some((kind, name)) = object.split_once(' ') else { return Vec::new() };
    let mut sql = Sql::new();
    match (kind, name.split_once(" ON ")) {
        ("view", _) => sql.raw("DROP VIEW ").ident(name),
        ("trigger", None) => sql.raw("DROP TRIGGER ").ident(name),
        ("trigger", Some((name, table))) => sql.raw("DROP TRIGGER ").ident(name).raw(" ON ").ident(table),
        ("policy", Some((name, table))) => sql.raw("DROP POLICY ").ident(name).raw(" ON ").ident(table),
        ("rule", Some((name, table))) => sql.raw("DROP RULE ").ident(name).raw(" ON ").ident(table),
        // Taking a right on a table away takes those on its columns along.
        ("right", Some((_, table))) => {
            sql.raw("REVOKE ALL ON ").ident(table.split('.').next().unwrap_or_default()).raw(" FROM PUBLIC")
        }
        ("function", _) => sql.raw("DROP FUNCTION ").ident(name),
        ("role", _) => {
            // Its views are gone. What else it owns was given to it by other hands, and may be a table with all its
            // rows: that is taken back, so that nothing but grants is dropped.
            let (mut grants, mut role) = (Sql::new(), Sql::new());
            sql.raw("REASSIGN OWNED BY ").ident(name).raw(" TO CURRENT_USER");
            grants.raw("DROP OWNED BY ").ident(name);
            role.raw("DROP ROLE ").ident(name);
            return vec![sql, grants, role];
        }
        _ => return Vec::new(),
    };
    vec![sql]
}
