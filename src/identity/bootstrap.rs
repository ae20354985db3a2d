//! The first administrator: a link printed at start, good only while nobody holds the role.

use super::account::{self, AccountId, AccountState};
use super::link::{LinkError, Purpose};
use super::password::ChosenPassword;
use super::{Actor, Identity, normal_email, normal_name, trail};
use crate::audit::EventKind;
use crate::db::{Conn, DbError, Dialect};
use crate::domain::Name;
use std::collections::BTreeSet;

impl Identity {
    /// The text of the link to print; `None` when somebody holds the role already.
    pub fn bootstrap_link(&self, conn: &mut Conn, role: &Name) -> Result<Option<String>, LinkError> {
        if account::holders(conn, role)? > 0 {
            return Ok(None);
        }
        self.seal_link(Purpose::Bootstrap, role.as_str(), self.settings.bootstrap_lifetime).map(Some)
    }

    /// Says whether the link can still be used.
    pub fn check_bootstrap(&self, conn: &mut Conn, token: &str) -> Result<(), LinkError> {
        let link = self.open_link::<String>(Purpose::Bootstrap, token)?;
        self.check_unused(conn, &link)?;
        if account::holders(conn, &Name::from(link.payload))? == 0 { Ok(()) } else { Err(LinkError::Withdrawn) }
    }

    /// Makes the first administrator, in the caller's transaction.
    // SECURITY: each start prints another link; two of them used at once must not make two administrators, so
    // the question and the answer stand under one lock: `of_two_bootstrap_links_exactly_one_makes_an_administrator`.
    pub fn complete_bootstrap(
        &self,
        conn: &mut Conn,
        by: &Actor<'_>,
        token: &str,
        email: &str,
        name: &str,
        chosen: &ChosenPassword,
    ) -> Result<AccountId, LinkError> {
        let link = self.open_link::<String>(Purpose::Bootstrap, token)?;
        self.spend(conn, &link, None)?;
        lock_roles(conn)?;
        let role = Name::from(link.payload.as_str());
        if account::holders(conn, &role)? > 0 {
            return Err(LinkError::Withdrawn);
        }
        let email = normal_email(email).ok_or(LinkError::Unfit("this is not an e-mail address"))?;
        let name = normal_name(name).ok_or(LinkError::Unfit("a name has 1 to 100 characters"))?;
        let new = account::Row {
            email: &email,
            name: &name,
            state: AccountState::Active,
            password_hash: Some(chosen.hash()),
            demo: false,
        };
        let now = self.clock.now();
        let id = account::insert(conn, &new, now)?.ok_or(LinkError::AlreadyKnown)?;
        account::grant(conn, id, &BTreeSet::from([role.clone()]), None, now)?;
        let event = by.event(EventKind::UserCreated, "the first administrator was made by the start link").on(trail::object(id));
        self.record(conn, &event.detail("role", None, Some(role.to_string())))?;
        Ok(id)
    }
}

/// Keeps others from granting roles until the transaction ends; on SQLite a write transaction does so by itself.
fn lock_roles(conn: &mut Conn) -> Result<(), DbError> {
    match conn.dialect() {
        Dialect::Sqlite => Ok(()),
        Dialect::Postgres => conn.batch("LOCK TABLE account_role IN SHARE ROW EXCLUSIVE MODE"),
    }
}
