//! The data: employees in fifty departments, generated straight into the file; the same each time.
//!
//! A process that opened a database through Portcullis opens no other SQLite connection: its guard refuses what it
//! did not set up. So the schema and the rows are made by two processes.

use crate::served;
use anyhow::{Context, ensure};
use portcullis::clock::Clock;
use portcullis::log::Logs;
use portcullis::server::{self, Mode};
use std::path::Path;
use std::process::Command;

/// How many departments there are; employee `i` works in department `(i - 1) % DEPARTMENTS + 1`.
pub const DEPARTMENTS: i64 = 50;
/// The file in a data folder.
pub const FILE: &str = "portcullis.db";
/// The file that the server of a data folder signs in the reader: employee 1, of department 1.
pub const READER: &str = "emma@bench.example";

const FIRST: [&str; 16] = [
    "Ada", "Boris", "Clara", "Dmitri", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Katya", "Liam", "Mira", "Noor",
    "Oskar", "Priya",
];
const LAST: [&str; 20] = [
    "Abbott",
    "Becker",
    "Castillo",
    "Dimitrov",
    "Eriksen",
    "Fontaine",
    "Gruber",
    "Haddad",
    "Ivanova",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "Moreau",
    "Nakamura",
    "O'Brien",
    "Petrov",
    "Quinn",
    "Rossi",
    "Schneider",
    "Tanaka",
];

/// Makes the schema as the server would, then has it filled by another process.
pub fn prepare(data: &Path, rows: u32) -> anyhow::Result<()> {
    let settings = served::settings("127.0.0.1:0".parse()?, data)?;
    drop(server::assemble(settings, Mode::Demo, Clock::system(), Logs::detached())?);
    let mut filling = Command::new(std::env::current_exe()?);
    let filled = filling.args(["fill", "--rows", &rows.to_string(), "--data"]).arg(data).status()?;
    ensure!(filled.success(), "the rows could not be made");
    Ok(())
}

/// Fills a database that has its schema and its accounts.
pub fn fill(data: &Path, rows: u32) -> anyhow::Result<()> {
    let mut conn = rusqlite::Connection::open(data.join(FILE)).context("the database")?;
    conn.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA foreign_keys=OFF;")?;
    drop_generated(&conn)?;
    let reader: i64 = conn.query_row("SELECT id FROM account WHERE email = ?1", [READER], |row| row.get(0))?;
    let tx = conn.transaction()?;
    {
        let mut department = tx.prepare("INSERT INTO staff_department (id, name) VALUES (?1, ?2)")?;
        for id in 1..=DEPARTMENTS {
            department.execute((id, format!("Department {id}")))?;
        }
        let mut employee = tx.prepare(
            "INSERT INTO staff_employee (id, number, first_name, last_name, email, job_title, status, joined, salary, \
             department_id, manager_id, account_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?;
        for id in 1..=i64::from(rows) {
            let mixed = (id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
            let of = |many: usize| (mixed % many as u64) as usize;
            let department = (id - 1) % DEPARTMENTS + 1;
            let first = FIRST[of(FIRST.len())];
            let last = format!("{}-{:03}", LAST[(mixed >> 8) as usize % LAST.len()], (mixed >> 16) % 1000);
            // One in ten is led by the department's first.
            let manager =
                if (id - 1) / DEPARTMENTS % 10 == 3 { department } else { (id + 3 * DEPARTMENTS - 1) % i64::from(rows) + 1 };
            employee.execute(rusqlite::params![
                id,
                10_000 + id,
                first,
                last,
                format!("{}.{id}@bench.example", first.to_lowercase()),
                ["Fitter", "Analyst", "Clerk", "Engineer"][of(4)],
                ["Active", "Leave", "Left"][of(3)],
                format!("20{:02}-{:02}-{:02}", mixed % 25, mixed % 12 + 1, mixed % 28 + 1),
                3_000_000 + (mixed % 5_000_000) as i64,
                department,
                manager,
                (id == 1).then_some(reader),
            ])?;
        }
    }
    tx.commit()?;
    conn.execute_batch("ANALYZE; PRAGMA wal_checkpoint(TRUNCATE);")?;
    Ok(())
}

/// Drops what Portcullis generated from the rules, which hand-written handlers do without; the server that is compared
/// makes it again when it starts.
fn drop_generated(conn: &rusqlite::Connection) -> anyhow::Result<()> {
    let all = "SELECT type, name FROM sqlite_master WHERE type IN ('view', 'trigger') AND name NOT LIKE 'audit%'";
    let mut statement = conn.prepare(all)?;
    let found = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (kind, name) in found.collect::<Result<Vec<(String, String)>, _>>()? {
        conn.execute_batch(&format!("DROP {kind} IF EXISTS \"{name}\""))?;
    }
    Ok(())
}
