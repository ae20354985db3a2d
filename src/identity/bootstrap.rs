//! The first administrator: a link printed at start, good only while nobody who can sign in is one.

use super::account::{self, AccountId, AccountState};
use super::administrators::able_holders;
use super::link::{LinkError, Purpose};
use super::password::ChosenPassword;
use super::{Actor, Identity, normal_email, normal_name, trail};
use crate::audit::EventKind;
use crate::db::Conn;
use crate::domain::Name;
use std::collections::BTreeSet;

/// Who uses the link.
#[derive(Clone, Copy, Debug)]
pub struct Founder<'a> {
    /// The address.
    pub email: &'a str,
    /// The person's name.
    pub name: &'a str,
    /// The password.
    pub chosen: &'a ChosenPassword,
}

impl Identity {
    /// The text of the link to print, for the first of these user roles; `None` when somebody who can sign in has one
    /// of them, or there are none.
    pub fn bootstrap_link(&self, conn: &mut Conn, administrators: &BTreeSet<Name>) -> Result<Option<String>, LinkError> {
        let Some(role) = administrators.first() else { return Ok(None) };
        if able_holders(conn, administrators, false)? > 0 {
            return Ok(None);
        }
        self.seal_link(Purpose::Bootstrap, role.as_str(), self.settings.bootstrap_lifetime).map(Some)
    }

    /// Says whether the link can still be used.
    pub fn check_bootstrap(&self, conn: &mut Conn, token: &str, administrators: &BTreeSet<Name>) -> Result<(), LinkError> {
        let link = self.open_link::<String>(Purpose::Bootstrap, token)?;
        self.check_unused(conn, &link)?;
        good_for(conn, &link.payload, administrators).map(drop)
    }

    /// Makes the first administrator, in the caller's transaction.
    // SECURITY: each start prints another link; two of them used at once must not make two administrators. The question
    // and the answer are one serialized write: `of_two_bootstrap_links_exactly_one_makes_an_administrator`.
    pub fn complete_bootstrap(
        &self,
        conn: &mut Conn,
        by: &Actor<'_>,
        token: &str,
        founder: Founder<'_>,
        administrators: &BTreeSet<Name>,
    ) -> Result<AccountId, LinkError> {
        let link = self.open_link::<String>(Purpose::Bootstrap, token)?;
        self.spend(conn, &link, None)?;
        let role = good_for(conn, &link.payload, administrators)?;
        let email = normal_email(founder.email).ok_or(LinkError::Unfit("this is not an e-mail address"))?;
        let name = normal_name(founder.name).ok_or(LinkError::Unfit("a name has 1 to 100 characters, all of them visible"))?;
        let new = account::Row {
            email: &email,
            name: &name,
            state: AccountState::Active,
            password_hash: Some(founder.chosen.hash()),
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

/// The role that a link gives, while it is one of an administrator and nobody who can sign in is one.
fn good_for(conn: &mut Conn, role: &str, administrators: &BTreeSet<Name>) -> Result<Name, LinkError> {
    let role = administrators.get(role).ok_or(LinkError::Withdrawn)?;
    if able_holders(conn, administrators, false)? == 0 { Ok(role.clone()) } else { Err(LinkError::Withdrawn) }
}
