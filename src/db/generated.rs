//! Generated objects as PostgreSQL keeps them.
//!
//! Everything that is generated has an id in its name: of what is made for every table, of a set of rights, or of a
//! piece. What does not, and yet has a say about the rows of a table, is `other`: it is never made here.
//! Deliberately not here: what is made of which rights (`crate::store::engine`), and making it (`supply`).

use super::sql::{Params, Sql, fetch};
use super::{Conn, DbError};
use crate::domain::{Kind, Value};
use std::collections::BTreeMap;

/// Each object under one id, with a digest of its definition.
pub type Made = BTreeMap<String, String>;

/// The id of what is made for every table, independent of sets.
pub const EVERY: &str = "0000000000000000";
/// What the names of objects begin with that are never made here.
pub const OTHER: &str = "other ";
/// What the notes begin with that say what something stands on; no object of the database is called so.
const STANDS_ON: [&str; 2] = ["needs ", "writes "];

/// What later parts rest on: the schema, the roles that have an id in their names, and the tables and views.
const GROUND: &str = "
    WITH home AS (SELECT current_schema()::regnamespace AS id),
    role AS (SELECT substr(rolname::text, length($1) + 1, 16) AS owner, *
             FROM pg_roles WHERE starts_with(rolname::text, $1) AND rolname::text ~ '_[0-9a-f]{16}_[rwv]$'
             UNION ALL SELECT '0000000000000000', * FROM pg_roles WHERE rolname IN ($1 || 'holder', $1 || 'readers', $1 || 'writers')),
    here AS (SELECT c.*, c.relname IN ('audit_record', 'audit_seal', 'audit_head') AS trail FROM pg_class AS c JOIN home ON c.relnamespace = home.id)";

/// What a definition is made of, but for rights.
const OBJECTS: &str = "
    SELECT substr(c.relname::text, 3, 16), 'view ' || c.relname::text,
            pg_get_viewdef(c.oid) || ' ' || pg_get_userbyid(c.relowner)::text || coalesce(c.reloptions::text, '')
        FROM here AS c WHERE c.relkind = 'v' AND c.relname ~ '^[rw]_[0-9a-f]{16}_'
    UNION ALL SELECT CASE WHEN t.tgname ~ '^g_[0-9a-f]{16}_' THEN substr(t.tgname::text, 3, 16) ELSE '0000000000000000' END,
            CASE WHEN t.tgname ~ '^g_[0-9a-f]{16}_' THEN 'trigger ' ELSE 'other trigger ' END || t.tgname || ' ON ' || c.relname,
            pg_get_triggerdef(t.oid) || t.tgenabled::text
        FROM pg_trigger AS t JOIN here AS c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal AND NOT c.trail
    UNION ALL SELECT substr(p.proname::text, 3, 16), 'function ' || p.proname,
            pg_get_functiondef(p.oid) || pg_get_userbyid(p.proowner)::text || coalesce(p.proacl::text, '')
        FROM pg_proc AS p, home WHERE p.pronamespace = home.id AND p.proname ~ '^g_[0-9a-f]{16}_'
    UNION ALL SELECT CASE WHEN p.polname ~ '^p_[0-9a-f]{16}_' THEN substr(p.polname::text, 3, 16) ELSE '0000000000000000' END,
            CASE WHEN p.polname ~ '^p_[0-9a-f]{16}_' THEN 'policy ' ELSE 'other policy ' END || p.polname || ' ON ' || c.relname,
            p.polcmd::text || ' ' || p.polpermissive::text || ' ' || ARRAY(SELECT pg_get_userbyid(r)::text FROM unnest(p.polroles) AS r ORDER BY 1)::text
            || ' ' || coalesce(pg_get_expr(p.polqual, p.polrelid), '') || ' / ' || coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '')
        FROM pg_policy AS p JOIN here AS c ON c.oid = p.polrelid
    UNION ALL SELECT '0000000000000000', 'other rule ' || r.rulename || ' ON ' || c.relname, pg_get_ruledef(r.oid)
        FROM pg_rewrite AS r JOIN here AS c ON c.oid = r.ev_class WHERE r.rulename <> '_RETURN'
    UNION ALL SELECT '0000000000000000', 'security of ' || c.relname, c.relrowsecurity::text || pg_get_userbyid(c.relowner)::text
        FROM here AS c WHERE c.relrowsecurity
    UNION ALL SELECT '0000000000000000', 'server role ' || r.rolname,
            ARRAY[r.rolcanlogin, r.rolinherit, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb]::text
            || ARRAY(SELECT pg_get_userbyid(m.roleid)::text FROM pg_auth_members AS m
                     WHERE m.member = r.oid AND m.roleid NOT IN (SELECT oid FROM role) ORDER BY 1)::text
        FROM pg_roles AS r WHERE r.rolname IN ($1 || 'system', $1 || 'audit')
    UNION ALL SELECT role.owner, CASE WHEN role.owner = '0000000000000000' THEN 'server role ' ELSE 'role ' END || role.rolname,
            ARRAY[role.rolcanlogin, role.rolinherit, role.rolsuper, role.rolbypassrls, role.rolcreaterole, role.rolcreatedb,
                  has_schema_privilege(role.oid, home.id, 'CREATE')]::text
            || ARRAY(SELECT pg_get_userbyid(m.member)::text || '<' || m.admin_option::text FROM pg_auth_members AS m
                     WHERE m.roleid = role.oid AND m.member NOT IN (SELECT r.oid FROM role AS r)
                        AND NOT (SELECT rolsuper FROM pg_roles WHERE oid = m.member) ORDER BY 1)::text
            || ARRAY(SELECT pg_get_userbyid(m.roleid)::text FROM pg_auth_members AS m WHERE m.member = role.oid ORDER BY 1)::text
        FROM role CROSS JOIN home";

