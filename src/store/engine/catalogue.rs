//! Generated objects as the database keeps them.

use crate::crypto::sha256;
use crate::db::sql::{Params, Sql, fetch};
use crate::db::{Conn, DbError};
use crate::domain::{Kind, Value};
use std::collections::BTreeMap;

/// Each object of a set with a digest of its definition.
pub(super) type Made = BTreeMap<String, String>;

/// All generated objects that are there, by the set they are named after.
pub(super) fn there(conn: &mut Conn, params: &Params) -> Result<BTreeMap<String, Made>, DbError> {
    let mut sql = Sql::new();
    sql.raw_by(
        "SELECT name, type, sql FROM sqlite_master WHERE type IN ('view', 'trigger')",
        "SELECT c.relname::text, 'view', pg_get_viewdef(c.oid) || ' owner ' || pg_get_userbyid(c.relowner) \
         || ' grants ' || coalesce(c.relacl::text, '') \
         FROM pg_class AS c WHERE c.relkind = 'v' AND c.relnamespace = current_schema()::regnamespace",
    );
    let mut found: BTreeMap<String, Made> = BTreeMap::new();
    for row in fetch(conn, &sql, params, &[Kind::Text, Kind::Text, Kind::Text])? {
        let [Value::Text(name), Value::Text(kind), Value::Text(definition)] = row.as_slice() else { continue };
        let Some(set) = set_of(name) else { continue };
        found.entry(set.to_owned()).or_default().insert(format!("{kind} {name}"), digest(definition));
    }
    Ok(found)
}

/// The set that an object is named after: `r_0123456789abcdef_hr_employee`.
pub(super) fn set_of(name: &str) -> Option<&str> {
    let rest = ["r_", "w_", "g_"].into_iter().find_map(|prefix| name.strip_prefix(prefix))?;
    let (set, rest) = rest.split_at_checked(16)?;
    let hex = set.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    (hex && rest.starts_with('_')).then_some(set)
}

pub(super) fn digest(text: &str) -> String {
    sha256(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
