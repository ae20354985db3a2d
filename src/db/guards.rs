//! What protects the system tables inside the database: triggers, their function, unique places, owners and rights.
//!
//! Guarantees: what was taken away, switched off, replaced or added by others is named, and put back by the owner of the
//! schema on demand. This is the one place that says how they have to be; the migrations make them so, and a test
//! compares. Deliberately not here: what is generated from the rules (the store's engine), and what the role that
//! logs in must not be (`super::roles`).

use super::sql::{Params, Sql, fetch};
use super::{Conn, Db, DbError, Roles};
use crate::domain::{Kind, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A trigger of the trail: its name, its table, what it is for on SQLite, and its kind and level on PostgreSQL (as
/// `pg_trigger.tgtype` counts: 1 row, 2 before, 4 insert, 8 delete, 16 update, 32 truncate).
const TRIGGERS: [(&str, &str, Option<&str>, Option<i32>); 10] = [
    ("audit_record_never_changes", "audit_record", Some("UPDATE"), Some(27)),
    ("audit_record_never_leaves", "audit_record", Some("DELETE"), None),
    ("audit_record_never_empties", "audit_record", None, Some(34)),
    ("audit_seal_never_changes", "audit_seal", Some("UPDATE"), Some(27)),
    ("audit_seal_never_leaves", "audit_seal", Some("DELETE"), None),
    ("audit_seal_never_empties", "audit_seal", None, Some(34)),
    ("audit_head_never_changes", "audit_head", Some("UPDATE"), Some(23)),
    ("audit_head_never_grows", "audit_head", Some("INSERT"), None),
    ("audit_head_never_leaves", "audit_head", Some("DELETE"), Some(11)),
    ("audit_head_never_empties", "audit_head", None, Some(34)),
];
/// What they run on PostgreSQL.
const BODY: &str = "\nBEGIN\n    RAISE EXCEPTION 'the audit trail is append-only';\nEND\n";
/// Places that only one row can have.
const PLACES: [(&str, &str, &str); 3] = [
    ("audit_record_pkey", "audit_record", "(node, lane, n)"),
    ("audit_seal_pkey", "audit_seal", "(node, seq)"),
    ("audit_seal_lane", "audit_seal", "(node, lane, n)"),
];

/// The triggers of the trail's tables.
const SQLITE: &str = "SELECT 'trigger', name || ' ON ' || tbl_name, sql FROM sqlite_master
    WHERE type = 'trigger' AND tbl_name IN ('audit_record', 'audit_seal', 'audit_head')";

/// Each object with its kind, its name, and what it is in short. Roles of sets of rights are noted where they are made.
const POSTGRES: &str = "
    WITH home AS (SELECT current_schema()::regnamespace AS id),
    here AS (SELECT c.* FROM pg_class AS c JOIN home ON c.relnamespace = home.id WHERE c.relname IN ('audit_record',
        'audit_seal', 'audit_head', 'schema_state', 'engine_set', '__diesel_schema_migrations', 'account', 'account_role',
        'session', 'one_time_link', 'throttle', 'setting', 'autonumber', 'mail_queue', 'form_once')),
    owner AS (SELECT relowner AS id FROM here WHERE relname = '__diesel_schema_migrations'),
    held AS (
        SELECT c.relname, a.grantee, a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END
            || CASE WHEN a.attname IS NULL THEN '' ELSE '(' || a.attname || ')' END AS what
        FROM here AS c CROSS JOIN LATERAL (
            SELECT NULL::name AS attname, e.* FROM aclexplode(c.relacl) AS e
            UNION ALL SELECT t.attname, e.* FROM pg_attribute AS t, aclexplode(t.attacl) AS e WHERE t.attrelid = c.oid) AS a
        WHERE a.grantee <> c.relowner)
    SELECT 'trigger', t.tgname || ' ON ' || c.relname, t.tgtype::text || ' ' || t.tgenabled::text || ' '
            || (p.pronamespace = home.id)::text || ' ' || p.proname || ' ' || t.tgnargs::text || coalesce(t.tgqual::text, '')
        FROM pg_trigger AS t JOIN here AS c ON c.oid = t.tgrelid JOIN pg_proc AS p ON p.oid = t.tgfoid, home
        WHERE NOT t.tgisinternal AND c.relname IN ('audit_record', 'audit_seal', 'audit_head')
    UNION ALL SELECT 'function', p.proname::text, l.lanname || ' ' || p.prosecdef::text || ' '
            || coalesce(p.proconfig::text, '') || ' ' || p.prosrc
        FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang, home
        WHERE p.pronamespace = home.id AND p.proname = 'audit_is_append_only' AND p.pronargs = 0
    UNION ALL SELECT 'place', x.relname::text, substring(pg_get_indexdef(i.indexrelid) FROM 'USING btree (.*)$')
        FROM pg_index AS i JOIN here AS c ON c.oid = i.indrelid JOIN pg_class AS x ON x.oid = i.indexrelid
        WHERE i.indisunique AND i.indisvalid AND x.relname IN ('audit_record_pkey', 'audit_seal_pkey', 'audit_seal_lane')
    UNION ALL SELECT 'owner', 'TABLE ' || c.relname, pg_get_userbyid(c.relowner)::text || ' ' || pg_get_userbyid(owner.id)::text
        FROM here AS c, owner WHERE c.relowner <> owner.id
    UNION ALL SELECT 'owner', 'FUNCTION ' || p.proname || '()', pg_get_userbyid(p.proowner)::text || ' ' || pg_get_userbyid(owner.id)::text
        FROM pg_proc AS p, home, owner
        WHERE p.pronamespace = home.id AND p.proname = 'audit_is_append_only' AND p.proowner <> owner.id
    UNION ALL SELECT 'right', CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee)::text END || ' ON ' || relname,
            string_agg(what, ' ' ORDER BY what)
        FROM held WHERE grantee = 0 OR NOT (starts_with(pg_get_userbyid(grantee)::text, $1)
            AND pg_get_userbyid(grantee)::text ~ '_([0-9a-f]{16}_[rwv]|holder)$')
        GROUP BY grantee, relname
    UNION ALL SELECT 'table', relname::text, '' FROM here";

/// Something that is not as it was made, and what puts it back; nothing where `migrate` does as a whole.
struct Fault {
    what: String,
    cure: Vec<String>,
}

type Found = BTreeMap<(String, String), String>;

impl Db {
    /// How what protects the system tables differs from what the migrations made; empty when all of it stands.
    pub fn guard_faults(&self) -> Result<Vec<String>, DbError> {
        Ok(self.read(faults)?.into_iter().map(|fault| fault.what).collect())
    }

    /// Puts back what protects the system tables, as the owner of the schema. Says what it put back.
    pub fn restore_guards(&self) -> Result<Vec<String>, DbError> {
        let faults = self.read(faults)?;
        if faults.is_empty() {
            return Ok(Vec::new());
        }
        self.owner(|conn| faults.iter().flat_map(|fault| &fault.cure).try_for_each(|sql| conn.batch(sql)))?;
        // The rights of the server's roles are given as after a migration.
        self.migrate()?;
        match self.read(faults_again)? {
            None => Ok(faults.into_iter().map(|fault| fault.what).collect()),
            Some(left) => Err(DbError::Refused(format!("this could not be restored: {left}"))),
        }
    }
}

fn faults_again(conn: &mut Conn) -> Result<Option<String>, DbError> {
    Ok(faults(conn)?.into_iter().next().map(|fault| fault.what))
}

fn faults(conn: &mut Conn) -> Result<Vec<Fault>, DbError> {
    let roles = conn.roles().cloned();
    let found = there(conn, roles.as_ref())?;
    let mut all = triggers(&found, roles.is_some());
    if let Some(roles) = &roles {
        all.extend(places(&found));
        all.extend(owners(&found));
        all.extend(rights(&found, roles));
    }
    Ok(all)
}

fn there(conn: &mut Conn, roles: Option<&Roles>) -> Result<Found, DbError> {
    let mut sql = Sql::new();
    match roles {
        None => drop(sql.raw(SQLITE)),
        Some(roles) => {
            for (at, part) in POSTGRES.split("$1").enumerate() {
                if at > 0 {
                    sql.bind(&Value::text(roles.prefix()), &Kind::Text);
                }
                sql.raw(part);
            }
        }
    }
    let never = chrono::NaiveDateTime::default();
    let rows = fetch(conn, &sql, &Params::new(None, never, never.date()), &[Kind::Text, Kind::Text, Kind::Text])?;
    let mut found = Found::new();
    for row in rows {
        // No text is an absent one here: a value that is empty comes as none.
        let text = |at: usize| match row.get(at) {
            Some(Value::Text(text)) => text.to_string(),
            _ => String::new(),
        };
        found.insert((text(0), text(1)), text(2));
    }
    Ok(found)
}

fn triggers(found: &Found, postgres: bool) -> Vec<Fault> {
    let mut all = Vec::new();
    if postgres {
        all.extend(function(found));
    }
    let mut known = BTreeSet::new();
    for (name, table, on_sqlite, on_postgres) in TRIGGERS {
        let object = format!("{name} ON {table}");
        let Some((is, make)) = expected(name, table, on_sqlite.filter(|_| !postgres), on_postgres.filter(|_| postgres)) else {
            continue;
        };
        let drop_it =
            if postgres { format!("DROP TRIGGER IF EXISTS {name} ON {table}") } else { format!("DROP TRIGGER IF EXISTS {name}") };
        let now = found.get(&("trigger".to_owned(), object.clone()));
        let what = match now {
            None => Some("is gone"),
            Some(now) if *now == is => None,
            Some(now) if postgres && now.replacen(" D ", " O ", 1) == is => Some("is switched off"),
            Some(_) => Some("was changed"),
        };
        all.extend(what.map(|what| Fault { what: format!("trigger {object} {what}"), cure: vec![drop_it, make] }));
        known.insert(object);
    }
    let others = found.keys().filter(|(kind, object)| kind == "trigger" && !known.contains(object));
    all.extend(others.map(|(_, object)| {
        let (name, table) = object.rsplit_once(" ON ").unwrap_or((object, ""));
        let name = name.replace('"', "\"\"");
        let cure = if postgres { format!("DROP TRIGGER \"{name}\" ON {table}") } else { format!("DROP TRIGGER \"{name}\"") };
        Fault { what: format!("trigger {object} was added by others"), cure: vec![cure] }
    }));
    all
}

/// How a trigger is described, and what makes it; nothing where this database has none of this name.
fn expected(name: &str, table: &str, on_sqlite: Option<&str>, on_postgres: Option<i32>) -> Option<(String, String)> {
    if let Some(event) = on_sqlite {
        let make = format!(
            "CREATE TRIGGER {name} BEFORE {event} ON {table}\nBEGIN\n    SELECT RAISE(ABORT, 'the audit trail is append-only');\nEND"
        );
        return Some((make.clone(), make));
    }
    let kind = on_postgres?;
    let events = [(4, "INSERT"), (8, "DELETE"), (16, "UPDATE"), (32, "TRUNCATE")];
    let events: Vec<&str> = events.iter().filter(|(bit, _)| kind & bit != 0).map(|(_, event)| *event).collect();
    let level = if kind & 1 == 0 { "STATEMENT" } else { "ROW" };
    let make = format!(
        "CREATE TRIGGER {name} BEFORE {} ON {table} FOR EACH {level} EXECUTE FUNCTION audit_is_append_only()",
        events.join(" OR ")
    );
    Some((format!("{kind} O true audit_is_append_only 0"), make))
}

fn function(found: &Found) -> Option<Fault> {
    let name = "audit_is_append_only";
    let now = found.get(&("function".to_owned(), name.to_owned()));
    let what = match now {
        Some(now) if *now == format!("plpgsql false  {BODY}") => return None,
        Some(_) => "was changed",
        None => "is gone",
    };
    let cure = format!(
        "CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY INVOKER AS $guard${BODY}$guard$; \
         ALTER FUNCTION {name}() RESET ALL"
    );
    Some(Fault { what: format!("function {name} {what}"), cure: vec![cure] })
}

fn places(found: &Found) -> Vec<Fault> {
    let fault = |(name, table, columns): (&str, &str, &str)| {
        let now = found.get(&("place".to_owned(), name.to_owned()));
        if now.is_some_and(|now| now == columns) {
            return None;
        }
        let cure = format!(
            "ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}; DROP INDEX IF EXISTS {name}; \
             CREATE UNIQUE INDEX {name} ON {table} {columns}"
        );
        Some(Fault { what: format!("unique index {name} ON {table} is gone or was changed"), cure: vec![cure] })
    };
    PLACES.into_iter().filter_map(fault).collect()
}

fn owners(found: &Found) -> Vec<Fault> {
    let others = found.iter().filter(|((kind, _), _)| kind == "owner");
    let fault = |((_, object), owners): (&(String, String), &String)| {
        let (now, right) = owners.split_once(' ').unwrap_or((owners, ""));
        let cure = format!("ALTER {object} OWNER TO \"{}\"", right.replace('"', "\"\""));
        Fault {
            what: format!(
                "{} belongs to {now}, not to {right}",
                object.replace("TABLE", "table").replace("FUNCTION", "function")
            ),
            cure: vec![cure],
        }
    };
    others.map(fault).collect()
}

fn rights(found: &Found, roles: &Roles) -> Vec<Fault> {
    let mut expected: BTreeMap<String, &str> = BTreeMap::new();
    for (table, _) in of_kind(found, "table") {
        let kept = ["audit_record", "audit_seal", "audit_head", "schema_state", "engine_set", "__diesel_schema_migrations"];
        let rights = if kept.contains(&table.as_str()) { "SELECT" } else { "DELETE INSERT SELECT UPDATE" };
        expected.insert(format!("{} ON {table}", roles.system()), rights);
    }
    for table in ["audit_record", "audit_seal"] {
        expected.insert(format!("{} ON {table}", roles.audit()), "INSERT");
    }
    let mut all = Vec::new();
    for (object, rights) in &expected {
        let now = found.get(&("right".to_owned(), object.clone()));
        if now.is_none_or(|now| now != rights) {
            let now = now.map_or("nothing", String::as_str);
            all.push(Fault { what: format!("rights of {object}: {now} instead of {rights}"), cure: vec![revoke(object)] });
        }
    }
    for (object, rights) in of_kind(found, "right").filter(|(object, _)| !expected.contains_key(*object)) {
        all.push(Fault { what: format!("rights of {object} were added by others: {rights}"), cure: vec![revoke(object)] });
    }
    all
}

fn of_kind<'a>(found: &'a Found, wanted: &'a str) -> impl Iterator<Item = (&'a String, &'a String)> {
    found.iter().filter(move |((kind, _), _)| kind == wanted).map(|((_, object), is)| (object, is))
}

/// Takes all rights of somebody on a table; those that belong there are given again after it.
fn revoke(object: &str) -> String {
    let (who, table) = object.rsplit_once(" ON ").unwrap_or((object, ""));
    let who = if who == "PUBLIC" { who.to_owned() } else { format!("\"{}\"", who.replace('"', "\"\"")) };
    format!("REVOKE ALL ON {table} FROM {who} CASCADE")
}