/// Who may do what with which table, view or column: of the roles that have an id in their names, and of everybody.
const RIGHTS: &str = "
    SELECT coalesce(role.owner, '0000000000000000'),
            CASE WHEN a.grantee = 0 THEN 'other right of everybody ON ' ELSE 'right ' || role.rolname || ' ON ' END || c.relname || a.part,
            string_agg(a.privilege_type || a.is_grantable::text, ' ' ORDER BY a.privilege_type, a.is_grantable)
        FROM here AS c CROSS JOIN LATERAL (
            SELECT '' AS part, e.grantee, e.privilege_type, e.is_grantable FROM aclexplode(c.relacl) AS e
            UNION ALL SELECT '.' || t.attname, e.grantee, e.privilege_type, e.is_grantable
                FROM pg_attribute AS t, aclexplode(t.attacl) AS e WHERE t.attrelid = c.oid AND t.attacl IS NOT NULL) AS a
        LEFT JOIN role ON role.oid = a.grantee
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND (a.grantee = 0 OR role.oid IS NOT NULL) AND a.grantee <> c.relowner";

/// An object that is not there as it was noted, or not noted as it is there.
#[derive(Debug)]
pub struct Difference {
    /// The object.
    pub object: String,
    /// Whose it is, if it was noted.
    pub noted: Option<String>,
    /// Whether anything is noted under the id in its name.
    pub known: bool,
    /// Whether it is there.
    pub there: bool,
}

/// What the note of a right on a view is called.
pub(super) fn right(role: &str, view: &str) -> String {
    format!("right {role} ON {view}")
}

/// `SELECT id, object, digest`: digests are computed by the database, so that definitions do not travel.
fn digested(prefix: &Value, on: Option<&[&str]>) -> Sql {
    let mut sql = Sql::new();
    sql.raw("SELECT found.id, found.object, encode(sha256(convert_to(found.definition, 'UTF8')), 'hex') AS digest FROM (");
    prefixed(&mut sql, prefix, GROUND);
    prefixed(&mut sql, prefix, OBJECTS);
    sql.raw(" UNION ALL ").raw(RIGHTS);
    if let Some(on) = on {
        sql.raw(" AND c.relname IN (").append(&texts(on)).raw(")");
    }
    sql.raw(" GROUP BY 1, 2) AS found (id, object, definition)");
    sql
}

