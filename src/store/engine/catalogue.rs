//! What earlier versions, or others, stored of generated objects in an SQLite file. Nothing is stored there any more.

use crate::crypto::sha256;
use crate::db::sql::{Params, Sql, fetch};
use crate::db::{Conn, DbError, EVERY, Made, OTHER};
use crate::domain::{Kind, Value};
use std::collections::BTreeMap;

/// Views and triggers are named after what they are made for. The trail's own triggers are the system tables'
/// (`Db::guard_faults`); no other table has any.
const STORED: &str = "SELECT substr(name, 3, 16), type || ' ' || name, sql FROM sqlite_master
    WHERE (type = 'view' AND substr(name, 1, 2) IN ('r_', 'w_')) OR (type = 'trigger' AND substr(name, 1, 2) = 'g_')
    UNION ALL SELECT '0000000000000000', 'other trigger ' || name, sql FROM sqlite_master
        WHERE type = 'trigger' AND substr(name, 1, 2) <> 'g_' AND tbl_name NOT IN ('audit_record', 'audit_seal', 'audit_head')";

/// All of it, by the id in its name.
pub(super) fn stored(conn: &mut Conn, params: &Params) -> Result<BTreeMap<String, Made>, DbError> {
    let mut sql = Sql::new();
    sql.raw(STORED);
    let mut found: BTreeMap<String, Made> = BTreeMap::new();
    for row in fetch(conn, &sql, params, &[Kind::Text, Kind::Text, Kind::Text])? {
        let [Value::Text(id), Value::Text(object), Value::Text(definition)] = row.as_slice() else { continue };
        let hex = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        // A view may be called anything; a trigger that is nobody's has its say all the same.
        let (id, object) = match (hex, object.strip_prefix("trigger ")) {
            (true, _) => (&**id, object.to_string()),
            (false, Some(name)) => (EVERY, format!("{OTHER}trigger {name}")),
            (false, None) => continue,
        };
        found.entry(id.to_owned()).or_default().insert(object, digest(definition));
    }
    Ok(found)
}

pub(super) fn digest(text: &str) -> String {
    sha256(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
