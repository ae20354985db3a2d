//! The queries over rusqlite, with cached statements.

use super::{Person, Queries, Sent};
use crate::data::FILE;
use rusqlite::{Connection, OptionalExtension, Row};
use std::path::{Path, PathBuf};
use std::time::Duration;

const COLUMNS: &str = "id, number, first_name, last_name, email, job_title, status, joined, salary";

/// A pool for readers, and the one writer that SQLite has.
pub struct Rusqlite {
    read: r2d2::Pool<Maker>,
    write: r2d2::Pool<Maker>,
    list: String,
    one: String,
}

struct Maker(PathBuf);

impl r2d2::ManageConnection for Maker {
    type Connection = Connection;
    type Error = rusqlite::Error;

    fn connect(&self) -> Result<Connection, rusqlite::Error> {
        let conn = Connection::open(&self.0)?;
        conn.busy_timeout(Duration::from_secs(5))?;
        conn.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;")?;
        Ok(conn)
    }
    fn is_valid(&self, _: &mut Connection) -> Result<(), rusqlite::Error> {
        Ok(())
    }
    fn has_broken(&self, _: &mut Connection) -> bool {
        false
    }
}

impl Rusqlite {
    /// Opens the database of a data folder.
    pub fn open(data: &Path) -> anyhow::Result<Self> {
        let pool = |size| r2d2::Pool::builder().max_size(size).test_on_check_out(false).build(Maker(data.join(FILE)));
        Ok(Self {
            read: pool(8)?,
            write: pool(1)?,
            list: format!("SELECT {COLUMNS} FROM staff_employee WHERE department_id = ?1 ORDER BY last_name, id LIMIT ?2"),
            one: format!("SELECT {COLUMNS} FROM staff_employee WHERE id = ?1"),
        })
    }
}

fn person(row: &Row<'_>) -> rusqlite::Result<Person> {
    Ok(Person {
        id: row.get(0)?,
        number: row.get::<_, Option<i64>>(1)?.unwrap_or_default(),
        first_name: row.get(2)?,
        last_name: row.get(3)?,
        email: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
        job_title: row.get::<_, Option<String>>(5)?.unwrap_or_default(),
        status: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
        joined: row.get::<_, Option<String>>(7)?.unwrap_or_default(),
        salary: row.get::<_, Option<i64>>(8)?.unwrap_or_default(),
    })
}

impl Queries for Rusqlite {
    fn list(&self, department: i64, limit: i64) -> anyhow::Result<Vec<Person>> {
        let conn = self.read.get()?;
        let mut statement = conn.prepare_cached(&self.list)?;
        let rows = statement.query_map([department, limit], person)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
    fn total(&self, department: i64, cap: i64) -> anyhow::Result<i64> {
        let conn = self.read.get()?;
        let sql = "SELECT count(*) FROM (SELECT 1 FROM staff_employee WHERE department_id = ?1 LIMIT ?2)";
        Ok(conn.prepare_cached(sql)?.query_row([department, cap], |row| row.get(0))?)
    }
    fn one(&self, id: i64) -> anyhow::Result<Option<Person>> {
        let conn = self.read.get()?;
        Ok(conn.prepare_cached(&self.one)?.query_row([id], person).optional()?)
    }
    fn create(&self, department: i64, sent: &Sent) -> anyhow::Result<i64> {
        let conn = self.write.get()?;
        let sql = "INSERT INTO staff_employee (first_name, last_name, email, job_title, status, department_id) \
                   VALUES (?1, ?2, ?3, ?4, 'Active', ?5)";
        let values = (&sent.first_name, &sent.last_name, &sent.email, &sent.job_title, department);
        Ok(conn.prepare_cached(sql)?.insert(values)?)
    }
    fn change(&self, id: i64, sent: &Sent) -> anyhow::Result<()> {
        let conn = self.write.get()?;
        let sql = "UPDATE staff_employee SET first_name = ?1, last_name = ?2, email = ?3, job_title = ?4, version = version + 1 \
                   WHERE id = ?5";
        let values = (&sent.first_name, &sent.last_name, &sent.email, &sent.job_title, id);
        conn.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}
