//! Statements that SQLite's guard refuses to a set of rights.

use super::guard::{filled, forbidden, forbidden_or_unknown};
use super::standing::{ask, employee, read_as, standing, write_as};
use crate::db::{DbError, Purpose};

#[test]
fn no_statement_of_a_set_reaches_what_its_views_do_not_show() {
    const ATTACKS: &[&str] = &[
        "SELECT salary FROM hr_employee",
        "SELECT rowid || '' FROM hr_employee",
        "SELECT count(*) || '' FROM hr_employee",
        "SELECT m_salary FROM {other}",
        "SELECT '1' FROM {other}",
        "SELECT m_name FROM {r} ORDER BY (SELECT salary FROM hr_employee e WHERE e.id = {r}.id)",
        "SELECT m_name FROM {r} WHERE salary = 'one'",
        "SELECT m_name FROM {r} AS t WHERE (SELECT salary FROM hr_employee e WHERE e.id = t.id) > 'a'",
        "SELECT m_name FROM {r} AS t WHERE EXISTS (SELECT 1 FROM hr_employee e WHERE e.salary > 'a' AND e.id = t.id)",
        "SELECT max(m_name) FROM {r} GROUP BY (SELECT salary FROM hr_employee e WHERE e.id = {r}.id)",
        "SELECT m_name FROM {r} JOIN hr_employee e ON e.id = {r}.id",
        "SELECT m_name FROM {r} NATURAL JOIN hr_employee",
        "SELECT m_name FROM {r} JOIN hr_employee USING (id)",
        "SELECT 'guessed' FROM (SELECT 'one' AS salary) natural JOIN hr_employee",
        "SELECT count(*) || '' FROM main.hr_employee",
        "SELECT count(*) || '' FROM {main}.hr_employee",
        "SELECT count(*) || '' FROM `main`.hr_employee",
        "SELECT count(*) || '' FROM temp.hr_employee",
        "SELECT m_name FROM {r} UNION SELECT salary FROM hr_employee",
        "SELECT m_name FROM {r} UNION ALL SELECT m_salary FROM {other}",
        "SELECT x FROM (SELECT salary AS x FROM hr_employee) AS {r}",
        "WITH {mine} AS (SELECT salary FROM hr_employee) SELECT salary FROM {mine}",
        "WITH RECURSIVE {mine}(n, s) AS (SELECT 1, 'x' UNION SELECT n + 1, salary FROM {mine}, hr_employee WHERE n < 3) \
         SELECT s FROM {mine}",
        "WITH {r} AS (SELECT salary AS m_name FROM hr_employee) SELECT m_name FROM {r}",
        "WITH {r}(m_name) AS (SELECT salary FROM hr_employee) SELECT m_name FROM {r}",
        "WITH {g} AS MATERIALIZED (SELECT salary FROM hr_employee) SELECT salary FROM {g}",
        "WITH {other} AS NOT MATERIALIZED (SELECT salary FROM hr_employee) SELECT salary FROM {other}",
        "WITH {r}/**/AS/**/(SELECT salary AS m_name FROM hr_employee) SELECT m_name FROM {r}",
        "SELECT m_name FROM {r} WHERE ('secret', 'word') IN setting",
        "SELECT m_name FROM {r} WHERE (SELECT count(*) FROM hr_note n WHERE n.text = m_name) = 0",
        "SELECT sql FROM sqlite_master",
        "SELECT sql FROM sqlite_schema",
        "SELECT sql FROM sqlite_temp_master",
        "SELECT name FROM pragma_table_info('hr_employee')",
        "SELECT name FROM pragma_table_list",
        "SELECT file FROM pragma_database_list",
        "SELECT value || '' FROM json_each('[1]')",
        "SELECT name FROM dbstat",
        "PRAGMA table_info(hr_employee)",
        "PRAGMA query_only = OFF",
        "PRAGMA writable_schema = ON",
        "PRAGMA database_list",
        "ATTACH ':memory:' AS elsewhere",
        "ATTACH '/etc/passwd' AS elsewhere",
        "DETACH main",
        "VACUUM",
        "VACUUM INTO '/tmp/stolen.db'",
        "ANALYZE",
        "REINDEX",
        "CREATE TABLE mine (id INTEGER)",
        "CREATE TEMP TABLE mine AS SELECT salary FROM hr_employee",
        "CREATE VIEW {r} AS SELECT salary FROM hr_employee",
        "CREATE TEMP VIEW mine AS SELECT salary FROM hr_employee",
        "CREATE TEMP TRIGGER mine AFTER INSERT ON hr_note BEGIN SELECT 1; END",
        "CREATE INDEX mine ON hr_employee (salary)",
        "CREATE VIRTUAL TABLE mine USING fts5(x)",
        "DROP VIEW {r}",
        "ALTER TABLE hr_employee RENAME TO mine",
        "SELECT load_extension('/tmp/x.so')",
        "SELECT sqlite_version()",
        "SELECT hex(randomblob(4))",
        "SELECT json_group_array(m_name) FROM {r}",
        "SELECT group_concat(m_name) FROM {r}",
        "SELECT name FROM account",
        "SELECT password_hash FROM account",
        "SELECT value FROM setting",
        "SELECT data FROM session",
        "SELECT summary FROM audit_record",
        "INSERT INTO hr_note (id, version, text) VALUES (9, 1, 'x')",
        "UPDATE hr_employee SET name = 'x' WHERE id = 1",
        "DELETE FROM hr_note",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT mine",
        "RELEASE diesel_savepoint_1",
        "EXPLAIN SELECT salary FROM hr_employee",
        "EXPLAIN QUERY PLAN SELECT salary FROM hr_employee",
    ];
    filled(|db| {
        for attack in ATTACKS {
            forbidden_or_unknown(read_as(db, employee(), 1, attack), attack);
            // On the writer nothing more is readable, and the system's own statements are there.
            let written = db.write(|conn| {
                let _ = ask(conn, "SELECT salary FROM hr_employee");
                conn.within(&standing(employee(), 1), Purpose::Read, |conn| ask(conn, attack))
            });
            forbidden_or_unknown(written, attack);
        }
        assert_eq!(read_as(db, employee(), 1, "SELECT m_name FROM {r} ORDER BY id").unwrap(), ["Ada", "Bob"]);
        assert_eq!(db.read(|conn| ask(conn, "SELECT name FROM sqlite_master WHERE name = 'mine'")).unwrap(), [""; 0]);
    });
}

