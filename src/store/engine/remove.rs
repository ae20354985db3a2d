//! Taking generated objects away: what the database has, not what a note says.

use super::catalogue::{Made, OTHER};
use crate::db::sql::Sql;
use crate::store::sync::Step;
use std::collections::BTreeMap;

/// What stands on others goes before them.
const ORDER: [&str; 7] = ["other ", "trigger ", "function ", "policy ", "view r_", "view w_", "role "];

/// Drops everything that is there.
pub(super) fn all(there: &BTreeMap<String, Made>) -> Vec<Step> {
    // A policy of one set may stand on a view of its own only, so sets go one after the other.
    let step = |(set, made): (&String, &Made)| {
        let sql = ORDER
            .iter()
            .flat_map(move |kind| made.keys().filter(move |object| object.starts_with(kind)))
            .flat_map(|object| one(object));
        Step::new(format!("drop what was generated for the set {set}"), sql.collect())
    };
    there.iter().map(step).collect()
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
        ("right", Some((_, table))) => sql.raw("REVOKE ALL ON ").ident(table).raw(" FROM PUBLIC"),
        ("function", _) => sql.raw("DROP FUNCTION ").ident(name).raw("()"),
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
