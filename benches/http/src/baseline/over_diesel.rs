//! The queries over typed diesel.

use super::{Person, Queries, Sent};
use crate::data::FILE;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool};
use diesel::sql_types::BigInt;
use std::path::Path;

diesel::table! {
    staff_employee (id) {
        id -> BigInt,
        version -> BigInt,
        number -> Nullable<BigInt>,
        first_name -> Text,
        last_name -> Text,
        email -> Nullable<Text>,
        job_title -> Nullable<Text>,
        status -> Nullable<Text>,
        joined -> Nullable<Text>,
        salary -> Nullable<BigInt>,
        department_id -> Nullable<BigInt>,
    }
}

use staff_employee as e;

type Columns = (e::id, e::number, e::first_name, e::last_name, e::email, e::job_title, e::status, e::joined, e::salary);
const COLUMNS: Columns =
    (e::id, e::number, e::first_name, e::last_name, e::email, e::job_title, e::status, e::joined, e::salary);

type Text = Option<String>;
type Found = (i64, Option<i64>, String, String, Text, Text, Text, Text, Option<i64>);

/// A pool for readers, and the one writer that SQLite has.
pub struct Diesel {
    read: Pool<ConnectionManager<SqliteConnection>>,
    write: Pool<ConnectionManager<SqliteConnection>>,
}

#[derive(Debug)]
struct Pragmas;

impl CustomizeConnection<SqliteConnection, diesel::r2d2::Error> for Pragmas {
    fn on_acquire(&self, conn: &mut SqliteConnection) -> Result<(), diesel::r2d2::Error> {
        let pragmas =
            "PRAGMA busy_timeout=5000; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;";
        conn.batch_execute(pragmas).map_err(diesel::r2d2::Error::QueryError)
    }
}

impl Diesel {
    /// Opens the database of a data folder.
    pub fn open(data: &Path) -> anyhow::Result<Self> {
        let path = data.join(FILE).to_string_lossy().into_owned();
        let pool = |size| {
            let pool = Pool::builder().max_size(size).test_on_check_out(false).connection_customizer(Box::new(Pragmas));
            pool.build(ConnectionManager::new(&path))
        };
        Ok(Self { read: pool(8)?, write: pool(1)? })
    }
}

fn person((id, number, first_name, last_name, email, job_title, status, joined, salary): Found) -> Person {
    Person {
        id,
        number: number.unwrap_or_default(),
        first_name,
        last_name,
        email: email.unwrap_or_default(),
        job_title: job_title.unwrap_or_default(),
        status: status.unwrap_or_default(),
        joined: joined.unwrap_or_default(),
        salary: salary.unwrap_or_default(),
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    many: i64,
}

impl Queries for Diesel {
    fn list(&self, department: i64, limit: i64) -> anyhow::Result<Vec<Person>> {
        let mut conn = self.read.get()?;
        let asked = e::table.filter(e::department_id.eq(department)).order((e::last_name, e::id)).limit(limit);
        let rows: Vec<Found> = asked.select(COLUMNS).load(&mut conn)?;
        Ok(rows.into_iter().map(person).collect())
    }
    fn total(&self, department: i64, cap: i64) -> anyhow::Result<i64> {
        let mut conn = self.read.get()?;
        // Diesel's typed queries have no count over a limited subquery.
        let sql = "SELECT count(*) AS many FROM (SELECT 1 FROM staff_employee WHERE department_id = ? LIMIT ?)";
        let found: Count =
            diesel::sql_query(sql).bind::<BigInt, _>(department).bind::<BigInt, _>(cap).get_result(&mut conn)?;
        Ok(found.many)
    }
    fn one(&self, id: i64) -> anyhow::Result<Option<Person>> {
        let mut conn = self.read.get()?;
        let found: Option<Found> = e::table.find(id).select(COLUMNS).first(&mut conn).optional()?;
        Ok(found.map(person))
    }
    fn create(&self, department: i64, sent: &Sent) -> anyhow::Result<i64> {
        let mut conn = self.write.get()?;
        let row = (
            e::first_name.eq(&sent.first_name),
            e::last_name.eq(&sent.last_name),
            e::email.eq(&sent.email),
            e::job_title.eq(&sent.job_title),
            e::status.eq("Active"),
            e::department_id.eq(department),
        );
        Ok(diesel::insert_into(e::table).values(row).returning(e::id).get_result(&mut conn)?)
    }
    fn change(&self, id: i64, sent: &Sent) -> anyhow::Result<()> {
        let mut conn = self.write.get()?;
        let row = (
            e::first_name.eq(&sent.first_name),
            e::last_name.eq(&sent.last_name),
            e::email.eq(&sent.email),
            e::job_title.eq(&sent.job_title),
            e::version.eq(e::version + 1),
        );
        diesel::update(e::table.find(id)).set(row).execute(&mut conn)?;
        Ok(())
    }
}
