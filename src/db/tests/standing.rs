//! A small schema with the objects of two sets of rights, as the owner makes them.

use super::noon;
use crate::db::sql::{Params, Sql, execute, fetch};
use crate::db::{
    Conn, Db, DbError, Dialect, Need, Object, ObjectKind, Piece, Purpose, Reach, Standing, TableWrites, Watched, set_id,
};
use crate::domain::{Kind, ObjectId, Value};
use std::sync::Arc;

/// Sees the names of everybody, and the salary of the caller; changes the caller's name; adds and removes notes.
pub(super) fn employee() -> Arc<str> {
    set_id("employee")
}
/// Sees all salaries.
pub(super) fn director() -> Arc<str> {
    set_id("director")
}

/// What stands in braces is the name of an object: `{r}`, `{w}` of the employee, `{other}` of the director, or itself.
pub(super) fn sql(text: &str) -> Sql {
    let mut sql = Sql::new();
    for (at, part) in text.split(['{', '}']).enumerate() {
        if at % 2 == 0 {
            sql.raw(Box::leak(part.to_owned().into_boxed_str()));
            continue;
        }
        sql.ident(name(part));
    }
    sql
}

pub(super) fn name(short: &str) -> String {
    match short {
        "r" => format!("r_{}_hr_employee", employee()),
        "w" => format!("w_{}_hr_employee", employee()),
        "g" => format!("g_{}_hr_employee_u", guards()),
        "other" => format!("r_{}_hr_employee", director()),
        "other_g" => format!("g_{}_hr_employee_u", set_id("the director's triggers")),
        own => own.to_owned(),
    }
}

pub(super) fn params() -> Params {
    Params::new(Some(ObjectId(1)), noon(), noon().date())
}

pub(super) fn standing(set: Arc<str>, user: i64) -> Standing {
    let table = |insert, delete, update: &[&str]| TableWrites {
        insert,
        delete,
        update: update.iter().map(|column| (*column).to_owned()).collect(),
        ..TableWrites::default()
    };
    let (reach, views) = (Reach::default(), views(&set));
    reach.give(&views);
    let watched = |writes, pieces| Watched { writes, pieces, follow: Vec::new() };
    reach.allow("hr_employee", watched(table(false, false, &["name", "version"]), vec![triggers()]));
    reach.allow("hr_note", watched(table(true, true, &["text"]), Vec::new()));
    // On PostgreSQL the employee's role that writes has the set's id in its name here.
    let watch = Some(piece(employee(), ObjectKind::Function, &[], Vec::new()));
    Standing { rights: set.clone(), set, user: Some(ObjectId(user)), now: noon(), reach: Arc::new(reach), watch }
}

/// The id in the names of the employee's triggers.
fn guards() -> Arc<str> {
    set_id("the employee's triggers")
}

fn piece(id: Arc<str>, kind: ObjectKind, objects: &[(&str, &str)], needs: Vec<Arc<Piece>>) -> Arc<Piece> {
    let object = |(short, text): &(&str, &str)| {
        let text = sql(text).ddl(Dialect::Sqlite).replace("OWN'", &format!("{}'", guards()));
        Object { name: name(short), kind, text }
    };
    Arc::new(Piece { id, objects: objects.iter().map(object).collect(), needs })
}

/// The views of a set on SQLite.
pub(super) fn views(set: &Arc<str>) -> Arc<Piece> {
    let [reader, witness, all] = VIEWS;
    let objects: &[_] = if *set == director() { &[("other", all)] } else { &[("r", reader), ("w", witness)] };
    piece(set.clone(), ObjectKind::View, objects, Vec::new())
}

/// The triggers that look at what the employee writes, and one of another set.
pub(super) fn triggers() -> Arc<Piece> {
    let [own, other] = TRIGGERS;
    piece(guards(), ObjectKind::Trigger, &[("g", own), ("other_g", other)], vec![views(&director())])
}

/// What a set finds, as text.
pub(super) fn ask(conn: &mut Conn, text: &str) -> Result<Vec<String>, DbError> {
    let rows = fetch(conn, &sql(text), &params(), &[Kind::Text])?;
    Ok(rows.into_iter().map(|row| row[0].canonical().to_string()).collect())
}

pub(super) fn read_as(db: &Db, set: Arc<str>, user: i64, text: &str) -> Result<Vec<String>, DbError> {
    db.read(|conn| conn.within(&standing(set.clone(), user), Purpose::Read, |conn| ask(conn, text)))
}

pub(super) fn write_as(db: &Db, text: &str) -> Result<usize, DbError> {
    db.write(|conn| {
        conn.within(&standing(employee(), 1), Purpose::Write, |conn| {
            if text.contains("RETURNING") {
                return fetch(conn, &sql(text), &params(), &[Kind::Text]).map(|rows| rows.len());
            }
            execute(conn, &sql(text), &params())
        })
    })
}

