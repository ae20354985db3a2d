//! Which scheduled events began when, on whichever node, so that each runs once and not once per node.
//!
//! Guarantees: the note that an event began is changed in the transaction of its flow, while its row
//! is locked: of several nodes one runs it, and of a node that dies meanwhile nothing is left, so that
//! another runs it. A run that failed counts as one.

use super::{App, Live, Refusal};
use crate::db::sql::{Param, Sql, execute, fetch};
use crate::db::{Conn, DbError};
use crate::domain::{Kind, QName, Value};
use chrono::NaiveDateTime;
use std::collections::BTreeMap;

/// When each scheduled event last began; empty: it never did.
pub type Runs = BTreeMap<QName, Option<NaiveDateTime>>;

fn name(event: &QName) -> Value {
    Value::text(event.to_string())
}

fn moment(at: Option<NaiveDateTime>) -> Value {
    at.map_or(Value::Empty, Value::DateTime)
}

impl App {
    /// When each scheduled event last began, on whichever node; events that were never seen begin to count now,
    /// or at once when they are to run at the start.
    pub fn runs(&self, live: &Live) -> Result<Runs, Refusal> {
        let known = self.db.read(|conn| self.known_runs(conn))?;
        let new: Vec<_> = live.model.schedule.iter().filter(|event| !known.contains_key(&event.name)).collect();
        if new.is_empty() {
            return Ok(known);
        }
        // Each statement adds what is not there, so of several nodes one does.
        Ok(self.db.write_unserialized(|conn| {
            for event in &new {
                let mut sql = Sql::new();
                sql.raw("INSERT INTO node_run (event, started) VALUES (");
                sql.bind(&name(&event.name), &Kind::Text).raw(", ");
                if event.at_start {
                    sql.raw("NULL")
                } else {
                    sql.param(Param::Now)
                };
                sql.raw(") ON CONFLICT (event) DO NOTHING");
                execute(conn, &sql, &self.params())?;
            }
            self.known_runs(conn)
        })?)
    }

    fn known_runs(&self, conn: &mut Conn) -> Result<Runs, DbError> {
        let mut sql = Sql::new();
        sql.raw("SELECT event, started FROM node_run");
        let run = |row: Vec<Value>| match row.as_slice() {
            [Value::Text(event), Value::DateTime(at)] => Some((QName::parse(event)?, Some(*at))),
            [Value::Text(event), Value::Empty] => Some((QName::parse(event)?, None)),
            _ => None,
        };
        Ok(fetch(conn, &sql, &self.params(), &[Kind::Text, Kind::DateTime])?.into_iter().filter_map(run).collect())
    }

    /// Takes the run of an event that last began at `last`; false when another node has it, or had it since.
    pub(super) fn take_run(&self, conn: &mut Conn, event: &QName, last: Option<NaiveDateTime>) -> Result<bool, DbError> {
        let mut sql = Sql::new();
        sql.raw("SELECT event FROM node_run WHERE event = ").bind(&name(event), &Kind::Text);
        sql.raw_by(" AND started IS ", " AND started IS NOT DISTINCT FROM ").bind(&moment(last), &Kind::DateTime);
        sql.raw_by("", " FOR UPDATE SKIP LOCKED");
        if fetch(conn, &sql, &self.params(), &[Kind::Text])?.is_empty() {
            return Ok(false);
        }
        let mut sql = Sql::new();
        sql.raw("UPDATE node_run SET started = ").param(Param::Now).raw(", node = ");
        sql.bind(&Value::text(&self.settings.node), &Kind::Text).raw(" WHERE event = ").bind(&name(event), &Kind::Text);
        Ok(execute(conn, &sql, &self.params())? == 1)
    }
}
