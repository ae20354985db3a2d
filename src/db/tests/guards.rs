//! What protects the system tables: taken away, switched off, replaced, added to; and put back.

use super::*;

/// Each with what names it.
const ON_BOTH: [(&str, &str, &str); 4] = [
    (
        "DROP TRIGGER audit_record_never_changes",
        "DROP TRIGGER audit_record_never_changes ON audit_record",
        "audit_record_never_changes",
    ),
    ("DROP TRIGGER audit_seal_never_changes", "DROP TRIGGER audit_seal_never_changes ON audit_seal", "audit_seal_never_changes"),
    ("DROP TRIGGER audit_head_never_leaves", "DROP TRIGGER audit_head_never_leaves ON audit_head", "audit_head_never_leaves"),
    (
        "CREATE TRIGGER mine BEFORE INSERT ON audit_record BEGIN SELECT RAISE(IGNORE); END",
        "CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
         CREATE TRIGGER \"my \"\"own\" BEFORE INSERT ON audit_record FOR EACH ROW EXECUTE FUNCTION mine()",
        "was added by others",
    ),
];
const ON_SQLITE: [(&str, &str); 2] = [
    (
        "DROP TRIGGER audit_record_never_leaves; CREATE TRIGGER audit_record_never_leaves BEFORE DELETE ON audit_record \
         WHEN old.severity > 9 BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END",
        "audit_record_never_leaves ON audit_record was changed",
    ),
    ("DROP TRIGGER audit_head_never_grows", "audit_head_never_grows ON audit_head is gone"),
];
const ON_POSTGRES: [(&str, &str); 17] = [
    ("ALTER TABLE audit_record DISABLE TRIGGER USER", "audit_record_never_changes ON audit_record is switched off"),
    ("ALTER TABLE audit_seal DISABLE TRIGGER audit_seal_never_empties", "audit_seal_never_empties ON audit_seal is switched off"),
    (
        "ALTER TABLE audit_head ENABLE REPLICA TRIGGER audit_head_never_changes",
        "audit_head_never_changes ON audit_head was changed",
    ),
    (
        "DROP TRIGGER audit_record_never_changes ON audit_record; CREATE TRIGGER audit_record_never_changes BEFORE UPDATE \
         ON audit_record FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()",
        "audit_record_never_changes ON audit_record was changed",
    ),
    (
        "DROP TRIGGER audit_record_never_changes ON audit_record; CREATE TRIGGER audit_record_never_changes BEFORE UPDATE OR DELETE \
         ON audit_record FOR EACH ROW WHEN (old.severity > 9) EXECUTE FUNCTION audit_is_append_only()",
        "audit_record_never_changes ON audit_record was changed",
    ),
    (
        "CREATE OR REPLACE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "function audit_is_append_only was changed",
    ),
    ("ALTER FUNCTION audit_is_append_only() SET search_path = pg_temp", "function audit_is_append_only was changed"),
    ("ALTER FUNCTION audit_is_append_only() SECURITY DEFINER", "function audit_is_append_only was changed"),
    ("DROP FUNCTION audit_is_append_only() CASCADE", "function audit_is_append_only is gone"),
    ("ALTER TABLE audit_record DROP CONSTRAINT audit_record_pkey", "audit_record_pkey"),
    ("DROP INDEX audit_seal_lane", "audit_seal_lane"),
    ("GRANT UPDATE, DELETE ON audit_record TO \"{system}\"", "{system} ON audit_record"),
    ("GRANT UPDATE (summary) ON audit_record TO \"{system}\"", "{system} ON audit_record"),
    ("GRANT SELECT ON audit_record TO \"{audit}\"", "{audit} ON audit_record"),
    ("REVOKE INSERT ON audit_seal FROM \"{audit}\"", "{audit} ON audit_seal"),
    ("GRANT TRUNCATE ON audit_record TO PUBLIC", "PUBLIC ON audit_record"),
    ("GRANT SELECT ON account TO server WITH GRANT OPTION", "server ON account"),
];

fn filled_in(db: &Db, text: &str) -> String {
    let roles = db.read(|conn| Ok::<_, DbError>(conn.roles().cloned())).unwrap();
    let (system, audit) = roles.map(|roles| (roles.system(), roles.audit())).unwrap_or_default();
    text.replace("{system}", &system).replace("{audit}", &audit)
}

#[test]
fn what_is_taken_from_the_guards_of_system_tables_is_named_and_put_back() {
    each(|db| {
        assert_eq!(db.guard_faults().unwrap(), Vec::<String>::new(), "the migrations make what is expected");
        assert!(db.restore_guards().unwrap().is_empty());
        let is_sqlite = db.dialect() == Dialect::Sqlite;
        let both = ON_BOTH.iter().map(|(sqlite, postgres, names)| (if is_sqlite { *sqlite } else { *postgres }, *names));
        let own: &[(&str, &str)] = if is_sqlite { &ON_SQLITE } else { &ON_POSTGRES };
        for (act, names) in both.chain(own.iter().copied()) {
            let (act, names) = (filled_in(db, act), filled_in(db, names));
            db.owner(|conn| conn.batch(&act)).unwrap();
            let found = db.guard_faults().unwrap();
            assert!(found.iter().any(|fault| fault.contains(&names)), "{act}: {found:?}");
            assert_eq!(db.restore_guards().unwrap(), found, "{act}");
            assert!(db.guard_faults().unwrap().is_empty(), "{act}");
            let changed = db.owner(|conn| conn.batch("INSERT INTO audit_head VALUES ('n', 1, '', '')"));
            assert!(changed.is_err(), "{act}");
        }
    });
}

#[test]
fn a_system_table_that_was_given_away_is_named_and_what_cannot_be_restored_is_said() {
    postgres(|db| {
        let act = filled_in(db, "GRANT CREATE ON SCHEMA public TO \"{audit}\"; ALTER TABLE audit_seal OWNER TO \"{audit}\"");
        db.owner(|conn| conn.batch(&act)).unwrap();
        let found = db.guard_faults().unwrap();
        assert!(found.iter().any(|fault| fault.starts_with("table audit_seal belongs to ")), "{found:?}");
        match db.restore_guards() {
            // The owner of the schema is a member of the role, or is not.
            Ok(restored) => assert!(!restored.is_empty() && db.guard_faults().unwrap().is_empty()),
            Err(error) => assert!(matches!(error, DbError::Forbidden(_) | DbError::Refused(_)), "{error:?}"),
        }
    });
}
