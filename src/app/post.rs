//! Mail that deeds want sent: kept with the deed, sent afterwards, tried again until it is gone.

use super::{App, Ask, Refusal};
use crate::audit::{Event, EventKind};
use crate::config::Level;
use crate::db::sql::{Param, Sql, execute, fetch};
use crate::db::{Conn, DbError};
use crate::domain::{Kind, Value};
use crate::flow::Effects;
use crate::identity::{LinkError, ResetError};
use crate::mail::{Letter, MailError, Message};
use chrono::TimeDelta;

/// After so many tries a mail is given up, and that is recorded.
const MOST_TRIES: i64 = 12;
/// How many mails one turn sends.
const A_ROUND: usize = 50;
/// How long a mail is kept from other nodes while it is being sent: far longer than a mail server may take.
const LEASE: TimeDelta = TimeDelta::minutes(10);

struct Waiting {
    id: i64,
    recipient: String,
    subject: String,
    body: String,
    attempts: i64,
}

impl App {
    /// Keeps the mails of a deed in its own transaction.
    pub(super) fn enqueue(&self, conn: &mut Conn, effects: &Effects) -> Result<(), Refusal> {
        for mail in &effects.mails {
            self.keep_mail(conn, &mail.to, &mail.subject, &mail.text)?;
        }
        Ok(())
    }

    /// Begins a reset for the owner of an address, if there is one, and keeps the letter in the same transaction: a mail
    /// server that is away delays it, and does not lose it. The letter is sent by the clockwork, so the answer to the
    /// person who asks does not wait for it.
    // SECURITY: known and unknown addresses get the same answer after the same work; only the row of the letter differs.
    pub fn forgot(&self, ask: &Ask, email: &str) -> Result<(), Refusal> {
        let title = self.live().model.title.clone();
        // Counting is done in single statements, and the link expires with the password that it was made for.
        self.db.write_unserialized(|conn| {
            let mail = match self.identity.request_reset(conn, email, ask.address, Some(&ask.request_id)) {
                Ok(Some(mail)) => mail,
                Ok(None) => return Ok(Ok(())),
                Err(ResetError::Throttled { retry_after }) => return Ok(Err(Refusal::TooFast(retry_after))),
                Err(ResetError::Link(LinkError::Db(error))) => return Err(error.into()),
                Err(ResetError::Link(error)) => return Err(Refusal::Fault(error.to_string())),
            };
            let link = format!("{}/link/reset/{}", self.settings.base_url, mail.token);
            let letter = Letter::Reset.write(&title, &mail.email, &mail.name, &link, "it is used, for a limited time");
            let letter = letter.map_err(|error| Refusal::Fault(error.to_string()))?;
            self.keep_mail(conn, &letter.to(), letter.subject(), letter.text())?;
            Ok::<_, Refusal>(Ok(()))
        })?
    }

    fn keep_mail(&self, conn: &mut Conn, to: &str, subject: &str, text: &str) -> Result<(), DbError> {
        let mut sql = Sql::new();
        sql.raw("INSERT INTO mail_queue (recipient, subject, body, due) VALUES (");
        for part in [to, subject, text] {
            sql.bind(&Value::text(part), &Kind::Text).raw(", ");
        }
        sql.param(Param::Now).raw(")");
        execute(conn, &sql, &self.params()).map(drop)
    }

    /// Sends what is due. Called on the schedule; a mail server that is down costs nothing but time.
    ///
    /// Each mail is taken for a while before it is sent, so that of several nodes one sends it. A node that dies
    /// between the mail server's yes and the note of it leaves a mail that is sent again when that while is over:
    /// rather twice than never.
    pub fn deliver(&self) -> Result<usize, Refusal> {
        let mut sent = 0;
        for _ in 0..A_ROUND {
            if !self.db.read(|conn| self.any_due(conn))? {
                break;
            }
            // One statement takes the mail and locks it.
            let Some(mail) = self.db.write_unserialized(|conn| self.take_mail(conn))? else { break };
            let result =
                Message::new(&mail.recipient, &mail.subject, &mail.body).and_then(|m| self.mailer.send(&m, self.clock.now()));
            sent += usize::from(result.is_ok());
            self.settle(&mail, result)?;
        }
        Ok(sent)
    }

    fn any_due(&self, conn: &mut Conn) -> Result<bool, DbError> {
        let mut sql = Sql::new();
        sql.raw("SELECT id FROM mail_queue WHERE due <= ").param(Param::Now).raw(" LIMIT 1");
        Ok(!fetch(conn, &sql, &self.params(), &[Kind::INTEGER])?.is_empty())
    }

    /// Takes the mail that waits longest; until the lease ends nobody else does.
    fn take_mail(&self, conn: &mut Conn) -> Result<Option<Waiting>, DbError> {
        let mut sql = Sql::new();
        sql.raw("UPDATE mail_queue SET attempts = attempts + 1, due = ");
        sql.bind(&Value::DateTime(self.clock.now() + LEASE), &Kind::DateTime);
        sql.raw(" WHERE id = (SELECT id FROM mail_queue WHERE due <= ").param(Param::Now).raw(" ORDER BY due, id LIMIT 1");
        sql.raw_by("", " FOR UPDATE SKIP LOCKED").raw(") RETURNING id, recipient, subject, body, attempts");
        let kinds = [Kind::INTEGER, Kind::Text, Kind::Text, Kind::Text, Kind::INTEGER];
        let rows = fetch(conn, &sql, &self.params(), &kinds)?;
        Ok(rows.first().and_then(|row| waiting(row)))
    }

    fn settle(&self, mail: &Waiting, result: Result<(), MailError>) -> Result<(), Refusal> {
        let mut sql = Sql::new();
        let given_up = match &result {
            Ok(()) => false,
            Err(MailError::Unavailable(_)) => mail.attempts >= MOST_TRIES,
            Err(_) => true,
        };
        if result.is_ok() || given_up {
            sql.raw("DELETE FROM mail_queue WHERE id = ").int(mail.id);
        } else {
            // One minute, two, four, … up to about a day in all.
            let wait = TimeDelta::minutes(1 << (mail.attempts - 1).clamp(0, 8));
            sql.raw("UPDATE mail_queue SET due = ");
            sql.bind(&Value::DateTime(self.clock.now() + wait), &Kind::DateTime).raw(" WHERE id = ").int(mail.id);
        }
        // One statement, about a mail that nobody else has.
        self.db.write_unserialized(|conn| execute(conn, &sql, &self.params()))?;
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
