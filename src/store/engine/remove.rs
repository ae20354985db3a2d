//! Taking generated objects away: what the database has, not what a note says.

use super::catalogue::Made;
use crate::db::Dialect;
use crate::db::sql::Sql;
use crate::store::sync::Step;
use std::collections::BTreeMap;

/// Drops everything that is there.
pub(super) fn all(there: &BTreeMap<String, Made>, dialect: Dialect) -> Vec<Step> {
    let mut steps = Vec::new();
    for (set, made) in there {
        let mut sql = Vec::new();
        // Readers' views are made of witness views, so they go first.
        for prefix in ["trigger g_", "view r_", "view w_"] {
            sql.extend(made.keys().filter(|object| object.starts_with(prefix)).filter_map(|object| one(object, dialect)));
        }
        steps.push(Step::new(format!("drop what was generated for the set {set}"), sql));
    }
    steps
}

fn one(object: &str, _dialect: Dialect) -> Option<Sql> {
    let (kind, name) = object.split_once(' ')?;
    let mut sql = Sql::new();
    match kind {
        "view" => sql.raw("DROP VIEW ").ident(name),
        "trigger" => sql.raw("DROP TRIGGER ").ident(name),
        _ => return None,
    };
    Some(sql)
}
