//! Who is in the trail: the names, each once.

use super::ask::nobody;
use crate::db::sql::{Sql, fetch};
use crate::db::{Conn, DbError};
use crate::domain::{Kind, Value};

/// So many different names are looked through. With more, records are looked through instead.
const MOST: usize = 500;

/// The names that contain a text, whatever the case of its letters; `None` when there are too many names to tell.
///
/// The index leads from each name to the next, so it does not matter how many records each has.
pub(super) fn containing(conn: &mut Conn, text: &str) -> Result<Option<Vec<String>>, DbError> {
    let mut sql = Sql::new();
    sql.raw(
        "WITH RECURSIVE named (name) AS (SELECT min(caller_name) FROM audit_record UNION ALL \
         SELECT (SELECT min(caller_name) FROM audit_record WHERE caller_name > named.name) FROM named WHERE named.name IS NOT NULL) \
         SELECT name FROM named WHERE name IS NOT NULL LIMIT ",
    );
    sql.int(i64::try_from(MOST).unwrap_or(i64::MAX).saturating_add(1));
    let rows = fetch(conn, &sql, &nobody(), &[Kind::Text])?;
    if rows.len() > MOST {
        return Ok(None);
    }
    let text = text.to_ascii_lowercase();
    let names = rows.into_iter().filter_map(|row| match row.into_iter().next() {
        Some(Value::Text(name)) => Some(name.to_string()),
        _ => None,
    });
    Ok(Some(names.filter(|name| name.to_ascii_lowercase().contains(&text)).collect()))
}
