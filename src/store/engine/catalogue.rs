//! Generated objects as the database keeps them.

use super::roles::EVERY;
use crate::crypto::sha256;
use crate::db::sql::{Params, Sql, fetch};
use crate::db::{Conn, DbError};
use crate::domain::{Kind, Value};
use std::collections::BTreeMap;

/// Each object of a set with a digest of its definition.
pub(super) type Made = BTreeMap<String, String>;

/// What the names of objects begin with that are never made here.
pub(super) const OTHER: &str = "other ";

/// Views and triggers are named after their set. The trail's own triggers are the system tables' (`Db::guard_faults`); no
/// other table has any but those that are made here.
const SQLITE: &str = "SELECT substr(name, 3, 16) AS set_id, type || ' ' || name, sql FROM sqlite_master
    WHERE (type = 'view' AND substr(name, 1, 2) IN ('r_', 'w_')) OR (type = 'trigger' AND substr(name, 1, 2) = 'g_')
    UNION ALL SELECT '0000000000000000', 'other trigger ' || name, sql FROM sqlite_master
        WHERE type = 'trigger' AND substr(name, 1, 2) <> 'g_' AND tbl_name NOT IN ('audit_record', 'audit_seal', 'audit_head')";

/// Everything of ours bears its set in its name: after the prefix of the database's roles, or after a letter. What
/// does not, and yet has a say about the rows of a table, is `other`: it is never made here.
const POSTGRES: &str = "
    WITH home AS (SELECT current_schema()::regnamespace AS id),
    role AS (SELECT substr(rolname::text, length($1) + 1, 16) AS set, *
             FROM pg_roles WHERE starts_with(rolname::text, $1) AND rolname::text ~ '_[0-9a-f]{16}_[rwv]$'),
    here AS (SELECT c.*, c.relname IN ('audit_record', 'audit_seal', 'audit_head') AS trail FROM pg_class AS c JOIN home ON c.relnamespace = home.id),
    held AS (
        SELECT a.grantee, c.relname || '.' || coalesce(t.attname, '*') || ':' || a.privilege_type || a.is_grantable::text AS what, c.relname
        FROM here AS c LEFT JOIN pg_attribute AS t ON t.attrelid = c.oid AND t.attacl IS NOT NULL
        CROSS JOIN LATERAL (SELECT * FROM aclexplode(c.relacl) UNION ALL SELECT * FROM aclexplode(t.attacl)) AS a
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')),
    granted AS (SELECT grantee, array_agg(DISTINCT what ORDER BY what)::text AS what FROM held GROUP BY grantee)
    SELECT substr(c.relname::text, 3, 16), 'view ' || c.relname::text,
            pg_get_viewdef(c.oid) || ' ' || pg_get_userbyid(c.relowner)::text || coalesce(c.reloptions::text, '')
        FROM here AS c WHERE c.relkind = 'v' AND c.relname ~ '^[rw]_[0-9a-f]{16}_'
    UNION ALL SELECT CASE WHEN t.tgname ~ '^g_[0-9a-f]{16}_' THEN substr(t.tgname::text, 3, 16) ELSE '0000000000000000' END,
            CASE WHEN t.tgname ~ '^g_[0-9a-f]{16}_' THEN 'trigger ' ELSE 'other trigger ' END || t.tgname || ' ON ' || c.relname,
            pg_get_triggerdef(t.oid) || t.tgenabled::text
        FROM pg_trigger AS t JOIN here AS c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal AND NOT c.trail
    UNION ALL SELECT substr(p.proname::text, 3, 16), 'function ' || p.proname, pg_get_functiondef(p.oid)
        FROM pg_proc AS p, home WHERE p.pronamespace = home.id AND p.proname ~ '^g_[0-9a-f]{16}_'
    UNION ALL SELECT CASE WHEN p.polname ~ '^p_[0-9a-f]{16}_' THEN substr(p.polname::text, 3, 16) ELSE '0000000000000000' END,
            CASE WHEN p.polname ~ '^p_[0-9a-f]{16}_' THEN 'policy ' ELSE 'other policy ' END || p.polname || ' ON ' || c.relname,
            p.polcmd::text || ' ' || p.polpermissive::text || ' ' || ARRAY(SELECT pg_get_userbyid(r)::text FROM unnest(p.polroles) AS r ORDER BY 1)::text
            || ' ' || coalesce(pg_get_expr(p.polqual, p.polrelid), '') || ' / ' || coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '')
        FROM pg_policy AS p JOIN here AS c ON c.oid = p.polrelid
    UNION ALL SELECT '0000000000000000', 'other rule ' || r.rulename || ' ON ' || c.relname, pg_get_ruledef(r.oid)
        FROM pg_rewrite AS r JOIN here AS c ON c.oid = r.ev_class WHERE r.rulename <> '_RETURN'
    UNION ALL SELECT '0000000000000000', 'other right of everybody ON ' || relname, string_agg(what, ' ' ORDER BY what)
        FROM held WHERE grantee = 0 GROUP BY relname
    UNION ALL SELECT '0000000000000000', 'security of ' || c.relname, c.relrowsecurity::text || pg_get_userbyid(c.relowner)::text
        FROM here AS c WHERE c.relrowsecurity
    UNION ALL SELECT '0000000000000000', 'server role ' || r.rolname,
            ARRAY[r.rolcanlogin, r.rolinherit, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb]::text
            || ARRAY(SELECT pg_get_userbyid(m.roleid)::text FROM pg_auth_members AS m
                     WHERE m.member = r.oid AND m.roleid NOT IN (SELECT oid FROM role) ORDER BY 1)::text
        FROM pg_roles AS r WHERE r.rolname IN ($1 || 'system', $1 || 'audit')
    UNION ALL SELECT role.set, 'role ' || role.rolname,
            ARRAY[role.rolcanlogin, role.rolinherit, role.rolsuper, role.rolbypassrls, role.rolcreaterole, role.rolcreatedb,
                  has_schema_privilege(role.oid, home.id, 'CREATE')]::text
            || ARRAY(SELECT pg_get_userbyid(m.member)::text || '<' || m.admin_option::text FROM pg_auth_members AS m
                     WHERE m.roleid = role.oid AND NOT (SELECT rolsuper FROM pg_roles WHERE oid = m.member) ORDER BY 1)::text
            || ARRAY(SELECT pg_get_userbyid(m.roleid)::text FROM pg_auth_members AS m WHERE m.member = role.oid ORDER BY 1)::text
            || coalesce(granted.what, '{}')
        FROM role CROSS JOIN home LEFT JOIN granted ON granted.grantee = role.oid";

