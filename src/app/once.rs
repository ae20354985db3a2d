//! A form that makes something new does it once: sent twice, from two tabs, or to two nodes at the same moment.
//!
//! Guarantees: that a form is taken is kept in the transaction of its deed, so a deed that is refused, or that is not
//! acceptable, takes nothing; of several that send the same form one is first, the others wait for it and are led
//! where it was led. Deliberately not here: changes of what is stored, which their versions guard; and visitors, who
//! reach no database and make nothing there.

use super::App;
use super::handles::FORM_LIFETIME;
use super::visit::Next;
use crate::access::Objects;
use crate::crypto::hash_token;
use crate::db::sql::{Param, Params, Sql, execute, fetch};
use crate::db::{Conn, DbError};
use crate::domain::{Kind, Value};
use crate::store::Store;
use crate::workspace::Closed;
use chrono::{NaiveDateTime, TimeDelta};

/// Whether a form was carried out before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// Not yet; now it is, if the transaction is kept.
    First,
    /// It was, and its sender was led there.
    Before(Next),
}

/// Objects beside which it is kept which forms were carried out.
pub(super) trait Ledger: Objects {
    /// Takes a form.
    fn take(&mut self, form: &str, now: NaiveDateTime) -> Result<Taken, DbError>;
    /// Where the sender of a form was led that was carried out before; `None` when it was not.
    fn taken(&mut self, form: &str, now: NaiveDateTime) -> Result<Option<Next>, DbError>;
    /// Notes where its sender is led.
    fn lead(&mut self, form: &str, next: &Next, now: NaiveDateTime) -> Result<(), DbError>;
}

impl Ledger for Store<'_> {
    // SECURITY: the key of the table decides between two at once (`of_two_that_send_the_same_new_form_one_makes_it`).
    fn take(&mut self, form: &str, now: NaiveDateTime) -> Result<Taken, DbError> {
        let until = now.checked_add_signed(TimeDelta::seconds(FORM_LIFETIME)).unwrap_or(now);
        let mut sql = Sql::new();
        sql.raw("INSERT INTO form_once (form_hash, until) VALUES (").bind(&hashed(form), &Kind::Text).raw(", ");
        sql.bind(&Value::DateTime(until), &Kind::DateTime).raw(") ON CONFLICT (form_hash) DO NOTHING");
        if execute(self.conn(), &sql, &nobody(now))? == 1 {
            return Ok(Taken::First);
        }
        Ok(self.taken(form, now)?.map_or(Taken::Before(Next::Back), Taken::Before))
    }

    fn taken(&mut self, form: &str, now: NaiveDateTime) -> Result<Option<Next>, DbError> {
        let mut sql = Sql::new();
        sql.raw("SELECT led_to FROM form_once WHERE form_hash = ").bind(&hashed(form), &Kind::Text);
        let found = fetch(self.conn(), &sql, &nobody(now), &[Kind::Text])?;
        Ok(found.first().map(|row| match row.first() {
            Some(Value::Text(text)) if &**text == STAY => Next::Stay,
            Some(Value::Text(text)) => Next::Page(text.to_string()),
            _ => Next::Back,
        }))
    }

    fn lead(&mut self, form: &str, next: &Next, now: NaiveDateTime) -> Result<(), DbError> {
        let to = match next {
            Next::Page(address) => Value::text(address),
            Next::Stay => Value::text(STAY),
            Next::Back => return Ok(()),
        };
        let mut sql = Sql::new();
        sql.raw("UPDATE form_once SET led_to = ").bind(&to, &Kind::Text);
        sql.raw(" WHERE form_hash = ").bind(&hashed(form), &Kind::Text);
        execute(self.conn(), &sql, &nobody(now)).map(drop)
    }
}

impl Ledger for Closed {
    fn take(&mut self, _: &str, _: NaiveDateTime) -> Result<Taken, DbError> {
        Ok(Taken::First)
    }
    fn taken(&mut self, _: &str, _: NaiveDateTime) -> Result<Option<Next>, DbError> {
        Ok(None)
    }
    fn lead(&mut self, _: &str, _: &Next, _: NaiveDateTime) -> Result<(), DbError> {
        Ok(())
    }
}

/// Led back to the same page; no address looks like it.
const STAY: &str = "stay";

fn hashed(form: &str) -> Value {
    Value::text(hash_token(form))
}

fn nobody(now: NaiveDateTime) -> Params {
    Params::new(None, now, now.date())
}

impl App {
    /// Forgets forms whose state could not be opened any more.
    pub(super) fn forget_forms(&self, conn: &mut Conn) -> Result<usize, DbError> {
        let mut sql = Sql::new();
        sql.raw("DELETE FROM form_once WHERE until < ").param(Param::Now);
        execute(conn, &sql, &self.params())
    }
}
