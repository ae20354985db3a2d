//! What the nodes of one installation tell each other through the database.
//!
//! Guarantees: whatever another node did that concerns all (applied a model, set a log level,
//! published a snapshot, mailed registration letters) is known here after the next [`App::follow`],
//! which the clockwork calls twice a second; requests of visitors ask the database nothing for it.
//! Deliberately not here: sessions, roles, throttling and used links. Those are read from the
//! database by every request that depends on them, so there is nothing to tell.

use super::meter::Letter;
use super::{App, Live, Refusal};
use crate::config::Level;
use crate::db::sql::{Params, Sql, execute, fetch};
use crate::db::{Conn, DbError};
use crate::domain::{Kind, QName, Value};
use crate::flow::Effects;
use crate::store;
use std::collections::BTreeMap;
use std::sync::MutexGuard;

/// The root of the log nodes, as it is stored: an empty text would be no text.
const ROOT: &str = "*";
/// How many letters of others are counted at most: more than all nodes together may mail in an hour.
const MOST_LETTERS: i64 = 5_000;

impl App {
    pub(super) fn params(&self) -> Params {
        let now = self.clock.now();
        Params::new(None, now, now.date())
    }

    /// While this is kept, [`App::follow`] waits.
    pub(super) fn hold_still(&self) -> MutexGuard<'_, ()> {
        self.following.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Learns what other nodes did.
    pub fn follow(&self) -> Result<(), Refusal> {
        let _one_at_a_time = self.hold_still();
        let live = self.live();
        let (model, levels, letters) = self.db.read(|conn| {
            let model = store::model_in_force(conn)?;
            let levels = self.stored_levels(conn)?;
            self.refresh_snapshots(conn, &live)?;
            Ok::<_, DbError>((model, levels, self.letters_of_others(conn)?))
        })?;
        self.logs.share(&levels);
        self.registrations.learn(letters);
        self.tell_letters()?;
        Ok(self.report(&model)?)
    }

    fn stored_levels(&self, conn: &mut Conn) -> Result<BTreeMap<String, Option<Level>>, DbError> {
        let mut sql = Sql::new();
        sql.raw("SELECT log_node, level FROM node_log_level");
        let rows = fetch(conn, &sql, &self.params(), &[Kind::Text, Kind::Text])?;
        let level = |row: Vec<Value>| {
            let node = row.first()?.as_text()?.to_owned();
            let node = if node == ROOT { String::new() } else { node };
            Some((node, row.get(1).and_then(Value::as_text).and_then(Level::parse)))
        };
        Ok(rows.into_iter().filter_map(level).collect())
    }

    /// Keeps a level that was set, in the transaction that records it.
    pub(super) fn keep_level(&self, conn: &mut Conn, node: &str, level: Option<Level>) -> Result<(), DbError> {
        let node = if node.is_empty() { ROOT } else { node };
        let mut sql = Sql::new();
        sql.raw("INSERT INTO node_log_level (log_node, level) VALUES (").bind(&Value::text(node), &Kind::Text).raw(", ");
        sql.bind(&level.map_or(Value::Empty, |level| Value::text(level.id())), &Kind::Text);
        sql.raw(") ON CONFLICT (log_node) DO UPDATE SET level = excluded.level");
        execute(conn, &sql, &self.params()).map(drop)
    }

    /// Keeps what a deed publishes, in its own transaction: all of it happens or nothing.
    pub(super) fn keep_snapshots(&self, conn: &mut Conn, live: &Live, effects: &Effects) -> Result<(), Refusal> {
        for published in &effects.published {
            let copy = live.snapshots.copy_of(&published.snapshot, &published.objects);
            let copy = copy.map_err(|error| Refusal::Fault(error.to_string()))?;
            let mut sql = Sql::new();
            sql.raw("INSERT INTO node_snapshot (name, number, content) VALUES (");
            sql.bind(&Value::text(published.snapshot.to_string()), &Kind::Text).raw(", 1, ");
            sql.bind(&Value::text(copy.text()), &Kind::Text);
            sql.raw(") ON CONFLICT (name) DO UPDATE SET number = node_snapshot.number + 1, content = excluded.content");
            execute(conn, &sql, &self.params())?;
        }
        Ok(())
    }