/// Makes tables, rows and generated objects.
pub(super) fn fill(db: &Db) {
    db.owner(|conn| {
        let own = match conn.dialect() {
            Dialect::Sqlite => Vec::new(),
            Dialect::Postgres => POSTGRES.to_vec(),
        };
        let roles = conn.roles().map(|roles| {
            let of = |set: &str| [roles.reader(set), roles.writer(set)];
            [of(&employee()), of(&director())].concat()
        });
        for statement in TABLES.iter().copied().chain(own) {
            let mut text = sql(statement).ddl(conn.dialect());
            for (at, role) in roles.iter().flatten().enumerate() {
                text = text.replace(&format!("#{at}"), role);
            }
            if let Some(roles) = conn.roles() {
                text = text.replace("#system", &roles.system());
            }
            conn.batch(&text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        }
        Ok::<_, DbError>(())
    })
    .unwrap();
    db.bump_generation();
    for set in [employee(), director()] {
        for piece in [None, Some(views(&set)), Some(piece(employee(), ObjectKind::Function, &[], Vec::new()))] {
            db.know(&Need { set: set.clone(), rights: set.clone(), piece });
        }
    }
    db.write(|conn| {
        for text in ROWS {
            execute(conn, &sql(text), &params())?;
        }
        Ok::<_, DbError>(())
    })
    .unwrap();
}

const TABLES: [&str; 2] = [
    "CREATE TABLE hr_employee (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, name TEXT NOT NULL, salary TEXT, boss INTEGER)",
    "CREATE TABLE hr_note (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, text TEXT UNIQUE, employee_id INTEGER)",
];
const ROWS: [&str; 3] = [
    "INSERT INTO hr_employee VALUES (1, 1, 'Ada', 'one', NULL), (2, 1, 'Bob', 'two', 1), (3, 1, 'Cleo', 'three', 2)",
    "INSERT INTO hr_note VALUES (1, 1, 'mine', 1), (2, 1, 'theirs', 2)",
    "INSERT INTO setting VALUES ('secret', 'word')",
];
const VIEWS: [&str; 3] = [
    "CREATE TEMP VIEW {r} AS SELECT id, version, name AS m_name, CASE WHEN id = portcullis_user() THEN salary END AS m_salary \
     FROM main.hr_employee WHERE id < 3",
    "CREATE TEMP VIEW {w} AS SELECT id, version, boss FROM main.hr_employee",
    "CREATE TEMP VIEW {other} AS SELECT id, version, salary AS m_salary FROM main.hr_employee",
];
const TRIGGERS: [&str; 2] = [
    "CREATE TEMP TRIGGER {g} BEFORE UPDATE ON main.hr_employee \
     WHEN portcullis_watched_by('OWN') AND old.id IS NOT portcullis_user() \
     BEGIN SELECT RAISE(ABORT, 'portcullis: not this row'); END",
    // Looks at what the employee may not see, as a trigger of another set does.
    "CREATE TEMP TRIGGER {other_g} BEFORE UPDATE ON main.hr_employee WHEN portcullis_watched_by('nobody') \
     BEGIN SELECT RAISE(ABORT, 'portcullis: no') WHERE EXISTS (SELECT 1 FROM temp.{other} WHERE m_salary = old.salary); END",
];
/// `#0` and `#1` read and write for the employee, `#2` and `#3` for the director.
const POSTGRES: [&str; 15] = [
    "CREATE ROLE #0 NOLOGIN; CREATE ROLE #1 NOLOGIN; CREATE ROLE #2 NOLOGIN; CREATE ROLE #3 NOLOGIN",
    "GRANT #0, #1, #2, #3 TO server; GRANT #1, #3 TO owner",
    "ALTER TABLE hr_employee ENABLE ROW LEVEL SECURITY; ALTER TABLE hr_note ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY all_rows ON hr_employee TO #system USING (true); CREATE POLICY all_rows ON hr_note TO #system USING (true)",
    "CREATE POLICY seen ON hr_employee FOR SELECT TO #1 USING (id < 3); CREATE POLICY seen_all ON hr_employee FOR SELECT TO #3 USING (true)",
    "CREATE POLICY changed ON hr_employee FOR UPDATE TO #1 \
     USING (id = (SELECT nullif(current_setting('portcullis.user', true), '')::bigint)) WITH CHECK (name <> 'Eve')",
    "GRANT SELECT (id, version, name, salary), UPDATE (version, name) ON hr_employee TO #1; GRANT SELECT ON hr_employee TO #3",
    "CREATE POLICY known ON hr_note FOR SELECT TO #1 USING (true); CREATE POLICY added ON hr_note FOR INSERT TO #1 WITH CHECK (employee_id = 1)",
    "GRANT SELECT (id, version), INSERT (id, version, text, employee_id) ON hr_note TO #1",
    "CREATE VIEW {r} AS SELECT id, version, name AS m_name, \
     CASE WHEN id = (SELECT nullif(current_setting('portcullis.user', true), '')::bigint) THEN salary END AS m_salary FROM hr_employee",
    "CREATE VIEW {w} AS SELECT id, version, boss FROM hr_employee; CREATE VIEW {other} AS SELECT id, version, salary AS m_salary FROM hr_employee",
    "GRANT CREATE ON SCHEMA public TO #1, #3, #system; \
     ALTER VIEW {r} OWNER TO #1; ALTER VIEW {other} OWNER TO #3; ALTER VIEW {w} OWNER TO #system; \
     REVOKE CREATE ON SCHEMA public FROM #1, #3, #system",
    "GRANT SELECT ON {r}, {w} TO #0; GRANT SELECT ON {other} TO #2",
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
     $$ BEGIN IF new.text = 'refused' THEN RAISE EXCEPTION 'portcullis: not this text'; END IF; RETURN new; END $$",
    "CREATE TRIGGER {g} BEFORE INSERT ON hr_note FOR EACH ROW EXECUTE FUNCTION refuse()",
];

/// The values a set's statement reads in the objects made for it.
pub(super) fn row_of(conn: &mut Conn, text: &str, kinds: &[Kind]) -> Result<Vec<Value>, DbError> {
    Ok(fetch(conn, &sql(text), &params(), kinds)?.into_iter().next().unwrap_or_default())
}
