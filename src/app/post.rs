//! Mail that deeds want sent: kept with the deed, sent afterwards, tried again until it is gone.

use super::{App, Refusal};
use crate::audit::{Event, EventKind};
use crate::config::Level;
use crate::db::sql::{Param, Params, Sql, execute, fetch};
use crate::db::{Conn, DbError};
use crate::domain::{Kind, Value};
use crate::flow::Effects;
use crate::mail::{MailError, Message};
use chrono::TimeDelta;

/// After so many tries a mail is given up, and that is recorded.
const MOST_TRIES: i64 = 12;
/// How many mails one round sends.
const A_ROUND: i64 = 50;

struct Waiting {
    id: i64,
    recipient: String,
    subject: String,
    body: String,
    attempts: i64,
}

impl App {
    fn params(&self) -> Params {
        let now = self.clock.now();
        Params::new(None, now, now.date())
    }

    /// Keeps the mails of a deed in its own transaction.
    pub(super) fn enqueue(&self, conn: &mut Conn, effects: &Effects) -> Result<(), Refusal> {
        for mail in &effects.mails {
            let mut sql = Sql::new();
            sql.raw("INSERT INTO mail_queue (recipient, subject, body, due) VALUES (");
            for text in [&mail.to, &mail.subject, &mail.text] {
                sql.bind(&Value::text(text), &Kind::Text).raw(", ");
            }
            sql.param(Param::Now).raw(")");
            execute(conn, &sql, &self.params())?;
        }
        Ok(())
    }

    /// Sends what is due. Called on the schedule; a mail server that is down costs nothing but time.
    pub fn deliver(&self) -> Result<usize, Refusal> {
        let due = self.db.read(|conn| self.due(conn))?;
        let mut sent = 0;
        for mail in due {
            let result =
                Message::new(&mail.recipient, &mail.subject, &mail.body).and_then(|m| self.mailer.send(&m, self.clock.now()));
            sent += usize::from(result.is_ok());
            self.settle(&mail, result)?;
        }
        Ok(sent)
    }

    fn due(&self, conn: &mut Conn) -> Result<Vec<Waiting>, DbError> {
        let mut sql = Sql::new();
        sql.raw("SELECT id, recipient, subject, body, attempts FROM mail_queue WHERE due <= ").param(Param::Now);
        sql.raw(" ORDER BY due, id LIMIT ").int(A_ROUND);
        let kinds = [Kind::INTEGER, Kind::Text, Kind::Text, Kind::Text, Kind::INTEGER];
        let rows = fetch(conn, &sql, &self.params(), &kinds)?;
        Ok(rows.iter().filter_map(|row| waiting(row)).collect())
    }

    fn settle(&self, mail: &Waiting, result: Result<(), MailError>) -> Result<(), Refusal> {
        let mut sql = Sql::new();
        let given_up = match &result {
            Ok(()) => false,
            Err(MailError::Unavailable(_)) => mail.attempts + 1 >= MOST_TRIES,
            Err(_) => true,
        };
        if result.is_ok() || given_up {
            sql.raw("DELETE FROM mail_queue WHERE id = ").int(mail.id);
        } else {
            // One minute, two, four, … up to about a day in all.
            let wait = TimeDelta::minutes(1 << mail.attempts.clamp(0, 8));
            sql.raw("UPDATE mail_queue SET attempts = attempts + 1, due = ");
            sql.bind(&Value::DateTime(self.clock.now() + wait), &Kind::DateTime).raw(" WHERE id = ").int(mail.id);
        }
        self.db.write(|conn| execute(conn, &sql, &self.params()))?;
        if let Err(error) = result {
            self.logs.write("portcullis.mail", Level::Warning, &format!("mail {} was not sent: {error}", mail.id), None);
            if given_up {
                self.record(
                    &Event::new(EventKind::MailFailed, format!("a mail was given up: {error}")).on(format!("mail {}", mail.id)),
                )?;
            }
        }
        Ok(())
    }
}

fn waiting(row: &[Value]) -> Option<Waiting> {
    let [Value::Integer(id), recipient, subject, body, Value::Integer(attempts)] = row else { return None };
    let text = |value: &Value| value.as_text().unwrap_or_default().to_owned();
    Some(Waiting { id: *id, recipient: text(recipient), subject: text(subject), body: text(body), attempts: *attempts })
}