fn prefixed(sql: &mut Sql, prefix: &Value, text: &'static str) {
    for (at, part) in text.split("$1").enumerate() {
        if at > 0 {
            sql.bind(prefix, &Kind::Text);
        }
        sql.raw(part);
    }
}

fn prefix(conn: &Conn) -> Option<Value> {
    conn.roles().map(|roles| Value::text(roles.prefix()))
}

/// All generated objects that are there, by the id in their names.
pub fn there(conn: &mut Conn, params: &Params) -> Result<BTreeMap<String, Made>, DbError> {
    let Some(prefix) = prefix(conn) else { return Ok(BTreeMap::new()) };
    let sql = digested(&prefix, None);
    read(conn, &sql, params)
}

/// The same under these ids only, and of rights those on these tables and views.
pub fn there_of(conn: &mut Conn, ids: &[&str], on: &[&str], params: &Params) -> Result<BTreeMap<String, Made>, DbError> {
    let Some(prefix) = prefix(conn).filter(|_| !ids.is_empty()) else { return Ok(BTreeMap::new()) };
    // A list is never empty, and no table is called like that.
    let on: Vec<&str> = on.iter().copied().chain(["-"]).collect();
    let mut sql = digested(&prefix, Some(&on));
    sql.raw(" WHERE found.id IN (").append(&texts(ids)).raw(")").uncacheable();
    read(conn, &sql, params)
}

fn read(conn: &mut Conn, sql: &Sql, params: &Params) -> Result<BTreeMap<String, Made>, DbError> {
    let mut found: BTreeMap<String, Made> = BTreeMap::new();
    for row in fetch(conn, sql, params, &[Kind::Text, Kind::Text, Kind::Text])? {
        let [Value::Text(id), Value::Text(object), Value::Text(digest)] = row.as_slice() else { continue };
        found.entry(id.to_string()).or_default().insert(object.to_string(), digest.to_string());
    }
    Ok(found)
}

/// What is there and what was noted, where they differ: compared by the database, in one pass over its catalogue.
pub fn compared(conn: &mut Conn, params: &Params) -> Result<Vec<Difference>, DbError> {
    let Some(prefix) = prefix(conn) else { return Ok(Vec::new()) };
    let mut sql = Sql::new();
    sql.raw("WITH there AS MATERIALIZED (").append(&digested(&prefix, None)).raw(
        "), noted AS MATERIALIZED (SELECT s.set_id AS id, s.rights, o.key AS object, o.value AS digest
            FROM engine_set AS s, json_each_text(s.made::json) AS o WHERE NOT (",
    );
    for (at, word) in STANDS_ON.into_iter().enumerate() {
        sql.raw(if at == 0 { "" } else { " OR " }).raw("starts_with(o.key, ").bind(&Value::text(word), &Kind::Text).raw(")");
    }
    sql.raw(
        "))
        SELECT coalesce(noted.object, there.object), noted.rights, there.digest IS NOT NULL,
            EXISTS (SELECT FROM engine_set AS s WHERE s.set_id = there.id)
        FROM noted FULL JOIN there ON noted.id = there.id AND noted.object = there.object
        WHERE noted.digest IS DISTINCT FROM there.digest ORDER BY 1",
    );
    let kinds = [Kind::Text, Kind::Text, Kind::Boolean, Kind::Boolean];
    let one = |row: Vec<Value>| match row.as_slice() {
        [Value::Text(object), rights, there, known] => Some(Difference {
            object: object.to_string(),
            noted: rights.as_text().map(str::to_owned),
            there: *there == Value::Boolean(true),
            known: *known == Value::Boolean(true),
        }),
        _ => None,
    };
    Ok(fetch(conn, &sql, params, &kinds)?.into_iter().filter_map(one).collect())
}

/// `'a', 'b'`, as values.
pub(super) fn texts(all: &[&str]) -> Sql {
    let mut sql = Sql::new();
    for (at, text) in all.iter().enumerate() {
        sql.raw(if at == 0 { "" } else { ", " }).bind(&Value::text(*text), &Kind::Text);
    }
    sql
}