#[test]
fn a_set_writes_only_what_its_standing_lists_and_reads_nothing_by_it() {
    filled(|db| {
        assert_eq!(write_as(db, "UPDATE hr_employee AS t SET version = t.version + 1, name = 'Ida' WHERE t.id = 1").unwrap(), 1);
        assert_eq!(write_as(db, "INSERT INTO hr_note (version, text) VALUES (1, 'new') RETURNING id || ''").unwrap(), 1);
        assert_eq!(write_as(db, "DELETE FROM hr_note WHERE id = 1 AND version = 1").unwrap(), 1);
        for attack in [
            "UPDATE hr_employee SET salary = 'ten' WHERE id = 1",
            "UPDATE hr_employee SET name = 'x', salary = 'ten' WHERE id = 1",
            "UPDATE hr_employee SET name = salary WHERE id = 1",
            "UPDATE hr_employee SET name = 'x' WHERE salary = 'one'",
            "UPDATE hr_employee SET name = 'x' WHERE id = 1 RETURNING salary",
            "UPDATE hr_employee SET name = 'x' WHERE id = 1 RETURNING name",
            "UPDATE hr_employee SET name = o.salary FROM hr_employee o WHERE o.id = hr_employee.id",
            "UPDATE hr_employee SET name = (SELECT value FROM setting)",
            "UPDATE hr_employee SET name = (SELECT m_salary FROM {other} LIMIT 1) WHERE id = 1",
            "UPDATE hr_employee SET name = 'x' WHERE id = 1 ORDER BY salary LIMIT 1",
            "UPDATE setting SET value = 'x'",
            "UPDATE OR REPLACE hr_note SET text = 'theirs' WHERE id = 1",
            "INSERT INTO hr_employee (id, version, name) VALUES (9, 1, 'x')",
            "INSERT INTO hr_note (version, text) SELECT 1, salary FROM hr_employee",
            "INSERT INTO hr_note (version, text) VALUES (1, 'x') RETURNING text",
            "INSERT OR REPLACE INTO hr_note (id, version, text) VALUES (2, 1, 'x')",
            "REPLACE INTO hr_note (id, version, text) VALUES (2, 1, 'x')",
            "INSERT INTO hr_note (id, version, text) VALUES (2, 1, 'x') ON CONFLICT (id) DO UPDATE SET employee_id = 1",
            "INSERT INTO {r} (id) VALUES (1)",
            "INSERT INTO account_role (account_id, user_role, granted_at) VALUES (1, 'Admin', '')",
            "INSERT INTO sqlite_master (name) VALUES ('x')",
            "DELETE FROM hr_employee",
            "DELETE FROM hr_note WHERE text = 'theirs'",
            "DELETE FROM audit_record",
            "DROP TABLE hr_note",
        ] {
            let done = write_as(db, attack);
            let unknown = matches!(&done, Err(DbError::Other(error)) if error.to_string().contains("syntax error")
                || error.to_string().contains("cannot modify"));
            assert!(unknown || matches!(done, Err(DbError::Forbidden(_))), "{attack}: {done:?}");
        }
        forbidden(write_as(db, "UPDATE hr_employee SET name = 'x' WHERE id = 2"), "a trigger's word");
        let left = "SELECT name || salary FROM hr_employee UNION SELECT text FROM hr_note ORDER BY 1";
        assert_eq!(db.read(|conn| ask(conn, left)).unwrap(), ["Bobtwo", "Cleothree", "Idaone", "new", "theirs"]);
    });
}
