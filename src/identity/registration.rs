//! Registration: a visitor's request travels in the mailed link; only the opened link makes an account.
//!
//! Until then nothing is stored and nothing is asked of the database, so the answer cannot depend on
//! whether the address is known. The password is chosen after the mailbox was proved to be theirs.

use super::account::{self, AccountId, AccountState};
use super::link::{LinkError, Purpose};
use super::password::ChosenPassword;
use super::{Actor, Identity, normal_email, normal_name, trail};
use crate::audit::EventKind;
use crate::db::Conn;
use crate::domain::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// What a visitor asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The address, in lower case.
    pub email: String,
    /// The person's name.
    pub name: String,
    /// What else the form held, for the app's own microflow.
    pub data: serde_json::Value,
}

impl Identity {
    /// The text of the link to mail. Takes no connection: it cannot ask the database anything.
    pub fn registration_link(&self, asked: &Registration, lifetime: Duration) -> Result<String, LinkError> {
        let email = normal_email(&asked.email).ok_or(LinkError::Unfit("this is not an e-mail address"))?;
        let name = normal_name(&asked.name).ok_or(LinkError::Unfit("a name has 1 to 100 characters, all of them visible"))?;
        self.seal_link(Purpose::Register, Registration { email, name, data: asked.data.clone() }, lifetime)
    }

    /// What an opened link asks for; says nothing about whether it was used. Asks nothing of the database.
    pub fn open_registration(&self, token: &str) -> Result<Registration, LinkError> {
        Ok(self.open_link::<Registration>(Purpose::Register, token)?.payload)
    }

    /// The same, once the database may be asked: also refuses a used link and a known address.
    pub fn check_registration(&self, conn: &mut Conn, token: &str) -> Result<Registration, LinkError> {
        let link = self.open_link::<Registration>(Purpose::Register, token)?;
        self.check_unused(conn, &link)?;
        match account::find_by_email(conn, &link.payload.email)? {
            Some(_) => Err(LinkError::AlreadyKnown),
            None => Ok(link.payload),
        }
    }

    /// Makes the account, active and with the least role, in the caller's transaction.
    pub fn complete_registration(
        &self,
        conn: &mut Conn,
        by: &Actor<'_>,
        token: &str,
        chosen: &ChosenPassword,
        role: &Name,
    ) -> Result<AccountId, LinkError> {
        let link = self.open_link::<Registration>(Purpose::Register, token)?;
        self.spend(conn, &link, None)?;
        let Registration { email, name, .. } = &link.payload;
        let new = account::Row { email, name, state: AccountState::Active, password_hash: Some(chosen.hash()), demo: false };
        let now = self.clock.now();
        let id = account::insert(conn, &new, now)?.ok_or(LinkError::AlreadyKnown)?;
        account::grant(conn, id, &BTreeSet::from([role.clone()]), None, now)?;
        let event = by.event(EventKind::UserCreated, "an account was made by registration").on(trail::object(id));
        self.record(conn, &event.detail("role", None, Some(role.to_string())))?;
        Ok(id)
    }
}
