//! PostgreSQL's roles: what the server's statements run as, and what the role it logs in with must not be.
//!
//! Guarantees: the server reads and writes as `system`, which changes neither the schema nor the trail;
//! the trail is appended to as `audit`, which reads no record; each set of rights has a role that reads the views it was
//! given, and each piece that looks at writes one that writes through it. None of them can log in.
//! Deliberately not here: making the roles of sets and pieces, and what these are granted (`supply`).

use super::sql::{Params, Sql, fetch};
use super::{Conn, DbError};
use crate::crypto::sha256;
use crate::domain::{Kind, Value};
use std::sync::Arc;

/// The names of a database's roles. Roles belong to the whole cluster, so the database is in their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    prefix: Arc<str>,
}

impl Roles {
    /// The roles of the database of this name.
    pub(super) fn of(database: &str) -> Self {
        let digits: String = sha256(database.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Self { prefix: format!("pc_{digits}_").into() }
    }
    /// What all their names begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
    /// The role of the server's own work: all rows, never the schema or the trail.
    pub fn system(&self) -> String {
        format!("{}system", self.prefix)
    }
    /// The role that appends to the trail.
    pub fn audit(&self) -> String {
        format!("{}audit", self.prefix)
    }
    /// The role that reads the views of a set of rights, and nothing else.
    pub fn reader(&self, set: &str) -> String {
        format!("{}{set}_r", self.prefix)
    }
    /// The role that writes through a piece.
    pub fn writer(&self, piece: &str) -> String {
        format!("{}{piece}_w", self.prefix)
    }
    /// The role that owns generated views and sees what the model knows of tables.
    pub fn holder(&self) -> String {
        format!("{}holder", self.prefix)
    }
    /// What all roles that read for a set of rights are members of.
    pub fn readers(&self) -> String {
        format!("{}readers", self.prefix)
    }
    /// What all roles that write through a piece are members of.
    pub fn writers(&self) -> String {
        format!("{}writers", self.prefix)
    }

    /// What the owner of the schema has to run so that the roles exist and may do their work; again after each
    /// migration of the system tables. `login` is the role that the server logs in with.
    pub(super) fn statements(&self, login: &str) -> String {
        let (system, audit, login) = (self.system(), self.audit(), login.replace('\'', "''"));
        let (holder, readers, writers) = (self.holder(), self.readers(), self.writers());
        format!(
            "DO $roles$ DECLARE
                home name := current_schema();
                entry record;
                taker record;
                modern bool := current_setting('server_version_num')::int >= 160000;
            BEGIN
                FOR entry IN SELECT unnest(ARRAY['{system}', '{audit}', '{holder}', '{readers}', '{writers}']) AS name LOOP
                    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = entry.name) THEN
                        EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', entry.name);
                    END IF;
                    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', home, entry.name);
                    -- The owner too, because it hands views over to them.
                    FOR taker IN SELECT rolname AS name FROM pg_roles WHERE NOT rolsuper AND (rolname = current_user
                                 OR rolname = '{login}' AND entry.name IN ('{system}', '{audit}')) LOOP
                        IF NOT pg_has_role(taker.name, entry.name, CASE WHEN modern THEN 'SET' ELSE 'MEMBER' END) THEN
                            EXECUTE format('GRANT %I TO %I', entry.name, taker.name)
                                || CASE WHEN modern THEN ' WITH INHERIT FALSE' ELSE '' END;
                        END IF;
                    END LOOP;
                END LOOP;
                EXECUTE format('GRANT CREATE ON SCHEMA %I TO {holder}', home);
                FOR entry IN SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                             WHERE n.nspname = home AND c.relkind IN ('r', 'p') AND pg_has_role(c.relowner, 'USAGE') LOOP
                    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I.%I TO {system}', home, entry.name);
                END LOOP;
                REVOKE INSERT, UPDATE, DELETE ON audit_record, audit_seal, audit_head, schema_state, engine_set, __diesel_schema_migrations FROM {system};
                REVOKE ALL ON audit_record, audit_seal, audit_head FROM {audit};
                GRANT INSERT ON audit_record, audit_seal TO {audit};
                EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {system}', home);
                IF (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = home) THEN
                    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', home);
                END IF;
                IF (SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database()) THEN
                    EXECUTE format('REVOKE CREATE, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
                END IF;
                IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
                    EXECUTE format('ALTER DATABASE %I SET lc_messages = %L', current_database(), 'C');
                END IF;
            END $roles$"
        )
    }
}

/// What the role that is logged in must not be, each with its object; empty rows when there is nothing to say.
const MIGHT: &str = "
    WITH me AS (SELECT * FROM pg_roles WHERE rolname = session_user),
         home AS (SELECT oid, nspname, nspowner FROM pg_namespace WHERE nspname = current_schema()),
         ours AS (SELECT r.oid, r.rolname FROM pg_roles r WHERE starts_with(r.rolname::text, $1))
    SELECT 'superuser', '' FROM me WHERE rolsuper
    UNION ALL SELECT 'attribute', a.name FROM me, LATERAL (VALUES ('BYPASSRLS', rolbypassrls), ('CREATEROLE', rolcreaterole),
        ('CREATEDB', rolcreatedb), ('REPLICATION', rolreplication)) AS a(name, has) WHERE a.has
    UNION ALL SELECT 'owner', 'database ' || datname FROM pg_database
        WHERE datname = current_database() AND pg_has_role(session_user, datdba, 'MEMBER')
    UNION ALL SELECT 'owner', 'schema ' || nspname FROM home WHERE pg_has_role(session_user, nspowner, 'MEMBER')
    UNION ALL SELECT 'owner', 'table ' || c.relname FROM pg_class c, home
        WHERE c.relnamespace = home.oid AND c.relkind IN ('r', 'p') AND pg_has_role(session_user, c.relowner, 'MEMBER')
    UNION ALL SELECT 'member', r.rolname::text FROM pg_roles r WHERE r.rolname <> session_user
        AND (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolname IN ('pg_read_all_data',
             'pg_write_all_data', 'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program'))
        AND pg_has_role(session_user, r.oid, 'MEMBER')
    UNION ALL SELECT 'inherits', ours.rolname::text FROM ours WHERE pg_has_role(session_user, ours.oid, 'USAGE')
    UNION ALL SELECT 'direct', c.relname::text FROM pg_class c, home
        WHERE c.relnamespace = home.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND has_any_column_privilege(session_user, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
        AND NOT EXISTS (SELECT FROM ours WHERE pg_has_role(session_user, ours.oid, 'USAGE'))
    UNION ALL SELECT 'creates', 'schema ' || nspname FROM home WHERE has_schema_privilege(session_user, oid, 'CREATE')
    UNION ALL SELECT 'creates', 'database ' || current_database()
        WHERE has_database_privilege(session_user, current_database(), 'CREATE, TEMPORARY')
    UNION ALL SELECT 'missing', n.name FROM (VALUES ($1 || 'system'), ($1 || 'audit')) AS n(name)
        WHERE NOT EXISTS (SELECT FROM ours WHERE ours.rolname = n.name AND pg_has_role(session_user, ours.oid, 'MEMBER'))";

/// Whether all roles exist and the login role may take two of them.
const READY: &str = "
    SELECT count(*) = 5 FROM pg_roles r WHERE r.rolname IN ($1 || 'holder', $1 || 'readers', $1 || 'writers')
        OR r.rolname IN ($1 || 'system', $1 || 'audit') AND pg_has_role(session_user, r.oid, 'MEMBER')";

/// Why the role that this connection logged in with is more than the server's may be; each with the cure.
pub(super) fn too_mighty(conn: &mut Conn, roles: &Roles) -> Result<Vec<String>, DbError> {
    let login = login(conn)?;
    let rows = ask(conn, MIGHT, roles, &[Kind::Text, Kind::Text])?;
    let mut found: Vec<(String, String)> = rows.iter().filter_map(|row| Some((text(row.first()?), text(row.get(1)?)))).collect();
    if found.iter().any(|(what, _)| what == "superuser") {
        // A superuser is and may everything else too.
        found.retain(|(what, _)| what == "superuser");
    }
    Ok(found.iter().map(|(what, of)| fault(&login, what, of)).collect())
}

fn fault(login: &str, what: &str, of: &str) -> String {
    let (says, cure) = match what {
        "superuser" => ("is a superuser".to_owned(), own_role()),
        "attribute" => (format!("has {of}"), format!("ALTER ROLE {login} NO{of}")),
        "owner" => (format!("owns {of}"), own_role()),
        "member" => (format!("is a member of {of}"), format!("REVOKE {of} FROM {login}")),
        "inherits" => (
            format!("inherits the rights of {of}"),
            format!("ALTER ROLE {login} NOINHERIT, and from PostgreSQL 16 on GRANT {of} TO {login} WITH INHERIT FALSE"),
        ),
        "direct" => (format!("has rights of its own on {of}"), format!("REVOKE ALL ON {of} FROM {login}, PUBLIC")),
        "creates" => (
            format!("may create objects in {of}"),
            format!("REVOKE CREATE ON {of} FROM {login}, PUBLIC, and TEMPORARY on a database"),
        ),
        _ => (format!("may not act as {of}"), "run `portcullis migrate --apply` with database_owner set".to_owned()),
    };
    format!("database: the role {login} {says}; {cure}")
}

fn own_role() -> String {
    "give the server a role of its own (CREATE ROLE … LOGIN NOINHERIT) and set database_owner to the owner of the schema"
        .to_owned()
}

/// Whether transactions can begin: the roles exist and this login may take them.
pub(super) fn are_ready(conn: &mut Conn, roles: &Roles) -> Result<bool, DbError> {
    let rows = ask(conn, READY, roles, &[Kind::Boolean])?;
    Ok(rows.first().and_then(|row| row.first()) == Some(&Value::Boolean(true)))
}

/// The role that this connection logged in with.
pub(super) fn login(conn: &mut Conn) -> Result<String, DbError> {
    let mut sql = Sql::new();
    sql.raw("SELECT session_user::text");
    let rows = fetch(conn, &sql, &nobody(), &[Kind::Text])?;
    Ok(rows.first().and_then(|row| row.first()).map(text).unwrap_or_default())
}

fn ask(conn: &mut Conn, question: &'static str, roles: &Roles, kinds: &[Kind]) -> Result<Vec<Vec<Value>>, DbError> {
    let mut sql = Sql::new();
    // Every `$1` is the same bound prefix.
    for (at, part) in question.split("$1").enumerate() {
        if at > 0 {
            sql.bind(&Value::text(roles.prefix()), &Kind::Text);
        }
        sql.raw(part);
    }
    fetch(conn, &sql, &nobody(), kinds)
}

fn nobody() -> Params {
    let never = chrono::NaiveDateTime::default();
    Params::new(None, never, never.date())
}

fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        _ => String::new(),
    }
}