    /// After the commit: what was published is shown here at once, and said in the log.
    pub(super) fn show_snapshots(&self, live: &Live, effects: &Effects, request_id: Option<&str>) {
        if effects.published.is_empty() {
            return;
        }
        for published in &effects.published {
            let text = format!("{} published with {} objects", published.snapshot, published.objects.len());
            self.logs.write("portcullis.snapshot", Level::Info, &text, request_id);
        }
        if let Err(error) = self.db.read(|conn| self.refresh_snapshots(conn, live)) {
            // The next look at the database brings them.
            self.logs.write("portcullis.snapshot", Level::Warning, &error.to_string(), request_id);
        }
    }

    /// Takes every public copy that is newer than the one in memory.
    fn refresh_snapshots(&self, conn: &mut Conn, live: &Live) -> Result<(), DbError> {
        let mut sql = Sql::new();
        sql.raw("SELECT name, number FROM node_snapshot");
        for row in fetch(conn, &sql, &self.params(), &[Kind::Text, Kind::INTEGER])? {
            let [Value::Text(name), Value::Integer(number)] = row.as_slice() else { continue };
            let Some(name) = QName::parse(name).filter(|name| live.snapshots.is_newer(name, *number)) else { continue };
            let mut sql = Sql::new();
            sql.raw("SELECT content FROM node_snapshot WHERE name = ").bind(&Value::text(name.to_string()), &Kind::Text);
            let found = fetch(conn, &sql, &self.params(), &[Kind::Text])?;
            let text = found.first().and_then(|row| row.first()).and_then(Value::as_text).unwrap_or_default();
            if let Err(problem) = live.snapshots.take(&name, *number, text) {
                self.logs.write("portcullis.snapshot", Level::Warning, &problem.to_string(), None);
            }
        }
        Ok(())
    }

    /// Letters that other processes mailed within the hour, address by address.
    fn letters_of_others(&self, conn: &mut Conn) -> Result<Vec<Letter>, DbError> {
        let since = Value::DateTime(self.registrations.since(self.clock.now()));
        let mut sql = Sql::new();
        sql.raw("SELECT address, recipient, at FROM node_letter WHERE at > ")
            .bind(&since, &Kind::DateTime)
            .raw(" AND process <> ");
        sql.bind(&Value::text(self.registrations.process()), &Kind::Text).raw(" ORDER BY at DESC LIMIT ").int(MOST_LETTERS);
        let rows = fetch(conn, &sql, &self.params(), &[Kind::Text, Kind::Text, Kind::DateTime])?;
        let letter = |row: Vec<Value>| match row.as_slice() {
            [Value::Text(network), recipient, Value::DateTime(at)] => {
                let recipient = recipient.as_text().unwrap_or_default().to_owned();
                Some(Letter { network: network.to_string(), recipient, at: *at })
            }
            _ => None,
        };
        Ok(rows.into_iter().filter_map(letter).collect())
    }

    /// Tells the others which letters were mailed here. What cannot be told now is told the next time.
    fn tell_letters(&self) -> Result<(), DbError> {
        let untold = self.registrations.untold();
        if untold.is_empty() {
            return Ok(());
        }
        // Rows of this process's own are added; nothing is read.
        let told = self.db.write_unserialized(|conn| {
            for letter in &untold {
                let mut sql = Sql::new();
                sql.raw("INSERT INTO node_letter (process, address, recipient, at) VALUES (");
                for text in [self.registrations.process(), &letter.network, &letter.recipient] {
                    sql.bind(&Value::text(text), &Kind::Text).raw(", ");
                }
                sql.bind(&Value::DateTime(letter.at), &Kind::DateTime).raw(")");
                execute(conn, &sql, &self.params())?;
            }
            Ok::<_, DbError>(())
        });
        if told.is_err() {
            self.registrations.not_told(untold);
        }
        told
    }

    /// Forgets letters that no longer count.
    pub(super) fn forget_letters(&self, conn: &mut Conn) -> Result<usize, DbError> {
        let mut sql = Sql::new();
        let since = Value::DateTime(self.registrations.since(self.clock.now()));
        sql.raw("DELETE FROM node_letter WHERE at <= ").bind(&since, &Kind::DateTime);
        execute(conn, &sql, &self.params())
    }
}