/// An object that is not there as it was noted, or not noted as it is there.
#[derive(Debug)]
pub(super) struct Difference {
    pub object: String,
    /// Whose it is, if it was noted.
    pub noted: Option<String>,
    /// Whether anything is noted of the set that it is named after.
    pub set_noted: bool,
    pub there: bool,
}

/// All generated objects that are there, by the set they are named after.
pub(super) fn there(conn: &mut Conn, params: &Params) -> Result<BTreeMap<String, Made>, DbError> {
    asked(conn, None, params)
}

/// The same of these sets only.
pub(super) fn there_of(conn: &mut Conn, sets: &[&str], params: &Params) -> Result<BTreeMap<String, Made>, DbError> {
    asked(conn, Some(sets), params)
}

fn asked(conn: &mut Conn, sets: Option<&[&str]>, params: &Params) -> Result<BTreeMap<String, Made>, DbError> {
    let mut sql = Sql::new();
    let postgres = match conn.roles().map(|roles| Value::text(roles.prefix())) {
        None => {
            sql.raw("SELECT * FROM (").raw(SQLITE).raw(") AS found");
            false
        }
        Some(prefix) => {
            sql.append(&digested(&prefix));
            true
        }
    };
    if let Some(sets) = sets {
        sql.raw(" WHERE found.set_id IN (").append(&texts(sets)).raw(")").uncacheable();
    }
    let mut found: BTreeMap<String, Made> = BTreeMap::new();
    for row in fetch(conn, &sql, params, &[Kind::Text, Kind::Text, Kind::Text])? {
        let [Value::Text(set), Value::Text(object), Value::Text(definition)] = row.as_slice() else { continue };
        let hex = set.len() == 16 && set.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        // A view may be called anything; a trigger that is no set's has its say all the same.
        let (set, object) = match (hex, object.strip_prefix("trigger ")) {
            (true, _) => (&**set, object.to_string()),
            (false, Some(name)) => (EVERY, format!("{OTHER}trigger {name}")),
            (false, None) => continue,
        };
        let digest = if postgres { definition.to_string() } else { digest(definition) };
        found.entry(set.to_owned()).or_default().insert(object, digest);
    }
    Ok(found)
}

/// `SELECT set, object, digest FROM …`, as far as PostgreSQL has computed the digests itself.
fn digested(prefix: &Value) -> Sql {
    let mut sql = Sql::new();
    sql.raw("SELECT found.set_id, found.object, encode(sha256(convert_to(found.definition, 'UTF8')), 'hex') AS digest FROM (");
    for (at, part) in POSTGRES.split("$1").enumerate() {
        if at > 0 {
            sql.bind(prefix, &Kind::Text);
        }
        sql.raw(part);
    }
    sql.raw(") AS found (set_id, object, definition)");
    sql
}

/// What PostgreSQL has and what was noted, where they differ: compared by the database, in one pass over its catalogue.
pub(super) fn compared(conn: &mut Conn, params: &Params) -> Result<Vec<Difference>, DbError> {
    let Some(prefix) = conn.roles().map(|roles| Value::text(roles.prefix())) else { return Ok(Vec::new()) };
    let mut sql = Sql::new();
    sql.raw("WITH there AS MATERIALIZED (").append(&digested(&prefix)).raw(
        "), noted AS MATERIALIZED (SELECT s.set_id, s.rights, o.key AS object, o.value AS digest
            FROM engine_set AS s, json_each_text(s.made::json) AS o)
        SELECT coalesce(noted.object, there.object), noted.rights, there.digest IS NOT NULL,
            EXISTS (SELECT FROM engine_set AS s WHERE s.set_id = there.set_id)
        FROM noted FULL JOIN there ON noted.set_id = there.set_id AND noted.object = there.object
        WHERE noted.digest IS DISTINCT FROM there.digest ORDER BY 1",
    );
    let kinds = [Kind::Text, Kind::Text, Kind::Boolean, Kind::Boolean];
    let one = |row: Vec<Value>| match row.as_slice() {
        [Value::Text(object), rights, there, set] => Some(Difference {
            object: object.to_string(),
            noted: rights.as_text().map(str::to_owned),
            there: *there == Value::Boolean(true),
            set_noted: *set == Value::Boolean(true),
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

pub(super) fn digest(text: &str) -> String {
    sha256(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
